"""backend="numba": the loop of a fused layer compiled, equal to the op-level graph."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import compiled, compiled_few, fused_compiled, recurrent

from . import test_golden as golden
from .fused_cases import CALLS, B, H, I, T, agree, numbers, outcome, randomised
from .reference import family

KINDS = [nn.RNN, nn.LSTM, nn.GRU]
AS_WRITTEN = SimpleNamespace(**{**vars(compiled), **vars(compiled_few)})
ours = fused_compiled.backend


def willing(given, cell, obstacle, where):
    """The compiled loop wherever it can be."""
    try:
        return ours("numba", cell, obstacle, where)
    except tg.InputError:
        return "numpy"


@pytest.fixture
def numba():
    return pytest.importorskip("numba", reason="needs the extra 'compiled' (Numba)")


@pytest.fixture
def plain(monkeypatch):
    """The loops as Python runs them: no compiler is needed to see whether they are right."""
    monkeypatch.setattr(fused_compiled, "loops", lambda: AS_WRITTEN)
    monkeypatch.setattr(fused_compiled, "find_spec", lambda name: name)


def every_call(kind, calls, **settings):
    for call in calls:
        options, arguments = CALLS[call]
        flags = {"return_sequences": True, "return_state": True, "return_all_states": True,
                 **settings, **options}
        model = randomised(kind(I, H, seed=1, backend="numba", **flags))
        agree(*(outcome(model, numbers((T, B, I)), fused=fused, **arguments)
                for fused in (False, True)))


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"stacked": True}])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loops_are_right_before_they_are_compiled(kind, settings):
    every_call(kind, CALLS if not settings else ["plain", "reverse"], **settings)


@pytest.mark.usefixtures("numba")
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_they_give_the_same(kind):
    every_call(kind, ["plain", "one output", "reverse", "holes", "all, reverse"])


@pytest.mark.usefixtures("numba")
@pytest.mark.parametrize(("facts", "arrays"), family("rnn_cases"))
def test_networks(facts, arrays, monkeypatch):
    monkeypatch.setattr(recurrent, "backends", willing)
    with tg.fused():
        golden.test_networks(facts, arrays)


@pytest.mark.usefixtures("numba")
@pytest.mark.parametrize(("facts", "arrays"), family("rnn_vjp"))
def test_gradients_enter_through_outputs_and_states(facts, arrays, monkeypatch):
    monkeypatch.setattr(recurrent, "backends", willing)
    with tg.fused():
        golden.test_gradients_enter_through_outputs_and_states(facts, arrays)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("kind", KINDS)
def test_which_loop_runs(kind, monkeypatch):
    """The one that was asked for, at each call; and the one of NumPy past a mask."""
    taken = noted(monkeypatch)
    layer, x = kind(I, H, seed=1, fused=True, backend="numba"), tg.Tensor(numbers((T, B, I)))
    assert "backend=numba" in repr(layer)
    both = {nn.RNN: ["few_ahead", "few_back"], nn.LSTM: ["lstm_ahead", "lstm_back"],
            nn.GRU: ["gru_ahead", "gru_back"]}[kind]
    for backend, call, found in (("numba", {}, both), ("numpy", {}, []), ("numba", {}, both),
                                 ("numba", {"lengths": np.full(B, T)}, [])):
        layer.backend = backend
        (layer(x, **call) ** 2).sum().backward()
        assert taken == found, (backend, call)
        taken.clear()
    layer.fused = False
    layer(x)
    assert not taken


def noted(monkeypatch):
    """The names of the compiled functions, as they are asked for."""
    taken = []

    class Noted:
        def __getattr__(self, name):
            taken.append(name)
            return getattr(AS_WRITTEN, name)

    monkeypatch.setattr(fused_compiled, "loops", Noted)
    return taken


HEAD = "head_ahead", "loss_ahead", "loss_back", "head_back"


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("kind", KINDS)
def test_of_few_numbers_head_and_loss_are_compiled_too(kind, monkeypatch):
    taken = noted(monkeypatch)
    x, classes = tg.Tensor(numbers((T, B, I))), np.arange(T * B).reshape(T, B) % I
    layer = kind(I, H, seed=1, fused=True, backend="numba", return_sequences=True)
    head = nn.Linear(H, I, seed=2)
    products = {nn.RNN: T * B * H * H, nn.LSTM: T * B * I * 4 * H, nn.GRU: T * B * I * 3 * H}[kind]
    for most, few in ((products, True), (products - 1, False)):
        monkeypatch.setattr(fused_compiled, "FEW", most)
        nn.cross_entropy(head(layer(x)), classes).backward()
        assert {name for name in taken if name in HEAD} == (set(HEAD) if few else set())
        assert kind is not nn.RNN or ("few_ahead" in taken) == ("few_back" in taken) == few
        taken.clear()
    nn.cross_entropy(head(kind(I, H, seed=1, fused=True, return_sequences=True)(x)), classes)
    assert not taken


CASES = {  # x, bias, kind of class, reduction
    "a batch": ((T, B, I), True, "i8", "batch"),
    "one sequence": ((T, I), True, "i8", "batch"),
    "no bias": ((T, B, I), False, "u1", "batch"),
    "a sum": ((T, B, I), True, "i4", "sum"),
    "one step": ((1, 1, I), True, "i8", "mean"),
}


def top(case, backend, dtype="float64", mixed=False):
    """A loss on a head on a layer: all numbers and gradients that come of it."""
    shape, bias, kind, reduction = CASES[case]
    x = tg.Tensor(numbers(shape).astype(dtype), requires_grad=True)
    classes = (np.arange(np.prod(shape[:-1])).reshape(shape[:-1]) % I).astype(kind)
    layer = nn.RNN(I, H, seed=1, fused=backend is not None, backend=backend or "numpy",
                   return_sequences=True, dtype=dtype, bias=bias)
    head = nn.Linear(H, I, seed=2, dtype="float64" if mixed else dtype, bias=bias)
    h = layer(x)
    y = head(h)
    loss = nn.cross_entropy(y, classes, reduction)
    first = tg.grad(loss, x, create_graph=True)
    second = tg.grad((first ** 2).sum(), head.W)
    rows = tg.gradient_flow(loss).ledger(head.W)
    total = 3 * loss + (h[-1] ** 2).sum()
    to_y = tg.grad(total, y).numpy()
    if backend is not None:  # op by op it is too late for that: the steps of y are taken
        y.retain_grad()
    total.backward()
    assert backend is None or np.array_equal(y.grad, to_y)
    return [loss.numpy(), y.numpy(), first.numpy(), second.numpy(), x.grad,
            *(p.grad for p in layer.cell.parameters()), *(p.grad for p in head.parameters()),
            *(row.contribution for row in rows), to_y]


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("case", CASES)
def test_a_compiled_head_and_loss_give_the_same(case):
    for dtype, rtol, atol in (("float64", 1e-12, 1e-14), ("float32", 2e-5, 2e-6)):
        found = top(case, "numba", dtype)
        for rival in (None, "numpy"):
            for one, other in zip(top(case, rival, dtype), found, strict=True):
                assert one.dtype == other.dtype
                np.testing.assert_allclose(other, one, rtol, atol)


@pytest.mark.usefixtures("plain")
def test_a_head_of_another_type():
    for one, other in zip(top("a batch", "numpy", "float32", True),
                          top("a batch", "numba", "float32", True), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other, one, 2e-5, 2e-6)


@pytest.mark.usefixtures("numba")
def test_a_head_and_a_loss_as_numba_compiles_them():
    for case in ("a batch", "no bias"):
        for one, other in zip(top(case, "numpy"), top(case, "numba"), strict=True):
            np.testing.assert_allclose(other, one, 1e-12, 1e-14)


@pytest.mark.usefixtures("plain")
def test_classes_that_are_not_there_and_later_writes():
    layer = nn.RNN(I, H, seed=1, fused=True, backend="numba", return_sequences=True)
    classes = np.zeros((T, B), int)
    y = nn.Linear(H, I, seed=2)(layer(tg.Tensor(numbers((T, B, I)))))
    for wrong in (-1, I):
        classes[-1, -1] = wrong
        with pytest.raises(tg.InputError, match=f"classes must lie in 0 .. {I - 1}"):
            nn.cross_entropy(y, classes)
    with pytest.raises(tg.DTypeError, match="whole numbers"):
        nn.cross_entropy(y, np.zeros((T, B), bool))
    classes[-1, -1] = 0
    found = []
    for after in (0, 1):  # what is written to them later changes nothing
        loss = nn.cross_entropy(y, classes)
        classes[...] = after
        layer.cell.W_hh.zero_grad()
        loss.backward()
        found.append(layer.cell.W_hh.grad)
        classes[...] = 0
    np.testing.assert_array_equal(*found)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("kind", KINDS)
def test_float32_and_what_follows(kind):
    """Types, a second derivative, the ledger and the graph inside are those of any fused layer."""
    x = tg.Tensor(numbers((T, B, I)).astype("f4"), requires_grad=True)
    found = []
    for backend in ("numpy", "numba"):
        layer = kind(I, H, seed=1, fused=True, backend=backend, dtype="float32")
        loss = (layer(x) ** 2).sum()
        first = tg.grad(loss, x, create_graph=True)
        rows = tg.gradient_flow(loss).ledger(layer.cell.W_hh)
        found.append([loss.numpy(), first.numpy(), tg.grad((first ** 2).sum(), x).numpy(),
                      layer.cell.W_hh.grad, *(row.contribution for row in rows)])
        assert len(tg.nodes(tg.open_fused(loss))) > 3 * T
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype == np.float32
        np.testing.assert_allclose(other, one, rtol=2e-5, atol=2e-6)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(("kind", "options", "words"), [
    (nn.RNN, {"nonlinearity": "relu"}, "no activation but tanh"),
    (nn.RNN, {"nonlinearity": "gelu"}, "the slope of its activation"),
    (nn.LSTM, {"gate_activation": "hard_sigmoid"}, "no gate_activation but sigmoid"),
    (nn.LSTM, {"output_activation": "identity"}, "no output_activation but tanh"),
    (nn.LSTM, {"peepholes": True}, "neither peepholes nor a reset before"),
    (nn.GRU, {"reset_after": False}, "neither peepholes nor a reset before")])
def test_what_it_cannot_run_is_refused(kind, options, words):
    with pytest.raises(tg.InputError, match=words):
        kind(I, H, backend="numba", **options)


def test_a_word_that_is_no_backend_and_a_machine_without_it(monkeypatch):
    with pytest.raises(tg.InputError, match=r"expected backend to be .*numpy"):
        nn.RNN(I, H, backend="cuda")
    monkeypatch.setattr(fused_compiled, "find_spec", lambda name: None)
    with pytest.raises(tg.InputError, match=r"pip install 'tinygrad-rnn\[compiled\]'"):
        nn.RNN(I, H, backend="numba")


def test_nothing_of_it_is_imported_before_it_is_asked_for():
    code = ("import sys; from tinygrad_rnn import nn; nn.RNN(2, 2, fused=True)([[[1., 2.]]]); "
            "assert 'numba' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)
