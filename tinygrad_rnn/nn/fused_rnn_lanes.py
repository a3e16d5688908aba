"""The vanilla recurrence of a single sequence, pieces of it side by side.

The question this file answers: *what is left of a step when many of them go together?*

Two calls of NumPy ahead and three back. x_t and a 1 stand below h_{t-1}, a column for each piece,
so that one product gives z_t, and tanh writes h_t where the next step reads it; back it is the sum,
the product with φ'(z_t) and the one with W_hhᵀ. The equations are those of `fused_rnn`, and how the
pieces come together is in `fused_apart`. The activation is tanh; no masks.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from .fused_apart import Lanes, pieces
from .fused_rounding import rnn_gradient, rnn_state
from .fused_slopes import tanh_slope
from .fused_way import block_of


class Stretch(Lanes):
    """`lanes` pieces of n steps each, the first beginning at step `first`: the arrays of their
    steps as (n, numbers, lanes), in the order in which the steps are taken. `g` (T, 1, H), in the
    order of time as x, is what arrives at h_t, on the way back."""

    h: Any
    g: Any
    delta: Any
    size, size_back = rnn_state, rnn_gradient

    def __init__(self, kernel: Any, lent: Any, first: int, n: int, lanes: int,
                 g: Any = None) -> None:
        self.n, self.lanes, weights = n, lanes, kernel.weights
        W, b, turned = weights["W_hh"], weights.get("b_h"), kernel.way.turned
        b = np.zeros(len(W), W.dtype) if b is None else b
        self.W = np.concatenate([W, weights["W_xh"], b[:, None]], 1)
        self.W_back, part = np.ascontiguousarray(W.T), slice(first, first + n * lanes)
        steps = {"x": turned(kernel.x), "h": kernel.desk.after}
        if g is not None:
            steps |= {"g": turned(g), "delta": turned(lent.delta.whole)}
        self.steps = {name: pieces(a[part, 0, :, None], lanes) for name, a in steps.items()}
        self.__dict__ |= self.steps

    def lane(self, k: int) -> Stretch:
        """One of the pieces."""
        found = copy(self)
        found.lanes = 1
        found.__dict__ |= {name: a[..., k:k + 1] for name, a in self.steps.items()}
        return found

    def ahead(self, state: Any, start: int, end: int, keep: bool = True) -> Any:
        """Steps `start` to `end` of each piece, from `state`, h (1, H, lanes): the state after
        them. `keep` says whether what the way back needs of them stays."""
        W, H, tanh = self.W, len(self.W), np.tanh
        n, z = block_of(end - start, W.shape[1] * self.lanes), np.empty(state.shape[1:], W.dtype)
        seen = np.ones((n + 1, W.shape[1], self.lanes), W.dtype)
        h, steps = seen[:, :H], list(zip(seen, seen[1:, :H]))
        for k in range(start, end, n):
            part = slice(k, min(end, k + n))
            m = part.stop - k
            h[0], seen[:m, H:-1] = state[0], self.x[part]
            for before, new in steps[:m]:
                W.dot(before, z)
                tanh(z, new)
            if keep:
                self.h[part] = h[1:m + 1]
            state = h[m:m + 1]
        return state

    def back(self, carry: Any, start: int, end: int, keep: bool = True) -> Any:
        """All δ_t of steps `end` to `start` of each piece, from `carry`, dL/dh after them
        (1, H, lanes): the same before them, written over it."""
        add, multiply, W_T, d = np.add, np.multiply, self.W_back, carry[0]
        n = block_of(end - start, 3 * d.size)
        g, slopes, delta = np.empty((3, n, *d.shape), d.dtype)
        steps = list(zip(g, slopes, delta))
        for stop in range(end, start, -n):
            part = slice(max(start, stop - n), stop)
            m = stop - part.start
            g[:m] = self.g[part]
            tanh_slope(self.h[part], slopes[:m])
            for g_k, slope, δ in steps[m - 1::-1]:
                add(d, g_k, d)
                multiply(d, slope, δ)
                W_T.dot(δ, d)
            if keep:
                self.delta[part] = delta[:m]
        return carry
