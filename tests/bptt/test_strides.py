"""A flow that gets past many steps together records what one records that goes through every node:
the same nodes in the same order, and the same numbers, to the bit."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt import strides, sums
from tinygrad_rnn.bptt.pieces import Measured, Stacked
from tinygrad_rnn.core import together


def through(monkeypatch, loss, keep):
    """The flow that goes through every node."""
    with monkeypatch.context() as patch:
        patch.setattr(strides, "planned", lambda root: (strides.history([root]), []))
        flow = tg.gradient_flow(loss, keep=keep)
    assert not taken(flow)
    return flow


def taken(flow):
    """How many ways past many nodes were taken."""
    return sum(isinstance(piece, (Stacked, Measured)) for piece in flow.incoming.pieces)


def bits(x):
    return np.shape(x), np.asarray(x).tobytes()


def compare(monkeypatch, loss):
    """Both flows, with arrays and norms; how many ways were taken."""
    for keep in ("arrays", "norms"):
        flow, slow = tg.gradient_flow(loss, keep=keep), through(monkeypatch, loss, keep)
        ours, theirs = flow.incoming, slow.incoming
        assert list(ours.passed) == list(theirs.passed)
        assert [bits(g) for g in flow.totals.values()] == [bits(slow.totals[x])
                                                           for x in flow.totals]
        if keep == "arrays":
            assert all(bits(ours.passed[x]) == bits(g) for x, g in theirs.passed.items())
            assert {use: bits(c) for use, c in ours.kept.items()} == {
                use: bits(c) for use, c in theirs.kept.items()}
        else:
            tolerance = 1e-6 if loss.dtype == np.float32 else 1e-13
            for a, b in ((ours.passed.values(), theirs.passed.values()),
                         (ours.sizes, theirs.sizes), (ours.ends.values(), theirs.ends.values())):
                np.testing.assert_allclose([*a], [*b], rtol=tolerance, atol=1e-300)
    return taken(flow)


def network(rng, **given):
    """Layers, a head and a loss at every step: their sizes, and what they are given, by chance."""
    T, I, H, O = rng.integers(3, 8), *rng.integers(1, 6, 3)
    batch = ((), (1,), (int(rng.integers(2, 6)),))[rng.integers(3)]
    dtype = rng.choice(["float64", "float64", "float32"])
    sizes = [I] + [H] * int(rng.integers(1, 4))
    options = {"bias": bool(rng.random() < 0.8), "dtype": dtype,
               "nonlinearity": rng.choice(["tanh", "tanh", "relu"]),
               "initial_state": rng.choice(["zeros", "learned"]), **given}
    layers = [nn.RNN(a, H, return_sequences=True, reverse=bool(rng.random() < 0.3),
                     seed=int(rng.integers(99)), **options) for a in sizes[:-1]]
    head = nn.Linear(H, O, name="hy", seed=1, bias=bool(rng.random() < 0.8), dtype=dtype)
    x = rng.normal(size=(T, *batch, I)).astype(dtype)
    x[rng.random(x.shape) < 0.3] = 0  # and a zero with a sign
    h = x if rng.random() < 0.7 else [tg.Tensor(x_t, requires_grad=True) * -1.0 for x_t in x]
    for layer in layers:
        h = layer(h)
    y = head(h)
    loss = nn.cross_entropy(y, rng.integers(0, O, y.shape[:-1]),
                            reduction=rng.choice(["batch", "sum", "mean"]))
    return loss, h, y, layers, head


@pytest.mark.parametrize("block", range(5))
def test_the_same_to_the_bit(monkeypatch, block):
    """Also where a layer is passed in several stretches, and what they give in several stacks."""
    if block > 2:
        monkeypatch.setattr(together, "STRETCH", 13 * (block - 2))
        monkeypatch.setattr(sums, "ROOM", 20)
    found = [compare(monkeypatch, network(np.random.default_rng(seed))[0])
             for seed in range(20 * block, 20 * block + 20)]
    assert all(count >= 3 for count in found)  # losses, heads, a layer


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_a_head_over_a_gated_layer(monkeypatch, cell):
    rng = np.random.default_rng(0)
    layer, head = cell(3, 4, seed=0, return_sequences=True), nn.Linear(4, 5, seed=1)
    y = head(layer(rng.normal(size=(6, 2, 3))))
    assert compare(monkeypatch, nn.cross_entropy(y, rng.integers(0, 5, (6, 2)))) == 2


CROSSED = {
    "a state": lambda h, y, w: (h.operands[2] ** 2).sum(),
    "what is inside": lambda h, y, w: (h.operands[2].a * 2.0).sum(),
    "a logit": lambda h, y, w: y.operands[1].sum(),
    "the weight turned": lambda h, y, w: (w.T * w.T).sum(),
    "a slice of the weight": lambda h, y, w: w[0].sum(),
}
BESIDE = {
    "all states": lambda h, y, w: (h * h).sum(),
    "all logits": lambda h, y, w: (y * y).sum(),
    "the weight": lambda h, y, w: (w * w).sum(),
    "nothing": lambda h, y, w: 0.0,
}


@pytest.mark.parametrize("what", [*CROSSED, *BESIDE])
def test_used_elsewhere_too(monkeypatch, what):
    """What leads into the nodes of a way, or changes the order of a weight's sum, closes it. What
    arrives at all steps together, or at the weight later, does not."""
    for seed in range(4):
        loss, h, y, layers, _ = network(np.random.default_rng(seed))
        more = {**CROSSED, **BESIDE}[what](h, y, layers[-1].cell.W_hh)
        assert (compare(monkeypatch, loss + more) == 0) == (what in CROSSED)


def test_two_heads(monkeypatch):
    rng = np.random.default_rng(3)
    layer = nn.RNN(3, 4, seed=0, return_sequences=True)
    h, loss = layer(rng.normal(size=(5, 2, 3))), 0.0
    for k in range(2):
        y = nn.Linear(4, 3, seed=k)(h)
        loss = loss + nn.cross_entropy(y, rng.integers(0, 3, (5, 2)))
    assert compare(monkeypatch, loss) == 5


def test_a_weight_that_is_there_twice_is_gone_through(monkeypatch):
    rng = np.random.default_rng(4)
    layer, head = nn.RNN(3, 3, seed=0, return_sequences=True), nn.Linear(3, 3, seed=1)
    layer.cell.W_xh = layer.cell.W_hh
    loss = nn.cross_entropy(head(layer(rng.normal(size=(5, 2, 3)))), rng.integers(0, 3, (5, 2)))
    assert compare(monkeypatch, loss) == 0


def test_the_same_layer_twice(monkeypatch):
    rng = np.random.default_rng(5)
    layer, head = nn.RNN(3, 3, seed=0, return_sequences=True), nn.Linear(3, 3, seed=1)
    h = layer(layer(rng.normal(size=(5, 2, 3))))
    assert compare(monkeypatch, nn.cross_entropy(head(h), rng.integers(0, 3, (5, 2)))) == 4


def test_hooks_and_watchers_close_the_way(monkeypatch):
    loss, h, *_ = network(np.random.default_rng(1))
    before = compare(monkeypatch, loss)
    h.operands[1].retain_grad()
    assert 0 < compare(monkeypatch, loss) < before
    loss, *_ = network(np.random.default_rng(1))
    with tg.detect_anomaly():
        assert not taken(tg.gradient_flow(loss))
    assert taken(tg.gradient_flow(loss))


def test_a_hook_where_the_steps_are_joined_is_heard(monkeypatch):
    loss, *_ = network(np.random.default_rng(2))
    loss.register_hook(lambda g: 3.0 * g)
    assert compare(monkeypatch, loss) >= 3


def test_gradients_too_small_for_their_squares(monkeypatch):
    """They have a norm all the same, also where nothing arrives at all."""
    rng = np.random.default_rng(6)
    layer, head = nn.RNN(2, 3, seed=0, return_sequences=True), nn.Linear(3, 4, seed=1)
    with tg.no_grad():
        head.W.data *= 1e-170
    y = head(layer(rng.normal(size=(6, 2, 2))))
    loss = nn.cross_entropy(y, rng.integers(0, 4, (6, 2)))
    assert compare(monkeypatch, loss) == 3
    sizes = tg.gradient_flow(loss, keep="norms").norms("h")
    assert all(0 < size < 1e-160 for size in sizes.values())
    assert compare(monkeypatch, loss * 0.0) == 3


def test_gradients_too_large_for_their_squares(monkeypatch):
    rng = np.random.default_rng(8)
    layer, head = nn.RNN(2, 3, seed=0, return_sequences=True), nn.Linear(3, 4, seed=1)
    loss = nn.cross_entropy(head(layer(rng.normal(size=(6, 2, 2)))), rng.integers(0, 4, (6, 2)))
    assert compare(monkeypatch, loss * 1e170) == 3
    sizes = tg.gradient_flow(loss * 1e170, keep="norms").norms("h")
    assert all(1e160 < size < math.inf for size in sizes.values())


def test_stretches_are_as_long_as_each_other():
    assert together.stretches(np.empty((10, 2))) == [slice(0, 10)]
    for T, size in ((1, 9), (7, 3), (40_000, 2), (100_000, 8), (9, 100_000)):
        parts = together.stretches(np.empty((T, size)))
        assert [t for at in parts for t in range(T)[at]] == list(range(T))
        assert max((at.stop - at.start) * size for at in parts) <= max(together.STRETCH, size)
        assert parts[0].stop - parts[-1].stop + parts[-1].start < len(parts)


def test_looked_at_after_release(monkeypatch):
    loss, *_ = network(np.random.default_rng(7))
    flow, norms = (tg.gradient_flow(loss, keep=keep) for keep in ("arrays", "norms"))
    expected = through(monkeypatch, loss, "arrays").norms("y")
    tg.release(loss)
    assert flow.norms("y") == expected
    assert norms.norms("y") == pytest.approx(expected)
