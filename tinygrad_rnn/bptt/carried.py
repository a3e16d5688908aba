"""What a mistake may ask about a graph: who uses what, and what is carried from step to step.

The question this file answers: *which of all these uses is that of h_{t-1}?*

Nobody told the graph what its state is. It is found by its time steps: what is computed at one step
and used at another of the same recurrence is carried. A sum of losses is computed like that too,
and is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..core import ops
from ..core.backprop import history, uses
from ..core.graph import Node
from ..core.keys import Rolled, keys
from ..core.timeline import rows
from ..core.walk import is_alias

LINEAR = {ops.add, ops.sub, ops.neg, ops.sum_, ops.reshape}  # on the way from a loss to their sum


class Use(NamedTuple):
    """One use of one operand: `g` has arrived at `node`, and `right` is what leaves through `x`."""

    node: Node
    position: int
    x: Node
    g: Any
    right: Any


class Graph:
    """What a mistake may ask about the graph. Everything is found when it is first asked for."""

    def __init__(self, roots: Iterable[Node]) -> None:
        self.roots = list(roots)
        self.nodes = history(self.roots)  # newest first

    @cached_property
    def aliases(self) -> dict[Node, tuple[Node, ...]]:
        """A transpose, reshape or slice of a leaf is no use of it. For each: the leaf, and the way
        from there."""
        found: dict[Node, tuple[Node, ...]] = {}
        ends = set(self.roots)
        for node in reversed(self.nodes):
            x = node.a
            known = x is not None and (x in found or x.is_leaf)
            if x is not None and known and is_alias(node) and node not in ends:
                found[node] = (*found.get(x, (x,)), node)
        return found

    def shown(self, x: Node) -> Node:
        """The leaf that an alias shows; any other node is itself."""
        return self.aliases[x][0] if x in self.aliases else x

    @cached_property
    def uses(self) -> dict[Node, list[tuple[Node, int]]]:
        """Every use of every node that wants a gradient, newest first; of a leaf, through its
        aliases."""
        found: dict[Node, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            if node not in self.aliases:
                for position, x in uses(node):
                    found.setdefault(self.shown(x), []).append((node, position))
        return found

    def steps(self, x: Node) -> int:
        """At how many time steps `x` is used."""
        return len({node.step for node, _ in self.uses[x]})

    @cached_property
    def last(self) -> int:
        """The step in the middle, after which an accidental cut is made."""
        steps = sorted({n.step for n in self.nodes if n.step is not None})
        return steps[(len(steps) - 1) // 2] if steps else 0

    def carried(self, node: Node, x: Node) -> bool:
        """Whether `node` uses `x` as a state from another time step of the same recurrence.

        From encoder to decoder nothing is carried in this sense; nor is the loss so far.
        """
        if not x.op.rules or x.step is None or node.step is None or x.step == node.step:
            return False
        if x in self.aliases or self.loss_so_far(node, x):
            return False
        a, b = f"{x.scope}/", f"{node.scope}/"
        return a.startswith(b) or b.startswith(a) or "/" in (a, b)

    def loss_so_far(self, node: Node, x: Node) -> bool:
        """Whether `x` is a sum of losses, to which `node` adds one more, and not a state with
        h_t = h_{t-1} + x_t.

        Such a sum is a single number, and is used for nothing else; what is added was computed; and
        from there to the end there are only sums. A name that does not begin with an L tells that
        it is a state. (Of an unnamed sum that is itself the end, nobody can tell.)
        """
        if node.op is not ops.add or len(self.uses[x]) != 1 or np.size(x.value) != 1:
            return False
        added = node.b if node.a is x else node.a
        if added is None or not added.op.rules:
            return False
        return node in self.sums and (x.name or "L")[0] in "Ll"

    @cached_property
    def sums(self) -> set[Node]:
        """From where only sums, and products with constants, lead to the end."""
        found = set(self.roots)
        for x in self.nodes:
            if all(n in found and (n.op in LINEAR or scaled(n)) for n, _ in self.uses.get(x, ())):
                found.add(x)
        return found

    @cached_property
    def states(self) -> set[str | None]:
        """The names of what is carried from step to step."""
        return {x.name for x in self.carried_states()}

    def carried_states(self) -> list[Node]:
        """Every state that is carried from its step to another one."""
        return [x for node in self.nodes for _, x in uses(node) if self.carried(node, x)]

    @cached_property
    def next_state(self) -> dict[tuple[int | None, Rolled], Node]:
        """For every use of a state h_{t-1}, told by step and place: the state h_t."""
        places = keys(*self.roots)
        at = {(n.step, places[n].rolled): n for n in self.nodes}
        ports: dict[tuple[Rolled, int], Rolled] = {}
        for node in self.nodes:
            for position, x in uses(node):
                if self.carried(node, x):
                    ports[places[node].rolled, position] = places[x].rolled
        found = {}
        for node in self.nodes:
            for position in range(node.arity):
                state = ports.get((places[node].rolled, position))
                if state is not None and (node.step, state) in at:
                    found[node.step, (*places[node].rolled[:3], 2 * places[node].ordinal
                                      + position)] = at[node.step, state]
        self.places = places
        return found

    def following(self, node: Node, position: int) -> Node | None:
        """The state h_t at the step of `node`, where its operand is h_{t-1}."""
        states = self.next_state
        key = self.places[node]
        return states.get((node.step, (*key.rolled[:3], 2 * key.ordinal + position)))

    @cached_property
    def gates(self) -> dict[Node, list[Any]]:
        """What is cut into gates: the indices of its slices, in the order of the program. The
        steps of a sequence are slices too, and no gates."""
        found: dict[Node, list[Any]] = {}
        steps: dict[Node, set[int | None]] = {}
        for node in reversed(self.nodes):
            if node.op is ops.getitem and node.a is not None and node.a.op.rules:
                found.setdefault(node.a, []).append((node.params or {})["index"])
                steps.setdefault(node.a, set()).add(node.step)
        return {x: slices for x, slices in found.items()
                if len(slices) > 1 and len(steps[x]) == 1 and rows(x) is None}

    @cached_property
    def detached(self) -> dict[Node, Node]:
        """What was detached, or cut: the copy without a history -> the node it is a copy of."""
        made = {(n.name, n.step, id(n.value)): n for n in self.nodes}
        copies = {x for n in self.nodes for x in (n.a, n.b) if x is not None and x.is_leaf}
        return {x: made[x.name, x.step, id(x.value)] for x in copies
                if (x.name, x.step, id(x.value)) in made}


def scaled(node: Node) -> bool:
    """Whether `node` is something times, or over, a constant."""
    return node.op is ops.mul and len(uses(node)) == 1 or \
        node.op is ops.div and [i for i, _ in uses(node)] == [0]
