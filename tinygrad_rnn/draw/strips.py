"""Strips: the gradient at every step of a long sequence, the steps that are not drawn included.

The question this file answers: *what happened in the steps between?*

One row of bars for each state (‖∂L/∂h_t‖), and one for each weight: the norm of each step's
contribution Δ_t. Each is on a log scale of its own, of at least one decade, in the colours of the
wires. More than 1,000 steps share cells; a cell shows its largest, and tells the smallest and the
rms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from . import style
from .labels import Run, Text, clean, minus, number, plain, roman, symbol, width
from .model import Cell, Drawing, Label, Strip
from .paper import framed
from .scale import Scale
from .scene import Scene
from .series import Series, Strips
from .ticks import begins, ticks

MOST, BARS, TICKS = 1000, 30.0, 12
LEAST = 360.0  # the width of a strip, so that its ticks can be read
LOG = ", log scale"
Height = Callable[[float], float]
Ends = Sequence[tuple[float, str]]
Places = Sequence[tuple[int, Text]]


def with_strips(drawing: Drawing, scene: Scene, shown: Strips, scale: Scale, root: Text,
                down: bool = False) -> Drawing:
    """The drawing with a strip for each state and each weight: below it, or where time runs down,
    on its right."""
    names = np.array(scene.steps)
    every = names if shown.whens is scene.steps else np.array(shown.whens)
    paper = (Down if down else Across)(drawing, names)
    for (scope, name), series in shown.states.items():
        low, high = ends_of(series)
        height = bar_height(low, high)
        of = f"‖ of {clean(scope)}{LOG}" if scope else f"‖{LOG}"
        title = (Run("all steps: ‖∂"), *root, Run("/∂"), *symbol(name), Run("t", "_"), Run(of))
        cells = cells_of(series, every, names, scale, height)
        paper.bars(title, cells, extremes(low, high, height), numbered(names, cells))
    for weight, series in shown.weights:
        low, high = ends_of(series)
        height = bar_height(low, high)
        title = (Run("‖Δ"), Run("t", "_"), Run("‖ of "), *weight, Run(LOG))
        paper.bars(title, cells_of(series, every, names, scale, height),
                   extremes(low, high, height))
    if len(scene.steps) > MOST:
        shared = math.ceil(len(scene.steps) / MOST)
        paper.remark(roman(f"a cell stands for up to {shared:,} steps, and shows the largest of "
                           "them"))
    return framed(replace(drawing, strips=(*drawing.strips, *paper.strips),
                          labels=(*drawing.labels, *paper.labels)))


class Across:
    """Strips that run to the right, below each other and below the steps."""

    def __init__(self, drawing: Drawing, steps: Any) -> None:
        self.steps, self.begins = steps, begins(steps)
        self.strips: list[Strip] = []
        self.labels: list[Label] = []
        parts = drawing.frames or drawing.boxes  # whole layers have no frames
        self.left = min(box.sides[0] for box in parts)
        self.wide = max(max(box.sides[2] for box in parts) - self.left, LEAST)
        self.y = drawing.top + drawing.height + 4.0

    def bars(self, title: Text, cells: tuple[Cell, ...], ends: Ends, places: Places = ()) -> None:
        """A row of bars with its largest and smallest beside it; where there are stages, beside
        its last bar. Below it stand the numbers of steps at their `places`."""
        self.strip(title, cells)
        count, y = len(self.steps), self.y + BARS + 13
        last = len(cells) if len(self.begins) == 1 else len(cells) - first_of(cells[::-1])
        x = self.left + self.wide * last / len(cells) + 6
        self.labels += [Label(x, self.y + level, roman(words), "quiet", style.TINY, "start")
                        for level, words in ends]
        self.labels += [Label(self.left + self.wide * (i + 0.5) / count, y, number_, "quiet",
                              style.TINY) for i, number_ in places]
        self.y += BARS + (27 if places else 12)

    def strip(self, title: Text, cells: tuple[Cell, ...]) -> None:
        """A strip, with its title on the left: of all, or of the stage that its cells belong to."""
        name = f"all.strip{len(self.strips)}"
        self.strips.append(Strip(name, self.left, self.y, self.wide, BARS, cells, plain(title)))
        first = first_of(cells) / len(cells) * len(self.steps)
        lead = self.wide * max(at for at in self.begins if at <= first) / len(self.steps)
        x = self.left + (lead if lead > width(title, style.SMALL) + 16 else 0.0)
        self.labels.append(Label(x - 8, self.y + BARS / 2 + 4, title, "text", style.SMALL, "end"))

    def remark(self, text: Text) -> None:
        """Words below all."""
        self.labels.append(Label(self.left, self.y + 4, text, "quiet", style.TINY, "start"))


class Down:
    """Strips that run down, beside each other and on the right of the steps."""

    def __init__(self, drawing: Drawing, steps: Any) -> None:
        self.steps = steps
        self.strips: list[Strip] = []
        self.labels: list[Label] = []
        parts = drawing.frames or drawing.boxes
        self.top = min(box.sides[1] for box in parts)
        self.tall = max(max(box.sides[3] for box in parts) - self.top, LEAST)
        self.x = self.start = drawing.left + drawing.width + 12.0

    def bars(self, title: Text, cells: tuple[Cell, ...], ends: Ends, places: Places = ()) -> None:
        """Bars below each other, with the numbers of steps beside them, and the largest and the
        smallest at the end."""
        self.strip(title, cells)
        count, bottom = len(self.steps), self.top + self.tall + 17
        self.labels += [Label(self.x + BARS + 6, self.top + self.tall * (i + 0.5) / count + 3,
                              number_, "quiet", style.TINY, "start") for i, number_ in places]
        self.labels += [Label(self.x, bottom + 13 * i, roman(words), "quiet", style.TINY, "start")
                        for i, (_, words) in enumerate(ends)]
        beside = [BARS + 6 + width(number_, style.TINY) for _, number_ in places]
        self.x += max([BARS, *(width(line, style.SMALL) for line in lines_of(title)), *beside,
                       *(width(roman(words), style.TINY) for _, words in ends)]) + 20

    def strip(self, title: Text, cells: tuple[Cell, ...]) -> None:
        """A strip, with its title above, in two lines: it is narrow."""
        name = f"all.strip{len(self.strips)}"
        self.strips.append(Strip(name, self.x, self.top, BARS, self.tall, cells, plain(title),
                                 True))
        self.labels += [Label(self.x, self.top - 9 - 13 * i, line, "text", style.SMALL, "start")
                        for i, line in enumerate(lines_of(title)[::-1])]

    def remark(self, text: Text) -> None:
        """Words below all."""
        self.labels.append(Label(self.start, self.top + self.tall + 46, text, "quiet", style.TINY,
                                 "start"))


def lines_of(title: Text) -> list[Text]:
    """A title in two lines."""
    *before, last = title
    return [(*before, Run(last.text.removesuffix(LOG) + LOG[0])), (Run(LOG[2:]),)]


def cells_of(series: Series, whens: Any, names: Any, scale: Scale,
             height: Height) -> tuple[Cell, ...]:
    """The cells of a series over all steps, at most `MOST` of them; a step without a gradient is
    empty. `whens` are the places of the steps in time, `names` what they are called. Of a cell that
    several steps share the largest is seen, and its tooltip has the smallest and the rms (the root
    of the mean square) too."""
    count = min(len(whens), MOST)
    ends = np.arange(count + 1) * len(whens) // count
    cells = []
    for first, last, sizes in zip(names[ends[:-1]].tolist(), names[ends[1:] - 1].tolist(),
                                  binned(series, whens, ends)):
        where = minus(f"t = {first}" if first == last else f"t = {first} … {last}")
        if sizes is None:
            cells.append(Cell(0.0, "dim", f"{where}: no gradient"))
            continue
        most, least, rms = sizes
        told = number(most) if first == last else \
            f"largest {number(most)}, smallest {number(least)}, rms {number(rms)}"
        cells.append(Cell(height(most), scale.paint(most), f"{where}: {told}"))
    return tuple(cells)


@np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
def binned(series: Series, steps: Any, ends: Any) -> list[list[float] | None]:
    """The largest, the smallest and the rms of the norms in each stretch of steps, from one of the
    `ends` to the next; None where there is none. A NaN is larger than all others."""
    sizes, there, begins = series.norms, np.ones(len(steps), bool), ends[:-1]
    if not np.array_equal(series.steps, steps):  # some steps have none
        at = np.minimum(np.searchsorted(series.steps, steps), len(series.steps) - 1)
        sizes, there = sizes[at], series.steps[at] == steps
    most = np.maximum.reduceat(np.where(there, sizes, -1.0), begins)
    least = np.minimum.reduceat(np.where(there, sizes, math.inf), begins)
    squares = np.add.reduceat(np.where(there, sizes * sizes, 0.0), begins)
    count = np.add.reduceat(there, begins, dtype=float)
    rms = np.sqrt(squares / count)
    return [three if known else None for known, *three in zip(
        count.tolist(), most.tolist(), least.tolist(), rms.tolist())]


def ends_of(series: Series) -> tuple[float, float]:
    """The smallest and the largest norm that have a place on a log scale; NaN if none has."""
    sizes = series.finite()
    return (float(sizes.min()), float(sizes.max())) if len(sizes) else (math.nan, math.nan)


def bar_height(low: float, high: float) -> Height:
    """The height of a bar: the log of the norm, from the smallest to the largest; over one decade
    at least, so that bars of nearly the same size look alike. What has no place there, 0 too, is as
    high as can be, and told by its looks: where nothing stands there is no gradient."""
    bottom, span = math.log10(low), math.log10(high) - math.log10(low)
    if span < 1:
        bottom, span = math.log10(high) - 1, 1.0

    def height(size: float) -> float:
        if size == 0 or not math.isfinite(size):
            return 1.0
        return 0.06 + 0.94 * (math.log10(size) - bottom) / span

    return height


def extremes(low: float, high: float, height: Height) -> list[tuple[float, str]]:
    """The words beside a row of bars, each level with the top of its bar where there is room."""
    if math.isnan(high):
        return []
    if number(low) == number(high):
        return [(8.0, f"{number(high)}, all")]
    level = min(max(BARS * (1 - height(low)) + 4, 20.0), BARS)
    return [(8.0, f"{number(high)} largest"), (level, f"{number(low)} smallest")]


def first_of(cells: tuple[Cell, ...]) -> int:
    """The place of the first cell that is seen."""
    return next((i for i, cell in enumerate(cells) if cell.level), 0)


def numbered(steps: Any, cells: tuple[Cell, ...]) -> Places:
    """The steps whose numbers stand beside a strip: where they are, and what is said. A stage in
    which the strip is empty has none, and takes no room from those beside it."""
    starts = begins(steps)
    stages = [(a, b) for a, b in zip(starts, [*starts[1:], len(steps)])]
    seen = [(a, b) for a, b in stages if any(cell.level for cell in cells[
        cell_at(a, steps, cells):cell_at(b - 1, steps, cells) + 1])]
    runs: list[tuple[int, int]] = []  # of stages side by side
    for a, b in seen or stages:
        begin = runs.pop()[0] if runs and runs[-1][1] == a else a
        runs.append((begin, b))
    return [(a + i, roman(minus(f"{steps[a + i]:,}"))) for a, b in runs
            for i in ticks(steps[a:b], len(steps) / TICKS)]


def cell_at(i: int, steps: Any, cells: tuple[Cell, ...]) -> int:
    """The place of the cell that stands for a step."""
    return i * len(cells) // len(steps)
