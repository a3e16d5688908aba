"""Heads: the ends of wires at which arrows stand.

The question this file answers: *can every arrow head be seen, and told from the others?*

A head wants a straight shaft that can be seen behind it, and no other wire on it or close to it. Of
wires that have become one before their common end, the shaft is one, and so is the head. Where a
gradient runs, the heads stand where the wires begin, and are larger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import hypot
from typing import TYPE_CHECKING, NamedTuple

from . import style
from .model import Point

if TYPE_CHECKING:
    from .routing import Rect, Way

LONG = 9.0, 12.0  # how long a head is, and that of a gradient, which is wider
SHAFT = 14.0, 16.0  # a shaft that can be seen
TAKEN = (14.0, 6.2), (16.0, 5.6)  # where no other wire should run: how long, half how wide


class Head(NamedTuple):
    """Where an arrow head stands: its tip, whether its shaft is level, and what it fills."""

    tip: Point
    level: bool
    rect: Rect
    short: float  # 1 if its wire bends before a head has room, a part of it if the shaft is short


def head_of(way: Way, back: bool) -> Head:
    """The head of a wire: at its end, or at its beginning if arrows run `back`."""
    tip, inner = (way[0], way[1]) if back else (way[-1], way[-2])
    long, half = TAKEN[back]
    (x, y), level = tip, tip[1] == inner[1]
    far = abs(tip[0] - inner[0]) + abs(tip[1] - inner[1])
    if level:
        end = x + long if inner[0] > x else x - long
        rect = min(x, end), y - half, max(x, end), y + half
    else:
        end = y + long if inner[1] > y else y - long
        rect = x - half, min(y, end), x + half, max(y, end)
    bent = len(way) > 2
    short = 1.0 if bent and far < LONG[back] else 0.25 if bent and far < SHAFT[back] else 0.0
    return Head(tip, level, rect, short)


def drawn_head(way: Sequence[Point], width: float) -> Rect:
    """What the head at the end of a line of a width covers."""
    (x, y), (x2, y2) = way[-1], way[-2]
    (long, half), far = style.head(width), hypot(x2 - x, y2 - y) or 1.0
    u, v = (x2 - x) / far, (y2 - y) / far
    xs = x, x + long * u - half * v, x + long * u + half * v
    ys = y, y + long * v + half * u, y + long * v - half * u
    return min(xs), min(ys), max(xs), max(ys)


def over(p: Point, q: Point, heads: Iterable[Head]) -> int:
    """Over how many heads a stretch runs; not over that in which it ends itself."""
    left, right = (p[0], q[0]) if p[0] < q[0] else (q[0], p[0])
    top, bottom = (p[1], q[1]) if p[1] < q[1] else (q[1], p[1])
    return sum(left < rect[2] and right > rect[0] and top < rect[3] and bottom > rect[1]
               and not (tip in (p, q) and level == (p[1] == q[1]))
               for tip, level, rect, _ in heads)


def under(head: Head, parts: Sequence[tuple[Point, Point]]) -> int:
    """How many stretches of other wires run over a head."""
    return sum(over(p, q, (head,)) for p, q in parts)
