"""Amounts: how much gradient runs along each wire in view, and what the steps out of view add.

The question this file answers: *how large is what one use sends back, here?*

Only what is in view is looked up, one contribution at a time: the recording of a long sequence has
millions, and none of the others becomes an object.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np

from ..bptt.contribution import Contribution, accumulate
from ..bptt.flow import GradientFlow
from ..core import walk
from ..core.graph import Node, operands_of
from ..core.parts import norm
from .scene import Glyph, Rail, Scene, Wire
from .survey import Survey

EXACT = 2_000  # contributions of hidden steps that are added up again for their sum


class Amounts:
    """What a flow sends along the wires of a scene.

    `of` has the norm for each wire, None where no gradient goes, and `behind` the whole of what
    comes out of a gap, or from a rail; `deltas` what each step in view contributes to the weight of
    each rail, by its place in time. Where boxes are drawn, several of these wires are one there.
    """

    def __init__(self, scene: Scene, flow: GradientFlow, found: Survey) -> None:
        self.scene, self.flow, self.found = scene, flow, found
        self.nodes = {g.node for g in scene.glyphs() if g.node is not None}
        self.rail_of = {rail.glyph: rail for rail in scene.rails}
        self.known: dict[tuple[Node, int], Contribution | None] = {}
        self.behind: dict[Wire, Any] = {}
        self.of = {wire: self.amount(wire) for wire in scene.uses()}
        self.deltas = {rail.glyph: self.step_deltas(rail) for rail in scene.rails}

    def use(self, wire: Wire) -> Contribution | None:
        """What the use that a wire stands for contributes; of a slice's use, what it is to the
        whole weight. None if no gradient goes there."""
        node, position = wire.node, wire.position
        if node is None or wire.kind == "result":
            return None
        if (node, position) not in self.known:
            x = operands_of(node)[position]
            self.known[node, position] = None if x is None else \
                self.flow.incoming.use(node, position, self.found.source(x))
        return self.known[node, position]

    def variable(self, use: Contribution) -> Node:
        """What a use sends its part to; of a slice's use, what it is a slice of."""
        return self.found.source(use.node.operands[use.position])

    # --- everything that goes to one node -------------------------------------------------------

    def quick(self, x: Node) -> bool:
        """Whether the survey knows who uses `x`, and each use is one contribution."""
        recording = self.flow.incoming
        return x in self.found.uses and not recording.as_is and not recording.steps

    def count(self, x: Node) -> int:
        """How many contributions a node gets."""
        return len(self.found.uses[x]) if self.quick(x) else len(self.flow.incoming.get(x, ()))

    def sent(self, x: Node, shown: bool) -> Iterator[Contribution]:
        """The contributions to a node from what is shown, or from what is not, last use first."""
        if not self.quick(x):
            yield from (e for e in self.flow.incoming.get(x, ()) if (e.node in self.nodes) == shown)
            return
        users = self.in_view(x) if shown else (n for n in self.found.users(x)
                                               if n not in self.nodes)
        for user in [*users][::-1]:
            for position, y in walk.parents(user):
                if self.found.source(y) is x:
                    use = self.flow.incoming.use(user, position, x)
                    if use is not None:
                        yield use

    def in_view(self, x: Node) -> list[Node]:
        """The nodes in view that use `x`, oldest first: few, however many there are in all."""
        return self.viewed.get(x, [])

    @cached_property
    def viewed(self) -> dict[Node, list[Node]]:
        """The same of every node that is used in view: a loss may read every step, so that all its
        operands are gone through once only."""
        found, users = self.found, dict[Node, dict[Node, None]]()
        for n in sorted(self.nodes, key=attrgetter("order")):
            if n not in found.shown and n not in found.slices:
                for y in [found.source(y) for _, y in walk.parents(n)]:
                    if y in found.uses:
                        users.setdefault(y, {})[n] = None
        return {x: list(nodes) for x, nodes in users.items()}

    def hidden_sum(self, x: Node) -> Any:
        """What the hidden steps contributed: their sum, or for very many of them the whole without
        what is in view. None where that would leave nothing but rounding."""
        in_view = list(self.sent(x, shown=True))
        if self.count(x) - len(in_view) <= EXACT:
            hidden = list(self.sent(x, shown=False))
            return accumulate(x, hidden) if hidden else None
        whole = self.flow.gradient(x)
        rest = whole - accumulate(x, in_view)
        return rest if norm(rest) > 1e-9 * norm(whole) else None

    # --- sizes ----------------------------------------------------------------------------------

    def step_deltas(self, rail: Rail) -> dict[int, Any]:
        """What each step in view contributes to a weight: the sum of its uses there."""
        node = rail.glyph.node
        if node is None:
            return {}
        uses: dict[int, list[Contribution]] = {}
        for wire in rail.taps:
            use = self.use(wire)
            if use is not None and wire.head.when is not None:
                uses.setdefault(wire.head.when, []).append(use)
        return {step: accumulate(node, parts) for step, parts in uses.items()}

    def amount(self, wire: Wire) -> float | None:
        """The norm of what runs back along a wire; None where no gradient goes."""
        if wire.kind == "result":
            known = wire.node is not None and wire.node in self.flow.arrived
            return self.flow.norm(wire.node) if known and wire.node is not None else None
        if wire.node is not None:
            use = self.use(wire)
            return None if use is None else use.norm()
        x = wire.tail.node  # into the gap, or to a rail
        if x is None or x not in self.flow.arrived:
            return None
        uses = list(self.sent(x, shown=False))  # what hidden users send
        if wire.head in self.rail_of:  # a context: what all its taps send
            taps = {(tap.node, tap.position) for tap in self.rail_of[wire.head].taps}
            uses += [e for e in self.sent(x, shown=True) if (e.node, e.position) in taps]
            uses.sort(key=lambda e: -e.node.order)
        parts = [e.array() for e in uses]
        if not parts:
            return None
        self.behind[wire] = sum(parts[1:], parts[0])
        return norm(np.asarray(self.behind[wire]))

    def joint(self, wire: Wire) -> float | None:
        """The norm of what runs back along a wire that may be several uses: what they send to one
        variable is added up, what goes to different ones counts as one long vector."""
        whole, sent = list(wire.parts()), dict[Node | Wire, list[Wire]]()
        if len(whole) == 1:
            return self.of[whole[0]]
        for part in whole:
            if self.of[part] is not None:
                use = self.use(part)
                x = part if use is None else self.variable(use)
                sent.setdefault(x, []).append(part)
        sizes = [self.of[parts[0]] if len(parts) == 1 else norm(self.added(parts))
                 for parts in sent.values()]
        return math.hypot(*(size for size in sizes if size is not None)) if sizes else None

    def size(self, glyph: Glyph) -> float | None:
        """The norm of what arrived at a variable, at all its steps where it is a sequence; None if
        nothing did."""
        nodes = glyph.steps or (() if glyph.node is None else (glyph.node,))
        there = [self.flow.norm(x) for x in nodes if x in self.flow.arrived]
        return math.hypot(*there) if there else None

    def added(self, wires: list[Wire]) -> Any:
        """What some wires carry back to the same variable."""
        arrays = [use.array() for use in map(self.use, wires) if use is not None]
        return sum(arrays[1:], arrays[0]) if arrays else float("nan")

    def together(self, wires: list[Wire], tail: Glyph) -> float:
        """The same as one number: the norm; of a scalar itself."""
        whole = self.added(wires)
        scalar = tail.node is not None and tail.node.is_scalar
        return float(whole) if scalar else norm(np.asarray(whole))

    def factor(self, sent: Any, after: Node, kept: Node, least: float = 0.0) -> float | None:
        """What a step has `sent` to the state before as a part of what arrived at the state after;
        None where nothing arrived, or less than `least`."""
        arrived = self.arrived(after, kept)
        size = 0.0 if arrived is None else norm(np.asarray(arrived))
        if not size > 0 or size < least:
            return None
        if after.is_scalar and np.ndim(sent) == 0:
            return float(sent) / float(arrived)
        return norm(np.asarray(sent)) / size

    def arrived(self, state: Node, kept: Node) -> Any:
        """What arrived at a state; where a mask kept some of the one before, also at that part of
        what was left."""
        flow = self.flow
        parts = [flow.gradient(state)] if state in flow.arrived else []
        if kept is not state:
            uses = [flow.incoming.use(kept, position, x) for position, x in walk.parents(kept)
                    if self.found.source(x) is not state]
            parts += [use.array() for use in uses if use is not None]
        return sum(parts[1:], parts[0]) if parts else None
