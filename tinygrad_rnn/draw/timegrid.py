"""The time grid: one column per step, the template stamped into each, rails below and totals above.

The question this file answers: *where does everything of a recurrence stand?*

Linear in the number of steps: what depends on the step is only where its column begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from . import style
from .blocks import Block, box_of, line_of
from .labels import Run, Text, width
from .model import Box, Drawing, Label, Line
from .paper import framed
from .routing import Field, Rect, Way
from .scene import Column, Glyph, Rail, Scene, Wire
from .template import Template

Key = Hashable
BETWEEN, GAP, TOTAL = 16.0, 118.0, 20.0


class TimeGrid:
    """Places a scene; `drawing()` is the result."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.template = scene, Template(scene)
        notes = [width(w.note, style.SMALL) for w in scene.wires if w.kind == "carried" and w.note]
        self.between = max([BETWEEN, *(wide - 24 for wide in notes)])
        self.pitch = self.template.width + self.between
        self.left: dict[int, float] = {}  # where each column begins, by position
        self.column_of: dict[Glyph, int] = {}
        self.rects: dict[Glyph, Rect] = {}
        self.frames: list[Box] = []
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self.labels: list[Label] = []
        self.ids: Counter[str] = Counter()
        self.ways: dict[Hashable, Way] = {}
        self.place_columns()
        self.place_initial()
        self.place_rails()
        self.place_around()
        self.draw_wires()
        self.draw_glyphs()

    # --- places ---------------------------------------------------------------------------------

    def place_columns(self) -> None:
        """The frames from left to right, and in them the glyphs."""
        self.make_room()
        x, t = 0.0, self.template
        for i, column in enumerate(self.scene.columns):
            self.left[i] = x
            wide = t.width if column.step is not None else self.gap_width(column)
            for glyph in column.glyphs:
                self.column_of[glyph] = i
                if column.step is not None:
                    self.rects[glyph] = moved(t.rects[glyph.key], x)
                else:
                    self.rects[glyph] = self.gap_rect(glyph, x + wide / 2)
            self.frame(column, x, wide)
            x += wide + self.between
        self.right = x - self.between

    def gap_width(self, column: Column) -> float:
        """Wide enough for what the gap says."""
        return max([GAP, *(width(line, style.SMALL) + 20 for line in gap_lines(column))])

    def gap_rect(self, glyph: Glyph, x: float) -> Rect:
        """The dots of a state, in the row of the state."""
        w, h = glyph.size()
        rect = self.template.rects.get(glyph.key)
        y = (rect[1] + rect[3]) / 2 if rect else (self.template.top + self.template.bottom) / 2
        return x - w / 2, y - h / 2, x + w / 2, y + h / 2

    def frame(self, column: Column, x: float, wide: float) -> None:
        """The frame of a step with its title, or of a gap with what it stands for."""
        t, middle = self.template, x + wide / 2
        high = t.bottom - t.top
        y = t.top + high / 2
        if column.hidden is None:
            self.frames.append(Box(f"t{column.step}", middle, y, wide, high, "rect", "frame"))
            self.labels.append(Label(x + 12, t.top + 17, title_of(column), "quiet", style.SMALL, "start"))
            return
        self.frames.append(Box("gap.frame", middle, y, wide, high, "rect", "gap", dashed=True,
                               title=f"steps {column.hidden[0]} to {column.hidden[1]} are not drawn"))
        self.labels.append(Label(middle, t.top + 17, title_of(column), "quiet", style.SMALL))
        for i, line in enumerate(gap_lines(column)):
            self.labels.append(Label(middle, t.top + 36 + 15 * i, line, "quiet", style.SMALL))

    def make_room(self) -> None:
        """Raise the frames if a gap's words would not fit above its dots and rails."""
        t = self.template
        for column in self.scene.columns:
            if column.hidden is not None:
                inside = [y - 22 for zone, rails in t.zones.items() if zone > 0
                          for y in (t.rail_y[rail.glyph.id] for rail in rails)]
                highest = min([*(self.gap_rect(g, 0.0)[1] for g in column.glyphs), *inside], default=t.bottom)
                t.top = min(t.top, highest - 30 - 15 * len(gap_lines(column)))

    def place_initial(self) -> None:
        """The states before the first step, one pitch to the left of the states of that step."""
        lowest: list[Rect] = []
        for glyph in self.scene.initial:
            (w, h), rect = glyph.size(), self.template.rects.get(glyph.key)
            wire = next(w for w in self.scene.wires if w.tail is glyph)
            head = self.template.rects[wire.head.key]
            last = self.column_of[wire.head] == len(self.scene.columns) - 1 and len(self.scene.columns) > 1
            x = self.right + 40 if last else min(-14 - w / 2, -40.0)
            y = (rect[1] + rect[3]) / 2 if rect else (head[1] + head[3]) / 2
            while any(abs(y - (r[1] + r[3]) / 2) < h and abs(x - (r[0] + r[2]) / 2) < w for r in lowest):
                y += h + 8
            self.rects[glyph] = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            lowest.append(self.rects[glyph])

    def place_rails(self) -> None:
        """The box of each weight, on the left at the height of its rail."""
        for rail in self.scene.rails:
            w, h = rail.glyph.size()
            y = self.template.rail_y[rail.glyph.id]
            h = min(h, 20.0)
            self.rects[rail.glyph] = (-18 - w, y - h / 2, -18, y + h / 2)

    def place_around(self) -> None:
        """What has no step: before the first step on the left, after the last on the right."""
        scene = self.scene
        later = self.later()
        before = [g for g in scene.around if g not in later]
        after = [g for g in scene.around if g in later]
        if after:
            y = self.template.top - TOTAL if scene.totals else self.source_level(after)
            self.block(after, self.right + 34, y, leftwards=False)
        if before:
            edge = min([-30.0, *(r[0] for r in self.rects.values())])
            notes = max((width(rail.note, style.SMALL) for rail in scene.rails), default=0.0)
            self.block(before, edge - notes - 40, self.template.top / 2, leftwards=True)

    def later(self) -> set[Glyph]:
        """The glyphs around that depend on a step, and what is given only to them."""
        around = dict.fromkeys(self.scene.around)
        found: set[Glyph] = set()
        for wire in self.scene.wires:  # in the order of the program
            if wire.head in around and (wire.tail.step is not None or wire.tail in found):
                found.add(wire.head)
        for wire in reversed(self.scene.wires):
            if wire.tail in around and wire.head in found:
                found.add(wire.tail)
        return found

    def source_level(self, after: list[Glyph]) -> float:
        """The height of the step's glyph that feeds the block on the right."""
        for wire in self.scene.wires:
            if wire.head in after and wire.tail.step is not None:
                rect = self.rects[wire.tail]
                return (rect[1] + rect[3]) / 2
        return self.template.top / 2

    def block(self, glyphs: list[Glyph], x: float, y: float, leftwards: bool) -> None:
        """A small layered layout beside the recurrence; its first user of the steps is at height `y`."""
        block = Block(glyphs, self.scene.wires)
        inside = block.rects.keys()
        entry = next((w.head for w in self.scene.wires if w.head in inside and w.tail not in inside), glyphs[0])
        entry = next((g for g in self.scene.totals if g in inside), entry)
        _, top, _, bottom = block.rects[entry]
        dx, dy = x - (block.right if leftwards else 0.0), y - (top + bottom) / 2
        for glyph, (left, top, right, bottom) in block.rects.items():
            self.rects[glyph] = (left + dx, top + dy, right + dx, bottom + dy)
        for wire, way in zip(block.wires, block.ways):
            self.ways[wire_key(wire)] = tuple((px + dx, py + dy) for px, py in way)

    # --- wires ----------------------------------------------------------------------------------

    def draw_wires(self) -> None:
        """Every wire, by its kind; then the rails with their taps, and the totals."""
        for wire in self.scene.wires:
            if wire.kind != "term":
                self.lines.append(line_of(wire, self.way(wire), self.ids))
                if wire.note:
                    self.wire_note(wire)
        for rail in self.scene.rails:
            self.draw_rail(rail)
        for i, total in enumerate(self.scene.totals):
            self.draw_total(i, total)

    def way(self, wire: Wire) -> Way:
        """The way of a wire, taken from the template or found once for all steps alike."""
        known = self.ways.get(wire_key(wire))
        if known is not None:
            return known
        if wire.kind in ("inner", "result"):
            way = self.template.ways[wire.tail.key, wire.head.key, wire.position]
            return shifted(way, self.left[self.column_of[wire.head]])
        a, b = self.rects[wire.tail], self.rects[wire.head]
        key = (wire.tail.key, wire.head.key, wire.position, round(a[0] - b[0], 2), wire.tail.role)
        base = b[0]
        if wire.kind == "free" or key not in self.ways:
            way = self.find_way(wire, a, b)
            if wire.kind == "free":
                return way
            self.ways[key] = shifted(way, -base)
        return shifted(self.ways[key], base)

    def find_way(self, wire: Wire, a: Rect, b: Rect) -> Way:
        """A way past everything in the columns between two boxes."""
        t = self.template
        low, high = sorted((self.column_of.get(g, -1 if r[0] < 0 else len(self.left)))
                           for g, r in ((wire.tail, a), (wire.head, b)))
        boxes, wires, xs = [a, b], [], []
        for i in range(max(low, 0), min(high, len(self.left) - 1) + 1):
            column, x = self.scene.columns[i], self.left[i]
            boxes += [self.rects[g] for g in column.glyphs]
            xs += [x - self.between / 2, x - self.between / 2 - 5]
            if column.step is not None:
                boxes += [moved(r, x) for r in t.field.boxes[len(t.rects):]]
                wires += [shifted(way, x) for way in t.field.wires]
                xs += [x + at for at in t.xs]
        xs += [self.right + 9, self.right + 15, self.right + 21]
        boxes += [self.rects[g] for g in [*self.scene.initial, *self.scene.around]]
        field = Field(boxes, wires)
        return field.route(a, b, sorted(xs), [*t.ys, t.top - 6, t.top - 10])

    def wire_note(self, wire: Wire) -> None:
        """A number on a wire: above the passage from step to step, or beside an upright stretch."""
        way = self.way(wire)
        if wire.kind == "carried":
            x = self.left[self.column_of[wire.head]] - self.between / 2 if wire.head in self.column_of \
                else (way[0][0] + way[-1][0]) / 2
            if wire.tail in self.scene.initial:
                x = (way[0][0] + way[-1][0]) / 2
            self.labels.append(Label(x, way[0][1] - 7, wire.note, "text", style.SMALL, halo=True))
            return
        (x, y), (_, y2) = way[0], way[1]
        at = y - 7 if y2 < y else y + 14
        self.labels.append(Label(x + 8, at, wire.note, "quiet", style.TINY, "start"))

    def draw_rail(self, rail: Rail) -> None:
        """The rail from its weight to the last tap, the taps with their dots and notes."""
        box, ends = self.rects[rail.glyph], []
        y = self.template.rail_y[rail.glyph.id]
        dots = []
        for i, wire in enumerate(rail.taps):
            tap, x = self.template.tap(rail, wire), self.left[self.column_of[wire.head]]
            way = shifted(tap.way, x)
            dot = f"{rail.glyph.id}.{i + 1}"
            ends.append(way[0][0])
            paint = wire.colour or wire.role
            dots.append(Box(dot, way[0][0], y, 6, 6, "circle", wire.role, fill=paint, stroke=paint, width=0.8))
            self.lines.append(line_of(wire, way, self.ids, tail=dot))
            if wire.note:
                side = -5 if tap.note_left else 5
                self.labels.append(Label(way[0][0] + side, y - 6, wire.note, "text", style.SMALL,
                                         "end" if tap.note_left else "start"))
        way = ((box[2], y), (max(ends), y))
        if self.scene.backwards:
            self.lines.append(Line(f"{rail.glyph.id}.rail", tuple(reversed(way)), rail.role, None,
                                   rail.glyph.id, width=1.6))
        else:
            self.lines.append(Line(f"{rail.glyph.id}.rail", way, rail.role, rail.glyph.id, None,
                                   width=1.6, arrow=False))
        self.boxes += dots
        gap = next((i for i, c in enumerate(self.scene.columns) if c.hidden), None)
        if rail.gap_note and gap is not None:
            x = self.left[gap] + self.gap_width(self.scene.columns[gap]) / 2
            self.labels.append(Label(x, y - 6, rail.gap_note, "text", style.SMALL))
        if rail.note:
            self.labels.append(Label(box[0] - 8, y + 4, rail.note, "text", style.SMALL, "end"))

    def draw_total(self, i: int, total: Glyph) -> None:
        """The rail above all frames that gathers a term from each step."""
        terms = [w for w in self.scene.wires if w.kind == "term" and w.head is total]
        y, rect = self.template.top - TOTAL - 16 * i, self.rects[total]
        if not terms:
            return
        role, starts = terms[0].role, []
        for number_, wire in enumerate(terms):
            way = self.term_way(wire, y)
            starts.append(way[-1][0])
            dot = f"{total.id}.term.{number_ + 1}"
            self.lines.append(line_of(wire, way, self.ids, head=dot, arrow=wire.backwards))
            self.boxes.append(Box(dot, way[-1][0], y, 5, 5, "circle", "line",
                                  fill="line", stroke="line", width=0.8))
        middle = (rect[1] + rect[3]) / 2
        way = ((min(starts), y), (rect[0], y)) if abs(y - middle) < 0.01 else \
            ((min(starts), y), (rect[0] - 14, y), (rect[0] - 14, middle), (rect[0], middle))
        if self.scene.backwards:
            self.lines.append(Line(f"{total.id}.rail", tuple(reversed(way)), role, total.id, None,
                                   arrow=False, width=1.4))
        else:
            self.lines.append(Line(f"{total.id}.rail", way, role, None, total.id, width=1.4))

    def term_way(self, wire: Wire, y: float) -> Way:
        """From a term up to the rail above."""
        rect, x = self.template.rects[wire.tail.key], self.left[self.column_of[wire.tail]]
        key = ("term", wire.tail.key, y)
        if key not in self.ways:
            middle, level = (rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2
            ways: list[Way] = [((middle, rect[1]), (middle, y))]
            for d in (10.0, 16.0, 22.0):
                ways.append(((rect[0], level), (rect[0] - d, level), (rect[0] - d, y)))
                ways.append(((rect[2], level), (rect[2] + d, level), (rect[2] + d, y)))
            self.ways[key] = self.template.field.best(ways, (rect,)) or ways[0]
        return shifted(self.ways[key], x)

    # --- glyphs ---------------------------------------------------------------------------------

    def draw_glyphs(self) -> None:
        """Every glyph as a box, with its note."""
        for glyph in self.scene.glyphs():
            left, top, right, bottom = rect = self.rects[glyph]
            if glyph in self.column_of and glyph.step is not None:  # as large as its own text needs
                (x, y), (w, h) = ((left + right) / 2, (top + bottom) / 2), glyph.size()
                rect = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            self.boxes.append(box_of(glyph, rect))
            if glyph.note and glyph.key in self.template.notes and glyph in self.column_of:
                (x, y), anchor = self.template.notes[glyph.key]
                self.labels.append(Label(self.left[self.column_of[glyph]] + x, y, glyph.note, "text",
                                         style.SMALL, anchor, bold=True))
            elif glyph.note:
                self.labels.append(Label((left + right) / 2, bottom + 13, glyph.note, "text", style.SMALL))

    def drawing(self) -> Drawing:
        """The finished picture, moved to its place on the paper."""
        return framed(Drawing(0, 0, self.scene.title, tuple(self.frames), tuple(self.lines),
                              tuple(self.boxes), tuple(self.labels)), self.scene.caption)


def gap_lines(column: Column) -> tuple[Text, ...]:
    """What stands in a gap: how many steps, and what the view has to say."""
    return ((Run(f"{column.count:,} steps", "b"),), *column.lines)


def wire_key(wire: Wire) -> Hashable:
    """What tells one wire outside the steps from another."""
    return ("wire", wire.tail.id, wire.head.id, wire.position)


def title_of(column: Column) -> Text:
    """t = 3, or t = 4 … 97."""
    if column.hidden is None:
        return Run("t", "i"), Run(f" = {column.step}")
    return Run("t", "i"), Run(f" = {column.hidden[0]} … {column.hidden[1]}")


def moved(rect: Rect, dx: float) -> Rect:
    """A rectangle further to the right."""
    return rect[0] + dx, rect[1], rect[2] + dx, rect[3]


def shifted(way: Way, dx: float) -> Way:
    """A way further to the right."""
    return tuple((x + dx, y) for x, y in way)
