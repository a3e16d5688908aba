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
made once; what stays is copied from it in blocks. A bench has lanes: the pieces of a long sequence
may pass over it side by side (`fused_apart`), each number of a step standing beside those of the
other pieces, so that the calls are the same ones on longer rows. The activations are tanh and σ; no
masks, no peepholes, and nothing arrives at c_t from outside.
"""

from __future__ import annotations

from copy import copy
from itertools import repeat
from typing import Any

import numpy as np

from ..core.totals import ones
from .activations import ACTIVATIONS
from .fused_apart import Lanes, pieces
from .fused_rounding import lstm_gradient, lstm_state
from .fused_slopes import PHI_OF
from .fused_way import block_of

USUAL = [PHI_OF[ACTIVATIONS[name]] for name in ("tanh", "sigmoid", "tanh")]


class Bench:
    """Room for n steps of H units in some lanes, and a tuple of views for each.

    Ahead: `rows` (n + 1, 5 H lanes), E_o, E_i, E_f, g and c_{t-1}; `shown` (n, H lanes), tanh
    c_t; `seen` (n + 1, H, lanes), h_{t-1} and the last h_t. A vector that is multiplied with W_hh
    gets W_xh x_t + b_h added, from `z` (n, 4 H), found in one product for all n steps. With
    several lanes x_t and a 1 stand below h_{t-1} in `seen` (n + 1, H + I + 1, lanes), and one
    product does it all. Back: `g` (n, H, lanes), what arrives at h_t; `factors` (n, 6 H lanes),
    what dL/dh_t is multiplied with on the way to c_t and for δ_o, then dL/dc_t for δ_i, δ_f, δ_g
    and c_{t-1}; `delta` (n, 5 H, lanes), δ of o, i, f, g and dL/dc_{t-1}.
    """

    def __init__(self, T: int, H: int, I: int, dtype: Any, lanes: int = 1) -> None:
        self.n, self.H, self.lanes, m = block_of(T, 4 * H * lanes), H, lanes, H * lanes
        n, one = self.n, lanes == 1
        self.g, self.delta = (np.zeros((n, width * H, lanes), dtype) for width in (1, 5))
        self.rows, self.shown, self.factors = (
            np.zeros((steps, width * m), dtype) for steps, width in ((n + 1, 5), (n, 1), (n, 6)))
        self.seen = np.ones((n + 1, H if one else H + I + 1, lanes), dtype)
        self.z = np.empty((n, 4 * H), dtype) if one else None
        self.h = self.seen[:, :H]
        self.cells = self.rows.reshape(n + 1, 5 * H, lanes)[:, 4 * H:]
        self.from_h, self.pair = np.empty(4 * m, dtype), np.empty(2 * m, dtype)
        rows, six, seen, δ = self.rows, self.factors, flat(self.seen), flat(self.delta)
        before, after, fours = rows[:-1], rows[1:], δ[:, m:].reshape(n, 4, m)
        self.ahead = list(zip(
            repeat(None) if self.z is None else self.z, seen if one else self.seen,
            seen[1:, :m], before[:, :3 * m], before[:, :m], before[:, m:3 * m],
            before[:, 3 * m:4 * m], before[:, 3 * m:], after[:, 4 * m:], self.shown))
        self.back = list(zip(
            flat(self.g), six[:, m:2 * m], six[:, :m], six[:, 2 * m:].reshape(n, 4, m),
            δ[:, :m], fours, fours[:, 3], self.columns(δ[:, :4 * m], 4 * H)))[::-1]

    def columns(self, a: Any, rows: int) -> Any:
        """(..., rows lanes) as W @ wants it: (..., rows, lanes), or (..., rows) of a single one."""
        return a if self.lanes == 1 else a.reshape(*a.shape[:-1], rows, self.lanes)


def flat(a: Any) -> Any:
    """(n, rows, lanes) as (n, rows lanes); of what does not stand in this order a copy."""
    return a.reshape(len(a), a.shape[1] * a.shape[2])


class Stretch(Lanes):
    """`lanes` pieces of n steps each, the first beginning at step `first`: the arrays of their
    steps as (n, numbers, lanes), in the order in which the steps are taken. `g` (T, 1, H) is what
    arrives at h_t, on the way back.

    Gates and tanh c_t, which nobody else looks at, stand in memory as the bench has them,
    (n, numbers lanes).
    """

    h: Any
    c: Any
    c_before: Any
    gates: Any
    shown: Any
    g: Any
    delta: Any
    size, size_back = lstm_state, lstm_gradient

    def __init__(self, kernel: Any, lent: Any, first: int, n: int, lanes: int,
                 g: Any = None) -> None:
        self.n, self.lanes, self.lent, self.W_x, self.b = n, lanes, lent, kernel.W_xh, kernel.b_h
        self.W_back, self.W, desk = kernel.W_T, kernel.W_T.T, kernel.desk
        steps, (self.gates, self.shown) = desk.lane, desk.kept
        if g is None:
            steps = {"x": kernel.way.turned(kernel.x)[:, 0, :, None], **steps}
        else:
            steps = {"g": g[:, 0, :, None], "delta": lent.lane, **steps}
        if n < len(self.gates):
            part = slice(first, first + n * lanes)
            steps = {name: pieces(a[part], lanes) for name, a in steps.items()}
            self.gates, self.shown = (a[part].reshape(n, -1) for a in desk.kept)
        if lanes > 1 and g is None:
            b = np.zeros(len(self.W), self.W.dtype) if self.b is None else self.b
            self.W = np.concatenate([kernel.W_hh, self.W_x, b[:, None]], 1)
        self.__dict__ |= steps
        self.steps = steps

    def lane(self, k: int) -> Stretch:
        """One of the pieces."""
        found = copy(self)
        found.lanes, found.W = 1, self.W_back.T
        found.gates, found.shown = (a.reshape(self.n, -1, self.lanes)[..., k]
                                    for a in (self.gates, self.shown))
        found.__dict__ |= {name: a[..., k:k + 1] for name, a in self.steps.items()}
        return found

    def bench(self) -> Bench:
        """Where its steps are done."""
        found: Bench = self.lent.bench(self.lanes, self.W_x.shape[1])
        return found

    def ahead(self, state: Any, start: int, end: int, keep: bool = True) -> Any:
        """Steps `start` to `end` of each piece, from `state`, h and c (2, H, lanes): the state
        after them, views of the bench. `keep` says whether what the way back needs of them
        stays."""
        bench = self.bench()
        h, cells = bench.h, bench.cells
        for k in range(start, end, bench.n):
            part = slice(k, min(end, k + bench.n))
            m = part.stop - k
            h[0], cells[0] = state
            self.inputs(bench, self.x[part], m)
            along(bench, self.W, m)
            if keep:
                self.keep(bench, part, m)
            state = h[m], cells[m]
        return state

    def inputs(self, bench: Bench, x: Any, m: int) -> None:
        """Put on the bench what comes from x at its first m steps."""
        if bench.z is None:
            bench.seen[:m, bench.H:-1] = x
            return
        z = bench.z[:m]
        x[..., 0].dot(self.W_x.T, z)
        if self.b is not None:
            np.add(z, self.b, z)

    def keep(self, bench: Bench, part: slice, m: int) -> None:
        """Copy from the bench what stays of its first m steps."""
        gates, rows, shown = self.gates[part], bench.rows[:m], bench.shown[:m]
        σ = 3 * shown.shape[1]
        np.reciprocal(rows[:, :σ], gates[:, :σ])
        gates[:, σ:], self.shown[part] = rows[:, σ:gates.shape[1]], shown
        self.h[part], self.c[part] = bench.h[1:m + 1], bench.cells[1:m + 1]

    def back(self, carry: Any, start: int, end: int, keep: bool = True) -> Any:
        """All δ_t of steps `end` to `start` of each piece, from `carry`, dL/dh and dL/dc after them
        (2, H, lanes): the same before them, written over it."""
        bench = self.bench()
        H, state = bench.H, flat(carry)
        d_h, d_c = state
        for stop in range(end, start, -bench.n):
            part = slice(max(start, stop - bench.n), stop)
            m = stop - part.start
            bench.g[:m] = self.g[part]
            factors(bench.factors[:m], self.gates[part], self.shown[part],
                    flat(self.c_before[part]))
            d_c = along_back(bench, self.W_back, m, d_h, d_c)
            if keep:
                self.delta[part] = bench.delta[:m, :4 * H]
        state[1] = d_c
        return carry


def along(bench: Bench, W: Any, n: int) -> None:
    """The first n steps of a bench."""
    add, exp, tanh, divide = np.add, np.exp, np.tanh, np.divide
    from_h, pair, H = bench.from_h, bench.pair, bench.H * bench.lanes
    σ_z, g_z, from_g, from_c = from_h[:3 * H], from_h[3 * H:], pair[:H], pair[H:]
    one, found = ones((), pair.dtype), bench.columns(from_h, 4 * bench.H)
    for z, seen, new_h, σ, o, i_f, g, g_c, c, shown in bench.ahead[:n]:
        W.dot(seen, found)
        if z is not None:
            add(z, from_h, from_h)
        exp(σ_z, σ)
        add(σ, one, σ)
        tanh(g_z, g)
        divide(g_c, i_f, pair)
        add(from_g, from_c, c)
        tanh(c, shown)
        divide(shown, o, new_h)


def along_back(bench: Bench, W_T: Any, n: int, d_h: Any, d_c: Any) -> Any:
    """The first n steps of a bench, the last of them first: `d_h` is written to, the new d_c
    returned."""
    add, multiply, extra = np.add, np.multiply, np.empty_like(d_h)
    found = bench.columns(d_h, bench.H)
    for g, by_o, by_c, by_four, δ_o, four, c, δ in bench.back[bench.n - n:]:
        add(d_h, g, d_h)
        multiply(d_h, by_o, δ_o)
        multiply(d_h, by_c, extra)
        four[...] = add(d_c, extra, extra)
        multiply(four, by_four, four)
        W_T.dot(δ, found)
        d_c = c
    return d_c


def factors(room: Any, gates: Any, shown: Any, c: Any) -> None:
    """What is multiplied with, for some steps at once, (n, 6 H lanes): see `Bench`. Of `gates`,
    (n, 4 H lanes), o, i, f are those of -z."""
    multiply, subtract, one, H = np.multiply, np.subtract, ones((), room.dtype), shown.shape[1]
    by_c, by_o, by_i, by_f, by_g, forget = (room[:, k:k + H] for k in range(0, 6 * H, H))
    o, i, f, g = (gates[:, k:k + H] for k in range(0, 4 * H, H))
    σ, slopes = gates[:, :3 * H], room[:, H:4 * H]
    subtract(σ, one, slopes)
    multiply(slopes, σ, slopes)
    for other, by in ((shown, by_o), (g, by_i), (c, by_f)):
        multiply(by, other, by)
    for y, other, by in ((shown, o, by_c), (g, i, by_g)):
        multiply(y, y, by)
        subtract(one, by, by)
        multiply(by, other, by)
    np.copyto(forget, f)
