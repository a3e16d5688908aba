"""A graph that is a single line: no order has to be found, and nothing waits for anything else.

The question this file answers: *what is left of the engine where no ways part?*

A fused layer, its head and its loss are four nodes, each of which was computed from the one before
and from leaves. The way back is the line itself; and where every node of it adds up by itself what
leaves it (`Op.sums`), a gradient goes from one to the next with nothing in between. At size 3
finding the order costs as much as the arithmetic.
"""

from __future__ import annotations

from typing import Any

from .graph import Node
from .totals import Totals


def in_line(root: Node) -> list[Node] | None:
    """The history of `root`, if it is a line of nodes that add up by themselves: of the operands of
    each the first one alone may be computed, no hook looks on, and no leaf is younger than what was
    made from it. None for any other graph, and for one that is refused."""
    way: list[Node] = []
    node: Node | None = root
    newest = 0
    while node is not None:
        op = node.op
        if op.given:
            if node.order > newest:
                newest = node.order
            break
        if op.sums is None or node.hooks is not None:
            return None
        way.append(node)
        x = node.b
        if x is not None:
            if not x.op.given:
                return None
            if x.order > newest:
                newest = x.order
        if node.rest is not None:
            for x in node.rest.nodes:
                if x is not None:
                    if not x.op.given:
                        return None
                    if x.order > newest:
                        newest = x.order
        node = node.a
    return way if way and newest <= way[-1].order else None


def straight(way: list[Node], start: Any) -> Totals:
    """What remains at the leaves when `start` has gone along a line."""
    arriving = Totals()
    arriving[way[0]] = start
    for node in way:
        node.op.sums(node, arriving.pop(node), arriving)  # type: ignore[misc]
    return arriving
