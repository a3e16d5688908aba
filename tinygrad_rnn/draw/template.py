"""The template of a step: the grid in points, with every wire, tap and note that a step can have.

The question this file answers: *what does one step look like, exactly?*

It is made once for all visible steps, from the union of what they contain, and then stamped: laying
out a step costs the same whether there are 3 or 2,000. x counts from the left edge of the step's
frame, y downwards from the lowest rail.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from . import style
from .cell import Grid
from .labels import width
from .model import Point
from .routing import Field, Rect, Way
from .scene import Rail, Scene, Wire

Key = Hashable
RAIL, ZONE, TITLE, LABEL = 22.0, 16.0, 22.0, 15.0


class Tap(NamedTuple):
    """Where a rail is tapped: the way up from the rail, and on which side of it a note stands."""

    way: Way
    note_left: bool


class Template:
    """Rectangles, ways and notes of a step, by key."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.grid = scene, Grid(scene)
        self.sizes: dict[Key, tuple[float, float]] = {}
        for column in scene.columns:
            for glyph in column.glyphs if column.step is not None else ():
                w, h = glyph.size()
                before = self.sizes.get(glyph.key, (0.0, 0.0))
                self.sizes[glyph.key] = max(w, before[0]), max(h, before[1])
        self.noted = any(g.note for c in scene.columns for g in c.glyphs) or any(
            r.step_notes for r in scene.rails
        )
        self.zones = self.rails_by_zone()
        self.x, self.width, self.xs = self.measure_columns()
        self.y, self.rail_y, self.ys, self.top, self.bottom = self.measure_rows({})
        self.order_rails()
        self.rects = self.rectangles()
        self.field = Field(self.rects.values())
        self.ways = self.lay_wires()
        self.taps = self.lay_taps()
        self.notes = self.place_notes()
        self.widen()

    # --- measures -------------------------------------------------------------------------------

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
            x += w + style.GAP_X
        frame = x - style.GAP_X + style.PAD
        xs = [left - d for left, _ in edges for d in (11.0, 16.0, 6.5)]
        return middles, frame, [*xs, frame - style.PAD + 8]

    def measure_rows(
        self, order: dict[int, list[Rail]]
    ) -> tuple[dict[tuple[int, int], float], dict[str, float], list[float], float, float]:
        """The middle of every grid row and rail, the level channels, top and bottom of the
        frame."""
        rows, rails, ys, y = {}, {}, [], 0.0
        step = RAIL + (5.0 if self.noted else 0.0)
        bottom = 0.0
        for band in range(len(self.grid.uppers)):
            zone = self.zones.get(band, [])
            for rail in reversed(zone):
                rails[rail.glyph.id] = y
                y -= step
            if band == 0:
                y -= ZONE + (6.0 if self.noted else 0.0) if zone else 0.0
                bottom = y
                y -= style.GAP_Y / 2 + 4 + (LABEL if self.noted else 0.0)
            elif zone:
                y -= 4.0
            spots = [(k, s.row) for k, s in self.grid.spots.items() if s.band == band]
            for row in range(1 + max((r for _, r in spots), default=-1)):
                high = max((self.sizes[k][1] for k, r in spots if r == row), default=style.OP)
                rows[band, row] = y - high / 2
                ys += [y + d for d in (9.0, 14.0, 4.5)]
                y -= high + style.GAP_Y
            if self.grid.uppers[band : band + 2] == [False, True] and self.zones.get(band + 1):
                y -= 2.0
        ys += [y + style.GAP_Y - d for d in (9.0, 14.0)]
        return rows, rails, ys, y + style.GAP_Y / 2 - TITLE, bottom

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

    def rectangles(self) -> dict[Key, Rect]:
        """The box of every key."""
        found = {}
        for key, spot in self.grid.spots.items():
            (w, h), x, y = self.sizes[key], self.x[spot.col], self.y[spot.band, spot.row]
            found[key] = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        return found

    # --- wires ----------------------------------------------------------------------------------

    def lay_wires(self) -> dict[tuple[Key, Key, int], Way]:
        """The wires inside a step: those between neighbours first, the others around them."""
        uses: dict[tuple[Key, Key, int], None] = {}
        for wire in self.scene.wires:
            if wire.kind in ("inner", "result") and wire.tail.step is not None:
                uses[wire.tail.key, wire.head.key, wire.position] = None
        spots, ways = self.grid.spots, {}

        def distance(use: tuple[Key, Key, int]) -> int:
            a, b = spots[use[0]], spots[use[1]]
            return abs(a.col - b.col) + abs(a.row - b.row) + 5 * abs(a.band - b.band)

        for use in sorted(uses, key=distance):
            a, b = self.rects[use[0]], self.rects[use[1]]
            ways[use] = self.field.route(a, b, self.xs, self.ys)
            self.field.wires.append(ways[use])
        return ways

    def lay_taps(self) -> dict[tuple[str, Key, int], Tap]:
        """The ways from the rails: straight up where that is free, else beside the column and
        in."""
        found = {}
        for band, rails in sorted(self.zones.items()):
            upper = self.grid.uppers[band]
            for rail in reversed(rails) if upper else rails:
                y = self.rail_y[rail.glyph.id]
                heads = dict.fromkeys((wire.head.key, wire.position) for wire in rail.taps)
                for key, position in heads:
                    rect = self.rects[key]
                    way = self.field.best(tap_ways(rect, y, upper and self.noted), (rect,)) or (
                        (0.0, y),
                        (0.0, y),
                    )
                    self.field.wires.append(way)
                    found[rail.glyph.id, key, position] = Tap(way, upper)
        return found

    def tap(self, rail: Rail, wire: Wire) -> Tap:
        """The tap of one use."""
        return self.taps[rail.glyph.id, wire.head.key, wire.position]

    # --- notes ----------------------------------------------------------------------------------

    def place_notes(self) -> dict[Key, tuple[Point, str]]:
        """Where the number of a variable stands: near it, on no box and no wire."""
        widest: dict[Key, float] = {}
        for column in self.scene.columns:
            for glyph in column.glyphs:
                if glyph.note and glyph.key in self.rects:
                    wide = width(glyph.note, style.SMALL)
                    widest[glyph.key] = max(widest.get(glyph.key, 0.0), wide)
        found = {}
        for key, wide in widest.items():
            spots = list(note_spots(self.rects[key], wide, self.width))
            found[key] = next((spot for spot in spots if self.free(spot, wide)), spots[0])
            self.width = max(self.width, note_rect(found[key], wide)[2] + 6)
            self.field.boxes.append(note_rect(found[key], wide))
        return found

    def free(self, spot: tuple[Point, str], wide: float) -> bool:
        """Whether a note would stand clear."""
        left, top, right, bottom = rect = note_rect(spot, wide)
        around = Field([rect])
        inside = left >= 4 and all(
            not (left < b[2] and right > b[0] and top < b[3] and bottom > b[1])
            for b in self.field.boxes
        )
        return inside and all(around.clear(way) for way in self.field.wires)

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

    def ends(self, rail: Rail, step: int | None) -> list[float]:
        """Where a step taps a rail, from the left."""
        return sorted(self.tap(rail, w).way[0][0] for w in rail.taps if w.head.step == step)


def tap_ways(rect: Rect, y: float, left_only: bool = False) -> Iterable[Way]:
    """From a rail at height `y` into a box: straight, or beside it and in from the side."""
    middle, level = (rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2
    yield (middle, y), (middle, rect[3] if y > level else rect[1])
    for distance in (12.0, 22.0, 32.0, 42.0, 52.0):
        yield (rect[0] - distance, y), (rect[0] - distance, level), (rect[0], level)
        if not left_only:
            yield (rect[2] + distance, y), (rect[2] + distance, level), (rect[2], level)


def note_spots(rect: Rect, wide: float, frame: float) -> Iterable[tuple[Point, str]]:
    """Places for a note near a box, the best first: (baseline point, anchor)."""
    left, top, right, bottom = rect
    for y in (bottom + 14, top - 6, bottom + 28, top - 20):
        yield (max(right + 10, wide + 8), y), "end"
        yield ((left + right) / 2, y), "middle"
        yield (left, y), "start"
        yield (right + 3, y), "start"
    for y in (bottom + 14, top - 6):
        yield (right + 4, y), "start"
        for distance in (10, 20, 30):  # past taps that run by
            yield (left - distance, y), "end"
            yield (right + distance, y), "start"


def note_rect(spot: tuple[Point, str], wide: float) -> Rect:
    """The box that a note fills."""
    (x, y), anchor = spot
    left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
    return left, y - 11, left + wide, y + 3
