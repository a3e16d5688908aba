"""Routes: the way of a wire from one box to another.

The question this file answers: *which of all ways does a wire take?*

One of a few usual shapes, if one is free: straight, with one bend, with two, or round through the
channels between rows and columns. Else the cheapest way there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

from .laid import shared
from .model import Point
from .routing import SHARED, Field, Rect, Way, centre, ports
from .search import End, doors, doors_left, search, shafts, straight
from .tracks import TRACK

ONE = 3.0  # nearer to each other, two lines are seen as one that is thick


def route(field: Field, a: Rect, b: Rect, xs: Sequence[float], ys: Sequence[float], limits: Rect,
          every: bool = False) -> Way:
    """A way from `a` to `b`: a usual one along the channels `xs` and `ys`, if one is free; else the
    cheapest of all within `limits`. From a box to itself it goes round a corner. Near to others
    that begin where it does it lies on them, if that can be."""
    way = alone(field, a, b, xs, ys, limits, every)
    siblings = field.siblings(way)
    for near, apart in ((TRACK, TRACK), (ONE, 0.0)) if siblings else ():
        on_them = joined(way, siblings, near)
        if on_them != way and field.clear(on_them, (a, b)) and \
                field.crowded(on_them) <= field.crowded(way) and \
                field.overlap(on_them, apart) <= field.overlap(way, apart):
            return on_them
    return way


def alone(field: Field, a: Rect, b: Rect, xs: Sequence[float], ys: Sequence[float], limits: Rect,
          every: bool) -> Way:
    """The best way from `a` to `b`, whatever else leaves there."""
    usual = usual_way(field, a, b, xs, ys, every) if a != b else None
    if usual is not None and not field.crowded(usual):
        return usual
    starts = [end._replace(cost=end.cost + SHARED * field.leaving(end.point)) for end in doors(a)]
    stops, wires = doors_left(field, b), [*field.wires.ways, *field.rails.ways]
    if a == b:
        starts = [end for end in starts if end.out[0] > 0]
        stops = [end for end in stops if end.out[0] <= 0]
        wide = search(field.boxes, wires, limits, [*map(further, starts)], [*map(further, stops)])
        if wide is not None and field.clear(wide, (a, b)) and not field.crowded(wide):
            return wide
    found = cheapest(field, limits, starts, stops, (a, b))
    return better(field, usual, found, (a, b), [end.point for end in starts]) or \
        (centre(a), centre(b))


def better(field: Field, usual: Way | None, found: Way | None, ends: Sequence[Rect],
           own: Sequence[Point] = ()) -> Way | None:
    """Of a usual way and one that was searched for, the one that can be told from all others, or
    from all but those that leave its `own` box; if none can, the cheaper one."""
    ways = [way for way in (usual, found) if way is not None]
    clear = [way for way in ways if field.clear(way, ends)]
    alone = (way for way in clear if not field.crowded(way))
    together = (way for way in reversed(clear) if not field.crowded(way, own))
    return next(alone, None) or next(together, None) or field.best(ways, ends) or \
        next(reversed(ways), None)


def joined(way: Way, others: Iterable[Way], apart: float = ONE) -> Way:
    """A way whose inner stretches lie on those of others to which they would be nearer than
    `apart`: on the nearest."""
    points, theirs = [*way], [part for other in others for part in pairwise(other)]
    for i, (p, q) in enumerate(pairwise(way[1:-1]) if theirs else (), 1):
        axis = int(p[1] == q[1])  # along which it may be moved
        near = [r[axis] for r, s in theirs
                if r[axis] == s[axis] and shared(p, q, r, s, axis, apart)]
        at = min(near, key=lambda other: abs(other - p[axis]), default=p[axis])
        for k in (i, i + 1):
            x, y = points[k]
            points[k] = (x, at) if axis else (at, y)
    return straight(points)


def further(end: End) -> End:
    """An end with a longer step into the open: a loop of a size that can be seen."""
    return end._replace(out=(3 * end.out[0], 3 * end.out[1]))


def cheapest(field: Field, limits: Rect, starts: Sequence[End], stops: Sequence[End],
             ends: Sequence[Rect]) -> Way | None:
    """The cheapest way of all within `limits`, with due respect to arrow heads; without, if there
    is no other."""
    found = roomy(field, limits, starts, stops)
    if found is None or not field.clear(found, ends):
        found = search(field.boxes, [*field.wires.ways, *field.rails.ways], limits, starts, stops)
    return found


def roomy(field: Field, limits: Rect, starts: Sequence[End], stops: Sequence[End]) -> Way | None:
    """The best way that runs over no arrow head and gives its own a shaft."""
    wires, heads = [*field.wires.ways, *field.rails.ways], field.heads()
    if field.back:
        starts = shafts(starts, field)
    else:
        stops = shafts(stops, field)
    return search(field.boxes, wires, limits, starts, stops, heads)


def usual_way(field: Field, a: Rect, b: Rect, xs: Sequence[float], ys: Sequence[float],
              every: bool = False) -> Way | None:
    """The best of the usual ways from `a` to `b`, if one is clear; `xs` and `ys` are the free
    channels. A long way round is taken where every short one meets a box or lies on a wire;
    with `every`, wherever it is better. Every wire has an end of its own: beside the middle of
    a side, if that is taken."""
    straight = next(simple_ways(a, b, (), ()), None)
    if straight is not None and len(straight) == 2 and not every and field.free(straight, (a, b)):
        return straight  # none is shorter, however many channels there are
    found = field.best(simple_ways(a, b, xs, ys), (a, b))
    if every or found is None or field.overlap(found) > 1 or field.meetings(found) or \
            field.hidden(found):
        ways = chain(round_ways(a, b, xs, ys), chain.from_iterable(
            simple_ways(a, port, xs, ys) for port in (b, *ports(b))))
        found = field.best(ways, (a, b))
    return found


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
        aside, above = abs(bx - ax), abs(by - ay)
        if aside > abs(out_x - ax) and above > abs(in_y - by):
            yield (out_x, ay), (bx, ay), (bx, in_y)
        if above > abs(out_y - ay) and aside > abs(in_x - bx):
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
