"""Passages: the wires between the columns of a time grid, and out of it.

The question this file answers: *how does a state get from one step to the next?*

Wires within a step come from its stamp. All others pass what stands in the columns between their
ends, and each other: those between neighbours are laid first, the straightest before the rest.
Wires that run alike, step after step, are found once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING
from weakref import proxy

from .delays import Squares
from .heads import SHAFT, head_of
from .outside import note_below
from .routes import route
from .routing import Field, Rect, Way, centre, moved, shifted
from .scene import Wire
from .search import doors
from .stamp import EDGE
from .terms import Terms
from .tracks import AWAY

if TYPE_CHECKING:
    from .timegrid import TimeGrid

PASSAGES = ("carried", "handed", "fed", "late")  # the kinds of wires from step to step
FEW = 8  # so many of the wires that lead out are looked at by those from step to step


class Ways:
    """The ways of the wires of a grid, which has them and is held weakly: see
    `core/freeing.py`."""

    def __init__(self, grid: TimeGrid) -> None:
        self.grid: TimeGrid = proxy(grid)
        self.known: dict[tuple[str, str, int], Way] = {}  # those that were laid elsewhere
        self.terms, self.squares = Terms(grid), Squares()
        self.tried: dict[Hashable, list[Way]] = {}  # of wires that run alike, by what they share
        self.over: dict[int, dict[Wire, None]] = {}  # by column: the wires from step to step
        self.led_out: list[Way] = []  # those to what stands outside
        self.crowded = 0  # how many found no place of their own

    @property
    def all_crowded(self) -> int:
        """How many wires found no place of their own, when all are laid."""
        laid = bool(self.passages or self.known)
        return self.crowded + len(self.squares.crowded) + self.terms.crowded if laid else 0

    def put(self, wire: Wire, way: Way) -> None:
        """Keep the way of a wire that was laid elsewhere."""
        self.known[wire_key(wire)] = way

    def way(self, wire: Wire) -> Way:
        """The way of a wire: from the template, or found once for all steps alike."""
        known = self.known.get(wire_key(wire))
        if known is not None:
            return known
        outside = wire.head not in self.grid.column_of
        if wire.kind in ("inner", "result") and not outside:
            i = self.grid.column_of[wire.head]
            ways = self.grid.of(self.grid.scene.columns[i]).stamp(wire.head.when).ways
            return shifted(ways[wire.tail.key, wire.head.key, wire.position], self.grid.left[i])
        if wire.kind == "term":
            return self.terms.way(wire)
        if outside and wire.kind in ("free", "inner"):  # inner: from before all steps to after them
            passages = self.passages
            laid = [passages[w] for w in self.across(*self.span(wire))]
            others = dict.fromkeys([*self.at_ends(wire), *self.led_out[-FEW:]])
            way = self.known[wire_key(wire)] = self.find_way(wire, [*laid, *others])
            self.led_out.append(way)
            return way
        return self.passages[wire]

    @cached_property
    def passages(self) -> dict[Wire, Way]:
        """The ways of all wires from step to step, and from before the first: those between
        neighbours first, then those that pass over a step."""
        found: dict[Wire, Way] = {}
        into: dict[int, list[Wire]] = {}
        far: list[Wire] = []
        for wire in self.grid.scene.wires:
            again = wire.kind == "free" and wire.head in self.grid.column_of
            if again or wire.kind not in ("inner", "result", "free", "term"):
                first, last = self.span(wire)
                near = last - first < 2 and not again
                (into.setdefault(last, []) if near else far).append(wire)
        outside = list(self.known.values())[:FEW]
        self.lay_columns(into, found, outside)
        self.over = {i: dict.fromkeys(wires) for i, wires in into.items()}
        for wire in far:
            first, last = self.span(wire)
            self.lay([wire], found, [*outside, *(found[w] for w in self.across(first, last))])
            for i in range(first, last + 1):
                self.over.setdefault(i, {})[wire] = None
        return found

    def at_ends(self, wire: Wire) -> list[Way]:
        """The ways laid elsewhere that begin or end at what a wire joins."""
        ends = {wire.tail.id, wire.head.id}
        return [way for (tail, head, _), way in self.known.items() if tail in ends or head in ends]

    def across(self, first: int, last: int) -> dict[Wire, None]:
        """The wires from step to step that run over, or beside, some columns."""
        return dict.fromkeys(w for i in range(first - 1, last + 2) for w in self.over.get(i, ()))

    def lay_columns(self, into: dict[int, list[Wire]], found: dict[Wire, Way],
                    outside: list[Way]) -> None:
        """The wires between neighbours. A column whose wires are like those of an earlier one, with
        the same beside them, is laid like it."""
        known: dict[Hashable, list[Way]] = {}
        numbers: dict[Hashable, int] = {}  # of what lies between two columns
        for i in sorted(into):
            wires, x = sorted(into[i], key=self.bent), self.grid.left[i]
            before = numbers.get(i - 1)
            state = before, tuple(map(self.way_key, wires))
            if state in known:
                found.update(zip(wires, [shifted(way, x) for way in known[state]]))
            else:
                beside = [found[w] for w in into.get(i - 1, ())]
                self.lay(wires, found, [*outside, *beside])
                known[state] = [shifted(found[w], -x) for w in wires]
            ways = tuple(tuple((round(px, 1), round(py, 1)) for px, py in way)
                         for way in known[state])
            numbers[i] = numbers.setdefault(ways, len(numbers))

    def lay(self, wires: list[Wire], found: dict[Wire, Way], beside: list[Way]) -> None:
        """Find the ways of some wires, past each other and those `beside` them: a way that a wire
        like it has elsewhere, if it is free here."""
        laid = [*beside]
        for wire in wires:
            x, field = self.grid.rects[wire.head][0], Field((), laid, (), self.grid.scene.backwards)
            like = self.tried.setdefault(self.way_key(wire), [])
            ways = (shifted(way, x) for way in like)
            free = next((way for way in ways if not field.crowded(way)), None)
            if free is None or wire.delay:
                free = self.find_way(wire, laid)
                like.append(shifted(free, -x))
            found[wire] = free
            laid.append(free)

    def span(self, wire: Wire) -> tuple[int, int]:
        """The first and the last column that a wire has to do with."""
        ends = [self.grid.column_of.get(glyph, self.nearest(self.grid.rects[glyph]))
                for glyph in (wire.tail, wire.head)]
        return min(ends), max(ends)

    def bent(self, wire: Wire) -> tuple[float, float]:
        """How far the ends of a wire are from one level, and from each other."""
        (ax, ay), (bx, by) = centre(self.grid.rects[wire.tail]), centre(self.grid.rects[wire.head])
        return round(abs(ay - by), 2), round(abs(ax - bx), 2)

    def way_key(self, wire: Wire) -> Hashable:
        """What wires between steps that run alike have in common: what is in the steps that they
        pass, and leads out of them, too."""
        (first, last), grid = self.span(wire), self.grid
        a, b = grid.rects[wire.tail], grid.rects[wire.head]
        return (wire.tail.key, wire.head.key, wire.position, round(a[0] - b[0], 2),
                round(a[1] - b[1], 2), wire.tail.role,
                *map(self.terms.kind, range(first, last + 1)))

    def find_way(self, wire: Wire, laid: Iterable[Way] = (), entry: Rect | None = None,
                 others: Iterable[Rect] = ()) -> Way:
        """A way past everything in the columns between two boxes, and wires that are `laid`;
        `entry` is where it ends, if not at its head, and where `others` come in."""
        grid = self.grid
        a, b = grid.rects[wire.tail], entry or grid.rects[wire.head]
        ends = [grid.column_of.get(glyph, self.nearest(rect))
                for glyph, rect in ((wire.tail, a), (wire.head, b))]
        ends += [i for i, column in enumerate(grid.scene.columns) for rail in grid.scene.rails
                 if rail.glyph is wire.head and column.stage == rail.stage][:1]
        boxes, wires, xs, ys = [a, b, *others], list(laid), list[float](), list[float]()
        for i in range(max(min(ends), 0), min(max(ends), len(grid.left) - 1) + 1):
            column, x = grid.scene.columns[i], grid.left[i]
            t = grid.of(column)
            boxes += [grid.rects[g] for g in column.glyphs]
            xs += [x - grid.between / 2, x - grid.between / 2 - 5]
            ys += t.ys
            if grid.scene.columns[i + 1:i + 2] and grid.scene.columns[i + 1].stage != column.stage:
                xs.append(x + grid.column_width(column) + 9)  # before the next stage
            if column.step is not None:
                stamp = t.stamp(column.when)
                boxes += [moved(rect, x) for rect in stamp.words]
                wires += [shifted(way, x) for way in stamp.field.wires.ways]
                wires += self.terms.beside(i)
                xs += [x + at for at in t.xs]
            boxes.append(grid.words_of(i))
        self.add_outside(boxes, wires, xs)
        limits = self.limits(a, b, max(min(ends), 0), min(max(ends), len(grid.left) - 1))
        rails = [((limits[0], y), (limits[2], y)) for t in grid.templates.values()
                 for y in t.rail_y.values()]
        field = Field([r for r in boxes if r[2] > r[0]], wires, rails, grid.scene.backwards)
        levels = [*dict.fromkeys(ys), grid.top - 6, grid.top - 10]
        if wire.kind == "delay" and {wire.tail, wire.head} <= grid.column_of.keys():
            limits = self.within(ends[0])  # what comes back to its own step does not leave it
            xs = [x for x in xs if limits[0] <= x <= limits[2]]
            levels = [y for y in levels if limits[1] <= y <= limits[3]]
        lefts = [(grid.rects[g][0], centre(grid.rects[g])[1]) for g in grid.scene.totals
                 if g in grid.rects]  # where their rails come in
        field.expected = [head_of(((x - 2 * SHAFT[0], y), (x, y)), False) for x, y in lefts]
        way = self.squares.with_room(wire.lags, field, a, partial(
            route, field, a, b, sorted(dict.fromkeys(xs)), levels, limits, wire.kind == "fed"))
        own = [end.point for end in doors(a)]
        self.crowded += field.crowded(way, own) or not field.clear(way, (a, b))
        return way

    def limits(self, a: Rect, b: Rect, first: int, last: int) -> Rect:
        """Where a wire between two boxes may run: from the first to the last of some columns and
        a little around them, and not among the rails below."""
        grid = self.grid
        beside, bottom = grid.between - AWAY, max(t.bottom for t in grid.templates.values())
        left, right = grid.left[first] - beside, grid.left[last] + beside + \
            grid.column_width(grid.scene.columns[last])
        return (min(left, a[0] - 2 * AWAY, b[0] - 2 * AWAY), grid.top - 2 * AWAY,
                max(right, a[2] + 2 * AWAY, b[2] + 2 * AWAY), bottom - AWAY)

    def within(self, i: int) -> Rect:
        """Where a wire within a column may run."""
        left, t = self.grid.left[i], self.grid.of(self.grid.scene.columns[i])
        return left + EDGE, t.top + EDGE, left + t.width - EDGE, t.bottom - EDGE

    def add_outside(self, boxes: list[Rect], wires: list[Way], xs: list[float]) -> None:
        """What stands outside of the columns: first states, weights with their sums and where their
        rails begin, and what has no step."""
        grid, scene = self.grid, self.grid.scene
        xs += [x - d for x in grid.start.values() for d in (9.0, 5.0)]
        xs += [grid.right + 9, grid.right + 15, grid.right + 21]
        boxes += [grid.rects[g] for g in (*scene.initial, *scene.around) if g in grid.rects]
        boxes += [note_below(grid.rects[g], g.note) for g in (*scene.initial, *scene.around)
                  if g.note and g in grid.rects]
        for rail in scene.rails:
            if rail.glyph in grid.rects:
                rect = grid.rects[rail.glyph]
                start = rect[2], centre(rect)[1]
                boxes += [rect, *([grid.sum_rect(rail)] if rail.note else [])]
                wires.append((start, (start[0] + 18, start[1])))

    def nearest(self, rect: Rect) -> int:
        """The column beside something that stands outside of all columns."""
        return bisect_right(self.grid.left, centre(rect)[0]) - 1


def wire_key(wire: Wire) -> tuple[str, str, int]:
    """What tells one wire outside the steps from another."""
    return wire.tail.id, wire.head.id, wire.position
