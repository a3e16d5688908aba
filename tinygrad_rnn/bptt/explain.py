"""The derivation of a gradient, generated from the graph, term by term with its numbers.

The question this file answers: *where does this number in the gradient come from?*

    ∂L/∂W_hh = Σ_t δ_t h_{t−1}ᵀ          one term for each use of the weight
    δ_t = ∂L/∂h_t ⊙ (1 − h_t²)           the gradient that arrived at that use
    ∂L/∂h_t = (from above) + (from the future)

The terms are the rows of the ledger; the formulas come from the rules of the table (`formulas`),
the numbers from the flow. Nothing is known here of any network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.graph import Node
from ..errors import InputError
from .derivation import Derivation
from .explanation import Block, Explanation, Line
from .formula import TIMES, Formula
from .symbols import FACTORS, joined, shown

if TYPE_CHECKING:
    from .flow import GradientFlow


def explain(flow: GradientFlow, node: Node, keep: int = 3) -> Explanation:
    """The derivation of dL/d(node), as text, Markdown and LaTeX: see `Derivation`.

    Raises `InputError` for a `keep` that is no whole number of at least 1.
    """
    if isinstance(keep, bool) or not isinstance(keep, (int, np.integer)) or keep < 1:
        raise InputError(f"expected keep to be a whole number of at least 1, got {keep!r}",
                         where="explain()")
    return explanation(Derivation(flow, node), keep)


def explanation(d: Derivation, keep: int) -> Explanation:
    """The head, the steps (of many: the first and last `keep`), the sum."""
    blocks = [head(d)]
    n = len(d.entries)
    hidden = range(keep, n - keep) if n > 2 * keep + 1 else range(0)
    for i, e in enumerate(d.entries):
        if i in hidden:
            if i == hidden[0]:
                blocks.append(Block(f"… {len(hidden)} more uses, each in the same way …"))
            continue
        title = f"use {i + 1}" if e.step is None else f"step {e.step}"
        title += f" ({e.node.scope})" if e.node.scope else ""
        blocks.append(d.block(e, title))
    blocks.append(foot(d))
    name = d.symbol(d.node).text
    wrong = f"WRONG on purpose ({d.flow.wrong}): " if d.flow.wrong else ""
    terms = "one term for its only use" if n == 1 else f"one term for each of its {n} uses"
    return Explanation(f"{wrong}∂{d.root.text}/∂{name}, from the graph: {terms}", blocks)


def head(d: Derivation) -> Block:
    """The general formula, if all uses are alike."""
    left = d.gradient(d.node)
    e = next((e for e in d.entries if any(
        isinstance(x, Node) and x.op.rules and x.step is not None and x.step != e.step
        for x in e.node.operands)), d.entries[0])
    kinds = {(e.node.op.name, e.position) for e in d.entries}
    if len(kinds) > 1 or e.step is None or e.part is not None or len(d.entries) == 1:
        return Block("the gradient is the sum of its terms", [])
    node = d.same_gradient(e.node)
    named = node not in d.deltas
    g = d.gradient(node, e.step) if named else Formula("δ_t", r"\delta_t")
    term = d.through(e, g, e.step).inside(TIMES)
    rows = int(np.prod(np.shape(e.g)[:-1])) if e.node.op.late and e.position == 1 else 1
    lines = [Line(left, Formula(f"Σ_t {term.text}", rf"\sum_t {term.latex}"), None,
                  f"summed over a batch of {rows}" if rows > 1 else "")]
    into = d.flow.incoming.get(node, [])
    if not named and len(into) == 1:
        lines.append(Line(g, d.formula(into[0], t=e.step)))
    lines += d.general.told("\n".join(line.text() for line in lines))
    return Block("in general", lines)


def foot(d: Derivation) -> Block:
    """The sum of the terms, and what it is."""
    terms = [shown(e.array()) for e in d.entries] if len(d.entries) <= FACTORS else []
    short = d.node.is_scalar and terms
    added = joined(terms) if short else None
    name = d.symbol(d.node)
    where = f"what this pass added to {name.text}.grad" if d.node.is_leaf else ""
    if d.flow.wrong:
        where = "and this is wrong"
    return Block("sum of the terms", [Line(d.gradient(d.node), added,
                                           shown(d.ledger.total), where)])
