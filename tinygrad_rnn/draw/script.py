"""The script of the player: the film of a flow as plain data for a page, and the drawings it shows.

The question this file answers: *what is the page told?*

Nodes, uses and moments go by number; a gradient is a vector for each group of terms of the loss
(`moments.coordinates`); a rule is a list of words and of the places where numbers go. Which element
of a drawing stands for what is found in `views`.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..bptt.flow import GradientFlow
from ..bptt.formula import Formula, number
from ..bptt.formulas import leaving
from ..bptt.whatif import mistake_of
from ..core import walk
from ..core.graph import Node
from ..core.parts import norm
from . import style
from .equations import FEW, Words, written
from .labels import clean, minus
from .moments import ALWAYS, Film, Moment, Use, coordinates
from .scale import Scale
from .views import View

MOST_NUMBERS = 120_000  # on a page, about 1 MB; above it, terms of the loss share a switch
Data = dict[str, Any]


class Script:
    """The film of a flow as plain data: nodes, uses and moments by number, numbers rounded to six
    digits."""

    def __init__(self, flow: GradientFlow, views: list[View]) -> None:
        self.views, self.root = views, flow.root
        found, self.seed, self.wrong = views[0].found, flow.incoming.seed, flow.wrong
        self.film = Film(found, self.seed, mistake_of(flow.wrong) if flow.wrong else None)
        while self.amount() > MOST_NUMBERS and len(self.film.groups) > 1:
            self.film.join_groups()
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
        through = " through time" if self.views[0].found.steps else ""
        return {
            "title": f"Backpropagation{through}: {self.words.name(self.root)}",
            "loss": self.words.name(self.root),
            "wrong": f"WRONG on purpose: {clean(self.wrong)}" if self.wrong else "",
            "views": [view.name for view in self.views],
            "terms": self.group_names(),
            "scale": {"largest": scale.largest, "low": scale.low, "wide": scale.wide},
            "stops": {paper: style.SCALES["gradient"][paper] for paper in ("light", "dark")},
            "gap": self.gap(), "gaps": [view.gaps for view in self.views],
            "nodes": self.nodes, "uses": told, "moments": moments,
            "ledgers": self.ledgers(),
        }

    def gap(self) -> str:
        """What is not in view in the unfolded picture."""
        column = next((c for c in self.views[0].scene.columns if c.hidden), None)
        if column is None or column.hidden is None:
            return ""
        return minus(f"steps {column.hidden[0]} … {column.hidden[1]}, not in this film")

    # --- nodes ----------------------------------------------------------------------------------

    def index(self, node: Node) -> int:
        """The number of a node; the first time, what there is to say of it."""
        if node not in self.number:
            self.number[node] = len(self.nodes)
            glyphs = [view.of_node(node) for view in self.views]
            self.nodes.append({
                "id": (glyphs[0] or [f"n{len(self.nodes)}"])[-1],
                "name": self.words.name(node), "op": "" if node.is_leaf else self.words.title(node),
                "step": node.step, "scope": clean(node.scope, 60),
                "shape": list(np.shape(node.value)), "value": written(node.value),
                "wants": node.requires_grad, "glyphs": glyphs,
            })
        return self.number[node]

    def group_names(self) -> list[str]:
        """The terms of the loss, or a few neighbours: L₁, L₁ … L₄; by number where there are no
        steps and several have one name, or none."""
        terms = [x for group in self.film.groups for x in group]
        names = {x: self.words.name(x) for x in terms}
        if len(terms) > 1 and (None in [x.name for x in terms] or len(set(names.values())) == 1):
            names = {x: f"{names[x] if x.name else 'term'} {i}" for i, x in enumerate(terms, 1)}
        ends = [dict.fromkeys((group[0], group[-1])) for group in self.film.groups]
        return [" … ".join(names[x] for x in pair) for pair in ends]

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
            self.norms += [norm(s) for s in sums.values()]
            self.nodes[self.index(x)]["entries"] = len(rows[0]) == np.size(x.value) <= FEW
        return told

    def use(self, use: Use, parts: list[Any]) -> Data:
        """A use: who, what it adds, to whom, along which lines, by which rule."""
        told: Data = {"by": -1 if use.node is None else self.index(use.node),
                      "x": self.index(use.x), "parts": parts, "count": len(use.members),
                      "lines": [view.along(use.node, use.position, use.x) for view in self.views]}
        if use.node is not None:
            told["rule"] = rule(use.node, use.position, self.words.part(use.node))
        return told

    # --- moments --------------------------------------------------------------------------------

    def moment(self, moment: Moment, place_of: dict[int, int]) -> Data:
        """A moment: its operation with operands, and the numbers of its uses."""
        node = moment.node
        told: Data = {"kind": "backward" if moment.backward else "forward",
                      "node": -1 if node is None else self.index(node)}
        if moment.backward:
            told["uses"] = [place_of[id(use)] for use in moment.uses]
        if node is not None:
            told["operands"] = [self.operand(x, node.scope) for x in node.operands]
        if node is not None and not moment.backward:
            told["equation"] = self.words.equation(node)
            told["lines"] = [[name for i, x in walk.parents(node)
                              for name in view.along(node, i, x)] for view in self.views]
        elif not moment.backward:
            told["lines"] = [[name for x in moment.before for name in view.along(None, 0, x)]
                             for view in self.views]
        return told

    def operand(self, x: Any, scope: str) -> Data:
        """An operand: a node by its number, a plain value as it is written."""
        if isinstance(x, Node):
            shown = self.views[0].found.source(x)
            name = self.words.name(shown, scope)
            return {"node": self.index(shown if x in self.views[0].found.shown else x),
                    "name": name if x is shown else f"a part of {name}",
                    "value": written(x.value)}
        return {"name": "", "value": written(x)}


G, Y, OPERAND = "\ue000", "\ue001", 0xe100  # what stands for g, y and an operand in a rule


def rule(node: Node, position: int, part: str) -> list[Any]:
    """The rule of an operand: words, and in the places where numbers go `["g"]`, `["y"]` and
    `["o", i]`."""
    name = node.op.name
    if name in WORDED:
        told = WORDED[name][min(position, len(WORDED[name]) - 1)].format(part=part)
        return [["g"], told]

    def stands(i: int) -> Formula:
        x = Y if i < 0 else node.operands[i]
        if not isinstance(x, Node) and np.ndim(x) == 0 and i >= 0:
            return number(float(x))
        word = Y if i < 0 else chr(OPERAND + i)
        return Formula(word, word)

    with np.errstate(all="ignore"):
        text = leaving(node, position, np.ones(np.shape(node.value)), Formula(G, G), stands).text
    if text.startswith("(rule of"):
        return [f"the rule of {clean(name, 60)}, written by its user"]
    text = re.sub(r"minus_one_hot\((.*), (.), -?\d+\)", r"(\1 − one-hot \2)", text)
    pieces = re.split(f"([{G}{Y}{chr(OPERAND)}-{chr(OPERAND + 255)}])", text)
    return [["g"] if piece == G else ["y"] if piece == Y else
            ["o", ord(piece) - OPERAND] if len(piece) == 1 and ord(piece) >= OPERAND else piece
            for piece in pieces if piece]


# Rules that only move a gradient to where it belongs, in words, operand by operand.
WORDED = {
    "[]": (", put back at {part}; 0 elsewhere",), "sum": (", at every entry",), "Σ": ("",),
    "concat": (", the part that came from here",), "stack": (", the part that came from here",),
    "where": (" where the condition holds, else 0", " where it does not hold, else 0"),
    "reshape": (", in the shape of before",), "T": (", turned back",), "broadcast": (", summed",),
}
