"""Bands: the windows of truncated backpropagation, one below the other.

The question this file answers: *where on the paper does each window begin and end?*
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import style
from .labels import Run, Text, number, roman, width
from .paper import Sheet

CELLS = 16  # so many steps are drawn as circles
ROW, BAND, HIGH = 34.0, 20.0, 38.0


class Span(NamedTuple):
    """One window: its new steps, the first step that its gradient reaches, its loss, and the cuts:
    name and norm."""

    first: int
    last: int
    reach: int
    loss: float | None
    cuts: tuple[tuple[str, float | None], ...]


class Bands:
    """The paper: steps to the right, windows downwards."""

    def __init__(self, sheet: Sheet, steps: range, wide: float) -> None:
        self.sheet, self.steps, self.wide = sheet, steps, wide
        self.left, self.right = -wide / 2, (len(steps) - 0.5) * wide
        self.cells = wide >= 60

    def x(self, step: int) -> float:
        """The middle of a step."""
        return (step - self.steps[0]) * self.wide

    def states(self, spans: Sequence[Span]) -> None:
        """The states, with inputs and losses, and the frames of the windows behind them."""
        for i, span in enumerate(spans):
            rect = (self.x(span.first) - self.wide / 2 + 1, -62.0 if self.cells else -14.0,
                    self.x(span.last) + self.wide / 2 - 1, 62.0 if self.cells else 14.0)
            if self.wide * (span.last - span.first + 1) >= 4:
                self.sheet.frame(f"window{i + 1}", rect, "frame" if i % 2 == 0 else "gap",
                                 title=f"window {i + 1}: steps {span.first} to {span.last}")
        if self.cells:
            self.unrolled()
        else:
            self.axis()

    def unrolled(self) -> None:
        """x_t, h_t and L_t at every step; the value of the state runs on through all of them."""
        before = self.sheet.box("h0", (self.x(self.steps[0]) - self.wide, 0.0), (32.0, 32.0),
                                "initial", (Run("h", "i"), Run(str(self.steps[0] - 1), "_")),
                                "circle", dashed=True)
        for t in self.steps:
            x, step = self.x(t), Run(str(t), "_")
            state = self.sheet.box(f"h{t}", (x, 0.0), (32.0, 32.0), "state",
                                   (Run("h", "i"), step), "circle")
            below = self.sheet.box(f"x{t}", (x, 43.0), (30.0, 20.0), "input",
                                   (Run("x", "i"), step), size=style.SMALL)
            above = self.sheet.box(f"L{t}", (x, -43.0), (30.0, 20.0), "loss",
                                   (Run("L", "i"), step), size=style.SMALL)
            self.sheet.join(below, state)
            self.sheet.join(state, above)
            self.sheet.join(before, state, "carried", width=2.0)
            before = state

    def axis(self) -> None:
        """The numbers of the steps, where there are too many for circles."""
        count = len(self.steps)
        every = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000,
                                 10 ** 9) if n * self.wide >= 34 or n >= count)
        for t in self.steps:
            if t % every == 0 or t == self.steps[0]:
                self.sheet.say((self.x(t), 4.0), roman(f"{t:,}"), "quiet", style.TINY)
        self.sheet.say((self.left - 8, 4.0), (Run("t", "i"),), "quiet", anchor="end")
        name = (Run("h", "i"), Run("t", "_"), Run(" goes on as a value through all steps →"))
        self.sheet.say((self.left, -22.0), name, "carried", style.SMALL, "start")

    def top(self, i: int) -> float:
        """The middle of band i."""
        return (94.0 if self.cells else 40.0) + ROW * i

    def band(self, i: int, span: Span, number_: int) -> None:
        """One window: its band, the gradient through it, and the cut."""
        y, start = self.top(i), min(span.reach, span.first)
        left, right = self.x(start) - self.wide / 2 + 1, self.x(span.last) + self.wide / 2 - 1
        self.part(f"band{number_}", (self.x(span.first) - self.wide / 2 + 1, right), y,
                  "value", f"window {number_}: steps {span.first} to {span.last}")
        if span.reach < span.first:
            edge = self.x(span.first) - self.wide / 2 + 1
            self.part(f"again{number_}", (left, edge), y, "gap",
                      f"steps {span.reach} to {span.first - 1} are run again")
        if span.reach > span.first:
            edge = self.x(span.reach) - self.wide / 2
            self.part(f"nothing{number_}", (self.x(span.first) - self.wide / 2 + 1, edge), y,
                      "paper", f"steps {span.first} to {span.reach - 1}: no gradient", True)
        if span.reach <= span.last:
            self.gradient(number_, span, y)
        self.sheet.say((self.right + 12, y + 4), self.words(span), "text", style.SMALL, "start")
        name = roman(f"window {number_}")
        self.sheet.say((self.left - self.wide - 20 if self.cells else self.left - 8, y + 4), name,
                       "quiet", style.SMALL, "end")

    def part(self, name: str, ends: tuple[float, float], y: float, role: str, title: str,
             dashed: bool = False) -> None:
        """A part of a band."""
        right = max(ends[1], ends[0] + 0.5)
        self.sheet.frame(name, (ends[0], y - BAND / 2, right, y + BAND / 2), role, title=title,
                         dashed=dashed, width=0.8)

    def gradient(self, number_: int, span: Span, y: float) -> None:
        """The arrow that runs back through a window; dashed from the cut on."""
        end = self.x(span.reach) - self.wide * 0.3
        start = self.x(span.last) + self.wide * 0.3
        title = f"the gradient of window {number_} runs back to step {span.reach}"
        self.sheet.line(((start, y), (end, y)), "gradient", width=2.4, title=title)
        if self.cells:
            for t in range(span.first, span.last + 1):
                hollow = t < span.reach
                self.sheet.box(f"loss{number_} {t}", (self.x(t), y), (7.0, 7.0), "line",
                               shape="circle", fill="paper" if hollow else "gradient",
                               stroke="gradient", width=1.0,
                               title=f"L at step {t} reaches back over "
                                     f"{max(0, t - span.reach + 1)} steps")
        if span.cuts:
            cut = "; ".join(f"‖∂L/∂{name}‖ = {number(norm)}" for name, norm in span.cuts
                            if norm is not None) or "the gradient is cut here"
            short = min(self.wide, 60.0) * 0.5
            self.sheet.line(((end - 3, y), (end - 3 - short, y)), "gradient", width=1.6,
                            dash="4 3", title=f"cut: {cut}")
            x = self.x(span.reach) - self.wide / 2
            self.sheet.line(((x, y - 14), (x, y + 14)), "inf", width=2.0, arrow=False,
                            title=f"cut: {cut}")

    def words(self, span: Span) -> Text:
        """What stands beside a band: the loss, how far it reaches back, and what was cut."""
        found: list[Run] = []
        if span.loss is not None:
            found += [Run("L", "i"), Run(f" = {number(span.loss)};  ")]
        nearest, farthest = max(span.first - span.reach + 1, 0), span.last - span.reach + 1
        reach = f"{nearest} … {farthest}" if nearest != farthest else str(farthest)
        found.append(Run(f"back over {reach} step{'' if reach == '1' else 's'}"))
        for name, norm in span.cuts:
            part, _, step = name.rpartition("_")
            found += [Run(";  cut at "), Run(part, "i"), Run(step, "_")]
            if norm is not None:
                found += [Run(": ‖∂"), Run("L", "i"), Run("/∂"), Run(part, "i"), Run(step, "_"),
                          Run(f"‖ = {number(norm)}")]
        return tuple(found)

    def legend(self, count: int) -> None:
        """What the looks mean."""
        y, x = self.top(count) + 2, self.left
        for said, thick, dash in (("the gradient, back to the cut", 2.4, ""),
                                  ("what would have gone further", 1.6, "4 3")):
            self.sheet.line(((x + 26, y), (x, y)), "gradient", width=thick, dash=dash)
            words = roman(said)
            self.sheet.say((x + 34, y + 4), words, "quiet", style.TINY, "start")
            x += 34 + width(words, style.TINY) + 24
