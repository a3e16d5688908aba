"""The time grid: one column per step, the template stamped into each, rails below and totals above.

The question this file answers: *where does everything of a recurrence stand?*

Linear in the number of steps: what depends on the step is only where its column begins.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import cached_property

from . import style
from .blocks import Block
from .labels import Run, Text, width
from .routing import Field, Rect, Way, centre, moved, shifted
from .scene import Column, Glyph, Rail, Scene, Wire
from .template import Room, Template

GAP, TOTAL = 118.0, 20.0  # the width of a gap; the rail above the frames
PASSAGES = ("carried", "handed", "fed")
BESIDE = 34.0  # from the last frame to what stands on its right


class TimeGrid:
    """Where the glyphs of a scene are (`rects`), and the ways of its wires (`way`)."""

    def __init__(self, scene: Scene, room: Room | None = None) -> None:
        self.scene, self.room = scene, room or Room()
        self.templates = {stage: Template(scene.part(stage), self.room)
                          for stage in scene.stages()}
        notes = [width(w.note, style.SMALL) for w in scene.wires if w.kind in PASSAGES]
        self.between = max([self.room.between, *(wide - 24 for wide in notes)])
        self.left: list[float] = []  # where each column begins
        self.column_of: dict[Glyph, int] = {}
        self.rects: dict[Glyph, Rect] = {}
        self.ways: dict[Hashable, Way] = {}
        self.align()
        self.place_columns()
        self.place_initial()
        self.place_rails()
        self.place_around()

    # --- places ---------------------------------------------------------------------------------

    def of(self, column: Column) -> Template:
        """The template of a column: that of its stage."""
        return self.templates[column.stage]

    def align(self) -> None:
        """The states of all stages at one height, and their frames equally high; higher if a gap's
        words would not fit above its dots and rails."""
        first = self.templates[self.scene.stages()[0]]
        for template in self.templates.values():
            template.move(first.level() - template.level())
        for column in self.scene.columns:
            if column.hidden is not None:
                t = self.of(column)
                upper = [t.rail_y[rail.glyph.id] - 22
                         for band, rails in t.zones.items() if band > 0 for rail in rails]
                dots = [self.gap_rect(g, 0.0, t)[1] for g in column.glyphs]
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
                x = self.start[stage] = x + self.room_before(stage)
            self.left.append(x)
            wide = self.column_width(column)
            for j, glyph in enumerate(column.glyphs):
                self.column_of[glyph] = i
                if column.step is None:
                    before = [self.rects[g] for g in column.glyphs[:j]]
                    rect = self.gap_rect(glyph, x + wide / 2, self.of(column))
                    self.rects[glyph] = below(rect, before)
                else:
                    self.rects[glyph] = moved(self.of(column).rects[glyph.key], x)
            x += wide + self.between
        self.right = x - self.between

    def room_before(self, stage: int) -> float:
        """What a later stage needs on its left: the boxes of its weights with their sums, its first
        states, its names."""
        rails = [rail for rail in self.scene.rails if rail.stage == stage]
        boxes = [26 + rail.glyph.size()[0] + max(width(rail.note, style.SMALL), self.room.before)
                 for rail in rails]
        initial = [glyph for glyph in self.scene.initial if self.stage_of(glyph) == stage]
        first = [16 + max(g.size()[0] + 8, width(g.note, style.SMALL)) for g in initial]
        return max([24.0, *boxes, *first]) + 18.0

    def stage_of(self, glyph: Glyph) -> int:
        """The stage that a first state belongs to."""
        at = {g: column.stage for column in self.scene.columns for g in column.glyphs}
        return next(at[wire.head] for wire in self.scene.wires if wire.tail is glyph)

    def column_width(self, column: Column) -> float:
        """The width of a step, or of a gap: enough for what it says."""
        if column.step is not None:
            return self.of(column).width
        return max([GAP, *(width(line, style.SMALL) + 20 for line in gap_lines(column))])

    def gap_rect(self, glyph: Glyph, x: float, t: Template) -> Rect:
        """The dots of a state, in the row of the state; of one that no step in view has, in the
        row of what it enters."""
        rect = t.rects.get(glyph.key)
        if rect is None:
            heads = (wire.head.key for wire in self.scene.wires if wire.tail is glyph)
            rect = next((t.rects[key] for key in heads if key in t.rects), None)
        known = any(key in t.rects for key in t.grid.steps.leaves)
        level = centre(rect)[1] if rect else t.level() if known else t.bottom - 40.0
        return around((x, level), glyph)

    def place_initial(self) -> None:
        """The states before the first step, in the rows of the states; for a sequence that is read
        from its end, those after the last one."""
        placed: list[Rect] = []
        for glyph in self.scene.initial:
            head = next(wire.head for wire in self.scene.wires if wire.tail is glyph)
            i = self.column_of[head]
            stage = self.scene.columns[i].stage
            own = [k for k, column in enumerate(self.scene.columns) if column.stage == stage]
            last = len(own) > 1 and i == own[-1]
            note = width(glyph.note, style.SMALL) + 20 if glyph.note else 0.0
            wide = max(glyph.size()[0] + 16, note)  # clear of the frame, and of wires past a note
            end = self.left[i] + self.column_width(self.scene.columns[i])
            x = end + max(40, wide / 2 + 6) if last else self.left[i] + min(-6 - wide / 2, -40.0)
            rects = self.templates[stage].rects
            y = centre(rects.get(glyph.key) or rects[head.key])[1]
            ways = [below(around((x, y), glyph), placed), above(around((x, y), glyph), placed)]
            free = (rect for rect in ways if not self.on_rail(rect, glyph.note, stage))
            self.rects[glyph] = rect = next(free, ways[0])
            placed += [rect, note_below(rect, glyph.note)] if glyph.note else [rect]

    def on_rail(self, rect: Rect, note: Text, stage: int) -> bool:
        """Whether something on the left of a stage, or its note, would lie at the height of a
        rail."""
        low = note_below(rect, note)[3] if note else rect[3]
        rails = [rail.glyph for rail in self.scene.rails if rail.stage == stage]
        high = 2.0 + max((high_of(glyph) / 2 for glyph in rails), default=0.0)
        return any(rect[1] - high < y < low + high for y in self.templates[stage].rail_y.values())

    def place_rails(self) -> None:
        """The box of each weight, on the left of its stage at the height of its rail."""
        for rail in self.scene.rails:
            w, high = rail.glyph.size()[0], high_of(rail.glyph)
            y = self.templates[rail.stage].rail_y[rail.glyph.id]
            x = self.start[rail.stage]
            self.rects[rail.glyph] = (x - 18 - w, y - high / 2, x - 18, y + high / 2)

    def sum_rect(self, rail: Rail) -> Rect:
        """Where the sum of a rail stands, on the left of its box."""
        left, top, _, bottom = self.rects[rail.glyph]
        return left - 8 - width(rail.note, style.SMALL), top + 3, left - 8, bottom - 3

    # --- what has no step -----------------------------------------------------------------------

    def place_around(self) -> None:
        """What has no step: before the first step on the left, after the last on the right."""
        later = self.later()
        before = [g for g in self.scene.around if g not in later]
        after = [g for g in self.scene.around if g in later]
        if after:
            self.place_after(after)
        if before:
            edge = min([-30.0, *(rect[0] for rect in self.rects.values())])
            notes = max((width(r.note, style.SMALL) for r in self.scene.rails), default=0.0)
            block = Block(before, self.scene.wires)
            self.put(block, edge - notes - 40 - block.right, self.top / 2)

    def later(self) -> set[Glyph]:
        """The glyphs around that depend on a step, and what is given only to them."""
        around_ = set(self.scene.around)
        found: set[Glyph] = set()
        for wire in self.scene.wires:  # in the order of the program
            if wire.head in around_ and (wire.tail in self.column_of or wire.tail in found):
                found.add(wire.head)
        for wire in reversed(self.scene.wires):
            if wire.tail in around_ and wire.head in found:
                found.add(wire.tail)
        return found

    def place_after(self, glyphs: list[Glyph]) -> None:
        """The block on the right: level with the total above, or with the state it starts from."""
        inside = set(glyphs)
        entering = [w.tail for w in self.scene.wires
                    if w.kind == "free" and w.head in inside and w.tail in self.column_of]
        entries = list(dict.fromkeys(entering))
        block = Block(glyphs, self.scene.wires, entries)
        total = next((g for g in self.scene.totals if g in inside), None)
        if total is not None:
            dy = self.top - TOTAL - centre(block.rects[total])[1]
        elif entries:
            dy = centre(self.rects[entries[0]])[1] - centre(block.rects[entries[0]])[1]
        else:
            dy = self.top / 2
        edge = max([self.right, *(self.rects[g][2] + 10 for g in self.scene.initial)])
        self.put(block, edge + BESIDE, dy)

    def put(self, block: Block, dx: float, dy: float) -> None:
        """Move a block to its place, and lead the wires from the steps to their entries."""
        for glyph, (left, top, right, bottom) in block.rects.items():
            if glyph not in self.column_of:
                self.rects[glyph] = (left + dx, top + dy, right + dx, bottom + dy)
        for wire, way in zip(block.wires, block.ways):
            on = tuple((x + dx, y + dy) for x, y in way)
            if wire.tail in self.column_of:
                entry = (*on[0], *on[0])
                on = (*self.find_way(wire, entry=entry), *on[1:])
            self.ways[wire_key(wire)] = on

    # --- wires ----------------------------------------------------------------------------------

    def way(self, wire: Wire) -> Way:
        """The way of a wire: from the template, or found once for all steps alike."""
        known = self.ways.get(wire_key(wire))
        if known is not None:
            return known
        if wire.kind in ("inner", "result"):
            i = self.column_of[wire.head]
            ways = self.of(self.scene.columns[i]).stamp(wire.head.when).ways
            way = ways[wire.tail.key, wire.head.key, wire.position]
            return shifted(way, self.left[i])
        if wire.kind == "free":
            return self.find_way(wire)
        return self.passages[wire]

    @cached_property
    def passages(self) -> dict[Wire, Way]:
        """The ways of all wires from step to step, and from before the first: those between
        neighbours first, and in each column the straightest first. Every other one runs past those
        that are laid; wires that run alike are laid once."""
        found: dict[Wire, Way] = {}
        into: dict[int | None, list[Wire]] = {}
        far: list[Wire] = []
        for wire in self.scene.wires:
            if wire.kind not in ("inner", "result", "free", "term"):
                first, last = self.span(wire)
                (into.setdefault(last, []) if last - first < 2 else far).append(wire)
        for wires in into.values():
            self.lay(sorted(wires, key=self.bent), found, [])
        for wire in far:
            first, last = self.span(wire)
            beside = [found[w] for i in range(first, last + 1) for w in into.get(i, ())]
            self.lay([wire], found, beside)
            into.setdefault(last, []).append(wire)
        return found

    def span(self, wire: Wire) -> tuple[int, int]:
        """The first and the last column that a wire has to do with."""
        ends = [self.column_of.get(glyph, self.nearest(self.rects[glyph]))
                for glyph in (wire.tail, wire.head)]
        return min(ends), max(ends)

    def bent(self, wire: Wire) -> tuple[float, float]:
        """How far the ends of a wire are from one level, and from each other."""
        (ax, ay), (bx, by) = centre(self.rects[wire.tail]), centre(self.rects[wire.head])
        return round(abs(ay - by), 2), round(abs(ax - bx), 2)

    def lay(self, wires: list[Wire], found: dict[Wire, Way], beside: list[Way]) -> None:
        """Find the ways of some wires, past each other and those `beside` them."""
        keys = {wire: self.way_key(wire) for wire in wires}
        laid = [*beside]
        for known in (True, False):
            for wire in wires:
                x, key = self.rects[wire.head][0], keys[wire]
                if wire not in found and (key in self.ways or not known):
                    if key not in self.ways:
                        self.ways[key] = shifted(self.find_way(wire, laid), -x)
                    found[wire] = shifted(self.ways[key], x)
                    laid.append(found[wire])

    def way_key(self, wire: Wire) -> Hashable:
        """What wires between steps that run alike have in common; of those that pass over a step,
        neighbours run beside each other."""
        a, b = self.rects[wire.tail], self.rects[wire.head]
        first, last = self.span(wire)
        return (wire.tail.key, wire.head.key, wire.position, round(a[0] - b[0], 2), wire.tail.role,
                self.kind(wire.tail), self.kind(wire.head), last % max(1, last - first))

    def kind(self, glyph: Glyph) -> int | None:
        """The kind of step that a glyph stands in."""
        i = self.column_of.get(glyph)
        return None if i is None else self.of(self.scene.columns[i]).kinds.get(glyph.when)

    def find_way(self, wire: Wire, laid: Iterable[Way] = (), entry: Rect | None = None) -> Way:
        """A way past everything in the columns between two boxes, and wires that are `laid`;
        `entry` is where it ends, if not at its head."""
        a, b = self.rects[wire.tail], entry or self.rects[wire.head]
        last = len(self.left) - 1
        ends = [self.column_of.get(glyph, self.nearest(rect))
                for glyph, rect in ((wire.tail, a), (wire.head, b))]
        ends += [i for i, column in enumerate(self.scene.columns) for rail in self.scene.rails
                 if rail.glyph is wire.head and column.stage == rail.stage][:1]
        boxes, wires, xs, ys = [a, b], list(laid), [], list[float]()
        for i in range(max(min(ends), 0), min(max(ends), last) + 1):
            column, x = self.scene.columns[i], self.left[i]
            t = self.of(column)
            boxes += [self.rects[g] for g in column.glyphs]
            xs += [x - self.between / 2, x - self.between / 2 - 5]
            ys += t.ys
            if column.step is not None:
                stamp = t.stamp(column.when)
                boxes += [moved(rect, x) for rect in stamp.words]
                wires += [shifted(way, x) for way in stamp.field.wires]
                xs += [x + at for at in t.xs]
                boxes.append(self.title_words(i))
            else:
                boxes.append(self.gap_words(i))
        xs += [x - d for x in self.start.values() for d in (9.0, 5.0)]
        xs += [self.right + 9, self.right + 15, self.right + 21]
        others = (*self.scene.initial, *self.scene.around, *(r.glyph for r in self.scene.rails))
        boxes += [self.rects[g] for g in others if g in self.rects]
        wires += [((r[2], centre(r)[1]), (r[2] + 18, centre(r)[1])) for r in
                  (self.rects[rail.glyph] for rail in self.scene.rails)]
        boxes += [self.sum_rect(rail) for rail in self.scene.rails
                  if rail.note and rail.glyph in self.rects]
        boxes += [note_below(self.rects[g], g.note) for g in self.scene.initial if g.note]
        field = Field([r for r in boxes if r[2] > r[0]], wires)
        levels = [*dict.fromkeys(ys), self.top - 6, self.top - 10]
        return field.route(a, b, sorted(dict.fromkeys(xs)), levels, wire.kind == "fed")

    def title_words(self, i: int) -> Rect:
        """Where the title of a step stands, in the corner of its frame."""
        x, top = self.left[i] + 12, self.of(self.scene.columns[i]).top
        return x, top + 6, x + width(title_of(self.scene.columns[i]), style.SMALL), top + 21

    def gap_words(self, i: int) -> Rect:
        """Where the words of a gap stand, below each other at the top of its frame."""
        column = self.scene.columns[i]
        lines, middle = gap_lines(column), self.left[i] + self.column_width(column) / 2
        wide = max(width(line, style.SMALL) for line in lines) / 2 + 2
        top = self.of(column).top
        return middle - wide, top + 6, middle + wide, top + 24 + 15 * len(lines)

    def nearest(self, rect: Rect) -> int:
        """The column beside something that stands outside of all columns."""
        x = (rect[0] + rect[2]) / 2
        return max((i for i, left in enumerate(self.left) if left <= x), default=-1)

    def term_way(self, wire: Wire, y: float) -> Way:
        """From a term up to the rail of its total at height `y`."""
        i = self.column_of[wire.tail]
        t, x = self.of(self.scene.columns[i]), self.left[i]
        rect = t.rects[wire.tail.key]
        key = ("term", self.scene.columns[i].stage, t.kinds[wire.tail.when], wire.tail.key, y)
        if key not in self.ways:
            middle, level = centre(rect)
            ways: list[Way] = [((middle, rect[1]), (middle, y))]
            for d in (10.0, 16.0, 22.0):
                ways.append(((rect[0], level), (rect[0] - d, level), (rect[0] - d, y)))
                ways.append(((rect[2], level), (rect[2] + d, level), (rect[2] + d, y)))
            field = t.stamp(wire.tail.when).field
            self.ways[key] = field.best(ways, (rect,)) or ways[0]
        return shifted(self.ways[key], x)


def title_of(column: Column) -> Text:
    """What a step is called."""
    return column.title or (Run("t", "i"), Run(f" = {column.step}"))


def gap_lines(column: Column) -> tuple[Text, ...]:
    """What stands in a gap: how many steps, and what the view has to say."""
    return ((Run(f"{column.count:,} steps", "b"),), *column.lines)


def wire_key(wire: Wire) -> Hashable:
    """What tells one wire outside the steps from another."""
    return ("wire", wire.tail.id, wire.head.id, wire.position)


def high_of(weight: Glyph) -> float:
    """How high the box of a weight is: low enough for rails that run close together."""
    return weight.size()[1] if weight.turned else 20.0


def around(point: tuple[float, float], glyph: Glyph) -> Rect:
    """The box of a glyph around a point."""
    (x, y), (w, h) = point, glyph.size()
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def below(rect: Rect, others: list[Rect]) -> Rect:
    """The rectangle, moved down until it is clear of the others."""
    left, top, right, bottom = rect
    for other in sorted(others, key=lambda r: r[1]):
        if left < other[2] and right > other[0] and top < other[3] + 6 and bottom > other[1] - 6:
            top, bottom = other[3] + 8, other[3] + 8 + bottom - top
    return left, top, right, bottom


def above(rect: Rect, others: list[Rect]) -> Rect:
    """The rectangle, moved up until it is clear of the others, with room for a note of its own."""
    left, top, right, bottom = rect
    for other in sorted(others, key=lambda r: -r[3]):
        if left < other[2] and right > other[0] and top < other[3] + 6 and bottom > other[1] - 6:
            top, bottom = other[1] - 22 - (bottom - top), other[1] - 22
    return left, top, right, bottom


def note_below(rect: Rect, note: Text) -> Rect:
    """Where the note of a state from before the first step stands."""
    middle, wide = centre(rect)[0], width(note, style.SMALL)
    return middle - wide / 2, rect[3] + 3, middle + wide / 2, rect[3] + 16
