"""Drawings: graphs, gradients and models as text first (SVG, DOT, HTML, JSON, a sketch).

    survey, reading     which parts the picture has             graph -> Scene
    cell, template, timegrid, ink (layered, blocks)             Scene -> frozen Drawing
    svg, dot, html, json, sketch    text                        Drawing -> text

All but the last arrow is pure; only `render` runs programs.
"""

from .api import api
from .backward import backward_graph
from .coloured import text
from .flow import gradient_flow
from .heatmap import heatmap
from .picture import Picture
from .player import player
from .related import Related, inside_quotes, nesting, related
from .rolled import rolled
from .scalar import scalar
from .truncated import truncated
from .unrolled import unrolled

__all__ = ["Picture", "Related", "api", "backward_graph", "gradient_flow", "heatmap",
           "inside_quotes", "nesting", "player", "related", "rolled", "scalar", "text",
           "truncated", "unrolled"]
