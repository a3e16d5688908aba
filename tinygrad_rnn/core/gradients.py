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

from . import hooks
from .backprop import contributions, history, uses
from .graph import Node, constant, given
from .guards import check_targets, seeded
from .place import Place, contained, here
from .taken import apart, was_taken
from .totals import Totals


@contained
def grad(y: Node, xs: Any, seed: Any = None, *, create_graph: bool = False) -> Any:
    """dy/dx as nodes, for one `x` or a list of them; `.grad` is not touched, an unused input gives
    zeros.

    With `create_graph=True` the result can be differentiated again, to any order. Raises
    `GradientError` for a node that needs no gradient.
    """
    targets = check_targets(xs, "grad()")
    if not isinstance(y, Node):
        seeded(y, seed, "grad()")  # refuses
    if y.op is constant and y.phase == "backward":  # the slope of a straight line: 3 does not vary
        totals = Totals()
    else:
        totals = pull(y, targets, seeded(y, seed, "grad()"), graph=create_graph)
    found = [totals.get(x, 0.0 if x.is_scalar else np.zeros_like(x.value)) for x in targets]
    place = here().but(phase="backward") if create_graph else here()
    found = [as_node(x, g, place) for x, g in zip(targets, found)]
    return found[0] if isinstance(xs, Node) else found


def pull(y: Node, targets: Sequence[Node], seed: Any, *, graph: bool,
         until: Collection[Node] = ()) -> Totals:
    """The gradients of `targets`: only the part of the graph that leads to them is walked."""
    plain = seed.value if isinstance(seed, Node) else seed
    arriving = Totals()
    way: Sequence[Node] = history([y], until)
    asked = [*(x for x in targets if was_taken(x)), *hooks.ways(way)]
    way, taken = apart(arriving, way, asked, until) if asked else (way, None)
    wanted = set(targets)
    for node in reversed(way):
        used = [x for _, x in uses(node)] if taken is None else taken.used(node)
        if any(x in wanted for x in used):
            wanted.add(node)
    if y in wanted:
        arriving[y] = as_node(y, seed, here().but(phase="backward")) if graph else plain
    walk = contributions(arriving, graph=graph, wanted=wanted, keep=set(targets), until=until,
                         way=way, taken=taken)
    deque(hooks.watched(walk), maxlen=0)  # let them all pass
    for x in targets:
        if x.is_leaf and x.hooks is not None and x in arriving:
            arriving[x] = hooks.run(x, arriving[x], arriving)
    return arriving


def as_node(x: Node, g: Any, place: Place | None = None) -> Any:
    """A gradient of `x` as a node of its kind: a constant, unless it already is a node. That of a
    sequence has the steps of the sequence."""
    if isinstance(g, Node):
        return g
    made = given(type(x), g if x.is_scalar else np.asarray(g), place or here(), constant)
    if x.timed:
        made.times = x.times  # type: ignore[attr-defined]
    return made
