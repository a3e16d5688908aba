"""What may count as rounding where the pieces of a sequence meet: entry by entry, both ways."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import fused_apart, fused_lstm_one, fused_rnn_lanes

from .fused_cases import numbers

T = 1000
DTYPES = [("float64", 1e-18), ("float32", 1e-9)]


def from_zeros(whole, shape, dtype):
    """A look ahead that says that 88 steps are enough, whatever the network is."""
    state = np.zeros(shape, dtype)
    return 88, np.stack(whole.twins(88, 0).ahead(state, 0, 88, keep=False))


def a_small_cell(dtype):
    """The first unit forgets. Into the second nothing is ever written; it keeps what it has for the
    first half of the sequence, in which the input is 1, and loses it at once after that."""
    layer = nn.LSTM(1, 2, return_sequences=True, dtype=dtype, seed=0)
    W_x, W_h, b = (p.data for p in layer.parameters())
    W_h[...] = 0
    W_x[:, 0] = [0, 0, 0, 50, 1, 0, 0, 0]
    b[:] = [2, -800, 0, 0, 2, 0, 5, 5]
    return layer, [0.5], [np.zeros(2)]


def a_small_state(dtype):
    """A vanilla layer whose second unit is a straight line where its state is small: it keeps what
    it has."""
    layer = nn.RNN(1, 2, return_sequences=True, dtype=dtype, seed=0)
    W_x, W_h, b = (p.data for p in layer.parameters())
    W_h[...] = np.eye(2) * [0.3, 1]
    W_x[:, 0], b[...] = [1, 0], 0
    return layer, [0.5], []


def found(case, dtype, small, fused):
    """y, the loss over its second entries, and the gradients of it and of what is next to it."""
    layer, start, others = case(dtype)
    layer.fused = fused
    first = tg.Tensor(np.array([*start, small], dtype), requires_grad=True)
    xs = np.where(np.arange(T) < T // 2, 1, -1)[:, None].astype(dtype)
    ys = layer(xs, first if not others else (np.zeros(2, dtype), first))
    loss = (ys[:, 1] / small).sum() + (ys[:, 0] ** 2).sum() / small
    loss.backward()
    return ys.numpy(), loss.item(), first.grad


@pytest.mark.parametrize("case", [a_small_cell, a_small_state])
@pytest.mark.parametrize(("dtype", "small"), DTYPES)
def test_a_small_entry_beside_a_large_one_is_not_forgotten(case, dtype, small, monkeypatch):
    if case is a_small_state:  # the look ahead sees that it remembers: here only the borders may
        monkeypatch.setattr(fused_apart, "warmed", from_zeros)
    plain, pieces = (found(case, dtype, small, fused) for fused in (False, True))
    for one, other in zip(plain, pieces):
        np.testing.assert_allclose(other, one, rtol=1e-12 if dtype == "float64" else 1e-4, atol=0)
    assert plain[0][T // 3, 1] > 0.5 * small


def one_gradient_is_small(kind, fused):
    """Every unit remembers in its own way; what arrives at the last one is little."""
    layer = kind(1, 3, return_sequences=True, seed=0)
    H = 3
    layer.cell.W_hh.data[...] = 0
    layer.cell.b_h.data[H:2 * H] = [0, 0, 60]  # its forget gate is open
    layer.fused = fused
    x = tg.Tensor(numbers((T, 1)), requires_grad=True)
    ys = layer(x)
    loss = (ys[:, :2] * numbers((T, 2), 1)).sum() * 1e20 + (ys[:, 2] * numbers(T, 2)).sum()
    return tg.grad(loss, layer.cell.b_h).numpy()


def test_a_small_gradient_beside_a_large_one_is_not_cut_off(monkeypatch):
    monkeypatch.setattr(fused_apart, "warmed", from_zeros)
    plain, pieces = (one_gradient_is_small(nn.LSTM, fused) for fused in (False, True))
    np.testing.assert_allclose(pieces, plain, rtol=1e-11)


# --- the sizes themselves -------------------------------------------------------------------------

KINDS = {"lstm": (nn.LSTM, fused_lstm_one.Stretch), "rnn": (nn.RNN, fused_rnn_lanes.Stretch)}


def last_steps(kind, dtype, monkeypatch):
    """The state after the last step of some pieces and the gradient before their first one, and
    their sizes, from one and the same float32 numbers."""
    seen, cls = [], KINDS[kind][1]
    for name in ("whole_ahead", "whole_back"):
        way = getattr(cls, name)
        monkeypatch.setattr(cls, name, lambda self, given, way=way: seen.append(
            way(self, given)) or seen[-1])
    layer = KINDS[kind][0](5, 24, return_sequences=True, seed=3, fused=True, dtype="float32")
    xs, g = numbers((T, 5)).astype("f4"), numbers((T, 24), 1).astype("f4")
    if dtype == "float64":
        wide = KINDS[kind][0](5, 24, return_sequences=True, seed=3, fused=True)
        for p, q in zip(wide.parameters(), layer.parameters()):
            p.data[...] = q.data
        layer, xs, g = wide, xs.astype("f8"), g.astype("f8")
    (layer(xs) * g).sum().backward()
    assert len(seen) == 2
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_the_sizes_are_those_of_the_roundings(kind, monkeypatch):
    """float32 beside float64: off by a unit of the size or so, no more and not far less."""
    with monkeypatch.context() as changed:
        narrow = last_steps(kind, "float32", changed)
    with monkeypatch.context() as changed:
        wide = last_steps(kind, "float64", changed)
    for (one, size), (other, _) in zip(narrow, wide):
        assert one.dtype == size.dtype == np.float32
        units = np.abs(one - other) / size / np.finfo("f4").eps
        assert 0.1 < units.max() < 8
        assert np.median(units) > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_one_piece_alone_has_the_same_sizes(kind, monkeypatch):
    cls, sizes = KINDS[kind][1], []
    whole_ahead, whole_back = cls.whole_ahead, cls.whole_back

    def both(way, self, given):
        end, size = way(self, given.copy())
        sizes.append(size)
        for k in range(self.lanes):
            alone = way(self.lane(k), given[..., k:k + 1].copy())
            np.testing.assert_allclose(alone[1], size[..., k:k + 1], rtol=1e-10)
        return end, size

    for name, way in (("whole_ahead", whole_ahead), ("whole_back", whole_back)):
        monkeypatch.setattr(cls, name, lambda self, given, way=way: both(way, self, given))
    layer = KINDS[kind][0](5, 8, return_sequences=True, seed=3, fused=True)
    (layer(numbers((T, 5))) * numbers((T, 8), 1)).sum().backward()
    assert len(sizes) == 2


def test_the_sizes_of_an_lstm_are_the_step_over_again_with_positive_terms(monkeypatch):
    """As they stand at the top of `fused_rounding`, from the states alone."""
    layer = nn.LSTM(5, 8, return_sequences=True, return_state=True, seed=3, fused=True)
    W_x, W, b = (p.data for p in layer.parameters())
    xs, sizes, cls = numbers((T, 5)), [], fused_lstm_one.Stretch
    whole_ahead = cls.whole_ahead

    def watched(self, state):
        end, size = whole_ahead(self, state)
        sizes.append((size, self.h[-2:].copy(), self.c[-2:].copy(), self.x[-1]))
        return end, size

    monkeypatch.setattr(cls, "whole_ahead", watched)
    layer(xs)
    (size, h, c, x), = sizes

    def products(W_x, W, b, h, x):
        return np.split(W_x @ x + W @ h + b[:, None], 4)

    i, f, g, o = products(W_x, W, b, h[0], x)
    i, f, o, g = *(1 / (1 + np.exp(-z)) for z in (i, f, o)), np.tanh(g)
    np.testing.assert_allclose(f * c[0] + i * g, c[1], rtol=1e-12)
    z_i, z_f, z_g, z_o = products(*map(np.abs, (W_x, W, b, h[0], x)))

    def sigma(y, z):
        return y * (1 + (1 - y) * z)

    shown, of_g = np.tanh(c[1]), np.abs(g) + (1 - g ** 2) * z_g
    of_c = sigma(f, z_f) * np.abs(c[0]) + sigma(i, z_i) * np.abs(g) + i * of_g
    of_h = sigma(o, z_o) * np.abs(shown) + o * (np.abs(shown) + (1 - shown ** 2) * of_c)
    np.testing.assert_allclose(size, [of_h, of_c], rtol=1e-10)
