"""Delays: where the black square of a delayed wire can stand.

The question this file answers: *which wires does a square delay?*

What is on a stem that several wires share delays them all, and what covers an arrow head hides
where a wire goes. So a square stands away from heads, on the part of a wire that is its own, or
that it shares with wires of the same lag only: these have one square then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from .blocks import overlap
from .heads import drawn_head
from .laid import Laid, crosses
from .model import Point
from .routing import Field, Rect, Way

SIDE = 8.0  # of a square
STEP = 3.0  # so far apart are the places that are looked at, where the usual ones do not do
HEAD, WIRE, BOX = 4.0, 3.0, 1.0  # how far it keeps from heads, wires of its own thing, and boxes
HAIR = 0.01  # so near to one place, two wires begin at different ones
THICK = 2.0  # the width of a wire whose head is large


def along(way: Way) -> list[Point]:
    """Points on the stretches of a wire, on the longest one first and from its middle; on none of
    its bends."""
    return [(p[0] + (q[0] - p[0]) * k / 16, p[1] + (q[1] - p[1]) * k / 16)
            for p, q in longest(way) for k in (8, 9, 7, 10, 6, 11, 5, 12, 4, 13, 3)
            if min(k, 16 - k) / 16 * far(p, q) >= SIDE / 2]


def closely(way: Way) -> Iterator[Point]:
    """Many points on the stretches of a wire, on none of its bends."""
    for p, q in longest(way):
        for k in range(1, int((far(p, q) - SIDE) / STEP)):
            part = (SIDE / 2 + k * STEP) / far(p, q)
            yield p[0] + (q[0] - p[0]) * part, p[1] + (q[1] - p[1]) * part


def longest(way: Way) -> list[tuple[Point, Point]]:
    """The stretches of a way, the longest first."""
    return sorted(pairwise(way), reverse=True, key=lambda part: far(*part))


def halfway(way: Way) -> Point:
    """The middle of the longest stretch."""
    p, q = longest(way)[0]
    return (p[0] + q[0]) / 2, (p[1] + q[1]) / 2


def far(p: Point, q: Point) -> float:
    """How far two points of a way are from each other."""
    return abs(p[0] - q[0]) + abs(p[1] - q[1])


def square(at: Point, margin: float = 0.0) -> Rect:
    """What a square at a point fills."""
    half = SIDE / 2 + margin
    return at[0] - half, at[1] - half, at[0] + half, at[1] + half


def fits(at: Point, others: Iterable[Sequence[Point]], heads: Iterable[Rect]) -> bool:
    """Whether a square at a point is on none of the `others` that begin where its wire does, nor
    near to any of the `heads`."""
    left, top, right, bottom = square(at, HEAD)
    return not any(left < r[2] and r[0] < right and top < r[3] and r[1] < bottom for r in heads) \
        and not any(crosses(p, q, square(at), WIRE) for way in others for p, q in pairwise(way))


def straight(way: Way, at: Point) -> int | None:
    """The axis along which a way runs straight through a square at a point: 0 is level, 1 upright;
    or None, if it does not."""
    left, top, right, bottom = square(at, WIRE)
    for p, q in pairwise(way):
        axis = int(p[0] == q[0])
        if crosses(p, q, (*at, *at), WIRE / 2) and not any(
                left < x < right and top < y < bottom for x, y in (p, q)):
            return axis
    return None


def with_it(way: Way, same: Iterable[Way], at: Point) -> list[Way]:
    """Those of some wires with the `same` lag that a square at a point of a way delays too."""
    axis = straight(way, at)
    return [other for other in same if axis is not None and straight(other, at) == axis]


def room(way: Way, laid: Iterable[Way], tail: Rect, same: Collection[Way],
         boxes: Sequence[Rect]) -> bool:
    """Whether a square fits somewhere on a wire that leaves `tail`, beside those that are laid and
    some boxes; it may be that of others with the `same` lag too."""
    others = [other for other in laid if other != way]
    heads = [drawn_head(other, THICK) for other in (way, *others)]
    siblings = [other for other in others if crosses(other[0], other[0], tail, 1.0)]
    apart = [other for other in siblings if other not in same]
    alike = [other for other in siblings if other in same]
    for at in (*along(way), *closely(way)):
        left = [*apart, *(set(alike) - set(with_it(way, alike, at)))] if alike else apart
        if fits(at, left, heads) and not any(overlap(square(at, BOX), box) for box in boxes):
            return True
    return False


class Delayed(NamedTuple):
    """A delayed wire: what it leaves, and its lag, which it may have in common with others."""

    tail: Rect
    lag: Hashable


class Squares:
    """The delayed wires that are laid; those without room for a square, because of others, are
    `crowded`."""

    def __init__(self) -> None:
        self.delayed: dict[Way, Delayed] = {}
        self.crowded = set[Way]()

    def with_room(self, lag: Hashable, field: Field, tail: Rect, find: Callable[[], Way]) -> Way:
        """The way of a wire from `tail` that can be found in a field, of some `lag` or of none,
        which leaves room for all squares: if need be one that goes apart from all that leave
        `tail`."""
        way, wires = find(), field.wires
        laid = {way: self.delayed[way] for way in wires.ways if way in self.delayed}
        own = Delayed(tail, lag) if lag else None
        without = self.without(way, own, laid, field)
        if without:
            field.wires = Laid(as_strangers(wires.ways, tail))
            apart, field.wires = find(), wires
            less = self.without(apart, own, laid, field)
            if len(less) < len(without):
                way, without = apart, less
        self.crowded |= without
        if own:
            self.delayed[way] = own
        return way

    def without(self, way: Way, own: Delayed | None, delayed: dict[Way, Delayed],
                field: Field) -> set[Way]:
        """The wires without room for a square, but for those that are known, if a new way were laid
        in a field, where some are `delayed`."""
        every = {**delayed, way: own} if own else delayed
        found = set[Way]()
        for one, it in every.items():
            same = [other for other, its in every.items() if its == it]
            if one not in self.crowded and not room(
                    one, [*field.wires.ways, way], it.tail, same, field.boxes):
                found.add(one)
        return found


def as_strangers(ways: Iterable[Way], tail: Rect) -> list[Way]:
    """Wires, those from `tail` as if they began a hair further on: another that leaves it does not
    go together with them then, but keeps away."""
    return [(further(*way[:2]), *way[1:]) if crosses(way[0], way[0], tail, 1.0) else way
            for way in ways]


def further(p: Point, q: Point) -> Point:
    """A point that is a hair nearer to the next one of its way."""
    part = HAIR / (far(p, q) or 1.0)
    return p[0] + (q[0] - p[0]) * part, p[1] + (q[1] - p[1]) * part
