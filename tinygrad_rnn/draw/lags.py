"""Lags: the black squares of delayed wires, and how many steps ago is meant, beside each.

The question this file answers: *where on its wire does a delay stand?*
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from . import style
from .delays import along, closely, fits, halfway, square
from .heads import drawn_head
from .labels import Run, Text
from .model import Box, Label, Point
from .paper import label_rect
from .scene import Wire
from .spots import Spot, around_square, free, level_with

if TYPE_CHECKING:
    from .ink import Ink


def delay(ink: Ink, wire: Wire) -> None:
    """The black square on the longest stretch of a delayed wire that is its own, where no other
    line crosses, and the lag beside it."""
    lag, way = lag_text(wire), ink.grid.way(wire)
    found, more = (clear_squares(ink, wire, places) for places in (along(way), closely(way)))
    if not found and not more:
        ink.crowded, found = ink.crowded + 1, [halfway(way)]
    places = [(spot, at) for squares in (found, more)
              for near in (around_square, level_with) for at in squares for spot in near(at)]
    said = lag_spot(ink, [spot for spot, _ in places], lag)
    x, y = next((at for spot, at in places if spot == said), places[0][1])
    ink.boxes.append(Box(f"{wire.tail.id}--{wire.head.id}.{wire.position}.delay", x, y, 8, 8,
                         "rect", "delay", title="a delay"))
    ink.taken.add(square((x, y)))
    ink.say(said[0], lag, "text", style.TINY, said[1], halo=True)


def clear_squares(ink: Ink, wire: Wire, places: Iterable[Point]) -> list[Point]:
    """Those of some places for the square of a wire where it fits, and no glyph is; where few lines
    run close by first."""
    name, own = f"{wire.tail.id}--", ink.drawn[wire]
    others = [line.points for i, line in enumerate(ink.lines)
              if i != own and line.id.startswith(name)]
    heads = [drawn_head(line.points, line.width) for line in ink.lines if line.arrow]
    crowds = {at: crowd(ink, at, wire) for at in places if fits(at, others, heads)}
    return [at for at in sorted(crowds, key=lambda at: crowds[at]) if crowds[at] < 9]


def lag_spot(ink: Ink, places: list[Spot], lag: Text) -> Spot:
    """The first of some spots with room for a lag; if there is none, one where it just fits."""
    full = ink.taken, ink.heads, ink.lanes, ink.edges
    found = free(places, lag, *full) or next(
        (spot for spot in places if not any(lane.touch(label_rect(Label(
            *spot[0], lag, size=style.TINY, anchor=spot[1]))) for lane in full)), None)
    ink.crowded += found is None
    return found or ink.best(places, lag, ink.edges)


def lag_text(wire: Wire) -> Text:
    """How many steps ago: t−1; and which steps look back, if not all that can: t−3, some t."""
    lag = Run("t", "i"), Run(f"−{wire.delay}" if wire.delay > 0 else f"+{-wire.delay}")
    return (*lag, Run(", "), *wire.note) if wire.note else lag


def crowd(ink: Ink, at: Point, wire: Wire) -> int:
    """How many lines other than `wire` run close to a point; a glyph counts for nine."""
    x, y = at
    name = f"{wire.tail.id}--{wire.head.id}"
    near = sum(min(p[0], q[0]) < x + 9 and max(p[0], q[0]) > x - 9
               and min(p[1], q[1]) < y + 9 and max(p[1], q[1]) > y - 9
               for line in ink.lines if not line.id.startswith(name)
               for p, q in pairwise(line.points))
    return near + 9 * ink.taken.touch((x - 8, y - 8, x + 8, y + 8))
