"""Dressing: the gradients of a flow written onto a scene, as colours, widths and numbers.

The question this file answers: *what is said where, and how does it look?*
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np

from ..bptt.flow import GradientFlow
from ..core.graph import Node
from . import style
from .amounts import Amounts
from .labels import Run, Text, number, plain, roman, symbol
from .scale import Scale
from .scene import Column, Glyph, Rail, Scene, Wire
from .series import Strips, series_of
from .survey import Survey
from .wording import unnamed_root


class Dresser:
    """Writes the gradients of a flow onto a scene, as colours, and as `numbers` too."""

    def __init__(self, scene: Scene, flow: GradientFlow, found: Survey,
                 numbers: bool = True) -> None:
        self.scene, self.flow = scene, flow
        root = flow.root
        self.root: Text = symbol(root.name, root.step) if root.name else \
            unnamed_root(root, [*found.seen, *flow.totals])
        self.amounts = Amounts(scene, flow, found)
        hidden = any(column.hidden for column in scene.columns)
        self.series = series_of(scene, flow, found) if hidden else Strips({}, [], [])
        self.scale = Scale(self.amounts.norms(), self.series.norms())
        scene.backwards = True
        scene.caption = (
            Run("Gradient flow", "b"),
            Run(": arrows run backwards, each carries its part of ∂"),
            *self.root,
            Run("/∂·"),
            *((Run(";  "), *scene.caption) if scene.caption else ()),
        )
        for wire, amount in self.amounts.of.items():
            self.dress(wire, amount)
        for glyph in scene.glyphs():
            self.dress_glyph(glyph)
        for rail in scene.rails:
            self.dress_rail(rail)
            self.dress_steps(rail)
        self.dress_passages()
        self.dress_gap()
        if not numbers:
            self.without_numbers()

    def without_numbers(self) -> None:
        """Colours and widths only."""
        for glyph in self.scene.glyphs():
            glyph.note = ()
        for wire in self.scene.wires:
            wire.note = ()
        for rail in self.scene.rails:
            rail.step_notes, rail.note, rail.gap_note = {}, (), ()
        for column in self.scene.columns:
            column.lines = ()

    def signs(self) -> tuple[Text, ...]:
        """What the legend has to explain: the signs that stand beside the numbers."""
        said = []
        if any(wire.kind == "carried" and wire.note for wire in self.scene.wires):
            said.append(roman("×: the factor by which a step changes the gradient on its way back"))
        if any(rail.step_notes for rail in self.scene.rails):
            said.append((Run("Δ"), Run("t", "_"), Run(": what step "), Run("t", "i"),
                         Run(" adds to the gradient of a weight")))
        return tuple(said)

    def signed(self, node: Node, x: Any) -> Text:
        """A gradient as a number: itself for a scalar, else its norm."""
        return roman(number(x if node.is_scalar else np.linalg.norm(np.asarray(x))))

    # --- looks ----------------------------------------------------------------------------------

    def dress(self, wire: Wire, amount: float | None) -> None:
        """Turn a wire round and paint it by the size of what it carries."""
        if amount is None:
            wire.role, wire.dash, wire.width, wire.colour = "dim", "3 3", 1.0, None
            wire.title = "no gradient goes here"
            return
        wire.backwards = True
        wire.colour, wire.role, wire.width, wire.dash = self.scale.line(amount)
        if wire.node is not None:
            where = "" if wire.node.step is None else f"step {wire.node.step}: "
            name = plain(wire.tail.text if wire.kind != "result" else wire.head.text)
            wire.title = f"{where}contributes {number(amount)} to ∂{plain(self.root)}/∂{name}"

    def dress_steps(self, rail: Rail) -> None:
        """Δ₂ = 0.042: a step's part of the gradient of a weight, all its uses there together."""
        node = rail.glyph.node
        if node is None:
            return
        steps = {c.when: str(c.step) for c in self.scene.columns}
        for when, delta in self.amounts.deltas[rail].items():
            size = self.signed(node, delta)
            rail.step_notes[when] = (Run("Δ"), Run(steps[when], "_"), Run(" = "), *size)

    def norm_text(self, node: Node, name: Text, value: Any) -> Text:
        """‖∂L/∂h₁‖ = 0.016, or ∂L/∂w = 0.108 for a scalar."""
        bar = "" if node.is_scalar else "‖"
        return (
            Run(f"{bar}∂"),
            *self.root,
            Run("/∂"),
            *name,
            Run(f"{bar} = "),
            *self.signed(node, value),
        )

    def dress_glyph(self, glyph: Glyph) -> None:
        """States are filled with the colour of their gradient and say it; dead ends are dim."""
        node = glyph.node
        if node is None or any(glyph is rail.glyph for rail in self.scene.rails):
            return
        if node not in self.flow.arrived:
            if not node.is_leaf:
                glyph.role, glyph.dashed = "dim", True
            return
        size = self.flow.norm(node)
        glyph.title += f"; ‖∂{plain(self.root)}/∂·‖ = {number(size)}"
        around = glyph.when is None and not self.scene.columns
        if around and (glyph.role not in ("op", "function")):
            glyph.note = self.short(node)
        if glyph.role != "state" and not (glyph.role == "initial" and node.requires_grad):
            return
        glyph.note = self.norm_text(node, glyph.text, self.flow.gradient(node))
        colour, role, _, _ = self.scale.line(size)
        if colour is not None:
            glyph.fill, glyph.stroke, glyph.ink = (
                colour,
                style.mix(colour, "#000000", 0.25),
                style.ink_on(colour),
            )
        else:
            glyph.stroke, glyph.dashed = role, True

    def short(self, node: Node) -> Text:
        """The gradient of a variable in a graph without time."""
        return (Run("∂ = "), *self.signed(node, self.flow.gradient(node)))

    def dress_rail(self, rail: Rail) -> None:
        """The sum at the end of a rail."""
        node = rail.glyph.node
        if node is None or node not in self.flow.arrived:
            return
        name = symbol(node.name) if node.name else rail.glyph.text
        rail.note = self.norm_text(node, name, self.flow.gradient(node))
        rail.glyph.title += f"; the sum of {self.amounts.count(node)} contributions"

    # --- from step to step ----------------------------------------------------------------------

    def dress_passages(self) -> None:
        """On each passage the factor between what arrived at the state and what goes on to the one
        before; where a state gets a gradient from above too, that one's size stands beside it."""
        states: dict[tuple[Hashable, int | None], Glyph] = {
            (g.key, g.when): g for c in self.scene.columns for g in c.glyphs if g.role == "state"
        }
        counted: dict[Glyph, int] = {}
        for wire, amount in self.amounts.of.items():
            if amount is not None and wire.tail.role == "state":
                counted[wire.tail] = counted.get(wire.tail, 0) + 1
        passages: dict[tuple[Glyph, int | None], list[Wire]] = {}
        for wire, amount in self.amounts.of.items():
            if amount is not None and wire.kind == "carried":
                passages.setdefault((wire.tail, wire.head.when), []).append(wire)
            elif amount is not None and wire.kind == "inner" and counted.get(wire.tail, 0) > 1:
                wire.note = roman(number(self.amounts.together([wire], wire.tail)))
        for (tail, step), wires in passages.items():
            after = states.get((tail.key, step))
            if after is not None and after.node is not None:
                factor = self.amounts.factor(wires, tail, after.node)
                wires[0].note = () if factor is None else roman(f"×{number(factor)}")

    def dress_gap(self) -> None:
        """What the hidden steps did on the whole: the mean factor of a step, the sum of their
        parts."""
        gap = next((c for c in self.scene.columns if c.hidden), None)
        if gap is None:
            return
        gap.lines = self.mean_factor(gap)
        for rail in self.scene.rails:
            node = rail.glyph.node
            if node is None or node not in self.flow.arrived:
                continue
            hidden = self.amounts.hidden_sum(node)
            if hidden is not None:
                rail.gap_note = (Run("Σ Δ = "), *self.signed(node, hidden))

    def mean_factor(self, gap: Column) -> tuple[Text, ...]:
        """×0.66 per step: the geometric mean over the gap."""
        at = self.scene.columns.index(gap)
        if not 0 < at < len(self.scene.columns) - 1:
            return ()
        before, after = (self.scene.columns[i] for i in (at - 1, at + 1))
        for a in before.glyphs:
            for b in after.glyphs:
                if (
                    a.key == b.key
                    and a.role == "state"
                    and a.node is not None
                    and b.node is not None
                ):
                    low, high = self.flow.norm(a.node), self.flow.norm(b.node)
                    if low > 0 and high > 0 and math.isfinite(low) and math.isfinite(high):
                        steps = (b.when or 0) - (a.when or 0)
                        return (roman(f"×{number((low / high) ** (1 / steps))} per step"),)
        return ()
