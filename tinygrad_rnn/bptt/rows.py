"""Many gradients in one walk: all rows of a Jacobian come back through the graph together.

The question this file answers: *what does it cost to know a whole Jacobian, and not one row of it?*

One backward pass with the seed e_i gives row i of dy/dx. Here the seeds of all rows stand on top of
each other, (R, *shape of y), and a rule that works entry by entry takes them all at once: R rows
cost one walk. An op that is not known to allow it is asked row by row, so the answer is right for
any graph. Hooks do not run: a Jacobian belongs to the function, not to what is done to its
gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from ..core import ops
from ..core.backprop import local, uses
from ..core.graph import Node, Op, operands_of
from ..core.guards import check_ends, refuse_released

Array = Any
Meter = Callable[[Node, int, int], None]  # told (node, position, rows) of every rule that is used

# their rules only multiply and select entry by entry: a leading axis of rows passes through
ENTRYWISE = {ops.add, ops.sub, ops.mul, ops.div, ops.neg, ops.power, ops.exp, ops.log, ops.sqrt,
             ops.sin, ops.cos, ops.tanh, ops.sigmoid, ops.relu, ops.absolute, ops.maximum,
             ops.minimum, ops.where, ops.broadcast_to}


def between(starts: Collection[Node], ends: Sequence[Node]) -> list[Node]:
    """The nodes on the ways from `starts` to `ends`, newest first; the starts are not among them.

    What was made before the oldest start cannot depend on any: the walk never goes there, and so a
    step of a long sequence, or of the upper layer of a stack, costs what one step costs. Raises
    `GradientError` for a released graph, or one whose data was assigned after it was made.
    """
    floor = min(0 if x.is_leaf else x.order for x in starts)
    starts = set(starts)
    found = [x for x in dict.fromkeys(ends) if x not in starts and x.order > floor]
    seen, given = {*found, *starts}, [x for x in found if not x.op.rules]
    found = [x for x in found if x.op.rules]
    for node in found:  # the list grows while we read it
        for x in operands_of(node):
            if x is not None and x not in seen and x.order > floor:
                seen.add(x)
                (found if x.op.rules else given).append(x)
    found.sort(key=attrgetter("order"))
    if found:
        check_ends(given, found[::-1])
    elif given and given[0].op.name == "released":
        refuse_released(given[0])
    leading = set(starts)
    for node in found:  # operands first
        if any(x in leading for x in operands_of(node)):
            leading.add(node)
    return [node for node in reversed(found) if node in leading]


def rows(seeds: Mapping[Node, Array], starts: Collection[Node],
         meter: Meter | None = None) -> dict[Node, Array]:
    """What arrives at each start, (R, *its shape), when each end begins with its seed (R, *its
    shape).

    A start that no way leads to is missing. `meter` is told of every rule used, to count the work.
    """
    way = between(starts, list(seeds))
    leading, arriving = {*way, *starts}, dict(seeds)
    for node in way:
        g = arriving.pop(node)
        shares = joint_rows(node, g) if node.op.joint else None
        for position, x in uses(node):
            if x in leading:
                c = shares[position] if shares else through(node, position, g)
                arriving[x] = arriving[x] + c if x in arriving else c
                if meter is not None:
                    meter(node, position, len(g))
    return {x: arriving[x] for x in starts if x in arriving}


def through(node: Node, position: int, g: Array) -> Array:
    """What leaves through one operand when R gradients `g` (R, *shape of the node) arrive at
    once."""
    op, x = node.op, node.values[position]
    if node.is_scalar or np.ndim(node.value) == 0 or op.variadic:
        return one_by_one(node, position, g)
    if op in ENTRYWISE:
        c = op.rules[position](g, node.value, *node.values, **node.params or {})
    elif op in KNOWN:
        c = KNOWN[op](node, position, g)
        if c is None:
            return one_by_one(node, position, g)
    else:
        return one_by_one(node, position, g)
    return fitted(c, np.shape(x))


def one_by_one(node: Node, position: int, g: Array) -> Array:
    """The same, with one use of the rule for every row."""
    if node.is_scalar:
        return np.array([local(node, position, float(row)) for row in g])
    return np.array([local(node, position, row) for row in g])


def joint_rows(node: Node, g: Array) -> list[Array]:
    """The same for an op whose rule gives all operands' gradients at once."""
    shares = [local(node, 0, row) for row in g]
    return [None if parts[0] is None else np.array(parts) for parts in zip(*shares)]


def fitted(c: Array, shape: tuple[int, ...]) -> Array:
    """Each row summed back to the shape of an operand that was broadcast."""
    if c.shape[1:] == shape:
        return c
    extra = c.ndim - 1 - len(shape)
    axes = tuple(i for i in range(1, c.ndim) if i <= extra or c.shape[i] != shape[i - 1 - extra])
    return c.sum(axis=axes).reshape(len(c), *shape)


# --- ops that move entries around, or multiply by a matrix --------------------------------------


def times(g: Array, W: Array) -> Array:
    """g (..., O) times W (O, I), as one product."""
    return (g.reshape(-1, W.shape[0]) @ W).reshape(*g.shape[:-1], W.shape[1])


def linear_rows(node: Node, position: int, g: Array) -> Array:
    """linear(x, W): g W for x, and for W the outer products d xᵀ of each row, summed over B."""
    if position == 0:
        return times(g, node.v)
    d, x = g.reshape(len(g), -1, g.shape[-1]), node.u.reshape(-1, node.u.shape[-1])
    return np.matmul(d.transpose(0, 2, 1), x)


def matmul_rows(node: Node, position: int, g: Array) -> Array:
    """The usual forms of a @ b: rows or one vector times a matrix, a matrix times one vector."""
    a, b = node.u, node.v
    if b.ndim == 2 and position == 0:
        return times(g, b.T)
    if a.ndim == 2 and b.ndim == 1:
        return g[:, :, None] * b if position == 0 else times(g, a)
    return None


def getitem_rows(node: Node, position: int, g: Array) -> Array:
    """A slice: each row goes back to where it was taken from."""
    index = (node.params or {})["index"]
    if not ops.is_basic(index):
        return None
    total = np.zeros((len(g), *node.u.shape), g.dtype)
    total[(slice(None), *(index if isinstance(index, tuple) else (index,)))] = g
    return total


def transpose_rows(node: Node, position: int, g: Array) -> Array:
    """Axes go back to their places; that of the rows stays in front."""
    axes = (node.params or {}).get("axes") or tuple(reversed(range(node.u.ndim)))
    return np.transpose(g, (0, *(int(i) + 1 for i in np.argsort(axes))))


KNOWN: dict[Op, Callable[[Node, int, Array], Array]] = {
    ops.linear: linear_rows,
    ops.matmul: matmul_rows,
    ops.getitem: getitem_rows,
    ops.transpose: transpose_rows,
    ops.reshape: lambda node, position, g: g.reshape(len(g), *node.u.shape),
}
