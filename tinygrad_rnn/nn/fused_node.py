"""The node of what was computed for all steps at once.

The question this file answers: *how does an array of T steps come into the graph?*

As one node that covers the steps (`Place.span`): a sequence of states or outputs, or the losses
L_t. Its operands' numbers are kept with it, as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.graph import Node, Op, make, rest_of
from ..core.place import Place, here
from ..core.timeline import Sequence as Timed
from ..core.values import Tensor


def record(op: Op, value: Any, nodes: Sequence[Node | None], values: Sequence[Any], span: range,
           params: dict[str, Any], name: str | None = None, times: Any = None) -> Any:
    """The node of a value that was computed for all the steps of a span, from these operands, two
    at least (None for a plain array), and their values; with `times`, as a sequence."""
    place, kind = here().over(span), Tensor if times is None else Timed
    for x in nodes if place.fast else ():
        if x is not None and x.op.wanted:  # nothing to do but record
            node = make(kind, op, value, nodes[0], nodes[1], values[0], values[1], place,
                        rest_of(nodes, values), params, name)
            break
    else:
        node = op.note(kind, place, value, nodes, values, params)
        node.name = name
    if times is not None:
        node.times = times
    for watch in place.watchers:
        watch.node(node, op, tuple([v if x is None else x for x, v in zip(nodes, values)]))
    return node


def of_one(op: Op, value: Any, x: Any, u: Any, place: Place, params: dict[str, Any] | None,
           name: str) -> Any:
    """The node, at this place, of a value that was computed from `u`, the numbers of x, alone."""
    if place.fast and x.op.wanted:
        return make(Tensor, op, value, x, None, u, None, place, None, params, name)
    node = op.note(Tensor, place, value, [x], [u], params or {})
    node.name = name
    for watch in place.watchers:
        watch.node(node, op, (x,))
    return node
