"""The V curve: how far a plain difference is from the gradient, for steps of every size.

The question this file answers: *which step should I have taken, and how close can it come?*

Too large a step sees the curvature: the error falls as h². Too small a one sees the rounding: it
rises as 1 / h. A right gradient gives a V; a wrong one a floor, since the difference converges to
something else. A kink and a rough loss look different again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .differences import Line

WIDTH, HEIGHT = 560, 260
LONGEST = 60  # of a bar in the terminal
LEFT, BOTTOM, TOP, RIGHT = 64, 220, 34, 540


@dataclass(frozen=True)
class Sweep:
    """Steps, the relative distance |g · v - (φ(h) - φ(-h)) / 2h| / |g · v| at each, and g · v."""

    steps: list[float]
    distances: list[float]
    analytic: float

    @property
    def best(self) -> tuple[float, float]:
        """The step with the smallest distance, and that distance."""
        known = [(d, h) for h, d in zip(self.steps, self.distances) if math.isfinite(d)]
        d, h = min(known, default=(math.nan, math.nan))
        return h, d

    @property
    def floor(self) -> float:
        """The distance that is left whatever the step, from 1e-4 to 1e-8: what is wrong with the
        gradient. 0.0 where there is a V."""
        middle = [d for h, d in zip(self.steps, self.distances) if 9e-9 < h < 2e-4]
        flat = middle and min(middle) > 1e-7 and max(middle) < 2.0 * min(middle)
        return min(middle) if flat else 0.0

    @property
    def words(self) -> str:
        """What the curve says."""
        h, d = self.best
        if math.isnan(d):
            return "no step gives a finite difference"
        if self.floor:
            return f"off by {self.floor:.1e} whatever the step: it converges to another number"
        return f"closest at h = {h:.0e}: {d:.1e} of the slope {self.analytic:.6g}"

    def __str__(self) -> str:
        lines = ["     step  distance"]
        for step, distance in zip(self.steps, self.distances):
            length = 3.0 * (16.0 + exponent(distance)) if math.isfinite(distance) else 0.0
            bar = "#" * min(max(round(length), 0), LONGEST)
            lines.append(f"  {step:7.0e}   {distance:7.1e} {bar}")
        return "\n".join([*lines, f"  {self.words}"])

    __repr__ = __str__

    def svg(self) -> str:
        """The curve as an SVG drawing."""
        points = [(exponent(h), exponent(d)) for h, d in zip(self.steps, self.distances)
                  if math.isfinite(d)]
        low = min([-12.0, *(math.floor(y) for _, y in points)])
        high = max([0.0, *(math.ceil(y) for _, y in points)])
        start, end = exponent(self.steps[-1]), exponent(self.steps[0])

        def at(x: float, y: float) -> tuple[float, float]:
            return (LEFT + (x - start) / (end - start) * (RIGHT - LEFT),
                    BOTTOM - (y - low) / (high - low) * (BOTTOM - TOP))

        ink = []
        for y in range(round(low), round(high) + 1, 4):
            _, py = at(start, y)
            ink.append(f'<line class="g" x1="{LEFT}" y1="{py:.1f}" x2="{RIGHT}" y2="{py:.1f}"/>'
                       f'<text x="{LEFT - 8}" y="{py + 4:.1f}" text-anchor="end">1e{y}</text>')
        for x in range(round(start), round(end) + 1, 2):
            px, _ = at(x, low)
            ink.append(f'<text x="{px:.1f}" y="{BOTTOM + 18}" text-anchor="middle">1e{x}</text>')
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*p) for p in points))
        ink.append(f'<polyline points="{path}"/>')
        if points and not self.floor:
            px, py = at(*min(points, key=lambda p: p[1]))
            ink.append(f'<circle class="b" cx="{px:.1f}" cy="{py:.1f}" r="7"/>')
        ink += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in (at(*p) for p in points)]
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                f'width="{WIDTH}" height="{HEIGHT}" role="img"><title>Distance between gradient '
                f"and difference, by step</title><style>{STYLE}</style>"
                f'<text class="t" x="{LEFT}" y="20">distance between gradient and difference, '
                f'relative</text><text x="{RIGHT}" y="{BOTTOM + 36}" text-anchor="end">'
                f'step h</text><text x="{LEFT}" y="{BOTTOM + 36}">{self.words}</text>'
                + "".join(ink) + "</svg>\n")

    _repr_svg_ = svg


STYLE = ("text{font:12px sans-serif;fill:#555}.t{font-size:13px;fill:#222}"
         ".g{stroke:#8884}polyline{fill:none;stroke:#0072B2;stroke-width:2}circle{fill:#0072B2}"
         ".b{fill:none;stroke:#D55E00;stroke-width:2}"
         "@media (prefers-color-scheme:dark){text{fill:#bbb}.t{fill:#eee}"
         "polyline{stroke:#56B4E9}circle{fill:#56B4E9}.b{fill:none}}")


def exponent(x: float) -> float:
    """log10, with a floor for zero."""
    return math.log10(x) if x > 1e-16 else -16.0


def swept(line: Line, analytic: float) -> Sweep:
    """The curve along one line, for h = 1e-1 ... 1e-12."""
    steps = [10.0 ** -k for k in range(1, 13)]
    distances = [abs(analytic - line.quotient(h)) / max(abs(analytic), 1e-300) for h in steps]
    return Sweep(steps, distances, analytic)
