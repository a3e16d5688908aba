"""Dressing: the gradients of a flow written onto a scene, as colours, widths and numbers.

The question this file answers: *what is said where, and how does it look?*
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.graph import Node
from ..core.over_time import result_step
from ..core.parts import norm
from .amounts import Amounts
from .factors import TOGETHER, say_factors, say_gap, signed
from .hidden import mean_of
from .labels import Run, Text, minus, number, plain, roman, symbol
from .scale import Scale
from .scene import Glyph, Rail, Scene, Wire
from .series import Strips
from .through import Through
from .wording import unnamed_root


class Dresser:
    """Writes the gradients of a flow onto a scene, as colours, and as `numbers` too. The scene may
    have boxes where the one that the `amounts` are of has operations."""

    def __init__(self, scene: Scene, amounts: Amounts, strips: Strips,
                 numbers: bool = True) -> None:
        self.scene, self.amounts, self.flow = scene, amounts, amounts.flow
        root = self.flow.root
        name = amounts.found.called(root)
        self.root: Text = symbol(name, result_step(root)) if name else \
            unnamed_root(root, [*amounts.found.seen, *self.flow.totals])
        self.of = {wire: amounts.joint(wire) for wire in scene.uses()}
        self.scale = Scale(self.norms(), strips.norms())
        self.stripped = bool(strips.weights)
        scene.backwards = True
        scene.caption = (
            Run("Gradient flow", "b"),
            Run(": arrows run backwards, each carries its part of ∂"),
            *self.root,
            Run("/∂·"),
            *((Run(";  "), *scene.caption) if scene.caption else ()),
        )
        for wire, amount in self.of.items():
            self.dress(wire, amount)
        for glyph in scene.glyphs():
            self.dress_glyph(glyph)
        for rail in scene.rails:
            self.dress_rail(rail)
            self.dress_steps(rail)
        self.through = Through(amounts)
        say_factors(self.of, self.through)
        say_gap(scene, self.through)
        if not numbers:
            self.without_numbers()

    def norms(self) -> Iterator[float | None]:
        """Every norm in view: of the wires, and those that are sums, of a state's gradient and of a
        step's uses of a weight."""
        yield from self.of.values()
        for glyph in self.scene.glyphs():
            if glyph.role in ("state", "initial"):
                yield self.amounts.size(glyph)
        for rail in self.scene.rails:
            for delta in self.amounts.deltas[rail.glyph].values():
                yield norm(np.asarray(delta))

    def without_numbers(self) -> None:
        """Colours and widths only."""
        for glyph in self.scene.glyphs():
            glyph.note = ()
        for wire in self.scene.wires:
            wire.note = wire.arrives = ()
        for rail in self.scene.rails:
            rail.step_notes, rail.note, rail.gap_note = {}, (), ()
        for column in self.scene.columns:
            column.lines = ()

    def signs(self) -> tuple[Text, ...]:
        """What the legend has to explain: the signs that stand beside the numbers."""
        said = []
        factors = [wire.note for wire in self.scene.wires if wire.kind == "carried" and wire.note]
        if factors:
            several = "; Σ ×: of all its wires together" if any(
                TOGETHER in plain(note) for note in factors) else ""
            without = ", without what is added inside of it" if self.through.added else ""
            said.append(roman("×: the factor by which a step changes the gradient on its way back"
                              + without + several))
        if mean := mean_of(self.scene.columns):
            said.append(mean)
        if any(wire.arrives for wire in self.scene.wires):
            said.append(roman("a small number at a wire: what arrives by it, where more than one "
                              "gradient does"))
        if self.inside():
            said.append(roman("what a state gets from inside its own cell has no wire"))
        if self.stripped or any(rail.step_notes for rail in self.scene.rails):
            said.append((Run("Δ"), Run("t", "_"), Run(": what step "), Run("t", "i"),
                         Run(" adds to the gradient of a weight")))
            if any(x is not None and not x.is_scalar for x in (r.glyph.node for r in
                                                               self.scene.rails)):
                said.append((Run("∂"), *self.root, Run("/∂"), Run("W", "b"), Run(" = Σ Δ"),
                             Run("t", "_"), Run("; of arrays the norms are shown, and these do not "
                                                "add up")))
        return tuple(said)

    def inside(self) -> bool:
        """Whether a state in view gets a part of its gradient from an operation in its own box: the
        c of an LSTM from the h of the same step."""
        shown = {part for wire in self.scene.uses() for part in wire.parts()}
        states = {glyph for glyph in self.scene.glyphs() if glyph.role == "state"}
        return any(self.amounts.of.get(wire) for wire in self.amounts.scene.wires
                   if wire.tail in states and wire not in shown)

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
            timed = wire.node.step is not None and self.scene.columns
            where = minus(f"step {wire.node.step}: ") if timed else ""
            name = plain(wire.tail.text if wire.kind != "result" else wire.head.text)
            wire.title = f"{where}{number(amount)} comes back to {name}" if boxed(wire.tail) else \
                f"{where}contributes {number(amount)} to ∂{plain(self.root)}/∂{name}"

    def dress_steps(self, rail: Rail) -> None:
        """Δ₂ = 0.042: a step's part of the gradient of a weight, all its uses there together."""
        node = rail.glyph.node
        if node is None:
            return
        steps = {c.when: minus(str(c.step)) for c in self.scene.columns}
        for when, delta in self.amounts.deltas[rail.glyph].items():
            size = signed(node, delta)
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
            *signed(node, value),
        )

    def dress_glyph(self, glyph: Glyph) -> None:
        """States are filled with the colour of their gradient and say it; dead ends are dim."""
        node = glyph.node
        if boxed(glyph):
            self.dress_box(glyph)
            return
        if node is None or any(glyph is rail.glyph for rail in self.scene.rails):
            return
        size = self.amounts.size(glyph)
        if size is None:
            if not node.is_leaf:
                glyph.role, glyph.dashed = "dim", True
            return
        glyph.title += f"; ‖∂{plain(self.root)}/∂·‖ = {number(size)}"
        around = glyph.when is None and not self.scene.columns
        if around and (glyph.role not in ("op", "function")):
            glyph.note = self.sequence_text(glyph, size) if glyph.steps else \
                self.beside_sequences(glyph, node) if self.amounts.scene.columns else \
                self.short(node)
        elif glyph.shape == "box" and glyph.when is None:  # a weight beside the steps
            glyph.note = self.norm_text(node, symbol(node.name or "w"), self.flow.gradient(node))
        if glyph.role != "state" and not (glyph.role == "initial" and node.requires_grad):
            return
        if not glyph.steps:
            glyph.note = self.norm_text(node, glyph.text, self.flow.gradient(node))
        colour, role, _, _ = self.scale.line(size)
        if colour is not None:
            glyph.fill, glyph.stroke, glyph.ink = colour, colour.its("edge"), colour.its("ink")
        else:
            glyph.stroke, glyph.dashed = role, True

    def dress_box(self, glyph: Glyph) -> None:
        """A box that is a whole layer tells the gradient of each of its weights."""
        said = [(*symbol(x.name or "w", None, bold=True), Run(" "),
                 *signed(x, self.flow.gradient(x)))
                for x in glyph.weights if x in self.flow.arrived]
        if said:
            glyph.note = (Run("‖∂"), *self.root, Run("/∂·‖: "), *said[0],
                          *(run for one in said[1:] for run in (Run(", "), *one)))

    def sequence_text(self, glyph: Glyph, size: float) -> Text:
        """‖∂L/∂(h₁ … h₉)‖ = 0.5: all steps as one long vector."""
        return (Run("‖∂"), *self.root, Run("/∂("), *glyph.text, Run(f")‖ = {number(size)}"))

    def beside_sequences(self, glyph: Glyph, node: Node) -> Text:
        """‖∂L/∂y‖ = 0.5: what has no step in a graph with time says of what its gradient is, as its
        neighbours do."""
        name = self.root if node is self.flow.root else \
            symbol(node.name) if node.name and glyph.role == "total" else glyph.text
        return self.norm_text(node, name, self.flow.gradient(node))

    def short(self, node: Node) -> Text:
        """The gradient of a variable in a graph without time."""
        sign = "∂" if node.is_scalar else "‖∂‖"
        return (Run(f"{sign} = "), *signed(node, self.flow.gradient(node)))

    def dress_rail(self, rail: Rail) -> None:
        """The sum at the end of a rail."""
        node = rail.glyph.node
        if node is None or node not in self.flow.arrived:
            return
        name = symbol(node.name) if node.name else rail.glyph.text
        rail.note = self.norm_text(node, name, self.flow.gradient(node))
        rail.glyph.title += f"; the sum of {self.amounts.count(node)} contributions"


def boxed(glyph: Glyph) -> bool:
    """Whether a glyph stands for several operations."""
    return glyph.node is None and glyph.role in ("cell", "function")
