"""The choice of a layout: the time grid for what has time, layers for the rest, or Graphviz.

The question this file answers: *who says where things stand?*

    layout     "auto": our own, and Graphviz, where there is one, for large graphs: above 500
               things without time, or in a single step; "own": no program is ever run, however
               long it takes; "graphviz": `dot` is asked
    direction  "right" or "down": which way time runs, and inputs become results
"""

from __future__ import annotations

from dataclasses import replace

from . import engine, style
from .blocks import draw_block
from .down import draw_down
from .ink import Ink
from .model import Drawing
from .scene import Scene
from .template import BETWEEN, Room
from .timegrid import HOPELESS, TimeGrid

LAYOUTS, DIRECTIONS = ("auto", "own", "graphviz"), ("right", "down")
TRIES, MORE = 3, 12.0  # how often rows and columns are moved apart, and how far


def place(scene: Scene, layout: str = "auto", direction: str = "right") -> Drawing:
    """The finished drawing of a scene. Raises `render.RenderError` if Graphviz is asked for and is
    not there, or fails."""
    down = direction == "down"
    steps = [len(column.glyphs) for column in scene.columns]
    count = max(steps) if steps else len(scene.around)
    theirs = count > engine.LARGE and engine.there()
    if layout == "graphviz" or layout == "auto" and theirs:
        drawing = engine.draw_by_graphviz(scene, down)
    elif not scene.columns:
        drawing = draw_block(scene, down)
    else:
        drawing = draw_down(scene) if down else roomy(scene).drawing()
    if not scene.backwards:
        return drawing
    # Where gradients go on together, the largest is seen: a thin line on it would look like a seam.
    return replace(drawing, lines=tuple(sorted(drawing.lines, key=lambda line: line.width)))


def roomy(scene: Scene) -> Ink:
    """A scene with time on its grid; rows and columns further apart, if wires or words find no
    place between them."""
    tried: list[Ink] = []
    for tries in range(TRIES):
        more = MORE * tries
        room = Room(column=style.GAP_X + more, row=style.GAP_Y + more, between=BETWEEN + 2 * more)
        grid = TimeGrid(scene, room)
        last = tries == TRIES - 1
        if last and grid.crowded_within >= min(ink.all_crowded for ink in tried):
            break  # whatever is still to come, it will be no better
        tried.append(Ink(grid))
        if not tried[-1].all_crowded or tried[-1].grid.crowded > HOPELESS:
            break
    return min(tried, key=lambda ink: (ink.all_crowded, ink.grid.crowded))
