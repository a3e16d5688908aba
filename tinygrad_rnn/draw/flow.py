"""The gradient flow: the unrolled graph with its arrows turned round, as wide and as red as the
gradient that runs through them is large.

The question this file answers: *where does the gradient grow, and where does it vanish?*

Every line shows a contribution: what one use of an operand sends back to it. The numbers stand at
the states (the whole gradient), on the passages from step to step (the factor that the step
applied) and at the taps of each weight (the step's part of its gradient); the sum stands at the
weight. Where a box stands for many operations, a line is all that goes through there, together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..bptt.flow import GradientFlow, opened, whole
from ..core.freeing import unsearched
from ..core.graph import Node
from ..core.outline import Outline
from ..errors import InputError
from ..nn.fused_open import INSIDE
from . import options
from .amounts import Amounts
from .asked import not_released, options_of
from .callbacks import NodeCallback
from .dressing import Dresser
from .labels import roman, width
from .legend import with_legend
from .model import Drawing, Label
from .options import Options
from .picture import Picture
from .series import Strips, series_of
from .strips import with_strips
from .survey import Survey, survey
from .unrolled import scene_of
from .window import Window
from .written import without_time


@options_of
@unsearched
def gradient_flow(flow: Any, first: int = 3, last: int = 3, *, steps: slice | None = None,
                  level: str = "op", collapse: Iterable[str] = (),
                  show: Iterable[str] = ("names", "gradients"), direction: str = "right",
                  layout: str = "auto", theme: str = "auto",
                  palette: Mapping[str, str] | None = None, font: str | None = None,
                  size: float = 1.0, node: NodeCallback | None = None,
                  edge: NodeCallback | None = None) -> Picture:
    """Draw a gradient flow (the result of `tg.gradient_flow(loss)`): the arrows run backwards.

    Colour and width show the norm of each contribution on a log scale, relative to the largest in
    view; ‖∂L/∂h_t‖ stands at each state, the factor that a step applied on the passage to the step
    before, and each step's contribution Δ_t at the rail of each weight, with the sum at the end of
    the rail. Of a long sequence the `first` and `last` steps are drawn, over strips of all of them,
    and in each gap stands the geometric mean of the factors of the steps there.
    Zero, NaN and infinite gradients look different from each other. A flow that was kept as norms
    is recorded again for the drawing. The other options are those of `draw.unrolled`; without
    "gradients" in `show` there are colours and widths only. With `level="cell"` a line into a cell
    is the sum of all that the cell sends back to that variable; with `level="layer"` every step is
    read, a line and a sequence are all their steps as one long vector, and strips tell the steps
    apart.

    Raises `InputError` if there is no flow yet, and for options that cannot be.
    """
    where = "draw.gradient_flow()"
    chosen = Options(where, level, collapse, show, palette, font, size, node, edge, direction,
                     layout).checked()
    numbers, chosen = "gradients" in chosen.show, chosen.without("gradients")
    if not isinstance(flow, GradientFlow):
        what = type(flow).__name__
        if isinstance(flow, Node):
            what += f" {flow.label!r}, whose gradients are not known yet"
        raise InputError(
            f"expected a gradient flow, got {what}",
            where=where,
            fix="Send the gradient back first: flow = tg.gradient_flow(loss)",
        )
    flow = whole(flow)
    not_released(flow.root, where)
    window = options.window(where, first, last, steps, every=level == "layer")
    found = surveyed(flow, window)
    if found.outline.kinds.intersection(INSIDE):  # fused layers
        flow = opened(flow)
        found = surveyed(flow, window)
    scene = scene_of(found, where, "Gradient flow")
    chosen.fitting(scene)
    amounts = Amounts(scene, flow, found)
    hidden = level == "layer" or any(column.hidden for column in scene.columns)
    strips = series_of(scene, flow, found) if hidden else Strips({}, [], [])
    lines = [] if scene.columns or chosen.collapse else without_time(flow.root, flow.arrived)
    scene = chosen.levelled(scene)
    dressed = Dresser(scene, amounts, strips, numbers)
    drawing = chosen.placed(scene)
    if hidden:
        drawing = with_strips(drawing, amounts.scene, strips, dressed.scale, dressed.root,
                              direction == "down")
    drawing = with_legend(drawing, dressed.scale, dressed.root, dressed.signs())
    if flow.wrong:
        drawing = marked_wrong(drawing, flow.wrong)
        lines = lines and [f"WRONG on purpose: {flow.wrong}", "", *lines]
    return Picture(chosen.finished(drawing), theme, lines)


def surveyed(flow: GradientFlow, window: Window) -> Survey:
    """A look at the graph of a flow. What the gradient passed through is recorded, so nothing has
    to be searched for; but where it did not pass through all that is in view, the graph is."""
    passed, outline = flow.incoming.passed, flow.incoming.outline
    if not flow.wrong:
        if outline is None or len(outline.computed) != len(passed):
            outline = Outline(list(reversed(passed)))
        found = survey(flow.root, window, outline)
        if all(x in passed for x in found.uses if x.op.rules):
            return found
    return survey(flow.root, window)


def marked_wrong(drawing: Drawing, mistake: str) -> Drawing:
    """A drawing of a backward pass with a mistake in it (`tg.what_if`), with that in bold on
    top."""
    text = f"WRONG on purpose: {mistake}"
    label = Label(drawing.left + 12, drawing.top - 8, roman(text), "wrong", 15.0, "start",
                  bold=True)
    return replace(drawing, top=drawing.top - 26, height=drawing.height + 26,
                   width=max(drawing.width, width(label.text, 15.0) * 1.1 + 24),
                   title=f"{text}. {drawing.title}", labels=(*drawing.labels, label))
