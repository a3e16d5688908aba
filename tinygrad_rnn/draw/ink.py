"""Ink: the time grid as a drawing, with frames, wires, rails, taps, totals, glyphs and their words.

The question this file answers: *what is put on the paper, and how does it look?*
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from . import spots, style
from .blocks import box_of, line_of
from .heads import drawn_head
from .labels import Text, minus
from .model import Box, Drawing, Label, Line, Point
from .names import safe
from .noting import LINE, broken
from .numbers import add_numbers
from .outlines import onto
from .outside import TOTAL, note_at, with_note
from .paper import framed, label_rect
from .partings import partings
from .routing import Way, centre, shifted
from .scene import Column, Glyph, Rail, Wire
from .scopes import name_scopes
from .spots import Places, Spot, said_at
from .timegrid import TimeGrid, gap_lines, title_of
from .tracks import TRACK


class Ink:
    """Draws a time grid; `drawing()` is the result. `crowded` counts the words that found no place
    of their own."""

    def __init__(self, grid: TimeGrid) -> None:
        self.grid, self.scene = grid, grid.scene
        self.frames: list[Box] = []
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self.labels: list[Label] = []
        self.ids: Counter[str] = Counter()
        self.drawn: dict[Wire, int] = {}  # which of the lines a wire is
        self.crowded = 0
        self.taken = Places()  # where glyphs and words are
        self.lanes = Places()  # where lines run
        self.heads = Places(heads=True)  # and where their arrow heads are
        self.edges = Places()  # the outlines of frames
        self.gaps = [c.hidden[0] for c in self.scene.columns if c.hidden]
        self.small = grid.smaller()
        for i, column in enumerate(self.scene.columns):
            self.frame(column, grid.left[i])
        titles = len(self.labels)
        ways = [(wire, self.reaching(wire, grid.way(wire))) for wire in self.scene.wires]
        for wire, way in ways:
            if wire.kind != "term":
                self.lay(line_of(wire, way, self.ids), wire)
        self.dots(ways)
        for rail in self.scene.rails:
            self.rail(rail)
        for i, total in enumerate(self.scene.totals):
            self.total(total, grid.top - TOTAL - 16 * i)
        for glyph in self.scene.glyphs():
            self.glyph(glyph)
        named = name_scopes(grid, self.boxes, self.labels, self.lines)
        self.labels[titles:titles] = named
        for label in named:
            self.taken.add(label)
        add_numbers(self)

    @property
    def all_crowded(self) -> int:
        """How many words and wires found no place of their own; a square counts twice, which delays
        what is not late."""
        return self.crowded + self.grid.crowded + len(self.grid.wires.squares.crowded)

    def drawing(self) -> Drawing:
        """The finished picture."""
        drawing = Drawing(0, 0, 0, 0, self.scene.title, tuple(self.frames), tuple(self.lines),
                          tuple(self.boxes), tuple(self.labels))
        return framed(drawing, self.scene.caption)

    def say(self, at: Point, text: Text, role: str = "text", size: float = style.SMALL,
            anchor: str = "middle", bold: bool = False, halo: bool = False,
            of: tuple[str, ...] = ()) -> None:
        """Words at a point."""
        self.put(Label(*at, text, role, size, anchor, bold, halo, of=of))

    def put(self, label: Label) -> None:
        """Words with a look of their own."""
        self.labels.append(label)
        self.taken.add(label)

    # --- frames ---------------------------------------------------------------------------------

    def frame(self, column: Column, x: float) -> None:
        """The frame of a step with its title, or of a gap with what it stands for."""
        t, wide = self.grid.of(column), self.grid.column_width(column)
        part = f"{safe(column.part)}." if column.part else ""
        place = (x + wide / 2, (t.top + t.bottom) / 2, wide, t.bottom - t.top, "rect")
        for side in (x, x + wide):
            self.edges.add((side - 3, t.top, side + 3, t.bottom))
        for level in (t.top, t.bottom):
            self.edges.add((x, level - 2, x + wide, level + 2))
        if column.hidden is None:
            self.frames.append(Box(f"{part}t{column.step}.frame", *place, "frame"))
            self.say((x + 12, t.top + 17), title_of(column), "quiet", anchor="start")
            left, top, right, bottom = label_rect(self.labels[-1])
            self.taken.add((left, top, right + 10, bottom))  # nothing else goes on in its line
            return
        first, last = column.hidden
        name = f"{part}gap" if first == self.gaps[0] else f"{part}gap{first}"
        self.frames.append(Box(f"{name}.frame", *place, "gap", dashed=True,
                               title=minus(f"steps {first} to {last} are not drawn")))
        self.say((x + wide / 2, t.top + 17), title_of(column), "quiet")
        for i, line in enumerate(gap_lines(column)):
            self.say((x + wide / 2, t.top + 36 + 15 * i), line, "quiet")

    # --- wires ----------------------------------------------------------------------------------

    def best(self, places: Iterable[Spot], text: Text, *more: Places) -> Spot:
        """The best of some spots for words."""
        heads = () if self.scene.backwards else (self.heads,)  # those of gradients are large
        spot = spots.best(places, text, self.taken, *heads, self.lanes, *more)
        if any(places.touch(said_at(spot, text)) for places in (self.taken, *heads)):
            self.crowded += 1
            return spots.further(spot, text, self.taken, *heads)
        return spot

    def lay(self, line: Line, wire: Wire | None = None) -> None:
        """Draw a line, and remember where it runs."""
        if wire is not None:
            self.drawn[wire] = len(self.lines)
        self.lines.append(line)
        self.lanes.add(line)
        if line.arrow:
            self.heads.add(line)

    def reaching(self, wire: Wire, way: Way) -> Way:
        """A way that ends at the outlines: further on, where a thing is smaller than the place that
        all steps keep for it."""
        if wire.head in self.small:
            way = (*way[:-1], *onto(self.small[wire.head], way[-1], way[-2]))
        if wire.tail in self.small:
            way = (*onto(self.small[wire.tail], way[0], way[1])[::-1], *way[1:])
        return way

    def rail(self, rail: Rail) -> None:
        """The rail from its weight to the last tap, and the sum at its end."""
        t = self.grid.templates[rail.stage]
        box, y = self.grid.rects[rail.glyph], t.rail_y[rail.glyph.id]
        taps = [(wire, self.tap(rail, wire, f"{rail.glyph.id}.tap{i}")) for i, wire in
                enumerate(rail.taps, 1)]
        self.dots(taps)
        end = max(way[0][0] for _, way in taps)
        self.main(rail.glyph, rail.role, ((box[2], y), (end, y)), self.scene.backwards, 1.6)
        for i, column in enumerate(self.scene.columns):
            if column.hidden and column.stage == rail.stage and rail.gap_note:
                x = self.grid.left[i] + self.grid.column_width(column) / 2
                near: list[Spot] = [((x, y - 6), "middle")]
                near += [((x + d, y - 6), "start" if d > 0 else "end") for d in (6, -6, 24, -24)]
                at, anchor = self.best(near, rail.gap_note)  # beside a wire that passes
                self.say(at, rail.gap_note, anchor=anchor, of=(f"{rail.glyph.id}.rail",))
                break
        if rail.note:
            self.say((box[0] - 8, y + 4), rail.note, anchor="end", of=(rail.glyph.id,))

    def tap(self, rail: Rail, wire: Wire, dot: str) -> Way:
        """A tap with its dot on the rail; returns its way."""
        tap = self.grid.templates[rail.stage].tap(rail, wire)
        way = shifted(tap.way, self.grid.left[self.grid.column_of[wire.head]])
        self.dot(dot, way[0], wire.colour or wire.role)
        way = self.reaching(wire, way)
        self.lay(line_of(wire, way, self.ids, tail=dot), wire)
        return way

    def total(self, total: Glyph, y: float) -> None:
        """The rail above all frames that gathers a term from each step."""
        terms = [w for w in self.scene.wires if w.kind == "term" and w.head is total]
        if not terms:
            return
        starts = []
        for i, wire in enumerate(terms, 1):
            way = self.grid.way(wire)
            starts.append(way[-1][0])
            self.dot(f"{total.id}.term{i}", way[-1], "line")
            self.lay(line_of(wire, self.reaching(wire, way), self.ids,
                             head=f"{total.id}.term{i}", arrow=wire.backwards), wire)
        end, level = self.grid.rects[total][0], centre(self.grid.rects[total])[1]
        x = self.before_totals(self.grid.contexts.get(total)) - \
            TRACK * self.scene.totals.index(total)
        bends = () if abs(y - level) < 0.01 else ((x, y), (x, level))
        way = ((min(starts), y), *bends, (end, level))
        role = "gradient" if total.backward else "line"
        self.main(total, role, tuple(reversed(way)), not self.scene.backwards, 1.4)

    def before_totals(self, stage: int | None) -> float:
        """Where rails may come down on the left of all totals before a stage, or after all steps,
        and their notes."""
        rects = ((self.grid.rects[total], total.note) for total in self.scene.totals
                 if self.grid.contexts.get(total) == stage)
        return min(with_note(rect, note)[0] for rect, note in rects) - 14

    def main(self, glyph: Glyph, role: str, way: Way, inwards: bool, thick: float) -> None:
        """The main line of a rail, which begins at its glyph; `inwards` turns it round."""
        name = f"{glyph.id}.rail"
        if inwards:
            line = Line(name, tuple(reversed(way)), role, None, glyph.id, width=thick)
            self.taken.add(drawn_head(line.points, thick))  # where it comes in belongs to its glyph
        else:
            line = Line(name, way, role, glyph.id, None, width=thick, arrow=False)
        self.lay(line)

    def dots(self, ways: Iterable[tuple[Wire, Way]]) -> None:
        """The dots where wires part that begin as one."""
        for i, (wire, at) in enumerate(partings(ways), 1):
            self.dot(f"{wire.tail.id}.parting{i}", at, wire.colour or wire.role)

    def dot(self, name: str, at: Point, paint: str) -> None:
        """The dot where two lines are joined."""
        box = Box(name, *at, 6, 6, "circle", "line", fill=paint, stroke=paint, width=0.8)
        self.boxes.append(box)

    # --- glyphs ---------------------------------------------------------------------------------

    def glyph(self, glyph: Glyph) -> None:
        """A glyph as a box, with its number."""
        rect = self.small.get(glyph, self.grid.rects[glyph])
        column = self.grid.column_of.get(glyph)
        self.boxes.append(box_of(glyph, rect))
        self.taken.add(rect)
        if not glyph.note:
            return
        there = None if column is None else self.scene.columns[column]
        stamp = None if there is None or there.step is None else \
            self.grid.of(there).stamp(there.when)
        if stamp is not None and glyph.key in stamp.untold:
            return
        if column is None or stamp is None or glyph.key not in stamp.notes:
            self.say(note_at(self.grid, rect, glyph.note), glyph.note, of=(glyph.id,))
            return
        (x, y), anchor = stamp.notes[glyph.key]
        for i, line in enumerate(broken(glyph.note) if glyph.key in stamp.broken else [glyph.note]):
            label = Label(self.grid.left[column] + x, y + LINE * i, line, anchor=anchor, bold=True,
                          of=(glyph.id,))
            self.put(label._replace(halo=self.lanes.touch(label_rect(label))))
            left, top, right, bottom = label_rect(label)
            self.taken.add((left - 8, top, right + 8, bottom))  # other numbers are told from it
