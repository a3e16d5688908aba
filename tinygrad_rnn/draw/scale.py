"""The scale of gradient sizes: from a norm to a colour and a width.

The question this file answers: *how red is 0.016?*

Sizes are compared on a log scale relative to the largest norm in view: red is the largest, blue the
smallest, grey the middle. The scale is never narrower than three decades, so that gradients of
nearly the same size look alike. Zero, NaN and infinity have looks of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from .style import DOTTED, Shade, gradient_colour

DECADES_LEAST, DECADES_MOST = 3.0, 16.0
THIN, THICK = 0.9, 5.0


class Scale:
    """`largest` and `smallest` are the extreme finite norms above zero in view, 0 if there are
    none. A norm of None is a place where no gradient goes."""

    def __init__(self, *norms: Iterable[float | None]) -> None:
        places = [x for part in norms for x in part]
        every = [x for x in places if x is not None]
        self.has_none = len(every) < len(places)
        sizes = [x for x in every if x > 0 and math.isfinite(x)]
        self.largest, self.smallest = max(sizes, default=0.0), min(sizes, default=0.0)
        self.has_zero = any(x == 0 for x in every)
        self.has_nan = any(math.isnan(x) for x in every)
        self.has_inf = any(math.isinf(x) for x in every)
        self.decades = self.span(self.smallest)
        wide = min(max(self.decades, DECADES_LEAST), DECADES_MOST)
        self.low = -(min(self.decades, DECADES_MOST) + wide) / 2  # in decades below the largest
        self.wide = wide

    def span(self, norm: float) -> float:
        """How many decades a norm is below the largest."""
        return math.log10(self.largest) - math.log10(norm) if norm > 0 else 0.0

    def level(self, norm: float) -> float:
        """The place of a norm on the scale: 0 is blue, 1 red."""
        return min(max((-self.span(norm) - self.low) / self.wide, 0.0), 1.0)

    def line(self, norm: float) -> tuple[Shade | None, str, float, str]:
        """Colour (None: the role's), role, width and dashes of a line that carries `norm`."""
        if math.isnan(norm):
            return None, "nan", 3.0, "7 3 1.5 3"
        if math.isinf(norm):
            return None, "inf", 6.0, ""
        if norm == 0:
            return None, "zero", 1.0, DOTTED
        level = self.level(norm)
        return gradient_colour(level), "line", THIN + (THICK - THIN) * level, ""

    def paint(self, norm: float) -> str:
        """The colour of a cell, or the role whose colour it is."""
        colour, role, _, _ = self.line(norm)
        return colour or role
