"""Two drawings on one paper: side by side, the second unfolded from the first; or one below the
other.

The question this file answers: *how does the one become the other?*
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from . import style
from .labels import roman
from .model import Box, Drawing, Label, Line
from .paper import framed


def side_by_side(left: Drawing, right: Drawing) -> Drawing:
    """Two drawings, and an arrow that says how the second comes from the first."""
    middle = left.top + left.height / 2
    x = left.left + left.width
    right = moved(right, x + 96 - right.left, middle - right.top - right.height / 2, "unrolled.")
    arrow = Line("unfold", ((x + 8, middle), (x + 88, middle)), "quiet", width=4.0)
    word = Label(x + 46, middle - 12, roman("unfold"), "quiet", style.TEXT)
    return framed(Drawing(0, 0, 0, 0, f"{left.title}, and unrolled",
                          (*left.frames, *right.frames), (*left.lines, arrow, *right.lines),
                          (*left.boxes, *right.boxes), (*left.labels, word, *right.labels),
                          (*left.strips, *right.strips)))


def one_below_the_other(upper: Drawing, lower: Drawing) -> Drawing:
    """Two drawings on one paper; what had the same x has it still. Their captions, each the last of
    its words, begin at one x."""
    lower = moved(lower, 0.0, upper.top + upper.height - lower.top, "lower.")
    left = min(upper.left, lower.left) + style.MARGIN
    upper, lower = (replace(drawing, labels=(*drawing.labels[:-1],
                                             drawing.labels[-1]._replace(x=left)))
                    for drawing in (upper, lower))
    return framed(Drawing(0, 0, 0, 0, f"{upper.title}; {lower.title}",
                          (*upper.frames, *lower.frames), (*upper.lines, *lower.lines),
                          (*upper.boxes, *lower.boxes), (*upper.labels, *lower.labels),
                          (*upper.strips, *lower.strips)))


def moved(drawing: Drawing, dx: float, dy: float, prefix: str) -> Drawing:
    """A drawing somewhere else, its ids with a prefix."""
    def box(b: Box) -> Box:
        return b._replace(id=prefix + b.id, x=b.x + dx, y=b.y + dy)

    def name(id: str | None) -> str | None:
        return None if id is None else prefix + id

    def line(n: Line) -> Line:
        return n._replace(id=prefix + n.id, tail=name(n.tail), head=name(n.head),
                          points=tuple((x + dx, y + dy) for x, y in n.points))

    def labels(these: Iterable[Label]) -> tuple[Label, ...]:
        return tuple(n._replace(x=n.x + dx, y=n.y + dy, of=tuple(prefix + id for id in n.of))
                     for n in these)

    return replace(drawing, left=drawing.left + dx, top=drawing.top + dy,
                   frames=tuple(map(box, drawing.frames)), lines=tuple(map(line, drawing.lines)),
                   boxes=tuple(map(box, drawing.boxes)), labels=labels(drawing.labels),
                   strips=tuple(s._replace(id=prefix + s.id, x=s.x + dx, y=s.y + dy)
                                for s in drawing.strips))
