"""What things are called in a derivation.

The question this file answers: *what is the name of a result that the program gave none?*
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import ops
from ..core.graph import Node
from ..core.keys import base_name
from ..core.over_time import result_step
from ..core.walk import edges
from ..core.walk import nodes as walk_nodes
from .explanation import worded
from .formula import Formula, number
from .forward import computed
from .general import General
from .symbols import SMALL, shown, symbol_of

if TYPE_CHECKING:
    from .flow import GradientFlow

LINKS = 6   # so many unnamed results are written into one formula; then one gets a name
SHORT = 24  # a longer formula of an unnamed operand gets a name


class Naming:
    """The names of one derivation: what a node, its gradient and an operand are called in it.

    A name of the program stays. What has none gets one where it is needed: δ_t for the gradient
    that arrived at a use, v_n for the n-th result of the graph.
    """

    def __init__(self, flow: GradientFlow, node: Node) -> None:
        self.flow, self.node = flow, node
        self.ledger = flow.ledger(node)
        self.entries = self.ledger.entries
        self.deltas = self.name_deltas()
        self.used: dict[Node, None] = {}  # unnamed results that got a name: v₁, v₂
        self.places: dict[Node, int] = {}
        self.general = General(flow.root)
        root = flow.root
        self.whole = root.name is None or result_step(root) != root.step
        self.root = symbol_of(root.name, result_step(root)) if root.name else Formula("L", "L")

    def name_deltas(self) -> dict[Node, Formula]:
        """δ_t for the gradient that arrived at each use, where what was made there has no name."""
        found: dict[Node, Formula] = {}
        taken = set[str]()
        for e in self.entries:
            node = self.same_gradient(e.node)
            if node.name is None and node is not self.flow.root and e.step is not None \
                    and node not in found:
                name = "δ"
                while symbol_of(name, e.step).text in taken:
                    name += "'"
                made = symbol_of(name, e.step)
                taken.add(made.text)
                found[node] = Formula(made.text, made.latex.replace("δ", r"\delta "))
        return found

    def same_gradient(self, x: Node) -> Node:
        """The last of the unnamed sums that `x` goes into: the same gradient arrives at all."""
        for _ in range(LINKS):
            into = self.flow.incoming.get(x, [])
            if x.name is not None or len(into) != 1 or into[0].node.op is not ops.add:
                break
            if np.shape(into[0].g) != np.shape(x.value) or into[0].node.step != x.step:
                break
            x = into[0].node
        return x

    def symbol(self, x: Node, t: int | None = None) -> Formula:
        """What a node is called; with `t`, relative to that step."""
        name, step = base_name(x), x.step
        inside = x.name is None and x.op.rules and x.step is not None
        if t is not None and inside and (x is not self.flow.root or len(self.general.alike(x)) > 1):
            return self.general.result(x, t)
        if x is self.flow.root and self.whole:
            return self.root
        if x.name is None:
            if not self.places:
                made = (n for n in walk_nodes(self.flow.root) if n.name is None)
                self.places = {n: i for i, n in enumerate(made, 1)}
            self.used[x] = None
            name, step, t = "v", self.places.get(x, 0), None
        before = None if t is None or step is None else t - step
        symbol = symbol_of(name, step if before is None else None, before)
        where = self.elsewhere.get(x, "")
        return Formula(f"{symbol.text}⟨{where}⟩", rf"{{{symbol.latex}}}^{{\langle\text{{"
                       rf"{worded(where)}}}\rangle}}") if where else symbol

    @cached_property
    def elsewhere(self) -> dict[Node, str]:
        """The scope of what has the name and the step of another node, and is not of the scope
        that this derivation is about: h₁⟨encoder⟩, beside the decoder's h₁."""
        alike: dict[tuple[str, int | None], list[Node]] = {}
        for n in walk_nodes(self.flow.root):
            if n.name is not None:
                alike.setdefault((base_name(n), n.step), []).append(n)
        twins = {n for some in alike.values() if len(some) > 1 for n in some}
        used = {x: user.scope for x, _, user in edges(self.flow.root) if x in twins and x.is_leaf}
        here = self.entries[0].node.scope
        return {n: where for n in twins if (where := used.get(n, n.scope)) not in ("", here)}

    def operand(self, node: Node, position: int, t: int | None = None,
                links: int = 2) -> Formula:
        """What stands for an operand (-1: the value): its name, or the number that it is."""
        x: Any = node if position == -1 else node.operands[position]
        differs = None if t is None else self.general.factor(node, position, t)
        if differs is not None:
            return differs
        if not isinstance(x, Node):
            return shown(x) if np.size(x) <= SMALL else Formula("a", r"\mathbf{a}")
        if x.name is None and not x.requires_grad and x.is_scalar:
            return number(x.value)
        if x.name is None and x.op.rules and t is None and links > 0:
            made = computed(x, lambda i: self.operand(x, i, t, links - 1))
            if len(made.text) <= SHORT:
                return made
        return self.symbol(x, t)

    def gradient(self, x: Node, t: int | None = None) -> Formula:
        """∂L/∂x, or its name."""
        if x in self.deltas and t is None:
            return self.deltas[x]
        name = self.symbol(x, t)
        return Formula(f"∂{self.root.text}/∂{name.text}",
                       rf"\frac{{\partial {self.root.latex}}}{{\partial {name.latex}}}")


def told_apart(scopes: Mapping[Node, Collection[str]]) -> dict[Node, str]:
    """The label of each node. One that several have (the W_hh of two layers) is told apart by the
    scope of the nodes that use it, given here, if it is one."""
    labels = Counter(x.label for x in scopes)
    return {x: f"{next(iter(users))}/{x.label}"
            if labels[x.label] > 1 and not x.scope and len(users) == 1 and "" not in users
            else x.label for x, users in scopes.items()}
