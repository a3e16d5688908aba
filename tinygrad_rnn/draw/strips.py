"""Strips: the gradient at every step of a long sequence, the steps that are not drawn included.

The question this file answers: *what happened in the steps between?*

One heat strip for each state (‖∂L/∂h_t‖), and one row of bars for each weight: the norm of each
step's contribution Δ_t, on a log scale of at least one decade. More than 1,000 steps share cells; a
cell shows its largest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..bptt.contribution import Contribution, norms_of
from ..bptt.flow import GradientFlow
from ..core.parts import norm
from . import style
from .labels import Run, Text, number, plain, roman, symbol
from .model import Cell, Drawing, Label, Strip
from .paper import framed
from .scale import Scale
from .scene import Scene

MOST, HEAT, BARS, TICKS = 1000, 16.0, 30.0, 10
LEAST = 360.0  # the width of a strip, so that its ticks can be read
Series = dict[int, float]  # step -> norm
Height = Callable[[float], float]


class Strips(NamedTuple):
    """What the strips show: a series for each state, and one for each weight with its name."""

    states: dict[str, Series]
    weights: list[tuple[Text, Series]]

    def norms(self) -> list[float]:
        """Every norm that can be seen; a bar of height zero cannot."""
        cells = [x for series in self.states.values() for x in series.values()]
        return cells + [x for _, series in self.weights for x in series.values() if x != 0]


def series_of(scene: Scene, flow: GradientFlow) -> Strips:
    """The series of everything in view."""
    return Strips(states(scene, flow), weights(scene, flow))


def with_strips(
    drawing: Drawing, scene: Scene, shown: Strips, scale: Scale, root: Text
) -> Drawing:
    """The drawing with a strip for each state and each weight below it."""
    left = min(frame.sides[0] for frame in drawing.frames)
    wide = max(max(frame.sides[2] for frame in drawing.frames) - left, LEAST)
    y = drawing.top + drawing.height + 4.0
    strips: list[Strip] = []
    labels: list[Label] = []

    def add(title: Text, series: Series, high: float, height: Height) -> None:
        name = f"all.strip{len(strips)}"
        cells = cells_of(series, scene.steps, scale, height)
        strips.append(Strip(name, left, y, wide, high, cells, plain(title)))
        labels.append(Label(left - 8, y + high / 2 + 4, title, "text", style.SMALL, "end"))

    for name, series in shown.states.items():
        title = (*symbol(name), Run("t", "_"), Run("‖"))
        add((Run("all steps: ‖∂"), *root, Run("/∂"), *title), series, HEAT, lambda _: 1.0)
        labels += ticks(left, y + HEAT + 12, wide, scene.steps)
        y += HEAT + 26
    for weight, series in shown.weights:
        sizes = [x for x in series.values() if x > 0 and math.isfinite(x)]
        low, high = min(sizes, default=1.0), max(sizes, default=1.0)
        height = bar_height(low, high)
        title = (Run("‖Δ"), Run("t", "_"), Run("‖ of "), *weight, Run(", log scale"))
        add(title, series, BARS, height)
        for level, words in extremes(low, high, height) if sizes else ():
            text = roman(words)
            labels.append(Label(left + wide + 6, y + level, text, "quiet", style.TINY, "start"))
        y += BARS + 12
    return framed(
        replace(drawing, strips=(*drawing.strips, *strips), labels=(*drawing.labels, *labels))
    )


def states(scene: Scene, flow: GradientFlow) -> dict[str, Series]:
    """‖∂L/∂h_t‖ at every step, for each state."""
    named = {
        (g.node.scope, g.node.name)
        for c in scene.columns
        for g in c.glyphs
        if g.role == "state" and g.node is not None and g.node.name is not None
    }
    found: dict[tuple[str, str], Series] = {}
    for node in flow.arrived:
        if node.name is not None and (node.scope, node.name) in named and node.step is not None:
            found.setdefault((node.scope, node.name), {})[node.step] = flow.norm(node)
    scopes = {scope for scope, _ in found}
    return {
        f"{scope}/{name}" if len(scopes) > 1 else name: dict(sorted(series.items()))
        for (scope, name), series in sorted(found.items())
    }


def weights(scene: Scene, flow: GradientFlow) -> list[tuple[Text, Series]]:
    """‖Δ_t‖ at every step, for each rail; two uses at one step count together."""
    found = []
    for rail in scene.rails:
        uses: dict[int, list[Contribution]] = {}
        for use in flow.incoming.get(rail.glyph.node, ()) if rail.glyph.node is not None else ():
            if use.step is not None:
                uses.setdefault(use.step, []).append(use)
        if uses:
            alone = {t: parts[0] for t, parts in uses.items() if len(parts) == 1}
            sizes = dict(zip(alone, norms_of(list(alone.values()))))
            series = {t: sizes[t] if t in sizes else together(parts) for t, parts in uses.items()}
            found.append((rail.glyph.text, series))
    return found


def together(parts: list[Contribution]) -> float:
    """The norm of the sum of contributions."""
    return norm(np.asarray(sum((p.array() for p in parts[1:]), parts[0].array())))


def cells_of(series: Series, steps: list[int], scale: Scale, height: Height) -> tuple[Cell, ...]:
    """The cells of a series over all steps, at most `MOST` of them; a step without a gradient is
    empty."""
    count = min(len(steps), MOST)
    cells = []
    for i in range(count):
        part = steps[i * len(steps) // count : (i + 1) * len(steps) // count]
        sizes = [series[t] for t in part if t in series]
        where = f"t = {part[0]}" if len(part) == 1 else f"t = {part[0]} … {part[-1]}, the largest"
        if not sizes:
            cells.append(Cell(0.0, "dim", f"{where}: no gradient"))
            continue
        size = max(sizes, key=lambda x: math.inf if math.isnan(x) else x)
        cells.append(Cell(height(size), scale.paint(size), f"{where}: {number(size)}"))
    return tuple(cells)


def bar_height(low: float, high: float) -> Height:
    """The height of a bar: the log of the norm, from the smallest to the largest; over one decade
    at least, so that bars of nearly the same size look alike."""
    bottom, span = math.log10(low), math.log10(high) - math.log10(low)
    if span < 1:
        bottom, span = math.log10(high) - 1, 1.0

    def height(size: float) -> float:
        if not math.isfinite(size):
            return 1.0
        if size == 0:
            return 0.0
        return 0.06 + 0.94 * (math.log10(size) - bottom) / span

    return height


def extremes(low: float, high: float, height: Height) -> list[tuple[float, str]]:
    """The words beside a row of bars, each level with the top of its bar where there is room."""
    if number(low) == number(high):
        return [(8.0, f"{number(high)}, all")]
    level = min(max(BARS * (1 - height(low)) + 4, 20.0), BARS)
    return [(8.0, f"{number(high)} largest"), (level, f"{number(low)} smallest")]


def ticks(left: float, y: float, wide: float, steps: list[int]) -> list[Label]:
    """Step numbers below a strip."""
    count = len(steps)
    places = sorted({0, count - 1, *(round(i * count / TICKS) - 1 for i in range(1, TICKS))})
    return [
        Label(left + wide * (i + 0.5) / count, y, roman(f"{steps[i]:,}"), "quiet", style.TINY)
        for i in places
        if 0 <= i < count
    ]
