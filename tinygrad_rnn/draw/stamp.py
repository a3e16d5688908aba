"""The stamp: the wires, taps and notes of all steps that contain the same things.

The question this file answers: *how do the wires of a step run?*

A first step often differs from the others, and the step before the first (where a decoder takes
over) does always: each kind of step has a stamp of its own, on the one grid of the template.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import chain, tee
from typing import TYPE_CHECKING
from weakref import proxy

from . import noting
from .blocks import overlap
from .heads import Head, drawn_head, head_of
from .labels import Text
from .model import Point
from .routes import route
from .routing import CLEAR, Field, Rect, Way, moved, shifted
from .taps import Tap, lay_taps

if TYPE_CHECKING:
    from .scene import Glyph
    from .template import Template

Key = Hashable
STEP_AWAY, LABEL = 20.0, 15.0  # more than an arrow head and its shaft take; a line of words
ROOM = 20.0  # between a note and another state, for the numbers of what arrives there
NARROW = 0.8  # words are narrower than the widest font makes them
EDGE, SPARE = 5.0, 12.0  # wires run so far within a frame; so far they may widen it on a side


class Stamp:
    """Ways and notes, by key, of the steps `whens`. The template, which has its stamps, is held
    weakly: see `core/freeing.py`."""

    def __init__(self, template: Template, whens: set[int | None]) -> None:
        self.template: Template = proxy(template)
        self.whens = whens
        self.glyphs = [glyph for column in template.scene.columns if column.when in whens
                       for glyph in column.glyphs]
        self.rects = {glyph.key: template.rects[glyph.key] for glyph in self.glyphs}
        rails = [((0.0, y), (template.width, y)) for y in template.rail_y.values()]
        self.field = Field(self.rects.values(), rails=rails, back=template.scene.backwards)
        self.field.expected = self.states_to_come()
        self.numbers = self.field.back or any(glyph.backward for glyph in self.glyphs)
        self.crowded = 0  # how many wires found no place of their own
        self.ways = self.lay_wires()
        self.taps = lay_taps(self)
        self.notes: dict[Key, tuple[Point, str]] = {}
        self.broken, self.untold = set[Key](), set[Key]()  # notes that take two lines, and none

    def move(self, dx: float, dy: float) -> None:
        """Everything further to the right, and down."""
        self.rects = {key: moved(rect, dx, dy) for key, rect in self.rects.items()}
        boxes = [moved(rect, dx, dy) for rect in self.field.boxes]
        self.renew(boxes, [shifted(way, dx, dy) for way in self.field.wires.ways])
        self.ways = {key: shifted(way, dx, dy) for key, way in self.ways.items()}
        self.taps = {key: Tap(shifted(tap.way, dx, dy), tap.note_left)
                     for key, tap in self.taps.items()}
        self.notes = {key: ((x + dx, y + dy), anchor)
                      for key, ((x, y), anchor) in self.notes.items()}

    def renew(self, boxes: Iterable[Rect], wires: Iterable[Way]) -> None:
        """Other boxes and wires in the field."""
        old = self.field
        self.field = Field(boxes, wires, old.rails.ways, old.back)
        self.field.expected = old.expected

    @property
    def words(self) -> list[Rect]:
        """The boxes of the notes."""
        return self.field.boxes[len(self.rects):]

    @property
    def inside(self) -> Rect:
        """Where wires of the step may run: within its frame, which grows by what they take."""
        t, far = self.template, EDGE - SPARE
        return far, t.top + 6, t.width - far, t.bottom - 5

    def lay_wires(self) -> dict[tuple[Key, Key, int], Way]:
        """The wires inside a step: those between neighbours first, the others around them."""
        uses: dict[tuple[Key, Key, int], None] = {}
        for wire in self.template.scene.wires:
            if wire.kind in ("inner", "result") and wire.tail.when in self.whens:
                uses[wire.tail.key, wire.head.key, wire.position] = None
        spots, ways = self.template.grid.spots, {}

        def length(use: tuple[Key, Key, int]) -> int:
            a, b = spots[use[0]], spots[use[1]]
            return abs(a.col - b.col) + abs(a.row - b.row) + 5 * abs(a.band - b.band)

        for use in sorted(uses, key=length):
            a, b = self.rects[use[0]], self.rects[use[1]]
            ways[use] = route(self.field, a, b, self.template.xs, self.template.ys, self.inside)
            self.crowded += self.field.crowded(ways[use]) or not self.field.clear(ways[use], (a, b))
            self.field.wires.lay(ways[use])
        return ways

    def states_to_come(self) -> list[Head]:
        """The arrow heads of the wires from step to step: on the side that the state comes from.
        Where a gradient goes back, it leaves there, and its head is at the other end."""
        ends: dict[tuple[Key, int], Head] = {}
        for wire in self.template.scene.wires:
            tail, head = wire.tail, wire.head
            if wire.kind == "carried" and head.when is not None:
                late = head.scope in self.template.grid.steps.backwards if tail.when is None \
                    else tail.when > head.when
                side = 1 if late else -1
                self.reserve(ends, head, side)
                if self.field.back and tail.when is not None:
                    self.reserve(ends, tail, -side)
        return [*ends.values()]

    def reserve(self, ends: dict[tuple[Key, int], Head], glyph: Glyph, side: int) -> None:
        """Keep the middle of a side free for the head of a level wire: the left is -1. Where
        something stands between that side and the end of the step, none comes in level. (Heads of
        gradients are larger, and so is what is told beside those at variables: these need what is
        kept free there. An operation takes in level what comes from its own result.)"""
        if glyph.when in self.whens and glyph.key in self.rects and (glyph.key, side) not in ends:
            left, top, right, bottom = self.rects[glyph.key]
            x, y = right if side > 0 else left, (top + bottom) / 2
            between = [key for key, rect in self.rects.items() if rect[1] < y < rect[3]
                       and (rect[0] >= x if side > 0 else rect[2] <= x)]
            made = () if glyph.role in ("state", "output") else \
                self.template.grid.steps.above.get(glyph.key, ())
            if any(key in made for key in between) if self.field.back else between:
                return
            way = (x, y), (x + side * STEP_AWAY, y)
            ends[glyph.key, side] = head_of(way if self.field.back else way[::-1], self.field.back)

    def tap_again(self) -> None:
        """The taps once more, after the rails have moved."""
        self.renew(self.field.boxes, self.ways.values())
        self.crowded = 0
        self.taps = lay_taps(self)

    def place_notes(self) -> None:
        """Where the number of a variable stands: near it, on no box, no wire, and behind none; in
        two lines if there is no room for one."""
        backward = {glyph.key for glyph in self.glyphs if glyph.backward}
        for key, notes in self.noted().items():
            wide, rect = noting.widest(notes), self.rects[key]
            near, far = [*noting.note_spots(rect, wide)], [*noting.far_spots(rect, 10, 40)]
            around = [] if self.numbers else [*noting.all_around(rect, wide)]
            own = [spot for spot in (*near, *far) if self.joined(rect, spot, wide)
                   and not (key in backward and self.nearer(rect, spot, wide))]
            beside = [spot for spot in own if spot in near]
            beside.sort(key=lambda spot: self.close(key, noting.note_rect(spot, wide)))
            more = (spot for spot in around if self.joined(rect, spot, wide))
            clear = self.its_own(rect, chain(
                (spot for spot in beside if self.free(spot, wide)),
                (spot for spot in beside if self.nearly_free(spot, wide)),
                (spot for spot in chain(own, more) if self.free(spot, wide))), wide)
            two = None if clear else self.in_two_lines(rect, notes)
            if two:
                clear, wide = two
                self.broken.add(key)
            self.crowded += not clear or self.far_from(rect, clear, wide) > 0  # more room may help
            if clear is None:
                others = [spot for spot in (*near, *far) if self.free(spot, wide)]
                others += [at for at in (*near, *around) if self.free(at, wide, across=True)]
                others += [at for at in noting.far_spots(rect, 40, 130) if self.free(at, wide)]
                others += [at for at in noting.next_line(rect) if self.free(at, wide, across=True)]
                clear = min(others, key=lambda spot: (self.nearer(rect, spot, wide), self.far_from(
                    rect, spot, wide)), default=near[0])  # the first of those that are its own
                if key in backward and self.nearer(rect, clear, wide):
                    self.untold.add(key)  # the tooltip has it: here it would be read as another's
                    continue
            self.notes[key] = clear
            rect = noting.note_rect(self.notes[key], wide, 1 + (key in self.broken))
            self.template.width = max(self.template.width, rect[2] + 6)
            self.template.bottom = max(self.template.bottom, rect[3] + 6)
            self.field.block(rect)

    def joined(self, rect: Rect, spot: tuple[Point, str], wide: float) -> bool:
        """Whether no wire of others runs between a box and a note of it."""
        return not noting.behind(rect, noting.note_rect(spot, wide), self.field.wires)

    def its_own(self, rect: Rect, spots: Iterable[tuple[Point, str]],
                wide: float) -> tuple[Point, str] | None:
        """The first of some spots to which nothing is nearer than the box; or the first."""
        spots, again = tee(spots)
        return next((spot for spot in spots if not self.far_from(rect, spot, wide)),
                    next(again, None))

    def far_from(self, rect: Rect, spot: tuple[Point, str], wide: float) -> float:
        """How much further a note is from its box than from something else; 0, if numbers
        of gradients are told, which say what they are of or are left out."""
        if self.numbers:
            return 0.0
        return noting.stranger(rect, noting.note_rect(spot, wide), self.rects.values(),
                               self.field.wires, self.field.rails)

    def nearer(self, rect: Rect, spot: tuple[Point, str], wide: float) -> bool:
        """Whether another box would be nearer to a note than its own, and seem to be noted."""
        far = noting.distance(rect, note := noting.note_rect(spot, wide))
        return any(noting.distance(other, note) < far for other in self.rects.values())

    def close(self, key: Key, note: Rect) -> bool:
        """Whether a note leaves no room for what is told at the heads of gradients that come to
        another state."""
        return self.field.back and any(noting.distance(self.rects[g.key], note) < ROOM
                                       for g in self.glyphs if g.role == "state" and g.key != key)

    def in_two_lines(self, rect: Rect, notes: list[Text]) -> tuple[tuple[Point, str], float] | None:
        """Where notes of two parts would stand clear one below the other, and how wide they are."""
        halves = [half for note in notes for half in noting.broken(note)]
        if len(halves) < 2 * len(notes):
            return None
        wide = noting.widest(halves)
        near = list(noting.note_spots(rect, wide))
        clear = next(chain((spot for spot in near if self.free(spot, wide, lines=2)),
                           (spot for spot in near if self.nearly_free(spot, wide, 2))), None)
        return (clear, wide) if clear else None

    def heads(self) -> list[Rect]:
        """Where arrow heads are."""
        back = self.template.scene.backwards
        return [drawn_head(way[::-1] if back else way, 1.6) for way in self.field.wires.ways]

    def noted(self) -> dict[Key, list[Text]]:
        """What is said of a variable, in one step and another."""
        found: dict[Key, list[Text]] = {}
        for glyph in self.glyphs:
            if glyph.note:
                found.setdefault(glyph.key, []).append(glyph.note)
        return found

    def nearly_free(self, spot: tuple[Point, str], wide: float, lines: int = 1) -> bool:
        """Whether a note would stand clear where the font is not the widest; of boxes, arrow
        heads and other notes, also where it is: two of them side by side read as one."""
        a, narrow = noting.note_rect(spot, wide - 2.0, lines), NARROW * wide
        return self.free(spot, narrow, lines=lines) and not any(
            overlap(a, b) for b in (*self.field.boxes, *self.heads()))

    def free(self, spot: tuple[Point, str], wide: float, across: bool = False,
             lines: int = 1) -> bool:
        """Whether a note would stand clear; or `across` wires that run up or down, which go on
        behind it, but not on their heads."""
        rect, top = noting.note_rect(spot, wide, lines), self.template.top
        title = 8.0, top + 2, 100.0, top + 24
        inside = rect[0] >= 4 and not any(overlap(rect, b) for b in (*self.field.boxes, title))
        if across and any(overlap(rect, b) for b in self.heads()):
            return False
        return inside and not any(part.p[0] != part.q[0] or not across
                                  for part in self.field.wires.touching(rect, CLEAR))
