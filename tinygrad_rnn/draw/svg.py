"""SVG: a drawing as text that any browser and any vector program shows.

The question this file answers: *how does the drawing become a picture, without any program?*

Plain shapes and texts with literal colours: no script, no reference, no font of its own. With
`theme="auto"` the colours follow the reader's light or dark setting, and every element says its
light colour too, for viewers that know no style sheets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape
from math import sqrt

from ..core.freeing import unsearched
from . import style
from .labels import Run, Text, clean
from .labels import decimals as f
from .model import Box, Cell, Drawing, Label, Line, Point, Strip
from .painter import Painter

MARKUP = re.compile("[&<>\"']")
STYLES = {"i": ' font-style="italic"', "b": ' font-weight="bold"',
          "m": f' font-family="{escape(style.MONO)}"'}


def xml(text: str, longest: int = 400) -> str:
    """Anybody's words as XML text: shortened, unprintable characters made visible, markup
    escaped."""
    text = clean(text, longest)
    return escape(text) if MARKUP.search(text) else text


@unsearched
def svg(drawing: Drawing, theme: str = "light", scale: float = 1.0) -> str:
    """The whole document. `theme` is "light", "dark" or "auto"."""
    paint = Painter(theme)
    body = elements(drawing, paint)
    w, h = drawing.width, drawing.height
    scale *= drawing.size
    font = ", ".join(filter(None, [clean(drawing.font, 100), style.FONT]))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{f(w * scale)}" height="{f(h * scale)}" '
        f'viewBox="{f(drawing.left)} {f(drawing.top)} {f(w)} {f(h)}" '
        f'font-family="{escape(font)}" role="img" aria-label="{xml(drawing.title)}">'
    )
    return "\n".join(
        [
            head,
            f"<title>{xml(drawing.title)}</title>",
            *filter(None, [paint.sheet()]),
            *body,
            "</svg>",
            "",
        ]
    )


def elements(drawing: Drawing, paint: Painter) -> list[str]:
    """The lines of the document, from the back to the front."""
    paper = (f'<rect x="{f(drawing.left)}" y="{f(drawing.top)}" width="{f(drawing.width)}" '
             f'height="{f(drawing.height)}" {paint.fill("paper")}/>')
    return [
        paper,
        *[box(item, paint) for item in drawing.frames],
        *[cell for strip in drawing.strips for cell in cells(strip, paint)],
        *[line(item, paint) for item in drawing.lines],
        *[box(item, paint) for item in drawing.boxes],
        *[label(item, paint) for item in drawing.labels],
    ]


def box(b: Box, paint: Painter) -> str:
    """A shape with its text and tooltip."""
    name, x, y, w, h, kind, role, runs, told, size, thick, dashed, fill, stroke, ink = b
    look = paint.shape(role, fill, stroke, thick, dashed)
    if kind == "circle":
        shape = f'<circle cx="{f(x)}" cy="{f(y)}" r="{f(w / 2)}" {look}/>'
    else:
        shape = (f'<rect x="{f(x - w / 2)}" y="{f(y - h / 2)}" width="{f(w)}" height="{f(h)}" '
                 f'rx="{f(corner(b))}" {look}/>')
    title = f"<title>{xml(told)}</title>" if told else ""
    words = text(x, y + size * 0.35, runs, size, "middle", paint.ink(role, ink)) if runs else ""
    return f'<g id="{name}">{title}{shape}{words}</g>'


def corner(b: Box) -> float:
    """The radius of a box's corners."""
    if b.role in ("frame", "gap") and not b.text:
        return 9.0
    if b.role == "delay":  # a black square
        return 0.5
    return min(b.h / 2, style.CORNER + 2) if b.shape == "round" else 0.0 if b.shape == "cell" \
        else 3.0


def text(x: float, y: float, runs: Text, size: float, anchor: str, ink: str, more: str = "") -> str:
    """Runs as one text element."""
    return (f'<text x="{f(x)}" y="{f(y)}" font-size="{f(size)}" text-anchor="{anchor}" {ink}{more}>'
            f"{spans(runs, size)}</text>")


@lru_cache(1 << 10)
def spans(runs: Text, size: float) -> str:
    """What stands inside: a subscript is lowered, and what follows it raised again. A space between
    runs is a move to the right: some viewers drop it."""
    parts, low, space = [], False, 0
    for run in runs:
        bare = run.text.strip(" ")
        space += len(run.text) - len(run.text.lstrip(" "))
        if bare:
            parts.append(span(run, bare, low, size, 0.28 * size * space))
            low, space = run.style == "_", len(run.text) - len(run.text.rstrip(" "))
    return "".join(parts)


def span(run: Run, bare: str, low: bool, size: float, space: float) -> str:
    """One run, its `bare` words without the spaces around them."""
    down = run.style == "_"
    look = f' dx="{f(space)}"' if space else ""
    if down != low:
        look += f' dy="{f(size * 0.24 if down else -size * 0.24)}"'
    look += f' font-size="{f(size * 0.74)}"' if down else STYLES.get(run.style, "")
    words = escape(bare, quote=False) if MARKUP.search(bare) else bare
    return f"<tspan{look}>{words}</tspan>" if look else words


def label(n: Label, paint: Painter) -> str:
    """Words on their own. Each run is painted with its halo: where there are several, all halos
    come first, or that of one would lie on the letters before it."""
    def words(look: str, more: str) -> str:
        return text(n.x, n.y, n.text, n.size, n.anchor, look, bold + more)

    ink, bold = paint.ink(n.role, n.ink), ' font-weight="bold"' if n.bold else ""
    if not n.halo:
        return words(ink, "")
    halo = paint.paint("stroke", "paper", "fill", None)
    halo += ' stroke-width="3.5" stroke-linejoin="round"'
    if len(n.text) == 1:
        return words(ink, f' {halo} paint-order="stroke"')
    return words(f'fill="none" {halo}', ' aria-hidden="true"') + words(ink, "")


def line(n: Line, paint: Painter) -> str:
    """A line with round corners and its arrow head."""
    name, points, role, _, _, told, wide, dash, arrowed, colour = n
    look, fill = paint.pen(role, colour, wide, dash)
    head = ""
    if arrowed:
        corners, end = arrow(points[-2], points[-1], *style.head(wide))
        head = f'<polygon points="{corners}" {fill}/>'
        points = (*points[:-1], end)
    title = f"<title>{xml(told)}</title>" if told else ""
    return f'<g id="{name}">{title}<path d="{path(points)}" {look}/>{head}</g>'


def arrow(back: Point, tip: Point, long: float, half: float) -> tuple[str, Point]:
    """The three corners of an arrow head, so long and half so wide; and where its line ends, just
    inside."""
    (x, y), (dx, dy) = tip, direction(back, tip)
    far, up, aside, across = x - dx * long, y - dy * long, dx * half, dy * half
    return (f"{f(x)},{f(y)} {f(far - across)},{f(up + aside)} {f(far + across)},{f(up - aside)}",
            (x - dx * (long - 1), y - dy * (long - 1)))


def direction(p: Point, q: Point) -> Point:
    """The unit vector from `p` to `q`."""
    dx, dy = q[0] - p[0], q[1] - p[1]
    long = sqrt(dx * dx + dy * dy) or 1.0
    return dx / long, dy / long


def toward(p: Point, q: Point, distance: float) -> Point:
    """The point at `distance` from `p` on the way to `q`."""
    dx, dy = direction(p, q)
    return p[0] + dx * distance, p[1] + dy * distance


def path(points: tuple[Point, ...], radius: float = 5.0) -> str:
    """A path through the points with rounded corners."""
    (x, y), (x2, y2) = points[0], points[-1]
    if len(points) == 2:
        return f"M{f(x)} {f(y)}L{f(x2)} {f(y2)}"
    parts = [f"M{f(x)} {f(y)}"]
    for before, at, after in zip(points, points[1:], points[2:]):
        short = min(radius, distance(before, at) / 2, distance(at, after) / 2)
        p, q = toward(at, before, short), toward(at, after, short)
        parts.append(f"L{f(p[0])} {f(p[1])}Q{f(at[0])} {f(at[1])} {f(q[0])} {f(q[1])}")
    return "".join([*parts, f"L{f(x2)} {f(y2)}"])


def distance(p: Point, q: Point) -> float:
    """How far apart two points are."""
    return float(((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2) ** 0.5)


def outlined(strip: Strip, first: int, after: int, more: float, paint: Painter,
             title: str) -> str:
    """The rectangle around cells without a height that look alike."""
    role = strip.cells[first].paint
    x, y, wide, high = strip.part(first, after, 1.0)
    wide, high = (wide, high + more) if strip.down else (wide + more, high)
    dash = style.dots(role, paint.theme)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<rect x="{f(x + 0.5)}" y="{f(y + 0.5)}" width="{f(max(wide - 1, 0.2))}" '
            f'height="{f(max(high - 1, 0.2))}" {paint.fill(role)} {paint.stroke(role)} '
            f'stroke-width="1"{dashes}>{title}</rect>')


def cells(strip: Strip, paint: Painter) -> Iterable[str]:
    """The cells of a strip; neighbours overlap by a hair so that no paper shines through. What has
    no height on a log scale is outlined: each cell, or where cells touch, neighbours together."""
    far = (strip.h if strip.down else strip.w) / max(1, len(strip.cells))
    gap = 0.0 if len(strip.cells) > 150 else min(1.0, far * 0.08)
    more = -gap if gap else 0.3
    yield f'<g id="{strip.id}"><title>{xml(strip.title)}</title>'
    for i, cell in enumerate(strip.cells):
        title = f"<title>{xml(cell.title)}</title>" if cell.title else ""
        x, y, wide, high = strip.part(i, i + 1, cell.level)
        wide, high = (wide, high + more) if strip.down else (wide + more, high)
        if cell.paint in style.NO_HEIGHT and cell.level:
            if gap:
                yield outlined(strip, i, i + 1, more, paint, title)
                continue
            if i == 0 or strip.cells[i - 1].paint != cell.paint:
                yield outlined(strip, i, end_of_run(strip.cells, i), 0.0, paint, "")
            fill = 'fill="none" pointer-events="all"'  # for its tooltip
        else:
            own = cell.paint if cell.paint.startswith("#") else None
            fill = paint.fill("line", own or cell.paint)
        yield (
            f'<rect x="{f(x)}" y="{f(y)}" width="{f(wide)}" height="{f(high)}" {fill}>'
            f"{title}</rect>"
        )
    yield "</g>"


def end_of_run(run: Sequence[Cell], first: int) -> int:
    """The place after the last of the cells that follow one and look like it."""
    return next((i for i in range(first, len(run)) if run[i].paint != run[first].paint), len(run))
