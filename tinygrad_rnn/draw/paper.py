"""The paper: how much room a drawing takes, and a sheet to put things on one by one.

The question this file answers: *does everything fit?*
"""

from __future__ import annotations

from dataclasses import replace
from math import hypot
from typing import Any

from . import style
from .labels import Text, width
from .model import Box, Cell, Drawing, Label, Line, Point, Strip
from .names import Names
from .routing import Rect

BOLD = 1.06  # how much wider bold words are


def label_rect(label: Label, air: float = 0.0) -> Rect:
    """The box that a label fills, with some air above and below."""
    wide = width(label.text, label.size) * (BOLD if label.bold else 1.0)
    left = label.x - {"start": 0.0, "middle": wide / 2, "end": wide}[label.anchor]
    return left, label.y - label.size - air, left + wide, label.y + label.size * 0.35 + air


def turn(p: Point) -> Point:
    """A point after a quarter turn clockwise."""
    return -p[1], p[0]


def turned_box(box: Box) -> Box:
    """A box after the turn."""
    x, y = turn((box.x, box.y))
    return box._replace(x=x, y=y, w=box.h, h=box.w)


def bounds(drawing: Drawing) -> Rect:
    """The box that holds everything."""
    rects = [box.sides for box in (*drawing.frames, *drawing.boxes)]
    rects += [label_rect(label) for label in drawing.labels]
    rects += [(s.x, s.y, s.x + s.w, s.y + s.h) for s in drawing.strips]
    points = [point for line in drawing.lines for point in line.points]
    if points:
        xs, ys = zip(*points)
        rects.append((min(xs), min(ys), max(xs), max(ys)))
    if not rects:
        return 0.0, 0.0, 0.0, 0.0
    lefts, tops, rights, bottoms = zip(*rects)
    return min(lefts), min(tops), max(rights), max(bottoms)


def framed(drawing: Drawing, caption: Text = ()) -> Drawing:
    """The drawing with its caption above, on paper that leaves a margin on all sides."""
    left, top, right, bottom = bounds(drawing)
    labels = drawing.labels
    if caption:
        labels = (*labels, Label(left, top - 14, caption, "text", style.TEXT, "start"))
        top -= 30
        right = max(right, left + width(caption, style.TEXT))
    margin = style.MARGIN
    return replace(
        drawing,
        left=left - margin,
        top=top - margin,
        width=right - left + 2 * margin,
        height=bottom - top + 2 * margin,
        labels=labels,
    )


class Sheet:
    """A drawing in the making. `box`, `frame`, `line`, `strip` and `say` each put one thing on it;
    a name that is taken gets a number. `drawing()` is the result."""

    def __init__(self, title: str) -> None:
        self.title, self.names = title, Names()
        self.frames: list[Box] = []
        self.lines: list[Line] = []
        self.boxes: list[Box] = []
        self.labels: list[Label] = []
        self.strips: list[Strip] = []

    def box(self, name: str, at: Point, area: Point, role: str, text: Text = (),
            shape: str = "round", **more: Any) -> Box:
        """A thing around a point; words that are too wide for it are set smaller."""
        wide = width(text, more.get("size", style.TEXT))
        if wide and wide > area[0] - 6:
            more["size"] = more.get("size", style.TEXT) * max(0.5, (area[0] - 6) / wide)
        made = Box(self.names.give(name), *at, *area, shape, role, text, **more)
        self.boxes.append(made)
        return made

    def frame(self, name: str, rect: Rect, role: str = "frame", **more: Any) -> Box:
        """A rectangle in the back."""
        left, top, right, bottom = rect
        made = Box(self.names.give(name), (left + right) / 2, (top + bottom) / 2, right - left,
                   bottom - top, "rect", role, **more)
        self.frames.append(made)
        return made

    def line(self, points: tuple[Point, ...], role: str = "line", tail: Box | None = None,
             head: Box | None = None, **more: Any) -> Line:
        """A line through points; it begins at `tail` and ends at `head`, if these are given."""
        name = self.names.unique(f"{tail.id if tail else 'line'}--{head.id if head else 'end'}")
        made = Line(name, points, role, tail.id if tail else None, head.id if head else None,
                    **more)
        self.lines.append(made)
        return made

    def join(self, tail: Box, head: Box, role: str = "line", **more: Any) -> Line:
        """A straight line from the outline of a box to that of another."""
        ends = outline(tail, (head.x, head.y)), outline(head, (tail.x, tail.y))
        return self.line(ends, role, tail, head, **more)

    def strip(self, name: str, at: Point, size: Point, cells: tuple[Cell, ...],
              title: str = "") -> None:
        """Equal cells in a row, from their upper left corner."""
        self.strips.append(Strip(self.names.give(name), *at, *size, cells, title))

    def say(self, at: Point, text: Text, role: str = "text", size: float = style.SMALL,
            anchor: str = "middle", bold: bool = False, halo: bool = False) -> Label:
        """Words at a point, which is on their baseline."""
        made = Label(*at, text, role, size, anchor, bold, halo)
        self.labels.append(made)
        return made

    def drawing(self, caption: Text = ()) -> Drawing:
        """The finished drawing, its caption above."""
        return framed(Drawing(0, 0, 0, 0, self.title, tuple(self.frames), tuple(self.lines),
                              tuple(self.boxes), tuple(self.labels), tuple(self.strips)), caption)


def outline(box: Box, toward: Point) -> Point:
    """Where the line from the middle of a box toward a point leaves it."""
    dx, dy = toward[0] - box.x, toward[1] - box.y
    if box.shape == "circle":
        far = box.w / 2 / (hypot(dx, dy) or 1.0)
    else:
        far = min(box.w / 2 / abs(dx) if dx else 1e9, box.h / 2 / abs(dy) if dy else 1e9)
    return box.x + dx * far, box.y + dy * far


def printed(drawing: Drawing) -> Drawing:
    """The drawing for a printer without colours: what is larger is a darker grey."""
    def grey(colour: str | None) -> str | None:
        if colour is None or not colour.startswith("#"):
            return colour
        return colour.on("print") if isinstance(colour, style.Shade) else style.grey(colour)

    def box(b: Box) -> Box:
        b = b._replace(dashed=b.dashed or style.broken(b.role, "print"))
        if b.fill is None or not b.fill.startswith("#"):
            return b
        fill = grey(b.fill) or ""
        return b._replace(fill=fill, stroke="#000000", ink=style.ink_on(fill))

    return replace(
        drawing,
        boxes=tuple(map(box, drawing.boxes)),
        lines=tuple(n._replace(colour=grey(n.colour)) for n in drawing.lines),
        labels=tuple(n._replace(ink=grey(n.ink)) for n in drawing.labels),
        strips=tuple(s._replace(cells=tuple(c._replace(paint=grey(c.paint) or c.paint)
                                            for c in s.cells)) for s in drawing.strips),
    )
