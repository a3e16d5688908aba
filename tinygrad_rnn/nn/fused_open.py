"""Opening: the operations in the place of what was computed as a whole.

The question this file answers: *what is inside the node of a fused layer?*

`open_fused(loss)` is the graph as it would have been without `fused`: the same leaves, and the same
operations at the same steps and in the same scopes. What was one node for a whole sequence becomes
a list of its steps; what uses it uses these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import ops, per_sample, walk
from ..core.checkpoint import CHECKPOINT
from ..core.graph import Node, Rest, make
from ..core.per_sample import class_cross_entropy, cross_entropy_
from ..core.place import at, contained, here
from ..core.reductions import sum_of
from ..core.timeline import mark, times_of
from .fused import SEQUENCE
from .fused_head import AFFINE, SOFTMAX
from .steps_joined import join, span_of, stacked_steps

INSIDE = SEQUENCE, CHECKPOINT  # what has operations inside


@contained
def open_fused(root: Node) -> Node:
    """The graph of `root` with every fused sequence, and what a checkpoint did not keep, as
    operations, each at its step.

    Leaves and what none of these is part of are the same nodes as before; the values agree to
    rounding. A graph without them is returned as it is.

        draw.unrolled(tg.open_fused(loss))
    """
    walk.check(root)
    opening, listed = Opening(), walk.nodes(root)
    if any(node.op in INSIDE for node in listed):
        for node in listed:  # operands first
            opening.visit(node)
    found: Node = opening.of(root)
    inside = any(node.op is CHECKPOINT for node in listed)
    return open_fused(found) if inside else found  # one may have been within another


def told_apart(listed: Sequence[Node]) -> list[Node]:
    """Nodes, where one that covers a span (the losses of all steps) is replaced by its steps."""
    if all(span_of(node) is None for node in listed):
        return list(listed)
    opening = Opening()
    for node in walk.nodes(*listed):
        opening.visit(node)
    return [x for node in listed
            for x in (opening.steps[node] if node in opening.steps else [opening.of(node)])]


class Opening:
    """What has been opened so far: the steps of each node that covers a span, and the other nodes
    that had to be made anew."""

    def __init__(self) -> None:
        self.steps: dict[Node, Sequence[Any]] = {}
        self.anew: dict[Node, Node] = {}
        self.returned: dict[Node, Sequence[Any]] = {}  # by a checkpoint, several results
        self.pieces: dict[Node, Node] = {}  # and what stands for the place of each

    def of(self, x: Any) -> Any:
        """What stands in the place of an operand: its steps joined, if it was opened."""
        if x in self.steps and x not in self.anew:
            with at(x.at.but(span=None)):
                self.anew[x] = join(self.steps[x])
        return self.anew.get(x, x)

    def visit(self, node: Node) -> None:
        """Open a node whose operands have been visited."""
        if node.op is SEQUENCE:
            self.open_pass(node)
            return
        if node.op is CHECKPOINT:
            self.open_checkpoint(node)
            return
        if node.a in self.returned or node.a in self.pieces:
            self.take_piece(node)
            return
        changed = [x for _, x in walk.parents(node) if x in self.steps or x in self.anew]
        if not changed or not node.op.rules:
            return
        first = node.a if node.a in self.steps else None
        index = (node.params or {}).get("index")
        if node.op is ops.getitem and first is not None and type(index) is int:
            self.take_out(node, first, index)
        elif node.op is ops.concatenate and (node.params or {})["axis"] == 0 \
                and span_of(node) is None and all(x in self.steps for x in changed):
            self.steps[node] = [step for x in changed for step in self.steps[x]]
        elif node.op is ops.sum_ and first is not None and not node.params:
            with at(node.at):
                self.anew[node] = named(sum_of(*self.steps[first]), node)
        elif span_of(node) is not None:
            self.steps[node] = [self.at_step(node, t) for t in range(len(node.value))]
        else:
            self.anew[node] = self.copied(node)

    def open_pass(self, node: Node) -> None:
        """The states of a fused pass, step by step."""
        run, operands = (node.params or {})["run"], [self.of(x) if isinstance(x, Node) else x
                                                     for x in node.operands[1:]]
        x = node.operands[0]
        x = list(self.steps[x]) if isinstance(x, Node) and x in self.steps else \
            self.of(x) if isinstance(x, Node) else x
        with at(node.at.but(span=None, watchers=here().watchers)):
            states = run.again([x, *operands])
        self.steps[node] = [s[0] for s in states] if run.settled.only_h else states

    def open_checkpoint(self, node: Node) -> None:
        """What a checkpoint computed, with its graph."""
        found = (node.params or {})["segment"].opened(self.of)
        if isinstance(found, Node):
            self.place(node, found)
        else:
            self.returned[node] = found

    def take_piece(self, node: Node) -> None:
        """One of the results of a checkpoint: a slice of all of them, and then its shape."""
        if node.a in self.pieces:
            self.place(node, self.pieces[node.a])
            return
        start = 0
        for x in self.returned[node.a] if node.a is not None else ():
            if start == (node.params or {})["index"].start:
                self.pieces[node] = x
                return
            start += x.value.size

    def place(self, node: Node, found: Node) -> None:
        """A node in the place of another: its steps, where it joins some."""
        steps = stacked_steps(found)
        if steps is None:
            self.anew[node] = found
        else:
            self.steps[node] = steps

    def take_out(self, node: Node, source: Node, index: int) -> None:
        """One step of an opened sequence; of a state of several parts, one part at all steps."""
        if source.op is SEQUENCE and span_of(node) is not None:
            self.steps[node] = [state[index] for state in self.steps[source]]
        else:
            self.anew[node] = self.steps[source][index]

    def copied(self, node: Node) -> Node:
        """The same operation on what stands in the place of its operands now; its value is
        known."""
        pairs = [(self.of(x) if x is not None else None, value)
                 for x, value in [(node.a, node.u), (node.b, node.v), *(node.rest or ())]]
        (a, u), (b, v) = pairs[:2]
        found: Node = make(type(node), node.op, node.value, a, b, u, v, node.at)
        found.rest = Rest(*zip(*pairs[2:])) if len(pairs) > 2 else None
        found.params, found.hooks = node.params, node.hooks
        found.name = node.name
        mark(found, times_of(node))
        return found

    # --- one step of an operation on the whole --------------------------------------------------

    def at_step(self, node: Node, t: int) -> Any:
        """Step t of an operation that was done for all steps at once."""
        span = node.at.span or range(0)
        with at(node.at.but(step=span[t], span=None, watchers=here().watchers)):
            return named(self.step_of(node, t), node)

    def step_of(self, node: Node, t: int) -> Any:
        operands = [self.part(node, k, t) for k in range(node.arity)]
        if node.op is AFFINE:
            y = ops.linear(*operands[:2])
            return y + operands[2] if len(operands) > 2 else y
        if node.op is SOFTMAX:
            loss = (node.params or {})["loss"]
            costs = per_sample.cross_entropy(operands[0], loss.target(t))
            summed = ops.sum_(costs) if costs.shape else costs
            return summed if loss.weight == 1 else summed * loss.weight
        params = {key: self.step_param(node, key, value, t)
                  for key, value in (node.params or {}).items()}
        if node.op is ops.sum_ and "axis" in params and min(params["axis"]) > 0:
            params = {}  # over all axes but time
        if node.op is ops.getitem:  # an output repeated from an earlier step
            operands[0] = self.of(node.a)
        return node.op.record(here(), tuple(operands), params)

    def part(self, node: Node, k: int, t: int) -> Any:
        """Step t of an operand, if it has steps; else all of it."""
        x, value = node.operands[k], node.values[k]
        if isinstance(x, Node) and x in self.steps:
            return self.steps[x][t]
        axes = np.ndim(node.value)
        if node.op in (class_cross_entropy, cross_entropy_):
            led = k == 1  # the targets
        else:
            led = np.ndim(value) == axes and np.shape(value)[:1] == np.shape(node.value)[:1] \
                and node.op is not AFFINE
        x = self.of(x) if isinstance(x, Node) else x
        return x if not led else ops.getitem(x, index=t) if isinstance(x, Node) else x[t]

    def step_param(self, node: Node, key: str, value: Any, t: int) -> Any:
        """Step t of a parameter: a condition, an axis, or the places that were picked."""
        if key == "condition" and np.shape(value)[:1] == np.shape(node.value)[:1]:
            return value[t]
        if key == "axis" and isinstance(value, int) and value > 0:
            return value - 1
        if key == "index" and isinstance(value, tuple):
            return tuple(part[t] if isinstance(part, np.ndarray) else part for part in value)
        return value


def named(found: Any, node: Node) -> Any:
    """A node under the name of the one that it stands for."""
    return found if node.name is None or found.name == node.name else found.named(node.name)
