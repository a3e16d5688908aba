"""The template of a step: the grid in points, with every wire, tap and note that a step can have.

The question this file answers: *what does one step look like, exactly?*

The grid is made once for all visible steps, from the union of what they contain, and the wires once
for each kind of step; then they are stamped: a step costs the same whether there are 3 or 2,000. x
counts from the left edge of the step's frame, y downwards from the lowest rail.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import NamedTuple

from . import style
from .cell import Grid
from .labels import width
from .routing import Rect, centre, moved
from .scene import Rail, Scene, Wire
from .stamp import EDGE, LABEL, Stamp
from .taps import Tap, widen_cells

Key = Hashable
RAIL, ZONE, TITLE = 22.0, 16.0, 22.0
BETWEEN = 16.0  # how far frames stand apart
CONTEXT = 18.0  # the room above a rail for the wire that brings what was computed
DELAY = 14.0  # the room below the lowest row for a state that comes back to it
MOST_KINDS = 12  # of steps that differ in what they contain


class Room(NamedTuple):
    """How far things stand apart: rails, columns and rows of a step, and the frames of steps;
    `before` is what a weight's sum takes on the left of its box, if nothing there tells."""

    rail: float = RAIL
    column: float = style.GAP_X
    row: float = style.GAP_Y
    between: float = BETWEEN
    before: float = 0.0


class Template:
    """Rectangles, ways and notes of a step, by key."""

    def __init__(self, scene: Scene, room: Room) -> None:
        self.scene, self.grid, self.room = scene, Grid(scene), room
        self.sizes = self.measure_boxes()
        if widen_cells(scene, self.grid, self.sizes):
            self.sizes = self.measure_boxes()
        self.noted = any(g.note for c in scene.columns for g in c.glyphs) or any(
            r.step_notes for r in scene.rails
        )
        self.zones = self.rails_by_zone()
        self.x, self.width, self.xs = self.measure_columns()
        self.y, self.rail_y, self.ys, self.top, self.bottom = self.measure_rows({})
        self.order_rails()
        self.first_laid = {band: rails[::-1] for band, rails in self.zones.items()}
        self.rects = self.rectangles()
        self.kinds = self.find_kinds()
        self.stamps = [Stamp(self, whens) for whens in self.by_kind()]
        if self.order_again():
            for stamp in self.stamps:
                stamp.tap_again()
        self.fit()
        for stamp in self.stamps:
            stamp.place_notes()
        self.widen()

    def stamp(self, when: int | None) -> Stamp:
        """What the steps that look like this one have in common."""
        return self.stamps[self.kinds[when]]

    def tap(self, rail: Rail, wire: Wire) -> Tap:
        """The tap of one use."""
        return self.stamp(wire.head.when).taps[rail.glyph.id, wire.head.key, wire.position]

    def move(self, dx: float, dy: float) -> None:
        """Everything further to the right, and down."""
        self.rects = {key: moved(rect, dx, dy) for key, rect in self.rects.items()}
        for stamp in self.stamps:
            stamp.move(dx, dy)
        self.x, self.xs = [x + dx for x in self.x], [x + dx for x in self.xs]
        self.rail_y = {name: y + dy for name, y in self.rail_y.items()}
        self.ys = [y + dy for y in self.ys]
        self.top, self.bottom = self.top + dy, self.bottom + dy

    def find_kinds(self) -> dict[int | None, int]:
        """The kind of every column: steps with the same things in them are stamped alike."""
        columns = [c for c in self.scene.columns if c.step is not None]
        looks = [frozenset(glyph.key for glyph in column.glyphs) for column in columns]
        number = {look: i for i, look in enumerate(dict.fromkeys(looks))}
        if len(number) > MOST_KINDS:  # every step is another: one stamp with room for all
            return {column.when: 0 for column in columns}
        return {column.when: number[look] for column, look in zip(columns, looks)}

    def by_kind(self) -> list[set[int | None]]:
        """The columns of each kind."""
        return [{when for when, kind in self.kinds.items() if kind == i}
                for i in range(len(set(self.kinds.values())))]

    def level(self) -> float:
        """The height of the lowest row of states."""
        lowest = [centre(self.rects[key])[1] for key in self.grid.steps.leaves if key in self.rects]
        return max(lowest, default=0.0)

    # --- measures -------------------------------------------------------------------------------

    def measure_boxes(self) -> dict[Key, tuple[float, float]]:
        """The width and height that every key needs at some step, the `uneven` not at every one."""
        sizes, self.uneven = dict[Key, tuple[float, float]](), set[Key]()
        for column in self.scene.columns:
            for glyph in column.glyphs if column.step is not None else ():
                size = w, h = glyph.size()
                before = sizes.setdefault(glyph.key, size)
                if size != before:
                    self.uneven.add(glyph.key)
                    sizes[glyph.key] = max(w, before[0]), max(h, before[1])
        return sizes

    def rails_by_zone(self) -> dict[int, list[Rail]]:
        """Each rail runs below the lowest band it feeds."""
        zones: dict[int, list[Rail]] = {}
        for rail in self.scene.rails:
            band = min(self.grid.spots[wire.head.key].band for wire in rail.taps)
            zones.setdefault(band, []).append(rail)
        return zones

    def measure_columns(self) -> tuple[list[float], float, list[float]]:
        """The middle of every grid column, the width of the frame, and the upright channels."""
        spots = self.grid.spots
        count = 1 + max((s.col for s in spots.values()), default=0)
        wide = [
            max((self.sizes[k][0] for k, s in spots.items() if s.col == col), default=0.0)
            for col in range(count)
        ]
        middles, edges, x = [], [], style.PAD
        for w in wide:
            middles.append(x + w / 2)
            edges.append((x, x + w))
            x += w + self.room.column
        frame = x - self.room.column + style.PAD
        channels = [11.0, 16.0, 6.5, *(22.0 + 6 * k for k in range(int(
            (self.room.column - style.GAP_X) / 6)))]
        xs = [left - d for left, _ in edges for d in channels]
        return middles, frame, [*xs, frame - style.PAD + 8]

    def measure_rows(
        self, order: dict[int, list[Rail]]
    ) -> tuple[dict[tuple[int, int], float], dict[str, float], list[float], float, float]:
        """The middle of every grid row and rail, the level channels, top and bottom of the
        frame."""
        rows, rails, ys, y = {}, {}, [], 0.0
        step = self.room.rail + (5.0 if self.noted else 0.0)
        bottom = 0.0
        for band in range(len(self.grid.uppers)):
            zone = self.zones.get(band, [])
            for rail in reversed(zone):
                rails[rail.glyph.id] = y
                if rail.computed:  # what is shared comes in from above
                    ys.append(y - step / 2 - CONTEXT / 2 - 2.0)
                    y -= CONTEXT
                y -= step
            if band == 0:
                y -= ZONE + (6.0 if self.noted else 0.0) if zone else 0.0
                bottom = y
                low = DELAY if self.grid.comes_back_low(self.scene.wires) else 0.0
                y -= style.GAP_Y / 2 + 6 + (LABEL if self.noted else 0.0) + low
            elif zone:
                y -= 4.0
            spots = [(k, s.row) for k, s in self.grid.spots.items() if s.band == band]
            for row in range(1 + max((r for _, r in spots), default=-1)):
                high = max((self.sizes[k][1] for k, r in spots if r == row), default=style.OP)
                rows[band, row] = y - high / 2
                more = range(int((self.room.row - style.GAP_Y) / 6))
                free = [y + d for d in (9.0, 14.0, 4.5, *(20.0 + 6 * k for k in more))]
                ys += [level for level in free if band or level < bottom - 1.0]  # in the frame
                y -= high + self.room.row
            ys += [y + self.room.row - d for d in (9.0, 14.0)]
            if self.grid.uppers[band : band + 2] == [False, True] and self.zones.get(band + 1):
                y -= 2.0
        return rows, rails, ys, y + self.room.row - style.GAP_Y / 2 - TITLE, bottom

    def order_rails(self) -> None:
        """In each zone, so that a note beside a step's last tap meets no other tap: in a lower zone
        the rail tapped furthest on the right is on top, in an upper one the rail that serves the
        highest row."""
        for band, rails in self.zones.items():

            def place(rail: Rail, upper: bool = self.grid.uppers[band]) -> tuple[int, int]:
                spots = [self.grid.spots[w.head.key] for w in rail.taps]
                first = min(spots, key=lambda s: (s.band, s.col, s.row))
                last = max(spots, key=lambda s: (-s.band, s.col, -s.row))
                return (first.row, -first.col) if upper else (last.col, -last.row)

            rails.sort(key=place, reverse=True)
        self.y, self.rail_y, self.ys, self.top, self.bottom = self.measure_rows(self.zones)

    def order_again(self) -> bool:
        """Sort the rails by where their taps really are: those whose notes stand on the left by the
        first of them; whether that changed anything."""
        before = dict(self.rail_y)

        def foremost(rail: Rail, upper: bool) -> float:
            xs = [self.tap(rail, wire).way[0][0] for wire in rail.taps]
            return min(xs) if upper else -max(xs)

        for band, rails in self.zones.items():
            if not self.grid.uppers[band] or any(rail.step_notes for rail in rails):
                rails.sort(key=partial(foremost, upper=self.grid.uppers[band]))
        self.y, self.rail_y, self.ys, self.top, self.bottom = self.measure_rows(self.zones)
        return before != self.rail_y

    def rectangles(self) -> dict[Key, Rect]:
        """The box of every key."""
        found = {}
        for key, spot in self.grid.spots.items():
            (w, h), x, y = self.sizes[key], self.x[spot.col], self.y[spot.band, spot.row]
            found[key] = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        return found

    def fit(self) -> None:
        """Make the frame as wide as what runs in it."""
        xs = [x for stamp in self.stamps for way in stamp.field.wires.ways for x, _ in way]
        left, right = EDGE - min(xs, default=EDGE), max(xs, default=0.0) + EDGE
        self.width = max(self.width, right)
        if left > 0.0:
            self.move(left, 0.0)
            self.width += left

    def widen(self) -> None:
        """Make room beside the taps for their notes, up to the neighbouring step's taps."""
        for rails in self.zones.values():
            taps = [self.tap(rail, wire).way[0][0] for rail in rails for wire in rail.taps]
            for rail in rails:
                wide = max((width(n, style.SMALL) for n in rail.step_notes.values()), default=0.0)
                if wide:
                    own = [self.tap(rail, wire).way[0][0] for wire in rail.taps]
                    left = self.tap(rail, rail.taps[0]).note_left
                    room = max(taps) - min(own) if left else max(own) - min(taps)
                    self.width = max(self.width, room + wide + 14)
