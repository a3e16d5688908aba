"""The views of the player: one film in several drawings, unfolded, folded and rolled up.

The question this file answers: *which element of a drawing stands for a node, or for a use?*

Unfolded, nearly everything has an element of its own. Folded, the steps in the middle share the
gap; rolled up, all steps share everything, and an element stands for what the film is at.
"""

from __future__ import annotations

import re

from ..core.graph import Node
from ..errors import InputError
from . import options
from .labels import plain
from .layout import place
from .model import Drawing
from .quotient import Quotient
from .scene import Glyph, Scene, Wire
from .survey import Survey
from .totals import running_total
from .unrolled import look, scene_of


class View:
    """One drawing of the graph, and which of its elements stand for a node or a use."""

    def __init__(self, name: str, scene: Scene, found: Survey,
                 of: dict[Glyph, Glyph] | None = None, shown: Scene | None = None) -> None:
        self.name, self.scene, self.found = name, scene, found
        self.drawing: Drawing = place(shown or scene)
        self.of = of or {}
        self.glyphs: dict[Node, list[str]] = {}
        self.texts: dict[Node, list[str]] = {}
        for glyph in [*scene.glyphs(), *scene.totals]:
            if glyph.node is not None:
                ids = self.glyphs.setdefault(glyph.node, [])
                ids += [id for id in [self.id(glyph)] if id not in ids]
                self.texts.setdefault(glyph.node, []).append(plain(glyph.text))
        self.joined: dict[tuple[str, str], list[str]] = {}
        for line in self.drawing.lines:
            if line.tail is not None and line.head is not None:
                self.joined.setdefault((bare(line.tail), bare(line.head)), []).append(line.id)
        self.bars = {glyph.node: f"{self.id(glyph)}.rail" for glyph in scene.totals}
        if (total := running_total(found)) is not None and total.node in self.bars:
            for adder in total.adders:  # the sum so far has no element of its own
                self.glyphs.setdefault(adder, self.glyphs[total.node])
                self.bars[adder] = self.bars[total.node]
        self.hidden = [column for column in scene.columns if column.hidden]
        self.gaps = [glyph.id for column in self.hidden for glyph in column.glyphs]
        self.lines: dict[tuple[Node, int], list[str]] = {}
        self.leaving: dict[Node, list[str]] = {}  # what the steps out of view read
        for wire in scene.uses():
            if wire.node is not None:
                self.lines.setdefault((wire.node, wire.position), []).extend(self.drawn(wire))
            elif wire.kind in ("carried", "late") and wire.tail.node is not None:
                self.leaving.setdefault(wire.tail.node, []).extend(self.drawn(wire))

    def id(self, glyph: Glyph) -> str:
        """The id of what is drawn for a glyph."""
        return self.of.get(glyph, glyph).id

    def drawn(self, wire: Wire) -> list[str]:
        """The lines of a wire; of a term also the bar that leads to the total."""
        bar = [self.bars[wire.head.node]] if wire.kind == "term" else []
        return self.joined.get((self.id(wire.tail), self.id(wire.head)), []) + bar

    def of_node(self, node: Node | None) -> list[str]:
        """The ids of what stands for a node; its gap, for one that is not in view."""
        if node is None:
            return self.gaps
        step, stage = node.at.step, self.found.stages.get(node, 0)
        if node in self.glyphs or step is None:
            return self.glyphs.get(node, [])
        own = [glyph.id for column in self.hidden if column.stage == stage and column.hidden
               and column.hidden[0] <= step <= column.hidden[1] for glyph in column.glyphs]
        return own or self.gaps

    def along(self, node: Node | None, position: int, x: Node) -> list[str]:
        """The lines from an operand to the operation that uses it."""
        if node is None or node not in self.glyphs:
            return self.leaving.get(self.found.source(x), [])
        found = self.lines.get((node, position), [])
        return found if found or node not in self.bars else [self.bars[node]]


def bare(name: str) -> str:
    """The id of a rail or a total, given that of a dot on it."""
    return re.sub(r"\.(tap|term)\d+\Z", "", name)


def views_of(root: Node, first: int, last: int) -> list[View]:
    """The views of a graph: its steps from the `first` to the `last`, fewer of them, one for
    all."""
    where = "draw.player()"

    def view(name: str, first: int, last: int) -> View:
        window = options.window(where, first, last)
        found = look(root, window, where)
        return View(name, scene_of(found, where, "Unrolled graph"), found)

    whole = view("unfolded", first, last)
    found, T = [whole], len(whole.found.steps)
    for few in (2, 1) if T > 3 else ():
        folded = view("folded", few, few)
        if any(column.hidden for column in folded.scene.columns):
            found.append(folded)
            break
    if T > 1 and not any(column.hidden for column in whole.scene.columns):
        found += rolled_up(whole)
    return found


def rolled_up(whole: View) -> list[View]:
    """All steps in the place of one; nothing where they have no common place."""
    try:
        quotient = Quotient(whole.scene)
        one = quotient.told_together()
    except InputError:
        return []
    return [View("rolled up", whole.scene, whole.found, quotient.of, one)]
