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
    adders, terms = added_up(top)
    if not found.whens:
        steps = {x.at.step for x, _, _ in terms}
    else:
        steps = {found.when(x) for x, _, _ in terms}
    if len(steps) < 2 or None in steps or len(steps) < len(terms):
        return None
    inside = adders if top.at.step is None else {*adders, *[x for x, _, _ in terms]}
    if any(x in inside and x is not top and len(users) > 1 for x, users in found.uses.items()):
        return None  # a state h_t = f(h_{t-1}) + h_{t-1} is no total
    return Total(top, sorted(terms, key=lambda use: use[0].order), adders)


def added_up(top: Node) -> tuple[set[Node], list[walk.Edge]]:
    """The chain of + that ends in `top`, and the uses of its terms."""
    adders, name = {top}, top.name
    terms: list[walk.Edge] = []
    todo = [straight(top, adders, terms)] if top.at.step is None else [top]
    for node in todo:
        for position, x in enumerate((node.a, node.b)):
            if x is None or not x.op.rules:
                continue
            if x.op is ops.add and (x.name is None or x.name == name) and x not in adders \
                    and carries_on(x, node):
                adders.add(x)
                todo.append(x)
            else:
                terms.append((x, position, node))
    return adders, terms


def straight(node: Node, adders: set[Node], terms: list[walk.Edge]) -> Node:
    """Go down a chain that was made after the last step, as long as it goes total + term; where it
    does not. Once for every step, so it is kept plain."""
    name, add, at, found, note = node.name, ops.add, node.at, adders.add, terms.append
    while True:
        x, term = node.a, node.b
        if x is None or term is None or x.op is not add or term.op is add or not term.op.rules:
            return node
        if x.at is not at and x.at.step is not None or not (x.name is None or x.name == name):
            return node
        found(x)
        note((term, 1, node))
        node = x


def carries_on(x: Node, node: Node) -> bool:
    """Whether a sum `x` is the total so far that `node` adds a term to, and no term that is a sum
    itself."""
    if node.at.step is None:
        return x.at.step is None
    inner = [y.at.step for _, y in walk.parents(x) if y.op.rules]
    return x.at.step != node.at.step and (
        len(inner) < 2 or any(step != x.at.step for step in inner)
    )
