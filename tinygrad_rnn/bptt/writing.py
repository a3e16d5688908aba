"""Writing: how a backward pass is recorded while it runs.

The question this file answers: *what is written down while the gradient passes, and what does it
cost?*

A walk through the nodes gives one use after the other; what arrived at its node is noted, and of
norms the size of what leaves. A stretch of steps that are got past together is noted as it comes,
in arrays of all steps (`strides.py`). Every total of a leaf is the sum of its uses in the order of
the walk.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

from ..core import hooks
from ..core.backprop import contributions, history, local, uses
from ..core.graph import Node
from ..core.ops import is_basic
from ..core.parts import norm, norms
from ..core.totals import InOrder, Totals, one_use
from .contribution import Contribution, RunningSum, accumulate
from .pieces import Walked
from .recording import WIDTH, Recording

AT_ONCE = 512  # uses: their norms are computed together, before the collector looks at them
ROOM = 1 << 20  # numbers in all: no more of them wait for that, or very few uses
SAMPLE = 7  # as many of them are looked at once to say how large they are
Edge = tuple[Node, int, Node, Any, Any]


class Sized(InOrder):
    """Totals that note how large each use of a weight is, while it is there."""

    def __init__(self, start: Iterable[tuple[Node, Any]]) -> None:
        super().__init__(start)
        self.sizes = deque[float]()

    def collect(self, node: Node, x: Node, g: Any) -> bool:
        """Add the use of a weight, and note its norm."""
        if node.op.late is None:
            return False
        c = one_use(node, g)
        self.sizes.append(norm(c))
        self.add(x, c)
        return True


class Writer:
    """Writes a recording, and adds up the totals.

    `again` are the leaves whose uses are not added up in the order of their rows, since a row shows
    through an alias, or an op that spans many steps is told apart: their totals are summed again.
    """

    def __init__(self, recording: Recording, totals: InOrder, nodes: Sequence[Node]) -> None:
        self.recording, self.totals = recording, totals
        self.kinds = {n.op for n in nodes}  # few: what none of them can do, no node is asked for
        some = any(op.alias for op in self.kinds)
        self.again = recording.see_through(nodes) if some else set[Node]()
        some = any(op.parts is not None for op in self.kinds)
        self.spans = [n for n in nodes if n.op.parts is not None] if some else []
        if recording.norms:
            self.again |= {x for n in self.spans for _, x in uses(n) if x.is_leaf}
        self.sums = {x: RunningSum() for x in self.again}
        self.told: tuple[Node | None, list[Any]] = (None, [])  # the parts of the last such op

    def walk(self, nodes: Sequence[Node]) -> None:
        """Go through these nodes, newest first."""
        edges = hooks.watched(contributions(self.totals, way=nodes), self.totals)
        written = Walked({}, {}, array("d"))
        self.recording.pieces.append(written)
        if isinstance(self.totals, Sized):
            self.write_norms(edges, written, self.totals)
            return
        own = {op for op in self.kinds if op.joint or hasattr(op, "__wrapped__")}
        if own:
            for node, position, _, g, c in edges:
                written.passed[node] = g
                if node.op in own:  # a user's rule, a checkpoint: who knows what it costs
                    written.kept[node, position] = c
        else:
            written.passed.update(map(itemgetter(0, 3), edges))

    def write_norms(self, walk: Iterable[Edge], written: Walked, totals: Sized) -> None:
        """The same, with a number in place of each array; the totals of the leaves in `again` are
        summed in passing, and uses by an op that spans many steps told apart."""
        walk, some = iter(walk), 32
        while edges := list(islice(walk, some)):
            if self.again or self.spans:
                for node, position, x, g, c in edges:
                    self.sum_again(Contribution(node, position, g, c), x)
            nodes, _, _, g, c = zip(*edges)
            arrived, leaving, start = dict(zip(nodes, g)), list(c), len(written.sizes)
            products = not_built(edges, leaving, totals)
            found = numbers([*arrived.values(), *leaving])
            written.passed.update(zip(arrived, found))
            written.sizes.extend(found[len(arrived):])
            for i, n in products:
                written.sizes[start + i] = n
            wide = max([1 if type(c) is float else c.size for c in leaving[::SAMPLE]])
            some = min(AT_ONCE, max(8, ROOM // max(1, wide)))

    def finish(self) -> None:
        """When all of it has passed: correct the totals, and note them."""
        recording, totals = self.recording, self.totals
        if recording.norms:
            totals.update((x, s.total) for x, s in self.sums.items()
                          if s.total is not None and x in totals)
            recording.begin = number(recording.seed)
            recording.ends = {x: number(g) for x, g in totals.items()}
            return
        for node in self.spans:
            for position, x in uses(node):
                steps = self.tell_apart(recording.contribution(node, position))
                if steps is not None:
                    recording.steps[node, position] = steps
                    self.again.add(x)
        for x in self.again & totals.keys():
            totals[x] = accumulate(x, recording[x])
        recording.ends = dict(totals)

    def sum_again(self, e: Contribution, x: Node) -> None:
        """Add a use to the total that is summed in the order of the rows."""
        shown, steps = self.recording.shown, self.tell_apart(e)
        if steps is not None:
            self.recording.steps[e.node, e.position] = [use.reduced() for use in steps]
        leaf, way = shown.get(x, (x, ()))
        if leaf in self.sums and e.node not in shown:  # an alias is no use
            for use in steps or [e]:
                self.sums[leaf].add(use.through(way))

    def tell_apart(self, e: Contribution) -> list[Contribution] | None:
        """A use by an op that spans many steps, as one for every step."""
        node = e.node
        if node.op.parts is None:
            return None
        if self.told[0] is not node:
            self.told = node, node.op.parts(e.g, node.value, *node.values, **node.params or {})
        steps = self.told[1][e.position]
        return None if steps is None else [e.at(part) for part in steps]


def write_as_is(recording: Recording, walk: Iterable[Edge], totals: Totals) -> None:
    """Note every use that passes, be it right or wrong."""
    edges = recording.edges
    for edge in walk:
        edges.extend(edge)
    passed = dict(zip(edges[::WIDTH], edges[3::WIDTH]))
    recording.see_through({*history([recording.root]), *edges[2::WIDTH]})
    recording.pieces.append(Walked(passed, {}, array("d")))
    recording.ends = dict(totals)


def not_built(edges: list[Edge], leaving: list[Any], totals: Sized) -> list[tuple[int, float]]:
    """Fill in what was added up without being built; of the uses of a weight only the norm."""
    weights = list[tuple[int, float]]()
    for i, c in enumerate(leaving):
        if c is None:
            node, position, _, g, _ = edges[i]
            if position == 1 and node.op.late is not None:
                weights.append((i, totals.sizes.popleft()))
                leaving[i] = g
            else:
                leaving[i] = g if plain_slice(node) else local(node, position, g)
    return weights


def number(g: Any) -> Any:
    """A number as it is; of an array, its norm."""
    return g if type(g) is float else norm(g)


def numbers(arrays: list[Any]) -> list[Any]:
    """The numbers of many. What leaves one node often is what arrives at the next, and is measured
    once."""
    keys = list(map(id, arrays))
    once = dict(zip(keys, arrays))
    if float in set(map(type, arrays)):
        found = {key: number(a) for key, a in once.items()}
    else:
        found = dict(zip(once, norms(list(once.values()))))
    return list(map(found.__getitem__, keys))


def plain_slice(node: Node) -> bool:
    """Whether `node` picks every entry at most once, so that its gradient keeps its norm."""
    return is_basic((node.params or {}).get("index"))
