"""What leaves through one use of an operand in place of what should: one function for each mistake.

The question this file answers: *what exactly is wrong in each?*

A `bend` is told of one use, `use.right` is what should leave, and it returns what does. It may ask
the graph what is carried from step to step; it knows nothing of any network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import ops
from ..core.backprop import fit
from ..core.graph import leaf
from .carried import Graph, Use


def nothing(c: Any) -> Any:
    """Zero, in the shape of a contribution."""
    return 0.0 * c


def overwritten(graph: Graph, use: Use) -> Any:
    """`dW = ...` in the loop: the use that is served last is all that is left."""
    node, position = graph.uses[use.x][-1]
    kept = use.x.op is not leaf or use.node is node and use.position == position
    return use.right if kept else nothing(use.right)


def no_dh_next(graph: Graph, use: Use) -> Any:
    """dh_t = (from above), where it should be (from above) + (from the future). An LSTM's c stays
    right."""
    lost = graph.carried(use.node, use.x) and (use.x.name != "c" or len(graph.states) == 1)
    return nothing(use.right) if lost else use.right


def no_dc_next(graph: Graph, use: Use) -> Any:
    """The same for the cell state of an LSTM."""
    return nothing(use.right) if graph.carried(use.node, use.x) and use.x.name == "c" else use.right


def cut_short(graph: Graph, use: Use) -> Any:
    """The gradient ends in the middle of the sequence, for instance at a forgotten `.detach()`."""
    steps = {use.x.step, use.node.step}
    cut = graph.carried(use.node, use.x) and steps == {graph.last, graph.last + 1}
    return nothing(use.right) if cut else use.right


def no_slope(*some: Any) -> Callable[[Graph, Use], Any]:
    """dz = dh, where it should be dh * φ'(z)."""
    return lambda graph, use: fit(use.g, use.node.values[0]) if use.node.op in some else use.right


def later_state(graph: Graph, use: Use) -> Any:
    """δ_t h_tᵀ, where it should be δ_t h_{t-1}ᵀ."""
    node, position = use.node, use.position
    if use.x.op is not leaf or node.arity != 2 or node.op.variadic or node.op.joint:
        return use.right
    state = graph.following(node, 1 - position)
    if state is None:
        return use.right
    values = list(node.values)
    values[1 - position] = state.value
    c = node.op.rules[position](use.g, node.value, *values, **node.params or {})
    return fit(c, values[position])


def averaged_over_time(graph: Graph, use: Use) -> Any:
    """The contributions of a weight divided by the number of steps: a mean, where it is a sum."""
    return use.right / graph.steps(use.x) if use.x.op is leaf else use.right


def averaged_over_batch(graph: Graph, use: Use) -> Any:
    """The contributions of a weight divided by the size of the batch."""
    return use.right / batch(use) if use.x.op is leaf else use.right


def batch(use: Use) -> int:
    """Over how many rows a contribution was summed."""
    summed = use.node.op.late is not None and use.position == 1
    rows = np.shape(use.g)[:-1]
    x = use.node.values[use.position]
    return int(np.prod(rows)) if summed or np.shape(use.g) != np.shape(x) else 1


def first_row_only(graph: Graph, use: Use) -> Any:
    """The gradient of a bias taken from one sample, where it should be summed over the batch."""
    x = use.node.values[use.position]
    if use.x.op is not leaf or use.node.op.joint or np.shape(use.g) == np.shape(x):
        return use.right
    if use.node.op not in (ops.add, ops.sub, ops.mul, ops.div):
        return use.right
    c = np.asarray(use.node.op.rules[use.position](use.g, use.node.value, *use.node.values))
    c = c[(0,) * (c.ndim - np.ndim(x))]
    thin = tuple(slice(0, 1) if n == 1 else slice(None) for n in np.shape(x))
    return c[thin].copy() if np.ndim(x) else float(c)


def transposed(graph: Graph, use: Use) -> Any:
    """W δ, where it should be Wᵀ δ. The shapes fit only for a square W, and so nobody complains."""
    node = use.node
    if node.op not in (ops.linear, ops.matmul) or use.position != 0:
        return use.right
    W = node.values[1]
    if np.ndim(W) != 2 or W.shape[0] != W.shape[1] or np.shape(node.values[0])[-1] != len(W):
        return use.right
    return use.g @ (W.T if node.op is ops.linear else W)


def wrong_sign(graph: Graph, use: Use) -> Any:
    """dL/dy = target - y, where it should be y - target."""
    return -use.right if use.node in set(graph.roots) else use.right


def shifted_slice(graph: Graph, use: Use) -> Any:
    """The gradient of the first gate is written where that of the second belongs."""
    slices = graph.gates.get(use.x)
    if use.node.op is not ops.getitem or not slices:
        return use.right
    if (use.node.params or {})["index"] != slices[0]:
        return use.right
    return ops.scatter(use.g, index=slices[1], shape=use.x.value.shape)


def copied_bias(graph: Graph, use: Use) -> Any:
    """The bias of the second gate gets the gradient of the first one."""
    slices = graph.gates.get(use.node)
    if not slices or use.x.op is not leaf or np.ndim(use.x.value) != 1:
        return use.right
    c = np.array(use.right)
    first, second = (index[-1] if isinstance(index, tuple) else index for index in slices[:2])
    c[second] = use.right[first]
    return c


def right(graph: Graph, use: Use) -> Any:
    """What should leave."""
    return use.right
