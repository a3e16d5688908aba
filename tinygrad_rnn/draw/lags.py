"""Lags: the black squares of delayed wires, and how many steps ago is meant, beside each.

The question this file answers: *where on its wires does a delay stand?*
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import pairwise
from typing import TYPE_CHECKING

from . import style
from .delays import along, closely, fits, halfway, square, with_it
from .heads import drawn_head
from .labels import Run, Text
from .model import Box, Label, Point
from .paper import label_rect, turn
from .routing import Way
from .scene import Wire
from .spots import Spot, around_square, for_lag, free, level_with

if TYPE_CHECKING:
    from .ink import Ink

GLYPH, NEAR = 90, 9  # so many lines close by are as bad as a glyph there, or close by


def add_delays(ink: Ink) -> None:
    """The squares of all delayed wires: one for those of one thing with one lag that go together,
    as far as there is a place where all of them do."""
    groups: dict[Hashable, list[Wire]] = {}
    for wire in ink.scene.wires:
        if wire.delay:
            groups.setdefault((wire.tail, wire.lags), []).append(wire)
    for wires in groups.values():
        while wires:
            wires = delay(ink, wires)


def delay(ink: Ink, wires: list[Wire]) -> list[Wire]:
    """The black square of the first of some wires with one lag, where it delays as many of them as
    can be and no other line crosses; the lag beside it. Returns those that are still without."""
    wire, *more = wires
    way, lag = ink.grid.way(wire), lag_text(wire)
    ways = {other: ink.grid.way(other) for other in more}
    found, less = clear_squares(ink, wire, ways, along(way), [*closely(way)])
    if not found and not less:
        ink.grid.wires.squares.crowded.add(way)
        found = [halfway(way)]
    if wire.tail.turned:  # it is said when the paper has been turned
        at = roomy(ink, [*found, *less], lag)
    else:
        places = [(spot, at) for squares in (found, less)
                  for near in (around_square, level_with) for at in squares for spot in near(at)]
        said = lag_spot(ink, [spot for spot, _ in places], lag)
        at = next((at for spot, at in places if spot == said), places[0][1])
        ink.say(said[0], lag, "text", style.TINY, said[1], halo=True)
    ink.boxes.append(Box(square_of(wire), *at, 8, 8, "rect", "delay", title="a delay"))
    ink.taken.add(square(at))
    gone = with_it(way, ways.values(), at)
    return [other for other in more if ways[other] not in gone]


def square_of(wire: Wire) -> str:
    """What the square of a delayed wire is called."""
    return f"{wire.tail.id}--{wire.head.id}.{wire.position}.{wire.delay}.delay"


def clear_squares(ink: Ink, wire: Wire, more: dict[Wire, Way],
                  *places: list[Point]) -> list[list[Point]]:
    """Those of some places for the square of a wire where it fits, no glyph is, and it delays as
    many of some `more` wires by as anywhere; where few lines run close by first."""
    name, way, index = f"{wire.tail.id}--", ink.grid.way(wire), ink.drawn
    mine = {index[wire], *(index[other] for other in more)}
    others = [line.points for i, line in enumerate(ink.lines)
              if i not in mine and line.id.startswith(name)]
    heads = [drawn_head(line.points, line.width) for line in ink.lines if line.arrow]
    heads += [(box.x, box.y, box.x, box.y) for box in ink.boxes if ".parting" in box.id]
    found: dict[Point, tuple[int, int]] = {}  # how many more it delays, and what is close by
    for at in dict.fromkeys(at for some in places for at in some):
        gone = with_it(way, more.values(), at)
        left = [other for other in more.values() if other not in gone]
        if fits(at, [*others, *left], heads) and (near := crowd(ink, at, wire)) < GLYPH:
            found[at] = len(gone), near
    most = max((count for count, _ in found.values()), default=0)
    return [sorted((at for at in some if at in found and found[at][0] == most),
                   key=lambda at: found[at][1]) for some in places]


def lag_spot(ink: Ink, places: list[Spot], lag: Text) -> Spot:
    """The first of some spots with room for a lag; if there is none, one where it just fits."""
    full = ink.taken, ink.heads, ink.lanes, ink.edges
    found = free(places, lag, *full) or next(
        (spot for spot in places if not any(lane.touch(label_rect(Label(
            *spot[0], lag, size=style.TINY, anchor=spot[1]))) for lane in full)), None)
    ink.crowded += found is None
    return found or ink.best(places, lag, ink.edges)


def roomy(ink: Ink, squares: list[Point], lag: Text) -> Point:
    """The first of some places for a square that has room for a lag on turned paper; if there is
    none, the one where it lies on nothing but lines."""
    for lanes in (ink.lanes, ink.edges), ():
        for at in squares:
            for (x, y), anchor in for_lag(turn(at)):
                left, top, right, bottom = label_rect(Label(x, y, lag, size=style.TINY,
                                                            anchor=anchor))
                rect = top, -right, bottom, -left  # before the turn
                if not any(full.touch(rect) for full in (ink.taken, ink.heads, *lanes)):
                    ink.taken.add(rect)
                    return at
    return squares[0]


def lag_text(wire: Wire) -> Text:
    """How many steps ago: t−1; and which steps look back, if not all that can: t−3, some t."""
    said = [(*ago(delay), *((Run(", "), *note) if note else ())) for delay, note in wire.lags]
    return tuple(run for i, text in enumerate(said) for run in ((Run("; "),) * (i > 0) + text))


def ago(delay: int) -> Text:
    """How many steps ago."""
    return Run("t", "i"), Run(f"−{delay}" if delay > 0 else f"+{-delay}")


def crowd(ink: Ink, at: Point, wire: Wire) -> int:
    """How many lines other than `wire` run close to a point; a glyph counts for many."""
    x, y = at
    name = f"{wire.tail.id}--{wire.head.id}"
    near = sum(min(p[0], q[0]) < x + 9 and max(p[0], q[0]) > x - 9
               and min(p[1], q[1]) < y + 9 and max(p[1], q[1]) > y - 9
               for line in ink.lines if not line.id.startswith(name)
               for p, q in pairwise(line.points))
    if ink.taken.touch(square(at, 1.0)):
        return near + GLYPH
    return near + NEAR * ink.taken.touch(square(at, 4.0))
