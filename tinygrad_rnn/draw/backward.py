"""The graph of a gradient: what `tg.grad(..., create_graph=True)` leaves behind, forward and
backward told apart.

The question this file answers: *what does the gradient itself depend on?*

A rule called with nodes leaves nodes behind, so a gradient is a graph like any other. What was
computed on the way forward is drawn plain; what the backward pass made is red. The wires from the
plain part into the red one are the values that the backward pass needed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..core import walk
from ..core.graph import Node
from ..errors import InputError
from . import style
from .asked import not_released, options_of
from .callbacks import NodeCallback
from .glyphs import given_glyph, op_glyph, variable_glyph
from .labels import Run, clean, plain, roman, symbol
from .model import Box, Drawing, Label
from .names import Names
from .notes import listed, said
from .options import Options
from .paper import framed
from .picture import Picture
from .scene import Glyph, Scene, Wire
from .wording import name_of, worth
from .written import written


@options_of
def backward_graph(gradient: Any, *, show: Iterable[str] = ("names", "values"),
                   direction: str = "right", layout: str = "auto", theme: str = "auto",
                   palette: Mapping[str, str] | None = None, font: str | None = None,
                   size: float = 1.0, node: NodeCallback | None = None,
                   edge: NodeCallback | None = None) -> Picture:
    """Draw the graph of a gradient, the result of `tg.grad(y, x, create_graph=True)`, or of a list
    of them.

    Forward nodes are plain, backward nodes red. The options are those of `draw.unrolled`; a graph
    of many hundreds of nodes is laid out by Graphviz. Raises `InputError` for a node that is no
    result of `create_graph=True`, and `render.RenderError` where Graphviz is needed and missing.
    """
    chosen = Options("draw.backward_graph()", show=show, palette=palette, font=font, size=size,
                     node=node, edge=edge, direction=direction, layout=layout).checked()
    roots = list(gradient) if isinstance(gradient, Sequence) else [gradient]
    if not roots or not all(isinstance(node, Node) for node in roots):
        raise InputError(f"expected a gradient as a node, got {type(gradient).__name__}",
                         where="draw.backward_graph()",
                         fix="slope = tg.grad(y, x, create_graph=True)")
    for root in roots:
        not_released(root, "draw.backward_graph()")
    nodes = walk.nodes(*roots)
    behind = [node for node in nodes if node.phase == "backward"]
    if not behind:
        raise InputError("this node is no gradient: nothing in its graph was made by a backward "
                         "pass", where="draw.backward_graph()",
                         fix="slope = tg.grad(y, x, create_graph=True)")
    scene = scene_of(nodes, roots, set(chosen.show))
    drawing = replace(chosen, show=["names"]).placed(scene)
    drawing = with_legend(drawing, len(nodes) - len(behind), len(behind))
    return Picture(chosen.finished(drawing), theme,
                   written(nodes, lambda node, names: "", phase))


def phase(node: Node) -> str:
    """How a node's line begins in the sketch."""
    return f"{node.phase:9}"


def scene_of(nodes: list[Node], roots: list[Node], show: set[str]) -> Scene:
    """A glyph for every node, with what is to be said of it; a wire for every use."""
    names = Names()
    number_of = {node: i for i, node in enumerate(roots, 1)}
    value: dict[Node, Glyph] = {}
    glyphs: list[Glyph] = []
    wires: list[Wire] = []
    for node in nodes:
        glyph = given_glyph(node, names, None) if node.is_leaf else op_glyph(node, names)
        red = node.phase == "backward"
        result = None
        if node in number_of or node.name is not None and not node.is_leaf:
            text = () if node.name else (Run("∂", ""), Run(str(number_of[node]), "_")) \
                if len(roots) > 1 else (Run("gradient"),)
            result = variable_glyph(node, names, text)
        for one in (glyph, result):
            if one is None:
                continue
            if red:
                one.role = "backward"
            glyphs.append(one)
        value[node] = result or glyph
        last = value[node]
        if not node.is_leaf or node.name is not None:
            last.note = listed((), said(last, node, show))
            if "names" not in show and last.role not in ("op", "function"):
                last.text = ()
        last.title = f"{'backward' if red else 'forward'}: {plain(name_of(node))}, " \
                     f"{worth(node.value)}"
        for position, x in walk.parents(node):
            role = "line" if not red else "gradient" if x.phase == "backward" else "carried"
            title = f"{described(x)} is needed by {described(node)}"
            wires.append(Wire(value[x], glyph, "free", node, position, role, title,
                              dash="4 3" if role == "carried" else ""))
        if result is not None:
            wires.append(Wire(glyph, result, "result", node, role="gradient" if red else "line"))
    first = roots[0]
    title = clean(first.name or "a gradient", 60)
    return Scene(f"Graph of {title}", [], around=glyphs, wires=wires)


def described(node: Node) -> str:
    """A node in a tooltip."""
    return plain(symbol(node.name, node.step)) if node.name else clean(node.op.name, 40)


def with_legend(drawing: Drawing, forward: int, backward: int) -> Drawing:
    """The drawing with its caption and what the colours mean."""
    left = drawing.left + style.MARGIN
    y = drawing.top + drawing.height + 6
    boxes, labels = list(drawing.boxes), list(drawing.labels)
    for name, role, words in (("legend.forward", "op", f"forward: {forward:,} nodes"),
                              ("legend.backward", "backward", f"backward: {backward:,} nodes")):
        boxes.append(Box(name, left + 8, y, 16.0, 12.0, "round", role))
        labels.append(Label(left + 24, y + 4, roman(words), "quiet", style.SMALL, "start"))
        y += 18
    caption = (Run("The graph of a gradient", "b"),
               Run(": dashed wires bring values of the forward pass to the backward one"))
    return framed(replace(drawing, boxes=tuple(boxes), labels=tuple(labels)), caption)
