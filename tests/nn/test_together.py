"""What is computed for many steps together leaves the graph that one step after the other leaves,
node by node; and what gets past the steps on the way back arrives as if it had gone through them.
"""

import gc
import weakref
from itertools import pairwise

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core import ops, per_sample
from tinygrad_rnn.core.together import way_past
from tinygrad_rnn.core.totals import Totals
from tinygrad_rnn.nn import linear, loss_frame, unrolling


@pytest.fixture
def one_by_one(monkeypatch):
    """Call this to have every step taken by itself from now on."""

    def switch():
        monkeypatch.setattr(unrolling, "elman", lambda *_: None)
        monkeypatch.setattr(linear, "heads", lambda *_: None)
        monkeypatch.setattr(loss_frame, "softmax_costs", lambda *_: None)

    return switch


def network(layers=1, dtype="float64", head_bias=True, scope="net", **options):
    sizes = [4] + [3] * layers
    net = [nn.RNN(a, b, return_sequences=True, seed=k, dtype=dtype, **options)
           for k, (a, b) in enumerate(pairwise(sizes))]
    head = nn.Linear(3, 4, "hy", bias=head_bias, seed=9, dtype=dtype)

    def loss(xs, targets, reduction="batch"):
        with tg.scope(scope):
            for layer in net:
                xs = layer(xs)
            y = head(xs)
        return nn.cross_entropy(y, targets, reduction=reduction), xs, y

    params = [p for module in (*net, head) for _, p in module.named_parameters()]
    for p in params:
        if p.name == "h_0":  # zeros would hide what starts there
            p.data = np.linspace(-0.5, 0.5, p.size)
    return loss, params


def data(T=5, batch=(2,), dtype="float64"):
    rng = np.random.default_rng(0)
    return rng.standard_normal((T, *batch, 4)).astype(dtype), rng.integers(0, 4, (T, *batch))


def picture(root):
    """All that can be seen of a graph, the values aside (and which numbers were left out)."""
    nodes = tg.nodes(root)
    at = {node: k for k, node in enumerate(nodes)}
    return [(tg.Tensor if type(x) is x.lean_kind else type(x), x.op, x.label, x.name, x.step,
             x.scope, x.phase, dict(x.params or {}), x.requires_grad, x.dtype, x.shape,
             [at[o] if isinstance(o, tg.Tensor) else np.asarray(o).tolist() for o in x.operands],
             [type(v) for v in x.values]) for x in nodes]


CASES = {
    "plain": ({}, {}), "float32": ({"dtype": "float32"}, {"dtype": "float32"}),
    "single sample": ({}, {"batch": ()}), "batch of one": ({}, {"batch": (1,)}),
    "one step": ({}, {"T": 1}), "two steps": ({}, {"T": 2}), "reverse": ({"reverse": True}, {}),
    "relu": ({"nonlinearity": "relu"}, {}), "sigmoid": ({"nonlinearity": "sigmoid"}, {}),
    "no bias": ({"bias": False}, {}), "no bias above": ({"head_bias": False}, {}),
    "learned start": ({"initial_state": "learned"}, {}), "two layers": ({"layers": 2}, {}),
    "two in reverse": ({"layers": 2, "reverse": True}, {}),
}


@pytest.mark.parametrize("reduction", ["batch", "sum", "mean"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_graph_and_gradients(case, reduction, one_by_one):
    settings, shapes = CASES[case]
    xs, targets = data(**shapes)
    xs = tg.Tensor(xs, name="xs")
    found = []
    for together_ in (True, False):
        if not together_:
            one_by_one()
        loss, params = network(**settings)
        L, h, y = loss(xs, targets, reduction)
        passable = together_ and len(targets) > 2
        assert (way_past(h) is not None) == passable == (way_past(y) is not None)
        L.backward()
        found.append((L, params, h, y))
    (L, params, *_), (L_2, params_2, *_) = found
    tolerance = 1e-5 if case == "float32" else 1e-12
    assert picture(L) == picture(L_2)
    for a, b in zip(tg.nodes(L), tg.nodes(L_2)):
        np.testing.assert_allclose(a.value, b.value, rtol=tolerance, atol=tolerance)
    for a, b in zip(params, params_2):
        assert a.grad.dtype == b.grad.dtype == a.dtype
        np.testing.assert_allclose(a.grad, b.grad, rtol=tolerance, atol=tolerance)


def gradients(loss, params, change=lambda L, h, y: None, **shapes):
    for p in params:
        p.zero_grad()
    L, h, y = loss(*data(**shapes))
    more = change(L, h, y)
    (L if more is None else L + more).backward()
    return [p.grad for p in params], (L, h, y)


@pytest.mark.parametrize("what", ["a state", "a logit", "a loss", "the last state", "all states",
                                  "all logits"])
def test_used_elsewhere_too(what, one_by_one):
    def more(L, h, y):
        return {"a state": lambda: (h[2] ** 2).sum(), "a logit": lambda: y[1][0, 1],
                "a loss": lambda: L.operands[3] * 2.0, "the last state": lambda: h[-1].sum(),
                "all states": lambda: (h * h).sum(), "all logits": lambda: (y * y).sum()}[what]()

    loss, params = network(layers=2)
    quick, _ = gradients(loss, params, more)
    one_by_one()
    for a, b in zip(quick, gradients(loss, params, more)[0]):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_what_came_first_is_added_to(one_by_one):
    """A head past which it goes to states of a layer that has no such way."""
    layer, head = nn.LSTM(4, 3, return_sequences=True, seed=0), nn.Linear(3, 4, "hy", seed=1)
    xs, targets = data()
    found = []
    for _ in range(2):
        h = layer(xs)
        L = nn.cross_entropy(head(h), targets)
        (L + (h.operands[2] ** 2).sum()).backward()  # the square is younger than L
        found.append(layer.cell.W_hh.grad)
        layer.cell.W_hh.zero_grad()
        one_by_one()
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("where", ["h", "y", "L", "z"])
def test_a_hook_sees_and_changes_what_would_have_passed_by(where, one_by_one):
    seen = []

    def hook(g):
        seen.append(np.array(g))
        return 2.0 * g

    def hooked(L, h, y):
        node = {"h": h.operands[2], "y": y.operands[1], "L": L.operands[3],
                "z": h.operands[2].operands[0]}[where]
        node.register_hook(hook)

    loss, params = network()
    plain, _ = gradients(loss, params)
    quick, _ = gradients(loss, params, hooked)
    one_by_one()
    slow, _ = gradients(loss, params, hooked)
    np.testing.assert_allclose(*seen, rtol=1e-12)
    for a, b in zip(quick, slow):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(plain, quick))


def test_kept_gradients_are_kept():
    loss, _ = network()
    L, h, y = loss(*data())
    for node in (h.operands[0], y.operands[4], L.operands[2]):
        node.retain_grad()
    L.backward()
    flow = tg.gradient_flow(loss(*data())[0])
    np.testing.assert_allclose(np.linalg.norm(h.operands[0].grad), flow.norms("net/h")[1],
                               rtol=1e-12)
    assert y.operands[4].grad.shape == (2, 4)
    assert L.operands[2].grad == 1.0


def test_twice_is_twice_and_a_second_sequence_adds():
    loss, params = network(layers=2)
    once, (L, *_) = gradients(loss, params)
    once = [g.copy() for g in once]
    L.backward()
    for p, g in zip(params, once):
        np.testing.assert_allclose(p.grad, 2 * g, rtol=1e-14)


def test_a_frozen_weight_is_left_alone():
    layer, head = nn.RNN(4, 3, return_sequences=True, seed=0), nn.Linear(3, 4, "hy", seed=1)
    head.W = tg.Tensor(head.W.value, name="W_hy")
    xs, targets = data()
    nn.cross_entropy(head(layer(xs)), targets).backward()
    assert head.W.grad is None
    assert layer.cell.W_hh.grad is not None


def test_a_tied_weight_gets_both():
    layer, head = nn.RNN(3, 3, return_sequences=True, seed=0), nn.Linear(3, 3, seed=1)
    head.W = layer.cell.W_hh
    rng = np.random.default_rng(1)
    L = nn.cross_entropy(head(layer(rng.standard_normal((4, 2, 3)))), rng.integers(0, 3, (4, 2)))
    [g] = tg.grad(L, [layer.cell.W_hh])
    L.backward()
    np.testing.assert_allclose(layer.cell.W_hh.grad, g.value, rtol=1e-12)


def test_weights_changed_before_backward_are_refused():
    loss, params = network()
    L, *_ = loss(*data())
    params[1].data -= 0.1
    with pytest.raises(tg.errors.GradientError, match="W_hh"):
        L.backward()


def test_released_is_released():
    loss, _ = network()
    L, h, y = loss(*data())
    state = weakref.ref(h.operands[1])
    tg.release(L, h, y)
    with pytest.raises(tg.errors.GradientError):
        L.backward()
    del h, y
    gc.collect()
    assert state() is None


@pytest.mark.parametrize("where", ["h", "y", "z", "product"])
def test_one_released_node_bars_the_way(where):
    loss, _ = network()
    L, h, y = loss(*data())
    h_2 = h.operands[2]
    node = {"h": h_2, "y": y.operands[2], "z": h_2.operands[0],
            "product": h_2.operands[0].operands[0].operands[1]}[where]
    tg.release(node)
    with pytest.raises(tg.errors.GradientError, match="released"):
        L.backward()


def test_what_has_a_hook_is_an_ordinary_node():
    """So that T nodes are seen to be untouched by their kind."""
    loss, _ = network()
    _, h, _ = loss(*data())
    z = h.operands[2].operands[0]
    assert not is_kept(z, "value")
    value, u, v = z.value, z.u, z.v
    z.register_hook(lambda g: None)
    assert type(z) is tg.Tensor
    assert is_kept(z, "value")
    for a, b in zip((value, u, v), (z.value, z.u, z.v)):
        np.testing.assert_array_equal(a, b)


def test_nothing_is_left_in_a_cycle():
    loss, _ = network(layers=2)
    gc.collect()
    gc.disable()
    try:
        L, h, y = loss(*data())
        watched = [weakref.ref(x) for x in (L, h, y, h.operands[2], y.operands[0])]
        L.backward()
        del L, h, y
        assert [w() for w in watched] == [None] * 5
    finally:
        gc.enable()


def test_an_input_that_wants_a_gradient_gets_it():
    loss, _ = network()
    xs, targets = data()
    xs = tg.Tensor(xs, name="xs", requires_grad=True)
    L, *_ = loss(xs, targets)
    [g] = tg.grad(L, [xs])
    L.backward()
    np.testing.assert_allclose(xs.grad, g.value, rtol=1e-12)


def test_no_rule_of_a_step_runs(monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("a step was gone through")

    loss, params = network(layers=2)
    L, *_ = loss(*data())
    for op in (ops.tanh, per_sample.class_cross_entropy):
        monkeypatch.setattr(op, "rules", (forbidden, forbidden))
    L.backward()
    tg.gradient_flow(L)  # knows what passes all the same: see tests/bptt/test_strides.py
    assert all(p.grad is not None for p in params)
    L.operands[1].retain_grad()
    with pytest.raises(AssertionError, match="gone through"):
        L.backward()


# --- what is left out, and looked up --------------------------------------------------------------


def is_kept(node, name):
    try:
        object.__getattribute__(node, name)
    except AttributeError:
        return False
    return True


def test_a_value_that_no_rule_needs_is_there_when_somebody_looks():
    loss, _ = network()
    L, h, _ = loss(*data())
    z = h.operands[2].a
    L.backward()
    assert not any(is_kept(z, name) for name in ("value", "u"))
    np.testing.assert_allclose(np.tanh(z.value), h.operands[2].value, rtol=1e-14)
    np.testing.assert_array_equal(z.value, z.value)
    tg.gradient_flow(L)
    assert not is_kept(z, "value"), "a walk fills the graph"
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        z.colour  # noqa: B018


def test_values_outlive_the_release_of_a_graph():
    loss, _ = network()
    L, h, _ = loss(*data())
    state, z = h.operands[2], h.operands[2].a
    tg.release(L)
    np.testing.assert_allclose(np.tanh(z.value), state.value, rtol=1e-14)


def test_float32_throughout(monkeypatch):
    """Whatever is added up on the way is float32, past the steps and through them."""
    seen = set()

    def watched(whole):
        def noted(self, *given):
            seen.update(x.dtype for x in given if isinstance(x, np.ndarray))
            return whole(self, *given)

        return noted

    for name in ("add", "give", "use"):
        monkeypatch.setattr(Totals, name, watched(getattr(Totals, name)))
    loss, params = network(layers=2, dtype="float32")
    L, *_ = loss(*data(dtype="float32"))
    L.backward()
    flow = tg.gradient_flow(L)
    assert seen == {np.dtype("float32")}
    assert {p.grad.dtype for p in params} == {flow.ledger(params[1]).total.dtype} == seen
    assert {np.asarray(x.value).dtype for x in tg.nodes(L)} == seen


@pytest.mark.parametrize("on", [True, False])
def test_the_search_for_cycles_is_switched_as_it_was(on, monkeypatch):
    found = []

    def tanh(z, *_):
        found.append(gc.isenabled())
        if len(found) == 3:
            raise KeyboardInterrupt
        return np.tanh(z)

    loss, _ = network(nonlinearity="relu")
    monkeypatch.setattr(ops.relu, "array", tanh)
    (gc.enable if on else gc.disable)()
    try:
        with pytest.raises(KeyboardInterrupt):
            loss(*data())
        assert gc.isenabled() == on
    finally:
        gc.enable()
    assert found == [False] * 3
