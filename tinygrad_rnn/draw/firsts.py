"""First states: beside the steps that they enter, past one another and the weights.

The question this file answers: *where does a state stand that no step has made?*

On the left of the first step; of a sequence that is read from its end, on the right of the last.
Each stands in the row of its state, with its note below, or, if another stands there, in that of
what it enters; or as near to it as there is room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import style
from .labels import Text, width
from .outside import BETWEEN as APART
from .outside import TOTAL, above, around, below, high_of, note_below, with_note
from .routing import Rect, centre, moved
from .scene import Glyph

if TYPE_CHECKING:
    from .timegrid import TimeGrid

BETWEEN = 14.0  # below a first state, where the wire of the next one comes out
BESIDE_RAIL = 6.0  # from a first state to the rail of a total

Rail = tuple[float, float]  # how high it runs, and how much is to be clear above and below


def place(grid: TimeGrid) -> None:
    """The first states of all stages."""
    placed: list[Rect] = []
    for glyph in grid.scene.initial:
        head, last = entered(grid, glyph), at_end(grid, glyph) is not None
        stage = grid.scene.columns[grid.column_of[head]].stage
        own = columns_of(grid, stage)
        end = grid.left[own[-1]] + grid.column_width(grid.scene.columns[own[-1]])
        x = end + aside(glyph) if last else grid.left[own[0]] - aside(glyph)
        rects = grid.templates[stage].rects
        y = centre(rects.get(glyph.key) or rects[head.key])[1]
        rect = around((x, y), glyph)
        if any(rect[1] < other[3] and rect[3] > other[1] and rect[0] < other[2]
               and rect[2] > other[0] for other in placed):  # two layers, their states in one row
            rect = around((x, centre(rects[head.key])[1]), glyph)
        rails = rails_beside(grid, stage) + rails_of_totals(grid)
        near = beside_others(rect, glyph.note, placed, rails)
        on_its_side = rect[3] - rect[1] > 2 * style.VAR
        if not last and on_its_side and any(on_rail(r, glyph.note, rails) for r in (rect, near)):
            rect = moved(rect, beside_weights(grid, stage) - rect[2])
            near = beside_others(rect, glyph.note, placed, rails)
        grid.rects[glyph] = near
        words = note_below(near, glyph.note) if glyph.note else moved(near, 0.0, BETWEEN)
        placed += [words, near]


def entered(grid: TimeGrid, glyph: Glyph) -> Glyph:
    """Where a first state enters."""
    return next(wire.head for wire in grid.scene.wires if wire.tail is glyph)


def at_end(grid: TimeGrid, glyph: Glyph) -> int | None:
    """The last column of its stage, if a first state enters it, or what reads from the end."""
    head = entered(grid, glyph)
    i = grid.column_of.get(head)
    if i is None:
        return None
    stage = grid.scene.columns[i].stage
    own = columns_of(grid, stage)
    last = i == own[-1] or head.scope in grid.templates[stage].grid.steps.backwards
    return own[-1] if len(own) > 1 and last else None


def columns_of(grid: TimeGrid, stage: int) -> list[int]:
    """Where the columns of a stage are."""
    return [i for i, column in enumerate(grid.scene.columns) if column.stage == stage]


def wide(glyph: Glyph) -> float:
    """How wide a first state is: clear of the frame, and of wires past a note."""
    return max(glyph.size()[0] + 16, width(glyph.note, style.SMALL) + 20 if glyph.note else 0.0)


def aside(glyph: Glyph) -> float:
    """How far from the frame the middle of a first state stands."""
    return max(40.0, wide(glyph) / 2 + 6)


def room_after(grid: TimeGrid, i: int) -> float:
    """What the first states that enter the last column of a stage need on its right."""
    there = [glyph for glyph in grid.scene.initial if at_end(grid, glyph) == i]
    return max((aside(glyph) + wide(glyph) / 2 for glyph in there), default=0.0)


def beside_weights(grid: TimeGrid, stage: int) -> float:
    """Where there is room on the left of the weights of a stage."""
    boxes = [rail.glyph.size()[0] + width(rail.note, style.SMALL) + 8
             for rail in grid.scene.rails if rail.stage == stage]
    return grid.start[stage] - grid.lead(stage) - 30.0 - max(boxes, default=0.0)


def beside_others(rect: Rect, note: Text, placed: list[Rect], rails: list[Rail]) -> Rect:
    """A place near a given one that is clear of those taken, with its note: below them, or above
    where a rail runs; or wherever there is room above or below."""
    whole = with_note(rect, note)
    ways = [below(whole, placed), above(whole, placed)]
    ways += [moved(whole, 0.0, dy) for k in range(1, 60) for dy in (-6.0 * k, 6.0 * k)]
    places = {way: moved(rect, 0.0, way[1] - whole[1]) for way in ways}
    free = (found for way, found in places.items() if not on_rail(found, note, rails)
            and way in (below(way, placed), above(way, placed)))
    return next(free, places[ways[0]])


def rails_beside(grid: TimeGrid, stage: int) -> list[Rail]:
    """Where the rails of a stage run, and the boxes of its weights stand."""
    boxes = [rail.glyph for rail in grid.scene.rails if rail.stage == stage]
    high = 2.0 + max((high_of(glyph) / 2 for glyph in boxes), default=0.0)
    return [(y, high) for y in grid.templates[stage].rail_y.values()]


def rails_of_totals(grid: TimeGrid) -> list[Rail]:
    """Where those of totals run above all steps, and on after the last one."""
    return [(grid.top - TOTAL - APART * i, BESIDE_RAIL) for i in range(len(grid.scene.totals))]


def on_rail(rect: Rect, note: Text, rails: list[Rail]) -> bool:
    """Whether something beside the steps, or its note, would lie at the height of a rail."""
    low = with_note(rect, note)[3]
    return any(rect[1] - high < y < low + high for y, high in rails)
