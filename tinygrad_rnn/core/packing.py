"""Arguments and results of a function that is run again later.

The question this file answers: *what has to be kept so that a function can be called again as it
was?*

Its arguments as they were, nodes as they are; and its results in one node, since a node has one
value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from . import ops
from .graph import Node
from .words import describe


def own(x: Any) -> Any:
    """Arguments as they are now: arrays are copied, also those in lists, tuples and dicts."""
    if isinstance(x, np.ndarray):
        return x.copy()
    if isinstance(x, dict):
        return {key: own(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        items = [own(item) for item in x]
        return x._make(items) if hasattr(x, "_make") else type(x)(items)
    return x


def replaced(x: Any, other: Callable[[Any], Any]) -> Any:
    """Arguments with other nodes in the places of the nodes."""
    if isinstance(x, dict):
        return {key: replaced(value, other) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        items = [replaced(item, other) for item in x]
        return x._make(items) if hasattr(x, "_make") else type(x)(items)
    return other(x) if isinstance(x, Node) else x


def nodes_in(items: list[Any]) -> list[Node]:
    """The nodes among arguments, also those in lists, tuples and dicts."""
    for item in items:  # the list grows while we read it
        if isinstance(item, (list, tuple, dict)):
            items.extend(item.values() if isinstance(item, dict) else item)
    return [item for item in items if isinstance(item, Node)]


def pack(returned: Any) -> Any:
    """Several tensors as one, end to end: a node has one value. One node is itself."""
    if not isinstance(returned, (tuple, list)):
        return returned
    for x in returned:
        if not isinstance(x, Node) or x.is_scalar or x.value.dtype != returned[0].value.dtype:
            what = describe(x) if isinstance(x, Node) else f"a {type(x).__name__}"
            raise UnsupportedError("several results must be tensors of one dtype, and among them "
                                   f"is {what}", where="checkpoint",
                                   fix="Return one node, or convert with .astype()")
    flat = [ops.reshape(x, shape=(-1,)) for x in returned]
    return ops.concatenate(*flat, axis=0) if flat else returned


def unpack(packed: Any, returned: Any) -> Any:
    """The tensors in `packed`, with the shapes, names and places of those that `f` returned."""
    results, start = [], 0
    for x in returned:
        part = ops.getitem(packed, index=slice(start, start + x.value.size))
        y = ops.reshape(part, shape=x.value.shape)
        part.at, y.at, y.name = x.at, x.at, x.name
        start += x.value.size
        results.append(y)
    return returned._make(results) if hasattr(returned, "_make") else type(returned)(results)
