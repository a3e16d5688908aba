"""Strides: a recorded backward pass that gets past many steps together.

The question this file answers: *how does one know what arrived at every node without going through
any?*

A plain backward pass gets past the nodes of a layer, a head or a loss in one product for all steps
(`core/together.py`), and sees none of them. A recorded one may go the same way where the way gives
an `account`: what arrives at each of its nodes, in arrays of all steps, with the very bits of a
walk through them. What each step gives to a weight is built here in stacks of bounded size, for its
norm and for the total, which is their sum one after the other, as the walk has it.

So a recording says the same whichever way was taken. The table from nodes to what arrived there is
made when somebody looks: it is no computation, but takes a Python object for every node.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from ..core import hooks, ops
from ..core.backprop import history
from ..core.graph import Node
from ..core.parts import norm, sizes_of
from ..core.place import here
from ..core.together import Bypass, Use, steps_of, way_past
from ..core.totals import InOrder
from .recording import Recording
from .writing import Walked, Writer

ROOM = 1 << 16  # numbers: what several steps give to a weight is built at once, up to so many


class Turn(NamedTuple):
    """When something is taken in its turn: a node that joins steps, or the way past them."""

    order: int
    joined: Node | None = None
    way: Bypass | None = None
    steps: Sequence[Any] = ()


def record(recording: Recording, totals: InOrder) -> None:
    """The walk back from the root of a recording that is still empty, taking every stride there
    is."""
    nodes, turns = planned(recording.root)
    writer = Writer(recording, totals, nodes)
    if turns and crossed(turns, writer):
        nodes, turns = history([recording.root]), []
        writer = Writer(recording, totals, nodes)
    stride, orders, done = Stride(writer, turns), [-n.order for n in nodes], 0
    for turn in turns:
        reached = bisect_left(orders, -turn.order)
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
        way, steps = way_past(node), steps_of(node)
        while way is not None and way in past and way not in ways:
            ways[way] = steps
            steps, way = way.steps, way.further
    orders = [-n.order for n in nodes]
    for way, steps in ways.items():
        oldest, newest = way.oldest(steps), way.newest(steps).order
        following = bisect_left(orders, -newest)
        if oldest is None or following < len(nodes) and nodes[following].order >= oldest.order:
            return history([root]), []
        turns.append(Turn(newest, None, way, steps))
    return nodes, sorted(turns, key=lambda turn: -turn.order)


def crossed(turns: list[Turn], writer: Writer) -> bool:
    """Whether a leaf at the end of a way is summed in another order than that of the way: it has
    aliases, or is there twice."""
    shown = writer.recording.shown
    for turn in turns:
        if turn.way is not None:
            ends = [*turn.way.leaves, *turn.way.steps]
            if len(set(ends)) < len(ends) or any(x in writer.again or x in shown for x in ends):
                return True
    return False


class Stride:
    """Takes the strides of a walk. What has arrived at the steps of a way is `pending` until its
    turn comes."""

    def __init__(self, writer: Writer, turns: Sequence[Turn]) -> None:
        self.recording, self.totals = writer.recording, writer.totals
        self.ways = {turn.way for turn in turns if turn.way is not None}
        self.pending: dict[Bypass, Any] = {}
        self.scratch = np.empty(0)

    def enter(self, node: Node) -> None:
        """From a node that joins steps to all of them: each gets its row of what arrived there, or
        of a sum the same."""
        g, way, count = self.totals.pop(node), way_past(node), len(steps_of(node))
        assert way is not None
        if node.hooks is not None:
            g = hooks.run(node, g, self.totals)
        rows = g if node.op is ops.stack else np.broadcast_to(g, (count, *np.shape(g)))
        self.wait(way, rows)
        self.recording.pieces.append(
            Walked({node: norm(g)}, {}, array("d", sizes_of(rows))) if self.recording.norms else
            Walked({node: g}, {(node, i): row for i, row in enumerate(rows)}, array("d")))

    def wait(self, way: Bypass, g: Any) -> None:
        """Add what has arrived at the steps of a way."""
        self.pending[way] = self.pending[way] + g if way in self.pending else g

    def take(self, turn: Turn) -> None:
        """Past all nodes of a way."""
        way = turn.way
        assert way is not None
        found = way.account(turn.steps, self.pending.pop(way))
        nodes = [kind.nodes for kind in found.kinds]
        leaving = [x for kind in found.kinds for x in kind.leaving if x is not None]
        if self.recording.norms:
            known = dict[int, Any]()  # what leaves one node often is what arrives at the next
            given = [self.add(x) if type(x) is Use else sizes(x, known) for x in leaving]
            arrived = [sizes(kind.g, known) for kind in found.kinds]
            self.recording.pieces.append(Measured(nodes, arrived, given))
        else:
            for x in leaving:
                if type(x) is Use:
                    self.add(x)
            self.recording.pieces.append(Stacked(nodes, [kind.g for kind in found.kinds]))
        if way.further in self.ways:
            self.wait(way.further, found.steps)
        else:
            for x, row in zip(way.steps, () if found.steps is None else found.steps):
                self.totals.add(x, row)
        for x, g in found.first:
            self.totals.add(x, g)

    def add(self, use: Use) -> Any:
        """Add what the steps give to a leaf, one after the other; of norms, how large each is."""
        x, d, n = use.leaf, use.d, len(use.d)
        shape, total, found = x.value.shape, self.totals.get(x), list[Any]()
        some = min(n, max(1, ROOM // x.value.size))
        rows = self.room((some + 1, *shape), x.value.dtype)  # the first for what is there already
        for i in range(0, n, some):
            built = rows[1 : len(d[i : i + some]) + 1]
            if use.x is not None:
                products(d[i : i + some], use.x[i : i + some], built)
            else:
                np.add.reduce(d[i : i + some], tuple(range(1, d.ndim - len(shape))), out=built)
            if total is not None:
                rows[0] = total
            total = in_order(rows[0 if total is not None else 1 : len(built) + 1])
            if self.recording.norms:
                found.append(sizes_of(built))
        self.totals[x] = total
        self.totals.owned.add(x)
        return np.concatenate(found) if found else None


    def room(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """An array to be written to, in the same memory for all leaves: fresh memory costs as much
        as the products."""
        size = math.prod(shape)
        if self.scratch.size < size or self.scratch.dtype != dtype:
            self.scratch = np.empty(max(size, ROOM), dtype)
        return self.scratch[:size].reshape(shape)


def products(d: Any, x: Any, out: Any) -> None:
    """d_tᵀ x_t for each of the steps (t, ..., O) and (t, ..., I), summed over the samples."""
    d, x = (a.reshape(len(a), math.prod(a.shape[1:-1]), a.shape[-1]) for a in (d, x))
    np.matmul(d.transpose(0, 2, 1), x, out)


def in_order(rows: Any) -> Any:
    """The sum of rows, one after the other. (NumPy adds up numbers in a row in pairs; and -0.0 is
    the zero that changes no other.)"""
    if rows[0].size == 1:
        return np.add.accumulate(rows.reshape(-1))[-1:].reshape(rows.shape[1:])
    return np.add.reduce(rows, 0, initial=-0.0)


def sizes(stack: Any, known: dict[int, Any]) -> Any:
    """The norm at each step, measured once for each array."""
    if id(stack) not in known:
        known[id(stack)] = sizes_of(stack)
    return known[id(stack)]


# --- what is noted --------------------------------------------------------------------------------


class Stacked:
    """What was noted of the nodes of a way: for each kind its nodes, and what arrived there."""

    def __init__(self, nodes: list[Sequence[Node]], arrived: list[Any]) -> None:
        self.nodes, self.arrived = nodes, arrived
        self.kept = dict[tuple[Node, int], Any]()
        self.sizes = array("d")

    @cached_property
    def passed(self) -> dict[Node, Any]:
        """The same as a table, in the order of a walk through the nodes."""
        return dict(zip(by_step(self.nodes), by_step(list(map(list, self.arrived)))))


class Measured:
    """The same as norms, and `given` are those of what left the nodes, a column for every use. (A
    shorter one is that of a use which the last node does not have.)"""

    def __init__(self, nodes: list[Sequence[Node]], arrived: list[Any], given: list[Any]) -> None:
        self.nodes, self.arrived, self.given = nodes, arrived, given
        self.kept = dict[tuple[Node, int], Any]()

    @cached_property
    def passed(self) -> dict[Node, Any]:
        """The same as a table, in the order of a walk through the nodes."""
        return dict(zip(by_step(self.nodes), by_step([a.tolist() for a in self.arrived])))

    @cached_property
    def sizes(self) -> array[float]:
        """What left the nodes, in that order."""
        T = len(self.nodes[0])
        whole = np.stack([column[: T - 1] for column in self.given], 1)
        return array("d", [*whole.reshape(-1), *[c[-1] for c in self.given if len(c) == T]])


def by_step(columns: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """All of the first step, then all of the next, and so on."""
    return chain.from_iterable(zip(*columns))
