"""The rolled graph: one step, and what goes round.

The question this file answers: *what is the program, however often its loop runs?*

The quotient of the unrolled graph: all steps on top of each other. What has the same place in every
step is drawn once, called h_t; a use of something from k steps before is an edge with a black
square, the delay, and the lag beside it. What only some steps have says which. Three steps and a
thousand give the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.freeing import unsearched
from ..errors import InputError
from ..nn.options import yes_or_no
from . import options
from .alike import steps_to_read
from .asked import options_of
from .beside import side_by_side
from .callbacks import NodeCallback
from .options import Options
from .picture import Picture
from .quotient import Quotient, bridges_apart
from .survey import survey
from .unrolled import look, scene_of
from .window import Window


@options_of
@unsearched
def rolled(loss: Any, *, unrolled: bool = False, level: str = "op", collapse: Iterable[str] = (),
           show: Iterable[str] = ("names",), direction: str = "right", theme: str = "auto",
           palette: Mapping[str, str] | None = None, font: str | None = None, size: float = 1.0,
           node: NodeCallback | None = None, edge: NodeCallback | None = None) -> Picture:
    """Draw the graph that `loss` was computed by, rolled up: one step, with delays.

    A black square on an edge is a delay, and the lag stands beside it: t−1 is the step before, t+1
    the one after (a sequence that is read from its end). A first state comes in dashed. With
    `unrolled=True` the same graph unrolled stands beside it. The other options are those of
    `draw.unrolled`; `level` is "op" or "cell", and of what can be shown only "names", "shapes" and
    "parameters" are the same at every step. A callback gets the node of the first step.

    Raises `InputError` if `loss` is not a node or has no steps, and for options that cannot be.
    """
    where = "draw.rolled()"
    chosen = Options(where, level, collapse, show, palette, font, size, node, edge,
                     direction).checked(
        levels=("op", "cell"), shown=("names", "shapes", "parameters"))
    beside = yes_or_no(unrolled, "unrolled", where)
    found = look(loss, options.window(where), where)
    alike = steps_to_read(found)
    window = options.window(where, every=True) if alike is None else Window(these=alike.seen)
    scene = scene_of(survey(found.root, window, found.outline), where, "Rolled graph")
    if not scene.columns:
        raise InputError("the graph has no time steps, so there is nothing to roll up",
                         where=where,
                         fix="Mark the steps: with tg.timestep(t): ..., or draw.unrolled(loss)")
    bridges_apart(scene)
    quotient = Quotient(chosen.levelled(scene), alike)
    drawing = chosen.placed(quotient.told_together())
    if beside:
        whole = scene_of(look(loss, options.window(where, 3, 3), where), where, "Unrolled graph")
        drawing = side_by_side(drawing, chosen.placed(chosen.levelled(whole)))
    return Picture(chosen.finished(drawing), theme)
