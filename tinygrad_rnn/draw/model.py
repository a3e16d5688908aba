"""A drawing as data: frozen boxes, lines, labels and strips with coordinates, and nothing else.

The question this file answers: *what is on the paper, and where?*

Coordinates are points (1/72 inch), x to the right and y downwards, positions are centres. Things
carry the role they play; the writers look up its colours, so that one drawing serves light and dark
paper. Ids come from the position in the graph (`t2.h`, `W_hh`): the same program gives the same
drawing. What there may be 100,000 of is a named tuple: these are made five times as fast as frozen
data classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .labels import Text

Point = tuple[float, float]


class Box(NamedTuple):
    """Something with an outline. `shape` is "circle", "rect", "round" or "cell" (sharp corners, no
    room around its words); `fill`, `stroke` and `ink` replace the role's."""

    id: str
    x: float
    y: float
    w: float
    h: float
    shape: str
    role: str
    text: Text = ()
    title: str = ""
    size: float = 13.0
    width: float = 1.2
    dashed: bool = False
    fill: str | None = None
    stroke: str | None = None
    ink: str | None = None

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return (self.x - self.w / 2, self.y - self.h / 2, self.x + self.w / 2, self.y + self.h / 2)


class Line(NamedTuple):
    """A line through `points` from box `tail` to box `head`, with an arrow at its end or none."""

    id: str
    points: tuple[Point, ...]
    role: str
    tail: str | None = None
    head: str | None = None
    title: str = ""
    width: float = 1.2
    dash: str = ""
    arrow: bool = True
    colour: str | None = None


class Label(NamedTuple):
    """Words on their own. `anchor` is "start", "middle" or "end"; `halo` clears the paper
    behind; `ink` replaces the role's. What tells of wires or boxes has the ids of those that it
    is `of`."""

    x: float
    y: float
    text: Text
    role: str = "text"
    size: float = 11.0
    anchor: str = "middle"
    bold: bool = False
    halo: bool = False
    ink: str | None = None
    of: tuple[str, ...] = ()


class Cell(NamedTuple):
    """One cell of a strip: how much of its height is filled (0..1), colour or role, tooltip."""

    level: float
    paint: str
    title: str


class Strip(NamedTuple):
    """Many equal cells in a row (a heat strip, bars): left, top, size. `title` says what it
    shows. `down`: the cells are below each other, and are filled from the left."""

    id: str
    x: float
    y: float
    w: float
    h: float
    cells: tuple[Cell, ...]
    title: str = ""
    down: bool = False

    def part(self, first: int, after: int, level: float) -> tuple[float, float, float, float]:
        """Left, top, width and height of the cells from `first` to before `after`, filled up to a
        level."""
        long = self.h if self.down else self.w
        far = long / max(1, len(self.cells))
        start, end = first * far, (after - first) * far
        if self.down:
            return self.x, self.y + start, self.w * level, end
        return self.x + start, self.y + self.h - self.h * level, end, self.h * level


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of a picture, in the order of painting: frames, strips, lines, boxes, labels. The paper's
    upper left corner is at `left`, `top`. `font` is the user's own, if there is one, and `size` a
    factor for the whole."""

    left: float
    top: float
    width: float
    height: float
    title: str
    frames: tuple[Box, ...]
    lines: tuple[Line, ...]
    boxes: tuple[Box, ...]
    labels: tuple[Label, ...]
    strips: tuple[Strip, ...] = ()
    font: str = ""
    size: float = 1.0
