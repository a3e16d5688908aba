"""Through a step: what it sends back to a state before it, of what arrived at the states it leaves.

The question this file answers: *what does a step do to the gradient, whatever is added inside it?*

A loss may read what is inside of a step, on the way from state to state. What it sends back arrives
at the state before too, and is no part of what the step makes of the gradient. So the gradient goes
through the step once more: from the states that it leaves, each with all that arrived there, and by
nothing but what these are made of.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np

from ..bptt.contribution import Contribution
from ..core import hooks, walk
from ..core.graph import Node
from ..core.outline import UNTIMED
from .amounts import Amounts
from .survey import Survey

ORDER = attrgetter("order")
DIGITS = 1e-3  # a smaller part is not seen
SIDES: tuple[Literal["left", "right"], ...] = "left", "right"


class Step(NamedTuple):
    """One step, as a state sees it: the states that it leaves, itself and what its next one is made
    of; and the nodes `inside` that these are made of, operands first."""

    states: set[Node]
    inside: dict[Node, None]


class Through:
    """The ways of a gradient through single steps, each looked up once. Whether something was added
    inside of one is `added`, for the legend."""

    def __init__(self, amounts: Amounts) -> None:
        self.amounts, self.found, self.flow = amounts, amounts.found, amounts.flow
        self.orders: dict[tuple[str, str | None], tuple[Any, list[Node]]] = {}
        self.made: dict[Node, list[Node]] = {}
        self.steps: dict[tuple[Node, Node], Step] = {}
        self.added = False
        self.last: dict[int | None, set[Node]] = {}  # the states in view
        for glyph in amounts.scene.glyphs():
            if glyph.role == "state" and glyph.node is not None:
                self.last.setdefault(glyph.when, set()).add(glyph.node)

    def order(self, state: Node) -> tuple[Any, list[Node]]:
        """A state at all its places in time, in their order: the places, and the nodes."""
        key = state.at.scope, self.found.called(state)
        if key not in self.orders:
            self.orders[key] = in_time(self.found, state)
        return self.orders[key]

    def beside(self, state: Node) -> list[Node]:
        """The same state at the places in time before and after."""
        when = self.found.when(state)
        if when is None or state.name is None:
            return []
        whens, nodes = self.order(state)
        first, after = (int(np.searchsorted(whens, when, side)) for side in SIDES)
        return [*nodes[max(first - 1, 0):first], *nodes[after:after + 1]]

    def made_of(self, node: Node) -> list[Node]:
        """The nodes of its own step that a node is made of, itself among them."""
        if node not in self.made:
            when, found = self.found.when(node), dict.fromkeys([node])
            todo = [node]
            for n in todo:
                fresh = [x for x in self.operands(n) if x not in found
                         and not self.found.given(x) and self.found.when(x) == when]
                found.update(dict.fromkeys(fresh))
                todo += dict.fromkeys(fresh)
            self.made[node] = todo
        return self.made[node]

    def operands(self, node: Node) -> list[Node]:
        """What a node is computed from, as it is drawn."""
        return [self.found.source(x) for _, x in walk.parents(node)]

    def step(self, after: Node, left: Node) -> Step:
        """The step that made the state `after`, of which a mask may have `left` another."""
        if (after, left) not in self.steps:
            when, states = self.found.when(after), {after, left}
            for other in self.beside(after):
                states.update(x for n in self.made_of(other) for x in self.operands(n)
                              if not self.found.given(x) and self.found.when(x) == when)
            if states == {after, left}:  # none is read again
                states |= self.last.get(when, set())
            inside = {n for state in states for n in self.made_of(state)}
            self.steps[after, left] = Step(states, dict.fromkeys(sorted(inside, key=ORDER)))
        return self.steps[after, left]

    def factor(self, before: Node, after: Node, left: Node, least: float = 0.0) -> float | None:
        """What a step sends to the state before as a part of what arrived at the state after; None
        where nothing arrived, or less than `least`."""
        step = self.step(after, left)
        ways = self.ways(before, step.inside)
        sent = went = self.recorded(before, ways)
        if not self.flow.incoming.as_is and not any(map(hooked, {*ways} - step.states)):
            sent = self.sent(before, ways, step.states)
        if sent is not None and not self.added:
            self.added = not np.allclose(sent, went, rtol=DIGITS, atol=0.0, equal_nan=True)
        return None if sent is None else self.amounts.factor(sent, after, left, least)

    def ways(self, before: Node, nodes: Iterable[Node]) -> dict[Node, list[Contribution]]:
        """The nodes of a step that a state leads to, operands first, each with its uses of what
        lies on a way from there."""
        ways: dict[Node, list[Contribution]] = {}
        for node in nodes:
            uses = [self.flow.incoming.use(node, position, x)
                    for position, operand in walk.parents(node)
                    for x in [self.found.source(operand)] if x is before or x in ways]
            if uses and node is not before:
                ways[node] = [use for use in uses if use is not None]
        return ways

    def sent(self, before: Node, ways: dict[Node, list[Contribution]], states: set[Node]) -> Any:
        """What goes back to a state, of what arrived at `states`."""
        sums: dict[Node, Any] = {}
        for node, uses in reversed(ways.items()):
            g = self.flow.arrived.get(node) if node in states else sums.get(node)
            for use in uses if g is not None else ():
                c = Contribution(node, use.position, g, None, use.aliases).array()
                x = self.amounts.variable(use)
                sums[x] = sums[x] + c if x in sums else c
        return sums.get(before)

    def recorded(self, before: Node, ways: dict[Node, list[Contribution]]) -> Any:
        """What went back to a state, with all that was added on the way. It is what counts where
        the rules do not tell it: a hook has changed it, or a mistake that was made on purpose."""
        arrays = [use.array() for uses in ways.values() for use in uses
                  if self.amounts.variable(use) is before]
        return sum(arrays[1:], arrays[0]) if arrays else None


def hooked(node: Node) -> bool:
    """Whether a hook may change the gradient of a node."""
    return any(hook is not hooks.retain and type(hook) is not hooks.Way
               for hook in node.hooks or ())


def in_time(found: Survey, state: Node) -> tuple[Any, list[Node]]:
    """A state at all its places in time, in their order: the places, and the nodes."""
    nodes, name = found.computed, found.called(state)
    at = None if name != state.name else found.named.get(name or "")
    places = np.array([i for i, n in enumerate(nodes) if found.called(n) == name]
                      if at is None else at, int)
    if len(found.outline.scopes) > 1:
        places = np.array([i for i in places.tolist() if nodes[i].at.scope == state.at.scope], int)
    whens = found.times[places]
    order = np.argsort(whens, kind="stable")  # fast: mostly they are in order
    order = order[whens[order] != UNTIMED]
    return whens[order], [nodes[i] for i in places[order].tolist()]
