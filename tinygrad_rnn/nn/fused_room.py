"""Room for arrays, used again where nobody else can see it.

The question this file answers: *why is the second step of a training loop faster than the first?*

A fresh array of a megabyte costs as much as the arithmetic on it: its pages come from the system
one by one. A layer therefore keeps the arrays of its last passes, and takes one of them again when
nothing else holds it: no node, no view, no variable of the user's. Python counts the references to
every object, and so knows.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

MOST, EACH = 16, 4  # how many shapes are remembered, and how many arrays of each


class Room:
    """Arrays that were used and may be used again. `empty` is np.empty, with luck without the
    system's part in it."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Any, ...], list[Any]] = {}

    def __copy__(self) -> Room:
        return Room()

    def __deepcopy__(self, memo: Any) -> Room:
        return Room()

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """An array of this shape that nobody else holds. What is in it is left over."""
        kept = self.kept.get((shape, dtype))
        if kept is None:
            if len(self.kept) >= MOST:
                self.kept.clear()
            kept = self.kept[shape, dtype] = []
        for _ in range(len(kept)):
            try:
                array = kept.pop(0)  # out of the list first: no other thread can find it now
            except IndexError:
                break
            alone = sys.getrefcount(array) == 2  # the name `array`, and the call's argument
            kept.append(array)
            if alone:
                return array
        array = np.empty(shape, dtype)
        if len(kept) < EACH:
            kept.append(array)
        return array
