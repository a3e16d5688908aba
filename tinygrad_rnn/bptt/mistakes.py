"""The zoo of wrong backward passes: what people really write, each as one row of a table.

The question this file answers: *which mistakes can a backward pass have?*

A mistake does not belong to one hand-written network. It is an order in which the nodes are served
and a bend (`bends`): what leaves through one use of one operand in place of what should leave. Both
work on any graph; most of them look at the time steps of its nodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..core import hooks, ops
from ..core.backprop import Edge, local, uses
from ..core.graph import Node, constant, operands_of
from ..core.totals import Totals
from . import bends
from .carried import Graph, Use
from .table import as_html


class Mistake(NamedTuple):
    """A row: its name, what was written and what should have been, what it takes to see it."""

    name: str
    summary: str
    needs: str
    bend: Callable[[Graph, Use], Any] = bends.right
    ordered: bool = True   # False: a node is served as soon as something has arrived
    again: bool = False    # the gradients of an earlier call are still there
    attached: bool = False  # what was detached is not


class Zoo(dict[str, Mistake]):
    """The rows by name; printed, a line for each."""

    def __repr__(self) -> str:
        wide = max(map(len, self), default=0)
        return "\n".join(f"{name:{wide}}  {row.summary}" for name, row in self.items())

    def _repr_html_(self) -> str:
        lines = [["mistake", "what is wrong", "to see it takes"],
                 *([row.name, row.summary, row.needs] for row in self.values())]
        return as_html("Mistakes on a switch: tg.what_if(loss, name)", lines, (), left=3)


MISTAKES = Zoo((row.name, row) for row in (
    Mistake("= for +=", "dW = ... in the loop: the use that comes last overwrites all others",
            "a weight with several uses", bends.overwritten),
    Mistake("no topological order", "a node is served before all of its gradient has arrived",
            "a node that is reached by ways of different length", ordered=False),
    Mistake("no dh_next", "dh_t takes what comes from above and drops what comes from the future",
            "a state carried from step to step (T > 1)", bends.no_dh_next),
    Mistake("no dc_next", "the gradient of an LSTM's c_t drops what comes from c_{t+1}",
            "a state called c, carried from step to step (T > 1)", bends.no_dc_next),
    Mistake("truncated by accident", "the gradient ends in the middle of the sequence",
            "a state carried from step to step (T > 1)", bends.cut_short),
    Mistake("no tanh'", "dz = dh, without the factor 1 - h²", "a tanh", bends.no_slope(ops.tanh)),
    Mistake("no sigmoid'", "the gates' gradients lack the factor s (1 - s)", "a sigmoid",
            bends.no_slope(ops.sigmoid)),
    Mistake("h_t for h_{t-1}", "dW_hh sums δ_t h_tᵀ, where it should sum δ_t h_{t-1}ᵀ",
            "a weight that multiplies a carried state (T > 1)", bends.later_state),
    Mistake("transposed weight", "W δ goes back, where it should be Wᵀ δ",
            "a square weight that is not symmetric", bends.transposed),
    Mistake("wrong sign", "target - y, where it should be y - target", "a gradient",
            bends.wrong_sign),
    Mistake("averaged over T", "the gradient of a weight is divided by its number of steps",
            "a weight used at several steps (T > 1)", bends.averaged_over_time),
    Mistake("averaged over B", "the gradient of a weight is divided by the size of the batch",
            "a batch (B > 1)", bends.averaged_over_batch),
    Mistake("bias not summed over the batch", "db is the δ of one sample", "a batch (B > 1)",
            bends.first_row_only),
    Mistake("bias of another gate", "db of the second gate is a copy of that of the first",
            "gates with a bias", bends.copied_bias),
    Mistake("one gate's slice shifted", "the δ of the first gate is written over the second's",
            "gates that are slices", bends.shifted_slice),
    Mistake("forgotten zero_grad", "the gradient of an earlier call is still in .grad",
            "a gradient", again=True),
    Mistake("missing detach", "a state that should be cut off goes on into its history",
            "a state that was detached, and the loss of an earlier window in the same graph: one "
            "that was released, or has no part in this loss, left no history to go on into",
            attached=True),
))
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
        return uses(node)
    found = enumerate(operands_of(node))
    whole = [(i, graph.detached.get(x, x)) for i, x in found if x is not None]
    return [(i, x) for i, x in whole if x.op is not constant]


def as_they_come(roots: list[Node]) -> Iterator[Node]:
    """Every node once, as soon as it is reached: what was reached last comes first."""
    seen, todo = set(roots), deque(roots)
    while todo:
        node = todo.pop()
        yield node
        for _, x in uses(node):
            if x not in seen and x.op.rules:
                seen.add(x)
                todo.append(x)
