"""The script of the player: the film of a flow as plain data for a page, and the drawings it shows.

The question this file answers: *what is the page told?*

Nodes, uses and moments go by number; a gradient is a vector for each group of terms of the loss
(`moments.coordinates`); a rule is a list of words and of the places where numbers go.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import numpy as np

from ..bptt.flow import GradientFlow
from ..bptt.whatif import mistake_of
from ..core import listing
from ..core.graph import Node, Op
from . import options, style
from .equations import FEW, Words, written
from .labels import clean, plain
from .layout import place
from .moments import ALWAYS, Film, Moment, Use, coordinates
from .scale import Scale
from .scene import Scene
from .survey import Survey, survey
from .unrolled import scene_of

MOST_NUMBERS = 120_000  # on a page, about 1 MB; above it, terms of the loss share a switch
Data = dict[str, Any]


class View:
    """One drawing of the graph, and which of its elements stand for a node or a use."""

    def __init__(self, root: Node, first: int, last: int) -> None:
        window = options.window("draw.player()", first, last)
        self.scene: Scene = scene_of(root, window, "draw.player()", "Unrolled graph")
        self.found: Survey = survey(root, window)
        self.drawing = place(self.scene)
        self.glyphs: dict[Node, list[str]] = {}
        for glyph in [*self.scene.glyphs(), *self.scene.totals]:
            if glyph.node is not None and glyph.id not in self.glyphs.get(glyph.node, ()):
                self.glyphs.setdefault(glyph.node, []).append(glyph.id)
        joined: dict[tuple[str, str], list[str]] = {}
        for line in self.drawing.lines:
            if line.tail is not None and line.head is not None:
                joined.setdefault((bare(line.tail), bare(line.head)), []).append(line.id)
        self.texts: dict[Node, list[str]] = {}
        for glyph in self.scene.glyphs():
            if glyph.node is not None:
                self.texts.setdefault(glyph.node, []).append(plain(glyph.text))
        self.lines: dict[tuple[Node, int], list[str]] = {}
        for wire in [*self.scene.wires, *(tap for rail in self.scene.rails for tap in rail.taps)]:
            if wire.node is not None:
                here = joined.get((wire.tail.id, wire.head.id), [])
                self.lines.setdefault((wire.node, wire.position), []).extend(here)

    def of(self, node: Node | None) -> list[str]:
        """The ids of what stands for a node; the gap for one that is not in view."""
        if node is not None and (node in self.glyphs or node.at.step is None):
            return self.glyphs.get(node, [])
        return ["gap"] if any(column.hidden for column in self.scene.columns) else []


def bare(name: str) -> str:
    """The id of a rail or a total, given that of a dot on it."""
    return re.sub(r"\.(tap|term)\d+\Z", "", name)


class Script:
    """The film of a flow as plain data: nodes, uses and moments by number, numbers rounded to six
    digits."""

    def __init__(self, flow: GradientFlow, views: list[View]) -> None:
        self.views, self.root = views, flow.root
        found, self.seed, self.wrong = views[0].found, flow.incoming.seed, flow.wrong
        self.film = Film(found, self.seed, mistake_of(flow.wrong) if flow.wrong else None)
        while self.amount() > MOST_NUMBERS and len(self.film.groups) > 1:
            self.film.join_groups()
        self.rows = rules_by_op()
        self.words = Words(found, views[0].texts)
        self.number: dict[Node, int] = {}
        self.nodes: list[Data] = []
        self.norms: list[float] = []

    def amount(self) -> int:
        """How many numbers the uses will take on the page."""
        count: dict[Node, int] = {}
        for use in self.film.uses.values():
            count[use.x] = count.get(use.x, 0) + len(use.parts)
        return sum(n * min(n, np.size(x.value)) for x, n in count.items())

    def data(self) -> Data:
        """All that the page needs."""
        forward = [m for m in self.film.moments if not m.backward]
        back = [m for m in self.film.moments if m.backward]
        uses = [use for m in back for use in m.uses]
        place_of = {id(use): i for i, use in enumerate(uses, 1)}  # 0 is the start of the walk
        moments = [self.moment(m, place_of) for m in forward]
        moments.append({"kind": "turn", "node": self.index(self.root), "uses": [0]})
        moments += [self.moment(m, place_of) for m in back]
        vectors = self.vectors(uses)
        start = {"by": -2, "x": self.index(self.root), "parts": vectors[0], "lines": [], "count": 1}
        told = [start, *(self.use(use, vectors[i]) for i, use in enumerate(uses, 1))]
        scale = Scale(self.norms)
        return {
            "title": f"Backpropagation through time: {self.words.name(self.root)}",
            "loss": self.words.name(self.root),
            "wrong": f"WRONG on purpose: {clean(self.wrong)}" if self.wrong else "",
            "terms": [self.group_name(group) for group in self.film.groups],
            "scale": {"largest": scale.largest, "low": scale.low, "wide": scale.wide},
            "stops": style.GRADIENT,
            "gap": self.gap(),
            "nodes": self.nodes, "uses": told, "moments": moments,
            "ledgers": self.ledgers(),
        }

    def gap(self) -> str:
        """What is not in view in the unfolded picture."""
        column = next((c for c in self.views[0].scene.columns if c.hidden), None)
        if column is None or column.hidden is None:
            return ""
        return f"steps {column.hidden[0]} … {column.hidden[1]}, not in this film"

    # --- nodes ----------------------------------------------------------------------------------

    def index(self, node: Node) -> int:
        """The number of a node; the first time, what there is to say of it."""
        if node not in self.number:
            self.number[node] = len(self.nodes)
            glyphs = [view.of(node) for view in self.views]
            self.nodes.append({
                "id": (glyphs[0] or [f"n{len(self.nodes)}"])[-1],
                "name": self.words.name(node), "op": "" if node.is_leaf else self.words.title(node),
                "step": node.step, "scope": clean(node.scope, 60),
                "shape": list(np.shape(node.value)), "value": written(node.value),
                "wants": node.requires_grad, "glyphs": glyphs,
            })
        return self.number[node]

    def group_name(self, group: list[Node]) -> str:
        """A term of the loss, or a few neighbours: L₁, L₁ … L₄."""
        ends = [self.words.name(x) for x in (group[0], group[-1])]
        return ends[0] if len(group) == 1 else " … ".join(ends)

    def ledgers(self) -> list[int]:
        """The nodes whose ledgers can be looked at: the shared weights first, then states, then
        the others with a name."""
        rails = [rail.glyph.node for rail in sorted(
            self.views[0].scene.rails, key=lambda rail: rail.role != "weight recurrent")]
        received = sorted(dict.fromkeys(use.x for use in self.film.uses.values()),
                          key=lambda x: (x.name is None, not x.is_leaf))
        every = set(received)
        states = [g.node for g in self.views[0].scene.glyphs() if g.role in ("state", "initial")]
        found = dict.fromkeys([x for x in (*rails, *states, *received)
                               if x is not None and x in every])
        return [self.index(x) for x in found]

    # --- uses -----------------------------------------------------------------------------------

    def vectors(self, uses: list[Use]) -> list[list[Any]]:
        """The parts of every use as [group, vector], for the start of the walk first."""
        every: dict[Node, list[tuple[int, int, Any]]] = {}
        for i, use in enumerate(uses, 1):
            for group, c in sorted(use.parts.items()):
                every.setdefault(use.x, []).append((i, group, c))
        every.setdefault(self.root, []).append((0, ALWAYS, self.seed))
        told: list[list[Any]] = [[] for _ in range(len(uses) + 1)]
        for x, parts in every.items():
            rows = coordinates([c for _, _, c in parts])
            sums: dict[int, Any] = {}
            for (i, group, _), row in zip(parts, rows):
                told[i].append([group, row])
                sums[i] = np.asarray(row) + sums.get(i, 0.0)
            self.norms += [float(np.linalg.norm(s)) for s in sums.values()]
            self.nodes[self.index(x)]["entries"] = len(rows[0]) == np.size(x.value) <= FEW
        return told

    def use(self, use: Use, parts: list[Any]) -> Data:
        """A use: who, what it adds, to whom, along which lines, by which rule."""
        told: Data = {"by": -1 if use.node is None else self.index(use.node),
                      "x": self.index(use.x), "parts": parts, "count": len(use.members)}
        if use.node is None:
            told["lines"] = [[] for _ in self.views]
        else:
            key = use.node, use.position
            told["lines"] = [view.lines.get(key, []) for view in self.views]
            told["rule"] = self.rule(use.node, use.position)
        return told

    def rule(self, node: Node, position: int) -> list[Any]:
        """The rule of an operand: words, and numbers in the place of `g`, `y` and the operands."""
        row = self.rows.get(node.op)
        if row is None or not row.rules:
            return [f"the rule of {clean(node.op.name, 60)}, written by its user"]
        if node.op.name == "[]":
            return [["g"], f", put back at {self.words.part(node)}; 0 elsewhere"]
        if node.op.name == "linear" and position == 1:
            return [["g"], "ᵀ · ", ["o", 0]]
        rule = row.rules[min(position, len(row.rules) - 1)]
        if rule.text.endswith("(...)"):
            return [f"{rule.text[:-5].strip('_')}(", ["g"], ")"]
        known = {"g": ["g"], "y": ["y"]} | {name: ["o", i] for i, name in enumerate(row.operands)}
        text = re.sub(r"\b(\d+)\.0\b", r"\1", rule.text).replace(" * ", " × ")
        pieces = re.split(r"\b([A-Za-z_]\w*)\b(?!\.|\()", text)
        return [known.get(piece, piece) for piece in pieces if piece]

    # --- moments --------------------------------------------------------------------------------

    def moment(self, moment: Moment, place_of: dict[int, int]) -> Data:
        """A moment: its operation with operands, and the numbers of its uses."""
        node = moment.node
        told: Data = {"kind": "backward" if moment.backward else "forward",
                      "node": -1 if node is None else self.index(node)}
        if moment.backward:
            told["uses"] = [place_of[id(use)] for use in moment.uses]
        if node is not None:
            told["operands"] = [self.operand(x) for x in node.operands]
            if not moment.backward:
                told["equation"] = self.words.equation(node)
                told["lines"] = [[name for i in range(node.arity)
                                  for name in view.lines.get((node, i), [])]
                                 for view in self.views]
        return told

    def operand(self, x: Any) -> Data:
        """An operand: a node by its number, a plain value as it is written."""
        if isinstance(x, Node):
            shown = self.views[0].found.source(x)
            name = self.words.name(shown)
            return {"node": self.index(shown if x in self.views[0].found.shown else x),
                    "name": name if x is shown else f"a part of {name}",
                    "value": written(x.value)}
        return {"name": "", "value": written(x)}


def rules_by_op() -> dict[Op, listing.Row]:
    """The rows of the op table, found by their op."""
    return {getattr(import_module(row.module), row.variable): row for row in listing.op_table()}
