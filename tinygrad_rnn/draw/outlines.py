"""Outlines: where a straight line touches a circle or a box.

The question this file answers: *at which point does a line reach a thing, and does it meet
another?*
"""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, cos, dist, hypot, sin

from .model import Point
from .routing import Rect, Way, centre
from .scene import Glyph

TURNS = (0.0, 0.25, -0.25, 0.5, -0.5, 0.75, -0.75)  # in which directions a wire may leave
APART = 6.0  # how far the ends of two wires into one thing stand apart


def apart(glyph: Glyph, rect: Rect, ends: Sequence[Point], least: float = APART,
          back: bool = False) -> list[Point]:
    """The ends of the wires that come into a glyph from the left, or `back` from the right, each
    with a place of its own on the outline: where some are nearer than `least`, they are turned
    about the middle of a circle, or moved along the sides of a box."""
    middle = centre(rect)
    if back:
        mirrored = apart(glyph, rect, [(2 * middle[0] - x, y) for x, y in ends], least)
        return [(2 * middle[0] - x, y) for x, y in mirrored]
    order = sorted(range(len(ends)), key=lambda i: turn_of(ends[i], middle))
    if glyph.shape != "circle":
        places = [along(rect, ends[i]) for i in order]
        most = (rect[3] - rect[1]) / 2 + rect[2] - rect[0]  # the corners on the other side
        least = min(least, 2 * most / max(1, len(places) - 1))
        kept = within(spread(places, least), most, least)
        moved = {i: at(rect, new) for i, old, new in zip(order, places, kept) if old != new}
        return [moved.get(i, end) for i, end in enumerate(ends)]
    turns = [turn_of(ends[i], middle) for i in order]
    far = sum(dist(end, middle) for end in ends) / len(ends)
    found = list(ends)
    for i, old, new in zip(order, turns, spread(turns, least / max(far, 1.0))):
        if old != new:
            found[i] = edge(glyph, rect, (middle[0] - cos(new), middle[1] - sin(new)))
    return found


def along(rect: Rect, p: Point) -> float:
    """How far a point of a box's outline is from the middle of its left side: upwards and on along
    the top, or, below 0, downwards and along the bottom."""
    far = (rect[3] - rect[1]) / 2 + p[0] - rect[0]
    return far if p[1] <= rect[1] else -far if p[1] >= rect[3] else (rect[1] + rect[3]) / 2 - p[1]


def at(rect: Rect, place: float) -> Point:
    """The point of a box's outline that is so far from the middle of its left side."""
    left, top, right, bottom = rect
    beyond = abs(place) - (bottom - top) / 2
    if beyond <= 0:
        return left, (top + bottom) / 2 - place
    return min(left + beyond, right), top if place > 0 else bottom


def turn_of(p: Point, middle: Point) -> float:
    """In which direction a point on the left of the middle lies: 0 is straight to the left."""
    return atan2(middle[1] - p[1], middle[0] - p[0])


def spread(values: Sequence[float], least: float) -> list[float]:
    """Sorted values moved as far apart as `least`, those that are too near around their mean."""
    groups: list[list[float]] = []
    for value in values:
        groups.append([value])
        while len(groups) > 1 and start_of(groups[-1], least) < \
                start_of(groups[-2], least) + len(groups[-2]) * least:
            last = groups.pop()
            groups[-1] += last
    return [start_of(group, least) + k * least if len(group) > 1 else group[0]
            for group in groups for k in range(len(group))]


def within(values: Sequence[float], most: float, least: float) -> list[float]:
    """The same, from -`most` to `most`, where there is room for all of them."""
    after = range(len(values) - 1, -1, -1)
    return [max(min(value, most - least * k), -most + least * (len(values) - 1 - k))
            for value, k in zip(values, after)]


def start_of(group: Sequence[float], least: float) -> float:
    """Where the first of a group stands, the others after it."""
    return sum(group) / len(group) - least * (len(group) - 1) / 2


def edge(glyph: Glyph, rect: Rect, toward: Point) -> Point:
    """Where the line from a glyph's middle `toward` a point leaves its outline."""
    (x, y), (w, h) = centre(rect), (rect[2] - rect[0], rect[3] - rect[1])
    if w == 0:
        return x, y
    dx, dy = toward[0] - x, toward[1] - y
    if glyph.shape == "circle":
        far = (w / 2) / (hypot(dx, dy) or 1.0)
    else:
        far = min(w / 2 / abs(dx) if dx else 1e9, h / 2 / abs(dy) if dy else 1e9)
    return x + dx * far, y + dy * far


def leaving(glyph: Glyph, rect: Rect, back: bool) -> list[Point]:
    """Points of an outline at which a wire may leave to the right, or to the left if it runs
    `back`."""
    x, y = centre(rect)
    return [edge(glyph, rect, (x + (-cos(turn) if back else cos(turn)), y + sin(turn)))
            for turn in TURNS]


def through(glyph: Glyph, rect: Rect, end: Point, before: Point) -> bool:
    """Whether a line to a point of an outline comes from within: it does if it is within just
    before its end."""
    far = 1.5 / max(dist(end, before), 1.5)
    x, y = end[0] + (before[0] - end[0]) * far, end[1] + (before[1] - end[1]) * far
    if glyph.shape == "circle":
        return dist((x, y), centre(rect)) < (rect[2] - rect[0]) / 2 - 0.1
    return rect[0] + 0.1 < x < rect[2] - 0.1 and rect[1] + 0.1 < y < rect[3] - 0.1


def onto(rect: Rect, end: Point, before: Point) -> Way:
    """The end of a line, led on to the edge of a box that it stops short of: straight, or round to
    the middle of the nearest side."""
    (x, y), (left, top, right, bottom) = end, rect
    if abs(y - before[1]) < 0.01:
        if top <= y <= bottom:
            return ((left if x < left else right if x > right else x, y),)
        middle = (left + right) / 2
        return (middle, y), (middle, top if y < top else bottom)
    if left <= x <= right:
        return ((x, top if y < top else bottom if y > bottom else y),)
    middle = (top + bottom) / 2
    return (x, middle), (left if x < left else right, middle)


def meets(p: Point, q: Point, rect: Rect, margin: float = 3.0) -> bool:
    """Whether the straight line from `p` to `q` touches a rectangle: what is left of the line after
    cutting it at each of the four sides (Liang and Barsky 1984)."""
    start, end = 0.0, 1.0
    for axis in (0, 1):
        low, high, way = rect[axis] - margin, rect[axis + 2] + margin, q[axis] - p[axis]
        if way == 0:
            if not low < p[axis] < high:
                return False
            continue
        first, last = sorted(((low - p[axis]) / way, (high - p[axis]) / way))
        start, end = max(start, first), min(end, last)
    return start < end
