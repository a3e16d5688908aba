"""The lines of a derivation: one use of a weight, and what each gradient behind it is made of.

The question this file answers: *what has to be said so that one term can be followed?*

A symbol that is needed gets a line of its own, once; what has no name is written out, or gets one.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..core.backprop import local
from ..core.graph import Node
from .contribution import Contribution
from .explanation import Block, Line
from .formula import Formula, number
from .formulas import leaving
from .forward import computed
from .naming import LINKS, Naming
from .symbols import FACTORS, joined, joined_times, opaque, product, ratio, shown, symbol_of

if TYPE_CHECKING:
    from .flow import GradientFlow

LINES = 40  # so many lines of definitions are given at one use
PARTS = 3   # of more parts than twice that many and one, the first and the last
MOST = 12   # so many unnamed results are listed at one use


class Derivation(Naming):
    """Writes down where the gradient of one node comes from."""

    def __init__(self, flow: GradientFlow, node: Node) -> None:
        super().__init__(flow, node)
        self.needed: dict[Node, None] = {}
        self.defined: set[Node] = set()
        self.told: set[Node] = set()

    # --- formulas of gradients --------------------------------------------------------------

    def arriving(self, x: Node, links: int = LINKS, t: int | None = None) -> Formula:
        """The gradient of `x`: its own symbol, or the formula of the only way that leads to it."""
        into = self.flow.incoming.get(x, [])
        alone = len(into) == 1 and x not in self.deltas
        if x is self.flow.root or x.name is not None or not alone or links == 0:
            self.needed[x] = None
            return self.gradient(x, t)
        return self.formula(into[0], links - 1, t)

    def formula(self, e: Contribution, links: int = LINKS, t: int | None = None) -> Formula:
        """What a contribution is made of."""
        return self.through(e, self.arriving(e.node, links, t), t)

    def through(self, e: Contribution, g: Formula, t: int | None = None) -> Formula:
        """What leaves through the operand of `e` when `g` arrives."""
        made = g
        for node, place in ((e.node, e.position), *((alias, 0) for alias in reversed(e.aliases))):
            index = None if t is None else self.general.index(node, t)
            made = leaving(node, place, e.g, made, partial(self.operand, node, t=t), index)
        return made

    def with_numbers(self, e: Contribution) -> Formula | None:
        """The same with a number for every symbol, where all of them are numbers."""
        if not e.node.is_scalar or any(np.ndim(v) for v in e.node.values) or e.part is not None:
            return None
        value = [*e.node.values, e.node.value]
        made = leaving(e.node, e.position, e.g, opaque(e.g), lambda i: opaque(value[i]))
        return None if made.text.startswith("(rule of") else made

    # --- lines ------------------------------------------------------------------------------

    def define(self, x: Node) -> list[Line]:
        """Where the gradient of `x` comes from: a line for each part, and their sum."""
        self.defined.add(x)
        name, into = self.gradient(x), self.flow.incoming.get(x, [])
        total = shown(self.flow.gradient(x))
        if x is self.flow.root and not into:
            return [Line(name, None, total, "the start")]
        if len(into) == 1:
            e = into[0]
            return [Line(name, self.formula(e), self.worked(e), self.origin(e, x))]
        lines, hidden = [], range(PARTS, len(into) - PARTS) if len(into) > 2 * PARTS + 1 else ()
        for i, e in enumerate(into):
            if i not in hidden:
                lines.append(Line(Formula(f"part {i + 1}", rf"\text{{part {i + 1}}}"),
                                  self.formula(e), self.worked(e), self.origin(e, x)))
            elif i == PARTS:
                lines.append(Line(Formula("…", r"\dots"), None, None,
                                  f"{len(hidden)} more parts, each in the same way"))
        parts = [shown(e.array()) for e in into]
        short = np.size(x.value) == 1 and len(parts) <= FACTORS
        added = joined(parts) if short else Formula(
            f"the sum of the {len(parts)} parts", rf"\text{{the sum of the {len(parts)} parts}}")
        return [*lines, Line(name, added, total)]

    def worked(self, e: Contribution) -> Formula:
        """The numbers of a contribution, and what they give."""
        value, numbers = shown(e.array()), self.with_numbers(e)
        if numbers is None or numbers.text == value.text:
            return value
        return Formula(f"{numbers.text} = {value.text}", f"{numbers.latex} = {value.latex}")

    def origin(self, e: Contribution, x: Node) -> str:
        """Whether a part comes from above or from another step, in words."""
        if e.step is None or x.step is None:
            return "from above" if x.step is not None else ""
        if e.step == x.step:
            return "from above"
        return f"from the future, step {e.step}" if e.step > x.step else f"from step {e.step}"

    def block(self, e: Contribution, title: str) -> Block:
        """One use of the node: the gradient that arrived there, and the term."""
        block = Block(title)
        lines: list[Line] = []
        self.needed, self.used = {}, {}
        if e.part is not None:
            d = symbol_of("δ", e.step)
            lines.append(Line(Formula(f"term: {d.text} xᵀ", rf"{d.latex} x^\top"), None,
                              shown(e.array()), "inside one node of a whole sequence"))
            block.lines = lines
            return block
        term = self.through(e, self.arriving(e.node))
        before = self.definitions(e.step)
        lines.append(Line(Formula(f"term: {term.text}", rf"\text{{term: }} {term.latex}"), None,
                          self.worked(e)))
        lines = [*before, *lines, *self.chain(e)]
        lines = [*self.intermediate(lines), *lines]
        block.lines = [line for before, line in zip([None, *lines], lines)
                       if before is None or line.sides() != before.sides()]  # sums of one name
        return block

    def definitions(self, step: int | None) -> list[Line]:
        """The symbols that were needed and belong to this step, or to none, each once; and the
        state itself."""
        lines: list[Line] = []
        waiting = list(self.needed)
        for x in waiting:  # the list grows while it is read
            later = x.step is not None and step is not None and x.step != step
            if x in self.defined or later:
                continue
            if len(lines) > LINES:
                note = Formula("…", r"\dots")
                lines.insert(0, Line(note, None, None, "and so on, back from the loss"))
                break
            self.needed = {}
            made = self.define(x)
            if x.op.rules and x.name is not None and x.step is not None:
                forward = self.forward(x)
                made.insert(0, Line(self.symbol(x), forward, self.worked_forward(x)))
            lines = [*made, *lines]
            waiting += list(self.needed)
        return lines

    def intermediate(self, shown_lines: list[Line]) -> list[Line]:
        """The unnamed results that got a name in these lines, each with what it is."""
        lines: list[Line] = []
        waiting, text = list(self.used), "\n".join(line.text() for line in shown_lines)
        for x in waiting:  # the list grows while it is read
            there = re.search(f"{self.symbol(x).text}(?![₀-₉])", text)
            if there and x not in self.told and len(lines) < MOST:
                self.told.add(x)
                self.used = {}
                made = computed(x, partial(self.operand, x)) if x.op.rules else None
                lines.insert(0, Line(self.symbol(x), made, shown(x.value)))
                text += lines[0].text()
                waiting += list(self.used)
        return lines

    def forward(self, x: Node, links: int = LINKS, numbers: bool = False) -> Formula:
        """How a node was computed, unnamed results written out; with `numbers`, in numbers."""
        def part(i: int) -> Formula:
            y = x.operands[i]
            if isinstance(y, Node) and y.name is None and y.op.rules and links > 1:
                return self.forward(y, links - 1, numbers)
            return opaque(x.values[i]) if numbers else self.operand(x, i)
        return computed(x, part)

    def worked_forward(self, x: Node) -> Formula:
        """The numbers that a scalar was computed from, and what they give."""
        value = shown(x.value)
        if not x.is_scalar or any(isinstance(y, Node) and not y.is_scalar for y in x.operands):
            return value
        made = self.forward(x, numbers=True)
        return Formula(f"{made.text} = {value.text}", f"{made.latex} = {value.latex}")

    def chain(self, e: Contribution) -> list[Line]:
        """For scalars with a single way to the loss: the term as a product of local
        derivatives."""
        if not self.flow.root.is_scalar or not e.node.is_scalar or e.aliases:
            return []
        way: list[tuple[Node, Node, float]] = []  # (of, with respect to, local derivative)
        x, link, slope = self.node, e, 1.0
        while True:
            slope *= local(link.node, link.position, 1.0)
            into = self.flow.incoming.get(link.node, [])
            if link.node.name is not None or link.node is self.flow.root or len(into) != 1:
                way.append((link.node, x, slope))
                x, slope = link.node, 1.0
            if len(into) != 1 or link.node is self.flow.root:
                break
            link = into[0]
        way.reverse()
        if len(way) < 2:
            return []
        factors = [] if x is self.flow.root else [self.gradient(x)]
        factors += [ratio(self.symbol(y), self.symbol(of)) for y, of, _ in way]
        values = [] if x is self.flow.root else [number(float(self.flow.arrived[x]))]
        values += [number(s) for _, _, s in way]
        left = Formula("chain", r"\text{chain}")
        return [Line(left, product(factors), Formula(*joined_times(values, e.array())))]
