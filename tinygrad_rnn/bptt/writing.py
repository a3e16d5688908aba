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
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from ..core import hooks
from ..core.backprop import contributions, history, local, uses
from ..core.graph import Node
from ..core.ops import is_basic
from ..core.parts import norm
from ..core.totals import Totals
from .contribution import Contribution, RunningSum, accumulate
from .pieces import WEIGHT, Sizes, Walked
from .recording import WIDTH, Recording
from .sums import Sized

Edge = tuple[Node, int, Node, Any, Any]


class Writer:
    """Writes a recording, and adds up the totals.

    `again` are the leaves whose uses are not added up in the order of their rows, since a row shows
    through an alias, or an op that spans many steps is told apart: their totals are summed again.
    """

    def __init__(self, recording: Recording, totals: Sized, nodes: Sequence[Node]) -> None:
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
        if self.recording.norms:
            edges = map(self.sum_again, edges) if self.again or self.spans else edges
            self.recording.pieces.append(sized(edges, self.totals))
            return
        written = Walked({}, {}, array("d"))
        self.recording.pieces.append(written)
        own = {op for op in self.kinds if op.joint or hasattr(op, "__wrapped__")}
        if own:
            for node, position, _, g, c in edges:
                written.passed[node] = g
                if node.op in own:  # a user's rule, a checkpoint: who knows what it costs
                    written.kept[node, position] = c
        else:
            written.passed.update(map(itemgetter(0, 3), edges))
        for x, sizes in self.totals.settled()[1].items():
            self.recording.weights.setdefault(x, []).append(sizes)

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

    def sum_again(self, edge: Edge) -> Edge:
        """Add a use to the total that is summed in the order of the rows, as it passes."""
        node, position, x, g, c = edge
        e, shown = Contribution(node, position, g, c), self.recording.shown
        steps = self.tell_apart(e)
        if steps is not None:
            self.recording.steps[node, position] = [use.reduced() for use in steps]
        leaf, way = shown.get(x, (x, ()))
        if leaf in self.sums and node not in shown:  # an alias is no use
            for use in steps or [e]:
                self.sums[leaf].add(use.through(way))
        return edge

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


def sized(walk: Iterable[Edge], totals: Sized) -> Sizes:
    """A walk in norms. Of an array, the norm is taken once: what leaves one node often is what
    arrives at the next. Some wait until they are measured together, not so many that they leave
    the cache."""
    written, waiting, some = Sizes(), list[Any](), 8
    sent, known = dict[Node, Any](), dict[Node, int]()  # what a node got last, and which that is
    last, here, count = None, 0, 0
    note, arrive, give, wait = (written.nodes.append, written.arrived.append,
                                written.given.append, waiting.append)
    for node, position, x, g, c in walk:  # every use in the graph: kept plain
        if node is not last:
            last, here = node, known.pop(node, 0)
            if sent.pop(node, None) is not g:
                here, count = count, count + 1
                wait(g)
            note(node)
            arrive(here)
        if c is None:
            c = not_built(node, position, g)
        if c is g:
            give(here)
            sent[x], known[x] = g, here
        elif c is None:
            give(WEIGHT)
        else:
            give(count)
            sent[x], known[x] = c, count
            count += 1
            wait(c)
        if len(waiting) >= some:
            some = written.measure(waiting)
    written.measure(waiting)
    written.weights.extend(totals.settled()[0])
    return written


def not_built(node: Node, position: int, g: Any) -> Any:
    """What was added up without being built, or an array as large; None for the use of a weight,
    whose norm is known."""
    if position == 1 and node.op.late is not None:
        return None
    return g if plain_slice(node) else local(node, position, g)


def number(g: Any) -> Any:
    """A number as it is; of an array, its norm."""
    return g if type(g) is float else norm(g)


def plain_slice(node: Node) -> bool:
    """Whether `node` picks every entry at most once, so that its gradient keeps its norm."""
    return is_basic((node.params or {}).get("index"))
