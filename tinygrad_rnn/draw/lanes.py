"""Lanes: the rows of a wiring put on paper, one column for every step.

The question this file answers: *which box stands where, and which lines run between them?*

Inputs are at the bottom and outputs on top. A lane is the row of a recurrent layer in its frame,
from its first state on the one side to the last on the other. Two lanes over the same steps stand
half a step apart, so that the wires of each pass the boxes of the other.
"""

from __future__ import annotations

from typing import NamedTuple

from . import style
from .carried import BACK, carry
from .labels import Run, Text, clean, plain, roman
from .model import Box, Point
from .paper import Sheet
from .wiring import INPUT, Row, Wiring

STEP, PAIRED, SIDE = 104.0, 150.0, 27.0  # from step to step; the same for two lanes; their offset
LANE, MAP, BOX, TALL, TAP = 88.0, 62.0, 58.0, 32.0, 24.0
MOST = 6  # steps that are all drawn


class Column(NamedTuple):
    """One step, or a gap (no name): where it is, and how the step is called there."""

    x: float
    name: str


def columns(found: Wiring, steps: int | None, last: str = "T") -> list[Column]:
    """The steps in view: all of them, or the first two and the last."""
    wide = PAIRED if any(row.side for row in found.rows) else STEP
    if steps is not None and steps <= MOST:
        return [Column(wide * i, str(i + 1)) for i in range(steps)]
    end = last if steps is None else f"{steps:,}"
    names = ["1", "2", "", end]
    xs = [0.0, wide, 1.85 * wide, 2.7 * wide]
    return [Column(x, name) for x, name in zip(xs, names)]


class Block:
    """The rows of a wiring over columns of steps, put on a sheet from `left` on. `alone`: the one
    step of a cell, which is called t."""

    def __init__(self, sheet: Sheet, found: Wiring, at: list[Column], left: float,
                 alone: str = "", scope: str = "") -> None:
        self.sheet, self.wiring, self.scope = sheet, found, scope
        self.columns = [Column(left + c.x, alone or c.name) for c in at]
        self.alone = bool(alone)
        self.boxes: dict[tuple[int, int], Box] = {}  # (row, column) -> box
        self.starts: list[Box] = []
        self.given: Text = ()  # what its output is called, if not h or y
        self.heights = self.measure()
        self.left, self.right = self.columns[0].x - STEP / 2, self.columns[-1].x + STEP / 2
        if self.paired:
            self.left, self.right = self.left - SIDE / 2, self.right + SIDE / 2

    def measure(self) -> dict[int, float]:
        """The height of every row."""
        heights, y = {INPUT: 0.0}, 0.0
        for i, row in enumerate(self.wiring.rows):
            before = self.wiring.rows[i - 1] if i else None
            y -= LANE if row.parts and (before is None or before.parts) else \
                (LANE + MAP) / 2 if row.parts or before is None or before.parts else MAP
            heights[i] = y
        return heights

    @property
    def top(self) -> float:
        """The height of the outputs."""
        return self.heights[len(self.wiring.rows) - 1] - MAP - 8

    @property
    def edge(self) -> float:
        """How far it reaches on the right: a layer that reads from the end starts there."""
        return max([self.right, *(start.sides[2] for start in self.starts)])

    def draw(self) -> None:
        """All of it."""
        self.inputs()
        for i, row in enumerate(self.wiring.rows):
            self.row(i, row)
        self.outputs()
        if self.wiring.feedback:
            self.feed_back()
        if self.wiring.vector is not None:
            self.vector()

    def places(self, row: Row) -> list[int]:
        """The columns at which a row has a box."""
        whole = list(range(len(self.columns)))
        if row.parts or row.every:
            return whole
        return whole[:1] if row.backwards and not row.merges else whole[-1:]

    def spot(self, i: int, k: int) -> Point:
        """The middle of a box."""
        side = self.wiring.rows[i].side if i != INPUT else 0
        return self.columns[k].x + SIDE * side, self.heights[i]

    @property
    def paired(self) -> bool:
        """Whether two lanes share each column."""
        return any(row.side for row in self.wiring.rows)

    # --- what goes in and what comes out ----------------------------------------------------------

    def inputs(self) -> None:
        """The boxes at the bottom."""
        feeds = self.wiring.feeds
        name = "k" if self.wiring.indices else "x"
        for k, column in enumerate(self.columns):
            if feeds == "none" or feeds == "first" and k:
                continue
            if not column.name:
                self.dots((column.x, 0.0))
                continue
            text = (Run(name, "i"),) if feeds == "whole" else \
                (Run(name, "i"), Run(column.name, "_"))
            wide = 2 * SIDE + 28 if self.paired else 40.0
            self.boxes[INPUT, k] = self.sheet.box(f"{self.scope}x{k}", (column.x, 0.0),
                                                  (wide, 28.0), "input", text,
                                                  title="what the model takes")

    def outputs(self) -> None:
        """The boxes on top."""
        row, last = self.wiring.top, len(self.wiring.rows) - 1
        name = "h" if row.parts else "y"
        for k in self.places(row) if row.every else self.ends(row):
            column = self.columns[k]
            if not column.name:
                self.dots((column.x, self.top))
                continue
            tail = self.boxes[last, k]
            text = self.given or (Run(name, "i"),)
            if not self.given and self.wiring.feeds != "whole":
                text = (Run(name, "i"), Run(column.name, "_"))
            role, title = ("state", "the context") if self.given else \
                ("output", "what the model gives")
            box = self.sheet.box(f"{self.scope}y{k}", (tail.x, self.top), (46.0, 28.0), role, text,
                                 title=title)
            self.boxes[len(self.wiring.rows), k] = box
            self.sheet.join(tail, box)

    def ends(self, row: Row) -> list[int]:
        """The one column at which a row gives something, if not at every step."""
        return [0] if row.backwards and not row.merges else [len(self.columns) - 1]

    def dots(self, at: Point) -> None:
        """What stands for the steps that are not drawn."""
        self.sheet.say((at[0], at[1] + 4), (Run("⋯", "b"),), "quiet", 15.0)

    # --- rows -------------------------------------------------------------------------------------

    def row(self, i: int, row: Row) -> None:
        """The boxes of a row, with what feeds them, and for a lane what it carries."""
        y = self.heights[i]
        if row.parts:
            self.sheet.frame(f"{self.scope}lane{i}", (self.left, y - 40, self.right, y + 28))
            self.sheet.say((self.left - 10, y - 26), roman(row.title), "quiet", anchor="end")
        for k in self.places(row):
            if not self.columns[k].name:
                if not row.parts:
                    self.dots(self.spot(i, k))
                continue
            size = (2 * SIDE + 28 if row.merges else 46.0 if row.side else BOX,
                    TALL if row.parts else 26.0)
            role = "cell" if row.parts else "op" if row.merges else "function"
            self.boxes[i, k] = self.sheet.box(f"{self.scope}row{i}.{k}", self.spot(i, k), size,
                                              role, roman(clean(row.word, 16)), title=row.title,
                                              size=style.SMALL + 1)
            for below in row.below:
                self.feed(below, i, k)
        if not row.parts:
            edge = self.boxes[i, self.places(row)[0]].sides[0]
            if plain(roman(row.title)) != row.word:
                self.sheet.say((edge - 10, y + 4), roman(row.title), "quiet", anchor="end")
            return
        carry(self, i, row)

    def feed(self, below: int, i: int, k: int) -> None:
        """The line up into a box from the row that feeds it."""
        row = self.wiring.rows[i]
        source = self.wiring.rows[below] if below != INPUT else None
        from_k = k
        if source is not None and not row.parts and not source.every and source.parts:
            from_k = self.ends(source)[0]
        tail, head = self.boxes.get((below, from_k)), self.boxes[i, k]
        if tail is None:
            return
        side = row.side or (source.side if source is not None else 0)
        x = self.columns[from_k].x + SIDE * side
        end = self.columns[k].x + SIDE * side
        start = (x, tail.sides[1])
        if from_k == k:
            self.sheet.line((start, (end, head.sides[3])), "line", tail, head)
            return
        level = head.sides[3] + 12
        self.sheet.line((start, (x, level), (end, level), (end, head.sides[3])), "line", tail,
                        head)

    # --- what else goes in ------------------------------------------------------------------------

    def feed_back(self) -> None:
        """What was given at a step is read at the next."""
        top = len(self.wiring.rows)
        word = {"teacher": "the target y", "free": "y", "free_detached": "y, gradient cut"}
        for k in range(len(self.columns) - 1):
            tail, head = self.boxes.get((top, k)), self.boxes.get((0, k + 1))
            if tail is None or head is None:
                continue
            x, low = head.sides[0] - BACK, head.sides[3] + 20
            dash = "" if self.wiring.feedback == "free" else style.DASHED
            end = head.x - 14
            self.sheet.line(((tail.sides[2], tail.y), (x, tail.y), (x, low), (end, low),
                             (end, head.sides[3])), "line", tail, head, dash=dash,
                            title=f"{word[self.wiring.feedback]} is read at the next step")

    def vector(self) -> None:
        """A vector that every step hears: a rail below, with a tap into each."""
        level = 26.0 if self.wiring.feeds != "none" else -6.0
        name = self.wiring.vector_name
        box = self.sheet.box(f"{self.scope}vector", (self.left - 34, level), (46.0, 28.0), "input",
                             (Run(name, "i"),), title="the same vector at every step")
        self.taps(box, ((box.sides[2], level),))

    def taps(self, box: Box, way: tuple[Point, ...]) -> None:
        """A line from a box along the bottom, where its `way` ends, and a tap into every box of
        the first row."""
        level = way[-1][1]
        for k in range(len(self.columns)):
            head = self.boxes.get((0, k))
            if head is not None:
                x = head.x + (0 if self.wiring.feeds == "none" else TAP)
                self.sheet.line((*way, (x, level), (x, head.sides[3])), "carried", box, head,
                                width=1.4)
