"""Graphviz as a layout engine: it says where things stand, and the drawing stays ours.

The question this file answers: *what if a graph is too large, or I prefer another layout?*

`dot` gets boxes without words, numbered, in the sizes that they have here, and gives back a place
for each and a way of straight stretches for every use. Shapes, words, colours and formats are those
of every other drawing; no name of the user's reaches the program. The places are those of the
installed version: the same bytes on one machine, not on all.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from . import render, style
from .blocks import drawn, outer
from .model import Box, Drawing, Label, Point
from .names import safe
from .outlines import edge
from .routing import Rect, Way, centre
from .scene import Column, Glyph, Scene, Wire
from .timegrid import title_of

LARGE = 500  # more glyphs without time go to Graphviz, if it is there
WHERE = 'layout="graphviz"'
HASTE = ", nslimit=0.2, nslimit1=1, mclimit=0.1"  # 2,000 nodes in 8 seconds, not in 70
FIX = ('Three ways out: install Graphviz, so that `dot` is on the PATH; layout="own", which needs '
       'no program; or save(".dot") of that one, for a machine that has Graphviz')
SMALLER = 'Draw fewer steps (first=, last=) or a smaller part, or layout="own"'


class Placed:
    """Rectangles of the glyphs, frames of the steps and ways of the wires, as `dot` places them.
    The steps of `columns` each have a frame around them."""

    def __init__(self, scene: Scene, columns: list[Column], down: bool) -> None:
        self.columns = [column for column in columns if column.glyphs]
        self.index = {glyph: i for i, glyph in enumerate(scene.around)}
        self.wires = [w for w in scene.wires if w.tail in self.index and w.head in self.index]
        self.pairs: dict[tuple[int, int], bool] = {}  # x * x is one way; of results a short one
        for wire in self.wires:
            self.pairs[self.pair(wire)] = wire.kind in ("carried", "result")
        answer = answer_of("\n".join([*self.text(down), ""]))
        self.rects: dict[Glyph, Rect] = {}
        self.frames: dict[Column, Rect] = {}
        for item in answer.get("objects", ()):
            kind, _, number = item["name"].rpartition(" ")
            if kind:
                left, low, right, high = (float(x) for x in item["bb"].split(","))
                self.frames[self.columns[int(number)]] = (left, -high, right, -low)
                continue
            glyph = scene.around[int(number)]
            (x, y), (w, h) = point(item["pos"]), glyph.size()
            self.rects[glyph] = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        names = [item["name"] for item in answer.get("objects", ())]
        ways = {(int(names[item["tail"]]), int(names[item["head"]])): item["pos"]
                for item in answer.get("edges", ())}
        self.ways = [self.way(wire, ways[self.pair(wire)]) for wire in self.wires]

    def pair(self, wire: Wire) -> tuple[int, int]:
        """The numbers of what a wire joins."""
        return self.index[wire.tail], self.index[wire.head]

    def text(self, down: bool) -> Iterator[str]:
        """What `dot` is asked: sizes and uses, by number, and which of them are of one step."""
        yield (f"digraph {{ graph [rankdir={'TB' if down else 'LR'}, splines=polyline, "
               f"nodesep=0.25, ranksep=0.45{HASTE if len(self.index) > LARGE / 2 else ''}]")
        yield 'node [shape=box, fixedsize=true, label=""]'
        yield "edge [arrowhead=none, headclip=false, tailclip=false]"
        for glyph, i in self.index.items():
            w, h = outer(glyph, down)
            yield f"{i} [width={w / 72:.4f}, height={h / 72:.4f}]"
        for k, column in enumerate(self.columns):
            inside = " ".join(str(self.index[glyph]) for glyph in column.glyphs)
            yield f'subgraph "cluster {k}" {{ margin=14; label="-"; fontsize=16; {inside} }}'
        for (a, b), heavy in self.pairs.items():
            yield f"{a} -> {b} [weight={4 if heavy else 1}]"
        yield "}"

    def way(self, wire: Wire, given: str) -> Way:
        """A way from outline to outline, of one that runs from middle to middle."""
        a, b = self.rects[wire.tail], self.rects[wire.head]
        inner = [p for p in straight([point(part) for part in given.split()])[1:-1]
                 if not within(p, a) and not within(p, b)]
        ends = [*inner, centre(b)][0], [centre(a), *inner][-1]
        return edge(wire.tail, a, ends[0]), *inner, edge(wire.head, b, ends[1])


def point(text: str) -> Point:
    """A point of Graphviz's, whose y runs upwards."""
    x, y = text.split(",")
    return float(x), -float(y)


def within(p: Point, rect: Rect) -> bool:
    """Whether a point lies in a box."""
    return rect[0] <= p[0] <= rect[2] and rect[1] <= p[1] <= rect[3]


def straight(points: list[Point]) -> list[Point]:
    """The bends of a way: its points without those on the straight line between others."""
    found: list[Point] = []
    for p in points:
        if found and abs(p[0] - found[-1][0]) + abs(p[1] - found[-1][1]) < 0.05:
            continue
        if len(found) > 1 and abs(bend(found[-2], found[-1], p)) < 0.05:
            found.pop()
        found.append(p)
    return found


def bend(p: Point, q: Point, r: Point) -> float:
    """How far q lies from the line from p to r, in points."""
    long = ((r[0] - p[0]) ** 2 + (r[1] - p[1]) ** 2) ** 0.5 or 1.0
    return ((r[0] - p[0]) * (q[1] - p[1]) - (r[1] - p[1]) * (q[0] - p[0])) / long


def there() -> bool:
    """Whether `dot` is installed."""
    return shutil.which("dot") is not None


def answer_of(text: str) -> Any:
    """What `dot` says. Raises `render.RenderError` if it is not there, fails, or takes too long."""
    found = shutil.which("dot")
    if found is None:
        raise render.RenderError("a layout by Graphviz is asked for, and `dot` was not found",
                                 where=WHERE, fix=FIX)
    said = render.run([found, "-Tjson"], text, WHERE, FIX, SMALLER)
    try:
        return json.loads(said)
    except ValueError as problem:
        raise render.RenderError("dot said something that is no JSON", where=WHERE,
                                 fix=FIX) from problem


def flat(scene: Scene) -> Scene:
    """A scene for a layout that knows no rails: a weight is a box like others, with a wire to every
    use; what was said at a rail is said at its box and its wires."""
    wires = list(scene.wires)
    for rail in scene.rails:
        rail.glyph.note = rail.glyph.note or rail.note
        said = dict(rail.step_notes)
        for tap in rail.taps:
            wires.append(replace(tap, kind="free", note=said.pop(tap.head.when, tap.note)))
    return replace(scene, columns=[], rails=[], initial=[], totals=[], around=scene.glyphs(),
                   wires=wires)


def draw_by_graphviz(scene: Scene, down: bool = False) -> Drawing:
    """The drawing of a scene, its steps in frames, with the places that `dot` gives."""
    found = Placed(flat(scene), scene.columns, down)
    frames, titles = [], []
    for column, (left, top, right, bottom) in found.frames.items():
        part = f"{safe(column.part)}." if column.part else ""
        span = column.hidden or (column.step, column.step)
        name = f"gap{span[0]}" if column.hidden else f"t{column.step}"
        frames.append(Box(f"{part}{name}.frame", (left + right) / 2, (top + bottom) / 2,
                          right - left, bottom - top, "rect", "gap" if column.hidden else "frame",
                          dashed=column.hidden is not None))
        titles.append(Label(left + 10, top + 15, title_of(column), "quiet", style.SMALL,
                            "start", halo=True))
    return drawn(flat(scene), found.rects, found.wires, found.ways, frames, titles,
                 down, halo=True)
