"""The desk of each kernel: which arrays a pass needs, and how a single step looks at them.

The question this file answers: *what has a fused layer to keep for its way back?*

For a vanilla layer the states, and nothing else: φ'(z_t) comes from h_t, so that δ_t may be written
over z_t. For a gated one the gates as well. (T, B, n) stands in the order of time; the views of
single steps stand in the order in which they are taken, so that a kernel need not know whether its
layer runs in reverse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from . import fused_room
from .fused_lstm_one import Bench
from .fused_room import VIEWS, Desk, Strip
from .fused_way import block_of

FEW = 512  # steps whose views a gated layer keeps: it has a dozen of each, as much as the numbers


class RNNDesk(Desk):
    """Room for the states, the first one among them, where h_t is W_xh x_t + b_h at first (all of
    them as `rows`), and for one W_hh h_{t-1}; lends a `RNNBack`. `zero` says that the first state
    is 0."""

    def __init__(self, T: int, B: int, H: int, dtype: Any, reverse: bool) -> None:
        self.size = T, B, H, dtype, reverse
        self.states, self.zero = Strip(T + 1, B, H, dtype, reverse), False
        whole = self.states.whole
        super().__init__(whole)
        self.part = slice(T) if reverse else slice(1, None)  # of whole: the state after every step
        self.product = np.empty((B, H), dtype)
        self.rows = self.value.reshape(T * B, H)
        self.before = whole[1:] if reverse else whole[:-1]  # h_{t-1} in the order of time
        self.before_rows = self.before.reshape(T * B, H)
        self.after = whole[::-1][1:] if reverse else whole[1:]  # h_t in that of the steps taken
        self.back(self.make())

    def make(self) -> RNNBack:
        return RNNBack(*self.size)

    def begin(self, state: Any) -> None:
        """Put the first state in its place; None for zeros."""
        self.states.steps[0][...] = 0 if state is None else state
        self.zero = state is None

    @property
    def value(self) -> Any:
        """The state after every step, in the order of time: a view that only this pass has."""
        return self.states.whole[self.part]


class RNNBack:
    """Room for a pass backwards: δ_t at every step, also `across`, (H, T B), as the products
    want it; one W_hhᵀ δ_t; and φ'(z_t) at as many steps as fit in the cache."""

    def __init__(self, T: int, B: int, H: int, dtype: Any, reverse: bool) -> None:
        self.delta, self.carry = Strip(T, B, H, dtype, reverse), np.empty((B, H), dtype)
        self.across = self.delta.rows.T
        size = block_of(T, B * H)
        self.slopes = Strip(size, B, H, dtype)
        self.taken = self.delta.whole[::-1] if reverse else self.delta.whole
        self.ranges = [(max(0, end - size), end) for end in range(T, 0, -size)]
        self.known = [self.steps(*k) for k in self.ranges] if T <= VIEWS else []

    def steps(self, start: int, end: int) -> tuple[Any, Any, Any, Any]:
        """A block of steps: which (None for all there are), their slopes and δ, in the order in
        which they are taken, and (δ, slope) of each of them, the last one first."""
        n = end - start
        pairs = zip(self.delta.steps[start:end][::-1], self.slopes.steps[:n][::-1])
        part = slice(start, end) if len(self.ranges) > 1 else None
        return part, self.slopes.whole[:n], self.taken[start:end], list(pairs)

    def blocks(self) -> Iterable[tuple[Any, Any, Any, Any]]:
        """The blocks, from the last step taken to the first, where they are not `known`."""
        return (self.steps(*k) for k in self.ranges)


class LSTMDesk(Desk):
    """Room for the states (two parts, with the first ones), for the gates, and for φ(c_t); lends a
    `LSTMBack`.

    `gates` (T, 4, B, H) stand one after the other, in the order in which the steps are taken, so
    that whatever is done to a gate, or to three of them, runs through memory in one go.
    """

    def __init__(self, T: int, B: int, H: int, dtype: Any, reverse: bool) -> None:
        self.size = T, B, H, dtype, reverse
        self.whole = np.empty((2, T + 1, B, H), dtype)
        super().__init__(self.whole)
        taken = self.whole[:, ::-1] if reverse else self.whole
        self.h, self.c = (views(part) for part in taken)
        self.before = self.whole[:, 1:] if reverse else self.whole[:, :-1]  # in the order of time
        self.c_before, self.c_after = taken[1, :-1], taken[1, 1:]  # in that of the steps taken
        kept = np.empty((T * B * H) * (6 if B == 1 else 5), dtype)
        gates, shown, _ = np.split(kept, [4 * T * B * H, 5 * T * B * H])
        self.gates, self.shown = gates.reshape(T, 4, B, H), shown.reshape(T, B, H)
        self.steps = views(self.gates)
        self.parts = [views(self.gates[:, k]) for k in range(4)]
        self.three, self.last_three = views(self.gates[:, :3]), views(self.gates[:, 1:3])
        self.shown_steps = views(self.shown)
        if B == 1:  # as `fused_lstm_one` wants it
            h, c = (part[:, 0, :, None] for part in taken)
            self.first = taken[:, 0].swapaxes(1, 2)
            self.lane = {"h": h[1:], "c": c[1:]}
            self.factors = kept.reshape(2, T, 3 * H)
        self.back(self.make())

    def make(self) -> LSTMBack:
        return LSTMBack(*self.size)

    @property
    def value(self) -> Any:
        """h_t and c_t after every step, in the order of time: a view that only this pass has."""
        return self.whole[:, :-1] if self.size[-1] else self.whole[:, 1:]


class LSTMBack:
    """Room for a pass backwards: δ_t at every step, which is W_xh x_t + b_h on the way forward;
    and, for as many steps as fit in the cache, what dL/dh_t or dL/dc_t is multiplied with. `gates`
    are the same, (T, 4, B, H), in the order of the steps taken."""

    def __init__(self, T: int, B: int, H: int, dtype: Any, reverse: bool) -> None:
        self.delta = Strip(T, B, 4 * H, dtype, reverse, FEW)
        turned = self.delta.whole[::-1] if reverse else self.delta.whole
        self.gates = by_gates(turned, 4)
        self.steps, self.first, self.others = (
            views(self.gates[part]) for part in (np.s_[:], np.s_[:, 0], np.s_[:, 1:]))
        self.block = block_of(T, B * H)
        self.factors = np.empty((self.block, 5, B, H), dtype)
        self.lane = turned.swapaxes(1, 2)
        self.benches: dict[tuple[int, int], Bench] = {}
        self.by_o, self.by_c, self.by_others = (
            views(self.factors[:, k]) for k in (0, 4, slice(1, 4)))

    def bench(self, lanes: int, I: int) -> Bench:
        """Room for the steps of a single sequence, or of so many pieces of it."""
        found = self.benches.get((lanes, I))
        if found is None:
            T, _, _, H = self.gates.shape
            found = self.benches[lanes, I] = Bench(T, H, I, self.gates.dtype, lanes)
        return found


class GRUDesk(Desk):
    """Room for the states, the first one among them, for the gates n, z, r, and for q (with the
    reset before, r * h_{t-1}); lends a `GRUBack` for `gates` of n, z, r, q.

    `gates` (T, 3, B, H) stand as those of a `LSTMDesk`.
    """

    def __init__(self, T: int, B: int, H: int, gates: int, dtype: Any, reverse: bool) -> None:
        self.size = T, B, H, gates, dtype, reverse
        self.states = Strip(T + 1, B, H, dtype, reverse, FEW)
        whole, self.past = self.states.whole, np.empty((T, B, H), dtype)
        super().__init__(whole, self.past)  # r * h_{t-1} is what a use of W_hn saw
        self.before = whole[1:] if reverse else whole[:-1]  # h_{t-1} in the order of time
        self.taken_before = (whole[::-1] if reverse else whole)[:-1]  # in that of the steps taken
        self.gates = np.empty((T, 3, B, H), dtype)
        self.parts = [views(self.gates[:, k]) for k in range(3)]
        self.two = views(self.gates[:, 1:])
        self.past_steps = views(self.past)
        self.back(self.make())

    def make(self) -> GRUBack:
        return GRUBack(*self.size)

    @property
    def value(self) -> Any:
        """The state after every step, in the order of time: a view that only this pass has."""
        whole = self.states.whole
        return whole[:-1] if self.size[-1] else whole[1:]


class GRUBack:
    """Room for a pass backwards: δ_t at every step, in part of which `from_x`, W_xh x_t + b_h,
    stands on the way forward; and, for as many steps as fit in the cache, what dL/dh_t or δ_n is
    multiplied with."""

    def __init__(self, T: int, B: int, H: int, gates: int, dtype: Any, reverse: bool) -> None:
        self.delta = Strip(T, B, gates * H, dtype, reverse, FEW)
        whole = self.delta.whole
        self.from_x = whole.reshape(-1)[:3 * T * B * H].reshape(T * B, 3 * H)
        from_x = by_gates(self.from_x.reshape(T, B, 3 * H)[::-1 if reverse else 1], 3)
        self.x_n, self.x_two = views(from_x[:, 0]), views(from_x[:, 1:])
        turned = whole[::-1] if reverse else whole
        self.parts = [views(by_gates(turned, gates)[:, k]) for k in range(gates)]  # n, z, r, q
        self.from_h = views(turned[..., H:])
        self.block = block_of(T, 4 * B * H)
        self.factors = np.empty((self.block, 4, B, H), dtype)
        self.by = [views(self.factors[:, k]) for k in range(4)]


def views(a: Any) -> Any:
    """The views of the steps of a gated layer."""
    return fused_room.views(a, FEW)


def by_gates(rows: Any, gates: int) -> Any:
    """(..., B, gates H) as (..., gates, B, H): a view."""
    return np.swapaxes(rows.reshape(*rows.shape[:-1], gates, rows.shape[-1] // gates), -3, -2)
