"""Spots: the places near a line or a box where words can stand, and which of them are free.

The question this file answers: *where is there room for a word?*

Whoever has something to say lists spots, the best first. The first one is taken where the words lie
on no box, on no other words and on no line; if there is none, the first where they lie on lines
only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise, product

from . import style
from .heads import drawn_head
from .labels import Text, width
from .model import Box, Label, Line, Point
from .paper import label_rect
from .passages import PASSAGES
from .routing import Rect, Way
from .scene import Wire
from .timegrid import TimeGrid

Spot = tuple[Point, str]  # where words stand, and which end of them is there
SQUARE, CORNER = 100.0, 24.0  # the side of a square; a bend so near to a head belongs to it
TAPPED = 3.0  # half of the thickest tap


class Places:
    """What lies on the paper, found quickly, by squares of it; of lines where they run, or their
    `heads`. Things are put into squares when somebody first asks: mostly nobody does."""

    def __init__(self, heads: bool = False) -> None:
        self.heads = heads
        self.new: list[Rect | Label | Line] = []
        self.squares: dict[tuple[int, int], list[Rect]] = {}

    def add(self, thing: Rect | Label | Line) -> None:
        """Remember a box, words or a line."""
        self.new.append(thing)

    def sort(self) -> None:
        """Put what is new where it will be looked for."""
        for thing in self.new:
            if isinstance(thing, Label):
                self.put(label_rect(thing))
            elif isinstance(thing, Line) and self.heads:
                self.put(drawn_head(thing.points, thing.width))
            elif isinstance(thing, Line):
                by = thing.width / 2
                for (x, y), (x2, y2) in pairwise(thing.points):
                    self.put((min(x, x2) - by, min(y, y2) - by, max(x, x2) + by, max(y, y2) + by))
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


def lanes_and_heads(lines: Iterable[Line]) -> tuple[Places, Places]:
    """Where some lines run, and where their arrow heads are."""
    lanes, heads = Places(), Places(heads=True)
    for line in lines:
        lanes.add(line)
        if line.arrow:
            heads.add(line)
    return lanes, heads


def squares(rect: Rect) -> list[tuple[int, int]]:
    """The squares of the paper that a box touches."""
    left, top, right, bottom = [int(side // SQUARE) for side in rect]
    return [(x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)]


def said_at(spot: Spot, text: Text) -> Rect:
    """The box that words at a spot would fill."""
    return label_rect(Label(*spot[0], text, size=style.SMALL, anchor=spot[1]))


def best(spots: Iterable[Spot], text: Text, taken: Places, *lanes: Places) -> Spot:
    """The first spot where words would lie on nothing; if there is none, on lines only, on those of
    the last `lanes` first."""
    spots = iter(spots)
    first, free = next(spots), list[tuple[Spot, Rect]]()
    for spot in chain([first], spots):
        said = said_at(spot, text)
        if not taken.touch(said):
            if not any(lane.touch(said) for lane in lanes):
                return spot
            free.append((spot, said))
    for count in range(len(lanes) - 1, 0, -1):
        for spot, said in free:
            if not any(lane.touch(said) for lane in lanes[:count]):
                return spot
    return free[0][0] if free else first


def free(spots: Iterable[Spot], text: Text, *taken: Places) -> Spot | None:
    """The first spot where words would lie on nothing."""
    return next((spot for spot in spots
                 if not any(places.touch(said_at(spot, text)) for places in taken)), None)


def further(spot: Spot, text: Text, *taken: Places) -> Spot:
    """The nearest spot above or below one where words would lie on nothing of this, however crowded
    it is."""
    (x, y), anchor = spot
    near: Iterator[Spot] = (((x, y + dy), anchor) for k in range(1, 25) for dy in (-6 * k, 6 * k))
    return free(near, text, *taken) or spot


# --- which spots there are ----------------------------------------------------------------------


def for_number(wire: Wire, grid: TimeGrid) -> list[Spot]:
    """On a passage between two steps above its middle, else beside where the wire starts."""
    way, spots = grid.way(wire), list[Spot]()
    if wire.kind in PASSAGES:
        middle = border(wire, grid, way)
        spots = [((middle, level + dy), "middle") for level in dict.fromkeys(p[1] for p in way)
                 for dy in (-7, 14, -20, 27)]
    return spots + at_start(wire, way, width(wire.note, style.SMALL))


def border(wire: Wire, grid: TimeGrid, way: Way) -> float:
    """The middle between two steps, before the later of those that a passage joins."""
    if wire.head not in grid.column_of or wire.tail in grid.scene.initial:
        return (way[0][0] + way[-1][0]) / 2
    ends = (grid.column_of.get(end, 0) for end in (wire.head, wire.tail))
    return grid.left[max(ends)] - grid.between / 2


def at_start(wire: Wire, way: Way, wide: float) -> list[Spot]:
    """For words of a width: beside where a wire starts, clear of an arrow head there."""
    (x, y), (_, y2) = way[0], way[1]
    half = style.head(wire.width)[1]
    near = y - 7 if y2 < y else y + 14 if y2 > y else y + max(14.0, half + 9.5)
    aside = max(8.0, half + 3.0)
    spots: list[Spot] = []
    if y == y2 and len(way) > 2 and abs(way[1][0] - x) < CORNER:  # behind the bend before the head
        turn = way[1][0]
        side, anchor = (turn + 5, "start") if turn > x else (turn - 5, "end")
        spots += [((side, y + 1), anchor), ((side, y - 11), anchor)]
    spots += [((x + aside, near), "start"), ((x - aside, near), "end")]
    spots += [((x + 28, near), "start"), ((x - 28, near), "end")]  # past a tap that runs by
    for dy in (-22, -28, 32, -40, 46, -54):
        spots += [((x + side, y + dy), anchor) for side, anchor in
                  ((4, "start"), (-4, "end"), (-wide, "end"), (wide / 2, "start"))]
    return spots


def between_frames(wire: Wire, grid: TimeGrid) -> tuple[list[Spot], list[Spot]]:
    """For which steps hand something over, and which take it: on the wire between the frames of
    two stages, where it leaves the one and where it enters the other."""
    way, (i, j) = grid.way(wire), (grid.column_of[wire.tail], grid.column_of[wire.head])
    found: list[list[Spot]] = []
    for x, side, anchor in ((grid.left[i] + grid.column_width(grid.scene.columns[i]), 1, "start"),
                            (grid.left[j], -1, "end")):
        levels = [p[1] for p, q in pairwise(way)
                  if p[1] == q[1] and min(p[0], q[0]) < x < max(p[0], q[0])]
        found.append([((x + 7 * side, level + dy), anchor)
                      for level in levels for dy in (-6, 14, -18, 26)])
    return found[0] + at_start(wire, way, width(wire.arrives, style.TINY)), \
        found[1] + at_start(wire, way[::-1], width(wire.note, style.TINY))


def at_level(way: Way, level: float) -> list[Spot]:
    """Beside the stretches of a way that runs down, at a level."""
    return [((x + side, level + 4 + dy), anchor) for dy in (0, -6, 6, -20, 20)
            for x in dict.fromkeys(x for x, _ in way)
            for side, anchor in ((7, "start"), (-7, "end"))]


def for_step(ends: list[float], y: float, left: bool, head: float) -> Iterator[Spot]:
    """For what a step gives to a weight: beside its taps, which end on the rail at `ends` in arrow
    heads half as wide as `head`; on the `left` of them first, if there is more room. Never below
    the rail, where it would be read as what stands on the next one."""
    near = max(8.0, head + 3.5)
    before: Spot = (ends[0] - near - 1, y), "end"
    after: Spot = (ends[-1] + near, y), "start"
    yield from (before, after) if left else (after, before)
    for d in range(8, 112, 8):
        yield (ends[-1] + near + d, y), "start"
        yield (ends[0] - near - d, y), "end"


def up_to(spot: Spot, ends: list[float]) -> Rect:
    """What lies between a spot for what a step gives and the nearest of its taps."""
    (x, y), anchor = spot
    left, right = (ends[-1] + TAPPED, x) if anchor == "start" else (x, ends[0] - TAPPED)
    return left, y - style.SMALL, right, y


def around_square(at: Point) -> list[Spot]:
    """For the lag of a delay: around its black square."""
    return [((at[0] + dx, at[1] + dy), anchor) for dx, dy, anchor in
            ((0, -9, "middle"), (0, 17, "middle"), (9, -5, "start"), (-9, -5, "end"),
             (9, 12, "start"), (-9, 12, "end"))]


def level_with(at: Point) -> list[Spot]:
    """For the lag of a delay: on the right or left of its black square, if its wire is upright."""
    return [((at[0] + 8, at[1] + 4), "start"), ((at[0] - 8, at[1] + 4), "end")]


def for_lag(at: Point) -> list[Spot]:
    """For the lag of a delay on turned paper: beside its black square, or above or below it."""
    places = beside(Box("", *at, 8, 8, "rect", "delay"))
    over: list[Spot] = [((at[0] + dx, at[1] + dy), anchor) for dy in (-9, 17, -22, 30, -36, 44)
                        for dx, anchor in ((0, "middle"), (9, "start"), (-9, "end"),
                                           (-4, "start"), (4, "end"))]
    return [*places[:8], *over, *places[8:24]]


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


def on_stretches(way: Way) -> list[Spot]:
    """For words beside any stretch of a way."""
    found, parts = list[Spot](), [*pairwise(way)]
    for (p, q), far in (*product(parts, (0.5, 0.3, 0.7)), *product(parts, (0.15, 0.85))):
        x, y = p[0] + (q[0] - p[0]) * far, p[1] + (q[1] - p[1]) * far
        found += [((x, y - 5), "middle"), ((x, y + 13), "middle"),
                  ((x + 6, y + 4), "start"), ((x - 6, y + 4), "end")]
    return found
