"""A graph that is a single line: no order has to be found, and nothing waits for anything else.

The question this file answers: *what is left of the engine where no ways part?*

A fused layer, its head and its loss are four nodes, each of which was computed from the one before
and from leaves. The way back is the line itself (`in_line`); and where every node of it adds up by
itself what leaves it (`Op.sums`), a gradient goes from one to the next with nothing in between
(`line_of_sums`, `straight`). At size 3 finding the order costs as much as the arithmetic.
"""

from __future__ import annotations

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


def line_of_sums(root: Node) -> list[Node] | None:
    """The same where every node adds up by itself, the first operand of each is the computed one,
    and no hook looks on; else None."""
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
