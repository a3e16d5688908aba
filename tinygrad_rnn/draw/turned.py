"""Turned paper: the words of a time grid that lies on its side.

The question this file answers: *what is said where, if time runs downwards?*

Words are level on any paper. So a time grid is laid out without them, turned by a quarter, and they
find their places after the turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise

from . import spots, style
from .ink import Ink
from .labels import Text, clean, roman, width
from .lags import lag_text, square_of
from .model import Box, Drawing, Label, Point
from .noting import all_around, parted
from .numbers import add_gradients, tell
from .paper import framed, label_rect, turn, turned_box
from .passages import PASSAGES
from .routing import Way
from .scene import Column, Glyph, Rail, Scene, Wire
from .spots import Places, Spot, beside, for_lag, lanes_and_heads
from .telling import CROWDED, Telling
from .timegrid import TimeGrid, gap_lines, title_of

AIR = 2.0  # between what is said of a variable and the things above and below
ABOVE = (0.0, "middle"), (3.0, "end"), (-3.0, "start")  # of a weight; or beside a wire there


class Turned:
    """A time grid on turned paper; `crowded` counts the words that found no place of their own."""

    def __init__(self, scene: Scene, grid: TimeGrid, twins: dict[Glyph, Glyph]) -> None:
        self.scene, self.grid, self.twins = scene, grid, twins
        ink = Ink(grid)
        self.frames = [turned_box(box) for box in ink.frames]
        self.boxes = {box.id: turned_box(box) for box in ink.boxes}
        self.lines = [line._replace(points=tuple(map(turn, line.points))) for line in ink.lines]
        self.drawn = {wire: ink.drawn[twin] for wire, twin in zip(scene.uses(), grid.scene.uses())
                      if twin in ink.drawn}
        self.ways = [tuple(map(turn, grid.way(wire))) for wire in grid.scene.wires]
        self.labels, self.crowded, self.taken, self.edges = list[Label](), 0, Places(), Places()
        self.lanes, self.heads = lanes_and_heads(self.lines)
        for box in self.boxes.values():
            self.taken.add(box.sides)
        for left, top, right, bottom in (frame.sides for frame in self.frames):
            for side in (left, right):
                self.lanes.add((side, top, side, bottom))
                self.edges.add((side - 3, top, side + 3, bottom))
            for level in (top, bottom):
                self.edges.add((left, level - 2, right, level + 2))
        self.telling = Telling(self.taken, self.heads, self.edges, self.lines,
                               self.boxes.values())
        self.words()

    @property
    def all_crowded(self) -> int:
        """How many words and wires found no place of their own; a square counts twice, which delays
        what is not late."""
        return self.crowded + self.grid.crowded + len(self.grid.wires.squares.crowded)

    def words(self) -> None:
        """All that is said, what has the least choice first."""
        for column, frame in zip(self.scene.columns, self.frames):
            self.title(column, frame)
        self.scopes()
        for rail in self.scene.rails:
            self.weight(rail)
        for wire in self.scene.wires:
            if wire.delay and square_of(wire) in self.boxes:
                box = self.boxes[square_of(wire)]
                self.tell(for_lag((box.x, box.y)), box,
                          Label(0, 0, lag_text(wire), size=style.TINY, halo=True))
        for glyph in self.scene.glyphs():
            if glyph.note and not any(glyph is rail.glyph for rail in self.scene.rails):
                box = self.boxes[glyph.id]
                above = [((box.x, box.sides[1] - 6 - 16 * i), "middle") for i in range(4)]
                like = Label(0, 0, glyph.note, bold=glyph.when is not None)
                if self.scene.backwards:
                    self.say([*beside(box), *above], glyph.note, bold=like.bold, air=AIR)
                else:
                    self.tell([*beside(box), *above], box, like)
        if self.scene.backwards:
            add_gradients(self, self.scene.wires, self.boxes.values(), self.between)
        for wire, way in zip(self.scene.wires, self.ways):
            if wire.note and not wire.delay and not self.scene.backwards:
                self.number(wire, way)
            if wire.arrives and not self.scene.backwards:
                tell(self, self.telling, self.leaving(wire, way),
                     Label(0, 0, wire.arrives, "quiet", style.TINY), wire)

    def say(self, places: list[Spot], text: Text, role: str = "text", size: float = style.SMALL,
            bold: bool = False, halo: bool = False, air: float = 0.0,
            of: tuple[str, ...] = ()) -> None:
        """Words at the first spot where they lie on nothing; if there is none, on lines only."""
        labels = [Label(*at, text, role, size, anchor, bold, halo, of=of) for at, anchor in places]
        free = [label for label in labels if not self.taken.touch(label_rect(label, air))]
        free.sort(key=lambda label: self.heads.touch(label_rect(label)))
        clear = [label for label in free if not self.lanes.touch(label_rect(label))]
        self.crowded += not clear
        label = next(iter([*clear, *free, *labels]))
        self.put(label._replace(halo=halo or not clear))

    def tell(self, places: list[Spot], box: Box, like: Label) -> None:
        """Words like these at the best of some places, or anywhere around their box."""
        everywhere = chain(places, all_around(box.sides, width(like.text, like.size)))
        label, cost = self.telling.best(everywhere, like._replace(of=(box.id,)), box)
        upon = self.lanes.touch(label_rect(label))
        self.crowded += upon or cost >= CROWDED
        self.put(label._replace(halo=like.halo or upon))

    def put(self, label: Label) -> None:
        """Words with a look of their own."""
        self.labels.append(label)
        self.taken.add(label_rect(label))

    def title(self, column: Column, frame: Box) -> None:
        """Which step a frame is of, or which steps a gap stands for."""
        left, top, right, _ = frame.sides
        if column.hidden is None:
            self.say([((left + 10, top + 14), "start"), ((right - 10, top + 14), "end"),
                      ((right + 8, top + 14), "start")], title_of(column), "quiet")
            return
        for i, line in enumerate([title_of(column), *gap_lines(column)]):
            y = top + 16 + 15 * i
            self.say([((right - 10, y), "end"), ((left + 10, y), "start"),
                      ((right + 8, y), "start"), ((right + 40, y), "start")], line, "quiet")

    def scopes(self) -> None:
        """The names of stages above their first frame, of scopes above their first states."""
        first = {column.stage: (column, frame) for column, frame in
                 reversed(list(zip(self.scene.columns, self.frames)))}
        for column, frame in first.values():
            if len(first) > 1 and column.part:
                left, top, right, _ = frame.sides
                self.say([((right - 4, top - 6), "end"), ((left + 4, top - 6), "start")],
                         roman(clean(column.part)), "quiet", bold=True)
        for glyph, said in self.named():
            box = self.boxes[glyph.id]
            left, top, right, end = box.sides
            self.say([((box.x, top - 8), "middle"), ((right + 6, top + 6), "start"),
                      ((left - 6, top + 6), "end"), ((box.x, top - 24), "middle"),
                      ((right + 6, end + 10), "start"), ((left - 6, end + 10), "end")],
                     roman(clean(said)), "quiet")

    def named(self) -> Iterator[tuple[Glyph, str]]:
        """The scopes of each stage, if it has several, and the first thing in the row of the state
        of each."""
        for stage, template in self.grid.templates.items():
            part = next(c.part for c in self.scene.columns if c.stage == stage)
            own = [glyph for c in self.scene.columns if c.stage == stage for glyph in c.glyphs]
            for name, key in template.grid.steps.names(part).items():
                row = [g for g in (*self.scene.initial, *own) if g.key == key]
                if row:
                    yield row[0], name

    def room(self, spot: Spot, lines: list[Text], *more: Places) -> bool:
        """Whether some lines of words, the last at a spot, would lie on nothing."""
        (x, y), anchor = spot
        return not any(places.touch(label_rect(Label(x, y - 14 * i, line, anchor=anchor)))
                       for i, line in enumerate(reversed(lines)) for places in (self.taken, *more))

    def weight(self, rail: Rail) -> None:
        """The sum above a weight, and beside its taps what each step gives."""
        box, lines = self.boxes[rail.glyph.id], parted(rail.note)
        above = [((box.x + d, box.sides[1] - 6 - 16 * i), to) for d, to in ABOVE for i in range(7)]
        if len(lines) == 1 and not self.scene.backwards:
            self.tell(above, box, Label(0, 0, lines[0]))
            lines = []
        free = [at for at in above if self.room(at, lines)] or above[:1]
        (x, y), anchor = next((at for at in free if self.room(at, lines, self.lanes)), free[0])
        for i, line in enumerate(lines):
            self.say([((x, y - 14 * (len(lines) - 1 - i)), anchor)], line, of=(rail.glyph.id,))
        seen: set[int | None] = set()
        for i, wire in enumerate(rail.taps, 1):
            when = wire.head.when
            note = rail.step_notes.get(when, wire.note)
            if note and when not in seen:
                dot = self.boxes[f"{rail.glyph.id}.tap{i}"]
                near: list[Spot] = [((dot.x + 7, dot.y + d), "start")
                                    for d in (-6, 14, -20, 28, -34)]
                if when in rail.step_notes:
                    seen.add(when)
                    self.say(near, note)
                else:
                    tell(self, self.telling, near, Label(0, 0, note), wire)
        gap = next((frame for column, frame in zip(self.scene.columns, self.frames)
                    if column.hidden and column.stage == rail.stage), None)
        if gap is not None and rail.gap_note:
            self.say([((box.x + 6, gap.y + d), "start") for d in (4, -12, 20)], rail.gap_note,
                     of=(f"{rail.glyph.id}.rail",))

    def number(self, wire: Wire, way: Way) -> None:
        """The number of a wire: between the frames that it joins, else where it starts."""
        places = spots.on_stretches(way)
        if wire.kind in PASSAGES:
            places = spots.at_level(way, self.between(wire, way)[1]) + places
        passage = wire.kind in PASSAGES and not wire.hands_over
        like = Label(0, 0, wire.note, "text" if passage else "quiet",
                     style.SMALL if passage else style.TINY, halo=passage)
        tell(self, self.telling, places, like, wire, -1)

    def between(self, wire: Wire, way: Way) -> Point:
        """Where a passage runs between two frames."""
        level, at = way[-1][1] - 12, self.grid.column_of
        if wire.tail not in self.scene.initial:
            i = max(at.get(self.twins[end], 0) for end in (wire.head, wire.tail))
            level = self.grid.left[i] - self.grid.between / 2
        across = (p[0] for p, q in pairwise(way) if min(p[1], q[1]) <= level <= max(p[1], q[1]))
        return next(across, way[len(way) // 2][0]), level

    def leaving(self, wire: Wire, way: Way) -> list[Spot]:
        """For what is said where a wire to another stage starts: below the frame."""
        frame = self.frames[self.grid.column_of[self.twins[wire.tail]]]
        start = spots.at_start(wire, way, width(wire.arrives, style.TINY))
        return [*spots.at_level(way, frame.sides[3] + 12), *start]

    def drawing(self) -> Drawing:
        """The finished picture."""
        return framed(Drawing(0, 0, 0, 0, self.scene.title, tuple(self.frames), tuple(self.lines),
                              tuple(self.boxes.values()), tuple(self.labels)), self.scene.caption)
