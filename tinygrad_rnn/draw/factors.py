"""Factors: by how much each step changes the gradient on its way back.

The question this file answers: *does a step make it larger or smaller?*

On each passage from step to step stands the factor between what arrived at a state and what goes on
to the one before, by all wires of the passage together; in a gap the mean one of its steps (see
`hidden.py`), and at each rail the sum of what these gave to the weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from ..bptt.contribution import Contribution
from ..core.graph import Node
from ..core.parts import norm
from .amounts import Amounts
from .hidden import Means, kept
from .labels import Run, Text, number, roman
from .scene import Glyph, Scene, Wire
from .through import Through

TOGETHER = "Σ "  # before a factor that several wires have together


def signed(node: Node, x: Any) -> Text:
    """A gradient as a number: itself for a scalar, else its norm."""
    return roman(number(x if node.is_scalar else norm(np.asarray(x))))


def say_factors(of: Mapping[Wire, float | None], through: Through) -> None:
    """The factor of each passage, and where a state or an output gets more than one gradient, the
    size of each where it arrives. `of` are the wires that are drawn, and what runs along each."""
    amounts = through.amounts
    states: dict[tuple[Hashable, int | None], Glyph] = {
        (g.key, g.when): g for c in amounts.scene.columns for g in c.glyphs if g.role == "state"
    }
    steps = {c.when: [g.node for g in c.glyphs if g.node is not None]
             for c in amounts.scene.columns}
    left = {g: kept(g.node, steps[g.when], amounts.found)
            for g in states.values() if g.node is not None}
    places = {node: glyph.key for glyph, node in left.items()}
    there = [wire for wire, amount in of.items() if amount is not None]
    ways: dict[tuple[Glyph, Glyph], list[Wire]] = {}  # h * h uses it twice: one number
    for wire in there:
        if wire.tail.role in ("state", "output") and wire.kind not in ("result", "tap"):
            ways.setdefault((wire.tail, wire.head), []).append(wire)
    counted = Counter(tail for tail, _ in ways)
    for (tail, _), wires in ways.items():
        if counted[tail] > 1:
            wires[0].arrives = arriving(wires, amounts)
    passages: dict[tuple[Glyph, int | None, Node | None], list[tuple[Wire, Contribution]]] = {}
    for wire in there:
        if wire.kind == "carried":
            for part in wire.parts():
                if amounts.of[part] is not None and (use := amounts.use(part)) is not None:
                    # a gap hides several states: what goes to one is no part of another's
                    passage = part.tail, wire.head.when, amounts.variable(use)
                    passages.setdefault(passage, []).append((wire, use))
    for (tail, when, before), uses in passages.items():
        place = tail.key if tail.node is None else places.get(tail.node, tail.key)
        after = states.get((place, when))
        if after is None or after.node is None or before is None:
            continue
        inside = through.step(after.node, left[after]).inside
        through_it = [wire for wire, use in uses if use.node in inside]  # an output reads it too
        factor = through.factor(before, after.node, left[after]) if through_it else None
        if factor is not None:  # two states may leave a box by one way
            first = through_it[0]
            others = (*first.note, Run(", ")) if first.note else ()
            several = TOGETHER if any(wire is not first for wire in through_it) else ""
            first.note = (*others, *roman(f"{several}×{number(factor)}"))


def arriving(wires: list[Wire], amounts: Amounts) -> Text:
    """What one user sends to a state: by all its uses, or all that comes out of a gap, or from a
    rail."""
    parts = [part for wire in wires for part in wire.parts()]
    uses = [part for part in parts if amounts.use(part) is not None]
    tail = wires[0].tail
    if uses:
        return roman(number(amounts.together(uses, tail)))
    whole = next((amounts.behind[part] for part in parts if part in amounts.behind), None)
    return () if whole is None or tail.node is None else signed(tail.node, whole)


def say_gap(scene: Scene, through: Through) -> None:
    """What the hidden steps did on the whole: in each gap the mean factor of a step, at each rail
    the sum of their parts, if there is one gap."""
    gaps = [at for at, column in enumerate(scene.columns) if column.hidden]
    if not gaps:
        return
    amounts, means = through.amounts, Means(through, gaps)
    for at in gaps:
        scene.columns[at].lines = means.said(at)
    for rail in scene.rails:
        node = rail.glyph.node
        if node is None or node not in amounts.flow.arrived:
            continue
        if sum(scene.columns[at].stage == rail.stage for at in gaps) > 1:
            continue  # it would be read as the sum of the first gap
        hidden = amounts.hidden_sum(node)
        if hidden is not None:
            rail.gap_note = (Run("Σ Δ = "), *signed(node, hidden))
