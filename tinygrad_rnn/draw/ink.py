"""Ink: the time grid as a drawing, with frames, wires, rails, taps, totals, glyphs and their words.

The question this file answers: *what is put on the paper, and how does it look?*
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from . import style
from .blocks import box_of, line_of
from .labels import Run, Text, clean, roman, width
from .model import Box, Drawing, Label, Line, Point
from .paper import framed, label_rect
from .routing import Rect, Way, centre
from .scene import Column, Glyph, Rail, Wire
from .timegrid import TOTAL, TimeGrid, around, gap_lines, shifted

Spot = tuple[Point, str]  # where words stand, and which end of them is there
Places = dict[int, list[Rect]]  # by stretches of x, so that what is near is found quickly
BUCKET = 100.0


class Ink:
    """Draws a time grid; `drawing()` is the result."""

    def __init__(self, grid: TimeGrid) -> None:
        self.grid, self.scene, self.template = grid, grid.scene, grid.template
        self.frames: list[Box] = []
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self.labels: list[Label] = []
        self.ids: Counter[str] = Counter()
        self.taken: Places = {}  # where glyphs and words are
        self.lanes: Places = {}  # where lines run
        for i, column in enumerate(self.scene.columns):
            self.frame(column, grid.left[i])
        self.name_scopes()
        for wire in self.scene.wires:
            if wire.kind != "term":
                self.lay(line_of(wire, grid.way(wire), self.ids))
        for rail in self.scene.rails:
            self.rail(rail)
        for i, total in enumerate(self.scene.totals):
            self.total(total, self.template.top - TOTAL - 16 * i)
        for glyph in self.scene.glyphs():
            self.glyph(glyph)
        for rail in self.scene.rails:
            self.step_notes(rail)
        for wire in self.scene.wires:
            if wire.note:
                self.number(wire)

    def drawing(self) -> Drawing:
        """The finished picture."""
        drawing = Drawing(0, 0, 0, 0, self.scene.title, tuple(self.frames), tuple(self.lines),
                          tuple(self.boxes), tuple(self.labels))
        return framed(drawing, self.scene.caption)

    def say(self, at: Point, text: Text, role: str = "text", size: float = style.SMALL,
            anchor: str = "middle", bold: bool = False, halo: bool = False) -> None:
        """Words at a point."""
        label = Label(*at, text, role, size, anchor, bold, halo)
        self.labels.append(label)
        self.take(label_rect(label))

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

    def number(self, wire: Wire) -> None:
        """The number of a wire, at the first place near it that is free: on a passage between two
        steps above its middle, else beside where it starts."""
        way = self.grid.way(wire)
        (x, y), (_, y2) = way[0], way[1]
        wide = width(wire.note, style.SMALL)
        spots: list[Spot] = []
        if wire.kind == "carried":
            middle = (way[0][0] + way[-1][0]) / 2
            if wire.head in self.grid.column_of and wire.tail not in self.scene.initial:
                middle = self.grid.left[self.grid.column_of[wire.head]] - self.grid.between / 2
            spots = [((middle, level + dy), "middle") for level in dict.fromkeys(p[1] for p in way)
                     for dy in (-7, 14, -20, 27)]
        near = y - 7 if y2 < y else y + 14
        spots += [((x + 8, near), "start"), ((x - 8, near), "end")]
        spots += [((x + 28, near), "start"), ((x - 28, near), "end")]  # past a tap that runs by
        for dy in (-22, -28, 32, -40, 46, -54):
            spots += [((x + side, y + dy), anchor) for side, anchor in
                      ((4, "start"), (-4, "end"), (-wide, "end"), (wide / 2, "start"))]
        (at, anchor) = self.best(spots, wire.note)
        size = style.SMALL if wire.kind == "carried" else style.TINY
        self.say(at, wire.note, "text" if wire.kind == "carried" else "quiet", size, anchor,
                 halo=wire.kind == "carried")

    def best(self, spots: list[Spot], text: Text) -> Spot:
        """The first spot where words would lie on nothing; if there is none, on lines only."""
        free = [spot for spot in spots if not touches(self.taken, said_at(spot, text))]
        clear = (spot for spot in free if not touches(self.lanes, said_at(spot, text)))
        return next(clear, next(iter(free), spots[0]))

    def take(self, rect: Rect) -> None:
        """Remember that a place is taken."""
        remember(self.taken, rect)

    def lay(self, line: Line) -> None:
        """Draw a line, and remember where it runs."""
        self.lines.append(line)
        for p, q in pairwise(line.points):
            remember(self.lanes, (min(p[0], q[0]), min(p[1], q[1]),
                                  max(p[0], q[0]), max(p[1], q[1])))

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
        """A tap with its dot on the rail; returns where it is."""
        tap = self.template.tap(rail, wire)
        way = shifted(tap.way, self.grid.left[self.grid.column_of[wire.head]])
        self.dot(dot, way[0], wire.colour or wire.role)
        self.lay(line_of(wire, way, self.ids, tail=dot))
        return way[0][0]

    def step_notes(self, rail: Rail) -> None:
        """What is said of each step, beside its last tap: one number, however many taps."""
        for i, column in enumerate(self.scene.columns):
            note = rail.step_notes.get(column.step) if column.step is not None else None
            if note:
                left = self.template.tap(rail, rail.taps[0]).note_left
                ends = self.template.ends(rail, column.step)
                y, x = self.template.rail_y[rail.glyph.id] - 6, self.grid.left[i]
                spots = [((x + ends[0] - 9, y), "end"), ((x + ends[-1] + 8, y), "start")]
                spots += [((x + end + d, y), "start") for d in (8, 32, 56) for end in ends[::-1]]
                at, anchor = self.best(spots if left else spots[1:] + spots[:1], note)
                self.say(at, note, anchor=anchor)

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
        self.take(rect)
        if not glyph.note:
            return
        if column is None or glyph.key not in self.template.notes:
            self.say((centre(rect)[0], rect[3] + 13), glyph.note)
            return
        (x, y), anchor = self.template.notes[glyph.key]
        self.say((self.grid.left[column] + x, y), glyph.note, anchor=anchor, bold=True)


def said_at(spot: Spot, text: Text) -> Rect:
    """The box that words at a spot would fill."""
    return label_rect(Label(*spot[0], text, size=style.SMALL, anchor=spot[1]))


def remember(places: Places, rect: Rect) -> None:
    """Add a place."""
    for bucket in range(int(rect[0] // BUCKET), int(rect[2] // BUCKET) + 1):
        places.setdefault(bucket, []).append(rect)


def touches(places: Places, rect: Rect) -> bool:
    """Whether a box lies on any of the places."""
    buckets = range(int(rect[0] // BUCKET), int(rect[2] // BUCKET) + 1)
    return any(rect[0] < r[2] and r[0] < rect[2] and rect[1] < r[3] and r[1] < rect[3]
               for bucket in buckets for r in places.get(bucket, ()))
