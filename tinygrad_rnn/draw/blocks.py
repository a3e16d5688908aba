"""Blocks: what has no step, in a layered layout of its own: a whole small graph, or what stands
beside a recurrence.

The question this file answers: *where do glyphs without a time step stand?*
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import hypot

from . import style
from .labels import width
from .layered import Layers
from .model import Box, Drawing, Label, Line, Point
from .paper import framed
from .routing import Rect, Way, centre
from .scene import Glyph, Scene, Wire

NOTE = 13.0  # what a number below a glyph takes


class Block:
    """Rectangles of glyphs and ways of the wires between them, from 0, 0 on.

    `entries` are glyphs elsewhere: a wire from one of them comes in at a point on the left edge.
    """

    def __init__(
        self, glyphs: Sequence[Glyph], wires: Sequence[Wire], entries: Sequence[Glyph] = ()
    ) -> None:
        everything = [*entries, *glyphs]
        index = {glyph: i for i, glyph in enumerate(everything)}
        inside = set(glyphs)
        self.wires = [w for w in wires if w.tail in index and w.head in inside]
        sizes = [
            (0.0, style.GAP_Y) if i < len(entries) else outer(g) for i, g in enumerate(everything)
        ]
        layers = Layers(sizes, [(index[w.tail], index[w.head]) for w in self.wires], len(entries))
        self.right = layers.edges[-1][1] if layers.edges else 0.0
        self.rects: dict[Glyph, Rect] = {}
        for glyph, i in index.items():
            (x, y), (w, h) = layers.place(i), (0.0, 0.0) if glyph not in inside else glyph.size()
            self.rects[glyph] = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        self.ways = [self.way(layers, i, wire) for i, wire in enumerate(self.wires)]

    def way(self, layers: Layers, i: int, wire: Wire) -> Way:
        """Straight from centre to centre if nothing is in between, else level across each layer."""
        a, b = self.rects[wire.tail], self.rects[wire.head]
        others = [r for g, r in self.rects.items() if g is not wire.tail and g is not wire.head]
        words = [below(g, r) for g, r in self.rects.items() if g.note]
        p, q = centre(a), centre(b)
        if not any(meets(p, q, rect) for rect in others) and not any(
            meets(p, q, rect, 1.0) for rect in words
        ):
            return edge(wire.tail, a, q), edge(wire.head, b, p)
        return fitted(layers.way(i), a, b)


def edge(glyph: Glyph, rect: Rect, toward: Point) -> Point:
    """Where the line from a glyph's middle `toward` a point leaves its outline."""
    (x, y), (w, h) = centre(rect), (rect[2] - rect[0], rect[3] - rect[1])
    if w == 0:
        return x, y
    dx, dy = toward[0] - x, toward[1] - y
    if glyph.shape == "circle":
        far = (w / 2) / (hypot(dx, dy) or 1.0)
    else:
        far = min(w / 2 / abs(dx) if dx else 1e9, h / 2 / abs(dy) if dy else 1e9)
    return x + dx * far, y + dy * far


def meets(p: Point, q: Point, rect: Rect, margin: float = 3.0) -> bool:
    """Whether the straight line from `p` to `q` touches a rectangle: what is left of the line after
    cutting it at each of the four sides (Liang and Barsky 1984)."""
    start, end = 0.0, 1.0
    for axis in (0, 1):
        low, high, way = rect[axis] - margin, rect[axis + 2] + margin, q[axis] - p[axis]
        if way == 0:
            if not low < p[axis] < high:
                return False
            continue
        first, last = sorted(((low - p[axis]) / way, (high - p[axis]) / way))
        start, end = max(start, first), min(end, last)
    return start < end


def outer(glyph: Glyph) -> tuple[float, float]:
    """The size of a glyph with its note."""
    w, h = glyph.size()
    if not glyph.note:
        return w, h
    return max(w, width(glyph.note, style.TINY)), h + 2 * NOTE


def below(glyph: Glyph, rect: Rect) -> Rect:
    """Where the note of a glyph stands."""
    (x, _), wide = centre(rect), width(glyph.note, style.TINY)
    return x - wide / 2, rect[3] + 1, x + wide / 2, rect[3] + NOTE


def fitted(way: Way, a: Rect, b: Rect) -> Way:
    """A way that begins and ends at the outlines, level past a note that made the layer's box
    wider."""
    start, end = (a[2], way[0][1]), (b[0], way[-1][1])
    return start, *[p for p in way if a[2] < p[0] < b[0]], end


def draw_block(scene: Scene) -> Drawing:
    """The drawing of a graph without time."""
    block = Block(scene.around, scene.wires)
    boxes, labels, lines = [], [], []
    ids: Counter[str] = Counter()
    for glyph, (left, top, right, bottom) in block.rects.items():
        boxes.append(box_of(glyph, (left, top, right, bottom)))
        if glyph.note:
            labels.append(
                Label((left + right) / 2, bottom + NOTE - 2, glyph.note, "quiet", style.TINY)
            )
    for wire, way in zip(block.wires, block.ways):
        lines.append(line_of(wire, way, ids))
        if wire.note:
            (x, y), (x2, y2) = way[-2:]
            labels.append(
                Label((x + x2) / 2, (y + y2) / 2 - 5, wire.note, "text", style.TINY, halo=True)
            )
    drawing = Drawing(0, 0, 0, 0, scene.title, (), tuple(lines), tuple(boxes), tuple(labels))
    return framed(drawing, scene.caption)


def box_of(glyph: Glyph, rect: Rect) -> Box:
    """A glyph at its place."""
    left, top, right, bottom = rect
    shape = {"circle": "circle", "box": "rect"}.get(glyph.shape, "round")
    return Box(
        glyph.id,
        (left + right) / 2,
        (top + bottom) / 2,
        right - left,
        bottom - top,
        shape,
        glyph.role,
        glyph.text,
        glyph.title,
        style.TEXT,
        glyph.line,
        glyph.dashed,
        glyph.fill,
        glyph.stroke,
        glyph.ink,
    )


def line_of(
    wire: Wire,
    way: Way,
    ids: Counter[str],
    tail: str | None = None,
    head: str | None = None,
    arrow: bool = True,
) -> Line:
    """A wire along its way; where the gradient is shown, it runs backwards. `tail` and `head` are
    the ids of what it really joins (the dot on a rail, say)."""
    name = f"{wire.tail.id}--{wire.head.id}"
    ids[name] += 1
    name = name if ids[name] == 1 else f"{name}.{ids[name]}"
    tail, head = tail or wire.tail.id, head or wire.head.id
    if wire.backwards:
        tail, head, way = head, tail, tuple(reversed(way))
    return Line(
        name, way, wire.role, tail, head, wire.title, wire.width, wire.dash, arrow, wire.colour
    )
