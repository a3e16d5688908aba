"""The legend of a gradient flow: what colours, widths and dashes mean, with the numbers at both
ends.

The question this file answers: *what does blue mean here?*
"""

from __future__ import annotations

from dataclasses import replace

from . import style
from .labels import Run, Text, number, roman, width
from .model import Cell, Drawing, Label, Line, Strip
from .paper import framed
from .scale import Scale

BAR, CELLS, SAMPLE = 190.0, 48, 30.0


def with_legend(
    drawing: Drawing, scale: Scale, root: Text, signs: tuple[Text, ...] = ()
) -> Drawing:
    """The drawing with its legend below, on the right; `signs` are further lines of words."""
    left, right = drawing.left + style.MARGIN, drawing.left + drawing.width - style.MARGIN
    y = drawing.top + drawing.height + 6.0
    words = (
        Run("shade, width: ‖contribution to ∂"),
        *root,
        Run("/∂·‖, relative to the largest in view"),
    )
    wide = max(width(line, style.SMALL) for line in (words, *signs))
    x = max(left + wide + 12, right - BAR)
    labels = [
        Label(x - 12, y + 9 + 16 * i, line, "quiet", style.SMALL, "end")
        for i, line in enumerate((words, *signs))
    ]
    strips: list[Strip] = []
    if scale.largest > 0:
        low = scale.level(scale.smallest)
        high = scale.level(scale.largest)
        steps = [low + (high - low) * i / (CELLS - 1) for i in range(CELLS)]
        cells = tuple(
            Cell(0.25 + 0.75 * i / (CELLS - 1), style.gradient_colour(level), "")
            for i, level in enumerate(steps)
        )
        strips = [Strip("legend.strip", x, y, BAR, 12.0, cells, "the shades in view")]
        labels += [
            Label(
                x, y + 25, roman(f"{number(scale.smallest)} smallest"), "quiet", style.TINY, "start"
            ),
            Label(
                x + BAR,
                y + 25,
                roman(f"largest {number(scale.largest)}"),
                "quiet",
                style.TINY,
                "end",
            ),
        ]
    lines = samples(scale, x, y + 44)
    labels += [
        Label(line.points[1][0] + 5, y + 47.5, roman(line.title), "quiet", style.TINY, "start")
        for line in lines
    ]
    return framed(
        replace(
            drawing,
            labels=(*drawing.labels, *labels),
            strips=(*drawing.strips, *strips),
            lines=(*drawing.lines, *lines),
        )
    )


def samples(scale: Scale, left: float, y: float) -> list[Line]:
    """A short line for each look that has no place on the scale: below its right end, or from
    `left` on if they are too many for that."""
    kinds = [("no gradient", "dim", 1.0, "3 3")] if scale.has_none else []
    for there, name, norm in (
        (scale.has_zero, "zero", 0.0),
        (scale.has_nan, "NaN", float("nan")),
        (scale.has_inf, "infinite", float("inf")),
    ):
        if there:
            _, role, thick, dash = scale.line(norm)
            kinds.append((name, role, thick, dash))
    wide = sum(SAMPLE + 5 + width(roman(name), style.TINY) + 12 for name, *_ in kinds) - 12
    lines, x = [], left + max(BAR, wide)
    for name, role, thick, dash in reversed(kinds):
        x -= SAMPLE + 5 + width(roman(name), style.TINY)
        lines.append(
            Line(
                f"legend.{role}",
                ((x, y), (x + SAMPLE, y)),
                role,
                title=name,
                width=thick,
                dash=dash,
                arrow=False,
            )
        )
        x -= 12
    return lines
