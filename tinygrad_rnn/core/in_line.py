"""A graph that is a single line: no order has to be found, and nothing waits for anything else.

The question this file answers: *what is left of the engine where no ways part?*

A fused layer, its head and its loss are four nodes, each of which has one computed operand at most.
The way back is the line itself; and where every node of it adds up by itself what leaves it
(`Op.sums`), a gradient goes from one to the next with nothing in between. At size 3 finding the
order costs as much as the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .graph import Node, constant, leaf
from .totals import Totals


def in_line(root: Node) -> list[Node] | None:
    """The history of `root` where no ways part: each node has one computed operand at most, and is
    younger than all leaves. None for any other graph, and for one that is refused."""
    way, newest, node = [root], 0, root
    while True:
        behind, rest = None, node.rest
        for x in (node.a, node.b) if rest is None else (node.a, node.b, *rest.nodes):
            if x is None or x is behind:
                continue
            op = x.op
            if op is leaf or op is constant:
                if x.order > newest:
                    newest = x.order
            elif behind is not None or not op.rules:
                return None
            else:
                behind = x
        if behind is None:
            return way if newest <= node.order and node.op.rules else None
        way.append(behind)
        node = behind


def straight(way: Sequence[Node], start: Any) -> Totals | None:
    """What remains at the leaves when `start` has gone along a line; None if a node of it does not
    add up by itself, or if a hook looks on."""
    for node in way:
        if node.op.sums is None or node.hooks is not None:
            return None
    arriving = Totals()
    arriving[way[0]] = start
    for node in way:
        node.op.sums(node, arriving.pop(node), arriving)  # type: ignore[misc]
    return arriving
