"""The vanilla recurrence over a whole sequence, and backpropagation through time by hand.

The question this file answers: *what does BPTT look like when it is written down?*

Forward, z_t = W_xh x_t + b_h for all t in one product, then step by step

    h_t = φ(z_t + W_hh h_{t-1})

Backward, with δ_t = dL/dz_t, and g_t what arrives at h_t from outside (outputs, losses, the last
state), from the last step to the first

    dL/dh_t = g_t + W_hhᵀ δ_{t+1}
    δ_t     = dL/dh_t * φ'(z_t)     (g_t * φ'(z_t) for all t at once, the rest is added)

and then, in one product each over all steps,

    dL/dW_hh = Σ_t δ_t h_{t-1}ᵀ     dL/dW_xh = Σ_t δ_t x_tᵀ     dL/db_h = Σ_t δ_t
    dL/dx_t  = W_xhᵀ δ_t            dL/dh_0  = W_hhᵀ δ_1

(Werbos 1990.) Rows of a batch stand below each other, so W δ is δ @ W.T here.
"""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

from ..core.totals import ones
from . import fused_apart
from .fused_desks import RNNDesk
from .fused_rnn_lanes import Stretch
from .fused_slopes import Phi
from .fused_way import Way

LAID_OUT = 1024  # numbers: up to so many a row is repeated before it is added to each of others


class Deltas:
    """What a pass backwards leaves: what is needed for every gradient, in the order of time.

    `x` (T, B, G): δ by what W_xh x_t + b_h gives; `h` the same by what W_hh gives (often the same
    array); `states` the gradients of the parts of the first state, `fresh` of those of the state
    that samples start anew from, each (B, H). `lent` is the room they are in. `weights` are the
    gradients of the weights by name, where they were found on the way.
    """

    __slots__ = ("fresh", "h", "lent", "states", "weights", "x")

    def __init__(self, x: Any, h: Any, states: list[Any], fresh: list[Any], lent: Any,
                 weights: Any = None) -> None:
        self.x, self.h, self.states, self.fresh, self.lent = x, h, states, fresh, lent
        self.weights = weights


class RNNKernel:
    """h_t = φ(W_xh x_t + W_hh h_{t-1} + b_h) for all t, and its BPTT: see the top of this file.

    `x` is (T, B, I), `first` [h_0], `weights` by their names. `value` is (T, B, H) in the order of
    time.
    """

    loops: Any = None  # the compiled functions, where they do all the work

    __slots__ = ("W_hh", "desk", "phi", "seen", "taken", "value", "way", "weights",
                 "x", "x_rows")

    def __init__(self, x: Any, first: list[Any], weights: dict[str, Any], phis: list[Phi],
                 way: Way, cell: Any) -> None:
        self.x, self.weights, self.way, self.phi = x, weights, way, phis[0]
        self.W_hh = weights["W_hh"]
        if way.shelf is None:
            T, B = x.shape[:2]
            way.shelf = way.room.shelf(RNNDesk, T, B, len(self.W_hh), x.dtype, way.reverse)
            way.lanes = fused_apart.lanes_of(T) if B == 1 and self.phi.apply is np.tanh else 1
        self.desk = desk = way.shelf.desk()
        if not (way.zero and desk.zero):
            desk.begin(None if way.zero else first[0])
        self.seen = desk.before if way.same else np.empty(desk.before.shape, x.dtype)
        if way.plain and self.phi.apply is np.tanh:
            self.forward()
        else:
            with np.errstate(over="ignore"):
                (self.forward if way.plain else self.guarded)()
        self.value = desk.states.whole[desk.part]

    def from_x(self) -> None:
        """W_xh x_t + b_h at all steps, where h_t will stand."""
        z, weights = self.desk.rows, self.weights
        self.x_rows = x = rows(self.x)
        weighted(x, weights["W_xh"], weights.get("b_h"), z)
        if self.phi.sign < 0:
            self.W_hh = -self.W_hh
            np.negative(z, z)

    def forward(self) -> None:
        """All steps, each over its W_xh x_t + b_h, or in pieces."""
        desk, way = self.desk, self.way
        self.taken = None if way.lanes == 1 else fused_apart.side_by_side(
            partial(Stretch, self, None), way.T, way.lanes, desk.states.steps[0][..., None])
        if self.taken is not None:
            self.x_rows = rows(self.x)
            return
        self.from_x()
        W_T, apply, add = self.W_hh.T, self.phi.apply, np.add
        states, product = desk.states.steps, desk.product
        if way.zero:  # h_1 = φ(z_1)
            states = states[1:]
            apply(states[0], states[0])
        for h, new in pairwise(states):
            add(new, h.dot(W_T, product), new)
            apply(new, new)

    def guarded(self) -> None:
        """The same past masks, sequences that begin, and dropout."""
        self.from_x()
        way, W_T, apply, states = self.way, self.W_hh.T, self.phi.apply, self.desk.states.steps
        seen = way.turned(self.seen)
        for k, (h, new) in enumerate(pairwise(states)):
            before = way.before(k, h)
            h = before if way.mask is None else before * way.mask
            if not way.same:
                seen[k] = h
            np.add(new, h.dot(W_T), new)
            apply(new, new)
            way.after(k, new, before)

    def backward(self, g: Any) -> Deltas:
        """From dL/dh_t from outside, (T, B, H), to all δ_t."""
        add, multiply, desk, way, W_hh = np.add, np.multiply, self.desk, self.way, self.W_hh
        lent = desk.lend()
        delta = lent.delta
        if not way.plain:
            return self.guarded_back(lent, iter(g if way.reverse else g[::-1]))
        if self.taken is not None:
            states = fused_apart.back(partial(Stretch, self, lent, g=g), len(g), self.taken,
                                      np.zeros((1, len(W_hh), 1), delta.whole.dtype))
            return Deltas(delta.whole, delta.whole, [states[..., 0]], [], lent)
        carry, after = lent.carry, desk.after
        later: Any = None  # δ_{t+1}, which sends W_hhᵀ δ_{t+1} to h_t
        g = g[::-1] if way.reverse else g
        for part, slopes, deltas, steps in lent.known or lent.blocks():
            self.phi.slope(after if part is None else after[part], slopes)
            multiply(g if part is None else g[part], slopes, deltas)
            for d_k, slope in steps:
                if later is not None:
                    add(d_k, multiply(later.dot(W_hh, carry), slope, carry), d_k)
                later = d_k
        first = [] if way.zero else [later.dot(W_hh)]
        if self.phi.sign < 0:
            np.negative(delta.rows, delta.rows)
        return Deltas(delta.whole, delta.whole, first, [], lent)

    def guarded_back(self, lent: Any, arriving: Any) -> Deltas:
        """The same past masks, sequences that begin, and dropout."""
        way, delta = self.way, lent.delta
        carry = np.zeros(delta.whole.shape[1:], delta.whole.dtype)
        fresh = None if way.begins is None else np.zeros_like(carry)
        backwards = iter(range(way.T - 1, -1, -1))
        for part, slopes, _, steps in lent.known or lent.blocks():
            self.phi.slope(self.desk.after if part is None else self.desk.after[part], slopes)
            for (d_k, slope), k, g_k in zip(steps, backwards, arriving):
                d_new, stays = way.split(k, np.add(g_k, carry, d_k))
                np.multiply(d_new, slope, d_k)
                carry = d_k.dot(self.W_hh)
                carry = carry if way.mask is None else carry * way.mask
                carry = way.back(k, carry if stays is None else carry + stays, fresh)
        if self.phi.sign < 0:
            np.negative(delta.rows, delta.rows)
        return Deltas(delta.whole, delta.whole, [carry], [] if fresh is None else [fresh], lent)

    def gradient(self, name: str, deltas: Deltas) -> Any:
        """The gradient of a weight: all steps in one product."""
        if name == "b_h":
            return total(deltas.lent.delta.rows)
        return deltas.lent.across.dot(self.x_rows if name == "W_xh" else self.desk.before_rows
                           if self.way.same else rows(self.seen))

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


def inputs(x: Any, W_xh: Any, b: Any, z: Any) -> None:
    """W_xh x_t + b for all t, in one product: (T, B, I) -> z, (T B, G)."""
    weighted(rows(x), W_xh, b, z)


def weighted(x: Any, W: Any, b: Any, z: Any) -> None:
    """W x + b for all rows, in one product: (N, I) -> z, (N, G). Of few numbers it takes less time
    to lay b out first: NumPy adds arrays of one shape without any preparation."""
    if b is not None and z.size <= LAID_OUT:
        z[...] = b
        np.add(z, x.dot(W.T), z)
        return
    x.dot(W.T, z)
    if b is not None:
        np.add(z, b, z)


@lru_cache(maxsize=16)
def begins(n: int, width: int) -> Any:
    """(n,): where in its array each row of (n, width) begins."""
    found = np.arange(0, n * width, width)
    found.flags.writeable = False
    return found


def total(flat: Any) -> Any:
    """The sum of all rows: (N, n) -> (n,)."""
    return ones(len(flat), flat.dtype).dot(flat)


def product(delta: Any, x: Any) -> Any:
    """Σ_t δ_t x_tᵀ over all steps and samples: (T, B, G), (T, B, I) -> (G, I)."""
    return np.matmul(rows(delta).T, rows(x))  # np.dot would copy columns of δ, and slowly


def over_rows(delta: Any) -> Any:
    """Σ_t δ_t over all steps and samples: (T, B, G) -> (G,)."""
    return np.add.reduce(rows(delta), 0)


def spread(delta: Any, W: Any) -> Any:
    """Wᵀ δ_t for all t: (T, B, G), (G, I) -> (T, B, I)."""
    return np.dot(rows(delta), W).reshape(*delta.shape[:2], W.shape[1])
