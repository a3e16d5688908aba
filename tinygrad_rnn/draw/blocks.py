"""Blocks: what has no step, in a layered layout of its own: a whole small graph, or what stands
beside a recurrence.

The question this file answers: *where do glyphs without a time step stand?*
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise, product

from . import style
from .labels import Text, width
from .layered import Layers
from .model import Box, Drawing, Label, Line, Point
from .outlines import APART, apart, edge, leaving, meets, through
from .paper import framed, label_rect
from .routing import Rect, Way, centre
from .scene import Glyph, Scene, Wire
from .slanting import SQUARE, Legs, other_ways, squares, tight, told_apart

NOTE, ASIDE = 13.0, 4.0  # what a number below a glyph takes; how far beside one it stands


class Block:
    """Rectangles of glyphs and ways of the wires between them, from 0, 0 on.

    `entries` are glyphs elsewhere: a wire from one of them comes in at a point on the left edge.
    `down`: from the top to the bottom; all is laid out with x and y exchanged, and turned at the
    end.
    """

    def __init__(self, glyphs: Sequence[Glyph], wires: Sequence[Wire],
                 entries: Sequence[Glyph] = (), down: bool = False) -> None:
        self.entries = entries
        everything = [*entries, *glyphs]
        index = {glyph: i for i, glyph in enumerate(everything)}
        inside = set(glyphs)
        self.wires = [w for w in wires if w.tail in index and w.head in inside]
        sizes = [
            (0.0, style.GAP_Y) if i < len(entries) else exchanged(outer(g, down), down)
            for i, g in enumerate(everything)
        ]
        layers = Layers(sizes, [(index[w.tail], index[w.head]) for w in self.wires], len(entries),
                        level=True)
        self.right = layers.edges[-1][1] if layers.edges else 0.0
        self.rects: dict[Glyph, Rect] = {}
        for glyph, i in index.items():
            (x, y), (w, h) = layers.place(i), (0.0, 0.0) if glyph not in inside else glyph.size()
            w, h = exchanged((w, h), down)
            self.rects[glyph] = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        self.words = [words_at(g, self.rects[g], down) for g in glyphs if g.note]
        self.near = self.by_place()
        self.ways = [
            self.way(layers, i, wire.tail, wire.head) if not layers.back[i] else
            self.way(layers, i, wire.head, wire.tail)[::-1] for i, wire in enumerate(self.wires)]
        self.part_ends()
        laid = Legs(self.ways, [wire.tail for wire in self.wires])
        self.ways = told_apart(laid, lambda i: self.other_ways(layers, i, laid))
        if down:
            self.rects = {glyph: turned(rect) for glyph, rect in self.rects.items()}
            self.ways = [tuple((y, x) for x, y in way) for way in self.ways]

    def way(self, layers: Layers, i: int, tail: Glyph, head: Glyph) -> Way:
        """Straight from centre to centre if nothing is in between; else through the layers' slots,
        pulled tight."""
        a, b = self.rects[tail], self.rects[head]
        p, q = centre(a), centre(b)
        if self.clear(p, q, a, b):
            return edge(tail, a, q), edge(head, b, p)
        start, *inner, end = tight(
            fitted(layers.way(i), a, b), lambda p, q: self.clear(p, q, a, b))
        if inner and self.clear(p, inner[0], a, b):
            start = edge(tail, a, inner[0])
        if inner and self.clear(inner[-1], q, a, b):
            end = edge(head, b, inner[-1])
        return start, *inner, end

    def part_ends(self) -> None:
        """Where several wires come into one thing, each gets a place of its own on the outline; and
        where several gradients come back into one, each a place for its head."""
        into: dict[tuple[Glyph, bool], list[int]] = {}
        for i, wire in enumerate(self.wires):
            into.setdefault((wire.head, False), []).append(i)
            if wire.backwards:
                into.setdefault((wire.tail, True), []).append(i)
        for (glyph, back), these in into.items():
            if len(these) < 2:
                continue
            width = max(self.wires[i].width for i in these)
            least = 2 * style.head(width)[1] if back else APART
            ends = [self.ways[i][0 if back else -1] for i in these]
            for i, end in zip(these, apart(glyph, self.rects[glyph], ends, least, back)):
                way = self.ways[i]
                self.ways[i] = (end, *way[1:]) if back else (*way[:-1], end)

    def other_ways(self, layers: Layers, i: int, laid: Legs) -> Iterator[Way]:
        """Other ways of a wire, the straightest first; it comes in where it did."""
        wire, way, back = self.wires[i], laid.ways[i], layers.back[i]
        tail, head = self.rects[wire.tail], self.rects[wire.head]
        inner = list(fitted(layers.way(i), *((head, tail) if back else (tail, head))))[1:-1]
        inner = inner[::-1] if back else inner
        begins = [way[0], *leaving(wire.tail, tail, back)]

        clear = cache(lambda p, q: self.clear(p, q, tail, head))
        free = cache(lambda p, q: clear(p, q) and not laid.upon(i, (p, q)))

        return (tuple(found) for found in other_ways(way, begins, inner, free)
                if all(clear(p, q) for p, q in pairwise(found))
                and not through(wire.tail, tail, *found[:2])
                and not through(wire.head, head, *found[:-3:-1]))

    def clear(self, p: Point, q: Point, a: Rect, b: Rect) -> bool:
        """Whether the straight line between two points touches nothing but its ends, `a` and
        `b`."""
        near = {thing for square in squares((p, q)) for thing in self.near.get(square, ())}
        return not any(meets(p, q, rect, margin) for rect, margin in near
                       if rect not in (a, b) or margin < 3)

    def by_place(self) -> dict[tuple[int, int], list[tuple[Rect, float]]]:
        """Everything that a wire keeps clear of, and how far, by squares of the paper."""
        found: dict[tuple[int, int], list[tuple[Rect, float]]] = {}
        things = [*((rect, 3.0) for rect in self.rects.values()), *((r, 1.0) for r in self.words)]
        for rect, margin in things:
            left, top, right, bottom = [int((side + d) // SQUARE) for side, d in
                                        zip(rect, (-4, -4, 4, 4))]
            for square in product(range(left, right + 1), range(top, bottom + 1)):
                found.setdefault(square, []).append((rect, margin))
        return found


def outer(glyph: Glyph, down: bool = False) -> tuple[float, float]:
    """The size of a glyph with its note: below it, or beside it where the wires run downwards."""
    w, h = glyph.size()
    if not glyph.note:
        return w, h
    wide = width(glyph.note, style.TINY)
    return (w + 2 * (wide + ASIDE), h) if down else (max(w, wide), h + 2 * NOTE)


def note_at(glyph: Glyph, rect: Rect, down: bool, halo: bool = False) -> Label:
    """The note of a glyph, as a label."""
    (x, y), right, bottom = centre(rect), rect[2], rect[3]
    at, anchor = ((right + ASIDE, y + 4), "start") if down else ((x, bottom + NOTE - 2), "middle")
    return Label(*at, glyph.note, "quiet", style.TINY, anchor, halo=halo)


def words_at(glyph: Glyph, rect: Rect, down: bool) -> Rect:
    """Where the note of a glyph stands, in the coordinates of the layout."""
    if down:
        return turned(label_rect(note_at(glyph, turned(rect), True)))
    return label_rect(note_at(glyph, rect, False))


def exchanged(size: Point, down: bool) -> Point:
    """A size, its width and height exchanged if the layout is to be turned."""
    return size[::-1] if down else size


def turned(rect: Rect) -> Rect:
    """A rectangle with x and y exchanged."""
    return rect[1], rect[0], rect[3], rect[2]


def fitted(way: Way, a: Rect, b: Rect) -> Way:
    """A way that begins and ends at the outlines, level past a note that made the layer's box
    wider."""
    start, end = (a[2], way[0][1]), (b[0], way[-1][1])
    return start, *[p for p in way if a[2] < p[0] < b[0]], end


def draw_block(scene: Scene, down: bool = False) -> Drawing:
    """The drawing of a graph without time."""
    block = Block(scene.around, scene.wires, down=down)
    return drawn(scene, block.rects, block.wires, block.ways, down=down)


def drawn(scene: Scene, rects: Mapping[Glyph, Rect], wires: Sequence[Wire], ways: Sequence[Way],
          frames: Sequence[Box] = (), titles: Sequence[Label] = (),
          down: bool = False, halo: bool = False) -> Drawing:
    """The drawing of glyphs that have a place and wires that have a way, each with its note.
    `halo`: wires may run behind the notes."""
    labels = [*titles, *(note_at(glyph, rect, down, halo) for glyph, rect in rects.items()
                         if glyph.note)]
    boxes = [box_of(glyph, rect) for glyph, rect in rects.items()]
    ids: Counter[str] = Counter()
    lines = [line_of(wire, way, ids) for wire, way in zip(wires, ways)]
    for wire, way in zip(wires, ways):
        if wire.note:
            labels.append(on_way(wire.note, way, [*rects.values(), *map(label_rect, labels)]))
    drawing = Drawing(0, 0, 0, 0, scene.title, tuple(frames), tuple(lines), tuple(boxes),
                      tuple(labels))
    return framed(drawing, scene.caption)


def on_way(note: Text, way: Way, taken: Sequence[Rect]) -> Label:
    """The note of a wire, on one of its stretches where there is nothing else, the last first."""
    labels = [Label(p[0] + (q[0] - p[0]) * far, p[1] + (q[1] - p[1]) * far - 5, note, "text",
                    style.TINY, halo=True)
              for p, q in reversed(list(pairwise(way))) for far in (0.5, 0.35, 0.65, 0.2, 0.8)]
    return next((label for label in labels
                 if not any(overlap(label_rect(label), rect) for rect in taken)), labels[0])


def overlap(a: Rect, b: Rect) -> bool:
    """Whether two boxes have a place in common."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def box_of(glyph: Glyph, rect: Rect) -> Box:
    """A glyph at its place."""
    left, top, right, bottom = rect
    even = abs(right - left - bottom + top) < 0.01
    shape = {"circle": "circle" if even else "round", "box": "rect"}.get(glyph.shape, "round")
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


def line_of(wire: Wire, way: Way, ids: Counter[str], tail: str | None = None,
            head: str | None = None, arrow: bool = True) -> Line:
    """A wire along its way; where the gradient is shown, it runs backwards. `tail` and `head` are
    the ids of what it really joins (the dot on a rail, say)."""
    name = first = f"{wire.tail.id}--{wire.head.id}"
    while name in ids:  # another wire may be called like the second of these
        ids[first] += 1
        name = f"{first}.{ids[first]}"
    ids[name] = 1
    tail, head = tail or wire.tail.id, head or wire.head.id
    if wire.backwards:
        tail, head, way = head, tail, tuple(reversed(way))
    return Line(
        name, way, wire.role, tail, head, wire.title, wire.width, wire.dash, arrow, wire.colour
    )
