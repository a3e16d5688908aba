"""The time grid: one column per step, the template stamped into each, rails below and totals above.

The question this file answers: *where does everything of a recurrence stand?*

Linear in the number of steps: what depends on the step is only where its column begins.
"""

from __future__ import annotations

from math import dist

from . import firsts, style
from .contexts import between
from .heads import LONG
from .labels import Run, Text, minus, roman, width
from .outlines import onto
from .outside import around, beside, block_of, high_of, place_around
from .passages import PASSAGES, Ways
from .routing import Rect, Way, centre, moved
from .scene import Column, Glyph, Rail, Scene, Wire
from .template import Room, Template

GAP = 118.0  # the width of a gap
BESIDE_TAP, RAIL_HEAD = 14.0, 2.0  # from a tap to its number; and from that to where rails end
HOPELESS = 8  # a tangle of so many wires stays one, however far things stand apart


class TimeGrid:
    """Where the glyphs of a scene are (`rects`), and the ways of its wires (`way`)."""

    def __init__(self, scene: Scene, room: Room | None = None) -> None:
        self.scene, self.room = scene, room or Room()
        self.templates = {stage: Template(scene.part(stage), self.room)
                          for stage in scene.stages()}
        notes = [width(w.note, style.SMALL) for w in scene.wires if w.kind in PASSAGES]
        self.between = max([self.room.between, *(wide - 24 for wide in notes)])
        self.left: list[float] = []  # where each column begins
        self.leads: dict[int, float] = {}  # by stage
        self.column_of: dict[Glyph, int] = {}
        self.rects: dict[Glyph, Rect] = {}
        self.contexts = between(scene)
        self.blocks = {stage: block_of(scene, [g for g in scene.around
                                               if self.contexts.get(g) == stage])
                       for stage in sorted(set(self.contexts.values()))}
        self.before: dict[int, float] = {}  # where what is handed over to each stage begins
        self.wires = Ways(self)
        self.align()
        self.place_columns()
        firsts.place(self)
        self.place_rails()
        place_around(self)

    # --- places ---------------------------------------------------------------------------------

    def of(self, column: Column) -> Template:
        """The template of a column: that of its stage."""
        return self.templates[column.stage]

    def align(self) -> None:
        """The states of all stages at one height, and their frames equally high; higher if a gap's
        words would not fit above its dots and rails."""
        first = self.templates[self.scene.stages()[0]]
        for template in self.templates.values():
            template.move(0.0, first.level() - template.level())
        for column in self.scene.columns:
            if column.hidden is not None:
                t = self.of(column)
                upper = [t.rail_y[rail.glyph.id] - 22
                         for band, rails in t.zones.items() if band > 0 for rail in rails]
                dots = [rect[1] for rect in self.dots(column, 0.0)]
                highest = min([*dots, *upper], default=t.bottom)
                t.top = min(t.top, highest - 30 - 15 * len(gap_lines(column)))
        self.top = min(t.top for t in self.templates.values())
        for template in self.templates.values():
            template.top = self.top

    def place_columns(self) -> None:
        """The columns from left to right, and in them the glyphs."""
        x, stage = 0.0, self.scene.columns[0].stage
        self.start: dict[int, float] = {stage: 0.0}  # where each stage begins
        for i, column in enumerate(self.scene.columns):
            if column.stage != stage:
                stage = column.stage
                x += firsts.room_after(self, i - 1)
                x += self.room_between(stage, x) + self.room_before(stage) + self.lead(stage)
                self.start[stage] = x
            self.left.append(x)
            wide = self.column_width(column)
            self.column_of.update(dict.fromkeys(column.glyphs, i))
            if column.step is None:
                self.rects.update(zip(column.glyphs, self.dots(column, x + wide / 2)))
            for glyph in column.glyphs if column.step is not None else ():
                self.rects[glyph] = moved(self.of(column).rects[glyph.key], x)
            x += wide + self.between
        self.right = x - self.between

    def room_between(self, stage: int, x: float) -> float:
        """What stands from `x` on, before a stage and all that is its own, needs."""
        block = self.blocks.get(stage)
        if block is None:
            return 0.0
        self.before[stage] = x + beside(self.scene, block)
        return beside(self.scene, block) + block.right

    def room_before(self, stage: int) -> float:
        """What a later stage needs on its left: the boxes of its weights with their sums, its first
        states, its names."""
        rails = [rail for rail in self.scene.rails if rail.stage == stage]
        boxes = [26 + rail.glyph.size()[0] + max(width(rail.note, style.SMALL), self.room.before)
                 for rail in rails]
        initial = [glyph for glyph in self.scene.initial if self.stage_of(glyph) == stage]
        first = [16 + max(g.size()[0] + 8, width(g.note, style.SMALL)) for g in initial]
        part = next(c.part for c in self.scene.columns if c.stage == stage)
        wide = max([width(roman(name), style.SMALL) for name in
                    self.templates[stage].grid.steps.names(part)], default=-36.0)
        return max([24.0, *boxes, *first, max([style.VAR, *first]) + wide + 36.0]) + 18.0

    def lead(self, stage: int) -> float:
        """How much further on the left the weights of a stage stand, so that what its first step
        gives to them can be said on the left of its taps, where others run by on the right."""
        known = self.leads.get(stage)
        if known is None:
            shown = [c for c in self.scene.columns if c.stage == stage and c.step is not None]
            rails = [rail for rail in self.scene.rails if rail.stage == stage]
            known = notes_before(rails, self.templates[stage], shown[0].when) if shown else 0.0
            self.leads[stage] = known
        return known

    def stage_of(self, glyph: Glyph) -> int:
        """The stage that a first state belongs to."""
        at = {g: column.stage for column in self.scene.columns for g in column.glyphs}
        return next(at[wire.head] for wire in self.scene.wires if wire.tail is glyph)

    def column_width(self, column: Column) -> float:
        """The width of a step, or of a gap: enough for what it says."""
        if column.step is not None:
            return self.of(column).width
        return max([GAP, *(width(line, style.SMALL) + 20 for line in gap_lines(column))])

    def dots(self, column: Column, x: float) -> list[Rect]:
        """Where the dots of a gap stand, around `x`."""
        found: list[Rect] = []
        rails = firsts.rails_beside(self, column.stage)
        for glyph in column.glyphs:
            rect = self.gap_rect(glyph, x, self.of(column))
            found.append(firsts.beside_others(rect, (), found, rails))
        return found

    def gap_rect(self, glyph: Glyph, x: float, t: Template) -> Rect:
        """The dots of a state, in the row of the state; of one that no step in view has, in the
        row of what it enters, or of what enters it."""
        rect = t.rects.get(glyph.key)
        if rect is None:
            ends = [(wire.tail, wire.head) for wire in self.scene.wires
                    if glyph in (wire.tail, wire.head)]
            keys = [*(head.key for _, head in ends), *(tail.key for tail, _ in ends)]
            rect = next((t.rects[key] for key in keys if key in t.rects), None)
        known = any(key in t.rects for key in t.grid.steps.leaves)
        level = centre(rect)[1] if rect else t.level() if known else t.bottom - 40.0
        return around((x, level), glyph)

    def place_rails(self) -> None:
        """The box of each weight, on the left of its stage at the height of its rail."""
        for rail in self.scene.rails:
            w, high = rail.glyph.size()[0], high_of(rail.glyph)
            y = self.templates[rail.stage].rail_y[rail.glyph.id]
            x = self.start[rail.stage] - self.lead(rail.stage)
            self.rects[rail.glyph] = (x - 18 - w, y - high / 2, x - 18, y + high / 2)

    def sum_rect(self, rail: Rail) -> Rect:
        """Where the sum of a rail stands, on the left of its box."""
        left, top, _, bottom = self.rects[rail.glyph]
        return left - 8 - width(rail.note, style.SMALL), top + 3, left - 8, bottom - 3

    def words_of(self, i: int) -> Rect:
        """Where the title of a step stands, in the corner of its frame; or the words of a gap,
        below each other at the top."""
        column, x = self.scene.columns[i], self.left[i]
        top = self.of(column).top
        if column.step is not None:
            return x + 12, top + 6, x + 12 + width(title_of(column), style.SMALL), top + 21
        lines, middle = gap_lines(column), x + self.column_width(column) / 2
        wide = max(width(line, style.SMALL) for line in lines) / 2 + 2
        return middle - wide, top + 6, middle + wide, top + 24 + 15 * len(lines)

    def smaller(self) -> dict[Glyph, Rect]:
        """What is drawn smaller than the place that all steps keep for it, since its own text needs
        less; a cell fills the place, and so does what a wire would reach just behind a bend."""
        found = {}
        for glyph in [g for column in self.scene.columns if column.step is not None
                      for g in column.glyphs if g.key in self.of(column).uneven]:
            place, size = self.rects[glyph], glyph.size()
            if glyph.role != "cell" and (size[0] < place[2] - place[0] - 0.01 or
                                         size[1] < place[3] - place[1] - 0.01):
                found[glyph] = around(centre(place), glyph)
        least = LONG[self.scene.backwards]
        for wire in self.scene.wires if found else ():
            for glyph, end in (wire.tail, 1), (wire.head, -1):
                if glyph in found and {wire.tail, wire.head} <= self.column_of.keys():
                    way = self.way(wire)[::end]
                    led = onto(found[glyph], way[0], way[1])
                    if len(led) > 1 and dist(*led) < least:
                        del found[glyph]
        return found

    @property
    def crowded(self) -> int:
        """How many wires found no place of their own."""
        return self.wires.all_crowded + self.crowded_within

    @property
    def crowded_within(self) -> int:
        """How many within the steps did not, which is known before those between them are laid."""
        return sum(stamp.crowded for t in self.templates.values() for stamp in t.stamps)

    def way(self, wire: Wire) -> Way:
        """The way of a wire."""
        return self.wires.way(wire)


def notes_before(rails: list[Rail], t: Template, when: int | None) -> float:
    """How far before a step its numbers reach: those that have taps of other rails on their
    right."""
    ways = [t.tap(rail, wire).way for rail in rails for wire in rail.taps
            if wire.head.when == when]
    far = 0.0
    for rail in rails:
        note, y = rail.step_notes.get(when, ()), t.rail_y[rail.glyph.id]
        ends = [way[0][0] for way in ways if way[0][1] == y]
        if not note or not ends:
            continue
        room = BESIDE_TAP + width(note, style.SMALL)
        if any(max(ends) < way[0][0] < max(ends) + room
               and min(way[0][1], way[1][1]) < y - 1 and way[0][1] > y + 1 for way in ways):
            far = max(far, room - min(ends))
    return far + RAIL_HEAD if far else 0.0


def title_of(column: Column) -> Text:
    """What a step is called, or all that a gap stands for."""
    steps = [column.step] if column.hidden is None else column.hidden
    return column.title or (Run("t", "i"), Run(minus(f" = {' … '.join(map(str, steps))}")))


def gap_lines(column: Column) -> tuple[Text, ...]:
    """What stands in a gap: how many steps, and what the view has to say."""
    return ((Run(f"{column.count:,} steps", "b"),), *column.lines)
