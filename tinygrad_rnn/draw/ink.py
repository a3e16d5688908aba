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
from .routing import Rect, Way, centre, shifted
from .scene import Column, Glyph, Rail, Wire
from .timegrid import PASSAGES, TOTAL, TimeGrid, around, gap_lines
from .wording import safe

Spot = tuple[Point, str]  # where words stand, and which end of them is there
Places = dict[int, list[Rect]]  # by stretches of x, so that what is near is found quickly
BUCKET = 100.0


class Ink:
    """Draws a time grid; `drawing()` is the result."""

    def __init__(self, grid: TimeGrid) -> None:
        self.grid, self.scene = grid, grid.scene
        self.frames: list[Box] = []
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self.labels: list[Label] = []
        self.ids: Counter[str] = Counter()
        self.taken: Places = {}  # where glyphs and words are
        self.lanes: Places = {}  # where lines run
        self.gaps = [c.hidden[0] for c in self.scene.columns if c.hidden]
        for i, column in enumerate(self.scene.columns):
            self.frame(column, grid.left[i])
        self.name_scopes()
        for wire in self.scene.wires:
            if wire.kind != "term":
                self.lay(line_of(wire, grid.way(wire), self.ids))
        for rail in self.scene.rails:
            self.rail(rail)
        for i, total in enumerate(self.scene.totals):
            self.total(total, grid.top - TOTAL - 16 * i)
        for glyph in self.scene.glyphs():
            self.glyph(glyph)
        for rail in self.scene.rails:
            self.step_notes(rail)
        for wire in self.scene.wires:
            if wire.delay:
                self.delay(wire)
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
        t, wide = self.grid.of(column), self.grid.column_width(column)
        part = f"{safe(column.part)}." if column.part else ""
        place = (x + wide / 2, (t.top + t.bottom) / 2, wide, t.bottom - t.top, "rect")
        if column.hidden is None:
            self.frames.append(Box(f"{part}t{column.step}.frame", *place, "frame"))
            title = column.title or (Run("t", "i"), Run(f" = {column.step}"))
            self.say((x + 12, t.top + 17), title, "quiet", anchor="start")
            return
        first, last = column.hidden
        name = f"{part}gap" if first == self.gaps[0] else f"{part}gap{first}"
        self.frames.append(Box(f"{name}.frame", *place, "gap", dashed=True,
                               title=f"steps {first} to {last} are not drawn"))
        title = Run("t", "i"), Run(f" = {first} … {last}")
        self.say((x + wide / 2, t.top + 17), title, "quiet")
        for i, line in enumerate(gap_lines(column)):
            self.say((x + wide / 2, t.top + 36 + 15 * i), line, "quiet")

    def name_scopes(self) -> None:
        """Where there are several scopes, their names on the left of their states; those of stages
        above their first frame."""
        for stage, t in self.grid.templates.items():
            part = next(c.part for c in self.scene.columns if c.stage == stage)
            if len(self.grid.templates) > 1 and part:
                at = (self.grid.start[stage] + 2, self.grid.top - 6)
                self.say(at, roman(clean(part)), "quiet", anchor="start", bold=True)
            steps = t.grid.steps
            named = {scope.removeprefix(part).lstrip("/"): key for key, scope
                     in reversed(steps.keys.items()) if key in steps.leaves}
            for scope, key in named.items() if len(named) > 1 else ():
                y = centre(t.rects[key])[1]
                if scope:
                    first = [r for g, r in self.grid.rects.items() if g in self.scene.initial
                             and r[1] < y < r[3] and r[0] < self.grid.start[stage]]
                    x = self.grid.start[stage] - 18 - style.VAR
                    x = min([x, *(r[0] for r in first)]) - 10
                    self.say((x, y + 4), roman(clean(scope)), "quiet", anchor="end")

    # --- wires ----------------------------------------------------------------------------------

    def number(self, wire: Wire) -> None:
        """The number of a wire, at the first place near it that is free: on a passage between two
        steps above its middle, else beside where it starts."""
        way = self.grid.way(wire)
        (x, y), (_, y2) = way[0], way[1]
        wide = width(wire.note, style.SMALL)
        spots: list[Spot] = []
        if wire.kind in PASSAGES:
            middle = (way[0][0] + way[-1][0]) / 2
            if wire.head in self.grid.column_of and wire.tail not in self.scene.initial:
                ends = (self.grid.column_of.get(end, 0) for end in (wire.head, wire.tail))
                middle = self.grid.left[max(ends)] - self.grid.between / 2
            spots = [((middle, level + dy), "middle") for level in dict.fromkeys(p[1] for p in way)
                     for dy in (-7, 14, -20, 27)]
        near = y - 7 if y2 < y else y + 14
        spots += [((x + 8, near), "start"), ((x - 8, near), "end")]
        spots += [((x + 28, near), "start"), ((x - 28, near), "end")]  # past a tap that runs by
        for dy in (-22, -28, 32, -40, 46, -54):
            spots += [((x + side, y + dy), anchor) for side, anchor in
                      ((4, "start"), (-4, "end"), (-wide, "end"), (wide / 2, "start"))]
        (at, anchor) = self.best(spots, wire.note)
        size = style.SMALL if wire.kind in PASSAGES else style.TINY
        self.say(at, wire.note, "text" if wire.kind in PASSAGES else "quiet", size, anchor,
                 halo=wire.kind in PASSAGES)

    def delay(self, wire: Wire) -> None:
        """The black square on the longest stretch of a delayed wire, where no other line crosses,
        and the lag beside it."""
        lag = Run("t", "i"), Run(f"−{wire.delay}" if wire.delay > 0 else f"+{-wire.delay}")
        spots = [(at, beside(at, dx, dy), anchor) for at in self.places_on(wire)
                 for dx, dy, anchor in ((0, -9, "middle"), (0, 17, "middle"), (9, -5, "start"),
                                        (-9, -5, "end"), (9, 12, "start"), (-9, 12, "end"))]
        said = self.best([(point, anchor) for _, point, anchor in spots], lag)
        x, y = next(at for at, point, anchor in spots if (point, anchor) == said)
        self.boxes.append(Box(f"{wire.tail.id}--{wire.head.id}.{wire.position}.delay", x, y, 8, 8,
                              "rect", "delay", title="a delay"))
        self.take((x - 4, y - 4, x + 4, y + 4))
        self.say(said[0], lag, "text", style.TINY, said[1], halo=True)

    def places_on(self, wire: Wire) -> list[Point]:
        """Points on the stretches of a wire, the longest one first; those that are clear of other
        lines and of glyphs come before the others."""
        found: list[Point] = []
        for p, q in sorted(pairwise(self.grid.way(wire)), reverse=True,
                           key=lambda pq: abs(pq[0][0] - pq[1][0]) + abs(pq[0][1] - pq[1][1])):
            found += [(p[0] + (q[0] - p[0]) * k / 16, p[1] + (q[1] - p[1]) * k / 16)
                      for k in (8, 9, 7, 10, 6, 11, 5, 12, 4, 13, 3)]
        return sorted(found, key=lambda at: self.lines_near(at, wire) + 9 * touches(
            self.taken, (at[0] - 8, at[1] - 8, at[0] + 8, at[1] + 8)))

    def lines_near(self, at: Point, wire: Wire) -> int:
        """How many lines other than `wire` run close to a point."""
        x, y = at
        name = f"{wire.tail.id}--{wire.head.id}"
        return sum(min(p[0], q[0]) < x + 9 and max(p[0], q[0]) > x - 9
                   and min(p[1], q[1]) < y + 9 and max(p[1], q[1]) > y - 9
                   for line in self.lines if not line.id.startswith(name)
                   for p, q in pairwise(line.points))

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
        t = self.grid.templates[rail.stage]
        box, y = self.grid.rects[rail.glyph], t.rail_y[rail.glyph.id]
        ends = [self.tap(rail, wire, f"{rail.glyph.id}.tap{i}") for i, wire in
                enumerate(rail.taps, 1)]
        self.main(rail.glyph, rail.role, ((box[2], y), (max(ends), y)), self.scene.backwards, 1.6)
        for i, column in enumerate(self.scene.columns):
            if column.hidden and column.stage == rail.stage and rail.gap_note:
                x = self.grid.left[i] + self.grid.column_width(column) / 2
                spots = [((x, y - 6), "middle")]
                spots += [((x + d, y - 6), "start" if d > 0 else "end") for d in (6, -6, 24, -24)]
                at, anchor = self.best(spots, rail.gap_note)  # beside a wire that passes
                self.say(at, rail.gap_note, anchor=anchor)
                break
        if rail.note:
            self.say((box[0] - 8, y + 4), rail.note, anchor="end")

    def tap(self, rail: Rail, wire: Wire, dot: str) -> float:
        """A tap with its dot on the rail; returns where it is."""
        tap = self.grid.templates[rail.stage].tap(rail, wire)
        way = shifted(tap.way, self.grid.left[self.grid.column_of[wire.head]])
        self.dot(dot, way[0], wire.colour or wire.role)
        self.lay(line_of(wire, way, self.ids, tail=dot))
        return way[0][0]

    def step_notes(self, rail: Rail) -> None:
        """What is said of each step, beside its last tap: one number, however many taps."""
        t = self.grid.templates[rail.stage]
        for i, column in enumerate(self.scene.columns):
            note = rail.step_notes.get(column.when) if column.step is not None else None
            if note:
                left = t.tap(rail, rail.taps[0]).note_left
                ends = t.ends(rail, column.when)
                y, x = t.rail_y[rail.glyph.id] - 6, self.grid.left[i]
                spots = [((x + ends[0] - 9, y), "end"), ((x + ends[-1] + 8, y), "start")]
                spots += [((x + end + d, y), "start") for d in (8, 32, 56, 80, 104)
                          for end in ends[::-1]]
                spots += [((x_, y_ + 20), end) for (x_, y_), end in spots]  # below the rail
                spot = self.best(spots if left else spots[1:] + spots[:1], note)
                crossed = touches(self.lanes, said_at(spot, note))
                self.say(spot[0], note, anchor=spot[1], halo=crossed)

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
        self.lay(line)

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
        there = None if column is None else self.scene.columns[column]
        notes = {} if there is None or there.step is None else \
            self.grid.of(there).stamp(there.when).notes
        if column is None or glyph.key not in notes:
            self.say((centre(rect)[0], rect[3] + 13), glyph.note)
            return
        (x, y), anchor = notes[glyph.key]
        self.say((self.grid.left[column] + x, y), glyph.note, anchor=anchor, bold=True)


def beside(at: Point, dx: float, dy: float) -> Point:
    """A point near another one."""
    return at[0] + dx, at[1] + dy


def said_at(spot: Spot, text: Text) -> Rect:
    """The box that words at a spot would fill."""
    return label_rect(Label(*spot[0], text, size=style.SMALL, anchor=spot[1]))


def remember(places: Places, rect: Rect) -> None:
    """Add a place."""
    first, last = int(rect[0] // BUCKET), int(rect[2] // BUCKET)
    for bucket in range(first, last + 1) if last > first else (first,):
        places.setdefault(bucket, []).append(rect)


def touches(places: Places, rect: Rect) -> bool:
    """Whether a box lies on any of the places."""
    buckets = range(int(rect[0] // BUCKET), int(rect[2] // BUCKET) + 1)
    return any(rect[0] < r[2] and r[0] < rect[2] and rect[1] < r[3] and r[1] < rect[3]
               for bucket in buckets for r in places.get(bucket, ()))
