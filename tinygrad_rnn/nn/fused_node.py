"""The node of what was computed for all steps at once.

The question this file answers: *how does an array of T steps come into the graph?*

As one node that covers the steps (`Place.span`): a sequence of states or outputs, or the losses
L_t. Its operands' numbers are kept with it, as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.graph import Node, Op
from ..core.inplace import LENT, settle
from ..core.place import here
from ..core.timeline import Sequence as Timed
from ..core.values import Tensor


def record(op: Op, value: Any, nodes: Sequence[Node | None], values: Sequence[Any], span: range,
           params: dict[str, Any], name: str | None = None, times: Any = None) -> Any:
    """The node of a value that was computed for all the steps of a span, from these operands (None
    for a plain array) and their values; with `times`, as a sequence."""
    place = here().over(span)
    node = op.note(Tensor if times is None else Timed, place, value, nodes, values, params)
    node.name = name
    if times is not None:
        node.times = times
    for watch in place.watchers:
        watch.node(node, op, tuple([v if x is None else x for x, v in zip(nodes, values)]))
    return node


def plain_values(operands: Sequence[Any]) -> list[Any]:
    """The numbers of operands, as they are now."""
    values: list[Any] = []
    for x in operands:
        if type(x) is np.ndarray:
            values.append(x)
            continue
        if x.params is LENT:  # the user may still hold its array
            settle(x)
        values.append(x.value)
    return values
