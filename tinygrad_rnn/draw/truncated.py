"""Truncated backpropagation as a picture: the windows over the sequence, and where each gradient
ends.

The question this file answers: *what does truncation cut, and how far back does each loss reach?*

The states are at the top, and the values run through all of them. Below, one band for each window:
the gradient of its losses runs back along it and ends at the cut, which is drawn dashed, with the
norm of what would have gone on. Steps that a window runs again (k2 > k1) are paler; steps at which
a loss is counted but sends nothing back (k2 < k1) are hollow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..bptt.directions import WAYS, Directions
from ..bptt.truncated import Window
from ..bptt.truncation import Truncation
from ..core.graph import Node
from ..errors import InputError
from .asked import options_of
from .bands import CELLS, Bands, Span
from .beside import one_below_the_other
from .labels import Run, clean, roman
from .model import Drawing
from .options import Options
from .paper import Sheet
from .picture import Picture
from .tables import numbers_of

MOST = 40  # windows that are drawn


@options_of
def truncated(windows: Any, k1: int | None = None, k2: int | None = None, *,
              losses: Sequence[Any] | None = None, theme: str = "auto",
              palette: Mapping[str, str] | None = None, font: str | None = None,
              size: float = 1.0) -> Picture:
    """Draw truncated backpropagation: the windows of `tg.truncated_bptt`, kept in a list, with what
    was cut in each.

        windows = []
        for window in tg.truncated_bptt(rnn, xs, k1=4):
            window.backward(loss_of(window))
            windows.append(window)
        draw.truncated(windows)

    A window that is over has been released; the record of its cut is still there. `losses` are the
    losses of the windows, if they are to be printed. A truncation that was measured on one graph,
    `tg.truncation(...)`, is drawn too: of a layer that reads from the end the first window is on
    the right, and of a bidirectional one both directions are drawn, one below the other. With a
    number of steps in the place of the windows, `draw.truncated(12, k1=4, k2=6)` draws the plan,
    without numbers. The looks (`theme`, `palette`, `font`, `size`) are those of `draw.unrolled`.
    Raises `InputError` for anything else.
    """
    looks = Options("draw.truncated()", palette=palette, font=font, size=size).checked()
    if losses is not None and isinstance(windows, (int, Directions, Truncation)):
        raise InputError("losses belong to windows in a list, one to each, and there is none",
                         where="draw.truncated()")
    if isinstance(windows, int):
        return Picture(looks.finished(banded(planned(windows, k1, k2))), theme)
    if isinstance(windows, Directions):
        drawing = one_below_the_other(*(banded(of_truncation(each), f", {way}")
                                        for way, each in zip(WAYS, windows)))
    else:
        drawing = banded(of_truncation(windows) if isinstance(windows, Truncation) else
                         measured(windows, losses))
    if k1 is not None or k2 is not None:
        raise InputError("k1 and k2 are those of a plan, and windows have their own",
                         where="draw.truncated()", fix="A plan: draw.truncated(12, k1=4, k2=6)")
    return Picture(looks.finished(drawing), theme)


def banded(spans: list[Span], which: str = "") -> Drawing:
    """The drawing of some windows; `which` says of what they are, where there are others."""
    sheet = Sheet(f"Truncated backpropagation{which}")
    first, last = sorted((spans[0].first, spans[-1].last))
    steps = range(first, last + 1)
    wide = 64.0 if len(steps) <= CELLS else max(2.0, 900.0 / len(steps))
    paper = Bands(sheet, steps, wide, spans[-1].last < spans[0].first)
    paper.states(spans)
    shown = spans if len(spans) <= MOST else [*spans[:MOST // 2], *spans[-MOST // 2:]]
    for i, span in enumerate(shown):
        paper.band(i, span, spans.index(span) + 1)
    paper.legend(shown, len(shown))
    left_out = roman(f", {len(spans) - len(shown):,} windows in the middle are not drawn") \
        if len(shown) < len(spans) else ()
    caption = (Run(f"Truncated backpropagation{which}", "b"),
               Run(f": {len(steps):,} steps, {len(spans):,} windows"), *left_out)
    return sheet.drawing(caption)


def measured(windows: Any, losses: Sequence[Any] | None) -> list[Span]:
    """What the windows say of themselves."""
    given = list(windows) if isinstance(windows, (list, tuple)) else []
    if not given or not all(isinstance(window, Window) for window in given):
        other = next((type(x).__name__ for x in given if not isinstance(x, Window)), "")
        kind = type(windows).__name__
        got = f"a {kind} with a {other} in it" if other else \
            f"an empty {kind}" if isinstance(windows, (list, tuple)) else kind
        raise InputError(f"expected a list of windows, got {got}",
                         where="draw.truncated()",
                         fix="Keep each window of tg.truncated_bptt(...) in a list, after its "
                             "window.backward(loss). Of losses, draw tg.truncation(losses, layer, "
                             "k1); or give a number of steps, with k1=")
    told = None if losses is None else numbers_of(losses, "losses as numbers", "draw.truncated()")
    if told is not None and told.shape != (len(given),):
        raise InputError(f"expected {len(given)} losses, one for each window, got "
                         f"{len(told) if told.ndim == 1 else f'shape {told.shape}'}",
                         where="draw.truncated()")
    spans: list[Span] = []
    for i, window in enumerate(given):
        own = told[i] if told is not None else window.losses[0] if window.losses else None
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
    spans, steps = [], found.steps  # in the order of the recurrence: falling, if it is reversed
    for span in planned(found.T, found.k1, found.k2):
        first, last, reach = (steps[n - 1] for n in span[:3])
        own = {*steps[span.first - 1:span.last]}
        before = steps[span.reach - 2] if span.reach > 1 else None
        cuts = tuple((clean(cut.label), cut.norm) for cut in found.cuts
                     if cut.step == before and not own.isdisjoint(cut.losses))
        spans.append(Span(first, last, reach, None, cuts))
    return spans
