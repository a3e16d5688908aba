"""Drawings: the unrolled graph and the gradient through it, as text first (SVG, DOT, HTML).

    survey, reading     which parts the picture has             graph -> Scene
    cell, template, timegrid, ink (layered, blocks)             Scene -> frozen Drawing
    svg, dot, html      text                                    Drawing -> text

All but the last arrow is pure; only `render` runs programs.
"""

from .api import api
from .flow import gradient_flow
from .picture import Picture
from .unrolled import unrolled

__all__ = ["Picture", "api", "gradient_flow", "unrolled"]
