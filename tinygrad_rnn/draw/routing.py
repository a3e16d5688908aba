"""Routing: a line from one box to another that crosses no third one.

The question this file answers: *how does a wire get there?*

A few shapes are tried (straight, one bend, two, and round through the channels between rows and
columns, which are always free) and the best is taken: clear of boxes, not on top of another wire,
few bends, short. Lines leave and enter at the middle of a side, so that a program that draws
straight lines between centres (Graphviz) shows the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, pairwise
from operator import itemgetter

from .model import Point

Rect = tuple[float, float, float, float]  # left, top, right, bottom
Way = tuple[Point, ...]
first = itemgetter(0)
CLEAR, INTO = 4.0, 4.0  # how far a line keeps from boxes, and how far it may reach into its ends
PORT, CORNER = 9.0, 12.0  # how far ends of wires stand apart, and how far from a corner
MOST = 600  # so many ways are looked at, the shortest ones
SEEN = 7.0  # two lines that lie on one another for so long are taken for one
SHARED = 400.0  # what it costs to end where another wire ends


def centre(rect: Rect) -> Point:
    """The middle of a rectangle."""
    return (rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2


def moved(rect: Rect, dx: float, dy: float = 0.0) -> Rect:
    """A rectangle further to the right, and down."""
    return rect[0] + dx, rect[1] + dy, rect[2] + dx, rect[3] + dy


def shifted(way: Way, dx: float, dy: float = 0.0) -> Way:
    """A way further to the right, and down."""
    return tuple([(x + dx, y + dy) for x, y in way])


def crosses(p: Point, q: Point, rect: Rect, margin: float) -> bool:
    """Whether the upright or level stretch from `p` to `q` touches the rectangle."""
    return (
        min(p[0], q[0]) < rect[2] + margin
        and max(p[0], q[0]) > rect[0] - margin
        and min(p[1], q[1]) < rect[3] + margin
        and max(p[1], q[1]) > rect[1] - margin
    )


def stretches(way: Sequence[Point]) -> Iterable[tuple[Point, Point]]:
    """The straight parts of a way."""
    return pairwise(way)


class Field:
    """The boxes that are in the way, and the wires that are already laid; `rails` are crossed
    freely, and not run along."""

    def __init__(self, boxes: Iterable[Rect] = (), wires: Iterable[Way] = (),
                 rails: Iterable[Way] = ()) -> None:
        self.boxes, self.wires, self.rails = list(boxes), list(wires), list(rails)

    def clear(self, way: Way, ends: Iterable[Rect] = ()) -> bool:
        """Whether a way touches no box; it may touch its `ends` where it begins and stops."""
        ends = list(ends)
        return all(self.passes(p, q, ends) for p, q in stretches(way))

    def passes(self, p: Point, q: Point, ends: Sequence[Rect]) -> bool:
        """Whether a stretch touches no box."""
        left, right = (p[0], q[0]) if p[0] < q[0] else (q[0], p[0])
        top, bottom = (p[1], q[1]) if p[1] < q[1] else (q[1], p[1])
        for rect in self.boxes:
            if left < rect[2] + CLEAR and right > rect[0] - CLEAR and top < rect[3] + CLEAR and \
                    bottom > rect[1] - CLEAR and (rect not in ends or crosses(p, q, rect, -INTO)):
                return False
        return True

    def overlap(self, way: Way, apart: float = 6.0, own: Iterable[Point] = ()) -> float:
        """How much of a way would lie on top of a wire, or too near beside it; wires that leave a
        box at the same point, or at another of its `own`, may go together at first."""
        begins = {way[0], *own}
        return sum(self.beside(p, q, begins, apart) for p, q in stretches(way))

    def beside(self, p: Point, q: Point, begins: Collection[Point], apart: float) -> float:
        """How much of a stretch would, of a way that begins at one of some points."""
        level = p[1] == q[1]
        axis = 1 if level else 0
        laid = [*self.wires, *self.rails] if self.rails else self.wires
        return sum(shared(p, q, r, s, axis, apart) for other in laid if other[0] not in begins
                   for r, s in stretches(other) if (r[1] == s[1]) == level)

    def crowded(self, way: Way, own: Iterable[Point] = ()) -> bool:
        """Whether a way cannot be told from another wire somewhere, but those that leave its own
        box, at one of some points."""
        return self.meetings(way) > 0 or self.overlap(way, 2.0, own) > SEEN

    def crossings(self, p: Point, q: Point) -> int:
        """How many wires a stretch crosses."""
        level = p[1] == q[1]
        return sum(
            crosses(
                p, q, (min(r[0], s[0]), min(r[1], s[1]), max(r[0], s[0]), max(r[1], s[1])), 0.01
            )
            for other in self.wires for r, s in stretches(other) if (r[1] == s[1]) != level
        )

    def meetings(self, way: Way) -> int:
        """How many wires come in, or go out, where a way comes in; or come in where it goes out."""
        return self.coming(way[-1]) + self.leaving(way[0])

    def coming(self, end: Point) -> int:
        """How many wires begin or end where one would come in."""
        return sum([near(other[-1], end) + near(other[0], end) for other in self.wires])

    def leaving(self, begin: Point) -> int:
        """How many wires end where one would go out."""
        return sum([near(other[-1], begin) for other in self.wires])

    def best(self, ways: Iterable[Way], ends: Sequence[Rect]) -> Way | None:
        """The best of some ways, or None if none is clear. What ways have in common is looked at
        once."""
        meetings = cache(lambda begin, end: self.coming(end) + self.leaving(begin))
        passes = cache(lambda p, q: self.passes(p, q, ends))
        beside = cache(lambda p, q, begin: self.beside(p, q, (begin,), 6.0))
        crossings = cache(self.crossings)
        found, lowest = None, float("inf")
        for cost, way in sorted(((plainly(way), way) for way in ways), key=first)[:MOST]:
            if cost >= lowest:
                break
            cost += SHARED * meetings(way[0], way[-1])  # what takes longer is asked last
            if cost >= lowest or not all(passes(p, q) for p, q in stretches(way)):
                continue
            cost += 16 * sum(beside(p, q, way[0]) for p, q in stretches(way))
            if cost >= lowest:
                continue
            cost += 12 * sum(crossings(p, q) for p, q in stretches(way))
            if cost < lowest:
                found, lowest = way, cost
        return found

    def route(self, a: Rect, b: Rect, xs: Sequence[float], ys: Sequence[float],
              every: bool = False) -> Way | None:
        """The best of the usual ways from `a` to `b`, if one is clear; `xs` and `ys` are the free
        channels. A long way round is taken where every short one meets a box or lies on a wire;
        with `every`, wherever it is better. Every wire has an end of its own: beside the middle of
        a side, if that is taken."""
        found = self.best(simple_ways(a, b, xs, ys), (a, b))
        if every or found is None or self.overlap(found) > 1 or self.meetings(found):
            ways = chain(round_ways(a, b, xs, ys), chain.from_iterable(
                simple_ways(a, port, xs, ys) for port in (b, *ports(b))))
            found = self.best(ways, (a, b))
        return found


def plainly(way: Way) -> float:
    """What a way costs by itself: its length and its bends."""
    return sum(abs(p[0] - q[0]) + abs(p[1] - q[1]) for p, q in stretches(way)) + 24 * len(way)


def near(p: Point, q: Point) -> bool:
    """Whether two wires would seem to end at one point."""
    return abs(p[0] - q[0]) + abs(p[1] - q[1]) < PORT / 2


def ports(rect: Rect) -> Iterator[Rect]:
    """The places beside the middle of each side at which a wire may enter, as thin boxes through
    the whole: what enters one of them from its open side crosses nothing else. What is as wide as
    high is a circle."""
    (x, y), wide, high = centre(rect), rect[2] - rect[0], rect[3] - rect[1]
    if abs(wide - high) < 0.01:
        for far in (-0.6 * wide / 2, 0.6 * wide / 2):
            yield x + far - 0.5, y - 0.4 * high, x + far + 0.5, y + 0.4 * high
            yield x - 0.4 * wide, y + far - 0.5, x + 0.4 * wide, y + far + 0.5
        return
    for k in range(1, 1 + int(max(wide, high) / 2 / PORT)):
        for far in (-PORT * k, PORT * k):
            if abs(far) <= high / 2 - CORNER / 3:
                yield rect[0], y + far - 0.5, rect[2], y + far + 0.5
            if abs(far) <= wide / 2 - CORNER:
                yield x + far - 0.5, rect[1], x + far + 0.5, rect[3]


def shared(p: Point, q: Point, r: Point, s: Point, axis: int, apart: float) -> float:
    """The length along which two parallel stretches lie nearer to each other than `apart`."""
    if abs(p[axis] - r[axis]) >= apart:
        return 0.0
    along = 1 - axis
    low = max(min(p[along], q[along]), min(r[along], s[along]))
    high = min(max(p[along], q[along]), max(r[along], s[along]))
    return max(0.0, high - low)


def simple_ways(a: Rect, b: Rect, xs: Sequence[float], ys: Sequence[float]) -> Iterator[Way]:
    """No bend, one, or two."""
    (ax, ay), (bx, by) = centre(a), centre(b)
    right, down = bx >= ax, by >= ay
    out_x, in_x = (a[2], b[0]) if right else (a[0], b[2])
    out_y, in_y = (a[3], b[1]) if down else (a[1], b[3])
    if abs(ay - by) < 0.01:
        yield (out_x, ay), (in_x, by)
    elif abs(ax - bx) < 0.01:
        yield (ax, out_y), (bx, in_y)
    else:
        yield (out_x, ay), (bx, ay), (bx, in_y)
        yield (ax, out_y), (ax, by), (in_x, by)
    for x in xs:
        if min(out_x, in_x) < x < max(out_x, in_x) and right == (in_x > out_x):
            yield (out_x, ay), (x, ay), (x, by), (in_x, by)
    for y in ys:
        if min(out_y, in_y) < y < max(out_y, in_y) and down == (in_y > out_y):
            yield (ax, out_y), (ax, y), (bx, y), (bx, in_y)
        elif y < min(a[1], b[1]):
            yield (ax, a[1]), (ax, y), (bx, y), (bx, b[1])
        elif y > max(a[3], b[3]):
            yield (ax, a[3]), (ax, y), (bx, y), (bx, b[3])


def round_ways(a: Rect, b: Rect, xs: Sequence[float], ys: Sequence[float]) -> Iterator[Way]:
    """Out on a side, along the channels, in from a side."""
    (_, ay), (bx, by) = centre(a), centre(b)
    near = {
        "a right": [x for x in xs if x > a[2]][:2],
        "a left": [x for x in xs if x < a[0]][-2:],
        "b right": [x for x in xs if x > b[2]][:2],
        "b left": [x for x in xs if x < b[0]][-2:],
    }
    middle = (ay + by) / 2
    levels = sorted(ys, key=lambda y: abs(y - middle))
    for leave, out_x in (("a right", a[2]), ("a left", a[0])):
        for enter, in_x in (("b left", b[0]), ("b right", b[2])):
            for x1 in near[leave]:
                for x2 in near[enter]:
                    for y in levels:
                        yield (out_x, ay), (x1, ay), (x1, y), (x2, y), (x2, by), (in_x, by)
        for x1 in near[leave]:  # in from above or below
            for in_y, y in ((b[3], y) for y in levels if y > b[3]):
                yield (out_x, ay), (x1, ay), (x1, y), (bx, y), (bx, in_y)
            for in_y, y in ((b[1], y) for y in levels if y < b[1]):
                yield (out_x, ay), (x1, ay), (x1, y), (bx, y), (bx, in_y)
