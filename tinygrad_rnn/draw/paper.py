"""The paper: how much room a drawing takes.

The question this file answers: *does everything fit?*
"""

from __future__ import annotations

from dataclasses import replace

from . import style
from .labels import Text, width
from .model import Drawing, Label
from .routing import Rect


def label_rect(label: Label) -> Rect:
    """The box that a label fills."""
    wide = width(label.text, label.size) * (1.06 if label.bold else 1.0)
    left = label.x - {"start": 0.0, "middle": wide / 2, "end": wide}[label.anchor]
    return left, label.y - label.size, left + wide, label.y + label.size * 0.35


def bounds(drawing: Drawing) -> Rect:
    """The box that holds everything."""
    rects = [box.sides for box in (*drawing.frames, *drawing.boxes)]
    rects += [label_rect(label) for label in drawing.labels]
    rects += [(s.x, s.y, s.x + s.w, s.y + s.h) for s in drawing.strips]
    rects += [(x, y, x, y) for line in drawing.lines for x, y in line.points]
    if not rects:
        return 0.0, 0.0, 0.0, 0.0
    lefts, tops, rights, bottoms = zip(*rects)
    return min(lefts), min(tops), max(rights), max(bottoms)


def framed(drawing: Drawing, caption: Text = ()) -> Drawing:
    """The drawing with its caption above, on paper that leaves a margin on all sides."""
    left, top, right, bottom = bounds(drawing)
    labels = drawing.labels
    if caption:
        labels = (*labels, Label(left, top - 14, caption, "text", style.TEXT, "start"))
        top -= 30
        right = max(right, left + width(caption, style.TEXT))
    margin = style.MARGIN
    return replace(
        drawing,
        left=left - margin,
        top=top - margin,
        width=right - left + 2 * margin,
        height=bottom - top + 2 * margin,
        labels=labels,
    )
