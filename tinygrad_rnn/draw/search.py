"""The search: the cheapest way there is, where none of the usual ones is free.

The question this file answers: *how does a wire get through a crowd?*

Along the lines of a grid a way grows from the starts outwards, the most promising first (A*: Hart,
Nilsson and Raphael 1968). It costs its length, its bends, the wires that it crosses, and most where
it runs beside one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from heapq import heappop, heappush
from itertools import pairwise, product
from typing import NamedTuple

from .heads import LONG, SHAFT, Head, head_of
from .model import Point
from .routing import HIDDEN, SHARED, Field, Rect, Way, centre, ports
from .tracks import AWAY, BEND, WALL, Part, costs, lines_of

Node = int  # a crossing of two lines, and the axis along which a way came there
MOST = 600_000  # so many crossings of lines are looked through
BESIDE_THE_MIDDLE = 12.0  # what it costs not to use the middle of a side


class End(NamedTuple):
    """Where a way may begin or stop: a point of an outline, the step from there into the open, and
    what it costs to use it."""

    point: Point
    out: Point
    cost: float = 0.0

    @property
    def outside(self) -> Point:
        """The first point that is clear of the outline."""
        return self.point[0] + self.out[0], self.point[1] + self.out[1]

    @property
    def axis(self) -> int:
        """The axis along which a way comes and goes: 0 is level, 1 upright."""
        return int(self.out[0] == 0)


def shafts(ends: Iterable[End], field: Field) -> list[End]:
    """Ends with a step into the open that is longer than an arrow head. Where other wires would run
    over that, they cost more."""
    found, steps = [], ((SHAFT[field.back], 0.0), (LONG[field.back], HIDDEN / 4))
    for end, (long, more) in product(ends, steps):
        (dx, dy), far = end.out, sum(map(abs, end.out))
        step = max(far, long)
        longer = end._replace(out=(dx / far * step, dy / far * step))
        head = head_of((longer.outside, end.point), False)
        found.append(longer._replace(cost=end.cost + more + HIDDEN * field.upon(head)))
    return found


def doors_left(field: Field, rect: Rect) -> list[End]:
    """The places at which a wire can come in; those that others use cost more."""
    return [end._replace(cost=end.cost + SHARED * field.coming(end.point)) for end in doors(rect)]


def doors(rect: Rect) -> Iterable[End]:
    """The places of an outline at which wires come and go: the middle of each side, and beside it.
    A mere point is entered from the left."""
    (x, y), (left, top, right, bottom) = centre(rect), rect
    if left == right:
        yield End((x, y), (-AWAY, 0.0))
        return
    middles = [(left, y - 0.5, right, y + 0.5), (x - 0.5, top, x + 0.5, bottom)]
    for port in (*middles, *ports(rect)):
        (px, py), cost = centre(port), 0.0 if port in middles else BESIDE_THE_MIDDLE
        if port[2] - port[0] > port[3] - port[1]:
            yield End((port[0], py), (left - AWAY - port[0], 0.0), cost)
            yield End((port[2], py), (right + AWAY - port[2], 0.0), cost)
        else:
            yield End((px, port[1]), (0.0, top - AWAY - port[1]), cost)
            yield End((px, port[3]), (0.0, bottom + AWAY - port[3]), cost)


def search(boxes: Sequence[Rect], wires: Iterable[Way], limits: Rect, starts: Sequence[End],
           stops: Sequence[End], heads: Iterable[Head] = ()) -> Way | None:
    """The best way from any of some `starts` to any of some `stops` within `limits`, or None if
    there is none; best not over some `heads`. In a crowd that is too large to look through, of
    lines that run close together some are left out."""
    begins = {end.point for end in starts}
    rects = [head.rect for head in heads if head.tip not in begins]
    parts = [part for way in wires if way[0] not in begins for part in pairwise(way)]
    ends = [end.outside for end in (*starts, *stops)]
    for apart in (1.0, 2.0, 4.0, 8.0):
        lines = [lines_of(axis, boxes, parts, limits, ends, apart) for axis in (0, 1)]
        if len(lines[0]) * len(lines[1]) <= MOST:
            break
    else:
        return None
    grid = Search(lines, boxes, parts, stops, rects)
    for end in (*starts, *stops):
        grid.keep(end)
    return grid.way(starts)


class Search:
    """The ways through a grid, as they grow. The node of a crossing of two lines, for ways that
    come there along an axis, is a number: that of the crossing, twice, and the axis."""

    def __init__(self, lines: list[list[float]], boxes: Sequence[Rect], parts: Sequence[Part],
                 stops: Sequence[End], heads: Sequence[Rect]) -> None:
        self.xs, self.ys = lines
        self.costs = (costs(self.xs, self.ys, 0, boxes, parts, heads).tolist(),
                      costs(self.ys, self.xs, 1, boxes, parts, heads).tolist())
        self.stops = stops
        self.goals: dict[int, list[int]] = {}  # numbers of stops, by crossing
        for k, stop in enumerate(stops):
            i, j = self.place(stop.outside)
            self.goals.setdefault(i * len(self.ys) + j, []).append(k)
        self.far = [*map(how_far, lines, zip(*(stop.outside for stop in stops)))]
        self.best: dict[Node, float] = {}
        self.before: dict[Node, Node | End] = {}
        self.waiting: list[tuple[float, float, Node, int]] = []  # the last: which stop, or -1

    def place(self, point: Point) -> tuple[int, int]:
        """Where in the grid an end is."""
        return bisect_left(self.xs, point[0]), bisect_left(self.ys, point[1])

    def keep(self, end: End) -> None:
        """No way runs back along the step of an end, which would be shorter for it."""
        axis, (i, j) = end.axis, self.place(end.outside)
        line, places = (self.costs[0][j], self.xs) if axis == 0 else (self.costs[1][i], self.ys)
        low, high = sorted((end.point[axis], end.outside[axis]))
        first, last = max(bisect_right(places, low) - 1, 0), bisect_left(places, high)
        line[first:last] = [WALL] * (len(line[first:last]))

    def way(self, starts: Sequence[End]) -> Way | None:
        """The best way from any of the starts."""
        high = len(self.ys)
        for start in starts:
            i, j = self.place(start.outside)
            self.reach(start, [(2 * (i * high + j) + start.axis, start.cost)])
        while self.waiting:
            _, cost, node, stop = heappop(self.waiting)
            if stop >= 0:
                return self.traced(node, self.stops[stop])
            if cost > self.best[node]:
                continue
            crossing, axis = divmod(node, 2)
            for stop in self.goals.get(crossing, ()):
                goal = self.stops[stop]
                total = cost + goal.cost + BEND * (axis != goal.axis)
                heappush(self.waiting, (total, total, node, stop))
            i, j = divmod(crossing, high)
            line, k, step = (self.costs[0][j], i, 2 * high) if axis == 0 else \
                (self.costs[1][i], j, 2)
            self.reach(node, ((node + 1 - 2 * axis, cost + BEND), (node + step, cost + line[k]),
                              (node - step, cost + line[k - 1])))  # before the first: the wall
        return None

    def reach(self, before: Node | End, found: Iterable[tuple[Node, float]]) -> None:
        """Go on later from the nodes to which nothing cheaper has led."""
        for node, cost in found:
            if cost < self.best.get(node, WALL):
                self.best[node], self.before[node] = cost, before
                i, j = divmod(node // 2, len(self.ys))
                heappush(self.waiting, (cost + (self.far[0][i] + self.far[1][j]), cost, node, -1))

    def traced(self, node: Node, stop: End) -> Way:
        """The way that led to a node, from its start to its stop."""
        points = [stop.point, stop.outside]
        before: Node | End = node
        while not isinstance(before, End):
            i, j = divmod(before // 2, len(self.ys))
            points.append((self.xs[i], self.ys[j]))
            before = self.before[before]
        return straight([before.point, *reversed(points)])


def how_far(places: Iterable[float], ends: Collection[float]) -> list[float]:
    """How far each of some places is from the first to the last of some ends."""
    low, high = min(ends), max(ends)
    return [max(low - at, at - high, 0.0) for at in places]


def straight(points: Sequence[Point]) -> Way:
    """A way without the points at which it does not bend."""
    found = [points[0]]
    for p, after in zip(points[1:], [*points[2:], None]):
        on = after is not None and any(found[-1][k] == p[k] == after[k] for k in (0, 1))
        if p != found[-1] and not on:
            found.append(p)
    return tuple(found)
