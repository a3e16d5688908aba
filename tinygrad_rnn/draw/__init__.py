"""Drawings: the unrolled graph and the gradient through it, as text first (SVG, DOT, HTML).

    graph -> survey -> reading: a Scene -> parts, cell, template, timegrid: a frozen Drawing -> svg, dot, html

All but the last arrow is pure; only `render` runs programs.
"""

from .flow import gradient_flow
from .picture import Picture
from .unrolled import unrolled

__all__ = ["Picture", "gradient_flow", "unrolled"]
