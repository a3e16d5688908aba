"""The vanilla recurrence over a whole sequence, and backpropagation through time by hand.

The question this file answers: *what does BPTT look like when it is written down?*

Forward, z_t = W_xh x_t + b_h for all t in one product, then step by step

    h_t = φ(z_t + W_hh h_{t-1})

Backward, with δ_t = dL/dz_t, and g_t what arrives at h_t from outside (outputs, losses, the last
state), from the last step to the first

    dL/dh_t = g_t + W_hhᵀ δ_{t+1}
    δ_t     = dL/dh_t * φ'(z_t)

and then, in one product each over all steps,

    dL/dW_hh = Σ_t δ_t h_{t-1}ᵀ     dL/dW_xh = Σ_t δ_t x_tᵀ     dL/db_h = Σ_t δ_t
    dL/dx_t  = W_xhᵀ δ_t            dL/dh_0  = W_hhᵀ δ_1

(Werbos 1990.) Rows of a batch stand below each other, so W δ is δ @ W.T here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .fused_slopes import Phi
from .fused_way import Way


class Deltas:
    """What a pass backwards leaves: what is needed for every gradient, in the order of time.

    `x` (T, B, G): δ by what W_xh x_t + b_h gives; `h` the same by what W_hh gives (often the same
    array); `states` the gradients of the parts of the first state, `fresh` of those of the state
    that samples start anew from, each (B, H).
    """

    def __init__(self, x: Any, h: Any, states: list[Any], fresh: list[Any]) -> None:
        self.x, self.h, self.states, self.fresh = x, h, states, fresh


class RNNKernel:
    """h_t = φ(W_xh x_t + W_hh h_{t-1} + b_h) for all t, and its BPTT: see the top of this file.

    `x` is (T, B, I), `first` [h_0], `weights` by their names. `value` is (T, B, H) in the order of
    time.
    """

    def __init__(self, x: Any, first: list[Any], weights: dict[str, Any], phis: list[Phi],
                 way: Way, cell: Any) -> None:
        self.x, self.weights, self.way, self.phi = x, weights, way, phis[0]
        self.sign = self.phi.sign
        self.W_hh = weights["W_hh"] if self.sign > 0 else -weights["W_hh"]
        z = inputs(x, weights["W_xh"], weights.get("b_h"), way)
        z = z if self.sign > 0 else np.negative(z, z)
        (self.taken,), (self.value,), (before,) = way.states(first, z.dtype)
        self.seen = before if way.same else way.empty(z.shape, z.dtype)
        self.forward(way.turned(z))

    def forward(self, z: Any) -> None:
        """All steps, into the room for the states."""
        way, W_T, apply, plain = self.way, self.W_hh.T, self.phi.apply, self.way.plain
        h, seen = self.taken[0], way.turned(self.seen)
        with np.errstate(over="ignore"):
            for k, (z_k, new) in enumerate(zip(z, self.taken[1:])):
                before = h
                if not plain:
                    before = way.before(k, h)
                    h = before if way.mask is None else before * way.mask
                    if not way.same:
                        seen[k] = h
                np.dot(h, W_T, new)
                np.add(new, z_k, new)
                apply(new, new)
                if not plain:
                    way.after(k, new, before)
                h = new

    def backward(self, g: Any) -> Deltas:
        """From dL/dh_t from outside, (T, B, H), to all δ_t."""
        way, W_hh, states, plain = self.way, self.W_hh, self.taken, self.way.plain
        delta = way.empty(self.value.shape, self.value.dtype)
        g, d, shape = way.turned(g), way.turned(delta), delta.shape[1:]
        carry = np.zeros(shape, delta.dtype)
        fresh = np.zeros(shape, delta.dtype) if way.begins is not None else None
        width, room = carry.size, None
        for start, end in way.blocks(width):
            room = way.empty((end - start, *shape), delta.dtype) if room is None else room
            slopes = self.phi.slope(states[start + 1:end + 1], room[:end - start])
            for k in range(end - 1, start - 1, -1):
                d_k = np.add(g[k], carry, d[k])
                if plain:
                    np.multiply(d_k, slopes[k - start], d_k)
                    np.dot(d_k, W_hh, carry)
                    continue
                d_new, stays = way.split(k, d_k)
                np.multiply(d_new, slopes[k - start], d_k)
                carry = np.dot(d_k, W_hh)
                carry = carry if way.mask is None else carry * way.mask
                carry = way.back(k, carry if stays is None else carry + stays, fresh)
        if self.sign < 0:
            np.negative(delta, delta)
        return Deltas(delta, delta, [carry], [] if fresh is None else [fresh])

    def gradient(self, name: str, deltas: Deltas) -> Any:
        """The gradient of a weight: all steps in one product."""
        if name == "b_h":
            return over_rows(deltas.x)
        return product(deltas.x, self.x if name == "W_xh" else self.seen)

    def uses(self, name: str, deltas: Deltas) -> list[tuple[Any, Any, Any]]:
        """What each step gives to a weight: (δ, what it is multiplied with, the rows) of each
        product, in the order of time; without a second factor it is δ alone."""
        seen = {"W_xh": self.x, "W_hh": self.seen, "b_h": None}[name]
        return [(deltas.x, seen, None)]

    def input_gradient(self, deltas: Deltas) -> Any:
        """dL/dx_t at every step, (T, B, I)."""
        return spread(deltas.x, self.weights["W_xh"])


# --- products over all steps at once ------------------------------------------------------------


def rows(a: Any) -> Any:
    """(T, B, n) -> (T B, n): every row of every step below each other."""
    return a.reshape(a.shape[0] * a.shape[1], a.shape[2])


def inputs(x: Any, W_xh: Any, b: Any, way: Way) -> Any:
    """W_xh x_t + b for all t, in one product: (T, B, I) -> (T, B, G)."""
    z = way.empty((*x.shape[:2], len(W_xh)), x.dtype)
    np.dot(rows(x), W_xh.T, rows(z))
    return z if b is None else np.add(z, b, z)


def product(delta: Any, x: Any) -> Any:
    """Σ_t δ_t x_tᵀ over all steps and samples: (T, B, G), (T, B, I) -> (G, I)."""
    return np.dot(rows(delta).T, rows(x))


def over_rows(delta: Any) -> Any:
    """Σ_t δ_t over all steps and samples: (T, B, G) -> (G,)."""
    return np.add.reduce(rows(delta), 0)


def spread(delta: Any, W: Any) -> Any:
    """Wᵀ δ_t for all t: (T, B, G), (G, I) -> (T, B, I)."""
    return np.dot(rows(delta), W).reshape(*delta.shape[:2], W.shape[1])
