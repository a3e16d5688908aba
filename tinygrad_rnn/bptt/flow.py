"""The gradient flow: one backward pass with every contribution kept.

The question this file answers: *which use of the weight, at which step, gave which part of its
gradient?*

An ordinary backward adds the contributions up and forgets them. Here they stay: `flow.ledger(W)`
has a row for each, and its running sum ends, bit for bit, at what this flow added to `W.grad`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import hooks
from ..core.backprop import commit, contributions
from ..core.graph import Node
from ..core.guards import plain_seed
from ..core.parts import norm
from ..core.totals import Totals
from ..core.walk import is_alias
from ..core.words import describe
from ..errors import GradientError, InputError
from ..nn.fused_open import open_fused
from .ledger import Contribution, Ledger, accumulate


class GradientFlow:
    """A backward pass from `root` with every contribution kept. Made by `gradient_flow`."""

    def __init__(self, root: Node, arrived: dict[Node, Any],
                 incoming: dict[Node, list[Contribution]], carried: dict[Node, Any]) -> None:
        self.root, self.arrived, self.incoming, self.carried = root, arrived, incoming, carried
        self.wrong = ""  # the mistake that was made on purpose: see whatif.py

    def __repr__(self) -> str:
        count = sum(map(len, self.incoming.values()))
        wrong = f"WRONG on purpose ({self.wrong}): " if self.wrong else ""
        return f"<{wrong}gradient flow from {describe(self.root)}: {count} contributions>"

    def ledger(self, node: Node) -> Ledger:
        """One row for every use of `node`: a shared weight, a bias, an input, a state.

        Raises `GradientError` if no gradient of this flow reached it.
        """
        if not isinstance(node, Node):
            raise InputError(f"ledger(...) needs a Value or a Tensor, got {type(node).__name__}")
        if node not in self.incoming:
            raise GradientError(f"no contribution reached {describe(node)}", where="ledger()",
                                fix=f"It needs no gradient, or {describe(self.root)} does not "
                                    "depend on it")
        root = self.root.label if self.root.name else "L"
        return Ledger(node, root, self.incoming[node], self.carried.get(node), self.wrong)

    def gradient(self, node: Node) -> Any:
        """The whole gradient that arrived at `node` in this flow; zeros if none did."""
        if node in self.arrived:
            return self.arrived[node]
        return 0.0 if node.is_scalar else np.zeros_like(node.value)

    def norm(self, node: Node) -> float:
        """|dL/d(node)|."""
        return norm(self.gradient(node))

    def norms(self, name: str) -> dict[int, float]:
        """|dL/d(name)_t| for every step t at which a node of that name got a gradient, in order of
        steps.

        `name` may be qualified by its scope (`encoder/h`); an ambiguous one raises and lists them.
        """
        scope, _, short = name.rpartition("/")
        named = [n for n in self.arrived if n.name == short and (not scope or n.scope == scope)]
        if any(n.at.span is not None for n in named):
            raise InputError(f"the {short!r} of all steps are one node here", where="norms()",
                             fix="Ask the graph of the operations: tg.gradient_flow("
                                 "tg.open_fused(loss))")
        named = [n for n in named if n.step is not None] or named  # L_t, and not their sum L
        scopes = sorted({n.scope for n in named})
        if len(scopes) > 1:
            raise InputError(f"{short!r} is in several scopes: "
                             + ", ".join(f"{s}/{short}" for s in scopes),
                             where="norms()", fix="Give the name with its scope")
        if not named:
            known = sorted({"/".join(filter(None, (n.scope, n.name)))
                            for n in self.arrived if n.name})
            raise InputError(f"no node named {name!r} got a gradient; these did: "
                             + ", ".join(known),
                             where="norms()", fix='Name your states: h = tanh(z).named("h")')
        named.sort(key=lambda n: (n.step is not None, n.step or 0, n.order))
        found = {n.step if n.step is not None else i: self.norm(n) for i, n in enumerate(named)}
        if len(found) < len(named):
            raise InputError(f"several nodes are named {name!r} at the same step", where="norms()",
                             fix='Put them in scopes (with tg.scope("first"): ...), or ask for '
                                 "flow.norm(node)")
        return found


def gradient_flow(root: Node, seed: Any = None) -> GradientFlow:
    """Backward from `root`, adding to `.grad` as `backward()` does, with every contribution kept.

    Each leaf's gradient is the sum of its ledger's rows, in their order. Raises as `backward()`
    does.
    """
    arriving, arrived, incoming = every_contribution(root, plain_seed(root, seed,
                                                                      "gradient_flow()"))
    carried = {x: x.grad for x in arriving if x.grad is not None}
    commit(arriving)
    flow = GradientFlow(root, arrived, incoming, carried)
    flow.wrong = hooks.wrong()
    return flow


def opened(flow: GradientFlow) -> GradientFlow:
    """The same flow through the operations inside of fused layers (`open_fused`); `.grad` is left
    alone. A flow without fused layers is returned as it is."""
    root = open_fused(flow.root)
    if root is flow.root:
        return flow
    _, arrived, incoming = every_contribution(root, flow.arrived[flow.root])
    return GradientFlow(root, arrived, incoming, flow.carried)


def every_contribution(root: Node, seed: Any) -> tuple[Totals, dict[Node, Any],
                                                       dict[Node, list[Contribution]]]:
    """The walk back from `root`: (the sums to commit, the gradient of each node, and every use of
    each)."""
    arriving, arrived = Totals([(root, seed)]), {root: seed}
    incoming: dict[Node, list[Contribution]] = {}
    wrong = hooks.wrong()
    for node, position, x, g, c in hooks.watched(contributions(arriving), arriving):
        arrived[node] = g
        if position == 1 and node.op.late is not None and not wrong:
            c = None  # an array of a weight's size for every step: built again when asked for
        incoming.setdefault(x, []).append(Contribution(node, position, g, c))
    if not wrong:  # the rows of a wrong pass are what it made of each use
        tell_apart(incoming, arriving)
        see_through(root, incoming, arrived, arriving)
    arrived.update(arriving)
    return arriving, arrived, incoming


def tell_apart(incoming: dict[Node, list[Contribution]], totals: Totals) -> None:
    """Replace the uses by an op that spans many steps with one for every step (`Op.parts`)."""
    parts: dict[Node, list[Any]] = {}
    for x, entries in incoming.items():
        if all(e.node.op.parts is None for e in entries):
            continue
        found = list[Contribution]()
        for e in entries:
            if e.node.op.parts is not None and e.node not in parts:
                parts[e.node] = e.node.op.parts(e.g, e.node.value, *e.node.values,
                                                **e.node.params or {})
            steps = parts[e.node][e.position] if e.node in parts else None
            found += [e] if steps is None else [
                Contribution(e.node, e.position, e.g, None, (), part) for part in steps]
        incoming[x] = found
        if x in totals:
            totals[x] = accumulate(x, found)
            totals.owned.discard(x)


def see_through(root: Node, incoming: dict[Node, list[Contribution]], arrived: dict[Node, Any],
                totals: Totals) -> None:
    """Replace the uses of a leaf by its aliases (transposes, slices) with those that consume the
    alias."""
    shown: dict[Node, tuple[Node, tuple[Node, ...]]] = {}  # alias -> the leaf, and the way to it
    for node in reversed(list(arrived)):  # operands first
        if node is root or not is_alias(node) or node.a is None:
            continue
        if node.a.is_leaf or node.a in shown:
            source, way = shown.get(node.a, (node.a, ()))
            shown[node] = (source, (*way, node))
    aliases: dict[Node, list[tuple[Node, tuple[Node, ...]]]] = {}
    for alias, (source, way) in shown.items():
        aliases.setdefault(source, []).append((alias, way))
    for x, ways in aliases.items():
        entries = [e for e in incoming[x] if e.node not in shown]
        for alias, way in ways:
            entries += [e.through(*way) for e in incoming.get(alias, ()) if e.node not in shown]
        incoming[x] = sorted(entries, key=lambda e: -e.node.order)
        totals[x] = accumulate(x, incoming[x])
        totals.owned.discard(x)
