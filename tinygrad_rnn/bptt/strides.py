"""Strides: a recorded backward pass that gets past many steps together.

The question this file answers: *how does one know what arrived at every node without going through
any?*

A plain backward pass gets past the nodes of a layer, a head or a loss in one product for all steps
(`core/together.py`), and sees none of them. A recorded one may go the same way where the way gives
an `account`: what arrives at each of its nodes, in arrays of many steps, with the very bits of a
walk through them. What each step gives to a weight is built here in stacks of bounded size, for its
norm and for the total, which is their sum one after the other, as the walk has it.

So a recording says the same whichever way was taken. The table from nodes to what arrived there is
made when somebody looks: it is no computation, but takes a Python object for every node.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import hooks, ops
from ..core.backprop import history
from ..core.freeing import unsearched
from ..core.graph import Node
from ..core.outline import Outline
from ..core.parts import norm, roots, sizes_of, squares
from ..core.place import here
from ..core.together import (
    Account,
    Bypass,
    Use,
    steps_of,
    way_past,
)
from .pieces import Measured, Stacked, Walked
from .recording import Recording
from .sums import Sized, Stacks, norm_at
from .writing import Writer

LONG = 100_000  # nodes: the outline of a longer graph is made while all of them are at hand


class Turn(NamedTuple):
    """When something is taken in its turn: a node that joins steps, or the way past them."""

    order: int
    joined: Node | None = None
    way: Bypass | None = None
    steps: Sequence[Any] = ()


@unsearched
def record(recording: Recording) -> Sized:
    """The walk back from the root of a recording that is still empty, taking every stride there
    is: the totals."""
    totals = Sized([(recording.root, recording.seed)], every=recording.norms)
    nodes, turns = planned(recording.root)
    writer = Writer(recording, totals, nodes)
    if turns and crossed(turns, writer):
        nodes, turns = history([recording.root]), []
        writer = Writer(recording, totals, nodes)
    if len(nodes) > LONG and not recording.norms and not turns:
        recording.outline = Outline(nodes[::-1], whole=True)
    stride, done = Stride(writer, turns), 0
    for turn in turns:
        reached = bisect_left(nodes, -turn.order, key=newest_first)
        if reached > done:
            writer.walk(nodes[done:reached])
        done = reached
        if turn.joined is not None:
            stride.enter(turn.joined)
            done += 1
        else:
            stride.take(turn)
    if len(nodes) > done:
        writer.walk(nodes[done:])
    writer.finish()
    return totals


def planned(root: Node) -> tuple[list[Node], list[Turn]]:
    """The nodes to go through, newest first, and the strides past others in their turns; none where
    somebody watches every use, or where something else leads into what would be passed."""
    past = set[Any]()
    nodes = history([root], past=None if here().watchers else past)
    if not past:
        return nodes, []
    turns, ways = list[Turn](), dict[Bypass, Sequence[Any]]()
    for node in [n for n in nodes if n.rest is not None and way_past(n) in past]:
        turns.append(Turn(node.order, node))
        way = way_past(node)
        steps: Sequence[Any] = steps_of(node)
        while way is not None and way in past and way not in ways:
            ways[way] = steps
            steps, way = way.steps, way.further
    for way, steps in ways.items():
        oldest, newest = way.oldest(steps), way.newest(steps).order
        following = bisect_left(nodes, -newest, key=newest_first)
        if oldest is None or following < len(nodes) and nodes[following].order >= oldest.order:
            return history([root]), []
        turns.append(Turn(newest, None, way, steps))
    return nodes, sorted(turns, key=lambda turn: -turn.order)


def newest_first(node: Node) -> int:
    """A key that rises on the way back."""
    return -node.order


def crossed(turns: list[Turn], writer: Writer) -> bool:
    """Whether a leaf at the end of a way is summed in another order than that of the way: it has
    aliases, or is there twice."""
    shown = writer.recording.shown
    for turn in turns:
        if turn.way is not None:
            ends = {*turn.way.leaves, *turn.way.steps}
            if len(ends) < len(turn.way.leaves) + len(turn.way.steps) \
                    or not ends.isdisjoint(writer.again) or not ends.isdisjoint(shown):
                return True
    return False


class Stride:
    """Takes the strides of a walk. What has arrived at the steps of a way is `pending` until its
    turn comes."""

    def __init__(self, writer: Writer, turns: Sequence[Turn]) -> None:
        self.recording, self.totals = writer.recording, writer.totals
        self.ways = {turn.way for turn in turns if turn.way is not None}
        self.pending: dict[Bypass, Any] = {}
        self.stacks = Stacks()

    def enter(self, node: Node) -> None:
        """From a node that joins steps to all of them: each gets its row of what arrived there, or
        of a sum the same."""
        g, way, count = self.totals.pop(node), way_past(node), len(steps_of(node))
        assert way is not None
        if node.hooks is not None:
            g = hooks.run(node, g, self.totals)
        rows = np.broadcast_to(g, g.shape if node.op is ops.stack else (count, *np.shape(g)))
        self.wait(way, rows)  # read-only: others hold them too
        if self.recording.norms:
            sizes = sizes_of(rows) if node.op is ops.stack else np.full(count, norm(g))
            piece = Walked({node: norm(g)}, {}, array("d", sizes.tobytes()))
        else:
            piece = Walked({node: g}, {(node, i): row for i, row in enumerate(rows)}, array("d"))
        self.recording.pieces.append(piece)

    def wait(self, way: Bypass, g: Any) -> None:
        """Add what has arrived at the steps of a way."""
        self.pending[way] = self.pending[way] + g if way in self.pending else g

    def take(self, turn: Turn) -> None:
        """Past all nodes of a way."""
        way = turn.way
        assert way is not None
        for found in way.account(turn.steps, self.pending.pop(way)):
            if self.recording.norms:
                self.recording.pieces.append(self.measured(found))
                continue
            for x in found.leaving():
                if type(x) is Use:
                    self.add(x)
            self.recording.pieces.append(Stacked([kind.nodes for kind in found.kinds],
                                                 [kind.g for kind in found.kinds]))
        if way.further in self.ways:
            self.wait(way.further, found.steps)
        elif found.steps is not None:
            for x, row in zip(way.steps, found.steps):
                self.totals.add(x, row)
        for x, g in found.first:
            self.totals.add(x, g)

    @np.errstate(over="ignore", under="ignore", invalid="ignore")  # then the norm itself is taken
    def measured(self, found: Account) -> Measured:
        """An account in norms: a line for each array, since what leaves one node often is what
        arrives at the next."""
        arrived, leaving = [kind.g for kind in found.kinds], found.leaving()
        unique = {id(x): x for x in [*arrived, *leaving]}
        lines = np.ones((len(unique), len(arrived[0])))
        for line, x in zip(lines, unique.values()):
            if type(x) is Use:
                self.add(x, line)
            else:
                squares(x, line[: len(x)])
        at = {key: i for i, key in enumerate(unique)}
        short = {at[id(x)] for x in leaving if type(x) is not Use and len(x) < len(lines[0])}
        arrays = list(unique.values())
        return Measured([kind.nodes for kind in found.kinds],
                        roots(lines, lambda i, t: norm_at(arrays[i], t)),
                        [at[id(g)] for g in arrived], [at[id(x)] for x in leaving], short)

    def add(self, use: Use, line: Any = None) -> None:
        """Add what the steps give to a leaf; its squares go to `line`."""
        self.totals[use.leaf] = self.stacks.add(self.totals.get(use.leaf), use, line)
        self.totals.owned.add(use.leaf)
