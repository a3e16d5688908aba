"""The zoo of wrong backward passes: what people really write, each as one row of a table.

The question this file answers: *which mistakes can a backward pass have, and what exactly is wrong
in each?*

A mistake does not belong to one hand-written network. It is an order in which the nodes are served
and a `bend`: what leaves through one use of one operand in place of what should leave. Both work on
any graph; most of them look at the time steps of its nodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..core import hooks, ops
from ..core.backprop import Edge, fit, local
from ..core.graph import Node, constant, leaf
from ..core.totals import Totals
from .carried import Graph, Use, operands

# --- what leaves in place of what should --------------------------------------------------------


def nothing(c: Any) -> Any:
    """Zero, in the shape of a contribution."""
    return 0.0 * c


def overwritten(graph: Graph, use: Use) -> Any:
    """`dW = ...` in the loop: the use that is served last is all that is left."""
    node, position = graph.uses[use.x][-1]
    kept = use.x.op is not leaf or use.node is node and use.position == position
    return use.right if kept else nothing(use.right)


def no_dh_next(graph: Graph, use: Use) -> Any:
    """dh_t = (from above), where it should be (from above) + (from the future). An LSTM's c stays
    right."""
    lost = graph.carried(use.node, use.x) and (use.x.name != "c" or len(graph.states) == 1)
    return nothing(use.right) if lost else use.right


def no_dc_next(graph: Graph, use: Use) -> Any:
    """The same for the cell state of an LSTM."""
    return nothing(use.right) if graph.carried(use.node, use.x) and use.x.name == "c" else use.right


def cut_short(graph: Graph, use: Use) -> Any:
    """The gradient ends in the middle of the sequence, for instance at a forgotten `.detach()`."""
    steps = {use.x.step, use.node.step}
    cut = graph.carried(use.node, use.x) and steps == {graph.last, graph.last + 1}
    return nothing(use.right) if cut else use.right


def no_slope(*some: Any) -> Callable[[Graph, Use], Any]:
    """dz = dh, where it should be dh * φ'(z)."""
    return lambda graph, use: fit(use.g, use.node.values[0]) if use.node.op in some else use.right


def later_state(graph: Graph, use: Use) -> Any:
    """δ_t h_tᵀ, where it should be δ_t h_{t-1}ᵀ."""
    node, position = use.node, use.position
    if use.x.op is not leaf or node.arity != 2 or node.op.variadic or node.op.joint:
        return use.right
    state = graph.following(node, 1 - position)
    if state is None:
        return use.right
    values = list(node.values)
    values[1 - position] = state.value
    c = node.op.rules[position](use.g, node.value, *values, **node.params or {})
    return fit(c, values[position])


def averaged_over_time(graph: Graph, use: Use) -> Any:
    """The contributions of a weight divided by the number of steps: a mean, where it is a sum."""
    return use.right / graph.steps(use.x) if use.x.op is leaf else use.right


def averaged_over_batch(graph: Graph, use: Use) -> Any:
    """The contributions of a weight divided by the size of the batch."""
    return use.right / batch(use) if use.x.op is leaf else use.right


def batch(use: Use) -> int:
    """Over how many rows a contribution was summed."""
    summed = use.node.op.late is not None and use.position == 1
    rows = np.shape(use.g)[:-1]
    x = use.node.values[use.position]
    return int(np.prod(rows)) if summed or np.shape(use.g) != np.shape(x) else 1


def first_row_only(graph: Graph, use: Use) -> Any:
    """The gradient of a bias taken from one sample, where it should be summed over the batch."""
    x = use.node.values[use.position]
    if use.x.op is not leaf or use.node.op.joint or np.shape(use.g) == np.shape(x):
        return use.right
    if use.node.op not in (ops.add, ops.sub, ops.mul, ops.div):
        return use.right
    c = np.asarray(use.node.op.rules[use.position](use.g, use.node.value, *use.node.values))
    c = c[(0,) * (c.ndim - np.ndim(x))]
    thin = tuple(slice(0, 1) if n == 1 else slice(None) for n in np.shape(x))
    return c[thin].copy() if np.ndim(x) else float(c)


def transposed(graph: Graph, use: Use) -> Any:
    """W δ, where it should be Wᵀ δ. The shapes fit only for a square W, and so nobody complains."""
    node = use.node
    if node.op not in (ops.linear, ops.matmul) or use.position != 0:
        return use.right
    W = node.values[1]
    if np.ndim(W) != 2 or W.shape[0] != W.shape[1] or np.shape(node.values[0])[-1] != len(W):
        return use.right
    return use.g @ (W.T if node.op is ops.linear else W)


def wrong_sign(graph: Graph, use: Use) -> Any:
    """dL/dy = target - y, where it should be y - target."""
    return -use.right if use.node in set(graph.roots) else use.right


def shifted_slice(graph: Graph, use: Use) -> Any:
    """The gradient of the first gate is written where that of the second belongs."""
    slices = graph.gates.get(use.x)
    if use.node.op is not ops.getitem or not slices:
        return use.right
    if (use.node.params or {})["index"] != slices[0]:
        return use.right
    return ops.scatter(use.g, index=slices[1], shape=use.x.value.shape)


def copied_bias(graph: Graph, use: Use) -> Any:
    """The bias of the second gate gets the gradient of the first one."""
    slices = graph.gates.get(use.node)
    if not slices or use.x.op is not leaf or np.ndim(use.x.value) != 1:
        return use.right
    c = np.array(use.right)
    first, second = (index[-1] if isinstance(index, tuple) else index for index in slices[:2])
    c[second] = use.right[first]
    return c


def right(graph: Graph, use: Use) -> Any:
    """What should leave."""
    return use.right


# --- the table ----------------------------------------------------------------------------------


class Mistake(NamedTuple):
    """A row: its name, what was written and what should have been, what it takes to see it."""

    name: str
    summary: str
    needs: str
    bend: Callable[[Graph, Use], Any] = right
    ordered: bool = True   # False: a node is served as soon as something has arrived
    again: bool = False    # the gradients of an earlier call are still there
    attached: bool = False  # what was detached is not


MISTAKES = {row.name: row for row in (
    Mistake("= for +=", "dW = ... in the loop: the use that comes last overwrites all others",
            "a weight with several uses", overwritten),
    Mistake("no topological order", "a node is served before all of its gradient has arrived",
            "a node that is reached by ways of different length", ordered=False),
    Mistake("no dh_next", "dh_t takes what comes from above and drops what comes from the future",
            "a state carried from step to step (T > 1)", no_dh_next),
    Mistake("no dc_next", "the gradient of an LSTM's c_t drops what comes from c_{t+1}",
            "a state called c, carried from step to step (T > 1)", no_dc_next),
    Mistake("truncated by accident", "the gradient ends in the middle of the sequence",
            "a state carried from step to step (T > 1)", cut_short),
    Mistake("no tanh'", "dz = dh, without the factor 1 - h²", "a tanh", no_slope(ops.tanh)),
    Mistake("no sigmoid'", "the gates' gradients lack the factor s (1 - s)", "a sigmoid",
            no_slope(ops.sigmoid)),
    Mistake("h_t for h_{t-1}", "dW_hh sums δ_t h_tᵀ, where it should sum δ_t h_{t-1}ᵀ",
            "a weight that multiplies a carried state (T > 1)", later_state),
    Mistake("transposed weight", "W δ goes back, where it should be Wᵀ δ",
            "a square weight that is not symmetric", transposed),
    Mistake("wrong sign", "target - y, where it should be y - target", "a gradient", wrong_sign),
    Mistake("averaged over T", "the gradient of a weight is divided by its number of steps",
            "a weight used at several steps (T > 1)", averaged_over_time),
    Mistake("averaged over B", "the gradient of a weight is divided by the size of the batch",
            "a batch (B > 1)", averaged_over_batch),
    Mistake("bias not summed over the batch", "db is the δ of one sample", "a batch (B > 1)",
            first_row_only),
    Mistake("bias of another gate", "db of the second gate is a copy of that of the first",
            "gates with a bias", copied_bias),
    Mistake("one gate's slice shifted", "the δ of the first gate is written over the second's",
            "gates that are slices", shifted_slice),
    Mistake("forgotten zero_grad", "the gradient of an earlier call is still in .grad",
            "a gradient", again=True),
    Mistake("missing detach", "a state that should be cut off goes on into its history",
            "a state that was detached, and the loss of an earlier window in the same graph: one "
            "that was released, or has no part in this loss, left no history to go on into",
            attached=True),
)}
SAME = {"dH zeroed each step": "no dh_next", "= instead of +=": "= for +=",
        "missing dh_next": "no dh_next", "missing dc_next": "no dc_next",
        "missing tanh'": "no tanh'",
        "missing sigmoid'": "no sigmoid'", "missing zero_grad": "forgotten zero_grad"}


# --- the walk -----------------------------------------------------------------------------------


def wrong_walk(arriving: Totals, mistake: Mistake) -> Iterator[Edge]:
    """Backpropagation with a mistake in it: as `backprop.contributions`, edge by edge."""
    graph = Graph(arriving)
    leaves: list[Edge] = []
    for node in graph.nodes if mistake.ordered else as_they_come(graph.roots):
        g = arriving.pop(node, None)
        if g is None:
            continue
        if node.hooks is not None:
            g = hooks.run(node, g, arriving)
        shares = local(node, 0, g) if node.op.joint else None
        for position, x in ends(graph, node, mistake):
            c = shares[position] if shares else local(node, position, g)
            c = mistake.bend(graph, Use(node, position, graph.shown(x), g, c))
            add(graph, arriving, x, c)
            if graph.shown(x).is_leaf and mistake.again:
                leaves.append((node, position, x, g, c))
            yield node, position, x, g, c
    for edge in leaves:
        add(graph, arriving, edge[2], edge[4])
        yield edge
    for x in [x for x in arriving if x.op.rules and hooks.retain not in (x.hooks or ())]:
        del arriving[x]  # what came too late


def add(graph: Graph, arriving: Totals, x: Node, c: Any) -> None:
    """Add a contribution; what goes to an alias goes on to its leaf at once."""
    for alias in reversed(graph.aliases.get(x, ())[1:]):
        c = local(alias, 0, c)
    arriving.add(graph.shown(x), c)


def ends(graph: Graph, node: Node, mistake: Mistake) -> list[tuple[int, Node]]:
    """The operands that get something."""
    if not mistake.attached:
        return operands(node)
    found = enumerate((node.a, node.b, *(x for x, _ in node.rest or ())))
    whole = [(i, graph.detached.get(x, x)) for i, x in found if x is not None]
    return [(i, x) for i, x in whole if x.op is not constant]


def as_they_come(roots: list[Node]) -> Iterator[Node]:
    """Every node once, as soon as it is reached: what was reached last comes first."""
    seen, todo = set(roots), deque(roots)
    while todo:
        node = todo.pop()
        yield node
        for _, x in operands(node):
            if x not in seen and x.op.rules:
                seen.add(x)
                todo.append(x)
