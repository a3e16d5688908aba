"""Omitted: the steps in the middle of a graph that stands on no grid, as two boxes.

The question this file answers: *how does the graph of a gradient stay small enough to be read?*

What was computed forward in the steps that are not drawn is one box, and what went back through
them another. What lies between two of their parts is part of them: no box comes both before and
after the same thing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core import walk
from ..core.graph import Node

MOST = 150  # operations that are all drawn, if nothing is said


def omitted(nodes: list[Node], roots: Sequence[Node], first: int | None,
            last: int | None) -> dict[Node, str]:
    """The nodes that are not drawn, with the phase whose box stands for them. Of a small graph
    none, if nothing is said; of a large one all but those of the first and the last step. `nodes`
    come after what they use."""
    steps = sorted({node.step for node in nodes if node.step is not None and not node.is_leaf})
    if first is None and last is None:
        if sum(not node.is_leaf for node in nodes) <= MOST:
            return {}
        first = last = 1
    between = set(steps[first or 0:len(steps) - (last or 0)])
    if len(between) < 2:
        return {}
    found: dict[Node, str] = {}
    for phase in ("forward", "backward"):
        hidden = {node for node in nodes if node.phase == phase and node.step in between
                  and not node.is_leaf}
        found.update(dict.fromkeys(with_between(nodes, hidden), phase))
    if not set(roots).isdisjoint(found):
        later = last_of(nodes, roots)
        found = {node: phase for node, phase in found.items() if node not in later}
    return {**found, **unused(nodes, found)}


def last_of(nodes: list[Node], roots: Sequence[Node]) -> set[Node]:
    """The results themselves, and what uses them."""
    later = set(roots)
    for node in nodes:
        if any(x in later for _, x in walk.parents(node)):
            later.add(node)
    return later


def with_between(nodes: list[Node], hidden: set[Node]) -> list[Node]:
    """Some nodes, and those that use one of them and are used by another, over whatever way."""
    below, above = set[Node](), set[Node]()
    for node in nodes:
        if any(x in hidden or x in below for _, x in walk.parents(node)):
            below.add(node)
    for node in reversed(nodes):
        if node in hidden or node in above:
            above.update(x for _, x in walk.parents(node))
    return [node for node in nodes if node in hidden or node in below and node in above]


def unused(nodes: list[Node], found: dict[Node, str]) -> dict[Node, str]:
    """The inputs that only hidden nodes use, in the box of the first of these."""
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for _, x in walk.parents(node):
            users.setdefault(x, []).append(node)
    return {node: found[users[node][0]] for node in nodes if node.is_leaf
            and users.get(node) and all(user in found for user in users[node])}
