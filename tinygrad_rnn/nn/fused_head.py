"""What stands on top of a fused layer, over all steps at once: the linear head and the loss.

The question this file answers: *what is gained where nobody looks at a single step?*

With the states of all steps in one array, y_t = W h_t + b for all t is one product, and the losses
L_t of all steps are one array (T,). That saves more than the recurrence itself does: see
docs/performance.md. `open_fused` makes the y_t and L_t again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.functions import checked, one_hot, softmax_
from ..core.graph import Node, Op
from ..core.inplace import LENT, settle
from ..core.parts import Part
from ..core.timeline import column, times_of
from ..core.totals import Totals
from .fused import record
from .fused_rnn import begins, total
from .fused_slopes import ones

FEW = 64  # classes that are looked at one by one: below, a reduction takes longer


def rows(a: Any) -> Any:
    """(..., n) -> (N, n)."""
    n = a.shape[-1]
    return a.reshape(a.size // n, n)


# --- the head -----------------------------------------------------------------------------------


def _affine(x: Any, W: Any, b: Any = None, *, span: range) -> Any:
    y = rows(x).dot(W.T)  # as one product: of three axes NumPy makes T of it
    if b is not None:
        y = np.add(y, b, y) if y.dtype is b.dtype else y + b
    return y.reshape(*x.shape[:-1], len(W))


def _affine_rule(g: Any, y: Any, x: Any, W: Any, *b: Any, span: range) -> list[Any]:
    if isinstance(g, Node):
        return [g @ W, ops.outer_sum(g, x), *(g for _ in b)]  # the engine sums g to the shape of b
    flat = rows(g)
    shares = [flat.dot(W).reshape(x.shape), flat.T.dot(rows(x))]
    if b:
        shares.append(total(flat))
    return shares


def _affine_parts(g: Any, y: Any, x: Any, W: Any, *b: Any, span: range) -> list[Any]:
    backwards = range(len(span) - 1, -1, -1)
    return [None, [Part(span[t], g[t], x[t], op="linear") for t in backwards],
            *([Part(span[t], g[t], op="+") for t in backwards] for _ in b)]


def _affine_sums(node: Any, g: Any, arriving: Totals) -> None:
    nodes, b = ((), ()) if node.rest is None else (node.rest.nodes, node.rest.values)
    arriving.give_all((node.a, node.b, *nodes),
                      _affine_rule(g, node.value, node.u, node.v, *b, span=node.at.span))


AFFINE = Op("linear", array=_affine, rules=(_affine_rule,), joint=True, sums=_affine_sums,
            parts=_affine_parts, doc="y_t = W x_t + b for all steps of a sequence in one node.")


def affine(x: Any, W: Any, b: Any, span: range, name: str | None = None) -> Any:
    """y_t = W x_t + b at all steps that x (T, ..., I) covers: (T, ..., O)."""
    operands, values = [x, W] if b is None else [x, W, b], []
    for operand in operands:
        if operand.params is LENT:  # the user may still hold its array
            settle(operand)
        values.append(operand.value)
    y, times = _affine(*values, span=span), times_of(x)
    if times is None or times.ndim != y.ndim:
        times = column(span, y.ndim)
    return record(AFFINE, y, operands, values, span, {"span": span}, name, times)


# --- softmax cross-entropy ------------------------------------------------------------------------


class Softmax:
    """L_t = weight * the sum over the samples of -log softmax(y_t)[target_t], for all t.

    Keeps exp(y - max y) and its sum, from which the gradient p - onehot is one product.
    """

    __slots__ = ("at", "exp", "sum", "targets", "weight")

    def __init__(self, targets: Any, weight: float) -> None:
        self.targets, self.weight = targets, weight

    def value(self, y: Any) -> Any:
        """L_t at every step: (T, ..., O) -> (T,)."""
        low = rows(y)
        low = np.subtract(low, np.maximum.reduce(low, 1, keepdims=True))
        self.at = np.add(begins(*low.shape), self.targets.reshape(-1))  # where its class stands
        costs = low.take(self.at)
        self.exp = np.exp(low, low)
        self.sum = low.dot(ones(low.shape[1], low.dtype))
        np.subtract(np.log(self.sum), costs, costs)
        if len(costs) > len(y):  # the samples of a step
            costs = np.add.reduce(costs.reshape(len(y), -1), 1)
        return costs if self.weight == 1 else np.multiply(costs, self.weight, costs)

    def rule(self, g: Any, x: Any) -> Any:
        """dL_t/dy_t = weight (softmax(y_t) - onehot)."""
        if isinstance(g, Node):
            g = ops.reshape(g, shape=(len(x), *(1,) * (x.ndim - 1)))
            onehot = one_hot(self.targets, x.shape[-1]).astype(x.dtype)
            return g * self.weight * (softmax_(x) - onehot)
        each = g if self.weight == 1 else np.multiply(g, self.weight)
        if len(each) < len(self.sum):  # the samples of a step
            each = np.repeat(each, len(self.sum) // len(each))
        found = np.multiply(self.exp, np.divide(each, self.sum)[:, None])
        found.reshape(-1)[self.at] -= each
        return found.reshape(x.shape)


SOFTMAX = Op("cross entropy", array=lambda y, loss: loss.value(y),
             rules=(lambda g, y, x, loss: [loss.rule(g, x)],), joint=True,
             sums=lambda node, g, arriving: arriving.give(
                 node.a, node.params["loss"].rule(g, node.u)),
             doc="The softmax cross-entropy of each step, (T,), as one node.")


def softmax_losses(y: Any, targets: Any, weight: float, span: range) -> Any:
    """L_t for all steps that y (T, ..., O) covers; `targets` are classes (T, ...)."""
    classes, n = targets.reshape(-1), y.value.shape[-1]
    if classes.size > FEW or classes.dtype.kind not in "iu":
        checked(targets, n, "cross_entropy")
    else:
        found = classes.tolist()
        if min(found) < 0 or max(found) >= n:
            checked(targets, n, "cross_entropy")  # has the words
    loss = Softmax(targets.copy(), weight)
    return record(SOFTMAX, loss.value(y.value), [y], [y.value], span, {"loss": loss}, "L")
