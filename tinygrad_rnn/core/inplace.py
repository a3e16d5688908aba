"""The in-place guard: a leaf's array may be read, written and assigned, and no graph goes silently
wrong.

The question this file answers: *what if the data changes after the graph has used it?*

A graph keeps the arrays it was computed from. So when the user asks for a leaf's array while a
graph holds it, the leaf moves to a copy first; and when an array that the user still holds enters a
graph, it is locked (a later write to it raises) and the leaf takes a copy. Values are never written
to otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DTypeError, GradientError, ShapeError
from .words import describe

if TYPE_CHECKING:
    from .graph import Node, Op

LENT: Any = {}  # in a leaf's `params`: the user may still hold, and write to, its array


def plain(operand: Any, op: Op | None = None) -> Any:
    """A number or array as the graph keeps it: Python numbers as they are, the rest as NumPy
    arrays."""
    if isinstance(operand, (bool, int, float)):
        return operand if type(operand) in (int, float) else float(operand)
    try:
        array = np.asarray(operand)
    except ValueError:  # NumPy calls it an inhomogeneous shape
        raise DTypeError("needs rows of equal length, got a ragged list",
                         fix="Pad the rows to one length first") from None
    if array.dtype.kind not in "fiub":
        where = f"op '{op.name}'" if op else ""
        raise DTypeError(f"needs real numbers, got {type(operand).__name__} of dtype {array.dtype}",
                         where=where, fix="Convert it to a float array first")
    return array


def known_type(dtype: Any, where: str) -> Any:
    """The type of real numbers that NumPy knows by this name."""
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError):
        found = np.dtype(object)
    if found.kind not in "fiub":
        raise DTypeError(f"expected a type of real numbers such as 'float32', got {dtype!r}",
                         where=where)
    return found


def lend(node: Node) -> Any:
    """A leaf's own array, to be read or written to; of a computed node, a read-only view."""
    if node.is_leaf:
        shared = sys.getrefcount(node.value) > 2 or node.value.base is not None
        if node.params is not LENT and shared:
            node.value = np.array(node.value)
        node.params = LENT
        return node.value
    view = np.asarray(node.value).view()
    view.flags.writeable = False
    return view


def settle(node: Node) -> None:
    """Before a lent array enters a graph: if the user still holds it, lock it and go on with a
    copy."""
    values_of([node])


def values_of(nodes: Iterable[Node]) -> list[Any]:
    """What nodes hold, for a graph that they enter: what is lent is settled first."""
    found = []
    for node in nodes:
        if node.params is LENT:
            if sys.getrefcount(node.value) > 2:
                node.value.flags.writeable = False
                node.value = node.value.copy()
            node.params = None
        found.append(node.value)
    return found


def assign(node: Node, new: Any, time: int) -> None:
    """Give a leaf new data at this time in the order of creation. Older graphs that need the old
    refuse."""
    assign_all([node], [new], time)


def assign_all(nodes: Sequence[Node], new: Sequence[Any], time: int,
               *others: Iterable[Any]) -> None:
    """Give leaves new data together: all of them or, if it is refused or interrupted, none.

    `others` are changes that go with it: see `at_once`.
    """
    arrays = [fitted(node, x) for node, x in zip(nodes, new)]
    params = [node.params if x is node.value else None for node, x in zip(nodes, arrays)]
    at_once(change(nodes, "value", arrays), change(nodes, "params", params),
            change(nodes, "order", repeat(time)), *others)


def fitted(node: Node, new: Any) -> Any:
    """New data as a leaf keeps it: in its shape and type, an array of its own."""
    if not node.is_leaf:
        raise GradientError(f"{describe(node)} is computed: its data cannot be assigned",
                            fix="Assign the data of a leaf, or make a new one from .detach()")
    if np.shape(new) != np.shape(node.value):
        raise ShapeError(f"{describe(node)} holds shape {np.shape(node.value)}, "
                         f"got data of shape {np.shape(new)}")
    if node.is_scalar:
        return float(new)
    return new if new is node.value else np.array(new, node.value.dtype, order="C")


def change(things: Iterable[Any], attribute: str, values: Iterable[Any]) -> Iterator[None]:
    """Set an attribute of each thing, as far as the result is read."""
    return map(setattr, things, repeat(attribute), values)


def at_once(*changes: Iterable[Any]) -> None:
    """Make changes that are wholly made or not at all. Python lets an interrupt in between two
    instructions of its own, and this is one: the iterators must run in C, as those of `change`."""
    any(chain(*changes))  # goes to the end: `setattr` gives None
