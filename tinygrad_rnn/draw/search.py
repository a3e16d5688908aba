"""The search: the cheapest way there is, where none of the usual ones is free.

The question this file answers: *how does a wire get through a crowd?*

The sides of all boxes and wires, each a little further out, are the lines of a grid: if there is a
way at all, there is one along these lines. It grows from the starts outwards, the most promising
first (A*: Hart, Nilsson and Raphael 1968). A way costs its length, its bends, the wires that it
crosses, and most where it runs beside one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .heads import LONG, SHAFT, Head, head_of, under
from .model import Point
from .routing import CLEAR, HIDDEN, SHARED, Field, Rect, Way, centre, ports

Part = tuple[Point, Point]  # a straight part of a way
Node = tuple[int, int, int]  # a crossing of two lines, and the axis along which a way came there
AWAY, TRACK = 5.0, 6.0  # where lines run beside boxes, and how far from each other
CLOSE = 9.0  # what runs nearer to a box than this looks crammed
BEND, CROSSING, BESIDE, UPON = 24.0, 12.0, 16.0, 64.0  # what they cost; the last two for each point
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


def shafts(ends: Iterable[End], back: bool, parts: Sequence[Part]) -> list[End]:
    """Ends with a step into the open that is longer than an arrow head. Where other wires would run
    over that, they cost more."""
    found = []
    for end, (long, more) in product(ends, ((SHAFT[back], 0.0), (LONG[back], HIDDEN / 4))):
        (dx, dy), far = end.out, sum(map(abs, end.out))
        step = max(far, long)
        longer = end._replace(out=(dx / far * step, dy / far * step))
        head = head_of((longer.outside, end.point), False)
        found.append(longer._replace(cost=end.cost + more + HIDDEN * under(head, parts)))
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
    for apart in (1.0, 2.0, 4.0, 8.0):
        lines = [lines_of(axis, boxes, parts, limits, [*starts, *stops], apart) for axis in (0, 1)]
        if len(lines[0]) * len(lines[1]) <= MOST:
            break
    else:
        return None
    grid = Search(lines, boxes, parts, stops, rects)
    for end in (*starts, *stops):
        grid.keep(end)
    return grid.way(starts)


class Search:
    """The ways through a grid, as they grow."""

    def __init__(self, lines: list[list[float]], boxes: Sequence[Rect], parts: Sequence[Part],
                 stops: Sequence[End], heads: Sequence[Rect]) -> None:
        self.xs, self.ys = lines
        x, y = map(np.array, lines)
        self.costs = (costs(x, y, 0, boxes, parts, heads).tolist(),
                      costs(y, x, 1, boxes, parts, heads).tolist())
        self.stops = stops
        self.goals: dict[tuple[int, int], list[int]] = {}  # numbers of stops, by place
        for k, stop in enumerate(stops):
            self.goals.setdefault(self.number(stop.outside), []).append(k)
        ends = [stop.outside for stop in stops]
        self.low, self.high = [(f(x for x, _ in ends), f(y for _, y in ends)) for f in (min, max)]
        self.best: dict[Node, float] = {}
        self.before: dict[Node, Node | End] = {}
        self.waiting: list[tuple[float, float, Node, int]] = []  # the last: which stop, or -1

    def number(self, point: Point) -> tuple[int, int]:
        """Where in the grid an end is."""
        return bisect_left(self.xs, point[0]), bisect_left(self.ys, point[1])

    def keep(self, end: End) -> None:
        """No way runs back along the step of an end, which would be shorter for it."""
        axis, (i, j) = end.axis, self.number(end.outside)
        line, places = (self.costs[0][j], self.xs) if axis == 0 else (self.costs[1][i], self.ys)
        low, high = sorted((end.point[axis], end.outside[axis]))
        first, last = max(bisect_right(places, low) - 1, 0), bisect_left(places, high)
        line[first:last] = [float("inf")] * (len(line[first:last]))

    def way(self, starts: Sequence[End]) -> Way | None:
        """The best way from any of the starts."""
        for start in starts:
            self.reach((*self.number(start.outside), start.axis), start.cost, start)
        while self.waiting:
            _, cost, node, stop = heappop(self.waiting)
            if stop >= 0:
                return self.traced(node, self.stops[stop])
            if cost > self.best[node]:
                continue
            i, j, axis = node
            for stop in self.goals.get((i, j), ()):
                goal = self.stops[stop]
                total = cost + goal.cost + BEND * (axis != goal.axis)
                heappush(self.waiting, (total, total, node, stop))
            self.reach((i, j, 1 - axis), cost + BEND, node)
            line, k = (self.costs[0][j], i) if axis == 0 else (self.costs[1][i], j)
            if k < len(line):
                self.reach((i + 1, j, 0) if axis == 0 else (i, j + 1, 1), cost + line[k], node)
            if k > 0:
                self.reach((i - 1, j, 0) if axis == 0 else (i, j - 1, 1), cost + line[k - 1], node)
        return None

    def reach(self, node: Node, cost: float, before: Node | End) -> None:
        """Go on from here later, if nothing cheaper has led here."""
        if cost < self.best.get(node, float("inf")):
            self.best[node], self.before[node] = cost, before
            x, y = self.xs[node[0]], self.ys[node[1]]
            rest = max(self.low[0] - x, x - self.high[0], 0.0) + \
                max(self.low[1] - y, y - self.high[1], 0.0)
            heappush(self.waiting, (cost + rest, cost, node, -1))

    def traced(self, node: Node, stop: End) -> Way:
        """The way that led to a node, from its start to its stop."""
        points = [stop.point, stop.outside]
        before: Node | End = node
        while not isinstance(before, End):
            points.append((self.xs[before[0]], self.ys[before[1]]))
            before = self.before[before]
        return straight([before.point, *reversed(points)])


def straight(points: Sequence[Point]) -> Way:
    """A way without the points at which it does not bend."""
    found = [points[0]]
    for p, after in zip(points[1:], [*points[2:], None]):
        on = after is not None and any(found[-1][k] == p[k] == after[k] for k in (0, 1))
        if p != found[-1] and not on:
            found.append(p)
    return tuple(found)


def lines_of(axis: int, boxes: Iterable[Rect], parts: Iterable[Part], limits: Rect,
             ends: Iterable[End], apart: float) -> list[float]:
    """Where the lines of a grid run: through the ends, and beside boxes and wires wherever no
    other line is near, which is less than `apart`."""
    fixed = {end.outside[axis] for end in ends}
    wanted = [at for box in boxes for d in (AWAY, AWAY + TRACK)
              for at in (box[axis] - d, box[axis + 2] + d)]
    wanted += [p[axis] + d for p, q in parts if p[axis] == q[axis] for d in (-TRACK, TRACK)]
    kept: list[float] = []
    for at in sorted({*fixed, *(at for at in wanted if limits[axis] <= at <= limits[axis + 2])}):
        while at in fixed and kept and kept[-1] not in fixed and at - kept[-1] < apart:
            kept.pop()
        if at in fixed or not kept or at - kept[-1] >= apart:
            kept.append(at)
    return kept


def costs(along: NDArray[np.float64], across: NDArray[np.float64], axis: int,
          boxes: Iterable[Rect], parts: Iterable[Part],
          heads: Iterable[Rect] = ()) -> NDArray[np.float64]:
    """What the stretches of all lines along an axis cost: a row for each line, a number from each
    crossing to the next. Where a box is, no wire can pass; over an arrow head it should not."""
    low, high, other = along[:-1], along[1:], 1 - axis
    found = np.tile(high - low, (len(across), 1))
    for p, q in parts:
        first, last = sorted((p[axis], q[axis]))
        if p[other] == q[other]:
            far = np.abs(across - p[other])
            price = np.where(far < TRACK / 2, UPON, np.where(far < TRACK - 0.01, BESIDE, 0.0))
            rows = np.flatnonzero(price)
            share = np.clip(np.minimum(high, last) - np.maximum(low, first), 0.0, None)
            found[rows] += price[rows, None] * share
        else:
            begin, end = sorted((p[other], q[other]))
            rows = np.flatnonzero((across > begin - 0.01) & (across < end + 0.01))
            found[np.ix_(rows, np.flatnonzero((low < p[axis]) & (p[axis] <= high)))] += CROSSING
    for head in heads:
        rows = np.flatnonzero((across > head[other]) & (across < head[other + 2]))
        found[np.ix_(rows, np.flatnonzero((low < head[axis + 2]) & (high > head[axis])))] += HIDDEN
    own = high - low
    for box in boxes:  # what runs along a box closely costs twice its length
        rows = np.flatnonzero((across > box[other] - CLOSE) & (across < box[other + 2] + CLOSE))
        share = np.clip(np.minimum(high, box[axis + 2]) - np.maximum(low, box[axis]), 0.0, own)
        found[rows] += share
    for box in boxes:
        rows = np.flatnonzero((across > box[other] - CLEAR) & (across < box[other + 2] + CLEAR))
        inside = np.flatnonzero((low < box[axis + 2] + CLEAR) & (high > box[axis] - CLEAR))
        found[np.ix_(rows, inside)] = np.inf
    return found
