"""A long sequence taken apart in time: pieces of it side by side, and every border verified.

The question this file answers: *must step t wait for step t - 1?*

It must, if the network remembers. But most networks forget: after W steps nothing of a state is
left but what was computed since. Then the sequence may be cut into pieces. Each piece begins W
steps before its own first step, from a state of zeros, and all pieces pass over one bench side by
side, as a batch would (multiple shooting: Nievergelt 1964). One call of NumPy then does a step of
each piece, and the product of a matrix and a vector becomes one of two matrices.

Nothing is taken on trust. One of the lanes, which has nothing else to do before the pieces begin,
takes the same steps as another one from a state far away: W is enough when the two are one. And
afterwards every border is verified: the state with which a piece entered its own steps has to be
the one with which the piece before it ended, entry by entry, up to `ROUNDINGS` units in the last
place of what the last step had to add up to make that entry (`fused_rounding`). By as much that
step may be wrong anyway. So the equation of every step holds to rounding, the measured one at a
border like any other, and the result is one that the plain loop might have given. It has to be by
entry: beside a c of 0.5 there may be one of 1e-18 that nothing is added to, and all of that is
memory. If a border does not hold, the piece behind it is taken again from the true end of the one
before: no step stays that was not verified.

Back it is the same. (dL/dh, dL/dc) at step t hang on those at t + 1 linearly, through the same
derivatives, and a piece begins W steps after its own last one, where they are zero. The border is
verified in the same way, each entry by its own size, not by the largest gradient anywhere. So a
gradient that vanishes on its long way is not cut off: where nothing arrives near the borders, as
with a loss at the last step alone, the pieces are taken one after the other.

All of this is decided from the numbers of the pass itself. Of a network that remembers the two
lanes do not come closer, which is seen after some steps and costs a few hundredths of the plain
loop.
"""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple, TypeVar

import numpy as np

LONG = 1000    # steps from which on a sequence is taken apart
STRIDE = 8     # steps until the first look at how far it has forgotten; then it is twice as many
MOST = 512     # steps that may go by until it has forgotten
ROUNDINGS = 4  # how far apart, in units of the last place, the same number may be
S = TypeVar("S", bound="Lanes")


class Apart(NamedTuple):
    """How a sequence was taken: `lanes` pieces of `n` steps side by side, after `warm` steps each.
    What is left over at the end, fewer than `lanes` steps, comes after them."""

    lanes: int
    n: int
    warm: int


class Lanes:
    """What the loops of a cell know of their pieces: n steps of each, and what comes in,
    x (n, I, lanes)."""

    n: int
    lanes: int
    x: Any
    ahead: Any
    back: Any
    size: Any
    size_back: Any

    def whole_ahead(self, state: Any) -> tuple[Any, Any]:
        """All steps, from `state`: the state after them, and its sizes (see `fused_rounding`)."""
        end = np.stack(self.ahead(state, 0, self.n))
        with np.errstate(all="ignore"):
            return end, self.size()

    def whole_back(self, carry: Any) -> tuple[Any, Any]:
        """All steps back, from `carry`, which is written over: what the first state gets from
        them, and its sizes."""
        later = self.back(carry, 1, self.n).copy()
        first = self.back(carry, 0, 1)
        with np.errstate(all="ignore"):
            return first, self.size_back(later)

    def twins(self: S, n: int, lane: int) -> S:
        """The last n steps of each piece, for a look ahead; in the last lane those of another."""
        found = copy(self)
        found.x = np.ascontiguousarray(self.x[self.n - n:])
        found.x[..., -1] = found.x[..., lane]
        return found


def pieces(a: Any, lanes: int) -> Any:
    """(n lanes, numbers, 1) as (n, numbers, lanes): a view, each piece of n steps in a lane."""
    return a.reshape(lanes, len(a) // lanes, a.shape[1]).transpose(1, 2, 0)


def ahead(stretch: Any, T: int, first: Any) -> Apart:
    """All T steps from the state `first` (parts, H, 1), in pieces where that can be verified.

    `stretch(first, n, lanes)` gives the loops over `lanes` pieces of n steps, from step `first` on:
    see `fused_lstm_one.Stretch`.
    """
    lanes = lanes_of(T)
    if lanes > 1:
        taken = side_by_side(stretch, T, lanes, first)
        if taken is not None:
            return taken
    stretch(0, T, 1).ahead(first, 0, T)
    return Apart(1, T, 0)


def lanes_of(T: int) -> int:
    """Into how many pieces a sequence is cut."""
    return 1 if T < LONG else 8 if T < 2 * LONG else 16


def side_by_side(stretch: Any, T: int, lanes: int, first: Any) -> Apart | None:
    """The same in so many pieces; None if the network does not forget. A piece whose first state
    is not the last one of the piece before is taken again, from that."""
    n = T // lanes
    whole = stretch(0, n, lanes)
    warm, before = warmed(whole, (*first.shape[:2], lanes), first.dtype)
    if not warm:
        return None
    start = np.concatenate([first, before[..., :-1]], 2)
    end, size = whole.whole_ahead(start)
    far = roundings(start[..., 1:], end[..., :-1], size[..., :-1])  # of each border
    for k in range(1, lanes):
        if far[k - 1] > ROUNDINGS:
            end[..., k:k + 1], size[..., k:k + 1] = whole.lane(k).whole_ahead(end[..., k - 1:k])
            far[k:k + 1] = roundings(
                start[..., k + 1:k + 2], end[..., k:k + 1], size[..., k:k + 1])
    if n * lanes < T:
        stretch(n * lanes, T - n * lanes, 1).ahead(end[..., -1:], 0, T - n * lanes)
    return Apart(lanes, n, warm)


def warmed(whole: Any, shape: tuple[int, ...], dtype: Any) -> tuple[int, Any]:
    """How many steps before its own a piece has to begin, and the states (parts, H, lanes) in which
    all of them are after the steps before those of the next one. 0 steps if the network does not
    forget in the length of a piece.

    The last piece has none behind it. Its lane takes the steps of another one, from a state far
    away from zeros: the two have to meet.
    """
    most, twin = min(whole.n, MOST) // STRIDE * STRIDE, shape[2] // 2
    warm = min(most, 7 * np.finfo(dtype).nmant // 4 // STRIDE * STRIDE)
    while True:
        steps, (k, far) = whole.twins(warm, twin), (0, 1 / float(np.finfo(dtype).eps))
        state = np.zeros(shape, dtype)
        state[..., -1] = np.resize([1, -1], shape[1])
        while k < warm:
            before, was, k = k, far, max(STRIDE, 2 * k)
            k = k if 2 * k <= warm else warm
            state = np.stack(steps.ahead(state, before, k, keep=False))
            far = float(roundings(state[..., -1:], state[..., twin:twin + 1])[0])
            needs = k + (k - before) * reach(was, far)
            if before and needs > 1.5 * most:
                return 0, state
        if far <= ROUNDINGS:
            return warm, state
        tried, warm = warm, min(most, int(1.4 * needs) // STRIDE * STRIDE)
        if warm <= tried:
            return 0, state


def reach(before: float, now: float) -> float:
    """After how many stretches of steps more two states will be the same that are so many roundings
    apart and were so many before the last one, if they go on so. Infinite if they did not come
    closer."""
    if now <= ROUNDINGS:
        return 0.0
    return np.log(ROUNDINGS / now) / np.log(now / before) if now < before else np.inf


def roundings(one: Any, other: Any, size: Any = None) -> Any:
    """How far apart two states (parts, H, lanes) are at most, in each lane: the largest difference,
    in units of the last place of `size`, or of the largest entry of the same part and lane.
    Infinite if an entry is not a number, or is infinite itself."""
    with np.errstate(all="ignore"):
        far, most = np.abs(one - other), np.maximum.reduce
        size = most(np.abs(other), 1, keepdims=True) if size is None else size
        found = most(np.where(far > 0, far / size, far), (0, 1)) / np.finfo(one.dtype).eps
    return np.where(found < np.inf, found, np.inf)


def back(stretch: Any, T: int, taken: Apart, carry: Any) -> Any:
    """All δ_t, from `carry`, what the last state gets from behind it (parts, H, 1), which may be
    written over: the same for the first one. `stretch` as above, with what arrives at the
    steps."""
    lanes, n, warm = taken
    if lanes == 1:
        return stretch(0, T, 1).back(carry, 0, T)
    if n * lanes < T:
        carry = stretch(n * lanes, T - n * lanes, 1).back(carry, 0, T - n * lanes)
    whole = stretch(0, n, lanes)
    if whole.g[:STRIDE, :, 1:].any((0, 1)).all():
        start = np.zeros((*carry.shape[:2], lanes), carry.dtype)
        after = whole.back(start, 0, warm, keep=False)  # the steps after those of the lane before
        start = np.concatenate([after[..., 1:], carry], 2)
        end, sizes = whole.whole_back(start.copy())
    else:  # nothing arrives near a border: what crosses it comes from far away
        start = end = sizes = np.full((*carry.shape[:2], lanes), np.nan, carry.dtype)
    # of each border; what the last piece began with has no size, since it comes from outside
    far = roundings(start[..., :-1], end[..., 1:], sizes[..., 1:])
    for k in reversed(range(lanes)):
        if (far[k] if k < lanes - 1 else roundings(start[..., k:], carry)[0]) <= ROUNDINGS:
            carry = end[..., k:k + 1]
        else:
            carry, size = whole.lane(k).whole_back(carry.copy())
            far[k - 1:k] = roundings(start[..., k - 1:k], carry, size)  # none before the first
    return carry
