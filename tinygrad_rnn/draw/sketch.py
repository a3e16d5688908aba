"""A sketch of a drawing in Unicode characters, for the terminal.

The question this file answers: *what does it look like where there are only characters?*

Boxes become words in brackets, lines box-drawing characters, strips blocks of their heights. A word
that finds no room is left out, never written over another one.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from ..nn.options import size
from . import style
from .labels import cells, clean, plain
from .model import Box, Cell, Drawing, Line, Strip
from .raster import DOT, Raster, ends, extent, halves, middle

Place = tuple[int, int]  # column, row
UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
WIRES = dict(zip(range(16), " ╵╷│╴┘┐┤╶└┌├─┴┬┼"))
ARROWS = {UP: "▲", DOWN: "▼", LEFT: "◀", RIGHT: "▶"}
LEVELS, LEVELS_DOWN, SHADES = " ▁▂▃▄▅▆▇█", " ▏▎▍▌▋▊▉█", "·░▒▓█"


def sketch(drawing: Drawing, width: int | None = None) -> str:
    """The drawing as text. With a `width`, lines that are longer are cut, and the last line says
    so."""
    return fitted(Sketch(drawing).lines(), width)


def fitted(lines: list[str], width: int | None) -> str:
    """Lines as a text that is no wider than `width`: what is too long is cut, and it is said.
    Raises `InputError` for a width that is no number of characters."""
    if width is not None:
        width = size(width, "width", "text()")
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
        self.drawing, self.raster = drawing, Raster(drawing)
        self.rows, self.columns = self.raster.rows, self.raster.columns
        self.things, self.by_id = self.raster.things, self.raster.by_id
        self.words = self.raster.words
        self.upright: dict[str, list[float]] = defaultdict(list)  # where lines come in
        for line in drawing.lines:
            xs = [x for x, _ in line.points]
            for end, x, x2 in ((line.tail, xs[0], xs[1]), (line.head, xs[-1], xs[-2])):
                if end is not None and abs(x - x2) < 1:
                    self.upright[end].append(x)
        self.spans = {box.id: self.span(box) for box in self.things}
        self.wires: dict[Place, int] = defaultdict(int)
        self.frames: dict[Place, str] = {}
        self.signs: dict[Place, str] = {}

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
            if box.role in ("input", "output", "state", "loss") and not box.text:
                continue  # a patch of colour in a legend says nothing here
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
        """A strip: its heights, or where all are alike, its colours as shades; what has no height
        on a scale has a sign of its own."""
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
            sized = high.paint.startswith("#") and not level
            self.frames[place] = signs[stage(high)] if sized else shade(high)

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
        way = [(self.columns[x], self.raster.row(y)) for x, y in line.points]
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


def stage(cell: Cell) -> int:
    """The height of a cell in eighths: none where it is empty, one at least where it is not."""
    return max(min(8, int(cell.level * 8.99)), cell.level > 0)


def shade(cell: Cell) -> str:
    """A colour of the scale of gradients as a shade: the redder, the darker."""
    if not cell.paint.startswith("#"):
        return {"nan": "N", "inf": "∞", "zero": "0"}.get(cell.paint, " ")
    levels = [style.gradient_colour(i / 4) for i in range(5)]
    return SHADES[min(range(5), key=lambda i: style.apart(levels[i], cell.paint))]
