"""Noting: the places beside a box where its note can stand.

The question this file answers: *where could the number of a variable be written?*
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain, product

from . import style
from .labels import Run, Text, width
from .laid import Laid
from .model import Point
from .outlines import meets
from .paper import BOLD
from .routing import Rect, centre

LINE = 13.0  # from the words of one line to those of the next
RINGS = 3.0, 9.0, 18.0, 30.0, 45.0  # how far from its box a word may stand
ALONG, DOWN = 6.0, 4.0  # from one place at a side of a box to the next
AT_IT, TIED = 3.0, 1.0  # so near, words are at their own; what differs by no more is as near


def note_spots(rect: Rect, wide: float) -> Iterable[tuple[Point, str]]:
    """Places for a note beside a box, the best first: (baseline point, anchor)."""
    left, top, right, bottom = rect
    for y in (bottom + 14, top - 6, bottom + 28, top - 20):
        yield (max(right + 10, wide + 8), y), "end"
        yield ((left + right) / 2, y), "middle"
        yield (left, y), "start"
        yield (right + 3, y), "start"
    for y in (bottom + 14, top - 6):
        yield (right + 4, y), "start"
    yield (right, top - 6), "end"  # clear of a wire that comes down beside it


def far_spots(rect: Rect, first: int, last: int) -> Iterable[tuple[Point, str]]:
    """Places further away, where a step is crowded; the first of them past a tap that runs by."""
    left, top, right, bottom = rect
    levels = [bottom + 14, top - 6]
    if first < 40:
        for y, distance in product(levels, range(first, last, 10)):
            yield (left - distance, y), "end"
            yield (right + distance, y), "start"
        return
    levels += [bottom + 28, top - 20, (top + bottom) / 2 + 4]
    for distance, y in product(range(first, last, 10), levels):
        yield (left - distance, y), "end"
        yield (right + distance, y), "start"


def next_line(rect: Rect) -> Iterable[tuple[Point, str]]:
    """Places below a box, or above it, clear of the words of others in its row."""
    left, top, right, bottom = rect
    for y in (bottom + 30, top - 22):
        yield ((left + right) / 2, y), "middle"
        for distance in range(-60, 130, 10):
            yield (left - distance, y), "end"
            yield (right + distance, y), "start"


def all_around(rect: Rect, wide: float, size: float = style.SMALL) -> Iterator[
        tuple[Point, str]]:
    """Places for words all around a box, the nearest first."""
    left, top, right, bottom = rect
    x, y = centre(rect)
    for far in RINGS:
        for level in outwards(y, (bottom - top) / 2, DOWN):
            yield (right + far, level + size / 3), "start"
            yield (left - far, level + size / 3), "end"
        for place in outwards(x, (right - left + wide) / 2, ALONG):
            yield (place, bottom + far + size), "middle"
            yield (place, top - far - 0.35 * size), "middle"


def outwards(at: float, far: float, step: float) -> list[float]:
    """Places from a middle to so far on both sides."""
    return [at, *(at + side * step * k for k in range(1, int(far / step) + 1) for side in (1, -1))]


def note_rect(spot: tuple[Point, str], wide: float, lines: int = 1) -> Rect:
    """The box that a note fills."""
    (x, y), anchor = spot
    left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
    return left, y - style.SMALL, left + wide, y + style.SMALL * 0.35 + LINE * (lines - 1)


def behind(rect: Rect, note: Rect, wires: Laid) -> bool:
    """Whether a note stands behind one of some wires, as its box sees it; not one that ends at the
    box."""
    x, y = centre(rect)
    end = min(max(x, note[0]), note[2]), min(max(y, note[1]), note[3])
    between = min(x, end[0]), min(y, end[1]), max(x, end[0]), max(y, end[1])
    return any(meets((x, y), end, (min(p[0], q[0]), min(p[1], q[1]),
                                   max(p[0], q[0]), max(p[1], q[1])), 0.5)
               for _, _, _, _, p, q, way in wires.touching(between, 1.0)
               if not any(on(rect, point) for point in (way[0], way[-1])))


def stranger(rect: Rect, note: Rect, boxes: Iterable[Rect], wires: Laid, rails: Laid) -> float:
    """How much nearer something else is to a note than its own box, unless it is at that: another
    box, or a wire that does not end at its own."""
    mine = distance(rect, note)
    if mine <= AT_IT:
        return 0.0
    near = [distance(other, note) for other in boxes if other != rect]
    near += [distance(note, (min(p[0], q[0]), min(p[1], q[1]), max(p[0], q[0]), max(p[1], q[1])))
             for _, _, _, _, p, q, way in chain(wires.touching(note, mine),
                                                rails.touching(note, mine))
             if not any(on(rect, point) for point in (way[0], way[-1]))]
    return max(0.0, mine - TIED - min(near, default=mine))


def on(rect: Rect, point: Point) -> bool:
    """Whether a point is on a box, or within."""
    return rect[0] <= point[0] <= rect[2] and rect[1] <= point[1] <= rect[3]


def distance(a: Rect, b: Rect) -> float:
    """How far two boxes are from each other; 0 if they meet."""
    across, down = max(a[0] - b[2], b[0] - a[2], 0.0), max(a[1] - b[3], b[1] - a[3], 0.0)
    return math.hypot(across, down)


def broken(note: Text) -> list[Text]:
    """A note in two lines, as narrow as can be, if it is of several parts: 2 × 3, only t = 1."""
    halves = [[note[:i], note[i + 1:]] for i, run in enumerate(note) if run == Run(", ")]
    return min(halves, key=lambda lines: max(width(line, style.SMALL) for line in lines),
               default=[note])


def widest(notes: Iterable[Text]) -> float:
    """How wide the widest of some words is, in bold letters."""
    return max(width(note, style.SMALL) for note in notes) * BOLD


def parted(note: Text) -> list[Text]:
    """The sum of a weight in two lines, name and number."""
    for i, run in enumerate(note[:-1], 1):
        if run.text.endswith(" = "):
            return [(*note[:i - 1], Run(run.text.rstrip(" ="), run.style)), (Run("= "), *note[i:])]
    return [note] if note else []
