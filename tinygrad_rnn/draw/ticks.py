"""Ticks: the round numbers that are written beside an axis.

The question this file answers: *which steps are named, where not all of them can be?*

The first and the last always are; between them the multiples of 1, 2 or 5 times a power of ten,
as close as there is room.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count, pairwise
from typing import Any

import numpy as np

ROUND = 1, 2, 5


def ticks(numbers: Any, room: float) -> list[int]:
    """The places of the numbers that are written; at least `room` places from one to the next.
    Where numbers begin again (another stage), the first of them is written too."""
    last = len(numbers) - 1
    step = next(m * 10**k for k in count() for m in ROUND if m * 10**k >= room)
    ends = [*begins(numbers), last]
    between = (i for i in np.flatnonzero(np.remainder(numbers, step) == 0).tolist()
               if all(abs(i - end) >= room for end in ends))
    kept = sorted({*chain(ends, between)})
    near = len(kept) > 1 and last - kept[-2] < room  # to where numbers begin again
    return kept[:-1] if near else kept


def begins(numbers: Any) -> list[int]:
    """The places where numbers begin, and begin again."""
    return [0, *(np.flatnonzero(np.diff(numbers) <= 0) + 1).tolist()]


def whole(names: Sequence[str]) -> list[int] | None:
    """The numbers that names are, if they are whole numbers that go up one by one."""
    if not all(name.isascii() and name.isdigit() for name in names):
        return None
    numbers = [int(name) for name in names]
    return numbers if all(b - a == 1 for a, b in pairwise(numbers)) else None
