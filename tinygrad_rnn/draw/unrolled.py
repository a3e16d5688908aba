"""The unrolled graph: every step a column, every shared weight a rail.

The question this file answers: *what does the program compute, step by step?*
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.freeing import unsearched
from ..core.graph import Node
from ..errors import InputError
from ..nn.fused_open import INSIDE, open_fused
from . import options
from .asked import not_released, options_of
from .callbacks import NodeCallback
from .labels import minus, number, plain, roman, symbol
from .layout import place
from .options import Options
from .picture import Picture
from .reading import read
from .scene import Scene
from .survey import Survey, survey
from .untimed import read_untimed
from .window import Window
from .written import without_time

MOST = 120  # operations in a graph without time before it is elided


@options_of
@unsearched
def unrolled(loss: Any, first: int = 3, last: int = 3, *, steps: slice | None = None,
             level: str = "op", collapse: Iterable[str] = (), show: Iterable[str] | None = None,
             direction: str = "right", layout: str = "auto", theme: str = "auto",
             palette: Mapping[str, str] | None = None, font: str | None = None, size: float = 1.0,
             node: NodeCallback | None = None, edge: NodeCallback | None = None) -> Picture:
    """Draw the graph that `loss` was computed by, unrolled over time.

    Each time step is a column, each shared weight a rail with a tap into every step that uses it.
    Of a long sequence the `first` and `last` steps are drawn and a gap stands for the others;
    `first=T, last=0` draws every step, `steps=slice(10, 20)` steps 10 to 19. A step that
    would be the only one in a gap is drawn too. A decoder's steps stand after its encoder's. A
    fused layer is opened (`tg.open_fused`). A graph without time steps is laid out from its inputs
    to its result.

        level      "op": every operation; "cell": a box for each cell and step; "layer": a box for
                   each layer, with sequences between
        collapse   scopes that are a box each, like ["encoder"]
        show       what stands beside things: "names", "shapes", "values", "gradients" (what .grad
                   is now), "parameters" (how many); if nothing is said, names, and the values of a
                   small graph of scalars without steps
        direction  which way time runs, or inputs become results: "right" or "down"
        layout     "auto": our own, and Graphviz where there is one for more than 500 things without
                   time, or in a single step; "own": no program is run; "graphviz": `dot` says where
                   things stand
        theme      "light", "dark", "print" (black on white, for a grey printer too), or "auto"
        palette    other colours by role, like {"state": "#0072B2"}; `font` and `size` (a factor)
        node       a function (node, box) -> changes, called for everything drawn: `box` says what
                   it is, and a dict of "text", "title", "note", "fill", "stroke", "ink", "width",
                   "dashed" or "role" changes it; None changes nothing
        edge       the same for wires: "title", "note", "colour", "width", "dash" (like "4 3", or ""
                   for a whole line), "role"

    Raises `InputError` if `loss` is not a node or its graph was released, and for options that
    cannot be; `RenderError` where Graphviz is asked for and is not there.
    """
    where = "draw.unrolled()"
    chosen = Options(where, level, collapse, ("names",) if show is None else show, palette, font,
                     size, node, edge, direction, layout).checked()
    told = level == "layer" and {"shapes", "values", "gradients"}.intersection(chosen.show)
    window = options.window(where, first, last, steps, every=bool(told))
    scene = scene_of(look(loss, window, where), where, "Unrolled graph")
    chosen.fitting(scene)
    lines = without_time(loss) if not scene.columns and not chosen.collapse else ()
    scene = chosen.dressed(chosen.levelled(scene))
    if not scene.columns and level == "op" and show is None:
        add_values(scene)
    drawing = chosen.finished(place(scene, layout, direction))
    return Picture(drawing, theme, lines)


def look(root: Any, window: Window, where: str) -> Survey:
    """A look at the graph of `root`, fused layers opened."""
    if not isinstance(root, Node):
        raise InputError(
            f"expected a Value or a Tensor, the result of the graph, got {type(root).__name__}",
            where=where,
        )
    not_released(root, where)
    found = survey(root, window)
    if found.outline.kinds.intersection(INSIDE):
        found = survey(open_fused(root), window)
    return found


def scene_of(found: Survey, where: str, title: str) -> Scene:
    """What will be drawn of a graph."""
    root, window = found.root, found.window
    name = plain(symbol(root.name, root.step)) if root.name else root.op.name
    if not found.steps:
        if window.steps is not None:
            raise options.timeless("steps", where)
        return read_untimed(found, max(MOST, window.first + window.last), f"{title} of {name}")
    if not found.columns or not any(column.step is not None for column in found.columns):
        raise InputError(f"no step is in view of the {len(found.steps):,} from {found.steps[0]} to "
                         f"{found.steps[-1]}", where=where)
    scene = read(found, f"{title} of {name}, {len(found.steps):,} steps")
    hidden = [f"{column.part} {minus(f'{column.hidden[0]:,} to {column.hidden[1]:,}')}".strip()
              for column in found.columns if column.hidden is not None]
    if hidden:
        total = "" if found.stages else "T = "  # with stages each has a T of its own
        scene.caption = roman(f"{total}{len(found.steps):,} steps, of which {', '.join(hidden)} "
                              "are not drawn")
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
