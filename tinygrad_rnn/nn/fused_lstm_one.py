"""The LSTM of a single sequence, in as few calls of NumPy as there can be.

The question this file answers: *what does a step cost that computes next to nothing?*

Its calls. On 64 numbers one takes 0.4 µs whatever it computes, so that a batch of one is a matter
of counting. The equations are those of `fused_lstm`, arranged for few calls, 9 ahead and 8 back:

- σ(z) = 1 / E with E = 1 + exp(-z). A step divides by E; the gates themselves are computed for many
  steps at once.
- c_{t-1} stands behind g in the row of a step, and so i g and f c_{t-1} are one division,
  [g, c_{t-1}] / [E_i, E_f].
- What the way back multiplies with is made of the gates and of products that a step has anyway
  (h_t, i g, f c_{t-1}), and it is no more numbers than they are. So it is computed at once, for
  many steps, while they are in the cache, and nothing else of a step is kept (see `factors`).
- dL/dc_t is written down four times and multiplied with factors that stand in rows, for δ_i and
  δ_f, and for δ_g and dL/dc_{t-1}: that takes NumPy less time than to find out that it is meant
  four times.

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

    Ahead: `gates` (n, 3 H lanes), E_o, E_i, E_f and then their reciprocals, σ; `rows`
    (n + 1, 3 H lanes), tanh c_t, g and c_{t-1}, and `products`, what they give with the gates, h_t,
    i g and f c_{t-1}. `seen` (n + 1, H, lanes), h_{t-1} and the last h_t. A vector that is
    multiplied with W_hh gets W_xh x_t + b_h added, from `z` (n, 4 H), found in one product for all
    n steps. With several lanes x_t and a 1 stand below h_{t-1} in `seen` (n + 1, H + I + 1, lanes),
    and one product does it all. Back: `g` (n, H, lanes), what arrives at h_t; `delta`
    (n, 5 H, lanes), δ of o, i, f, g and dL/dc_{t-1}.
    """

    def __init__(self, T: int, H: int, I: int, dtype: Any, lanes: int = 1) -> None:
        self.n, self.H, self.lanes, m = block_of(T, 2 * H * lanes), H, lanes, H * lanes
        n, one = self.n, lanes == 1
        self.g, self.delta = (np.zeros((n, width * H, lanes), dtype) for width in (1, 5))
        self.gates, self.rows, self.products = (
            np.zeros((steps, 3 * m), dtype) for steps in (n, n + 1, n))
        self.seen = np.ones((n + 1, H if one else H + I + 1, lanes), dtype)
        self.z = np.empty((n, 4 * H), dtype) if one else None
        self.h, self.cells = self.seen[:, :H], self.rows.reshape(n + 1, 3 * H, lanes)[:, 2 * H:]
        self.from_h, σ, seen, δ = np.empty(4 * m, dtype), self.gates, flat(self.seen), flat(
            self.delta)
        before, products = self.rows[:-1], self.products
        self.ahead = list(zip(
            repeat(None) if self.z is None else self.z, seen if one else self.seen,
            seen[1:, :m], σ, σ[:, :m], σ[:, m:], before[:, m:2 * m], before[:, m:],
            products[:, m:], products[:, m:2 * m], products[:, 2 * m:], self.rows[1:, 2 * m:],
            before[:, :m]))
        self.back = list(zip(
            flat(self.g), δ[:, :m], δ[:, m:].reshape(n, 4, m), δ[:, m:3 * m], δ[:, 3 * m:],
            δ[:, 4 * m:], self.columns(δ[:, :4 * m], 4 * H)))[::-1]

    def columns(self, a: Any, rows: int) -> Any:
        """(..., rows lanes) as W @ wants it: (..., rows, lanes), or (..., rows) of a single one."""
        return a if self.lanes == 1 else a.reshape(*a.shape[:-1], rows, self.lanes)


def flat(a: Any) -> Any:
    """(n, rows, lanes) as (n, rows lanes); of what does not stand in this order a copy."""
    return a.reshape(len(a), a.shape[1] * a.shape[2])


class Stretch(Lanes):
    """`lanes` pieces of n steps each, the first beginning at step `first`: the arrays of their
    steps as (n, numbers, lanes), in the order in which the steps are taken. `g` (T, 1, H) is what
    arrives at h_t, on the way back. `c` stays as it is where nobody sees it.

    `factors`, which nobody else looks at, stand in memory as the bench has its rows,
    (2, n, 3 H lanes): see `factors`.
    """

    h: Any
    c: Any
    factors: Any
    g: Any
    delta: Any
    size, size_back = lstm_state, lstm_gradient

    def __init__(self, kernel: Any, lent: Any, first: int, n: int, lanes: int,
                 g: Any = None) -> None:
        self.n, self.lanes, self.lent, self.W_x, self.b = n, lanes, lent, kernel.W_xh, kernel.b_h
        self.W_back, self.W, desk = kernel.W_T, kernel.W_T.T, kernel.desk
        self.shows_c = not kernel.way.only_h
        steps, self.factors = desk.lane, desk.factors
        if g is None:
            steps = {"x": kernel.way.turned(kernel.x)[:, 0, :, None], **steps}
        else:
            steps = {"g": g[:, 0, :, None], "delta": lent.lane, **steps}
        if n < self.factors.shape[1]:
            part = slice(first, first + n * lanes)
            steps = {name: pieces(a[part], lanes) for name, a in steps.items()}
            self.factors = self.factors[:, part].reshape(2, n, -1)
        if lanes > 1 and g is None:
            b = np.zeros(len(self.W), self.W.dtype) if self.b is None else self.b
            self.W = np.concatenate([kernel.W_hh, self.W_x, b[:, None]], 1)
        self.__dict__ |= steps
        self.steps = steps

    def lane(self, k: int) -> Stretch:
        """One of the pieces."""
        found = copy(self)
        found.lanes, found.W = 1, self.W_back.T
        found.factors = self.factors.reshape(2, self.n, -1, self.lanes)[..., k]
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
        factors(bench, m, *self.factors[:, part])
        self.h[part] = bench.h[1:m + 1]
        if self.shows_c:
            self.c[part] = bench.cells[1:m + 1]

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
            d_c = along_back(bench, self.W_back, self.factors[:, part], d_h, d_c)
            if keep:
                self.delta[part] = bench.delta[:m, :4 * H]
        state[1] = d_c
        return carry


def along(bench: Bench, W: Any, n: int) -> None:
    """The first n steps of a bench."""
    add, exp, tanh, divide = np.add, np.exp, np.tanh, np.divide
    from_h, H = bench.from_h, bench.H * bench.lanes
    σ_z, g_z = from_h[:3 * H], from_h[3 * H:]
    one, found = ones((), from_h.dtype), bench.columns(from_h, 4 * bench.H)
    for z, seen, new_h, σ, o, i_f, g, g_c, pair, from_g, from_c, c, shown in bench.ahead[:n]:
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


def factors(bench: Bench, n: int, first: Any, second: Any) -> None:
    """What the way back multiplies with at the first n steps of a bench, (n, 3 H lanes) twice. By
    -z the derivative of σ is σ (σ - 1), and so there is, for δ_o, δ_i and δ_f,

        (o - 1) h_t    (i - 1) i g    (f - 1) f c_{t-1}

    and, for the way from h_t to c_t, for δ_g and for c_{t-1},

        o - h_t tanh c_t = o (1 - tanh² c_t)    i - i g g = i (1 - g²)    f
    """
    σ, rows, products, H = bench.gates[:n], bench.rows[:n], bench.products[:n], bench.h[0].size
    products[:, :H] = flat(bench.seen)[1:n + 1, :H]
    np.reciprocal(σ, σ)
    np.subtract(σ, ones((), σ.dtype), first)
    np.multiply(first, products, first)
    np.multiply(rows, products, second)
    np.subtract(σ, second, second)
    second[:, 2 * H:] = σ[:, 2 * H:]


def along_back(bench: Bench, W_T: Any, factors: Any, d_h: Any, d_c: Any) -> Any:
    """The first steps of a bench, as many as there are `factors`, the last of them first: `d_h` is
    written to, the new d_c returned."""
    add, multiply, extra, H = np.add, np.multiply, np.empty_like(d_h), d_h.size
    found, (first, second) = bench.columns(d_h, bench.H), factors[:, ::-1]
    steps = zip(bench.back[bench.n - len(first):], first[:, :H], first[:, H:], second[:, :H],
                second[:, H:])
    for (g, δ_o, four, i_f, g_c, c, δ), by_o, by_i_f, by_c, by_g_c in steps:
        add(d_h, g, d_h)
        multiply(d_h, by_o, δ_o)
        multiply(d_h, by_c, extra)
        four[...] = add(d_c, extra, extra)
        multiply(i_f, by_i_f, i_f)
        multiply(g_c, by_g_c, g_c)
        W_T.dot(δ, found)
        d_c = c
    return d_c
