"""The cell: where in a step each thing stands, as columns and rows of a small grid.

The question this file answers: *which column and which row of a step?*

    upper    L
             y            rows of outputs and losses grow upwards from the state
             @
    spine    @ + tanh h   one column per op on the way from h_{t-1} to h_t; a row per state
    lower      @          what feeds the spine hangs below it
               x

The same grid serves every step, so that the steps line up. Scopes stand on one another as bands;
one that reads from the end is mirrored.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple

from .parts import Steps
from .scene import Scene, Wire

Key = Hashable


class Spot(NamedTuple):
    """A place in the grid: bands from the bottom, columns from the left, rows from a band's
    bottom."""

    band: int
    col: int
    row: int


class Grid:
    """Fills one band after the other."""

    def __init__(self, scene: Scene) -> None:
        self.steps = steps = Steps(scene)
        self.depth = spine_depth(scene, steps)
        self.spots: dict[Key, Spot] = {}
        self.taken: dict[Spot, set[int | None]] = {}  # by the columns that have something there
        self.uppers: list[bool] = []  # by band: whether it holds what comes after the states
        for scope in dict.fromkeys(steps.keys.values()):
            own = [key for key, there in steps.keys.items() if there == scope]
            parts = {
                kind: [k for k in own if steps.kind[k] == kind]
                for kind in ("spine", "lower", "upper")
            }
            if parts["spine"]:
                self.uppers.append(False)
                self.place_spine(parts["spine"])
                self.place_lower(parts["spine"])
                if scope in steps.backwards:
                    self.mirror()
            if parts["upper"]:
                self.uppers.append(True)
                self.place_upper(parts["upper"])
        self.settle()

    def comes_back_low(self, wires: Iterable[Wire]) -> bool:
        """Whether a state of another step comes back to the lowest row, where nothing is below."""
        heads = (self.spots.get(wire.head.key) for wire in wires if wire.delay)
        return any(spot is not None and spot.band == spot.row == 0 for spot in heads)

    @property
    def band(self) -> int:
        """The band being filled."""
        return len(self.uppers) - 1

    def put(self, key: Key, cells: Iterable[tuple[int, int]]) -> None:
        """Place a key at the first free one of `cells`."""
        for col, row in cells:
            spot = Spot(self.band, col, row)
            if self.is_free(spot, key):
                self.spots[key] = spot
                self.take(spot, key)
                return

    def is_free(self, spot: Spot, key: Key) -> bool:
        """Whether a place is empty in every step that has the key."""
        return self.steps.there[key].isdisjoint(self.taken.get(spot, ()))

    def take(self, spot: Spot, key: Key) -> None:
        """Keep a place for a key, in the steps that have it."""
        self.taken.setdefault(spot, set()).update(self.steps.there[key])

    def place_spine(self, spine: list[Key]) -> None:
        """One row per way from state to state: the longest way of each state first."""
        inside = set(spine)
        ends = [k for k in self.steps.leaves if k in inside]
        rest = sorted(inside - set(ends), key=lambda k: (-self.depth[k], spine.index(k)))
        for end in [*ends, *rest]:
            way = []
            key: Key | None = end
            while key is not None and key not in self.spots and key not in way:
                way.append(key)
                before = [
                    k for k in self.steps.below.get(key, ()) if k in inside and k not in self.spots
                ]
                key = max(before, key=lambda k: self.depth[k], default=None)
            cols = range(
                min((self.depth[k] for k in way), default=0),
                max((self.depth[k] for k in way), default=-1) + 2,
            )
            needs = self.needs(way, cols)
            row = 0
            while any(not steps.isdisjoint(self.taken.get(Spot(self.band, col, row), ()))
                      for col, steps in needs):
                row += 1
            for key in way:
                self.put(key, [(self.depth[key], row)])
            for col, steps in needs:
                self.taken.setdefault(Spot(self.band, col, row), set()).update(steps)

    def needs(self, way: list[Key], cols: range) -> list[tuple[int, set[int | None]]]:
        """Which columns a way takes, in which steps: its own, and those that its wires run
        through."""
        there, found = self.steps.there, []
        for col in cols[:-1]:
            own = [key for key in way if self.depth[key] == col]
            after = [key for key in way if self.depth[key] > col]
            before = [key for key in way if self.depth[key] < col]
            steps = union(there, own) | union(there, before) & union(there, after)
            found.append((col, steps))
        return found

    def place_lower(self, spine: list[Key]) -> None:
        """What feeds the spine, below its first user; and what feeds that, below it."""
        todo = [(k, self.spots[k].col, -1) for k in sorted(spine, key=lambda k: self.depth[k])]
        for user, col, row in todo:
            for key in self.steps.below.get(user, ()):
                if (
                    self.steps.kind[key] == "lower"
                    and key not in self.spots
                    and self.steps.keys[key] == self.steps.keys[user]
                ):
                    self.put(key, ((c, row) for c in around(col)))
                    todo.append((key, self.spots[key].col, self.spots[key].row - 1))

    def mirror(self) -> None:
        """A band that reads from the end runs from right to left: its states then come in where the
        step after lets them out."""
        last = max(self.depth.values(), default=0)
        for key, spot in self.spots.items():
            if spot.band == self.band:
                self.spots[key] = spot._replace(col=last - spot.col)
        own = [spot for spot in self.taken if spot.band == self.band]
        self.taken.update({spot._replace(col=last - spot.col): there for spot, there in
                           [(spot, self.taken.pop(spot)) for spot in own]})

    def place_upper(self, upper: list[Key]) -> None:
        """Each above what it is made from; what is given only to it stands beside it, on the
        left."""
        own = set(upper)
        for key in upper:
            below = [k for k in self.steps.below.get(key, ()) if k in self.spots]
            if key in self.spots or not below and not self.steps.below.get(key):
                continue
            here = [k for k in below if k in own]
            main = max(here, key=lambda k: self.spots[k].row, default=below[0] if below else None)
            col = self.spots[main].col if main is not None else 0
            row = 1 + max((self.spots[k].row for k in here), default=-1)
            self.put(key, ((c, row) for c in around(col, -1)))
            spot = self.spots[key]
            for other in self.steps.below.get(key, ()):
                if other not in self.spots and other in own:
                    self.put(other, ((c, spot.row) for c in around(spot.col - 1, -1)))
        for key in upper:
            if key not in self.spots:
                self.put(key, ((c, 0) for c in around(0)))

    def settle(self) -> None:
        """Count columns and rows from 0."""
        left = min((s.col for s in self.spots.values()), default=0)
        low = {
            band: min(s.row for s in self.spots.values() if s.band == band)
            for band in {s.band for s in self.spots.values()}
        }
        self.spots = {
            k: Spot(s.band, s.col - left, s.row - low[s.band]) for k, s in self.spots.items()
        }


def union(there: dict[Key, set[int | None]], keys: list[Key]) -> set[int | None]:
    """All columns that have one of the keys."""
    return {when for key in keys for when in there[key]}


def around(col: int, first: int = 1) -> Iterator[int]:
    """`col` and then its neighbours, further and further away, beginning on the side of `first`."""
    yield col
    for distance in range(1, 10_000):
        yield col + first * distance
        yield col - first * distance


def spine_depth(scene: Scene, steps: Steps) -> dict[Key, int]:
    """How many ops lie between a key and the state that enters, along the longest way on the
    spine."""
    depth = {key: 0 for key, kind in steps.kind.items() if kind == "spine"}
    for wire in scene.wires:  # in the order of the program: a tail's depth is known before its uses
        tail, head = wire.tail.key, wire.head.key
        inside = wire.tail.when is not None and wire.tail.when == wire.head.when
        inside = inside and not wire.delay and wire.kind != "final"
        if inside and tail in depth and head in depth and steps.keys[tail] == steps.keys[head]:
            depth[head] = max(depth[head], depth[tail] + 1)
    return depth
