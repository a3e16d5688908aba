"""Routing: a line from one box to another that crosses no third one.

The question this file answers: *how does a wire get there?*

The best of some ways is taken: clear of boxes, not on top of another wire nor over an arrow head,
few bends, short. Lines leave and enter at the middle of a side, so that a program that draws
straight lines between centres (Graphviz) shows the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from operator import itemgetter

from .heads import Head, head_of, over, under
from .laid import Laid, crosses
from .model import Point

Rect = tuple[float, float, float, float]  # left, top, right, bottom
Way = tuple[Point, ...]
first = itemgetter(0)
CLEAR, INTO = 4.0, 4.0  # how far a line keeps from boxes, and how far it may reach into its ends
PORT, CORNER = 9.0, 12.0  # how far ends of wires stand apart, and how far from a corner
MEET = PORT / 2  # nearer than this, two ends seem to be one point
MOST = 600  # so many ways are looked at, the shortest ones
SEEN = 7.0  # two lines that lie on one another for so long are taken for one
SHARED = 400.0  # what it costs to end where another wire ends
HIDDEN = 200.0  # what it costs to run over an arrow head, or to leave one no room


def centre(rect: Rect) -> Point:
    """The middle of a rectangle."""
    return (rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2


def moved(rect: Rect, dx: float, dy: float = 0.0) -> Rect:
    """A rectangle further to the right, and down."""
    return rect[0] + dx, rect[1] + dy, rect[2] + dx, rect[3] + dy


def shifted(way: Way, dx: float, dy: float = 0.0) -> Way:
    """A way further to the right, and down."""
    return tuple([(x + dx, y + dy) for x, y in way])


def stretches(way: Sequence[Point]) -> Iterable[tuple[Point, Point]]:
    """The straight parts of a way."""
    return pairwise(way)


class Field:
    """The boxes that are in the way, and the wires that are already laid; `rails` are crossed
    freely, and not run along. `expected` are the heads of wires that are laid later; with `back`,
    the arrows stand where wires begin."""

    def __init__(self, boxes: Iterable[Rect] = (), wires: Iterable[Way] = (),
                 rails: Iterable[Way] = (), back: bool = False) -> None:
        self.boxes, self.wires, self.rails = list(boxes), Laid(wires), Laid(rails)
        self.back, self.expected = back, list[Head]()
        self.known_heads: list[Head] = []  # of the first wires, those that somebody asked for
        self.on_line: dict[tuple[int, float], list[Rect]] = {}  # by axis and place: the boxes there

    def block(self, rect: Rect) -> None:
        """One more box that is in the way."""
        self.boxes.append(rect)
        self.on_line.clear()

    def heads(self) -> list[Head]:
        """The arrow heads of the wires."""
        new = self.wires.ways[len(self.known_heads):]
        self.known_heads += [head_of(way, self.back) for way in new]
        return [*self.expected, *self.known_heads]

    def hidden(self, way: Way) -> int:
        """How many arrow heads a way runs over; and whether its own has no room, and over it."""
        own, heads = head_of(way, self.back), self.heads()
        return int(own.short) + sum(over(p, q, heads) for p, q in stretches(way)) + \
            self.upon(own)

    def upon(self, head: Head) -> int:
        """How many stretches of wires run over a head."""
        return under(head, [(part.p, part.q) for part in self.wires.touching(head.rect)])

    def clear(self, way: Way, ends: Iterable[Rect] = ()) -> bool:
        """Whether a way touches no box; it may touch its `ends` where it begins and stops."""
        ends = list(ends)
        return all(self.passes(p, q, ends) for p, q in stretches(way))

    def passes(self, p: Point, q: Point, ends: Sequence[Rect]) -> bool:
        """Whether a stretch touches no box."""
        along = int(p[0] == q[0])
        low, high = (p[along], q[along]) if p[along] < q[along] else (q[along], p[along])
        for rect in self.near_line(p, q):
            if low < rect[along + 2] + CLEAR and high > rect[along] - CLEAR and \
                    (rect not in ends or crosses(p, q, rect, -INTO)):
                return False
        return True

    def near_line(self, p: Point, q: Point) -> list[Rect]:
        """The boxes that the whole line of a stretch touches: many stretches lie on few lines, the
        channels between the boxes."""
        if p[0] != q[0] and p[1] != q[1]:
            return [rect for rect in self.boxes if crosses(p, q, rect, CLEAR)]
        axis = int(p[0] != q[0])
        at = p[axis]
        if (axis, at) not in self.on_line:
            self.on_line[axis, at] = [rect for rect in self.boxes
                                      if rect[axis] - CLEAR < at < rect[axis + 2] + CLEAR]
        return self.on_line[axis, at]

    def overlap(self, way: Way, apart: float = 6.0, own: Iterable[Point] = ()) -> float:
        """How much of a way would lie on top of a wire, or too near beside it; wires that leave a
        box at the same point, or at another of its `own`, may go together at first."""
        begins = {way[0], *own}
        return sum(self.beside(p, q, begins, apart) for p, q in stretches(way))

    def beside(self, p: Point, q: Point, begins: Collection[Point], apart: float) -> float:
        """How much of a stretch would, of a way that begins at one of some points."""
        return sum([*self.wires.shares(p, q, begins, apart),
                    *self.rails.shares(p, q, begins, apart)])

    def crowded(self, way: Way, own: Iterable[Point] = ()) -> bool:
        """Whether a way cannot be told from another wire somewhere, but those that leave its own
        box, at one of some points."""
        return self.meetings(way) > 0 or self.overlap(way, 2.0, own) > SEEN or \
            self.hidden(way) > 0

    def siblings(self, way: Way) -> list[Way]:
        """The wires that begin where a way does."""
        x, y = way[0]
        return [*dict.fromkeys(part.way for part in self.wires.touching((x, y, x, y), 0.01)
                               if part.way[0] == way[0])]

    def crossings(self, p: Point, q: Point) -> int:
        """How many wires a stretch crosses."""
        level = p[1] == q[1]
        rect = min(p[0], q[0]), min(p[1], q[1]), max(p[0], q[0]), max(p[1], q[1])
        return sum((part.p[1] == part.q[1]) != level for part in self.wires.touching(rect, 0.01))

    def meetings(self, way: Way) -> int:
        """How many wires come in, or go out, where a way comes in; or come in where it goes out."""
        return self.coming(way[-1]) + self.leaving(way[0])

    def coming(self, end: Point) -> int:
        """How many wires begin or end where one would come in."""
        return len([*self.wires.ending(end, MEET)]) + self.awaited(end)

    def leaving(self, begin: Point) -> int:
        """How many wires end where one would go out."""
        return sum(not begins for begins in self.wires.ending(begin, MEET)) + self.awaited(begin)

    def awaited(self, point: Point) -> int:
        """How many arrow heads will stand at a point."""
        return sum(abs(head.tip[0] - point[0]) + abs(head.tip[1] - point[1]) < MEET
                   for head in self.expected)

    def free(self, way: Way, ends: Sequence[Rect]) -> bool:
        """Whether a way costs nothing but its length: it touches and meets nothing."""
        return self.clear(way, ends) and not (
            self.meetings(way) or self.overlap(way) or self.hidden(way)
            or any(self.crossings(p, q) for p, q in stretches(way)))

    def best(self, ways: Iterable[Way], ends: Sequence[Rect]) -> Way | None:
        """The best of some ways, or None if none is clear. What ways have in common is looked at
        once."""
        meetings = cache(lambda begin, end: self.coming(end) + self.leaving(begin))
        passes = cache(lambda p, q: self.passes(p, q, ends))
        beside = cache(lambda p, q, begin: self.beside(p, q, (begin,), 6.0))
        crossings = cache(self.crossings)
        heads = self.heads()
        hidden, bare = cache(lambda p, q: over(p, q, heads)), cache(self.upon)
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
            if cost >= lowest:
                continue
            own = head_of(way, self.back)
            cost += HIDDEN * (own.short + bare(own) + sum(hidden(p, q) for p, q in stretches(way)))
            if cost < lowest:
                found, lowest = way, cost
        return found


def plainly(way: Way) -> float:
    """What a way costs by itself: its length and its bends."""
    far = 0.0
    for (x, y), (x2, y2) in stretches(way):
        far += abs(x - x2) + abs(y - y2)
    return far + 24 * len(way)


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
