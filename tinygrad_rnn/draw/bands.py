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
ROW, BAND, SHORT = 34.0, 20.0, 18.0


class Span(NamedTuple):
    """One window: its new steps in the order in which they are taken, the step up to which its
    gradient goes back, its loss, and the cuts: name and norm."""

    first: int
    last: int
    reach: int
    loss: float | None
    cuts: tuple[tuple[str, float | None], ...]


class Bands:
    """The paper: steps to the right, windows downwards. A sequence that is read from its end has
    its first window on the right, and its gradients run to the right."""

    def __init__(self, sheet: Sheet, steps: range, wide: float, backwards: bool = False) -> None:
        self.sheet, self.steps, self.wide = sheet, steps, wide
        self.way = -1 if backwards else 1
        self.inwards, self.outwards = -self.way * wide / 2, self.way * wide / 2
        self.left, self.right = -wide / 2, (len(steps) - 0.5) * wide
        self.cells = wide >= 60

    def x(self, step: int) -> float:
        """The middle of a step."""
        return (step - self.steps[0]) * self.wide

    def stretch(self, first: int, last: int) -> tuple[float, float]:
        """From the left edge to the right edge of some steps."""
        low, high = sorted((self.x(first), self.x(last)))
        return low - self.wide / 2 + 1, high + self.wide / 2 - 1

    def lag(self, first: int, last: int) -> int:
        """How many steps after the first the last is taken."""
        return self.way * (last - first)

    def states(self, spans: Sequence[Span]) -> None:
        """The states, with inputs and losses, and the frames of the windows behind them."""
        for i, span in enumerate(spans):
            left, right = self.stretch(span.first, span.last)
            high = 62.0 if self.cells else BAND / 2
            rect = (left, -high, right, high)
            if self.wide * (self.lag(span.first, span.last) + 1) >= 4:
                self.sheet.frame(f"window{i + 1}", rect, "frame" if i % 2 == 0 else "gap",
                                 title=f"window {i + 1}: steps {span.first} to {span.last}")
        if self.cells:
            self.unrolled()
        else:
            self.axis()

    def unrolled(self) -> None:
        """x_t, h_t and L_t at every step; the value of the state runs on through all of them."""
        order = self.steps[::self.way]
        start = order[0] - self.way
        before = self.sheet.box("h0", (self.x(start), 0.0), (32.0, 32.0), "initial",
                                (Run("h", "i"), Run(str(start), "_")), "circle", dashed=True)
        for t in order:
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
                self.sheet.say((self.x(t), -16.0), roman(f"{t:,}"), "quiet", style.TINY)
        self.sheet.say((self.left - 16, -16.0), (Run("t", "i"),), "quiet", anchor="end")
        goes = " goes on as a value through all steps"
        name = (*(roman("← ") if self.way < 0 else ()), Run("h", "i"), Run("t", "_"), Run(goes),
                *(roman(" →") if self.way > 0 else ()))
        self.sheet.say((self.left, -34.0), name, "carried", style.SMALL, "start")

    def top(self, i: int) -> float:
        """The middle of band i."""
        return (94.0 if self.cells else 40.0) + ROW * i

    def band(self, i: int, span: Span, number_: int) -> None:
        """One window: its band, the gradient through it, and the cut."""
        y, new = self.top(i), self.stretch(span.first, span.last)
        self.part(f"band{number_}", new, y,
                  "value", f"window {number_}: steps {span.first} to {span.last}")
        if self.lag(span.first, span.reach) < 0:
            before = self.stretch(span.reach, span.first - self.way)
            again = (before[0], new[0]) if self.way > 0 else (new[1], before[1])
            self.part(f"again{number_}", again, y, "gap",
                      f"steps {span.reach} to {span.first - self.way} are run again")
        if self.lag(span.first, span.reach) > 0:
            edge = self.x(span.reach) + self.inwards
            nothing = (new[0], edge) if self.way > 0 else (edge, new[1])
            self.part(f"nothing{number_}", nothing, y, "paper",
                      f"steps {span.first} to {span.reach - self.way}: no gradient", True)
        if self.lag(span.reach, span.last) >= 0:
            self.gradient(number_, span, y)
        aside = self.wide + 8 if self.cells and self.way < 0 else 0.0  # past the first state
        self.sheet.say((self.right + 12 + aside, y + 4), self.words(span), "text", style.SMALL,
                       "start")
        name = roman(f"window {number_}")
        aside = self.wide + 20 if self.cells and self.way > 0 else 8.0 if self.cells else 30.0
        self.sheet.say((self.left - aside, y + 4), name, "quiet", style.SMALL, "end")

    def part(self, name: str, ends: tuple[float, float], y: float, role: str, title: str,
             dashed: bool = False) -> None:
        """A part of a band."""
        right = max(ends[1], ends[0] + 0.5)
        self.sheet.frame(name, (ends[0], y - BAND / 2, right, y + BAND / 2), role, title=title,
                         dashed=dashed, width=0.8)

    def gradient(self, number_: int, span: Span, y: float) -> None:
        """The arrow that runs back through a window; dashed from the cut on. A window of few pixels
        has no room for its head."""
        end = self.x(span.reach) + self.inwards * (0.6 if self.cells else 1.0)
        start = self.x(span.last) + self.outwards * 0.6
        title = f"the gradient of window {number_} runs back to step {span.reach}"
        self.sheet.line(((start, y), (end, y)), "gradient", width=2.4, title=title,
                        arrow=abs(start - end) >= style.head(2.4)[0])
        if self.cells:
            for t in range(span.first, span.last + self.way, self.way):
                hollow = self.lag(span.reach, t) < 0
                self.sheet.box(f"loss{number_} {t}", (self.x(t), y), (7.0, 7.0), "line",
                               shape="circle", fill="paper" if hollow else "gradient",
                               stroke="gradient", width=1.0,
                               title=f"L at step {t} reaches back over "
                                     f"{max(0, self.lag(span.reach, t) + 1)} steps")
        if span.cuts:
            cut = "; ".join(f"‖∂L/∂{name}‖ = {number(norm)}" for name, norm in span.cuts
                            if norm is not None) or "the gradient is cut here"
            start = end - 3 * self.way
            short = max(min(self.wide, 60.0) * 0.5, SHORT) * self.way
            self.sheet.line(((start, y), (start - short, y)), "gradient", width=1.6,
                            dash=style.DASHED, title=f"cut: {cut}")
            x = self.x(span.reach) + self.inwards
            self.sheet.line(((x, y - 14), (x, y + 14)), "inf", width=2.0, arrow=False,
                            title=f"cut: {cut}")

    def words(self, span: Span) -> Text:
        """What stands beside a band: the loss, how far it reaches back, and what was cut."""
        found: list[Run] = []
        if span.loss is not None:
            found += [Run("L", "i"), Run(f" = {number(span.loss)};  ")]
        nearest = max(self.lag(span.reach, span.first) + 1, 0)
        farthest = self.lag(span.reach, span.last) + 1
        reach = f"{nearest} … {farthest}" if nearest != farthest else str(farthest)
        found.append(Run(f"back over {reach} step{'' if reach == '1' else 's'}"))
        for name, norm in span.cuts:
            part, _, step = name.rpartition("_")
            found += [Run(";  cut at "), Run(part, "i"), Run(step, "_")]
            if norm is not None:
                found += [Run(": ‖∂"), Run("L", "i"), Run("/∂"), Run(part, "i"), Run(step, "_"),
                          Run(f"‖ = {number(norm)}")]
        return tuple(found)

    def legend(self, spans: Sequence[Span], count: int) -> None:
        """What the looks mean that occur below the states of `count` bands."""
        y, x = self.top(count) + 2, self.left
        cut = any(span.cuts for span in spans)
        hollow = any(self.lag(span.first, span.reach) > 0 for span in spans)
        again = any(self.lag(span.first, span.reach) < 0 for span in spans)
        for said, there in (("the gradient, back to the cut" if cut else "the gradient", True),
                            ("the cut, and what would have gone further", cut),
                            ("a loss that is sent back", self.cells),
                            ("one that is not: no step is left for it", self.cells and hollow),
                            ("new steps of the window", again),
                            ("steps that are run again", again)):
            if there:
                words = roman(said)
                self.sample(said, x, y)
                self.sheet.say((x + 34, y + 4), words, "quiet", style.TINY, "start")
                x += 34 + width(words, style.TINY) + 24

    def sample(self, said: str, x: float, y: float) -> None:
        """A look, before the words that say what it means."""
        ends = ((x + 26, y), (x, y))[::self.way]
        if said.startswith("the gradient"):
            self.sheet.line(ends, "gradient", width=2.4)
        elif said.startswith("the cut"):
            middle = x + 19 if self.way > 0 else x + 7
            self.sheet.line(ends, "gradient", width=1.6, dash=style.DASHED)
            self.sheet.line(((middle, y - 9), (middle, y + 9)), "inf", width=2.0, arrow=False)
        elif "steps" in said and "loss" not in said and "left" not in said:
            self.sheet.box(f"legend {said}", (x + 13, y), (26.0, 14.0),
                           "gap" if "again" in said else "value", shape="rect", width=0.8)
        else:
            fill = "paper" if said.startswith("one") else "gradient"
            self.sheet.box(f"legend {said}", (x + 13, y), (7.0, 7.0), "line", shape="circle",
                           fill=fill, stroke="gradient", width=1.0, title=said)
