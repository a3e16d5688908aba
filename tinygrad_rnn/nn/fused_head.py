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
from ..core.parts import Part
from ..core.timeline import column, mark, times_of
from .fused import plain_values, record


def rows(a: Any) -> Any:
    """(..., n) -> (N, n)."""
    n = a.shape[-1]
    return a.reshape(a.size // n, n)


def times(a: Any, W: Any) -> Any:
    """(T, ..., n) times (n, m) as one product: NumPy makes T of it otherwise."""
    return np.dot(rows(a), W).reshape(*a.shape[:-1], W.shape[1])


# --- the head -----------------------------------------------------------------------------------


def _affine(x: Any, W: Any, b: Any = None, *, span: range) -> Any:
    y = times(x, W.T)
    return y if b is None else np.add(y, b, y) if y.dtype is b.dtype else y + b


def _affine_rule(g: Any, y: Any, x: Any, W: Any, *b: Any, span: range) -> list[Any]:
    if isinstance(g, Node):
        return [g @ W, ops.outer_sum(g, x), *(g for _ in b)]  # the engine sums g to the shape of b
    flat = rows(g)
    return [np.dot(flat, W).reshape(x.shape), np.dot(flat.T, rows(x)),
            *(np.add.reduce(flat, 0) for _ in b)]


def _affine_parts(g: Any, y: Any, x: Any, W: Any, *b: Any, span: range) -> list[Any]:
    backwards = range(len(span) - 1, -1, -1)
    return [None, [Part(span[t], g[t], x[t], op="linear") for t in backwards],
            *([Part(span[t], g[t], op="+") for t in backwards] for _ in b)]


AFFINE = Op("linear", array=_affine, rules=(_affine_rule,), joint=True, parts=_affine_parts,
            doc="y_t = W x_t + b for all steps of a sequence in one node.")


def affine(x: Any, W: Any, b: Any, span: range) -> Any:
    """y_t = W x_t + b at all steps that x (T, ..., I) covers: (T, ..., O)."""
    operands = [x, W] if b is None else [x, W, b]
    values = plain_values(operands)
    y = record(AFFINE, _affine(*values, span=span), operands, values, span,
               {"span": span})
    times = times_of(x)
    return mark(y, times if np.ndim(times) == y.value.ndim else column(span, y.value.ndim))


# --- softmax cross-entropy ------------------------------------------------------------------------


class Softmax:
    """L_t = weight * the sum over the samples of -log softmax(y_t)[target_t], for all t.

    Keeps exp(y - max y) and its sum, from which the gradient p - onehot is one product.
    """

    def __init__(self, targets: Any, weight: float) -> None:
        self.targets, self.weight = targets, weight
        self.at = self.exp = self.sum = np.zeros(0)

    def value(self, y: Any) -> Any:
        """L_t at every step: (T, ..., O) -> (T,)."""
        flat = rows(y)
        low = np.subtract(flat, np.maximum.reduce(flat, 1, keepdims=True))
        self.at = np.arange(0, low.size, low.shape[1])  # where each row begins, and then its class
        self.at += self.targets.reshape(-1)
        costs = low.reshape(-1)[self.at]
        self.exp = np.exp(low, low)
        self.sum = np.add.reduce(low, 1)
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
             rules=(lambda g, y, x, loss: loss.rule(g, x),),
             doc="The softmax cross-entropy of each step, (T,), as one node.")


def softmax_losses(y: Any, targets: Any, weight: float, span: range) -> Any:
    """L_t for all steps that y (T, ..., O) covers; `targets` are classes (T, ...)."""
    if targets.dtype != np.int64 or not targets.size \
            or np.maximum.reduce(targets.view(np.uint64), None) >= y.value.shape[-1]:
        checked(targets, y.shape[-1], "cross_entropy")  # has the words
    loss = Softmax(targets.copy(), weight)
    return record(SOFTMAX, loss.value(y.value), [y], [y.value], span, {"loss": loss})
