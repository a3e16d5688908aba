"""Gradients of several losses on top of each other: one walk back serves them all.

The question this file answers: *what of each loss arrives where the weight was used?*

A `Stack` has a row for every loss that depends on a node, and none for the others: no table of T x
T zeros is carried through the graph. Where the rule of an operation works entry by entry, all rows
go through it at once (see `rows.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.backprop import local, uses
from ..core.graph import Node
from ..core.walk import is_alias
from .rows import ENTRYWISE, between, joint_rows, through
from .uses import Way


class Stack(NamedTuple):
    """The gradients of several losses at one node: which losses, and (R, *shape of the node)."""

    losses: Any
    g: Any


class Use(NamedTuple):
    """One use of the weight, and what of every loss arrived at the node that used it."""

    node: Node
    position: int
    way: Way
    stack: Stack

    def arrays(self, rows: slice = slice(None)) -> dict[int | None, Any]:
        """What the use gave to the gradient of every loss, (R, *shape of the weight), by step."""
        node, g = self.node, self.stack.g[rows]
        if node.op.parts is None:
            return {node.step: self.shown(one_use(node, self.position, g))}
        found: dict[int | None, Any] = {}
        for i, row in enumerate(g):
            for step, c in parts_by_step(node, self.position, row).items():
                found.setdefault(step, np.zeros((len(g), *np.shape(c))))[i] += c
        return {step: self.shown(c) for step, c in found.items()}

    def shown(self, c: Any) -> Any:
        """In the shape of the weight, of which an alias was used."""
        for alias in reversed(self.way):
            c = through(alias, 0, c)
        return c


def walk(W: Node, losses: Sequence[Node]) -> list[Use]:
    """Every use of W, oldest first, with what of every loss arrives at it. Hooks do not run."""
    way = between([W], losses)
    leading, shown, found = {*way, W}, aliases(W, way), list[Use]()
    arriving: dict[Node, list[Stack]] = {}
    for i, loss in enumerate(losses):
        arriving.setdefault(loss, []).append(
            Stack(np.array([i]), np.ones((1, *np.shape(loss.value)), dtype(loss))))
    for node in way:
        stack = merged(arriving.pop(node)) if node in arriving else None
        if stack is None or node in shown:
            continue
        shares = None
        for position, x in uses(node):
            if x is W or x in shown:
                found.append(Use(node, position, shown.get(x, ()), stack))
            elif x in leading:
                if node.op.joint and shares is None:
                    shares = joint_rows(node, stack.g)
                c = one_use(node, position, stack.g) if shares is None else shares[position]
                arriving.setdefault(x, []).append(Stack(stack.losses, c))
    return found[::-1]


def aliases(W: Node, way: Sequence[Node]) -> dict[Node, Way]:
    """The transposes, reshapes and slices of W, with the way to them."""
    shown: dict[Node, Way] = {}
    for node in reversed(way):  # operands first
        if is_alias(node) and node.a is not None and (node.a is W or node.a in shown):
            shown[node] = (*shown.get(node.a, ()), node)
    return shown


def merged(stacks: list[Stack]) -> Stack:
    """The sum of what arrived on several ways, of every loss its own."""
    if len(stacks) == 1:
        return stacks[0]
    losses = np.unique(np.concatenate([s.losses for s in stacks]))
    total = np.zeros((len(losses), *stacks[0].g.shape[1:]), stacks[0].g.dtype)
    for s in stacks:
        total[np.searchsorted(losses, s.losses)] += s.g
    return Stack(losses, total)


def one_use(node: Node, position: int, g: Any) -> Any:
    """What leaves through one operand, of every loss: all at once where the rule allows it."""
    if node.op.joint:
        return joint_rows(node, g)[position]
    if node.is_scalar and node.op in ENTRYWISE and node.op.array is not None:
        with np.errstate(all="ignore"):  # plain floats give no warnings either
            values = [np.float64(x) for x in node.values]
            return node.op.rules[position](g, np.float64(node.value), *values,
                                           **node.params or {})
    return through(node, position, g)


def parts_by_step(node: Node, position: int, g: Any) -> dict[int | None, Any]:
    """What each step gave, through an op that spans many (`Op.parts`)."""
    assert node.op.parts is not None
    x, found = node.values[position], dict[int | None, Any]()
    steps = node.op.parts(g, node.value, *node.values, **node.params or {})[position]
    if steps is None:
        return {node.step: local_share(node, position, g)}
    for part in steps:
        c = part.array(x)
        found[part.step] = found[part.step] + c if part.step in found else c
    return found


def local_share(node: Node, position: int, g: Any) -> Any:
    """What leaves through one operand."""
    c = local(node, position, g)
    return c[position] if node.op.joint else c


def steps_of(use: Use) -> list[int | None]:
    """The steps that a use spans."""
    if use.node.op.parts is None:
        return [use.node.step]
    return list(parts_by_step(use.node, use.position, use.stack.g[-1]))


def dtype(node: Node) -> Any:
    """The dtype of a node's gradient."""
    return getattr(node.value, "dtype", np.float64)
