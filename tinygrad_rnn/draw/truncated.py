"""Truncated backpropagation as a picture: the windows over the sequence, and where each gradient
ends.

The question this file answers: *what does truncation cut, and how far back does each loss reach?*

The states are at the top, and the values run through all of them. Below, one band for each window:
the gradient of its losses runs back along it and ends at the cut, which is drawn dashed, with the
norm of what would have gone on. Steps that a window runs again (k2 > k1) are paler; steps at which
a loss is counted but sends nothing back (k2 < k1) are hollow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..bptt.directions import Directions
from ..bptt.truncated import Window
from ..bptt.truncation import Truncation
from ..core.graph import Node
from ..errors import InputError
from . import style
from .labels import Run, Text, clean, number, roman, width
from .paper import Sheet
from .picture import Picture

CELLS, MOST = 16, 40  # so many steps are drawn as circles, so many windows are drawn
ROW, BAND, HIGH = 34.0, 20.0, 38.0


class Span(NamedTuple):
    """One window: its new steps, the first step that its gradient reaches, its loss, and the cuts:
    name and norm."""

    first: int
    last: int
    reach: int
    loss: float | None
    cuts: tuple[tuple[str, float | None], ...]


def truncated(windows: Any, k1: int | None = None, k2: int | None = None, *,
              losses: Sequence[Any] | None = None, theme: str = "auto") -> Picture:
    """Draw truncated backpropagation: the windows of `tg.truncated_bptt`, kept in a list, with what
    was cut in each.

        windows = []
        for window in tg.truncated_bptt(rnn, xs, k1=4):
            window.backward(loss_of(window))
            windows.append(window)
        draw.truncated(windows)

    A window that is over has been released; the record of its cut is still there. `losses` are the
    losses of the windows, if they are to be printed. A truncation that was measured on one graph,
    `tg.truncation(...)`, is drawn too. With a number of steps in the place of the windows,
    `draw.truncated(12, k1=4, k2=6)` draws the plan, without numbers. Raises `InputError` for
    anything else.
    """
    if isinstance(windows, Directions):
        raise InputError("each direction has its own windows", where="draw.truncated()",
                         fix="draw.truncated(found.forward)")
    if isinstance(windows, int):
        spans = planned(windows, k1, k2)
    else:
        spans = of_truncation(windows) if isinstance(windows, Truncation) else \
            measured(windows, losses)
    sheet = Sheet("Truncated backpropagation")
    steps = range(spans[0].first, spans[-1].last + 1)
    wide = 64.0 if len(steps) <= CELLS else max(2.0, 900.0 / len(steps))
    paper = Bands(sheet, steps, wide)
    paper.states(spans)
    shown = spans if len(spans) <= MOST else [*spans[:MOST // 2], *spans[-MOST // 2:]]
    for i, span in enumerate(shown):
        paper.band(i, span, spans.index(span) + 1)
    paper.legend(len(shown))
    left_out = roman(f", {len(spans) - len(shown):,} windows in the middle are not drawn") \
        if len(shown) < len(spans) else ()
    caption = (Run("Truncated backpropagation", "b"),
               Run(f": {len(steps):,} steps, {len(spans):,} windows"), *left_out)
    return Picture(sheet.drawing(caption), theme)


def measured(windows: Any, losses: Sequence[Any] | None) -> list[Span]:
    """What the windows say of themselves."""
    given = list(windows) if isinstance(windows, (list, tuple)) else []
    if not given or not all(isinstance(window, Window) for window in given):
        raise InputError(f"expected a list of windows, got {type(windows).__name__}",
                         where="draw.truncated()",
                         fix="Keep each window of tg.truncated_bptt(...) in a list, after its "
                             "window.backward(loss); or give a number of steps, with k1=")
    if losses is not None and len(losses) != len(given):
        raise InputError(f"expected {len(given)} losses, one for each window, got {len(losses)}",
                         where="draw.truncated()")
    spans: list[Span] = []
    for i, window in enumerate(given):
        own = losses[i] if losses is not None else window.losses[0] if window.losses else None
        loss = None if own is None else float(own.value if isinstance(own, Node) else own)
        times = window.times
        reach = max((cut.step + 1 for cut in window.cut if cut.step is not None),
                    default=min(times.start, spans[0].first if spans else times.start))
        cuts = tuple((clean(cut.label), cut.norm) for cut in window.cut)
        spans.append(Span(times.start, times.stop - 1, reach, loss, cuts))
    return spans


def planned(T: int, k1: int | None, k2: int | None) -> list[Span]:
    """The windows as they will be."""
    numbers = []
    for name, k in (("steps", T), ("k1", k1), ("k2", k1 if k2 is None else k2)):
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InputError(f"expected {name} to be a whole number of at least 1, got {k!r}",
                             where="draw.truncated()")
        numbers.append(k)
    T, new, back = numbers
    spans = []
    for begin in range(0, T, new):
        end = min(begin + new, T)
        start = max(0, begin + new - back) if back >= new else max(begin, end - back)
        cuts = ((f"h_{start}", None),) if start else ()
        spans.append(Span(begin + 1, end, start + 1, None, cuts))
    return spans


def of_truncation(found: Truncation) -> list[Span]:
    """The windows of a truncation that was measured on a whole graph."""
    if found.recurrence.reverse:
        raise InputError("windows are drawn with time, and these go against it",
                         where="draw.truncated()",
                         fix="draw.truncated(12, k1=4, k2=6) draws the plan")
    spans, before = [], found.steps[0] - 1
    for span in planned(found.T, found.k1, found.k2):
        first, last, reach = (n + before for n in span[:3])
        cuts = tuple((clean(cut.label), cut.norm) for cut in found.cuts
                     if cut.step == reach - 1 and any(first <= t <= last for t in cut.losses))
        spans.append(Span(first, last, reach, None, cuts))
    return spans


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
