"""Laid: the wires that are laid already, found by where they run.

The question this file answers: *which wires are near?*

Whoever looks for a way asks about thousands of stretches, and each lies near a few wires only. The
straight parts of all wires are sorted by where they run, level ones by their height and upright
ones from left to right; those near a stretch stand next to each other then, and are found by
bisection. Their ends are found by squares of the paper. What is summed is summed in the order in
which the wires were laid.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, NamedTuple

from .model import Point

if TYPE_CHECKING:
    from .routing import Rect, Way


class Part(NamedTuple):
    """A straight part of a wire: at which x an upright one runs, at which y a level one, and from
    where to where; the `number` tells which one was laid first."""

    at: float
    number: int
    low: float
    high: float
    p: Point
    q: Point
    way: Way  # the whole wire


AT, NUMBER = itemgetter(0), attrgetter("number")
SQUARE = 20.0  # the side of a square of the paper


class Laid:
    """Wires, in the order in which they were laid. They are sorted when somebody first asks."""

    def __init__(self, ways: Iterable[Way] = ()) -> None:
        self.ways = list(ways)
        self.sorted = self.count = 0  # of the wires, and the parts they have
        self.parts: tuple[list[Part], list[Part]] = [], []  # upright ones, and level ones
        self.slanting: list[Part] = []
        self.ends: dict[tuple[int, int], list[tuple[float, float, bool]]] = {}  # by square: where
        # wires begin (True) and stop

    def lay(self, way: Way) -> None:
        """One more wire."""
        self.ways.append(way)

    def sort(self) -> None:
        """Put what is new where it will be looked for."""
        for way in self.ways[self.sorted:]:
            for at, begins in ((way[0], True), (way[-1], False)):
                self.ends.setdefault(squares(at, 0.0)[0], []).append((*at, begins))
            for p, q in pairwise(way):
                level = p[1] == q[1]
                low, high = sorted((p[1 - level], q[1 - level]))
                self.count += 1
                part = Part(p[level], self.count, low, high, p, q, way)
                (self.parts[level] if level or p[0] == q[0] else self.slanting).append(part)
        self.sorted = len(self.ways)
        for found in self.parts:
            found.sort()

    def touching(self, rect: Rect, margin: float = 0.0) -> Iterator[Part]:
        """The parts that touch a box, or a margin around it."""
        if self.sorted < len(self.ways):
            self.sort()
        for axis, parts in enumerate(self.parts):
            start = bisect_right(parts, rect[axis] - margin, key=AT)
            stop = bisect_left(parts, rect[axis + 2] + margin, lo=start, key=AT)
            low, high = rect[1 - axis] - margin, rect[3 - axis] + margin
            for part in parts[start:stop]:
                if part.low < high and part.high > low:
                    yield part
        for part in self.slanting:
            if crosses(part.p, part.q, rect, margin):
                yield part

    def shares(self, p: Point, q: Point, begins: Collection[Point], apart: float) -> list[float]:
        """The lengths along which a stretch would lie on others or too near beside them, but for
        wires that begin at some points."""
        if self.sorted < len(self.ways):
            self.sort()
        axis = int(p[1] == q[1])
        parts, by = self.parts[axis], apart + 1.0  # the numbers are rounded
        found = parts[bisect_left(parts, p[axis] - by, key=AT):
                      bisect_right(parts, p[axis] + by, key=AT)]
        if self.slanting and not axis:
            found += self.slanting
        return [shared(p, q, part.p, part.q, axis, apart) for part in sorted(found, key=NUMBER)
                if part.way[0] not in begins]

    def ending(self, at: Point, near: float) -> Iterator[bool]:
        """The ends of wires that are nearer to a point than a distance, along the axes; each says
        whether its wire begins there."""
        if self.sorted < len(self.ways):
            self.sort()
        for square in squares(at, near):
            for x, y, begins in self.ends.get(square, ()):
                if abs(x - at[0]) + abs(y - at[1]) < near:
                    yield begins


def squares(at: Point, near: float) -> list[tuple[int, int]]:
    """The squares of the paper that are nearer to a point than a distance, along the axes."""
    (x, y), side = at, SQUARE
    return [(i, j) for i in range(int((x - near) // side), int((x + near) // side) + 1)
            for j in range(int((y - near) // side), int((y + near) // side) + 1)]


def crosses(p: Point, q: Point, rect: Rect, margin: float) -> bool:
    """Whether the upright or level stretch from `p` to `q` touches the rectangle."""
    return (
        min(p[0], q[0]) < rect[2] + margin
        and max(p[0], q[0]) > rect[0] - margin
        and min(p[1], q[1]) < rect[3] + margin
        and max(p[1], q[1]) > rect[1] - margin
    )


def shared(p: Point, q: Point, r: Point, s: Point, axis: int, apart: float) -> float:
    """The length along which two parallel stretches lie nearer to each other than `apart`."""
    if abs(p[axis] - r[axis]) >= apart:
        return 0.0
    along = 1 - axis
    low = max(min(p[along], q[along]), min(r[along], s[along]))
    high = min(max(p[along], q[along]), max(r[along], s[along]))
    return max(0.0, high - low)
