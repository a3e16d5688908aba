"""A small graph written out in lines, operands first: the sketch of what has no steps.

The question this file answers: *how is a graph with many crossing wires read in a terminal?*

    x₁ = 2
    w₁ = −3
    [1] = x₁ × w₁ = −6

A node without a name gets a number in brackets, and is called by it where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node
from ..core.parts import norm
from . import style
from .labels import cells, clean, number, plain, symbol
from .wording import shape

MOST, ENDS = 2_000, 20  # nodes that are written out; lines at either end of more than twice as many
INFIX = {"+", "-", "*", "/", "@", "**", "power"}


def written(nodes: list[Node], column: Callable[[Node, dict[Node, str]], str],
            mark: Callable[[Node], str] = lambda node: "") -> list[str]:
    """A line for every node: `mark`, its equation, and what `column` says of it."""
    names: dict[Node, str] = {}
    count = 0
    rows = []
    for node in nodes:
        if node.name is None and not node.is_leaf:
            count += 1
        names[node] = named(node, count)
        if not node.is_leaf or node.name is not None:
            rows.append((mark(node), equation(node, names), column(node, names)))
    wide = max((cells(text) for _, text, _ in rows), default=0)
    return [f"{sign}{text}{' ' * (wide - cells(text))}  {more}".rstrip()
            for sign, text, more in rows]


def without_time(root: Node, gradients: Mapping[Node, Any] | None = None) -> list[str]:
    """The lines of a graph without steps; of a long one, its ends. With `gradients`, each as far as
    it is known. Empty if there is too much, or nothing, to write."""
    nodes = walk.nodes(root)
    if len(nodes) > MOST:
        return []

    def column(node: Node, names: dict[Node, str]) -> str:
        found = None if gradients is None else gradients.get(node)
        return "" if found is None else f"∂ {number(found) if np.ndim(found) == 0 else size(found)}"

    lines = written(nodes, column)
    if len(lines) > 2 * ENDS + 1:
        lines[ENDS:-ENDS] = [f"…  {len(lines) - 2 * ENDS:,} more lines"]
    return lines


def size(g: Any) -> str:
    """The norm of an array."""
    return f"‖·‖ = {number(norm(np.asarray(g)))}"


def named(node: Node, count: int) -> str:
    """What a node is called in the lines below it."""
    if node.name is not None:
        return plain(symbol(node.name, node.step))
    return worth(node.value) if node.is_leaf else f"[{count}]"


def equation(node: Node, names: dict[Node, str]) -> str:
    """h = tanh([3]) = 0.46"""
    if node.is_leaf:
        return f"{names[node]} = {worth(node.value)}"
    parts = [names[x] if isinstance(x, Node) else worth(x) for x in node.operands]
    sign = clean(style.SYMBOLS.get(node.op.name, node.op.name), 16)
    if node.op.name in INFIX and len(parts) == 2:
        made = f"{parts[0]} {sign} {parts[1]}"
    else:
        made = f"{sign}({', '.join(parts)})"
    return f"{names[node]} = {made} = {worth(node.value)}"


def worth(value: Any) -> str:
    """A number, or the shape of an array."""
    return number(value) if np.ndim(value) == 0 else f"({shape(value)})"
