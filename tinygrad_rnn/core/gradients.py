"""Gradients as nodes: `grad` leaves `.grad` alone, and its results can be differentiated again.

The question this file answers: *what is the gradient of a gradient?*

A rule is written in the library's own operators. Called with nodes it builds the graph of the
gradient, and that is a graph like any other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ..errors import GradientError
from . import hooks, ops
from .backprop import contributions, history, uses
from .graph import Node, constant, given, operands_of
from .guards import check_targets, seeded
from .place import Place, at, contained, here
from .rules import gradient_place
from .totals import Totals
from .words import describe


@contained
def grad(y: Node, xs: Any, seed: Any = None, *, create_graph: bool = False) -> Any:
    """dy/dx as nodes, for one `x` or a list of them; `.grad` is not touched, an unused input gives
    zeros. A sequence whose steps a head or a loss has taken gets the gradients of its steps.

    With `create_graph=True` the result can be differentiated again, to any order. Raises
    `GradientError` for a node that needs no gradient, or a sequence that nobody can tell it of (see
    `steps_of`).
    """
    targets = [xs] if isinstance(xs, Node) else list(xs)
    check_targets(targets, "grad()")
    if y.op is constant and y.phase == "backward":  # the slope of a straight line: 3 does not vary
        totals = Totals()
    else:
        parts = {x: steps for x in targets if (steps := steps_of(y, x))}
        asked = [s for x in targets for s in parts.get(x, [x])]
        totals = pull(y, asked, seeded(y, seed, "grad()"), graph=create_graph)
        for x, steps in parts.items():
            totals[x] = joined(x, [totals.get(s) for s in steps], create_graph)
    found = [totals.get(x, 0.0 if x.is_scalar else np.zeros_like(x.value)) for x in targets]
    place = here().but(phase="backward") if create_graph else here()
    found = [as_node(x, g, place) for x, g in zip(targets, found)]
    return found[0] if isinstance(xs, Node) else found


def pull(y: Node, targets: Sequence[Node], seed: Any, *, graph: bool,
         until: Collection[Node] = ()) -> Totals:
    """The gradients of `targets`: only the part of the graph that leads to them is walked."""
    wanted = set(targets)
    for node in reversed(history([y], until)):
        if any(x in wanted for _, x in uses(node)):
            wanted.add(node)
    plain = seed.value if isinstance(seed, Node) else seed
    start = as_node(y, seed) if graph else plain
    arriving = Totals([(y, start)] if y in wanted else [])
    walk = contributions(arriving, graph=graph, wanted=wanted, keep=set(targets), until=until)
    deque(hooks.watched(walk), maxlen=0)  # let them all pass
    for x in targets:
        if x.is_leaf and x.hooks is not None and x in arriving:
            arriving[x] = hooks.run(x, arriving[x], arriving)
    return arriving


def steps_of(y: Node, x: Node, where: str = "grad()") -> list[Any]:
    """The steps of a sequence x that was taken apart on the way to y: its gradient is theirs. Empty
    for any other node.

    Raises `GradientError` where they were used before it was made as well, as a layer uses its h_t:
    which part of their gradients came by way of the sequence, nobody can tell any more.
    """
    if x.hooks is not hooks.TAKEN:
        return []
    steps = [s for s in operands_of(x) if s is not None]
    inside = set(steps)
    users = {node.order < x.order for node in history([y])
             if node is not x and not inside.isdisjoint(operands_of(node))}
    if users == {True, False}:
        raise GradientError(
            f"the steps of {describe(x)} were taken by a head, a loss or a layer, and by each "
            "other: what came by way of the sequence cannot be told from the rest", where=where,
            fix="Ask for the whole gradients of its steps, grad(loss, y.operands); or call "
                "y.retain_grad() before the sequence is used, and backward(): y.grad is what came "
                "by way of it")
    return steps if False in users else []


def joined(x: Node, found: list[Any], graph: bool = False) -> Any:
    """The gradients of all steps as that of the sequence; what got none is 0."""
    zero = np.zeros_like(x.value[0])
    if not graph:
        return np.stack([zero if g is None else g for g in found])
    with at(gradient_place(x)):
        return ops.stack(*(zero if g is None else g for g in found), axis=0)


def as_node(x: Node, g: Any, place: Place | None = None) -> Any:
    """A gradient of `x` as a node of its kind: a constant, unless it already is a node."""
    if isinstance(g, Node):
        return g
    return given(type(x), g if x.is_scalar else np.asarray(g), place or here(), constant)
