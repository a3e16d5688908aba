"""The graph of a gradient: what `tg.grad(..., create_graph=True)` leaves behind, forward and
backward told apart.

The question this file answers: *what does the gradient itself depend on?*

A rule called with nodes leaves nodes behind, so a gradient is a graph like any other. What was
computed on the way forward is drawn plain; what the backward pass made is red. The wires from the
plain part into the red one are the values that the backward pass needed again. A gradient through
steps stands on the time grid (see `returning.py`), any other in layers; of many steps the first and
the last are drawn (see `omitted.py`).
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
from .glyphs import given_glyph, hidden_glyph, op_glyph, variable_glyph
from .labels import Run, clean, minus, plain, roman
from .model import Box, Drawing, Label
from .names import Names
from .notes import listed, said
from .omitted import omitted
from .options import Options, window
from .paper import framed
from .picture import Picture
from .returning import described, scene_on_grid
from .scene import Glyph, Scene, Wire
from .wording import name_of, worth
from .written import written


@options_of
def backward_graph(gradient: Any, first: int | None = None, last: int | None = None, *,
                   show: Iterable[str] = ("names", "values"), direction: str = "right",
                   layout: str = "auto", theme: str = "auto",
                   palette: Mapping[str, str] | None = None, font: str | None = None,
                   size: float = 1.0, node: NodeCallback | None = None,
                   edge: NodeCallback | None = None) -> Picture:
    """Draw the graph of a gradient, the result of `tg.grad(y, x, create_graph=True)`, or of a list
    of them.

    Forward nodes are plain, backward nodes red. One gradient through steps has a column for each,
    its backward operations in rows of their own, which run from the last step to the first. Of the
    steps the `first` and the `last` few are drawn; if nothing is said all, or of more than 150
    operations the first and the last two. Several gradients, and one without steps, are laid out in
    layers. The other options are those of `draw.unrolled`. Raises `InputError` for a node that is
    no result of `create_graph=True`, and `render.RenderError` where Graphviz is asked for and is
    not there.
    """
    chosen = Options("draw.backward_graph()", show=show, palette=palette, font=font, size=size,
                     node=node, edge=edge, direction=direction, layout=layout).checked()
    if first is not None or last is not None:
        window("draw.backward_graph()", 0 if first is None else first,
               0 if last is None else last)
    some = isinstance(gradient, Sequence) and not isinstance(gradient, str)
    roots = list(gradient) if some else [gradient]
    wrong = [type(node).__name__ for node in roots if not isinstance(node, Node)]
    if wrong or not roots:
        came = wrong[0] if not some else f"a list with {wrong[0]} in it" if wrong else \
            "an empty list"
        raise InputError(f"expected a gradient as a node, or a list of them, got {came}",
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
    show = set(chosen.show)
    scene = scene_on_grid(roots[0], first, last, show) if len(roots) == 1 else None
    if scene is None:
        scene = scene_of(nodes, roots, show, omitted(nodes, roots, first, last))
    drawing = replace(chosen, show=["names"]).placed(scene)
    drawing = with_legend(drawing, len(nodes) - len(behind), len(behind))
    return Picture(chosen.finished(drawing), theme,
                   written(nodes, lambda node, names: "", phase))


def phase(node: Node) -> str:
    """How a node's line begins in the sketch."""
    return f"{node.phase:9}"


def scene_of(nodes: list[Node], roots: list[Node], show: set[str],
             hidden: Mapping[Node, str]) -> Scene:
    """A glyph for every node, with what is to be said of it; a wire for every use. What is `hidden`
    has one glyph together."""
    names = Names()
    number_of = {node: i for i, node in enumerate(roots, 1)}
    value: dict[Node, Glyph] = {}
    glyphs: list[Glyph] = []
    wires: list[Wire] = []
    gaps = {group: gap_glyph([x for x in hidden if hidden[x] == group], names)
            for group in dict.fromkeys(hidden.values())}
    glyphs += gaps.values()
    value.update((node, gaps[group]) for node, group in hidden.items())
    for node in nodes:
        if node in hidden:
            continue
        glyph = given_glyph(node, names, None) if node.is_leaf else op_glyph(node, names)
        red = node.phase == "backward"
        result = None
        if node in number_of or node.name is not None and not node.is_leaf:
            text = () if node.name else (Run("∂", ""), Run(str(number_of[node]), "_")) \
                if len(roots) > 1 else (Run("gradient"),)
            result = variable_glyph(node, names, node.name, text)
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
            title = f"{described(x)} is needed by {described(node)}"
            wires.append(wire_of(value, x, glyph, node, position, title))
        if result is not None:
            wires.append(Wire(glyph, result, "result", node, role="gradient" if red else "line"))
    wires = [*one_each(wires, set(gaps.values())), *gap_wires(hidden, value)]
    first = roots[0]
    title = clean(first.name or "a gradient", 60)
    return Scene(f"Graph of {title}", [], around=glyphs, wires=wires)


def wire_of(value: Mapping[Node, Glyph], x: Node, head: Glyph, node: Node, position: int,
            title: str) -> Wire:
    """The wire of a use: dashed where the backward pass needs what was computed forward."""
    role = "line" if node.phase != "backward" else \
        "gradient" if x.phase == "backward" else "carried"
    return Wire(value[x], head, "free", node, position, role, title,
                dash=style.DASHED if role == "carried" else "")


def gap_glyph(hidden: list[Node], names: Names) -> Glyph:
    """What stands for the hidden nodes of some steps."""
    own = [node for node in hidden if not node.is_leaf]
    steps = [node.step for node in own if node.step is not None]
    glyph = hidden_glyph(len(own), len(hidden) - len(own), names)
    glyph.text = (Run("t", "i"),
                  Run(minus(f" = {min(steps)} … {max(steps)}: {len(own):,} operations")))
    if own[0].phase == "backward":
        glyph.role = "backward"
    return glyph


def gap_wires(hidden: Mapping[Node, str], value: Mapping[Node, Glyph]) -> list[Wire]:
    """One wire into a glyph of hidden nodes from everything that they use."""
    found: dict[tuple[Glyph, Glyph], Wire] = {}
    for node in hidden:
        for _, x in walk.parents(node):
            ends = value[x], value[node]
            if ends not in found and ends[0] is not ends[1]:
                found[ends] = wire_of(value, x, ends[1], node, len(found), "")
    return [*found.values()]


def one_each(wires: list[Wire], gaps: set[Glyph]) -> list[Wire]:
    """The wires, of those from one glyph of hidden nodes to one thing only the first."""
    found = {(wire.tail, wire.head, wire.position if wire.tail not in gaps else 0): wire
             for wire in reversed(wires)}
    return [*found.values()][::-1]


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
