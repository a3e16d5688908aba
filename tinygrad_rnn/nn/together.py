"""A head and a loss for all steps of a sequence in one product each, and a node for every step.

The question this file answers: *what does y_t = W h_t + b cost, if all h_t are known?*

The nodes are those that `Linear` and `cross_entropy` make step by step: W h_t, + b, the cost of the
samples, their mean. How they get past T of them on the way back: see `core.together`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import ops, per_sample
from ..core.freeing import unsearched
from ..core.graph import constant
from ..core.inplace import LENT, settle
from ..core.ops import all_rows
from ..core.reductions import sum_of
from ..core.taken import taker
from ..core.timeline import Sequence, mark, rows, times_of
from ..core.together import (
    Account,
    Passed,
    Use,
    each_times,
    join_nodes,
    lean,
    plain_tensors,
    send,
    step_place,
    steps_of,
    untouched,
    way_past,
)
from ..core.totals import Totals
from ..core.values import Tensor


def steps_joined(x: Any) -> list[tuple[int, Any]] | None:
    """(step, its node) of a sequence as a layer joined it, if all can be dealt with together."""
    if type(x) is not Sequence or x.op is not ops.stack or (x.params or {}).get("axis") != 0 \
            or x.hooks:
        return None
    steps, times = steps_of(x), rows(x)
    if times is None or len({*steps, None}) != len(times) + 1 or not plain_tensors(steps):
        return None
    return list(zip(times, steps))


# --- the head -------------------------------------------------------------------------------------


@unsearched
def heads(x: Any, W: Any, b: Any, name: str | None) -> Any:
    """The sequence y (T, ..., O) of y_t = W x_t + b; None if it has to be made step by step."""
    steps = steps_joined(x)
    weights = [W] if b is None else [W, b]
    if steps is None or any(type(w) is not Tensor or w.op is constant or w.dtype != x.dtype
                            for w in weights):
        return None
    for w in weights:
        if w.params is LENT:
            settle(w)
    V, shape = W.value, (*x.shape[:-1], W.shape[0])
    y = np.dot(all_rows(x.value), V.T).reshape(shape)
    if b is not None:
        np.add(y, b.value, y)
    found, start = [], taker(x)
    for (step, h), row in zip(steps, y):
        node = lean(ops.linear, h, W, step_place(start, step, h.at))
        node.u, node.v = h.value, V
        if b is not None:
            node = lean(ops.add, node, b, node.at)
            node.v = b.value
        node.value = row
        node.name = name
        found.append(node)
    past = PastHeads(x, [h for _, h in steps], weights)
    return mark(join_nodes(ops.stack, found, y, {"axis": 0}, past), times_of(x))


class PastHeads:
    """From dL/dy of all steps to dL/dh of all steps, and to W and b."""

    __slots__ = ("further", "leaves", "steps", "values", "x")

    def __init__(self, x: Any, steps: list[Any], weights: list[Any]) -> None:
        self.steps, self.x, self.further = steps, x.value, way_past(x)
        self.leaves, self.values = weights, [w.value for w in weights]

    def clear(self, joined: Any) -> bool:
        """Of all y_t and, where a b was added, all W h_t."""
        return untouched(joined) and (len(self.leaves) < 2 or untouched([y.a for y in joined]))

    def back(self, g: Any, arriving: Totals) -> None:
        """A product for dL/dh_t, one for dL/dW, and a sum for dL/db."""
        d, (W, *b) = all_rows(g), self.leaves
        arriving.use(ops.linear, W, d, all_rows(self.x))
        if b:
            arriving.give(b[0], np.add.reduce(d, 0))
        send(self.steps, self.further, np.dot(d, self.values[0]).reshape(self.x.shape), arriving)

    def newest(self, joined: Any) -> Any:
        return joined[-1]

    def oldest(self, joined: Any) -> Any:
        """W h_t of the first step, if every h_t wants a gradient."""
        if any(x.op is constant for x in self.steps):
            return None
        return joined[0] if len(self.leaves) < 2 else joined[0].a

    def account(self, joined: Any, g: Any) -> Iterator[Account]:
        """The same, with a product for every step."""
        (W, *b), nodes, d, kinds = self.leaves, joined[::-1], g[::-1], list[Passed]()
        for leaf in b:
            kinds.append(Passed(nodes, d, (d, Use(leaf, d))))
            nodes = [n.a for n in nodes]
        to_x = each_times(d, self.values[0])
        yield Account([*kinds, Passed(nodes, d, (to_x, Use(W, d, self.x[::-1])))], to_x[::-1])


# --- the loss -------------------------------------------------------------------------------------


@unsearched
def softmax_costs(y: Any, targets: Any, mean: bool) -> Any:
    """L, the sum of the L_t of a sequence y (T, ..., O) and its classes (T, ...), each L_t the mean
    over the samples, or their sum; None if they have to be made step by step."""
    steps = steps_joined(y)
    if steps is None or any(x.op is constant for _, x in steps) \
            or not isinstance(targets, np.ndarray) or targets.dtype.kind not in "iu" \
            or targets.shape != y.shape[:-1] or not targets.size \
            or np.minimum.reduce(targets, None) < 0 \
            or np.maximum.reduce(targets, None) >= y.shape[-1]:
        return None
    T, samples = len(targets), targets.shape[1:]
    n = math.prod(samples) if mean else 1
    targets = targets.copy()
    softmax = Softmax(y.value, targets, 1.0 / n)
    costs = softmax.costs
    sums = np.add.reduce(costs.reshape(T, -1), 1) if samples else costs
    found, start, params = [], taker(y), {"axis": y.ndim - 2}
    for t, (step, logits) in enumerate(steps):
        node = lean(per_sample.class_cross_entropy, logits, None,
                    step_place(start, step, logits.at))
        node.u, node.v, node.params, value = logits.value, targets[t, ...], params, sums[t]
        if samples:
            node = lean(ops.sum_, node, None, node.at)
            node.v = None
        if n > 1:
            node.value = value
            node = lean(ops.mul, node, None, node.at)
            node.u, node.v, value = value, 1.0 / n, value * (1.0 / n)
        node.value = value
        node.name = "L"
        found.append(node)
    values = [x.value for x in found]
    return join_nodes(sum_of, found, sum(values[1:], values[0]),
                      past=PastCosts(y, [x for _, x in steps], softmax))


class Softmax:
    """What each sample costs, -log softmax(y)[target], and the slope of that times `weight`."""

    def __init__(self, y: Any, targets: Any, weight: float) -> None:
        logits = all_rows(y)
        low = np.subtract(logits, np.maximum.reduce(logits, 1, keepdims=True))
        self.weight, self.at = weight, (np.arange(len(low)), targets.reshape(-1))
        costs = low[self.at]
        self.exp = np.exp(low, low)
        self.sum = np.add.reduce(low, 1)
        self.costs = np.subtract(np.log(self.sum), costs, costs).reshape(targets.shape)

    def slopes_of(self, g: Any) -> Any:
        """g (softmax(y) - onehot), where a g of its own arrives at each sample: as the rule of the
        cross-entropy has it."""
        found = np.divide(self.exp, self.sum[:, None])
        found[self.at] -= 1
        return np.multiply(found, g.reshape(-1, 1), found)

    def slopes(self, g: Any) -> Any:
        """g weight (softmax(y) - onehot), (N, O)."""
        each = np.multiply(g, self.weight)
        found = np.multiply(self.exp, np.divide(each, self.sum)[:, None])
        found[self.at] -= each
        return found


class PastCosts:
    """From dL to dL/dy of all steps: softmax(y_t) - onehot."""

    __slots__ = ("further", "leaves", "shape", "softmax", "steps", "values")

    def __init__(self, y: Any, steps: list[Any], softmax: Softmax) -> None:
        self.steps, self.shape, self.further = steps, y.shape, way_past(y)
        self.leaves: tuple[Any, ...] = ()
        self.values: tuple[Any, ...] = ()
        self.softmax = softmax

    def clear(self, joined: Any) -> bool:
        """Of all L_t, and what stands between them and y_t."""
        while untouched(joined):
            joined = [x.a for x in joined]
            if joined[0] is self.steps[0]:
                return True
        return False

    def back(self, g: Any, arriving: Totals) -> None:
        """One array for all steps."""
        send(self.steps, self.further, self.softmax.slopes(g).reshape(self.shape), arriving)

    def newest(self, joined: Any) -> Any:
        return joined[-1]

    def oldest(self, joined: Any) -> Any:
        """What the samples cost at the first step."""
        node = joined[0]
        while node.a is not self.steps[0]:
            node = node.a
        return node

    def account(self, joined: Any, g: Any) -> Iterator[Account]:
        """The same from node to node: g to the sum of the costs, from there to each of them."""
        nodes, g, kinds = joined[::-1], g[::-1], list[Passed]()
        if nodes[0].op is ops.mul:
            scaled = np.multiply(g, self.softmax.weight)
            kinds.append(Passed(nodes, g, (scaled,)))
            nodes, g = [n.a for n in nodes], scaled
        if nodes[0].op is ops.sum_:
            each = np.empty(self.shape[:-1], g.dtype)
            each.T[...] = g
            kinds.append(Passed(nodes, g, (each,)))
            nodes, g = [n.a for n in nodes], each
        to_y = self.softmax.slopes_of(g[::-1]).reshape(self.shape)
        yield Account([*kinds, Passed(nodes, g, (to_y[::-1],))], to_y)
