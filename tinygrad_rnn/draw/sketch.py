"""A sketch of a drawing in Unicode characters, for the terminal.

The question this file answers: *what does it look like where there are only characters?*

It keeps the order of things, and drops distances: every place of the drawing becomes a column and a
row, as few of them as the words leave room for. A word that finds no room is left out, never
written over another one.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

from . import style
from .labels import cells, clean, plain
from .model import Box, Cell, Drawing, Label, Line, Strip

Place = tuple[int, int]  # column, row
UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
WIRES = dict(zip(range(16), " ╵╷│╴┘┐┤╶└┌├─┴┬┼"))
ARROWS = {UP: "▲", DOWN: "▼", LEFT: "◀", RIGHT: "▶"}
LEVELS, LEVELS_DOWN, SHADES = " ▁▂▃▄▅▆▇█", " ▏▎▍▌▋▊▉█", "·░▒▓█"
ROW, NEAR, DOT, STRIP = 13.0, 5.0, 8.0, 40  # points a row, in one row; a dot's size; characters


class Item(NamedTuple):
    """Something that takes room in a row: where it is in the drawing, and how many characters it
    takes to the left and right of its place."""

    x: float
    start: float
    left: int
    right: int
    gap: int


def sketch(drawing: Drawing, width: int | None = None) -> str:
    """The drawing as text. With a `width`, lines that are longer are cut, and the last line says
    so."""
    return fitted(Sketch(drawing).lines(), width)


def fitted(lines: list[str], width: int | None) -> str:
    """Lines as a text that is no wider than `width`: what is too long is cut, and it is said."""
    wide = max(map(cells, lines), default=0)
    if width is None or wide <= width:
        return "\n".join(lines) + "\n"
    short = [line if cells(line) <= width else cut(line, width - 1) + "…" for line in lines]
    note = f"(cut at {width} columns; the whole sketch has {wide})"
    return "\n".join([*short, *([note] if len(note) <= width else [])]) + "\n"


def cut(text: str, width: int) -> str:
    """As much of a text as fits."""
    while cells(text) > width:
        text = text[:-1]
    return text


class Sketch:
    """A drawing on a grid of characters."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.things = [box for box in drawing.boxes if box.w > DOT]
        self.by_id = {box.id: box for box in self.things}
        self.words = {box.id: inside(box) for box in self.things}
        self.rows = self.find_rows()
        self.upright: dict[str, list[float]] = defaultdict(list)  # where lines come in
        for line in drawing.lines:
            xs = [x for x, _ in line.points]
            for end, x, x2 in ((line.tail, xs[0], xs[1]), (line.head, xs[-1], xs[-2])):
                if end is not None and abs(x - x2) < 1:
                    self.upright[end].append(x)
        self.columns = self.find_columns()
        self.spans = {box.id: self.span(box) for box in self.things}
        self.wires: dict[Place, int] = defaultdict(int)
        self.frames: dict[Place, str] = {}
        self.signs: dict[Place, str] = {}

    # --- places -----------------------------------------------------------------------------------

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

    # --- characters -------------------------------------------------------------------------------

    def lines(self) -> list[str]:
        """All of it, as lines of text."""
        for frame in self.drawing.frames:
            self.frame(frame)
        for strip in self.drawing.strips:
            self.strip(strip)
        for box in self.drawing.boxes:
            if box.w <= DOT:
                self.wires[self.columns.get(box.x, 0), self.rows[box.y]] |= 0
        for line in self.drawing.lines:
            self.line(line)
        text: dict[Place, str] = {}
        for box in self.things:
            left, right = self.spans[box.id]
            words = self.words[box.id]
            if right - left >= cells(words):  # wider, since lines come in at its sides
                words = words[0] + words[1:-1].center(right - left - 1 - cells(words)
                                                      + len(words)) + words[-1]
            self.write(text, (left, self.rows[box.y]), words)
        for label in self.drawing.labels:
            left, _ = extent(label)
            place = self.columns[label.x] - left, self.rows[middle(label)]
            words = clean(plain(label.text), 400)
            if all((place[0] + i, place[1]) not in text for i in range(-1, cells(words) + 1)):
                self.write(text, place, words)
        wires = {place: WIRES[mask] for place, mask in self.wires.items() if mask}
        return joined({**self.frames, **wires, **self.signs, **text})

    def write(self, text: dict[Place, str], at: Place, words: str) -> None:
        """Put words on the grid; a wide character takes the next column too."""
        column, row = at
        for c in words:
            wide = cells(c)
            if wide == 0:
                text[column - 1, row] = text.get((column - 1, row), " ") + c
                continue
            text[column, row] = c
            if wide == 2:
                text[column + 1, row] = ""
            column += wide

    def frame(self, frame: Box) -> None:
        """The outline of a frame."""
        x, y, x2, y2 = frame.sides
        left, right, top, bottom = (self.columns[x], self.columns[x2], self.rows[y], self.rows[y2])
        for column in range(left + 1, right):
            self.frames[column, top] = self.frames[column, bottom] = "┄"
        for row in range(top + 1, bottom):
            self.frames[left, row] = self.frames[right, row] = "┊"
        corners = ((left, top), (right, top), (left, bottom), (right, bottom))
        self.frames.update(zip(corners, "╭╮╰╯"))

    def strip(self, strip: Strip) -> None:
        """A strip: its heights, or where all are alike, its colours as shades."""
        rows = [self.rows[y] for y in ends(strip)]
        left, top, count = self.columns[strip.x], rows[0], len(strip.cells)
        wide = rows[-1] + 1 - top if strip.down else \
            max(1, self.columns[strip.x + strip.w] - left)
        level = all(cell.level in (0.0, 1.0) for cell in strip.cells)
        for i in range(wide if count else 0):
            first, after = i * count // wide, (i + 1) * count // wide
            high = max(strip.cells[first:max(after, first + 1)], key=lambda cell: cell.level)
            place = (left, top + i) if strip.down else (left + i, top)
            signs = LEVELS_DOWN if strip.down else LEVELS
            self.frames[place] = shade(high) if level else signs[min(8, int(high.level * 8.99))]

    def line(self, line: Line) -> None:
        """A line with its arrow; a slanting stretch becomes level and upright ones."""
        way = self.way(line)
        places = [way[0]]
        for (x, y), (x2, y2) in pairwise(way):
            if x != x2 and y != y2:
                bend = x2 - 2 if x2 > x + 2 else x2 + 2 if x2 < x - 2 else x2
                places += [(bend, y), (bend, y2)]
            places.append((x2, y2))
        ahead = 0
        for p, q in pairwise(places):
            if p != q:
                ahead = self.stretch(p, q)
        tip = places[-1]
        if line.head in self.by_id:  # into a box: as seen from where it ends
            box = self.by_id[line.head]
            column, row = self.columns[box.x], self.rows[box.y]
            ahead = (DOWN if tip[1] < row else UP) if tip[1] != row else \
                RIGHT if tip[0] < column else LEFT
        elif not ahead:
            ahead = DOWN if line.points[-2][1] < line.points[-1][1] else UP
        if line.arrow:
            self.signs[tip] = ARROWS[ahead]
        elif len(set(places)) == 1:
            self.wires[tip] |= (UP | DOWN) if ahead in (UP, DOWN) else (LEFT | RIGHT)

    def stretch(self, p: Place, q: Place) -> int:
        """A level or upright part of a line; returns its direction."""
        (x, y), (x2, y2) = p, q
        ahead, back = (RIGHT, LEFT) if x2 > x else (LEFT, RIGHT) if x2 < x else \
            (DOWN, UP) if y2 > y else (UP, DOWN)
        step = (1 if x2 > x else -1 if x2 < x else 0, 1 if y2 > y else -1 if y2 < y else 0)
        at = p
        while at != q:
            self.wires[at] |= ahead
            at = at[0] + step[0], at[1] + step[1]
            self.wires[at] |= back
        return ahead

    def way(self, line: Line) -> list[Place]:
        """The places that a line runs through, from just outside one box to just outside the
        other."""
        way = [(self.columns[x], self.row(y)) for x, y in line.points]
        points = line.points
        if line.tail in self.by_id:
            way[0] = self.beside(self.by_id[line.tail], points[0], points[1], way[0])
        if line.head in self.by_id:
            way[-1] = self.beside(self.by_id[line.head], points[-1], points[-2], way[-1])
        return way

    def beside(self, box: Box, end: tuple[float, float], other: tuple[float, float],
               at: Place) -> Place:
        """The place next to a box where a line from `other` meets it."""
        row, (left, right) = self.rows[box.y], self.spans[box.id]
        if abs(end[0] - other[0]) < 1 and abs(end[1] - other[1]) >= 1:  # from above or below
            return min(max(at[0], left), right), row + (1 if other[1] > end[1] else -1)
        return (right + 1 if other[0] > end[0] else left - 1), row

    def span(self, box: Box) -> Place:
        """The first and last column of a box: of its words, and of the lines that come in from
        above or below."""
        left, right = halves(self.words[box.id])
        xs = [x for x in self.upright[box.id] if box.sides[0] <= x <= box.sides[2]]
        columns = [self.columns[x] for x in xs]
        middle = self.columns[box.x]
        return min([middle - left, *columns]), max([middle + right, *columns])


def joined(places: dict[Place, str]) -> list[str]:
    """Characters at places, as lines without spaces at their ends."""
    lines: dict[int, dict[int, str]] = defaultdict(dict)
    for (column, row), c in places.items():
        lines[row][column] = c
    found = []
    for row in range(min(lines, default=0), max(lines, default=-1) + 1):
        there = lines.get(row, {})
        text = "".join(there.get(i, " ") for i in range(max(there, default=-1) + 1))
        found.append(text.rstrip())
    return found


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


def shade(cell: Cell) -> str:
    """A colour of the scale of gradients as a shade: the redder, the darker."""
    if not cell.paint.startswith("#"):
        return {"nan": "N", "inf": "∞", "zero": "0"}.get(cell.paint, " ")
    levels = [style.gradient_colour(i / 4) for i in range(5)]
    return SHADES[min(range(5), key=lambda i: style.apart(levels[i], cell.paint))]
