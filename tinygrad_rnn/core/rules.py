"""What leaves a node: the rule of its op, applied, in the shape of the operand that it is for.

The question this file answers: *what does one use of one operand send back?*

A rule knows nothing of broadcasting, of mixed types, or of plain floats that raise where IEEE has
an answer. All that is seen to here, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import ops, together
from .graph import Node, constant, operands_of
from .guards import check_operands
from .place import Place, at, here


def uses(node: Node) -> list[tuple[int, Node]]:
    """The operands of a node that want a gradient, with their positions."""
    return [(i, x) for i, x in enumerate(operands_of(node))
            if x is not None and x.op is not constant]


def local(node: Node, position: int, g: Any, graph: bool = False) -> Any:
    """What leaves through one operand when `g` arrives: the row's rule, fitted to the operand's
    shape.

    For a `joint` op: the list of what leaves through each. With `graph=True` the rule gets nodes.
    """
    op, params = node.op, node.params or {}
    if type(node) is not node.lean_kind or graph:
        y, values = (node if graph else node.value), node.values
    else:
        y, *found = together.kept(node, g)
        values = tuple(found[:len(op.rules)])
    rule = op.rules[0 if op.variadic or op.joint else position]
    if op.variadic:
        params = {**params, "position": position}
    if graph:
        check_operands(node)
        with at(gradient_place(node)):
            c = rule(g, y, *node.operands, **params)
            return fit_all(c, values) if op.joint else fit(c, values[position])
    try:
        c = rule(g, y, *values, **params)
    except (ZeroDivisionError, OverflowError):
        with np.errstate(all="ignore"):
            c = rule(*(np.float64(x) for x in (g, y, *values)), **params)
    return fit_all(c, values) if op.joint else fit(c, values[position])


def fit_all(shares: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """What a `joint` rule gave for every operand, each in its operand's shape."""
    return [None if c is None else fit(c, x) for c, x in zip(shares, values)]


def gradient_place(node: Node) -> Place:
    """A gradient is made at the step and in the scope of its node, in the phase "backward"."""
    return node.at.but(phase="backward", recording=True, watchers=here().watchers)


def fit(c: Any, x: Any) -> Any:
    """Sum a contribution back to the shape of its operand `x`, over every axis that was
    broadcast."""
    if type(c) is type(x) is np.ndarray and c.shape == x.shape and c.dtype is x.dtype:
        return c
    if not hasattr(x, "shape"):  # a plain float, possibly used in an array
        return float(np.sum(c)) if not isinstance(c, Node) else c if c.is_scalar else ops.sum_(c)
    if c.shape != x.shape:
        extra = len(c.shape) - x.ndim
        axes = tuple(i for i, n in enumerate(c.shape) if i < extra or n != x.shape[i - extra])
        if isinstance(c, Node):
            c = ops.reshape(ops.sum_(c, axis=axes, keepdims=True), shape=x.shape)
        else:
            c = np.add.reduce(c, axis=axes).reshape(x.shape)
    return c if c.dtype == x.dtype else ops.cast(c, dtype=x.dtype)
