"""Telling: words stand where they are read as those of the wire or the box that they are of.

The question this file answers: *which of many places for some words is the best?*

A place costs what is wrong with it: to lie on other words, to be nearer to something else, to lie
on a line. The first place that costs nothing is taken, or else the cheapest.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from itertools import pairwise

from .delays import SIDE
from .model import Box, Label, Line
from .nearest import IN
from .noting import AT_IT, TIED, distance
from .paper import label_rect
from .routing import Rect, moved
from .spots import Places, Spot, squares

TAKEN, HEAD, OTHERS, BEHIND, FAR, STEM, LINE, EDGE = 64, 32, 16, 4, 4, 3, 2, 1  # what it costs
LOOSE = 16.0  # from here on words are far from their own
MANY = 3  # so many lines on which words lie are as bad as more
WORST, CROWDED = 1000, OTHERS  # what costs so much is no place of its own

Square = tuple[int, int]


class Telling:
    """What words could be taken for those of: some lines and boxes; and what they could lie on:
    what is `taken`, arrow `heads`, and the `edges` of frames. It is sorted when somebody asks."""

    def __init__(self, taken: Places, heads: Places, edges: Places, lines: Iterable[Line],
                 boxes: Iterable[Box]) -> None:
        self.taken, self.heads, self.edges = taken, heads, edges
        self.new: list[Line | Box] = [*lines, *boxes]
        self.wires: dict[Square, list[tuple[Line, Rect]]] = {}
        self.things: dict[Square, list[Box]] = {}
        self.joined: dict[str | None, list[Line]] = {}  # by end

    def sort(self) -> None:
        """Put what is new where it will be looked for."""
        for thing in self.new:
            if isinstance(thing, Line):
                for end in (thing.tail, thing.head):
                    self.joined.setdefault(end, []).append(thing)
                for part in parts(thing):
                    for square in squares(part):
                        self.wires.setdefault(square, []).append((thing, part))
            elif thing.w > SIDE or thing.role == "delay":  # a dot is on its line
                for square in squares(thing.sides):
                    self.things.setdefault(square, []).append(thing)
        self.new.clear()

    def best(self, spots: Iterable[Spot], like: Label, own: Line | Box, less: int = WORST,
             turned: bool = False) -> tuple[Label, int]:
        """Words like these at the best of some spots, and what that costs, if it is `less`; they
        are of their `own` line or box. `turned`: they are set when the paper has been."""
        self.sort()
        best, mine, akin = like, *self.owned(own)
        rects = {to: label_rect(like._replace(x=0.0, y=0.0, anchor=to))
                 for to in ("start", "middle", "end")}
        for (x, y), anchor in spots:
            to = anchor.removeprefix(IN)
            left, top, right, bottom = rect = moved(rects[to], x, y)
            if turned:
                rect = top, -right, bottom, -left
            cost = self.cost(rect, own, mine, akin, to != anchor, less)
            if cost < less:
                best, less = like._replace(x=x, y=y, anchor=to), cost
                if not cost:
                    break
        return best, less

    def owned(self, own: Line | Box) -> tuple[list[Rect], set[str | None]]:
        """Where words of a thing belong: at a line, a box, or the square of a delay and the
        stretches that it is on. And what goes with it: the ends of a line, the lines of a box or
        through a square. It does not matter whether words are nearer to these."""
        if isinstance(own, Line):
            return parts(own), {own.id, own.tail, own.head}
        if own.role != "delay":
            return [own.sides], {own.id, *(line.id for line in self.joined.get(own.id, []))}
        through = [(line, part) for line, part in self.wires_near(own.sides)
                   if distance(own.sides, part) == 0.0]
        return [own.sides, *(part for _, part in through)], \
            {own.id, *(line.id for line, _ in through)}

    def wires_near(self, rect: Rect, by: float = 0.0) -> list[tuple[Line, Rect]]:
        """The stretches of lines in the squares that a rectangle touches."""
        left, top, right, bottom = rect
        return [known for square in squares((left - by, top - by, right + by, bottom + by))
                for known in self.wires.get(square, ())]

    def cost(self, rect: Rect, own: Line | Box, places: list[Rect], akin: Collection[str | None],
             within: bool, most: float) -> int:
        """What is wrong with a place for words of a thing, whose `places` are these, if it is less
        than `most`; `within` says that they stand in their own line."""
        cost = TAKEN * self.taken.touch(rect)
        if cost < most:
            cost += HEAD * self.heads.touch(rect) + EDGE * self.edges.touch(rect)
        if cost >= most:
            return cost
        mine = min(distance(rect, part) for part in places)
        near = [(line, distance(rect, part)) for line, part in self.wires_near(rect, mine + TIED)]
        lines = min((far for line, far in near if line.id not in akin), default=math.inf)
        left, top, right, bottom = rect
        boxes = min((distance(rect, box.sides) for square in squares(
            (left - mine, top - mine, right + mine, bottom + mine))
            for box in self.things.get(square, ()) if box.id not in akin), default=math.inf)
        if mine > LOOSE:
            cost += FAR
        if mine > AT_IT and min(lines, boxes) < mine - TIED:
            cost += OTHERS
        elif isinstance(own, Line) and lines < mine + TIED:
            cost += STEM
        elif isinstance(own, Box) and mine > AT_IT and self.behind(rect, own.sides):
            cost += BEHIND
        upon = {line.id for line, far in near if far < TIED} - ({own.id} if within else set())
        return cost + LINE * min(len(upon), MANY)

    def behind(self, rect: Rect, own: Rect) -> bool:
        """Whether a line or the outline of a frame is between words and their own box."""
        (left, right), (top, bottom) = (gap(rect[i], rect[i + 2], own[i], own[i + 2])
                                        for i in (0, 1))
        link = left, top, right, bottom
        return self.edges.touch(link) or any(
            distance(link, part) < TIED for _, part in self.wires_near(link, TIED)
            if distance(rect, part) >= TIED)


def gap(a: float, b: float, c: float, d: float) -> tuple[float, float]:
    """What is between the stretches from a to b and from c to d; the middle of what both have."""
    middle = (max(a, c) + min(b, d)) / 2
    return (b, c) if b < c else (d, a) if d < a else (middle, middle)


def parts(line: Line) -> list[Rect]:
    """The stretches of a line, which are level or upright, as rectangles."""
    return [(min(p[0], q[0]), min(p[1], q[1]), max(p[0], q[0]), max(p[1], q[1]))
            for p, q in pairwise(line.points)]
