"""The raster: every place of a drawing becomes a column and a row of characters.

The question this file answers: *how close together can it all stand, and still be read?*

The order of things is kept, and distances are dropped: as few columns and rows as the words leave
room for.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

from .labels import cells, clean, plain
from .model import Box, Drawing, Label, Line, Strip

ROW, NEAR, DOT, STRIP = 13.0, 5.0, 8.0, 40  # points a row, in one row; a dot's size; characters


class Item(NamedTuple):
    """Something that takes room in a row: where it is in the drawing, and how many characters it
    takes to the left and right of its place."""

    x: float
    start: float
    left: int
    right: int
    gap: int


class Raster:
    """Where the places of a drawing are among characters: `rows` by heights, `columns` by places
    from the left. `things` are the boxes that have words."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.things = [box for box in drawing.boxes if box.w > DOT]
        self.by_id = {box.id: box for box in self.things}
        self.words = {box.id: inside(box) for box in self.things}
        self.rows = self.find_rows()
        self.columns = self.find_columns()

    def find_rows(self) -> dict[float, int]:
        """A row for every height; heights that are nearly the same share one."""
        d = self.drawing
        ys = {box.y for box in d.boxes} | {middle(label) for label in d.labels}
        ys |= {y for strip in d.strips for y in ends(strip)}
        ys |= {y for line in d.lines for _, y in self.inner(line)}
        ys |= {y for frame in d.frames for y in (frame.sides[1], frame.sides[3])}
        rows: dict[float, int] = {}
        first, row = 0.0, -1
        for y in sorted(ys):
            if row < 0 or y - first > NEAR:
                row += 1 if row < 0 or y - first < 1.6 * ROW else 2
                first = y
            rows[y] = row
        return rows

    def inner(self, line: Line) -> list[tuple[float, float]]:
        """The points of a line that are its own: not those at the boxes it joins."""
        points = list(line.points)
        if line.head in self.by_id:
            points = points[:-1]
        return points[1:] if line.tail in self.by_id else points

    def find_columns(self) -> dict[float, int]:
        """A column for every place: as far to the left as what stands in each row allows."""
        items = self.items()
        after: dict[float, list[tuple[float, int]]] = defaultdict(list)
        for row in items.values():
            row.sort(key=lambda item: (item.start, item.x))
            for one, other in pairwise(row):
                if other.x > one.x:
                    room = one.right + other.left + max(one.gap, other.gap)
                    after[one.x].append((other.x, room))
        for line in self.drawing.lines:
            ends = [self.by_id[e] for e in (line.tail, line.head) if e in self.by_id]
            if len(ends) == 2 and len(line.points) == 2 and ends[0].y != ends[1].y:  # slanting
                a, b = sorted(ends, key=lambda box: box.x)
                room = halves(self.words[a.id])[1] + halves(self.words[b.id])[0] + 5
                if b.sides[0] > a.sides[2]:
                    after[a.x].append((b.x, room))
        xs = sorted({item.x for row in items.values() for item in row}
                    | {x for line in self.drawing.lines for x, _ in line.points})
        columns: dict[float, int] = defaultdict(int)
        for before, x in pairwise([xs[0] if xs else 0.0, *xs]):
            least = columns[before] + (1 if x - before > 2 else 0)
            columns[x] = max(columns[x], least)
            for x2, room in after[x]:
                columns[x2] = max(columns[x2], columns[x] + room)
        margin = max((item.left - columns[item.x] for row in items.values() for item in row),
                     default=0)
        return {x: column + margin for x, column in columns.items()}

    def items(self) -> dict[int, list[Item]]:
        """What takes room, by rows."""
        found: dict[int, list[Item]] = defaultdict(list)
        for box in self.things:
            left, right = halves(self.words[box.id])
            found[self.rows[box.y]].append(Item(box.x, box.sides[0], left, right, 4))
        for label in self.drawing.labels:
            left, right = extent(label)
            wide = {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor]
            start = label.x - wide * 0.6 * label.size * (left + right + 1)
            found[self.rows[middle(label)]].append(Item(label.x, start, left, right, 2))
        for strip in self.drawing.strips:
            end, rows = strip.x + strip.w, [self.rows[y] for y in ends(strip)]
            long = 1 if strip.down else min(len(strip.cells), STRIP)
            for at in range(rows[0], rows[-1] + 1):
                found[at] += [Item(strip.x, strip.x, 0, long, 2), Item(end, end, 0, 0, 1)]
        for frame in self.drawing.frames:
            x, top, x2, bottom = frame.sides
            for at in range(self.rows[top], self.rows[bottom] + 1):
                found[at] += [Item(x, x, 0, 0, 2), Item(x2, x2, 0, 0, 2)]
        for line in self.drawing.lines:
            for (x, y), (x2, y2) in pairwise(line.points):
                if x == x2:
                    rows = sorted((self.row(y), self.row(y2)))
                    for at in range(rows[0] + 1, rows[1]):
                        found[at].append(Item(x, x, 0, 0, 2))
        return found

    def row(self, y: float) -> int:
        """The row of a height: that of the nearest one which has a row."""
        return self.rows[y] if y in self.rows else \
            self.rows[min(self.rows, key=lambda known: abs(known - y))]


def inside(box: Box) -> str:
    """What stands for a box: its words in brackets, round or square as it is."""
    words = clean(plain(box.text), 400) or "·"
    if box.shape == "circle":
        return f"({words})"
    return f"[{words}]" if box.role != "gap" else words


def halves(words: str) -> tuple[int, int]:
    """How far words go to the left and right of their middle."""
    wide = cells(words)
    return (wide - 1) // 2, wide // 2


def extent(label: Label) -> tuple[int, int]:
    """How far a label goes to the left and right of its place."""
    wide = cells(clean(plain(label.text), 400))
    if label.anchor == "middle":
        return (wide - 1) // 2, wide // 2
    return (0, wide - 1) if label.anchor == "start" else (wide - 1, 0)


def ends(strip: Strip) -> list[float]:
    """The heights of the first and the last row of a strip: one row, if it does not run down."""
    return [strip.y, strip.y + strip.h] if strip.down else [strip.y + strip.h / 2]


def middle(label: Label) -> float:
    """The height of a label's middle."""
    return label.y - 0.35 * label.size
