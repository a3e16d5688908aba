"""Outside: what has no step, on the left of the first step, on the right of the last, or between
two stages.

The question this file answers: *where does what comes before and after a recurrence stand?*
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from . import style
from .blocks import Block, overlap
from .contexts import afterwards, with_given
from .labels import Text, width
from .model import Point
from .routing import Rect, Way, centre, moved, shifted
from .scene import Glyph, Scene
from .tracks import TRACK

if TYPE_CHECKING:
    from .timegrid import TimeGrid

TOTAL, BESIDE = 20.0, 34.0  # the rail above the frames; from the last frame to what is beside it
BETWEEN = 16.0  # from the rail of one total to that of the next
ENTRY = 2.0, 8.0  # the place of a wire that comes in, which others keep clear of


def place_around(grid: TimeGrid) -> None:
    """What has no step: before the first step on the left, after the last on the right, and what
    one stage leaves to the next between the two."""
    scene = grid.scene
    after_all = with_given(scene, afterwards(scene))
    before = [g for g in scene.around if g not in after_all]
    after = [g for g in scene.around if g in after_all and g not in grid.contexts]
    for stage, block in grid.blocks.items():
        put(grid, block, grid.before[stage], height(grid, block))
    if after:
        block = block_of(scene, after)
        edge = max([grid.right, *(grid.rects[g][2] + 10 for g in scene.initial)])
        put(grid, block, edge + beside(scene, block), height(grid, block))
    if before:
        edge = min([-30.0, *(rect[0] for rect in grid.rects.values())])
        notes = max((width(r.note, style.SMALL) for r in scene.rails), default=0.0)
        block = Block(before, scene.wires)
        put(grid, block, edge - notes - 40 - block.right, grid.top / 2)


def block_of(scene: Scene, glyphs: list[Glyph]) -> Block:
    """Some of what is made of the steps, with entries for what it is made from."""
    inside = set(glyphs)
    steps = {glyph for column in scene.columns for glyph in column.glyphs}
    entries = [w.tail for w in scene.wires
               if w.kind == "free" and w.head in inside and w.tail in steps]
    return Block(glyphs, [w for w in scene.wires if w.kind != "term"], [*dict.fromkeys(entries)])


def beside(scene: Scene, block: Block) -> float:
    """How far a block stands from what it is made from: there is a track for each wire."""
    totals = sum(total in block.rects for total in scene.totals)
    return BESIDE + TRACK * (max(len(block.entries), totals, 1) - 1)


def height(grid: TimeGrid, block: Block) -> float:
    """How far down a block is moved: to be level with the rail of its total, or with the state it
    starts from."""
    for i, total in enumerate(grid.scene.totals):
        if total in block.rects:
            return grid.top - TOTAL - BETWEEN * i - centre(block.rects[total])[1]
    for entry in block.entries:
        return centre(grid.rects[entry])[1] - centre(block.rects[entry])[1]
    return grid.top / 2


def put(grid: TimeGrid, block: Block, dx: float, dy: float) -> None:
    """Move a block to its place, and lead the wires from the steps to their entries."""
    for glyph, (left, top, right, bottom) in block.rects.items():
        if glyph not in grid.column_of:
            grid.rects[glyph] = (left + dx, top + dy, right + dx, bottom + dy)
    entries = {glyph: moved(rect, dx, dy) for glyph, rect in block.rects.items()
               if glyph in grid.column_of}
    led: dict[Glyph, Way] = {}
    for wire, way in zip(block.wires, block.ways):
        on = shifted(way, dx, dy)
        if wire.tail in entries:
            if wire.tail not in led:
                others = [sized(centre(rect), *ENTRY) for glyph, rect in entries.items()
                          if glyph is not wire.tail]
                led[wire.tail] = grid.wires.find_way(wire, led.values(), entries[wire.tail], others)
            on = (*led[wire.tail], *on[1:])
        grid.wires.put(wire, on)


def around(point: tuple[float, float], glyph: Glyph) -> Rect:
    """The box of a glyph around a point."""
    return sized(point, *glyph.size())


def sized(point: tuple[float, float], w: float, h: float) -> Rect:
    """The box of a width and a height around a point."""
    (x, y) = point
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def below(rect: Rect, others: list[Rect]) -> Rect:
    """The rectangle, moved down until it is clear of the others."""
    left, top, right, bottom = rect
    for other in sorted(others, key=lambda r: r[1]):
        if left < other[2] and right > other[0] and top < other[3] + 6 and bottom > other[1] - 6:
            top, bottom = other[3] + 8, other[3] + 8 + bottom - top
    return left, top, right, bottom


def above(rect: Rect, others: list[Rect]) -> Rect:
    """The rectangle, moved up until it is clear of the others."""
    left, top, right, bottom = rect
    for other in sorted(others, key=lambda r: -r[3]):
        if left < other[2] and right > other[0] and top < other[3] + 6 and bottom > other[1] - 6:
            top, bottom = other[1] - 6 - (bottom - top), other[1] - 6
    return left, top, right, bottom


def note_below(rect: Rect, note: Text) -> Rect:
    """Where the note of a state from before the first step stands."""
    middle, wide = centre(rect)[0], width(note, style.SMALL)
    return middle - wide / 2, rect[3] + 3, middle + wide / 2, rect[3] + 16


def note_at(grid: TimeGrid, rect: Rect, note: Text) -> Point:
    """Where the middle of such a note stands: below, or where the number of a state in the step
    before comes so far, above or further away, on no box."""
    x, i = centre(rect)[0], bisect_right(grid.left, centre(rect)[0]) - 1
    below = note_below(rect, note)
    column = grid.scene.columns[i] if i >= 0 else None
    if column is None or column.step is None:
        return x, rect[3] + 13
    words = [moved(r, grid.left[i]) for r in grid.of(column).stamp(column.when).words]
    taken = [*words, *(grid.rects[g] for c in grid.scene.columns[i:i + 2] for g in c.glyphs),
             *(grid.rects[g] for g in grid.scene.initial)]
    ways = 0.0, rect[1] - rect[3] - 19, 14.0, rect[1] - rect[3] - 33
    far = next((dy for dy in ways if not any(overlap(moved(below, 0.0, dy), r)
                                             for r in (taken if dy else words))), 0.0)
    return x, rect[3] + 13 + far


def with_note(rect: Rect, note: Text) -> Rect:
    """The box of a state from before the first step, and of its note."""
    if not note:
        return rect
    words = note_below(rect, note)
    return min(rect[0], words[0]), rect[1], max(rect[2], words[2]), words[3]


def high_of(weight: Glyph) -> float:
    """How high the box of a weight is: low enough for rails that run close together."""
    return weight.size()[1] if weight.turned else 20.0
