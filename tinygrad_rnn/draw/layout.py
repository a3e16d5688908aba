"""The choice of a layout: the time grid for what has time, layers for the rest, or Graphviz.

The question this file answers: *who says where things stand?*

    layout     "auto": our own, and Graphviz (where there is one) for large graphs without time;
               "own": no program is ever run; "graphviz": `dot` is asked
    direction  "right" or "down": which way time runs, and inputs become results
"""

from __future__ import annotations

from . import engine
from .blocks import draw_block
from .down import draw_down
from .ink import roomy
from .model import Drawing
from .scene import Scene

LAYOUTS, DIRECTIONS = ("auto", "own", "graphviz"), ("right", "down")


def place(scene: Scene, layout: str = "auto", direction: str = "right") -> Drawing:
    """The finished drawing of a scene. Raises `render.RenderError` if Graphviz is asked for, and is
    not there or fails."""
    down = direction == "down"
    large = not scene.columns and len(scene.around) > engine.LARGE
    if layout == "graphviz" or layout == "auto" and large and engine.there():
        return engine.draw_by_graphviz(scene, down)
    if not scene.columns:
        return draw_block(scene, down)
    return draw_down(scene) if down else roomy(scene).drawing()
