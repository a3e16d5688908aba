"""Totals: a sum that gathers one term from each step, L = Σ L_t.

The question this file answers: *which chain of + is really one long sum?*
"""

from __future__ import annotations

from dataclasses import dataclass

from ..core import ops, walk
from ..core.graph import Node
from .survey import Survey


@dataclass(slots=True)
class Total:
    """A sum over steps: the node that has it, the uses of its terms (term, position, +), and the
    chain of + that it took."""

    node: Node
    terms: list[walk.Edge]
    adders: set[Node]


def running_total(found: Survey) -> Total | None:
    """The chain of + that adds one term per step to a total (total = total + L_t), if there is
    one."""
    top: Node | None = found.root
    for _ in range(8):  # L may be scaled after the sum
        if top is None or top.op is ops.add:
            break
        top = next((x for _, x in walk.parents(top) if x.op.rules), None)
    if top is None or top.op is not ops.add:
        return None
    adders, todo = {top}, [top]
    terms: list[walk.Edge] = []
    while todo:
        node = todo.pop()
        for position, x in walk.parents(node):
            if x not in adders and x.name in (None, top.name) and carries_on(x, node):
                adders.add(x)
                todo.append(x)
            elif x.op.rules:
                terms.append((x, position, node))
    steps = {found.when(x) for x, _, _ in terms}
    if len(steps) < 2 or None in steps or len(steps) < len(terms):
        return None
    inside: set[Node | None] = {x for x in adders if x is not top}
    if top.at.step is not None:
        inside |= {x for x, _, _ in terms}
    if used_twice(found, inside):
        return None  # a state h_t = f(h_{t-1}) + h_{t-1} is no total
    return Total(top, sorted(terms, key=lambda use: use[0].order), adders)


def carries_on(x: Node, node: Node) -> bool:
    """Whether `x` is the total so far that `node` adds a term to, and not a term that is a sum
    itself."""
    if x.op is not ops.add:
        return False
    if node.at.step is None:
        return x.at.step is None
    inner = [y.at.step for _, y in walk.parents(x) if y.op.rules]
    return x.at.step != node.at.step and (
        len(inner) < 2 or any(step != x.at.step for step in inner)
    )


def used_twice(found: Survey, some: set[Node | None]) -> bool:
    """Whether any of these nodes has more than one use."""
    used: set[Node | None] = set()
    for node in found.nodes:
        operands = (node.a, node.b) if node.rest is None else walk.operands(node)
        for x in operands:
            if x in some:
                if x in used:
                    return True
                used.add(x)
    return False
