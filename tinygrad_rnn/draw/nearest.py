"""Nearest: a number that tells of a wire stands where it can be read as that of no other.

The question this file answers: *does everybody see which wire a number is of?*

It touches nothing, is close to its own wire, and further from every other one and from what its
wire does not join. Where wires run on one line, a number beside it would be that of all of them,
and has to stand where they have parted. Where there is no such place beside a wire, a number may
stand in its line, which has a gap there; and if there is no such place either it is left out, for
in the wrong place it would be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Iterator
from itertools import chain, pairwise

from .labels import Text, width
from .model import Box, Label, Line, Point
from .noting import distance
from .outlines import meets
from .paper import label_rect
from .routing import Rect, Way
from .spots import Places, Spot, squares

NEAR, FURTHER = 12.0, 6.0  # so near to its own wire, and so much further from others
BESIDE, ENDS = 3.0, 8.0  # how far beside a line, and from the ends of a stretch if in it
IN = "in "  # before the anchor of words that stand in their own line
DOT = 8.0  # what is no wider is a mark on a line
MORE = 24  # spots that are looked at, once one is found that has an edge of a frame in it
AIR = 2.5  # so far from boxes, other words and arrow heads
PACE, SOON = 4.0, 600.0  # between two places on a way; how far from a head what arrives may stand


class Nearest:
    """What stands in the way of numbers: what is `taken`, the heads of all arrows, and the wires
    and boxes that a number could be taken for one of."""

    def __init__(self, taken: Places, heads: Places, lines: Iterable[Line],
                 boxes: Iterable[Box]) -> None:
        self.taken, self.heads = taken, heads
        self.known: dict[Hashable, Spot] = {}  # where words stood, from the beginning of a way
        self.wires: dict[tuple[int, int], list[tuple[str, Point, Point]]] = {}
        self.boxes: dict[tuple[int, int], list[Box]] = {}
        self.joined: dict[str, tuple[str | None, str | None]] = {}  # by line
        for box in boxes:
            for square in squares(box.sides) if box.w > DOT else ():
                self.boxes.setdefault(square, []).append(box)
        for line in lines:
            self.joined[line.id] = line.tail, line.head
            for p, q in pairwise(line.points):
                for square in squares((min(p[0], q[0]), min(p[1], q[1]),
                                       max(p[0], q[0]), max(p[1], q[1]))):
                    self.wires.setdefault(square, []).append((line.id, p, q))

    def label(self, spots: Iterable[Spot], like: Label, own: Collection[str], way: Way,
              room: Text = (), edges: Places | None = None) -> Label | None:
        """Words like these at the first of some spots along a way at which they tell of their `own`
        lines and of no others, where words at such a way stood before if that is one; with `room`
        for others in their place, so that all steps look alike, and at best not on the `edges` of a
        frame. None if there is no such spot."""
        second, tried = None, 0
        (x0, y0), *others = way
        shape = (like.role, *((round(x - x0, 1), round(y - y0, 1)) for x, y in others))
        if shape in self.known:
            (x, y), anchor = self.known[shape]
            spots = chain([((x0 + x, y0 + y), anchor)], spots)
        wide = max(width(like.text, like.size), width(room, like.size))
        for (x, y), anchor in spots:
            tried += second is not None
            if tried > MORE or tried and anchor.startswith(IN):
                break
            at = anchor.removeprefix(IN)
            left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[at]
            whole = left, y - like.size, left + wide, y + like.size * 0.35
            if not self.free(whole):
                continue
            label = like._replace(x=x, y=y, anchor=at)
            if self.tells(label_rect(label), own, anchor.startswith(IN)):
                label = label._replace(of=tuple(sorted(own)))
                clear = edges is None or not edges.touch(whole)
                if clear or second is None:
                    self.known[shape] = (x - x0, y - y0), anchor
                if clear:
                    return label
                second = second or label
        return second

    def free(self, rect: Rect) -> bool:
        """Whether words would touch no box, no others and no arrow head."""
        left, top, right, bottom = rect
        rect = left - AIR, top - AIR, right + AIR, bottom + AIR
        return not self.taken.touch(rect) and not self.heads.touch(rect)

    def tells(self, rect: Rect, own: Collection[str], upon: bool) -> bool:
        """Whether words are close to one of their own lines, or `upon` it, and further from all
        others, and from boxes that these lines do not join."""
        left, top, right, bottom = rect
        by = NEAR + FURTHER
        around = squares((left - by, top - by, right + by, bottom + by))
        near = dict.fromkeys(stretch for square in around  # in one order, run after run
                             for stretch in self.wires.get(square, ()))
        mine = min((apart(rect, p, q) for name, p, q in near if name in own), default=math.inf)
        if mine > NEAR or not (upon or mine > 0) or any(
                apart(rect, p, q) < mine + FURTHER for name, p, q in near if name not in own):
            return False
        ends = {end for name in own for end in self.joined[name]}
        return not any(distance(rect, box.sides) < mine for square in around
                       for box in self.boxes.get(square, ()) if box.id not in ends)


def apart(rect: Rect, p: Point, q: Point) -> float:
    """How far a rectangle is from a stretch of a line; 0 if it lies on it."""
    left, top, right, bottom = rect
    if p[0] == q[0] or p[1] == q[1]:
        aside = max(left - max(p[0], q[0]), min(p[0], q[0]) - right, 0.0)
        above = max(top - max(p[1], q[1]), min(p[1], q[1]) - bottom, 0.0)
        return math.hypot(aside, above)
    if meets(p, q, rect, 0.0):
        return 0.0
    corners = [(x, y) for x in (left, right) for y in (top, bottom)]
    ends = [math.hypot(max(left - x, x - right, 0.0), max(top - y, y - bottom, 0.0))
            for x, y in (p, q)]
    return min(*ends, *(off(corner, p, q) for corner in corners))


def off(at: Point, p: Point, q: Point) -> float:
    """How far a point is from a stretch of a line."""
    dx, dy = q[0] - p[0], q[1] - p[1]
    part = ((at[0] - p[0]) * dx + (at[1] - p[1]) * dy) / ((dx * dx + dy * dy) or 1.0)
    part = min(1.0, max(0.0, part))
    return math.hypot(at[0] - p[0] - part * dx, at[1] - p[1] - part * dy)


# --- where on a way -------------------------------------------------------------------------------


def from_head(way: Way, text: Text, thick: float, size: float,
              first: Iterable[Spot]) -> Iterator[Spot]:
    """Spots for what arrives where a way begins: some `first` ones and those beside the way, from
    its head on; then in its line."""
    soon = [(p, q, s) for p, q, s in paces(way) if s < SOON]
    beside = [spot for p, q, _ in soon for spot in sides(p, q, thick, size)]
    yield from sorted([*first, *beside], key=lambda spot: math.dist(spot[0], way[0]))
    yield from in_line(soon, way, text, size)


def from_middle(way: Way, text: Text, thick: float, size: float, at: Point) -> Iterator[Spot]:
    """Spots for what is said of all of a way: beside it, from a point on, and then in its line."""
    near = sorted(paces(way, at), key=lambda pace: math.dist(pace[0], at))
    for p, q, _ in near:
        yield from ((spot, "middle" if q[0] else anchor)
                    for spot, anchor in sides(p, q, thick, size))
    yield from in_line(near, way, text, size)


def paces(way: Way, at: Point | None = None) -> Iterator[tuple[Point, Point, float]]:
    """Points on a way, from its beginning on, and one `at` a place: each with the direction from
    there, and how far it is."""
    gone = 0.0
    for p, q in pairwise(way):
        long = math.dist(p, q)
        far = [k * PACE for k in range(int(long / PACE) + 1)] if long else []
        if at is not None and off(at, p, q) < 0.01:
            far.append(math.dist(p, at))
        for s in far:
            u = (q[0] - p[0]) / long, (q[1] - p[1]) / long
            yield (p[0] + s * u[0], p[1] + s * u[1]), u, gone + s
        gone += long


def sides(at: Point, u: Point, thick: float, size: float) -> list[Spot]:
    """On both sides of a line that goes on from a point in a direction."""
    (x, y), by = at, BESIDE + thick / 2
    if abs(u[0]) < abs(u[1]):
        return [((x + by + 1, y + 0.33 * size), "start"), ((x - by - 1, y + 0.33 * size), "end")]
    anchor = "start" if u[0] > 0 else "end"
    return [((x, y - by - 0.35 * size), anchor), ((x, y + by + size), anchor)]


def in_line(points: Iterable[tuple[Point, Point, float]], way: Way, text: Text,
            size: float) -> Iterator[Spot]:
    """In the line itself, where a stretch of it is longer than the words."""
    long = width(text, size) + 2 * ENDS
    ends = [math.dist(p, q) for p, q in pairwise(way)]
    begins = [sum(ends[:i]) for i in range(len(ends))]
    for (x, y), (across, along), s in points:
        need = long / 2 if abs(across) > abs(along) else size
        if any(a + need <= s <= a + far - need for a, far in zip(begins, ends)):
            yield (x, y + 0.33 * size), f"{IN}middle"
