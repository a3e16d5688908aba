"""The way of a fused layer along its sequence: direction, masks and dropout, as arrays.

The question this file answers: *what happens between two steps, besides the cell?*

    before_t = fresh where a sequence begins at t, else s_{t-1}
    seen_t   = before_t * m                          what W_hh gets to see; m is a dropout mask
    s_t      = the cell's new state, where the sample is valid at t, else before_t

and backwards, with d for the gradient of what stands behind it:

    d new_t    = d s_t where valid, else 0
    d before_t = d seen_t * m + d s_t where not valid (and what the cell itself sends back)
    d s_{t-1}  = 0 where a sequence begins at t, else d before_t; d fresh gets the rest

A kernel goes through the steps in the order in which they are taken: for a layer in reverse all
arrays are looked at from their end, which costs nothing. One that has nothing of all this (`plain`)
passes by.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .fused_room import Room

BLOCK = 1 << 15  # entries that a block of steps may have: what fits in the cache of a core


def block_of(T: int, width: int) -> int:
    """How many of T steps go together, if a step has `width` numbers."""
    return max(1, min(T, BLOCK // max(1, width)))


class Way:
    """`valid` and `begins` are boolean (T, B, 1) in the order of time, or None; `mask` (B, H) or
    None; `fresh` the state parts (B, H) that a sample starts anew from; `room` has the desks.
    `zero` says that the state before the first step is 0, `only_h` that of a state of several parts
    nobody sees more than the first one."""

    __slots__ = ("T", "begins", "fresh", "lanes", "mask", "only_h", "plain", "reverse", "room",
                 "same", "shelf", "valid", "zero")

    def __init__(self, T: int, reverse: bool, room: Room, valid: Any = None, begins: Any = None,
                 mask: Any = None, fresh: list[Any] | None = None, zero: bool = False,
                 only_h: bool = False) -> None:
        self.T, self.reverse, self.mask, self.fresh = T, reverse, mask, fresh or []
        self.room, self.zero, self.only_h = room, zero, only_h
        self.shelf: Any = None  # of the desks for a pass this way, always of the same size
        self.lanes = 1          # pieces that go side by side
        self.valid, self.begins = self.turned(valid), self.turned(begins)
        self.plain = valid is None and begins is None and mask is None
        self.same = begins is None and mask is None  # W_hh sees the state before, as it is

    def turned(self, a: Any) -> Any:
        """An array (T, ...) in the order in which the steps are taken; and back again."""
        return a[::-1] if self.reverse and a is not None else a

    # --- forward --------------------------------------------------------------------------------

    def before(self, k: int, state: Any, part: int = 0) -> Any:
        """Part `part` of the state before the step taken k-th."""
        return state if self.begins is None else np.where(self.begins[k], self.fresh[part], state)

    def after(self, k: int, new: Any, before: Any) -> None:
        """Where the sample is not valid, the state stays: written into `new`."""
        if self.valid is not None:
            np.copyto(new, before, where=~self.valid[k])

    # --- backward -------------------------------------------------------------------------------

    def split(self, k: int, d: Any) -> tuple[Any, Any]:
        """d s as (d new, what stays for d before)."""
        if self.valid is None:
            return d, None
        return np.where(self.valid[k], d, 0), np.where(self.valid[k], 0, d)

    def back(self, k: int, d: Any, d_fresh: Any) -> Any:
        """d s_{t-1} from d before_t; `d_fresh` gets its part."""
        if self.begins is None:
            return d
        d_fresh += np.where(self.begins[k], d, 0)
        return np.where(self.begins[k], 0, d)
