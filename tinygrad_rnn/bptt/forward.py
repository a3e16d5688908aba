"""The other direction: how a value was computed, written as on paper.

The question this file answers: *what is h_3, before any gradient comes?*
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.einsum import einsum_
from ..core.graph import Node
from .formula import (
    ATOM,
    PLUS,
    POWER,
    TIMES,
    Formula,
    escaped,
    function,
    power,
    shown_index,
    transpose,
)
from .formulas import Writer
from .indexed import product_of

INFIX = {"+": ("+", "+"), "-": ("−", "-")}


def computed(node: Node, symbol: Callable[[int], Formula]) -> Formula:
    """How a node was computed from its operands."""
    args = [symbol(i) for i in range(node.arity)]
    name = node.op.name
    if node.op is einsum_:
        return product_of(node, args)
    if name in INFIX and len(args) == 2:
        a, b = args[0].inside(PLUS), args[1].inside(PLUS if name == "+" else TIMES)
        s, t = INFIX[name]
        return Formula(f"{a.text} {s} {b.text}", f"{a.latex} {t} {b.latex}", PLUS)
    writer = Writer({}, node.is_scalar, name == "linear")
    if name == "*":
        a, b = (x.inside(TIMES if x.hold > PLUS else POWER) for x in args)
        s, t = writer.dot if all(x.number is None for x in args) else (" · ", r" \cdot ")
        return Formula(f"{a.text}{s}{b.text}", f"{a.latex}{t}{b.latex}", TIMES)
    if name == "**":
        return power(*args)
    if name == "/":
        a, b = args[0].inside(TIMES), args[1].inside(POWER)
        return Formula(f"{a.text} / {b.text}", rf"\frac{{{args[0].latex}}}{{{args[1].latex}}}",
                       TIMES)
    if name == "neg":
        a = args[0].inside(TIMES)
        return Formula(f"−{a.text}", f"-{a.latex}", PLUS)
    if name == "linear":
        a, b = args[1].inside(POWER), args[0].inside(POWER)
        return Formula(f"{a.text} {b.text}", rf"{a.latex} \, {b.latex}", TIMES)
    if name == "@":
        return writer.matrix(*args)
    if name == "T":
        return transpose(args[0])
    if name == "[]":
        text = shown_index((node.params or {}).get("index"))
        a = args[0].inside(ATOM)
        return Formula(a.text + text, a.latex + escaped(text))
    return function(name, args)
