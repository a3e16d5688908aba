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
from ..core.graph import Node, Op, constant, make
from ..core.parts import Part
from ..core.place import here
from ..core.timeline import column, times_of
from ..core.totals import Totals
from ..core.values import Tensor
from .fused_node import plain_values, record
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
    return y if x.ndim == 2 else y.reshape(x.shape[:-1] + W.shape[:1])


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
    flat, x, W = rows(g), node.u, node.v
    arriving.give_all((node.a, node.b), (flat.dot(W).reshape(x.shape), flat.T.dot(rows(x))))
    if node.rest is not None:
        arriving.give_all(node.rest.nodes, (total(flat),))


AFFINE = Op("linear", array=_affine, rules=(_affine_rule,), joint=True, sums=_affine_sums,
            parts=_affine_parts, doc="y_t = W x_t + b for all steps of a sequence in one node.")


def affine(x: Any, W: Any, b: Any, span: range, name: str | None = None) -> Any:
    """y_t = W x_t + b at all steps that x (T, ..., I) covers: (T, ..., O)."""
    operands = [x, W] if b is None else [x, W, b]
    values = plain_values(operands)
    y, times = _affine(*values, span=span), times_of(x)
    if times is None or times.ndim != y.ndim:
        times = column(span, y.ndim)
    return record(AFFINE, y, operands, values, span, {"span": span}, name, times)


# --- softmax cross-entropy ------------------------------------------------------------------------


class Softmax:
    """L_t = weight * the sum over the samples of -log softmax(y_t)[target_t], for all t.

    `at` says where the class of each row stands among all the entries of y. Keeps exp(y - max y)
    and its sum, from which the gradient p - onehot is one product.
    """

    __slots__ = ("at", "exp", "shape", "sum", "weight")

    def __init__(self, y: Any, targets: Any, weight: float) -> None:
        self.shape, self.weight = y.shape, weight
        classes = targets.reshape(-1)
        classes = classes.astype(int) if classes.dtype.kind == "u" else classes
        self.at = np.add(begins(len(classes), y.shape[-1]), classes)

    @property
    def targets(self) -> Any:
        """The classes (T, ...), as they were."""
        return (self.at % self.shape[-1]).reshape(self.shape[:-1])

    def value(self, y: Any) -> Any:
        """L_t at every step: (T, ..., O) -> (T,)."""
        low = rows(y)
        low = np.subtract(low, np.maximum.reduce(low, 1, keepdims=True))
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
    value, n = y.value, y.value.shape[-1]
    few = targets.reshape(-1).tolist() if targets.size <= FEW else ()
    if not few or targets.dtype.kind not in "iu" or min(few) < 0 or max(few) >= n:
        checked(targets, n, "cross_entropy")
    loss = Softmax(value, targets, weight)
    return record(SOFTMAX, loss.value(value), [y], [value], span, {"loss": loss}, "L")


def summed(losses: Any) -> Any:
    """L, the sum of the L_t in one node."""
    place, each = here(), losses.value
    if place.fast and losses.op is not constant:
        L = make(Tensor, ops.sum_, each.dot(ones(len(each), each.dtype)), losses, None, each, None,
                 place)
    else:
        L = ops.sum_(losses)
    L.name = "L"
    return L
