"""Parts of a step: what lies on the way from state to state, what is below it and what is above.

The question this file answers: *where in a step does a node belong?*

    spine   on a way from a state that enters to a state that leaves: along the middle
    lower   what feeds the spine: inputs and what is made of them
    upper   what comes after: outputs, losses, and what is given only to them

It works on keys (places within a step, the same at every step), so all steps look alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

import numpy as np

from ..core.graph import Node, leaf
from .contexts import afterwards, used_again
from .labels import symbol
from .scene import Scene, Wire

Key = Hashable
LOSSES = {"l", "loss", "e", "j", "cost", "error", "nll"}


class Steps:
    """The union of all visible steps, by key: uses within a step, states that enter and leave."""

    def __init__(self, scene: Scene) -> None:
        self.keys: dict[Key, str] = {}  # key -> scope, in the order of the program
        self.above: dict[Key, dict[Key, None]] = {}  # what a key is used by in its own step
        self.below: dict[Key, dict[Key, None]] = {}
        self.enters: dict[Key, None] = {}
        self.leaves: dict[Key, None] = {}
        self.ports: dict[Key, None] = {}  # where a state of the same stage comes in
        self.there: dict[Key, set[int | None]] = {}  # in which columns a key is
        passes: dict[Key, Key] = {}  # what masks let pass
        for column in scene.columns:
            if column.step is not None:
                for glyph in column.glyphs:
                    self.keys.setdefault(glyph.key, glyph.scope)
                    self.there.setdefault(glyph.key, set()).add(column.when)
                    if glyph.passes is not None:
                        passes[glyph.key] = glyph.passes
        inside: dict[tuple[Key, Key], None] = {}  # most steps have the same uses
        for wire in scene.wires:
            if wire.kind in ("carried", "handed") or wire.delay and wire.role == "carried":
                self.carried(wire)
            elif (wire.tail.when is not None and wire.tail.when == wire.head.when
                  and not wire.delay and wire.kind != "final"):
                inside[wire.tail.key, wire.head.key] = None
        for tail, head in inside:
            self.above.setdefault(tail, {})[head] = None
            self.below.setdefault(head, {})[tail] = None
        passed = (passes[key] for key in [*self.leaves] if key in passes)
        self.leaves.update(dict.fromkeys(key for key in passed if key in self.keys))
        if not self.leaves:  # a single step: the state is what has the name of the one before
            names = {base_name(g.node) for g in scene.initial if g.node is not None}
            self.leaves = dict.fromkeys(self.by_name(names, scene))
        self.kind = self.classify()
        self.backwards = self.find_backwards(scene)

    def carried(self, wire: Wire) -> None:
        """A state that leaves a step, enters one, or both."""
        if wire.head.key in self.keys and wire.head.when is not None:
            self.enters[wire.head.key] = None
            if wire.kind == "carried":
                self.ports[wire.head.key] = None
        if wire.tail.key in self.keys:
            self.leaves[wire.tail.key] = None

    def by_name(self, names: set[str | None], scene: Scene) -> list[Key]:
        """The variables of these names."""
        return [
            g.key
            for c in scene.columns
            for g in c.glyphs
            if g.node is not None
            and g.node.name is not None
            and g.node.name in names
            and g.key in self.below
        ]

    def names(self, part: str) -> dict[str, Key]:
        """The scopes of a `part` of time by their own names, if there are several, each with the
        key of a state of its own."""
        found = {scope.removeprefix(part).lstrip("/"): key
                 for key, scope in reversed(self.keys.items()) if key in self.leaves}
        return {name: key for name, key in found.items() if name and len(found) > 1}

    def find_backwards(self, scene: Scene) -> set[str]:
        """The scopes that read from the end: their states come from the step after."""
        at = {g: i for i, column in enumerate(scene.columns) for g in column.glyphs}
        ways: Counter[str] = Counter()
        for wire in scene.wires:
            if wire.kind == "carried" and wire.tail in at and wire.head in at:
                ways[wire.head.scope] += at[wire.head] - at[wire.tail]
            elif wire.delay and wire.role == "carried":
                ways[wire.head.scope] += wire.delay
        return {scope for scope, way in ways.items() if way < 0}

    def reach(self, start: Iterable[Key], ways: dict[Key, dict[Key, None]]) -> set[Key]:
        """Everything that can be reached along `ways`."""
        found = dict.fromkeys(start)
        todo = list(found)
        for key in todo:
            for other in ways.get(key, ()):
                if other not in found:
                    found[other] = None
                    todo.append(other)
        return set(found)

    def classify(self) -> dict[Key, str]:
        """The part of every key. Every scope has a spine of its own: the layers of a stack."""
        kind = dict.fromkeys(self.keys, "upper")
        for scope in dict.fromkeys(self.keys.values()):
            own = {key for key, there in self.keys.items() if there == scope}
            spine = (
                own
                & self.reach((k for k in self.enters if k in own), self.above)
                & self.reach((k for k in self.leaves if k in own), self.below)
            )
            for key in own & self.reach(spine, self.below):
                kind[key] = "spine" if key in spine else "lower"
        return kind


def fed_back(wires: Iterable[Wire]) -> set[Key]:
    """What goes on to the next step and is no state: an output that is read again. Every way from
    where y comes in to the next y leads through a state h, and h carries on without y. What comes
    in where h itself does in other steps is a state too (one that a mask kept), and what a mask
    leaves of h is no output."""
    above: dict[Key, dict[Key, None]] = {}
    entries: dict[Key, dict[Key, None]] = {}
    ports: dict[Key, set[tuple[Key, int]]] = {}
    masks: dict[Key, Key | None] = {}
    for wire in wires:
        hidden = wire.tail.role == "gap"
        if wire.kind == "carried" and wire.head.when is not None and (
                wire.tail.when is not None or hidden):
            entries.setdefault(wire.tail.key, {})[wire.head.key] = None
            masks[wire.tail.key] = wire.tail.passes
            ports.setdefault(wire.tail.key, set()).add((wire.head.key, wire.position))
        elif wire.tail.when is not None and wire.tail.when == wire.head.when:
            above.setdefault(wire.tail.key, {})[wire.head.key] = None

    def carries_on(key: Key, without: Key = None) -> bool:
        seen = dict.fromkeys(k for k in entries[key] if k != without)
        todo = list(seen)
        for k in todo:
            for other in above.get(k, ()):
                if other not in seen and other != without:
                    seen[other] = None
                    todo.append(other)
        return key in seen

    return {y for y in entries if len(entries) > 1 and carries_on(y) and any(
        h not in (y, masks[y]) and ports[h].isdisjoint(ports[y]) and not carries_on(y, h)
        and carries_on(h, y) for h in entries)}


def assign_roles(scene: Scene) -> None:
    """Give every variable and every rail its role, which decides its colour."""
    steps = Steps(scene)
    for column in scene.columns:
        for glyph in column.glyphs:
            if glyph.role == "value":
                glyph.role = variable_role(glyph.node, glyph.key, steps)
    after, again = afterwards(scene), used_again(scene)
    for glyph in scene.around:
        if glyph in again:
            glyph.role = "value" if glyph.role == "total" else glyph.role
        elif glyph.role == "value":
            glyph.role = "loss" if lossy(glyph.node) else \
                "output" if glyph in after and steps.leaves else "value"
    taken: set[str] = set()
    stage = 0
    for rail in sorted(scene.rails, key=lambda rail: rail.stage):
        if rail.stage != stage:  # the same colours once more
            stage, taken = rail.stage, set()
        wanted = Counter(rail_role(wire, steps) for wire in rail.taps).most_common()
        spare = ["weight 0", "weight 1", "weight 2", "weight 3"]
        choice = (role for role in (*(r for r, _ in wanted), *spare) if role not in taken)
        rail.role = next(choice, "weight 3")
        if rail.glyph.node is not None and not rail.glyph.node.requires_grad:
            rail.role = "input"
        elif rail.glyph.node is not None and rail.glyph.node.op.rules and stage:
            rail.role = "carried"  # a context
        taken.add(rail.role)
        rail.glyph.role = "state" if rail.role == "carried" else rail.role
        for wire in rail.taps:
            wire.role = rail.role
    for glyph in scene.around:
        if glyph.role == "input" and glyph.node is not None and weightlike(glyph.node):
            bias, last = (glyph.node.name or "").startswith("b"), bool(scene.columns)
            glyph.role = (
                ("weight bias y" if last else "weight bias h")
                if bias
                else "weight output"
                if last
                else "weight input"
            )
            glyph.shape, glyph.text = "box", symbol(glyph.node.name or "", None, bold=True)
    for glyph in scene.glyphs():
        if glyph.role == "loss" and glyph.shape == "circle":
            glyph.shape = "pill"
    shared = {rail.glyph for rail in scene.rails if rail.role == "carried"}
    for wire in scene.wires:
        if wire.kind in ("carried", "handed") or wire.kind == "free" and wire.head in shared:
            wire.role, wire.width = "carried", 2.0
        elif wire.kind == "fed":
            wire.role, wire.width = "weight output", 1.6


def base_name(x: Node) -> str | None:
    """The name of the state that a first state starts: h for h0."""
    return None if x.name is None else x.name.rstrip("0").rstrip("_")


def weightlike(x: Node) -> bool:
    """Whether a leaf has the name of a weight."""
    return x.op is leaf and x.step is None and x.name is not None and x.name[0] in "WUVRKbwuvθ"


def variable_role(node: Node | None, key: Key, steps: Steps) -> str:
    """State, loss, output, or just a value."""
    if key in steps.leaves:
        return "state"
    if lossy(node):
        return "loss"
    return "output" if steps.kind[key] == "upper" and steps.leaves else "value"


def lossy(node: Node | None) -> bool:
    """Whether a node is a loss: a single number with the name of one."""
    if node is None or node.name is None:
        return False
    return node.name.lower().split("_")[0] in LOSSES and np.size(node.value) == 1


def rail_role(wire: Wire, steps: Steps) -> str:
    """What a weight does: it meets the state, the input, or what comes after; or it is a bias."""
    kind, node = steps.kind.get(wire.head.key, "upper"), wire.node
    if node is not None and node.op.name == "+":
        return "weight bias y" if kind == "upper" else "weight bias h"
    if kind == "spine" and wire.head.key in steps.ports:
        return "weight recurrent"
    return "weight output" if kind == "upper" else "weight input"
