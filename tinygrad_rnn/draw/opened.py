"""Opening a node of arrays: the same operation, written out entry by entry on plain numbers.

The question this file answers: *which products and sums is `linear` made of?*
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node
from ..core.values import Value
from ..errors import InputError, UnsupportedError
from .tables import numbers_of

MOST = 60  # entries of an operand


def opened(node: Node, seed: Any = None) -> list[tuple[Node, float]]:
    """The entries of a tensor's result as scalar nodes, made from the entries of its operands, each
    with the gradient that arrives there (`seed`, in the shape of the node; 1 if it is not given).

    `linear`, `@`, sums, and whatever works entry by entry can be opened.
    """
    given = [entries(x, f"operand {i}") for i, x in enumerate(node.operands)]
    seeds = seeds_of(node, seed)
    results = compute(node, given)
    name = node.name
    for at in np.ndindex(results.shape):
        if name:
            results[at].named(entry_name(name, at))
    return [(results[at], float(seeds[at])) for at in np.ndindex(results.shape)]


def seeds_of(node: Node, seed: Any) -> Any:
    """The gradient that arrives at a node, in its shape: 1 if it is not given."""
    shape = np.shape(node.value)
    seeds = np.ones(shape) if seed is None else \
        numbers_of(seed, "a seed of numbers", "draw.scalar()")
    if seeds.shape != shape:
        raise InputError(f"expected a seed of shape {shape}, got {seeds.shape}",
                         where="draw.scalar()")
    return seeds


def entries(x: Any, what: str) -> Any:
    """The entries of an operand, as an array of scalar nodes."""
    array = np.asarray(x.value if isinstance(x, Node) else x, dtype=float)
    if array.size > MOST:
        raise InputError(f"expected operands of at most {MOST} entries, got {array.shape}",
                         where="draw.scalar()", fix="Open a smaller layer: it looks the same")
    found = np.empty(array.shape, object)
    needs = isinstance(x, Node) and x.requires_grad
    name = (x.name if isinstance(x, Node) else None) or ("abcdef"[int(what[-1]) % 6] if array.ndim
                                                         else None)
    for at in np.ndindex(array.shape):
        found[at] = Value(float(array[at]), name=entry_name(name, at) if name else None,
                          requires_grad=needs)
    return found


def entry_name(name: str, at: tuple[int, ...]) -> str:
    """W_hh at row 1, column 2 is `W_hh[1,2]`, counted from 1."""
    return name if not at else f"{name}[{','.join(str(i + 1) for i in at)}]"


def compute(node: Node, given: list[Any]) -> Any:
    """The operation of a node on arrays of scalar nodes."""
    op = node.op
    if op in (ops.linear, ops.matmul):
        a, b = given
        b = b.T if op is ops.linear else b
        rows = np.atleast_2d(a)
        if rows.ndim > 2 or b.ndim != 2:
            raise refused(node)
        table = np.empty((len(rows), b.shape[1]), object)
        for i, j in np.ndindex(table.shape):
            table[i, j] = added([rows[i, k] * b[k, j] for k in range(b.shape[0])])
        return table if a.ndim == 2 else table[0]
    if op is ops.sum_ and (node.params or {}).get("axis") is None:
        whole = np.empty((), object)
        whole[()] = added(list(given[0].ravel()))
        return whole
    total = op.name == "Σ"  # of the losses of all steps
    if not total and (op.scalar is None or node.params or op.variadic or len(given) > 2):
        raise refused(node)
    parts = np.broadcast_arrays(*given) if len(given) > 1 else given
    found = np.empty(parts[0].shape, object)
    for at in np.ndindex(found.shape):
        values = [part[at] for part in parts]
        found[at] = added(values) if total else op.of(*values)
    return found


def added(terms: list[Any]) -> Any:
    """The sum of some numbers, one after the other."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def refused(node: Node) -> UnsupportedError:
    """The operation is not one that can be taken apart."""
    return UnsupportedError(
        f"{node.op.name!r} of shape {np.shape(node.value)} cannot be opened into single entries",
        where="draw.scalar()", fix="linear, @, a sum over everything, and what works entry by "
                                   "entry can: +, *, tanh, ...")
