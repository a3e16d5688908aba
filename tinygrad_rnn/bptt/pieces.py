"""Pieces: what is noted of the parts of a walk, one behind the other.

The question this file answers: *in what form does a recording keep a million numbers?*

Of nodes that were gone through one by one it is a table; of many steps that were passed together,
arrays of all steps, of which a table is made when somebody looks. In norms, a use is one number.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..core.graph import Node
from ..core.parts import SIZE, norm, norms

WEIGHT = -1  # in place of a number of an array: the use of a weight
AT_ONCE = 64  # arrays that are measured together: the processor still has them at hand
ROOM = 1 << 20  # numbers in all: no more of them wait for that, or very few arrays


class Piece(Protocol):
    """What was noted of a part of the walk: `pairs` are the nodes, and what arrived at each, in the
    order of the walk; `kept` what is not computed twice; `sizes`, of norms, has one for every
    use."""

    def pairs(self) -> Iterable[tuple[Node, Any]]: ...
    @property
    def kept(self) -> dict[tuple[Node, int], Any]: ...
    @property
    def sizes(self) -> array[float]: ...


class Walked(NamedTuple):
    """What was noted of nodes that were gone through."""

    passed: dict[Node, Any]
    kept: dict[tuple[Node, int], Any]
    sizes: array[float]

    def pairs(self) -> Iterable[tuple[Node, Any]]:
        """The nodes, and what arrived there."""
        return self.passed.items()


class Sizes:
    """The same in norms: `found` are those of the different arrays. Which of them was that of what
    `arrived` at each of the `nodes`, and which that of what was `given` by each use; those of
    `weights`, which nobody else gets, stand by themselves."""

    def __init__(self) -> None:
        self.nodes = list[Node]()
        self.found, self.weights = array("d"), array("d")
        self.arrived, self.given = array("q"), array("q")
        self.kept = dict[tuple[Node, int], Any]()

    def measure(self, waiting: list[Any]) -> int:
        """Note the norms of these, numbers as they are; how many may wait until the next time."""
        some = AT_ONCE
        if float in set(map(type, waiting)):
            self.found.extend([g if type(g) is float else norm(g) for g in waiting])
        elif waiting:
            self.found.extend(norms(waiting))
            some = min(AT_ONCE, max(8, ROOM // max(1, *map(SIZE, waiting))))
        waiting.clear()
        return some

    def pairs(self) -> Iterable[tuple[Node, Any]]:
        """What arrived at each node, in the order of the walk."""
        return zip(self.nodes, map(self.found.__getitem__, self.arrived))

    @cached_property
    def sizes(self) -> array[float]:
        """What each use gave, in that order."""
        given, weights = np.frombuffer(self.given, np.int64), np.frombuffer(self.weights)
        sizes = np.frombuffer(self.found)[given] if len(self.found) else np.empty(0)
        sizes[given == WEIGHT] = weights
        return array("d", sizes.tobytes())


class Stacked:
    """What was noted of the nodes of a way: for each kind its nodes, and what arrived there."""

    def __init__(self, nodes: list[Sequence[Node]], arrived: list[Any]) -> None:
        self.nodes, self.arrived = nodes, arrived
        self.kept = dict[tuple[Node, int], Any]()
        self.sizes = array("d")

    def pairs(self) -> Iterable[tuple[Node, Any]]:
        """The same, in the order of a walk through the nodes."""
        return zip(by_step(self.nodes), by_step(list(map(list, self.arrived))))


class Measured:
    """The same as norms. `lines` are those of the different arrays: what `arrived` at each kind,
    and what was `given` by each use; a use in `short` is none of the last node."""

    def __init__(self, nodes: list[Sequence[Node]], lines: Any, arrived: list[int],
                 given: list[int], short: set[int]) -> None:
        self.nodes, self.lines, self.arrived = nodes, lines, arrived
        self.given, self.short = given, short
        self.kept = dict[tuple[Node, int], Any]()

    def pairs(self) -> Iterable[tuple[Node, Any]]:
        """The same, in the order of a walk through the nodes."""
        lines = self.lines.tolist()
        return zip(by_step(self.nodes), by_step([lines[i] for i in self.arrived]))

    @cached_property
    def sizes(self) -> array[float]:
        """What left the nodes, in that order."""
        last = [self.lines[i, -1] for i in self.given if i not in self.short]
        return array("d", [*self.lines[self.given, :-1].T.reshape(-1).tolist(), *last])


class Arrived(Mapping[Node, Any]):
    """What arrived at the root, at the nodes on the way and at the leaves: three tables that look
    like one. (To make one of a million entries would take longer than most of what is asked.)"""

    def __init__(self, root: Node, begin: Any, passed: dict[Node, Any],
                 ends: dict[Node, Any]) -> None:
        self.first = {} if root in passed or root in ends else {root: begin}
        self.passed, self.ends = passed, ends

    def __getitem__(self, x: Node) -> Any:
        if x in self.ends:
            return self.ends[x]
        return self.passed[x] if x in self.passed else self.first[x]

    def __contains__(self, x: object) -> bool:
        return x in self.passed or x in self.ends or x in self.first

    def __iter__(self) -> Iterator[Node]:
        return chain(self.first, self.passed, [x for x in self.ends if x not in self.passed])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def by_step(columns: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """All of the first step, then all of the next, and so on."""
    return chain.from_iterable(zip(*columns))
