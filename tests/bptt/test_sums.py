"""The uses of a weight wait, and are built together: the same sums, to the bit, and the norms of
each."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.bptt import sums
from tinygrad_rnn.bptt.contribution import accumulate
from tinygrad_rnn.core import ops


def loop(x, W, U, T=9, between=None):
    """A recurrence by hand: every step uses both weights, and `between` uses one otherwise now and
    then."""
    h, loss = np.zeros((*x.shape[1:-1], len(W.value)), W.dtype), 0.0
    for t in range(T):
        with tg.timestep(t + 1):
            h = np.tanh(tg.linear(x[t], U) + tg.linear(h, W))
            if between is not None and t in (3, 6):
                loss = loss + between(W)
    return loss + (h * h).sum()


def weights(H, I, dtype="float64", scale=0.5):
    rng = np.random.default_rng(H + 10 * I)
    return (tg.Tensor((rng.normal(size=shape) * scale).astype(dtype), requires_grad=True, name=name)
            for name, shape in (("W", (H, H)), ("U", (H, I))))


def compare(make, *leaves):
    """Norms beside arrays, and beside the uses built one by one: the totals, .grad, and the norm of
    each use."""
    flow, whole = (tg.gradient_flow(make(), keep=keep) for keep in ("norms", "arrays"))
    for x in leaves:
        assert flow.totals[x].tobytes() == whole.totals[x].tobytes()
        assert whole.totals[x].tobytes() == accumulate(x, whole.incoming[x]).tobytes()
        got, expected = ([row for row in one.ledger(x) if row.root != "carried in"]
                         for one in (flow, whole))
        assert [row.step for row in got] == [row.step for row in expected]
        np.testing.assert_allclose([row.norm for row in got], [row.norm for row in expected],
                                   rtol=1e-6 if x.dtype == np.float32 else 1e-13)
    return flow


@pytest.mark.parametrize("between", [None, lambda W: (W * W).sum()])
def test_with_arrays_the_norms_are_known_as_well(monkeypatch, between):
    """Those that were built together, oldest first: of a weight that has no other uses, all."""
    W, U = weights(4, 3)
    monkeypatch.setattr(sums, "ROOM", 40)
    x = np.random.default_rng(2).normal(size=(9, 2, 3))
    recording = tg.gradient_flow(loop(x, W, U, between=between)).incoming
    for leaf in (W, U):
        uses = [use for use in recording[leaf][::-1] if use.node.op is ops.linear]
        np.testing.assert_allclose(recording.measured(leaf), [use.norm() for use in uses], 1e-13)
    assert len(recording.measured(tg.Tensor(1.0))) == 0


@pytest.mark.parametrize("room", [1, 40, 131072])
@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 2)])
def test_the_same_sums_to_the_bit(monkeypatch, room, batch):
    monkeypatch.setattr(sums, "ROOM", room)
    for H, I in ((1, 1), (1, 3), (4, 1), (3, 5), (8, 7)):
        for dtype in ("float64", "float32"):
            W, U = weights(H, I, dtype)
            x = np.random.default_rng(0).normal(size=(9, *batch, I)).astype(dtype)
            compare(lambda: loop(x, W, U), W, U)  # noqa: B023


@pytest.mark.parametrize("between", [
    lambda W: (W * W).sum(), lambda W: W[0].sum(), lambda W: W.T.sum(),
    lambda W: (W[[0, 0, 1]] ** 2).sum()])
def test_a_weight_that_is_also_used_otherwise(between):
    """Its sum is taken in the order of the rows, though some of its uses still wait."""
    W, U = weights(4, 3)
    x = np.random.default_rng(1).normal(size=(9, 2, 3))
    compare(lambda: loop(x, W, U, between=between), W, U)


def test_batches_of_several_sizes():
    W, U = weights(4, 3)
    rng = np.random.default_rng(2)
    xs = [rng.normal(size=(9, B, 3)) for B in (2, 5, 2)]
    compare(lambda: sum(loop(x, W, U) for x in xs), W, U)


def test_gradients_that_lie_the_other_way_round():
    """Of a transposed gradient, a product of its own is made: it may round otherwise."""
    _, U = weights(4, 3)
    xs = np.random.default_rng(3).normal(size=(9, 5, 3))
    compare(lambda: sum((tg.linear(x, U).T * 2.0).T.sum() + (tg.linear(x, U).T ** 2).sum()
                        for x in xs), U)


def test_norms_too_small_for_their_squares():
    W, U = weights(4, 3)
    x = np.random.default_rng(4).normal(size=(9, 2, 3))
    flow = compare(lambda: loop(x, W, U) * 1e-180, W, U)
    assert 0 < max(row.norm for row in flow.ledger(U)) < 1e-170


def test_what_waits_is_bounded(monkeypatch):
    """Uses are built before more numbers wait than fit."""
    held = []
    build = sums.Sized.build
    monkeypatch.setattr(sums, "ROOM", 64)
    monkeypatch.setattr(sums.Sized, "build",
                        lambda self, x: held.append(len(self.waiting[x][0])) or build(self, x))
    W, U = weights(4, 3)
    tg.gradient_flow(loop(np.ones((9, 2, 3)), W, U), keep="norms")
    assert sorted(held) == [1, 3, 4, 4, 6]  # of W 9 uses of 16 numbers, of U 9 of 12


@pytest.mark.parametrize("turned", ["what arrives", "what it was used with"])
@pytest.mark.parametrize(("B", "H", "I"), [(17, 33, 1), (33, 1, 40), (8, 7, 1), (100, 1, 16)])
def test_turned_arrays_do_not_wait(B, H, I, turned):
    """The product of a transposed array may have other bits than that of a copy in a stack: for a
    weight of a single row or column NumPy takes another way."""
    rng = np.random.default_rng(B)
    W = tg.Tensor(rng.normal(size=(H, I)), requires_grad=True, name="W")
    xs, cs = rng.normal(size=(3, B, I)), rng.normal(size=(3, B, H))

    def make():
        loss = 0.0
        for t in range(3):
            with tg.timestep(t + 1):
                x = tg.Tensor(xs[t].T).T if turned == "what it was used with" else xs[t]
                y = tg.linear(x, W)
                loss = loss + ((y.T * cs[t].T).sum() if turned == "what arrives"
                               else (y * cs[t]).sum())
        return loss

    compare(make, W)
