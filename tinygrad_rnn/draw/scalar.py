"""Scalar graphs: the value of every node, and on every edge the local derivative and what it sends
back.

The question this file answers: *what is multiplied by what, on the way back?*

On an edge stands `−3 · 1 = −3`: the local derivative, times the gradient that arrives at the
operation, is what the operand receives. Below a node stand its value and its gradient: the sum of
what its edges bring. A node of arrays is opened into the products and sums of its entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..core import walk
from ..core.backprop import contributions, local
from ..core.graph import Node
from ..core.totals import Totals
from ..errors import InputError
from . import style
from .asked import not_released, options_of
from .callbacks import NodeCallback, change_glyph, change_wire
from .labels import Run, Text, clean, number, plain, roman, symbol, width
from .layered import Layers
from .model import Box, Label, Line, Point
from .names import Names
from .opened import opened, seeds_of
from .options import Options
from .outlines import meets
from .paper import Sheet, label_rect
from .picture import Picture
from .scene import Glyph, Wire
from .written import written

WHERE, MOST = "draw.scalar()", 120
HIGH, PORT, LEAD, NOTE = 32.0, 19.0, 14.0, 13.0


SHOWN = ("names", "values", "gradients")


@options_of
def scalar(root: Any, *, seed: Any = None, show: Iterable[str] = SHOWN, theme: str = "auto",
           palette: Mapping[str, str] | None = None, font: str | None = None, size: float = 1.0,
           node: NodeCallback | None = None, edge: NodeCallback | None = None) -> Picture:
    """Draw the graph of a `tg.Value` with all its numbers, forwards and backwards. `.grad` is not
    touched.

    A `tg.Tensor` is opened: its operation is taken apart into the products and sums of single
    entries, for instance a `linear` of three units into nine products. `seed` is the gradient that
    arrives at the root, 1 if it is not given. What can be shown is "names", "values" and
    "gradients"; the looks and the callbacks are those of `draw.unrolled`. Raises `InputError` for a
    graph of more than 120 nodes, and `UnsupportedError` for a tensor whose operation cannot be
    taken apart.
    """
    chosen = Options(WHERE, show=show, palette=palette, font=font, size=size, node=node,
                     edge=edge).checked(shown=SHOWN)
    if not isinstance(root, Node):
        raise InputError(f"expected a Value, or a Tensor to be opened, got {type(root).__name__}",
                         where=WHERE)
    not_released(root, WHERE)
    pairs = [(root, float(seeds_of(root, seed)))] if root.is_scalar else opened(root, seed)
    nodes = walk.nodes(*(node for node, _ in pairs))
    if len(nodes) > MOST:
        raise InputError(f"expected at most {MOST} nodes, got {len(nodes):,}",
                         where=WHERE,
                         fix="draw.unrolled(loss) draws larger graphs, and those with time steps")
    circuit = Circuit(nodes, pairs, chosen)
    return Picture(chosen.finished(circuit.drawing(root)), theme, written(nodes, circuit.column))


class Circuit:
    """A scalar graph on a sheet."""

    def __init__(self, nodes: list[Node], pairs: Sequence[tuple[Node, float]],
                 chosen: Options) -> None:
        self.nodes, self.roots = nodes, {node for node, _ in pairs}
        self.chosen, self.show = chosen, set(chosen.show)
        totals = Totals(pairs)
        self.arrived: dict[Node, float] = {}
        self.sent: dict[tuple[Node, int], float] = {}
        for node, position, _, g, c in contributions(totals):
            self.arrived[node] = float(g)
            self.sent[node, position] = float(c)
        self.arrived.update({node: float(g) for node, g in totals.items()})
        self.index = {node: i for i, node in enumerate(nodes)}
        self.uses = [(self.index[x], self.index[node], position) for x, position, node in
                     walk.edges(*self.roots)]
        names = Names()
        self.glyphs = {node: self.glyph(node, names) for node in nodes}
        self.wires = {(node, position): self.wire(node, position, x) for node in nodes
                      for position, x in walk.parents(node)}

    def glyph(self, node: Node, names: Names) -> Glyph:
        """What stands for a node, as the user's callback wants it."""
        role = "total" if node in self.roots else ("value" if node.requires_grad else "input") \
            if node.is_leaf else "op"
        value = "values" in self.show and (node.name or not node.is_leaf)
        named = "names" in self.show or not node.is_leaf
        found = Glyph(names.give(called(node)), self.sign(node) if named else (), role, "round",
                      node, scope=node.scope, title=self.told(node),
                      note=roman(number(node.value)) if value else ())
        if self.chosen.node is not None:
            change_glyph(found, self.chosen.node, self.chosen.where)
        return found

    def wire(self, node: Node, position: int, x: Node) -> Wire:
        """What stands for a use, as the user's callback wants it; its note are its numbers."""
        words, title = self.words(node, position), ""
        if words:
            slope, g, sent = self.numbers(node, position)
            title = (f"local derivative {number(slope)}, times {number(g)}: "
                     f"sends back {number(sent)}")
        found = Wire(self.glyphs[x], self.glyphs[node], "free", node, position,
                     "line" if words else "quiet", title,
                     words if "gradients" in self.show else (), dash="" if words else "3 3")
        if self.chosen.edge is not None:
            change_wire(found, self.chosen.edge, self.chosen.where)
        return found

    def drawing(self, root: Node) -> Any:
        """The drawing, from the inputs on the left to the result on the right."""
        name = plain(symbol(root.name, root.step)) if root.name else root.op.name
        self.sheet = Sheet(f"Scalar graph of {clean(name, 60)}")
        layers = Layers([self.size(node) for node in self.nodes],
                        [(a, b) for a, b, _ in self.uses])
        right = [layers.edges[layer][1] for layer in layers.layer]
        boxes = [self.node(node, layers.place(i), right[i]) for i, node in enumerate(self.nodes)]
        for i, (a, b, position) in enumerate(self.uses):
            self.edge(boxes[a], boxes[b], self.nodes[b], position, layers.way(i))
        plain_edges = any(not self.words(node, position) for node, position in self.wires)
        caption = (Run("Scalar graph", "b"), Run(
            ": on each edge the local derivative · the gradient that arrives = what is sent back"
            + ("; dashed: no gradient goes there" if plain_edges else "")))
        self.sheet.labels = [label._replace(halo=label.halo or struck(label, self.sheet.lines))
                             for label in self.sheet.labels]
        return self.sheet.drawing(caption)

    # --- nodes ------------------------------------------------------------------------------------

    def box_size(self, node: Node) -> Point:
        """How large the box of a node is: there is a port for every operand."""
        wide = max(44.0, width(self.glyphs[node].text, style.TEXT) + 16)
        return wide, max(HIGH, PORT * max(1, len(list(walk.parents(node)))) + 10)

    def size(self, node: Node) -> Point:
        """The room that a node takes: its box, the words below, those on its edges."""
        wide, high = self.box_size(node)
        labels = [width(self.wires[node, position].note, style.TINY)
                  for position, _ in walk.parents(node)]
        below = max(width(text, style.TINY) for text in self.notes(node))
        lead = max(labels, default=0.0) + LEAD if labels else 0.0
        return max(wide, below) + lead, high + 2 * (2 * NOTE + 6)

    def sign(self, node: Node) -> Text:
        """A name, or the sign of the operation; for a named result both."""
        if node.is_leaf:
            return symbol(node.name, node.step) if node.name else roman(number(node.value))
        sign = clean(style.SYMBOLS.get(node.op.name, node.op.name), 16)
        own = [(i, x) for i, x in enumerate(node.operands) if not isinstance(x, Node)]
        if len(own) == 1 and node.arity == 2:
            i, x = own[0]
            sign = f"{number(x)} {sign}" if i == 0 else f"{sign} {number(x)}"
            if node.name and "names" in self.show:  # the other operand is on the wire
                sign = f"{sign} ( )" if i == 0 else f"( ) {sign}"
        if node.name and "names" in self.show:
            return (*symbol(node.name, node.step), Run(f" = {sign}"))
        return roman(sign)

    def notes(self, node: Node) -> tuple[Text, Text]:
        """What stands below: the value and the gradient."""
        if node not in self.arrived or "gradients" not in self.show:
            return self.glyphs[node].note, ()
        return self.glyphs[node].note, (Run("∂ "), Run(number(self.arrived[node])))

    def node(self, node: Node, at: Point, right: float) -> Box:
        """A node with its numbers; operations stand at the right edge of their layer, and the
        words on their edges to the left of them."""
        glyph = self.glyphs[node]
        wide = max(self.box_size(node)[0], *(width(t, style.TINY) for t in self.notes(node)))
        at = at if node.is_leaf else (right - wide / 2, at[1])
        box = self.sheet.box(called(node), at, self.box_size(node), glyph.role, glyph.text,
                             title=glyph.title, width=glyph.line, dashed=glyph.dashed,
                             fill=glyph.fill, stroke=glyph.stroke, ink=glyph.ink)
        for text, paint in zip(self.notes(node), ("quiet", "gradient")):
            if text:
                y = box.sides[3] + NOTE * (1 if paint == "quiet" or not glyph.note else 2)
                self.sheet.say((box.x, y), text, paint, style.TINY, bold=paint == "gradient",
                               halo=True)
        return box

    def told(self, node: Node) -> str:
        """The tooltip of a node."""
        grad = f", gradient {number(self.arrived[node])}" if node in self.arrived else ""
        return f"{plain(self.sign(node))}: value {number(node.value)}{grad}"

    def column(self, node: Node, names: dict[Node, str]) -> str:
        """What stands beside an equation in the sketch: the gradient, and what is sent back."""
        if node not in self.arrived:
            return ""
        sends = []
        for position, x in walk.parents(node):
            if (node, position) in self.sent:
                sends.append(f"{plain(self.words(node, position))} → {names[x]}")
        return f"∂ {number(self.arrived[node])}" + ("   " + ",  ".join(sends) if sends else "")

    # --- edges ------------------------------------------------------------------------------------

    def words(self, node: Node, position: int) -> Text:
        """−3 · 1 = −3, on the edge to an operand; nothing where no gradient goes."""
        if (node, position) not in self.sent:
            return ()
        slope, g, sent = self.numbers(node, position)
        factor = number(g) if g >= 0 or g != g else f"({number(g)})"
        return roman(f"{number(slope)} · {factor} = {number(sent)}")

    def numbers(self, node: Node, position: int) -> tuple[float, float, float]:
        """The local derivative, the gradient that arrives, and what is sent back."""
        return float(local(node, position, 1.0)), self.arrived[node], self.sent[node, position]

    def edge(self, tail: Box, head: Box, node: Node, position: int, way: Any) -> None:
        """A wire into the port of its operand, with its numbers above the last stretch."""
        ports = [p for p, _ in walk.parents(node)]
        y = head.y + PORT * (ports.index(position) - (len(ports) - 1) / 2)
        wire = self.wires[node, position]
        lead = LEAD + max(width(self.wires[node, p].note, style.TINY) for p in ports)
        start, end = (tail.sides[2], tail.y), (head.sides[0], y)
        inner = [p for p in way[1:-1] if start[0] < p[0] < end[0] - lead and p[1] != head.y]
        points = (start, *inner, (end[0] - lead, y), end)
        if wire.note:
            self.sheet.say((end[0] - 9, y - 4), wire.note, "gradient", style.TINY, "end")
        self.sheet.line(points, wire.role, tail, head, title=wire.title, width=wire.width,
                        dash=wire.dash, colour=wire.colour)


def struck(label: Label, lines: Iterable[Line]) -> bool:
    """Whether a line runs through words."""
    rect = label_rect(label)
    return any(meets(p, q, rect, -1.0) for line in lines for p, q in pairwise(line.points))


def called(node: Node) -> str:
    """What the id of a node is made of."""
    return node.name or ("number" if node.is_leaf else node.op.name)
