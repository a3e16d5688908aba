"""Lags: the black squares of delayed wires, and how many steps ago is meant, beside each.

The question this file answers: *where on its wires does a delay stand?*
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from . import style
from .delays import BOX, SIDE, along, closely, fits, halfway, square, with_it
from .heads import drawn_head
from .labels import Run, Text, width
from .model import Box, Label, Point
from .noting import all_around
from .paper import label_rect, turn
from .routing import Way
from .scene import Wire
from .spots import Spot, around_square, for_lag, level_with
from .telling import CROWDED, EDGE, LINE, WORST, Telling

if TYPE_CHECKING:
    from .ink import Ink

GLYPH, NEAR = 90, 9  # so many lines close by are as bad as a glyph there, or close by
FEW, MANY = 3, 40  # so many squares are looked at from all sides, and in a crowd


def add_delays(ink: Ink, telling: Telling) -> None:
    """The squares of all delayed wires: one for those of one thing with one lag that go together,
    as far as there is a place where all of them do."""
    groups: dict[Hashable, list[Wire]] = {}
    for wire in ink.scene.wires:
        if wire.delay:
            groups.setdefault((wire.tail, wire.lags), []).append(wire)
    for wires in groups.values():
        while wires:
            wires = delay(ink, telling, wires)


def delay(ink: Ink, telling: Telling, wires: list[Wire]) -> list[Wire]:
    """The black square of the first of some wires with one lag, where it delays as many of them as
    can be and no other line crosses; the lag beside it. Returns those that are still without."""
    wire, *more = wires
    way = ink.grid.way(wire)
    ways = {other: ink.grid.way(other) for other in more}
    found, less = clear_squares(ink, wire, ways, along(way), [*closely(way)])
    if not found and not less:
        ink.grid.wires.squares.crowded.add(way)
        found = [halfway(way)]
    like = Label(0, 0, lag_text(wire), size=style.TINY, halo=True, of=(square_of(wire),))
    box, label, cost = best_square(telling, found, less, like, wire.tail.turned)
    if wire.tail.turned:  # it is said when the paper has been turned
        left, top, right, bottom = label_rect(label)
        ink.taken.add((top, -right, bottom, -left))
    else:
        ink.crowded += cost >= LINE
        ink.put(label)
    at = box.x, box.y
    ink.boxes.append(box)
    telling.new.append(box)
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


def best_square(telling: Telling, first: list[Point], less: list[Point], like: Label,
                turned: bool) -> tuple[Box, Label, int]:
    """The first of some places for a square with room for its lag, `turned` or not, which then
    reads as that of no other; if there is none, the best; the lag there, and what is wrong."""
    best = square_at(first[0] if first else less[0], like), like, WORST
    for squares, near, bad in square_places(first, less, like, turned):
        for at in squares if best[2] >= bad else ():
            box = square_at(at, like)
            label, cost = telling.best(near(at), like, box, best[2], turned)
            if cost < best[2]:
                best = box, label, cost
            if not cost:
                return best
    return best


def square_places(first: list[Point], less: list[Point], like: Label, turned: bool) -> Iterator[
        tuple[list[Point], Callable[[Point], Iterable[Spot]], int]]:
    """Places for a square, and for the lag at each, to be looked at if those before are so bad;
    all around the first squares, if it is on the outline of a frame, say; and around many, if
    there is no place of its own."""
    def around(at: Point) -> Iterator[Spot]:
        seen = square(turn(at) if turned else at)
        return all_around(seen, width(like.text, like.size), like.size)

    for squares in first, less:
        if turned:
            yield squares, lambda at: for_lag(turn(at)), 1
        else:
            yield squares, around_square, 1
            yield squares, level_with, 1
    yield [*first, *less][:FEW], around, EDGE
    yield [*first, *less][:MANY], around, CROWDED


def square_at(at: Point, like: Label) -> Box:
    """The black square that words are of."""
    return Box(like.of[0], *at, SIDE, SIDE, "rect", "delay", title="a delay")


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
    if ink.taken.touch(square(at, BOX)):
        return near + GLYPH
    return near + NEAR * ink.taken.touch(square(at, 4.0))
