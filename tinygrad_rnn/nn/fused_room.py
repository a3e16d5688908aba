"""Room for arrays, used again where nobody else can see it.

The question this file answers: *why is the second step of a training loop faster than the first?*

A fresh array of a megabyte costs as much as the arithmetic on it: its pages come from the system
one by one. And at size 3 it is the views of single steps, h_t, z_t, δ_t, that cost as much as the
arithmetic on them. A layer therefore keeps the desks of its last passes, arrays and views, and
takes one of them again when nothing else holds it: no graph, no view, no variable of the user's.
Python counts the references to every object, and so knows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

MOST, EACH = 16, 4  # how many shapes are remembered, and how many desks of each
VIEWS = 4096        # steps whose views are kept; of a longer sequence they are made as they come
D = TypeVar("D", bound="Desk")


class Strip:
    """An array for all steps, (T, B, n) in the order of time: `whole`, and as `rows` (T B, n).

    `steps` are the views of the single ones, in the order in which they are taken.
    """

    __slots__ = ("rows", "steps", "whole")

    def __init__(self, T: int, B: int, n: int, dtype: Any, reverse: bool = False,
                 most: int = VIEWS) -> None:
        self.whole = np.empty((T, B, n), dtype)
        self.rows = self.whole.reshape(T * B, n)
        self.steps = views(self.whole[::-1] if reverse else self.whole, most)


def views(a: Any, most: int = VIEWS) -> Any:
    """The steps of an array, each as a view: something to go through and to take from."""
    return list(a) if len(a) <= most else a


class Desk:
    """The arrays of a pass. `seen` are those that somebody outside may come to see (the states).

    What a pass backwards writes to is lent to it (`lend`, and `back` when it is done with): two at
    the same time never get the same, and what is not brought back, since a flow shows it, is not
    lent again.
    """

    def __init__(self, *seen: Any) -> None:
        self.seen = seen
        self.spare: list[Any] = []
        self.alone: list[int] = []  # how many hold it while nobody does

    def lend(self) -> Any:
        """Room for what a pass backwards finds."""
        try:
            return self.spare.pop()  # in one go: no other thread can get it now
        except IndexError:
            return self.make()

    def back(self, lent: Any) -> None:
        """It may be lent again."""
        if not self.spare:
            self.spare.append(lent)

    def make(self) -> Any:
        """What is lent."""
        raise NotImplementedError


class Shelf:
    """The desks of one size: `make(*size)` each."""

    __slots__ = ("kept", "make", "size")

    def __init__(self, make: Callable[..., Any], size: tuple[Any, ...]) -> None:
        self.make, self.size, self.kept = make, size, list[Any]()

    def desk(self) -> Any:
        """A desk that was made before and that nobody else holds, nor one of its arrays that can
        be seen; or a new one. What is in it is left over."""
        kept, holders = self.kept, sys.getrefcount
        for _ in range(len(kept)):
            try:
                desk = kept.pop(0)  # out of the list first: no other thread can find it now
            except IndexError:
                break
            alone = [holders(desk), *map(holders, desk.seen)] == desk.alone
            kept.append(desk)
            if alone:
                return desk
        desk = self.make(*self.size)
        desk.alone = [holders(desk), *map(holders, desk.seen)]
        if len(kept) < EACH:
            kept.append(desk)
        return desk


class Room:
    """The desks of the last passes of a layer."""

    def __init__(self) -> None:
        self.shelves: dict[tuple[Any, ...], Shelf] = {}

    def __copy__(self) -> Room:
        return Room()

    def __deepcopy__(self, memo: Any) -> Room:
        return Room()

    def shelf(self, make: Callable[..., Any], *size: Any) -> Shelf:
        """The desks of this size."""
        found = self.shelves.get((make, size))
        if found is None:
            if len(self.shelves) >= MOST:
                self.shelves.clear()
            found = self.shelves[make, size] = Shelf(make, size)
        return found

    def desk(self, make: Callable[..., D], *size: Any) -> D:
        """One of them."""
        found: D = self.shelf(make, *size).desk()
        return found
