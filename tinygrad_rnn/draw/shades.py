"""Shades: from a number to a colour, for numbers with a sign and for sizes, with a bar to read them
by.

The question this file answers: *how blue is -0.3?*

Numbers with a sign go from blue over white (0) to red, and reach equally far on both sides; sizes
go from pale to deep, from 0 on. NaN and infinity have looks of their own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import style
from .labels import number, roman
from .model import Cell
from .paper import Sheet

BARS = "▁▂▃▄▅▆▇█"
WIDE, TALL, CELLS = 170.0, 11.0, 161


class Shades:
    """The scale of some numbers. `kind` is "signed", "sizes", or "auto": signed if any is below
    0. `most` is the number at the end of the scale; the largest in sight if it is not given."""

    def __init__(self, numbers: Any, kind: str = "auto",
                 most: float | None = None) -> None:
        seen = np.asarray(numbers, dtype=float)
        finite = seen[np.isfinite(seen)]
        self.signed = kind == "signed" or kind == "auto" and bool((finite < 0).any())
        self.most = float(np.abs(finite).max(initial=0.0)) if most is None else most
        self.odd = [(x, word) for x, word, there in ((math.nan, "NaN", np.isnan(seen).any()),
                                                     (math.inf, "infinite", np.isinf(seen).any()))
                    if there]

    def level(self, x: float) -> float:
        """The place of a number on the scale, from 0 to 1."""
        part = x / self.most if self.most else 0.0
        return min(max(0.5 + part / 2 if self.signed else part, 0.0), 1.0)

    def paint(self, x: float) -> str:
        """Its colour, or the role of what is no number."""
        if math.isnan(x):
            return "nan"
        if math.isinf(x):
            return "inf"
        return style.Shade("signed" if self.signed else "sizes", self.level(x))

    def looks(self, x: float) -> dict[str, Any]:
        """The looks of a box that stands for a number."""
        paint = self.paint(x)
        if isinstance(paint, style.Shade):
            return {"role": "dim", "fill": paint, "stroke": paint.its("edge"), "width": 0.6,
                    "ink": paint.its("ink")}
        return {"role": paint}

    def sign(self, x: float) -> str:
        """A character as high as the number: ▁ is the lowest, █ the highest."""
        if not math.isfinite(x):
            return "?" if math.isnan(x) else "∞"
        return BARS[min(int(self.level(x) * len(BARS)), len(BARS) - 1)]

    @property
    def least(self) -> float:
        """The number at the lower end."""
        return -self.most if self.signed else 0.0

    def legend(self, sheet: Sheet, left: float, top: float) -> None:
        """A bar with the numbers at its ends."""
        span = self.most - self.least
        steps = [self.least + span * i / (CELLS - 1) for i in range(CELLS)]
        cells = tuple(Cell(1.0, self.paint(x), "") for x in steps)
        sheet.strip("legend", (left, top), (WIDE, TALL), cells, "the colours")
        ends = [(left, self.least, "start"), (left + WIDE, self.most, "end")]
        if self.signed:
            ends.append((left + WIDE / 2, 0.0, "middle"))
        for x, value, anchor in ends:
            sheet.say((x, top + TALL + 12), roman(number(value)), "quiet", style.TINY, anchor)
        for i, (odd, word) in enumerate(self.odd):
            x = left + WIDE + 20 + 80 * i
            sheet.box(f"legend {word}", (x + 7, top + TALL / 2), (14.0, TALL), shape="rect",
                      **self.looks(odd))
            sheet.say((x + 19, top + TALL - 2), roman(word), "quiet", style.TINY, "start")

    def words(self) -> str:
        """The legend of a sketch."""
        ends = f"▁ {number(self.least)}  " + ("▅ 0  " if self.signed else "")
        odd = "".join(f"  {self.sign(x)} {word}" for x, word in self.odd)
        return f"{ends}█ {number(self.most)}{odd}"
