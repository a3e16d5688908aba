"""The gradient flow: the unrolled graph with its arrows turned round, as wide and as red as the
gradient that runs through them is large.

The question this file answers: *where does the gradient grow, and where does it vanish?*

Every line shows a contribution: what one use of an operand sends back to it. The numbers stand at
the states (the whole gradient), on the passages from step to step (the factor that the step
applied) and at the taps of each weight (the step's part of its gradient); the sum stands at the
weight.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..bptt.contribution import Contribution, accumulate
from ..bptt.flow import GradientFlow, opened, whole
from ..core.graph import Node
from ..errors import InputError
from . import options, style
from .labels import Run, Text, number, plain, roman, symbol, width
from .legend import with_legend
from .model import Drawing, Label
from .options import NodeCallback, Options
from .picture import Picture
from .scale import Scale
from .scene import Column, Glyph, Rail, Scene, Wire
from .strips import Strips, series_of, with_strips
from .unrolled import scene_of
from .wording import unnamed_root
from .written import without_time

EXACT = 2_000  # contributions of hidden steps that are added up again for their sum


def gradient_flow(flow: Any, first: int = 3, last: int = 3, *, steps: slice | None = None,
                  direction: str = "right", layout: str = "auto", theme: str = "auto",
                  palette: Mapping[str, str] | None = None,
                  font: str | None = None, size: float = 1.0,
                  node: NodeCallback | None = None,
                  edge: NodeCallback | None = None) -> Picture:
    """Draw a gradient flow (the result of `tg.gradient_flow(loss)`): the arrows run backwards.

    Colour and width show the norm of each contribution on a log scale, relative to the largest in
    view; ‖∂L/∂h_t‖ stands at each state, the factor that a step applied on the passage to the step
    before, and each step's contribution Δ_t at the rail of each weight, with the sum at the end of
    the rail. Of a long sequence the `first` and `last` steps are drawn, over strips of all of them.
    Zero, NaN and infinite gradients look different from each other. A flow that was kept as norms
    is recorded again for the drawing. The other options are those of `draw.unrolled`; there is no
    `level` and no `show` here, for what is shown is what each single use sends back.

    Raises `InputError` if there is no flow yet, and for options that cannot be.
    """
    where = "draw.gradient_flow()"
    chosen = Options(where, palette=palette, font=font, size=size, node=node, edge=edge,
                     direction=direction, layout=layout).checked()
    if not isinstance(flow, GradientFlow):
        what = (
            f"{type(flow).__name__} {flow.label!r}"
            if isinstance(flow, Node)
            else type(flow).__name__
        )
        raise InputError(
            f"expected a gradient flow, got {what}, whose gradients are not known yet",
            where=where,
            fix="Send the gradient back first: flow = tg.gradient_flow(loss)",
        )
    flow = opened(whole(flow))
    scene = scene_of(flow.root, options.window(where, first, last, steps), where, "Gradient flow")
    dressed = Dresser(scene, flow)
    drawing = chosen.placed(scene)
    if any(column.hidden for column in scene.columns):
        drawing = with_strips(drawing, scene, dressed.series, dressed.scale, dressed.root)
    drawing = with_legend(drawing, dressed.scale, dressed.root, dressed.signs())
    lines = [] if scene.columns else without_time(flow.root, flow.arrived)
    if flow.wrong:
        drawing = marked_wrong(drawing, flow.wrong)
        lines = lines and [f"WRONG on purpose: {flow.wrong}", "", *lines]
    return Picture(chosen.finished(drawing), theme, lines)


def marked_wrong(drawing: Drawing, mistake: str) -> Drawing:
    """A drawing of a backward pass with a mistake in it (`tg.what_if`), with that in bold on
    top."""
    text = f"WRONG on purpose: {mistake}"
    label = Label(drawing.left + 12, drawing.top - 8, roman(text), "wrong", 15.0, "start",
                  bold=True)
    return replace(drawing, top=drawing.top - 26, height=drawing.height + 26,
                   width=max(drawing.width, width(label.text, 15.0) * 1.1 + 24),
                   title=f"{text}. {drawing.title}", labels=(*drawing.labels, label))


class Dresser:
    """Writes the gradients of a flow onto a scene."""

    def __init__(self, scene: Scene, flow: GradientFlow) -> None:
        self.scene, self.flow = scene, flow
        root = flow.root
        self.root: Text = unnamed_root(root, flow.arrived)
        if root.name:
            self.root = symbol(root.name, root.step)
        self.nodes = {g.node for g in scene.glyphs() if g.node is not None}
        self.rail_of = {rail.glyph: rail for rail in scene.rails}
        self.uses = self.visible_uses()
        self.amounts = {wire: self.amount(wire) for wire in self.wires()}
        self.deltas = {rail: self.step_deltas(rail) for rail in scene.rails}
        hidden = any(column.hidden for column in scene.columns)
        self.series = series_of(scene, flow) if hidden else Strips({}, [])
        self.scale = Scale(self.amounts.values(), self.whole_norms(), self.series.norms())
        scene.backwards = True
        first = Run("Gradient flow", "b")
        scene.caption = (
            first,
            Run(": arrows run backwards, each carries its part of ∂"),
            *self.root,
            Run("/∂·"),
            *((Run(";  "), *scene.caption) if scene.caption else ()),
        )
        for wire, amount in self.amounts.items():
            self.dress(wire, amount)
        for glyph in scene.glyphs():
            self.dress_glyph(glyph)
        for rail in scene.rails:
            self.dress_rail(rail)
            self.dress_steps(rail)
        self.dress_passages()
        self.dress_gap()

    def wires(self) -> Iterable[Wire]:
        """All uses in view."""
        yield from self.scene.wires
        for rail in self.scene.rails:
            yield from rail.taps

    # --- sizes ----------------------------------------------------------------------------------

    def visible_uses(self) -> dict[tuple[Node, int], Contribution]:
        """The contribution of every use in view."""
        users = {w.node for w in self.wires() if w.node is not None}
        tails = dict.fromkeys(w.tail.node for w in self.wires() if w.tail.node is not None)
        sources = {
            **tails,
            **{x: None for node in users for x in node.operands if isinstance(x, Node)},
        }
        found: dict[tuple[Node, int], Contribution] = {}
        for e in (e for x in sources for e in self.flow.incoming.get(x, ())):
            if e.node in users and ((e.node, e.position) not in found or e.aliases):
                found[e.node, e.position] = e  # of a slice's use: what it is to the whole weight
        return found

    def step_deltas(self, rail: Rail) -> dict[int, Any]:
        """What each step in view contributes to a weight: the sum of its uses there."""
        node = rail.glyph.node
        if node is None:
            return {}
        uses: dict[int, list[Contribution]] = {}
        for wire in rail.taps:
            use = self.uses.get((wire.node, wire.position)) if wire.node is not None else None
            if use is not None and wire.head.when is not None:
                uses.setdefault(wire.head.when, []).append(use)
        return {step: accumulate(node, parts) for step, parts in uses.items()}

    def amount(self, wire: Wire) -> float | None:
        """The norm of what runs back along a wire; None where no gradient goes."""
        if wire.kind == "result":
            known = wire.node is not None and wire.node in self.flow.arrived
            return self.flow.norm(wire.node) if known and wire.node is not None else None
        if wire.node is not None:
            use = self.uses.get((wire.node, wire.position))
            return None if use is None else use.norm()
        x = wire.tail.node  # into the gap, or to a rail
        if x is None or x not in self.flow.arrived:
            return None
        uses = self.flow.incoming.get(x, ())
        if wire.head in self.rail_of:  # a context: what all its taps send
            taps = {(tap.node, tap.position) for tap in self.rail_of[wire.head].taps}
            parts = [e.array() for e in uses if (e.node, e.position) in taps
                     or e.node not in self.nodes]
        else:  # what hidden users send
            parts = [e.array() for e in uses if e.node not in self.nodes]
        return float(np.linalg.norm(np.asarray(sum(parts[1:], parts[0])))) if parts else None

    def whole_norms(self) -> list[float]:
        """The norms in view that are sums: of a state's gradient, of a step's uses of a weight."""
        states = [g.node for g in self.scene.glyphs() if g.role in ("state", "initial")]
        norms = [self.flow.norm(x) for x in states if x is not None and x in self.flow.arrived]
        every = [delta for deltas in self.deltas.values() for delta in deltas.values()]
        return [*norms, *(float(np.linalg.norm(np.asarray(delta))) for delta in every)]

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
        for when, delta in self.deltas[rail].items():
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
        if node not in self.flow.arrived and node not in self.flow.incoming:
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
        rail.glyph.title += f"; the sum of {len(self.flow.incoming.get(node, ()))} contributions"

    # --- from step to step ----------------------------------------------------------------------

    def dress_passages(self) -> None:
        """On each passage the factor between what arrived at the state and what goes on to the one
        before; where a state gets a gradient from above too, that one's size stands beside it."""
        states: dict[tuple[Hashable, int | None], Glyph] = {
            (g.key, g.when): g for c in self.scene.columns for g in c.glyphs if g.role == "state"
        }
        counted: dict[Glyph, int] = {}
        for wire, amount in self.amounts.items():
            if amount is not None and wire.tail.role == "state":
                counted[wire.tail] = counted.get(wire.tail, 0) + 1
        passages: dict[tuple[Glyph, int | None], list[Wire]] = {}
        for wire, amount in self.amounts.items():
            if amount is not None and wire.kind == "carried":
                passages.setdefault((wire.tail, wire.head.when), []).append(wire)
            elif amount is not None and wire.kind == "inner" and counted.get(wire.tail, 0) > 1:
                wire.note = roman(number(self.sent([wire], wire.tail)))
        for (tail, step), wires in passages.items():
            after = states.get((tail.key, step))
            if after is not None and after.node is not None:
                wires[0].note = self.factor(wires, tail, after.node)

    def sent(self, wires: list[Wire], tail: Glyph) -> float:
        """What some wires carry back to the same glyph, together: the norm; for a scalar the
        number."""
        uses = [self.uses.get((w.node, w.position)) for w in wires if w.node is not None]
        arrays = [use.array() for use in uses if use is not None]
        whole = sum(arrays[1:], arrays[0]) if arrays else float("nan")
        scalar = tail.node is not None and tail.node.is_scalar
        return float(whole) if scalar else float(np.linalg.norm(np.asarray(whole)))

    def factor(self, wires: list[Wire], tail: Glyph, after: Node) -> Text:
        """×0.32: what goes on to the state before, as a part of what arrived at the state after."""
        arrived = self.flow.norm(after)
        if not arrived > 0:
            return ()
        if after.is_scalar:
            arrived = float(self.flow.gradient(after))
        return roman(f"×{number(self.sent(wires, tail) / arrived)}")

    def dress_gap(self) -> None:
        """What the hidden steps did on the whole: the mean factor of a step, the sum of their
        parts."""
        gap = next((c for c in self.scene.columns if c.hidden), None)
        if gap is None:
            return
        gap.lines = self.mean_factor(gap)
        for rail in self.scene.rails:
            node = rail.glyph.node
            if node is None or node not in self.flow.incoming:
                continue
            hidden = self.hidden_sum(node)
            if hidden is not None:
                rail.gap_note = (Run("Σ Δ = "), *self.signed(node, hidden))

    def hidden_sum(self, node: Node) -> Any:
        """What the hidden steps contributed: their sum, or for very many of them the whole without
        what is in view. None where that would leave nothing but rounding."""
        parts = self.flow.incoming[node]
        hidden = [e for e in parts if e.node not in self.nodes]
        if len(hidden) <= EXACT:
            return accumulate(node, hidden) if hidden else None
        whole = self.flow.gradient(node)
        rest = whole - accumulate(node, [e for e in parts if e.node in self.nodes])
        return rest if np.linalg.norm(rest) > 1e-9 * np.linalg.norm(whole) else None

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
