"""The unrolled graph: every step a column, every shared weight a rail.

The question this file answers: *what does the program compute, step by step?*
"""

from __future__ import annotations

from typing import Any

from ..core.graph import Node
from ..errors import InputError
from ..nn.fused_open import open_fused
from .blocks import draw_block
from .ink import Ink
from .labels import number, plain, roman, symbol
from .model import Drawing
from .picture import Picture
from .reading import read, read_untimed
from .scene import Scene
from .survey import survey
from .timegrid import TimeGrid

MOST = 120  # operations in a graph without time before it is elided


def unrolled(loss: Any, first: int = 3, last: int = 3, *, theme: str = "auto") -> Picture:
    """Draw the graph that `loss` was computed by, unrolled over time.

    Each time step is a column, each shared weight a rail with a tap into every step that uses it.
    Of a long sequence the `first` and `last` steps are drawn and a gap stands for the others;
    `first=T, last=0` draws every step. A fused layer is opened (`tg.open_fused`). A graph without
    time steps is laid out from its inputs to its result. `theme` is "light", "dark" or "auto".
    Raises `InputError` if `loss` is not a node.
    """
    scene = scene_of(loss, first, last, "unrolled()", "Unrolled graph")
    if not scene.columns:
        add_values(scene)
    return Picture(place(scene), theme)


def scene_of(root: Any, first: int, last: int, where: str, title: str) -> Scene:
    """What will be drawn of the graph of `root`."""
    if not isinstance(root, Node):
        raise InputError(
            f"expected a Value or a Tensor, the result of the graph, got {type(root).__name__}",
            where=where,
        )
    for name, count in (("first", first), ("last", last)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InputError(f"expected {name} to be a number of steps, got {count!r}", where=where)
    if first + last == 0:
        raise InputError("first=0 and last=0 leave no step to draw", where=where)
    root = open_fused(root)
    found = survey(root, first, last)
    name = plain(symbol(root.name, root.step)) if root.name else root.op.name
    if not found.steps:
        return read_untimed(found, max(MOST, first + last), f"{title} of {name}")
    scene = read(found, f"{title} of {name}, {len(found.steps):,} steps")
    gap = next((c for c in found.columns if c.hidden), None)
    if gap is not None and gap.hidden is not None:
        scene.caption = roman(
            f"T = {len(found.steps):,} steps, of which {gap.hidden[0]:,} to "
            f"{gap.hidden[1]:,} are not drawn"
        )
    return scene


def add_values(scene: Scene) -> None:
    """In a small graph of scalars every value stands below its glyph."""
    nodes = [g.node for g in scene.around if g.node is not None]
    if len(nodes) > 80 or not all(n.is_scalar for n in nodes):
        return
    shown = {
        w.tail for w in scene.wires if w.kind == "result"
    }  # an op's value stands at its variable
    for glyph in scene.around:
        node = glyph.node
        if node is not None and glyph not in shown and (node.name is not None or not node.is_leaf):
            glyph.note = roman(number(node.value))


def place(scene: Scene) -> Drawing:
    """The finished drawing."""
    return Ink(TimeGrid(scene)).drawing() if scene.columns else draw_block(scene)
