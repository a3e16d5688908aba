"""Ink: the time grid as a drawing, with frames, wires, rails, taps, totals, glyphs and their words.

The question this file answers: *what is put on the paper, and how does it look?*
"""

from __future__ import annotations

from collections import Counter

from . import style
from .blocks import box_of, line_of
from .labels import Run, Text, clean, roman
from .model import Box, Drawing, Label, Line, Point
from .paper import framed
from .routing import Way, centre
from .scene import Column, Glyph, Rail, Wire
from .timegrid import TOTAL, TimeGrid, around, gap_lines, shifted


class Ink:
    """Draws a time grid; `drawing()` is the result."""

    def __init__(self, grid: TimeGrid) -> None:
        self.grid, self.scene, self.template = grid, grid.scene, grid.template
        self.frames: list[Box] = []
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self.labels: list[Label] = []
        self.ids: Counter[str] = Counter()
        for i, column in enumerate(self.scene.columns):
            self.frame(column, grid.left[i])
        self.name_scopes()
        for wire in self.scene.wires:
            if wire.kind != "term":
                self.wire(wire)
        for rail in self.scene.rails:
            self.rail(rail)
        for i, total in enumerate(self.scene.totals):
            self.total(total, self.template.top - TOTAL - 16 * i)
        for glyph in self.scene.glyphs():
            self.glyph(glyph)

    def drawing(self) -> Drawing:
        """The finished picture."""
        drawing = Drawing(0, 0, 0, 0, self.scene.title, tuple(self.frames), tuple(self.lines),
                          tuple(self.boxes), tuple(self.labels))
        return framed(drawing, self.scene.caption)

    def say(self, at: Point, text: Text, role: str = "text", size: float = style.SMALL,
            anchor: str = "middle", bold: bool = False, halo: bool = False) -> None:
        """Words at a point."""
        self.labels.append(Label(*at, text, role, size, anchor, bold, halo))

    # --- frames ---------------------------------------------------------------------------------

    def frame(self, column: Column, x: float) -> None:
        """The frame of a step with its title, or of a gap with what it stands for."""
        t, wide = self.template, self.grid.column_width(column)
        place = (x + wide / 2, (t.top + t.bottom) / 2, wide, t.bottom - t.top, "rect")
        if column.hidden is None:
            self.frames.append(Box(f"t{column.step}.frame", *place, "frame"))
            title = Run("t", "i"), Run(f" = {column.step}")
            self.say((x + 12, t.top + 17), title, "quiet", anchor="start")
            return
        first, last = column.hidden
        self.frames.append(Box("gap.frame", *place, "gap", dashed=True,
                               title=f"steps {first} to {last} are not drawn"))
        title = Run("t", "i"), Run(f" = {first} … {last}")
        self.say((x + wide / 2, t.top + 17), title, "quiet")
        for i, line in enumerate(gap_lines(column)):
            self.say((x + wide / 2, t.top + 36 + 15 * i), line, "quiet")

    def name_scopes(self) -> None:
        """Where there are several scopes, their names on the left of their states."""
        steps = self.template.grid.steps
        named = {scope: key for key, scope in reversed(steps.keys.items()) if key in steps.leaves}
        for scope, key in named.items() if len(named) > 1 else ():
            y = centre(self.template.rects[key])[1]
            self.say((-28 - style.VAR, y + 4), roman(clean(scope)), "quiet", anchor="end")

    # --- wires ----------------------------------------------------------------------------------

    def wire(self, wire: Wire) -> None:
        """A wire, with its number: above the passage between steps, or beside where it starts."""
        way = self.grid.way(wire)
        self.lines.append(line_of(wire, way, self.ids))
        if not wire.note:
            return
        (x, y), (_, y2) = way[0], way[1]
        if wire.kind != "carried":
            self.say((x + 8, y - 7 if y2 < y else y + 14), wire.note, "quiet", style.TINY, "start")
            return
        middle = (way[0][0] + way[-1][0]) / 2
        if wire.head in self.grid.column_of and wire.tail not in self.scene.initial:
            middle = self.grid.left[self.grid.column_of[wire.head]] - self.grid.between / 2
        self.say((middle, y - 7), wire.note, halo=True)

    def rail(self, rail: Rail) -> None:
        """The rail from its weight to the last tap, and the sum at its end."""
        box, y = self.grid.rects[rail.glyph], self.template.rail_y[rail.glyph.id]
        ends = [self.tap(rail, wire, f"{rail.glyph.id}.tap{i}") for i, wire in
                enumerate(rail.taps, 1)]
        self.main(rail.glyph, rail.role, ((box[2], y), (max(ends), y)), self.scene.backwards, 1.6)
        gap = next((i for i, c in enumerate(self.scene.columns) if c.hidden), None)
        if gap is not None and rail.gap_note:
            x = self.grid.left[gap] + self.grid.column_width(self.scene.columns[gap]) / 2
            self.say((x, y - 6), rail.gap_note)
        if rail.note:
            self.say((box[0] - 8, y + 4), rail.note, anchor="end")

    def tap(self, rail: Rail, wire: Wire, dot: str) -> float:
        """A tap with its dot on the rail and its number beside; returns where it is."""
        tap = self.template.tap(rail, wire)
        way = shifted(tap.way, self.grid.left[self.grid.column_of[wire.head]])
        x, y = way[0]
        self.dot(dot, way[0], wire.colour or wire.role)
        self.lines.append(line_of(wire, way, self.ids, tail=dot))
        if wire.note and tap.note_left:
            self.say((x - 9, y - 6), wire.note, anchor="end")
        elif wire.note:
            self.say((x + 8, y - 6), wire.note, anchor="start")
        return x

    def total(self, total: Glyph, y: float) -> None:
        """The rail above all frames that gathers a term from each step."""
        terms = [w for w in self.scene.wires if w.kind == "term" and w.head is total]
        if not terms:
            return
        starts = []
        for i, wire in enumerate(terms, 1):
            way = self.grid.term_way(wire, y)
            starts.append(way[-1][0])
            self.dot(f"{total.id}.term{i}", way[-1], "line")
            self.lines.append(line_of(wire, way, self.ids, head=f"{total.id}.term{i}",
                                      arrow=wire.backwards))
        end, level = self.grid.rects[total][0], centre(self.grid.rects[total])[1]
        bends = () if abs(y - level) < 0.01 else ((end - 14, y), (end - 14, level))
        way = ((min(starts), y), *bends, (end, level))
        self.main(total, "line", tuple(reversed(way)), not self.scene.backwards, 1.4)

    def main(self, glyph: Glyph, role: str, way: Way, inwards: bool, thick: float) -> None:
        """The main line of a rail, which begins at its glyph; `inwards` turns it round."""
        name = f"{glyph.id}.rail"
        if inwards:
            line = Line(name, tuple(reversed(way)), role, None, glyph.id, width=thick)
        else:
            line = Line(name, way, role, glyph.id, None, width=thick, arrow=False)
        self.lines.append(line)

    def dot(self, name: str, at: Point, paint: str) -> None:
        """The dot where two lines are joined."""
        box = Box(name, *at, 6, 6, "circle", "line", fill=paint, stroke=paint, width=0.8)
        self.boxes.append(box)

    # --- glyphs ---------------------------------------------------------------------------------

    def glyph(self, glyph: Glyph) -> None:
        """A glyph as a box, with its number."""
        rect = self.grid.rects[glyph]
        column = self.grid.column_of.get(glyph)
        if column is not None:  # as large as its own text needs
            rect = around(centre(rect), glyph)
        self.boxes.append(box_of(glyph, rect))
        if not glyph.note:
            return
        if column is None or glyph.key not in self.template.notes:
            self.say((centre(rect)[0], rect[3] + 13), glyph.note)
            return
        (x, y), anchor = self.template.notes[glyph.key]
        self.say((self.grid.left[column] + x, y), glyph.note, anchor=anchor, bold=True)
