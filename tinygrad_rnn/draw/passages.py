"""Passages: the wires between the columns of a time grid, and out of it.

The question this file answers: *how does a state get from one step to the next?*

Wires within a step come from its stamp. All others pass what stands in the columns between their
ends, and each other: those between neighbours are laid first, the straightest before the rest.
Wires that run alike, step after step, are found once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from .outside import note_below
from .routing import Field, Rect, Way, centre, moved, shifted
from .scene import Glyph, Wire

if TYPE_CHECKING:
    from .timegrid import TimeGrid

PASSAGES = ("carried", "handed", "fed")  # the kinds of wires from step to step


class Ways:
    """The ways of the wires of a grid."""

    def __init__(self, grid: TimeGrid) -> None:
        self.grid = grid
        self.known: dict[Hashable, Way] = {}

    def put(self, wire: Wire, way: Way) -> None:
        """Keep the way of a wire that was laid elsewhere."""
        self.known[wire_key(wire)] = way

    def way(self, wire: Wire) -> Way:
        """The way of a wire: from the template, or found once for all steps alike."""
        known = self.known.get(wire_key(wire))
        if known is not None:
            return known
        if wire.kind in ("inner", "result"):
            i = self.grid.column_of[wire.head]
            ways = self.grid.of(self.grid.scene.columns[i]).stamp(wire.head.when).ways
            way = ways[wire.tail.key, wire.head.key, wire.position]
            return shifted(way, self.grid.left[i])
        if wire.kind == "free":
            return self.find_way(wire)
        return self.passages[wire]

    @cached_property
    def passages(self) -> dict[Wire, Way]:
        """The ways of all wires from step to step, and from before the first: those between
        neighbours first, and in each column the straightest first. Every other one runs past those
        that are laid; wires that run alike are laid once."""
        found: dict[Wire, Way] = {}
        into: dict[int | None, list[Wire]] = {}
        far: list[Wire] = []
        for wire in self.grid.scene.wires:
            if wire.kind not in ("inner", "result", "free", "term"):
                first, last = self.span(wire)
                (into.setdefault(last, []) if last - first < 2 else far).append(wire)
        for wires in into.values():
            self.lay(sorted(wires, key=self.bent), found, [])
        for wire in far:
            first, last = self.span(wire)
            beside = [found[w] for i in range(first, last + 1) for w in into.get(i, ())]
            self.lay([wire], found, beside)
            into.setdefault(last, []).append(wire)
        return found

    def span(self, wire: Wire) -> tuple[int, int]:
        """The first and the last column that a wire has to do with."""
        ends = [self.grid.column_of.get(glyph, self.nearest(self.grid.rects[glyph]))
                for glyph in (wire.tail, wire.head)]
        return min(ends), max(ends)

    def bent(self, wire: Wire) -> tuple[float, float]:
        """How far the ends of a wire are from one level, and from each other."""
        (ax, ay), (bx, by) = centre(self.grid.rects[wire.tail]), centre(self.grid.rects[wire.head])
        return round(abs(ay - by), 2), round(abs(ax - bx), 2)

    def lay(self, wires: list[Wire], found: dict[Wire, Way], beside: list[Way]) -> None:
        """Find the ways of some wires, past each other and those `beside` them."""
        keys = {wire: self.way_key(wire) for wire in wires}
        laid = [*beside]
        for known in (True, False):
            for wire in wires:
                x, key = self.grid.rects[wire.head][0], keys[wire]
                if wire not in found and (key in self.known or not known):
                    if key not in self.known:
                        self.known[key] = shifted(self.find_way(wire, laid), -x)
                    found[wire] = shifted(self.known[key], x)
                    laid.append(found[wire])

    def way_key(self, wire: Wire) -> Hashable:
        """What wires between steps that run alike have in common; of those that pass over a step,
        neighbours run beside each other."""
        a, b = self.grid.rects[wire.tail], self.grid.rects[wire.head]
        first, last = self.span(wire)
        return (wire.tail.key, wire.head.key, wire.position, round(a[0] - b[0], 2), wire.tail.role,
                self.kind(wire.tail), self.kind(wire.head), last % max(1, last - first))

    def kind(self, glyph: Glyph) -> int | None:
        """The kind of step that a glyph stands in."""
        i = self.grid.column_of.get(glyph)
        return None if i is None else self.grid.of(self.grid.scene.columns[i]).kinds.get(glyph.when)

    def find_way(self, wire: Wire, laid: Iterable[Way] = (), entry: Rect | None = None) -> Way:
        """A way past everything in the columns between two boxes, and wires that are `laid`;
        `entry` is where it ends, if not at its head."""
        grid = self.grid
        a, b = grid.rects[wire.tail], entry or grid.rects[wire.head]
        ends = [grid.column_of.get(glyph, self.nearest(rect))
                for glyph, rect in ((wire.tail, a), (wire.head, b))]
        ends += [i for i, column in enumerate(grid.scene.columns) for rail in grid.scene.rails
                 if rail.glyph is wire.head and column.stage == rail.stage][:1]
        boxes, wires, xs, ys = [a, b], list(laid), list[float](), list[float]()
        for i in range(max(min(ends), 0), min(max(ends), len(grid.left) - 1) + 1):
            column, x = grid.scene.columns[i], grid.left[i]
            t = grid.of(column)
            boxes += [grid.rects[g] for g in column.glyphs]
            xs += [x - grid.between / 2, x - grid.between / 2 - 5]
            ys += t.ys
            if column.step is not None:
                stamp = t.stamp(column.when)
                boxes += [moved(rect, x) for rect in stamp.words]
                wires += [shifted(way, x) for way in stamp.field.wires]
                xs += [x + at for at in t.xs]
            boxes.append(grid.words_of(i))
        self.add_outside(boxes, wires, xs)
        field = Field([r for r in boxes if r[2] > r[0]], wires)
        levels = [*dict.fromkeys(ys), grid.top - 6, grid.top - 10]
        return field.route(a, b, sorted(dict.fromkeys(xs)), levels, wire.kind == "fed")

    def add_outside(self, boxes: list[Rect], wires: list[Way], xs: list[float]) -> None:
        """What stands outside of the columns: first states, weights with their sums and where their
        rails begin, and what has no step."""
        grid, scene = self.grid, self.grid.scene
        xs += [x - d for x in grid.start.values() for d in (9.0, 5.0)]
        xs += [grid.right + 9, grid.right + 15, grid.right + 21]
        boxes += [grid.rects[g] for g in (*scene.initial, *scene.around) if g in grid.rects]
        boxes += [note_below(grid.rects[g], g.note) for g in scene.initial if g.note]
        for rail in scene.rails:
            if rail.glyph in grid.rects:
                rect = grid.rects[rail.glyph]
                start = rect[2], centre(rect)[1]
                boxes += [rect, *([grid.sum_rect(rail)] if rail.note else [])]
                wires.append((start, (start[0] + 18, start[1])))

    def nearest(self, rect: Rect) -> int:
        """The column beside something that stands outside of all columns."""
        x = (rect[0] + rect[2]) / 2
        return bisect_right(self.grid.left, x) - 1

    def term_way(self, wire: Wire, y: float) -> Way:
        """From a term up to the rail of its total at height `y`."""
        i = self.grid.column_of[wire.tail]
        t, x = self.grid.of(self.grid.scene.columns[i]), self.grid.left[i]
        rect = t.rects[wire.tail.key]
        key = ("term", self.grid.scene.columns[i].stage, t.kinds[wire.tail.when], wire.tail.key, y)
        if key not in self.known:
            middle, level = centre(rect)
            ways: list[Way] = [((middle, rect[1]), (middle, y))]
            for d in (10.0, 16.0, 22.0):
                ways.append(((rect[0], level), (rect[0] - d, level), (rect[0] - d, y)))
                ways.append(((rect[2], level), (rect[2] + d, level), (rect[2] + d, y)))
            field = t.stamp(wire.tail.when).field
            self.known[key] = field.best(ways, (rect,)) or ways[0]
        return shifted(self.known[key], x)


def wire_key(wire: Wire) -> Hashable:
    """What tells one wire outside the steps from another."""
    return ("wire", wire.tail.id, wire.head.id, wire.position)
