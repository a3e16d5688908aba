"""Taken apart: a sequence y whose steps h_t somebody goes on with, in the place of y itself.

The question this file answers: *what is dL/dy, if the graph goes past y?*

    y = rnn(xs)            y is the stack of h_1 ... h_T
    L = loss(head(y))      the head uses each h_t, so that the graph has an arrow from every step

No arrow leads from y to L. But h_t is used by h_{t+1} as well, or handed out as the last state, and
dL/dy is only what comes by way of y, as it is for a fused layer, where y is a node that the head
uses. So whoever takes a sequence apart says so (`take`): what is made from there on carries its
number, in `Place.taking`. A use of h_t by such a node is a use of y.

A walk that is asked for dL/dy sends it there: the rows of all steps are added up, y has its turn
before its steps, with hooks and all, and they get from y what is theirs (`Taken`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from . import ops
from .graph import Node, constant, operands_of
from .place import HERE, Place, at, here
from .rules import gradient_place, local, uses
from .totals import Totals


def taker(y: Node) -> Place:
    """The place where the steps of y are used in its place, from here. y notes that it happened;
    and if some of its steps are those of an older sequence, passed on as they are, whoever uses
    them uses that one too."""
    numbers, place = y.at.taking, here()
    if y.order not in numbers:
        if numbers:
            oldest = min(x.order for x in operands_of(y) if x is not None)
            numbers = tuple(n for n in numbers if n > oldest)
        numbers = (*numbers, y.order)
        y.at = y.at.on_behalf(numbers)
    if place.taking:
        numbers = tuple(dict.fromkeys((*place.taking, *numbers)))
    return place.on_behalf(numbers)


def take(y: Node) -> None:
    """From here on, what is made in this context uses the steps of y as its own operands. (For
    functions that are `contained`: it ends with them.)"""
    HERE.set(taker(y))


def was_taken(y: Node) -> bool:
    """Whether somebody has used the steps of y in its place."""
    return y.order in y.at.taking


def apart(arriving: Totals, way: Sequence[Node], asked: Iterable[Node],
          until: Collection[Node] = ()) -> tuple[Sequence[Node], Taken | None]:
    """What a walk along `way` has to know of the sequences that it is `asked` about: the way with
    them in it, and themselves; None if nobody on this way has taken any."""
    known = dict.fromkeys(asked)
    arriving.taken = known.keys()
    numbers = set[int]().union(*{n.at.taking for n in way if n.at.taking})
    found = [y for y in known if y.order in numbers]
    if not found:
        return way, None
    arriving.past.clear()
    missing = set(found).difference(way, until)
    return sorted([*way, *missing], key=lambda node: -node.order), Taken(found)


class Taken:
    """The sequences that a walk is asked about, and the `rows` that have arrived at each: a
    gradient for some of its steps."""

    def __init__(self, sequences: Iterable[Node]) -> None:
        self.places: dict[Node, list[tuple[Node, int]]] = {}
        self.rows: dict[Node, dict[int, Any]] = {}
        for y in sorted(sequences, key=lambda y: -y.order):  # of two, the one that was made last
            for t, step in enumerate(operands_of(y)):
                if step is not None and step.op is not constant:
                    self.places.setdefault(step, []).append((y, t))

    def by_way(self, node: Node, x: Node) -> tuple[Node, int] | None:
        """The sequence as whose step `node` uses x, and which step that is; None if it uses x
        itself."""
        for y, t in self.places.get(x, ()):
            if y.order in node.at.taking and y is not node:
                return y, t
        return None

    def used(self, node: Node) -> list[Node]:
        """What a node uses, sequences in the place of their steps."""
        found = [(x, self.by_way(node, x)) for _, x in uses(node)]
        return [x if way is None else way[0] for x, way in found]

    def leaving(self, node: Node, g: Any, arriving: Totals, graph: bool,
                wanted: Collection[Node] | None) -> Iterator[tuple[Node, int, Node, Any, Any]]:
        """Send on what arrived at a node, as `contributions` does; to a sequence, its row."""
        shares = local(node, 0, g, graph) if node.op.joint else None
        for position, x in uses(node):
            y, t = self.by_way(node, x) or (x, None)
            if wanted is not None and y not in wanted:
                continue
            c = shares[position] if shares else local(node, position, g, graph)
            with at(gradient_place(node)) if graph else nullcontext():
                if t is None:
                    arriving.add(x, c)
                else:
                    rows = self.rows.setdefault(y, {})
                    rows[t] = rows[t] + c if t in rows else c
            yield node, position, y, g, c

    def whole(self, y: Node, g: Any, graph: bool) -> Any:
        """The rows of a sequence in one, and what arrived at the sequence itself, `g`."""
        rows = self.rows.pop(y)
        if graph:
            zero = np.zeros_like(y.value[0])
            with at(gradient_place(y)):
                total = ops.stack(*(rows.get(t, zero) for t in range(len(y.value))), axis=0)
                return total if g is None else total + g
        total = np.zeros_like(y.value) if g is None else g.copy()
        for t, row in rows.items():
            total[t] += row
        return total
