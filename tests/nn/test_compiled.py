"""backend="numba": the loop of a fused layer compiled, equal to the op-level graph."""

import subprocess
import sys

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import compiled, fused_compiled, recurrent

from . import test_golden as golden
from .fused_cases import CALLS, B, H, I, T, agree, numbers, outcome, randomised
from .reference import family

KINDS = [nn.RNN, nn.LSTM, nn.GRU]
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
    monkeypatch.setattr(fused_compiled, "loops", lambda: compiled)
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
    taken = []
    monkeypatch.setattr(fused_compiled, "loops", lambda: taken.append(1) or compiled)
    layer, x = kind(I, H, seed=1, fused=True, backend="numba"), tg.Tensor(numbers((T, B, I)))
    assert "backend=numba" in repr(layer)
    for backend, call, times in (("numba", {}, 2), ("numpy", {}, 0), ("numba", {}, 2),
                                 ("numba", {"lengths": np.full(B, T)}, 0)):
        layer.backend = backend
        (layer(x, **call) ** 2).sum().backward()
        assert len(taken) == times, (backend, call)
        taken.clear()
    layer.fused = False
    layer(x)
    assert not taken


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
