"""Spots: the places near a line or a box where words can stand, and which of them are free.

The question this file answers: *where is there room for a word?*

Whoever has something to say lists spots, the best first. The first one is taken where the words lie
on no box, on no other words and on no line; if there is none, the first where they lie on lines
only.
"""

from __future__ import annotations

from itertools import pairwise

from . import style
from .labels import Text, width
from .model import Box, Label, Line, Point
from .paper import label_rect
from .passages import PASSAGES
from .routing import Rect, Way
from .scene import Wire
from .timegrid import TimeGrid

Spot = tuple[Point, str]  # where words stand, and which end of them is there
SQUARE = 100.0


class Places:
    """What lies on the paper, found quickly: by squares of the paper. Things are put into them when
    somebody first asks; in most pictures nobody does."""

    def __init__(self) -> None:
        self.new: list[Rect | Label | Line] = []
        self.squares: dict[tuple[int, int], list[Rect]] = {}

    def add(self, thing: Rect | Label | Line) -> None:
        """Remember a box, words, or the stretches of a line."""
        self.new.append(thing)

    def sort(self) -> None:
        """Put what is new where it will be looked for."""
        for thing in self.new:
            if isinstance(thing, Label):
                self.put(label_rect(thing))
            elif isinstance(thing, Line):
                for p, q in pairwise(thing.points):
                    self.put((min(p[0], q[0]), min(p[1], q[1]), max(p[0], q[0]), max(p[1], q[1])))
            else:
                self.put(thing)
        self.new.clear()

    def put(self, rect: Rect) -> None:
        """Into every square that a box touches."""
        for square in squares(rect):
            self.squares.setdefault(square, []).append(rect)

    def touch(self, rect: Rect) -> bool:
        """Whether a box lies on any of the places."""
        if self.new:
            self.sort()
        return any(rect[0] < r[2] and r[0] < rect[2] and rect[1] < r[3] and r[1] < rect[3]
                   for square in squares(rect) for r in self.squares.get(square, ()))


def squares(rect: Rect) -> list[tuple[int, int]]:
    """The squares of the paper that a box touches."""
    left, top, right, bottom = [int(side // SQUARE) for side in rect]
    return [(x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)]


def said_at(spot: Spot, text: Text) -> Rect:
    """The box that words at a spot would fill."""
    return label_rect(Label(*spot[0], text, size=style.SMALL, anchor=spot[1]))


def best(spots: list[Spot], text: Text, taken: Places, lanes: Places) -> Spot:
    """The first spot where words would lie on nothing; if there is none, on lines only."""
    free = [spot for spot in spots if not taken.touch(said_at(spot, text))]
    clear = (spot for spot in free if not lanes.touch(said_at(spot, text)))
    return next(clear, next(iter(free), spots[0]))


# --- which spots there are ----------------------------------------------------------------------


def for_number(wire: Wire, grid: TimeGrid) -> list[Spot]:
    """On a passage between two steps above its middle, else beside where the wire starts."""
    way = grid.way(wire)
    (x, y), (_, y2) = way[0], way[1]
    wide = width(wire.note, style.SMALL)
    spots: list[Spot] = []
    if wire.kind in PASSAGES:
        middle = (way[0][0] + way[-1][0]) / 2
        if wire.head in grid.column_of and wire.tail not in grid.scene.initial:
            ends = (grid.column_of.get(end, 0) for end in (wire.head, wire.tail))
            middle = grid.left[max(ends)] - grid.between / 2
        spots = [((middle, level + dy), "middle") for level in dict.fromkeys(p[1] for p in way)
                 for dy in (-7, 14, -20, 27)]
    near = y - 7 if y2 < y else y + 14
    spots += [((x + 8, near), "start"), ((x - 8, near), "end")]
    spots += [((x + 28, near), "start"), ((x - 28, near), "end")]  # past a tap that runs by
    for dy in (-22, -28, 32, -40, 46, -54):
        spots += [((x + side, y + dy), anchor) for side, anchor in
                  ((4, "start"), (-4, "end"), (-wide, "end"), (wide / 2, "start"))]
    return spots


def for_step(ends: list[float], y: float, left: bool) -> list[Spot]:
    """For what a step gives to a weight: beside its taps, which end on the rail at `ends`; on the
    `left` of them first, if there is more room."""
    spots: list[Spot] = [((ends[0] - 9, y), "end"), ((ends[-1] + 8, y), "start")]
    spots += [((end + d, y), "start") for d in (8, 32, 56, 80, 104) for end in ends[::-1]]
    spots += [((x, y_ + 20), end) for (x, y_), end in spots]  # below the rail
    return spots if left else spots[1:] + spots[:1]


def around_square(at: Point) -> list[Spot]:
    """For the lag of a delay: around its black square."""
    return [((at[0] + dx, at[1] + dy), anchor) for dx, dy, anchor in
            ((0, -9, "middle"), (0, 17, "middle"), (9, -5, "start"), (-9, -5, "end"),
             (9, 12, "start"), (-9, 12, "end"))]


def along(way: Way) -> list[Point]:
    """Points on the stretches of a wire, on the longest one first and from its middle."""
    found: list[Point] = []
    for p, q in sorted(pairwise(way), reverse=True,
                       key=lambda pq: abs(pq[0][0] - pq[1][0]) + abs(pq[0][1] - pq[1][1])):
        found += [(p[0] + (q[0] - p[0]) * k / 16, p[1] + (q[1] - p[1]) * k / 16)
                  for k in (8, 9, 7, 10, 6, 11, 5, 12, 4, 13, 3)]
    return found


def beside(box: Box) -> list[Spot]:
    """Places for words near a box, the best first: below it on the right, where the step ends."""
    left, top, right, bottom = box.sides
    spots: list[Spot] = []
    for far in (0, 10, 24, 40, 60, 90):
        spots += [((right + 5 + far, box.y + 4), "start"),
                  ((box.x + 6 + far, bottom + 13), "start"),
                  ((right + 4 + far, bottom + 4), "start"),
                  ((right + 4 + far, top + 2), "start"),
                  ((left - 5 - far, box.y + 4), "end"),
                  ((box.x - 6 - far, bottom + 13), "end"),
                  ((left - 4 - far, top + 2), "end"),
                  ((box.x + 6 + far, top - 5), "start")]
    return spots
