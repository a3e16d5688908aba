"""Returning: the graph of a gradient on the time grid, forward rows below and backward ones above.

The question this file answers: *how does a gradient go back through the steps, and what of each
step does it need again?*

A step's backward operations stand in the column of the step that they differentiate, in rows of
their own, which run from right to left as a layer does that reads from the end. What they need of
the forward pass comes up to them along dashed wires.
"""

from __future__ import annotations

from ..core import walk
from ..core.graph import Node
from .labels import Run, clean, minus, plain, roman, symbol
from .notes import add_notes, listed, said
from .omitted import MOST
from .reading import read
from .scene import Glyph, Scene, Wire
from .survey import survey
from .window import EVERY, Window
from .wording import name_of, worth

FIRST, LAST = 1, 2  # steps of a large graph that are drawn, if nothing is said
DASHES = "4 3"


def scene_on_grid(root: Node, first: int | None, last: int | None,
                  show: set[str]) -> Scene | None:
    """The scene of a gradient with its steps as columns; None if it has no two steps, or steps of
    several stages, which go back in the other order."""
    inner = sum(not node.is_leaf for node in walk.nodes(root))
    if first is None and last is None:
        window = Window(EVERY, 0) if inner <= MOST else Window(FIRST, LAST)
    else:
        window = Window(first or 0, last or 0)
    found = survey(root, window)
    if found.stages or len(found.steps) < 2:
        return None
    scene = read(found, f"Graph of {clean(root.name or 'a gradient', 60)}")
    add_notes(scene, show)
    for glyph in scene.glyphs():
        dress(glyph)
    for total in scene.totals:
        if total.node is root and root.name is None:
            total.text = (Run("gradient = "), *total.text)
    for wire in scene.wires:
        tell_apart(wire)
        node = wire.tail.node
        if node is not None and wire.tail.backward and wire.kind in ("carried", "term"):
            wire.tail.note = listed((), said(wire.tail, node, show))
    for rail in scene.rails:
        for wire in rail.taps:
            wire.dash = DASHES if wire.head.backward else ""
    gaps = [minus(f"{c.hidden[0]:,} to {c.hidden[1]:,}")
            for c in found.columns if c.hidden is not None]
    if gaps:
        scene.caption = roman(f"T = {len(found.steps):,} steps, of which {', '.join(gaps)} are not "
                              "drawn")
    return scene


def dress(glyph: Glyph) -> None:
    """Backward glyphs are red; the title says what it is, and what it is worth."""
    node = glyph.node
    if node is None:
        return
    if glyph.backward:
        glyph.role = "backward"
    glyph.title = f"{node.phase}: {plain(name_of(node))}, {worth(node.value)}"


def tell_apart(wire: Wire) -> None:
    """The colour of a wire: of the gradient, of what it needs, or of what is computed forward. A
    hidden step's dots have no colour of their own."""
    ends = [end for end in (wire.tail, wire.head) if end.node is not None]
    needed = wire.kind == "needed" or wire.head.backward and len(ends) == 2
    if needed and not wire.tail.backward:  # the gradient that arrives at the result is no value
        wire.role, wire.dash, wire.width = "carried", DASHES, 1.2
    elif any(end.backward for end in ends):
        wire.role, wire.width = "gradient", 1.2
    if wire.node is not None and len(ends) == 2:
        x = wire.tail.node
        wire.title = f"{described(x)} is needed by {described(wire.node)}" if x is not None else ""


def described(node: Node) -> str:
    """A node in a tooltip."""
    return plain(symbol(node.name, node.step)) if node.name else clean(node.op.name, 40)
