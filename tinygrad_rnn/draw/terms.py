"""Terms: the wires from the steps up to the rail of a total.

The question this file answers: *how does the loss of a step get to their sum?*

Straight up where that is free, else beside its box, else wherever the search finds a way. Steps of
one kind share theirs; of two terms in one step, the later one sees the earlier.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import proxy

from .outside import BETWEEN, TOTAL
from .routes import better, cheapest
from .routing import SHARED, Field, Rect, Way, centre, moved, shifted
from .scene import Wire
from .search import End, doors
from .tracks import AWAY, TRACK

if TYPE_CHECKING:
    from .timegrid import TimeGrid


class Terms:
    """The ways of the terms of a grid's totals. `crowded` counts those that found no place of their
    own. The grid, which has them, is held weakly: see `core/freeing.py`."""

    def __init__(self, grid: TimeGrid) -> None:
        self.grid: TimeGrid = proxy(grid)
        self.known: dict[Hashable, dict[Hashable, Way]] = {}  # by what steps share, then by term
        self.crowded = 0

    @cached_property
    def wires(self) -> dict[int, list[Wire]]:
        """The terms, by column."""
        found: dict[int, list[Wire]] = {}
        for wire in self.grid.scene.wires:
            if wire.kind == "term":
                found.setdefault(self.grid.column_of[wire.tail], []).append(wire)
        return found

    def beside(self, i: int) -> list[Way]:
        """The ways of all terms of a column, up to the lowest rail."""
        return [self.up(wire) for wire in self.wires.get(i, ())]

    def kind(self, i: int) -> Hashable:
        """What columns have in common that are drawn alike: the kind of their step, and what of it
        is a term."""
        if not 0 <= i < len(self.grid.scene.columns):
            return None
        column, terms = self.grid.scene.columns[i], self.wires.get(i, ())
        return (column.stage, self.grid.of(column).kinds.get(column.when),
                *(term.tail.key for term in terms))

    def level(self, wire: Wire) -> float:
        """The height of the rail of a term's total."""
        which = self.grid.scene.totals.index(wire.head)
        return self.grid.top - TOTAL - BETWEEN * which

    def way(self, wire: Wire) -> Way:
        """From a term up to the rail of its total."""
        *before, (x, _) = self.up(wire)
        return (*before, (x, self.level(wire)))

    def up(self, wire: Wire) -> Way:
        """From a term up to where the lowest rail is."""
        i = self.grid.column_of[wire.tail]
        column = self.grid.scene.columns[i]
        kind = self.grid.of(column).kinds[column.when]
        known = self.known.setdefault((column.stage, kind), {})
        if wire.tail.key not in known:
            known[wire.tail.key] = self.find(wire, i, [*known.values()])
        return shifted(known[wire.tail.key], self.grid.left[i])

    def find(self, wire: Wire, i: int, others: list[Way]) -> Way:
        """The way of a term, in the coordinates of its step, past those of `others` in the step."""
        grid, column = self.grid, self.grid.scene.columns[i]
        t = grid.of(column)
        rect, y, step = t.rects[wire.tail.key], grid.top - TOTAL, t.stamp(column.when).field
        words = moved(grid.words_of(i), -grid.left[i])
        field = Field([*step.boxes, words], [*step.wires.ways, *others], step.rails.ways, step.back)
        way = field.best(usual(rect, y), (rect,))
        if way is None or field.crowded(way):
            limits = -grid.between / 2, y, t.width + grid.between / 2, t.bottom - AWAY
            starts = [end._replace(cost=end.cost + SHARED * field.leaving(end.point))
                      for end in doors(rect)]
            stops = [End((TRACK * k, y), (0.0, AWAY)) for k in range(1, int(t.width / TRACK))]
            found = cheapest(field, limits, starts, stops, (rect,))
            way = better(field, way, found, (rect,), [end.point for end in starts])
        self.crowded += way is None or field.crowded(way) or not field.clear(way, (rect,))
        return way or next(iter(usual(rect, y)))


def usual(rect: Rect, y: float) -> list[Way]:
    """Straight up from a box to the height `y`, or on either side of it."""
    middle, level = centre(rect)
    ways: list[Way] = [((middle, rect[1]), (middle, y))]
    for d in (10.0, 16.0, 22.0):
        ways.append(((rect[0], level), (rect[0] - d, level), (rect[0] - d, y)))
        ways.append(((rect[2], level), (rect[2] + d, level), (rect[2] + d, y)))
    return ways
