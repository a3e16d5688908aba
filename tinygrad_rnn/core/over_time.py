"""Sums over time: a chain of + that gathers one term from each step, L = Σ L_t.

The question this file answers: *is the result of a loop that of its last step, or the sum of all?*

    with timestep(t):
        loss = loss + l         the last + was made at step T, and its result is L, not L_T
"""

from __future__ import annotations

from collections.abc import Iterable

from . import ops, walk
from .graph import Node, operands_of
from .keys import base_name


def called(root: Node) -> str:
    """What a result is called in titles: its name, without a step if it is the sum of several; L if
    it has none."""
    return "L" if root.name is None else base_name(root) if is_total(root) else root.label


def result_step(root: Node) -> int | None:
    """The step that a result is that of; None for the sum of several."""
    return None if is_total(root) else root.step


def is_total(root: Node) -> bool:
    """Whether a result that was made in a step is the sum of the terms of several, and no sum so
    far, or state, that each step has under the same name."""
    if root.op is not ops.add or root.at.step is None:
        return False
    adders: set[Node] = {root}
    terms = list(added_up([root], adders, root.name))
    steps, alike = [x.at.step for x, _, _ in terms], {x.name == root.name for x, _, _ in terms}
    if len(steps) < 2 or None in steps or len(set(steps)) < len(steps):
        return False
    if root.name is not None and (len(alike) > 1 or any(
            x.name is not None for x in adders if x is not root)):
        return False
    inside = {*adders, *[x for x, _, _ in terms]}
    used = [x for node in walk.reached(root) if not inside.isdisjoint(operands_of(node))
            for x in inside.intersection(operands_of(node))]
    return len(used) == len(set(used))  # a state h_t = f(h_{t-1}) + h_{t-1} is no total


def added_up(todo: list[Node], adders: set[Node], name: str | None) -> Iterable[walk.Edge]:
    """The uses of the terms of a chain of + that ends with the nodes in `todo`; its sums, that have
    no name or this one, go to `adders`."""
    for node in todo:  # the list grows while it is read
        for position, x in enumerate((node.a, node.b)):
            if x is None or not x.op.rules:
                continue
            if x.op is ops.add and (x.name is None or x.name == name) and x not in adders \
                    and carries_on(x, node):
                adders.add(x)
                todo.append(x)
            else:
                yield x, position, node


def carries_on(x: Node, node: Node) -> bool:
    """Whether a sum `x` is the total so far that `node` adds a term to, and no term that is a sum
    itself."""
    if node.at.step is None:
        return x.at.step is None
    inner = [y.at.step for _, y in walk.parents(x) if y.op.rules]
    return x.at.step != node.at.step and (
        len(inner) < 2 or any(step != x.at.step for step in inner)
    )
