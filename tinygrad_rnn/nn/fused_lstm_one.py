"""The LSTM of a single sequence, in as few calls of NumPy as there can be.

The question this file answers: *what does a step cost that computes next to nothing?*

Its calls. On 64 numbers one takes 0.4 µs whatever it computes, so that a batch of one is a matter
of counting. The equations are those of `fused_lstm`, arranged for few calls, 9 ahead and 7 back:

- σ(z) = 1 / E with E = 1 + exp(-z). A step divides by E; the gates themselves, which are wanted on
  the way back only, are computed for many steps at once.
- c_{t-1} stands behind g in the row of a step, and so i g and f c_{t-1} are one division,
  [g, c_{t-1}] / [E_i, E_f].
- δ_i, δ_f, δ_g and dL/dc_{t-1} are four products with dL/dc_t, whose other factors stand in one
  row. dL/dc_t is written down four times and multiplied with the row: that takes NumPy less time
  than to find out that it is meant four times.

The steps pass over a bench, room for as many of them as fit in the cache, of which every view is
made once; what stays is copied from it in blocks. The activations are tanh and σ; no masks, no
peepholes, and nothing arrives at c_t from outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .activations import ACTIVATIONS
from .fused_slopes import PHI_OF, ones
from .fused_way import block_of

USUAL = [PHI_OF[ACTIVATIONS[name]] for name in ("tanh", "sigmoid", "tanh")]


class Bench:
    """Room for n steps of H units, and a tuple of views for each.

    Ahead: `z` (n, 4 H), W_xh x_t + b_h; `rows` (n + 1, 5 H), E_o, E_i, E_f, g and c_{t-1}; `shown`
    (n, H), tanh c_t; `h` (n + 1, H), h_{t-1} and the last h_t. Back: `g` (n, H), what arrives at
    h_t; `factors` (n, 6 H), what dL/dh_t is multiplied with on the way to c_t and for δ_o, then
    dL/dc_t for δ_i, δ_f, δ_g and c_{t-1}; `delta` (n, 5 H), δ of o, i, f, g and dL/dc_{t-1}.
    """

    def __init__(self, T: int, H: int, dtype: Any) -> None:
        self.n = n = block_of(T, 4 * H)
        self.z, self.rows, self.shown, self.h, self.g, self.factors, self.delta = (
            np.zeros(shape, dtype) for shape in ((n, 4 * H), (n + 1, 5 * H), (n, H), (n + 1, H),
                                                 (n, H), (n, 6 * H), (n, 5 * H)))
        self.from_h, self.pair = np.empty(4 * H, dtype), np.empty(2 * H, dtype)
        before, after = self.rows[:-1], self.rows[1:]
        self.ahead = list(zip(
            self.z, self.h, self.h[1:], before[:, :3 * H], before[:, :H], before[:, H:3 * H],
            before[:, 3 * H:4 * H], before[:, 3 * H:], after[:, 4 * H:], self.shown))
        fours, six = self.delta[:, H:].reshape(n, 4, H), self.factors
        self.back = list(zip(
            self.g, six[:, H:2 * H], six[:, :H], six[:, 2 * H:].reshape(n, 4, H),
            self.delta[:, :H], fours, fours[:, 3], self.delta[:, :4 * H]))[::-1]


def ahead(kernel: Any, lent: Any) -> None:
    """All steps of a `LSTMKernel`: what its desk keeps of them."""
    desk, way, bench = kernel.desk, kernel.way, lent.bench
    H = bench.shown.shape[1]
    x, states = way.turned(kernel.x[:, 0]), way.turned(desk.whole[:, :, 0].swapaxes(0, 1))
    bench.h[0], bench.rows[0, 4 * H:] = states[0]
    for start in range(0, way.T, bench.n):
        end = min(way.T, start + bench.n)
        n = end - start
        x[start:end].dot(kernel.W_xh.T, bench.z[:n])
        if kernel.b_h is not None:
            np.add(bench.z[:n], kernel.b_h, bench.z[:n])
        along(bench, kernel.W_T, n)
        gates, rows, last = desk.gates[start:end].reshape(n, 4 * H), bench.rows[:n], bench.rows[n]
        np.reciprocal(rows[:, :3 * H], gates[:, :3 * H])
        gates[:, 3 * H:], desk.shown[start:end, 0] = rows[:, 3 * H:4 * H], bench.shown[:n]
        states[start + 1:end + 1, 0] = bench.h[1:n + 1]
        states[start + 1:end + 1, 1] = bench.rows[1:n + 1, 4 * H:]
        bench.h[0], bench.rows[0, 4 * H:] = bench.h[n], last[4 * H:]


def along(bench: Bench, W_T: Any, n: int) -> None:
    """The first n steps of a bench."""
    add, exp, tanh, divide = np.add, np.exp, np.tanh, np.divide
    from_h, pair, H = bench.from_h, bench.pair, bench.h.shape[1]
    σ_z, g_z, from_g, from_c = from_h[:3 * H], from_h[3 * H:], pair[:H], pair[H:]
    one = ones((), pair.dtype)
    for z, h, new_h, σ, o, i_f, g, g_c, c, shown in bench.ahead[:n]:
        h.dot(W_T, from_h)
        add(z, from_h, from_h)
        exp(σ_z, σ)
        add(σ, one, σ)
        tanh(g_z, g)
        divide(g_c, i_f, pair)
        add(from_g, from_c, c)
        tanh(c, shown)
        divide(shown, o, new_h)


def back(kernel: Any, lent: Any, g: Any) -> tuple[Any, Any]:
    """All δ_t into `lent`, from what arrives at h_t, (T, 1, H) in the order of the steps taken.
    Returns dL/dh_0 and dL/dc_0."""
    desk, way, bench = kernel.desk, kernel.way, lent.bench
    delta = way.turned(lent.delta.whole[:, 0])
    H = delta.shape[1] // 4
    d_h, d_c = np.zeros((2, H), delta.dtype)
    for end in range(way.T, 0, -bench.n):
        start = max(0, end - bench.n)
        n = end - start
        bench.g[:n] = g[start:end, 0]
        factors(bench.factors[:n], desk.gates[start:end, :, 0],
                desk.shown[start:end, 0], desk.c_before[start:end, 0])
        d_c = along_back(bench, kernel.W_T.T, n, d_h, d_c)
        delta[start:end] = bench.delta[:n, :4 * H]
    return d_h[None], d_c[None].copy()


def along_back(bench: Bench, W: Any, n: int, d_h: Any, d_c: Any) -> Any:
    """The first n steps of a bench, the last of them first: `d_h` is written to, the new d_c
    returned."""
    add, multiply, extra = np.add, np.multiply, np.empty_like(d_h)
    for g, by_o, by_c, by_four, δ_o, four, c, δ in bench.back[bench.n - n:]:
        add(d_h, g, d_h)
        multiply(d_h, by_o, δ_o)
        multiply(d_h, by_c, extra)
        four[...] = add(d_c, extra, extra)
        multiply(four, by_four, four)
        δ.dot(W, d_h)
        d_c = c
    return d_c


def factors(room: Any, gates: Any, shown: Any, c: Any) -> None:
    """What is multiplied with, for some steps at once, (n, 6 H): see `Bench`. Of `gates`,
    (n, 4, H), o, i, f are those of -z."""
    multiply, subtract, one, H = np.multiply, np.subtract, ones((), room.dtype), gates.shape[-1]
    by_c, by_o, by_i, by_f, by_g, forget = (room[:, k:k + H] for k in range(0, 6 * H, H))
    o, i, f, g = gates.swapaxes(0, 1)
    σ, slopes = gates.reshape(len(gates), 4 * H)[:, :3 * H], room[:, H:4 * H]
    subtract(σ, one, slopes)
    multiply(slopes, σ, slopes)
    for other, by in ((shown, by_o), (g, by_i), (c, by_f)):
        multiply(by, other, by)
    for y, other, by in ((shown, o, by_c), (g, i, by_g)):
        multiply(y, y, by)
        subtract(one, by, by)
        multiply(by, other, by)
    np.copyto(forget, f)
