"""DOT: the same drawing for Graphviz, every position given, so that any of its programs draws it as
placed.

The question this file answers: *how do I open the drawing with Graphviz?*

`dot -Tpdf drawing.dot` works, and `neato -n2` draws exactly this. Positions are pinned, bends are
tiny nodes between straight edges, frames are nodes in the back, and labels are plain text.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from . import style
from .labels import Run, Text, clean, plain, width
from .labels import decimals as n
from .model import Box, Drawing, Label, Line, Strip

STRIP_CELLS = 60  # a strip has at most so many pieces here: each is a node for Graphviz to handle
ROOM = 8.0  # what a box keeps free beside its words


def quoted(text: str) -> str:
    """Anybody's words as a DOT string, shown literally: no escape of DOT's own, no markup."""
    text = clean(text, 400)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """A label: DOT reads & as the start of an entity, so it is written as one."""
    return quoted(text.replace("&", "&amp;"))


def inch(points: float) -> str:
    """Points as inches."""
    return f"{points / 72:.4f}"

FONT = "Arial"  # Graphviz has a Helvetica of its own, which on many machines is a wider font


class Writer:
    """Writes a drawing as DOT, in one theme's colours."""

    def __init__(self, drawing: Drawing, theme: str) -> None:
        self.joined: set[tuple[str, str]] = set()
        self.middles = {box.id: (box.x, box.y) for box in drawing.boxes}
        self.drawing = drawing
        self.theme = theme if theme in style.THEMES else "light"
        self.table = style.THEMES[self.theme]

    def lines(self) -> Iterator[str]:
        """The text, line by line."""
        d, paper = self.drawing, self.table["paper"]
        yield f"digraph {quoted(d.title)} {{"
        yield (
            "  graph [layout=neato, inputscale=72, splines=line, outputorder=nodesfirst, "
            f'bgcolor="{paper.fill}", pad=0, bb="0,0,{n(d.width)},{n(d.height)}"]'
        )
        font = quoted(d.font or FONT)
        yield f'  node [fontname={font}, fixedsize=shape, label="", margin=0]'
        yield f'  edge [fontname={font}, arrowsize=0.6]'
        yield self.point("corner.0", d.left, d.top)  # the two make the paper as large as it is
        yield self.point("corner.1", d.left + d.width, d.top + d.height)
        for frame in d.frames:
            yield self.box(frame)
        for strip in d.strips:
            yield from self.strip(strip)
        for box in d.boxes:
            yield self.box(box)
        for i, label in enumerate(d.labels):
            yield self.label(i, label)
        for line in d.lines:
            yield from self.line(line)
        yield "}"

    def pos(self, x: float, y: float) -> str:
        """A pinned position; y runs upwards in DOT."""
        return f'pos="{n(x - self.drawing.left)},{n(self.drawing.top + self.drawing.height - y)}!"'

    def point(self, name: str, x: float, y: float) -> str:
        """A node that nobody sees."""
        return f'  "{name}" [shape=point, style=invis, width=0.01, height=0.01, {self.pos(x, y)}]'

    def colour(self, role: str, part: str, own: str | None) -> str:
        """A colour of the theme, or the thing's own, as a DOT string."""
        if own is not None and not own.startswith("#"):
            role, part, own = own, "stroke", None
        if isinstance(own, style.Shade):
            return quoted(own.on(self.theme))
        colour = own or getattr(self.table[role], part)
        return quoted("transparent" if colour == "none" else colour)

    def box(self, b: Box) -> str:
        """A shape as a node."""
        kind = "circle" if b.shape == "circle" else "box"
        looks = [
            "filled",
            *(["rounded"] if b.shape == "round" or b.role in ("frame", "gap") else []),
            *(["dashed"] if b.dashed else []),
        ]
        tip = f", tooltip={literal(b.title)}" if b.title else ""
        return (
            f'  "{b.id}" [shape={kind}, style="{",".join(looks)}", '
            f"width={inch(b.w)}, height={inch(b.h)}, {self.pos(b.x, b.y)}, "
            f'fillcolor={self.colour(b.role, "fill", b.fill)}, '
            f'color={self.colour(b.role, "stroke", b.stroke)}, penwidth={n(b.width)}, '
            f'fontcolor={self.colour(b.role, "ink", b.ink)}, fontsize={n(font_size(b))}, '
            f"{self.font(b.text)}"
            f"label={literal(plain(b.text))}{tip}]"
        )

    def label(self, i: int, label: Label) -> str:
        """Words as a node without outline, as wide as the words may be."""
        wide = width(label.text, label.size) + 4
        x = label.x + {"start": wide / 2, "middle": 0.0, "end": -wide / 2}[label.anchor]
        side = {"start": "\\l", "middle": "", "end": "\\r"}[label.anchor]
        text = literal(plain(label.text))
        text = text[:-1] + side + '"'
        bold = label.bold or {run.style for run in label.text} == {"b"}
        font = f'fontname="{FONT} Bold", ' if bold else self.font(label.text)
        return (
            f'  "label.{i}" [shape=plaintext, width={inch(wide)}, height={inch(label.size * 1.2)}, '
            f"{self.pos(x, label.y - label.size * 0.35)}, fontsize={n(label.size)}, "
            f'fontcolor={self.colour(label.role, "ink", label.ink)}, {font}label={text}]'
        )

    def font(self, text: Text) -> str:
        """The font of words that are of equal width throughout; nothing for others."""
        return 'fontname="Courier", ' if {run.style for run in text} == {"m"} else ""

    def line(self, line: Line) -> Iterator[str]:
        """A line as straight edges; what it is not joined to, and its bends, are tiny nodes."""
        last = len(line.points) - 1
        names = []
        for i, (x, y) in enumerate(line.points):
            end = line.tail if i == 0 else line.head if i == last else None
            if end is not None and self.aside(end, line.points[i], line.points[abs(i - 1)]):
                end = None
            if end is None:
                end = f"{line.id}.{i}"
                yield self.point(end, x, y)
            names.append(end)
        paint = (
            f'color={self.colour(line.role, "stroke", line.colour)}, '
            f"penwidth={n(line.width)}" + (self.dash(line.dash))
        )
        tip = (
            f", tooltip={literal(line.title)}, edgetooltip={literal(line.title)}"
            if line.title
            else ""
        )
        for i, (a, b) in enumerate(pairwise(names)):
            if (a, b) in self.joined:  # y * y: Graphviz would bend two edges apart
                continue
            self.joined.add((a, b))
            head = "" if line.arrow and i == last - 1 else ", arrowhead=none"
            yield f'  "{a}" -> "{b}" [{paint}{head}{tip}]'

    def aside(self, end: str, at: tuple[float, float], before: tuple[float, float]) -> bool:
        """Whether a level or upright line meets its box beside the middle: Graphviz would lead it
        there."""
        x, y = self.middles.get(end, at)
        return (at[0] == before[0] and abs(x - at[0]) > 1) or (
            at[1] == before[1] and abs(y - at[1]) > 1)

    def dash(self, dash: str) -> str:
        """The style of a broken line."""
        return f", style={broken(dash)}" if dash else ""

    def strip(self, strip: Strip) -> Iterator[str]:
        """A strip as a few boxes: neighbours are joined to the largest of them."""
        count = len(strip.cells)
        pieces = min(count, STRIP_CELLS)
        for i in range(pieces):
            low, high = i * count // pieces, (i + 1) * count // pieces
            cell = max(strip.cells[low:high], key=lambda cell: cell.level)
            across = strip.w if strip.down else strip.h
            left, top, wide, tall = strip.part(low, high, max(cell.level, 0.5 / across))
            x, y = left + wide / 2, top + tall / 2
            odd = cell.paint in style.NO_HEIGHT and cell.level > 0
            colour = self.colour(cell.paint, "fill", None) if odd else \
                self.colour("line", "fill", cell.paint)
            dash = style.dots(cell.paint, self.theme) if odd else ""
            looks = f'style="filled,{broken(dash)}"' if dash else "style=filled"
            looks += f', color={self.colour(cell.paint, "stroke", None)}' if odd else ", penwidth=0"
            yield (
                f'  "{strip.id}.{i}" [shape=box, {looks}, width={inch(wide)}, '
                f'height={inch(tall)}, {self.pos(x, y)}, fillcolor={colour}]'
            )


def broken(dash: str) -> str:
    """How Graphviz calls these dashes."""
    return "dotted" if dash == style.DOTTED else "dashed"


def font_size(b: Box) -> float:
    """As large as the text fits: plain text is wider, since its subscripts are not small."""
    wide = width((Run(plain(b.text)),), b.size)
    room = 0.0 if b.shape == "cell" else ROOM
    return b.size * min(1.0, (b.w - room) / wide) if wide else b.size


def dot(drawing: Drawing, theme: str = "light") -> str:
    """The whole file."""
    return "\n".join([*Writer(drawing, theme).lines(), ""])
