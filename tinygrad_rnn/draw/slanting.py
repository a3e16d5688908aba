"""Slanting: wires of a layered layout that would lie on one another, told apart.

The question this file answers: *which of two wires is it that I am following?*

A wire between layers goes the straightest way that meets no box, whatever others do. Where two from
different things would be one line for a while, one of them leaves its outline elsewhere, or bends
where its layers keep a slot for it. All other wires stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import dist

from .model import Point
from .routing import Way

Part = tuple[Point, Point]  # a straight part of a way
WIDE, PARALLEL, SLANTED = 1.5, 6.0, 18.0  # so near for so long, two lines are one; if they cross
SQUARE, ROUNDS, TRIES = 160.0, 3, 3000  # so many other ways are looked at in all
KNEES = (0.3, 0.7, 0.15, 0.85, 0.5)  # where a straight part may bend, if nothing else is free
SHIFTS = (0.0, 5.0, -5.0, 9.0, -9.0)  # how far its slots may be left


class Legs:
    """The straight parts of some ways, found by where they are. `whose` tells the wires of one
    thing, which may run together, from others."""

    def __init__(self, ways: Sequence[Way], whose: Sequence[object]) -> None:
        self.ways, self.whose = list(ways), whose
        self.squares: dict[tuple[int, int], set[tuple[int, Part]]] = {}
        self.known: dict[tuple[int, Part], float] = {}  # until a way changes
        for i, way in enumerate(ways):
            for part in pairwise(way):
                self.put(i, part)

    def put(self, i: int, part: Part) -> None:
        """A part of way `i`, into every square that it passes."""
        for square in squares(part):
            self.squares.setdefault(square, set()).add((i, part))

    def change(self, i: int, way: Way) -> None:
        """Another way for `i`."""
        for part in pairwise(self.ways[i]):
            for square in squares(part):
                self.squares[square].discard((i, part))
        self.ways[i] = way
        self.known.clear()
        for part in pairwise(way):
            self.put(i, part)

    def upon(self, i: int, part: Part) -> float:
        """How much of a straight part of way `i` lies on those of other things."""
        known = self.known.get((i, part))
        if known is None:
            near = {item for square in squares(part) for item in self.squares.get(square, ())}
            known = sum(together(part, other) for k, other in sorted(near)
                        if self.whose[k] != self.whose[i] and touching(part, other))
            self.known[i, part] = known
        return known

    def all_upon(self, i: int, way: Way) -> float:
        """How much of a way does."""
        return sum(self.upon(i, part) for part in pairwise(way))


def told_apart(laid: Legs, others: Callable[[int], Iterable[Way]]) -> list[Way]:
    """The ways, those that lie on another exchanged for the first of the `others` of theirs that
    lies on none; if all do, for the one that does least."""
    tries = 0
    for _ in range(ROUNDS):
        changed = False
        for i, way in enumerate(laid.ways):
            least = laid.all_upon(i, way)
            found = None
            for other in others(i) if least and tries < TRIES else ():
                now, tries = laid.all_upon(i, other), tries + 1
                if now < least:
                    found, least = other, now
                if not least:
                    break
            if found is not None:
                laid.change(i, found)
                changed = True
        if not changed:
            break
    return laid.ways


def other_ways(way: Way, begins: Sequence[Point], slots: Sequence[Point],
               free: Callable[[Point, Point], bool]) -> Iterator[Sequence[Point]]:
    """Ways to where a way ends from any of some points, through its slots or straight past them
    where that is `free`; the straightest first, and at last with one more bend."""
    for aside in SHIFTS:
        moved = [(x, y + aside) for x, y in slots]
        for begin in begins:
            yield tight([begin, *moved, way[-1]], free)
            yield begin, *moved, way[-1]
    yield from kneed(way, free)


def tight(points: Sequence[Point], free: Callable[[Point, Point], bool]) -> list[Point]:
    """A way without the bends that nothing makes necessary."""
    found, i = [points[0]], 0
    while i < len(points) - 1:
        j = i + 1
        while j + 1 < len(points) and free(points[i], points[j + 1]):
            j += 1
        found.append(points[j])
        i = j
    return found


def kneed(way: Way, free: Callable[[Point, Point], bool]) -> Iterator[Way]:
    """A way with one more bend in a part that is not free: level on one side of it."""
    for k, ((ax, ay), (bx, by)) in enumerate(pairwise(way)):
        for far in KNEES if not free((ax, ay), (bx, by)) else ():
            for y in (ay, by):
                yield (*way[:k + 1], (ax + (bx - ax) * far, y), *way[k + 1:])


def squares(part: Part) -> list[tuple[int, int]]:
    """The squares of the paper that a straight line passes."""
    (ax, ay), (bx, by) = part if part[0] <= part[1] else part[::-1]
    steep = (by - ay) / (bx - ax) if bx > ax else 0.0
    up, down = (ay, by) if ay <= by else (by, ay)
    more = WIDE * (1.0 + abs(steep))
    found = []
    for k in range(int((ax - WIDE) // SQUARE), int((bx + WIDE) // SQUARE) + 1):
        low, high = up, down
        if steep:
            y = ay + steep * (k * SQUARE - ax)
            z = y + steep * SQUARE
            low, high = (y, z) if y <= z else (z, y)
            low, high = max(low - more, up), min(high + more, down)
        for j in range(int((low - WIDE) // SQUARE), int((high + WIDE) // SQUARE) + 1):
            found.append((k, j))
    return found


def touching(a: Part, b: Part) -> bool:
    """Whether the boxes around two straight lines come near each other."""
    (ax, ay), (bx, by) = a
    (cx, cy), (dx, dy) = b
    if ax > bx:
        ax, bx = bx, ax
    if cx > dx:
        cx, dx = dx, cx
    if ax > dx + WIDE or cx > bx + WIDE:
        return False
    if ay > by:
        ay, by = by, ay
    if cy > dy:
        cy, dy = dy, cy
    return ay <= dy + WIDE and cy <= by + WIDE


def together(a: Part, b: Part) -> float:
    """The length along which two straight parts are one line to the eye, or 0."""
    (x, y), long = a[0], dist(*a)
    if not long:
        return 0.0
    dx, dy = (a[1][0] - x) / long, (a[1][1] - y) / long
    (s, up), (t, to) = sorted(((p[0] - x) * dx + (p[1] - y) * dy, (p[1] - y) * dx - (p[0] - x) * dy)
                              for p in b)  # along a, and beside it
    low, high = max(0.0, s), min(long, t)
    if high - low <= PARALLEL:
        return 0.0
    slope = (to - up) / (t - s)
    if not slope:
        return high - low if abs(up) < WIDE else 0.0
    ends = sorted(s + (d - up) / slope for d in (-WIDE, WIDE))
    length = min(high, ends[1]) - max(low, ends[0])
    return length if length > (PARALLEL if abs(slope) * (high - low) < WIDE else SLANTED) else 0.0
