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
from ..core.functions import softmax_
from ..core.graph import Node, Op
from ..core.inplace import values_of
from ..core.parts import Part
from ..core.per_sample import checked, one_hot
from ..core.place import here
from ..core.timeline import column, times_of
from ..core.totals import Totals, ones
from .fused_compiled import few
from .fused_node import of_one, record
from .fused_rnn import LAID_OUT, begins, total, weighted

FEW = 64  # classes that are looked at one by one: below, a reduction takes longer
FAR = 60  # entries: exp of their difference, and the sum of many, is still a number in float32


def rows(a: Any) -> Any:
    """(..., n) -> (N, n)."""
    return a.reshape(-1, a.shape[-1])


def by_rows(f: Any, a: Any, v: Any) -> Any:
    """f of (N, n) and of one number for each row, (N,). Of few numbers it takes less time to lay
    each out along its row first."""
    if a.size > LAID_OUT or a.dtype is not v.dtype:
        return f(a, v[:, None])
    laid = v.repeat(a.shape[1]).reshape(a.shape)
    return f(a, laid, laid)


# --- the head -----------------------------------------------------------------------------------


def _affine(x: Any, W: Any, b: Any = None, *, span: range, loops: Any = None) -> Any:
    if loops is not None:
        y = np.empty((x.size // x.shape[-1], len(W)), x.dtype)
        loops.head_ahead(rows(x), W, b, y)
        return y.reshape(x.shape[:-1] + W.shape[:1])
    flat = rows(x)  # as one product: of three axes NumPy makes T of it
    if b is None:
        y = flat.dot(W.T)
    elif flat.dtype is W.dtype is b.dtype:
        y = np.empty((len(flat), len(W)), b.dtype)
        weighted(flat, W, b, y)
    else:
        y = flat.dot(W.T) + b
    return y if x.ndim == 2 else y.reshape(x.shape[:-1] + W.shape[:1])


def _affine_rule(g: Any, y: Any, x: Any, W: Any, *b: Any, span: range,
                 loops: Any = None) -> list[Any]:
    if isinstance(g, Node):
        return [g @ W, ops.outer_sum(g, x), *(g for _ in b)]  # the engine sums g to the shape of b
    return [*shares(g, x, W, loops)][:2 + len(b)]


def _affine_parts(g: Any, y: Any, x: Any, W: Any, *b: Any, span: range,
                  loops: Any = None) -> list[Any]:
    backwards = range(len(span) - 1, -1, -1)
    return [None, [Part(span[t], g[t], x[t], op="linear") for t in backwards],
            *([Part(span[t], g[t], op="+") for t in backwards] for _ in b)]


def _affine_sums(node: Any, g: Any, arriving: Totals) -> None:
    arriving.give_all(node, shares(g, node.u, node.v, node.params.get("loops")))


def shares(g: Any, x: Any, W: Any, loops: Any) -> tuple[Any, Any, Any]:
    """What leaves through x, W and b."""
    n, shape = W.shape[0], x.shape
    flat = g.reshape(-1, n)
    if loops is None:
        return flat.dot(W).reshape(shape), flat.T.dot(x.reshape(-1, shape[-1])), total(flat)
    found = np.zeros(x.shape, W.dtype), np.zeros(W.shape, W.dtype), np.zeros(len(W), W.dtype)
    loops.head_back(flat, rows(x), W, rows(found[0]), *found[1:])
    return found


AFFINE = Op("linear", array=_affine, rules=(_affine_rule,), joint=True, sums=_affine_sums,
            parts=_affine_parts, doc="y_t = W x_t + b for all steps of a sequence in one node. "
            "`loops` are the compiled functions, on a compiled layer with few numbers.")


def affine(x: Any, W: Any, b: Any, span: range, name: str | None = None) -> Any:
    """y_t = W x_t + b at all steps that x (T, ..., I) covers: (T, ..., O)."""
    operands = [x, W] if b is None else [x, W, b]
    values = values_of(operands)
    params: dict[str, Any] = {"span": span}
    loops = None
    if x.params is not None and x.params.get("loops") is not None \
            and values[0].dtype is values[1].dtype is values[-1].dtype:
        params["loops"] = loops = few(values[0].size * len(values[1]))
    y, times = _affine(*values, span=span, loops=loops), times_of(x)
    if times is None or times.ndim != y.ndim:
        times = column(span, y.ndim)
    return record(AFFINE, y, operands, values, span, params, name, times)


# --- softmax cross-entropy ------------------------------------------------------------------------


class Softmax:
    """L_t = weight * the sum over the samples of -log softmax(y_t)[target_t], for all t.

    `at` says where the class of each row stands among all the entries of y. With e = exp(y - s),
    keeps their `sum` and e - sum * onehot, `part`: the gradient p - onehot is one by the other.
    Where entries are not far from each other the shift s is y[target], so that -log p is the log of
    the sum; else it is max y.
    """

    __slots__ = ("at", "part", "shape", "sum", "weight")

    def __init__(self, y: Any, classes: Any, weight: float) -> None:
        """`classes` (N,), one for each row of y."""
        self.shape, self.weight = y.shape, weight
        classes = classes.astype(int) if classes.dtype.kind == "u" else classes
        self.at = np.add(begins(len(classes), self.shape[-1]), classes)

    @property
    def targets(self) -> Any:
        """The classes (T, ...), as they were."""
        return (self.at % self.shape[-1]).reshape(self.shape[:-1])

    def target(self, t: int) -> Any:
        """Those of step t alone."""
        n = len(self.at) // self.shape[0]
        return (self.at[t * n : (t + 1) * n] % self.shape[-1]).reshape(self.shape[1:-1])[()]

    def value(self, y: Any) -> Any:
        """L_t at every step: (T, ..., O) -> (T,)."""
        y = y.reshape(-1, self.shape[-1])
        near = y.size and y.itemsize > 2 and y.item(y.argmax()) - y.item(y.argmin()) < FAR
        if near:
            low = by_rows(np.subtract, y, y.ravel()[self.at])
        else:  # or not a number
            low = y - np.maximum.reduce(y, 1, keepdims=True)
            picked = low.ravel()[self.at]
        self.part = np.exp(low, low)
        dtype = low.dtype
        self.sum = total = low.dot(ones(self.shape[-1], dtype))
        costs, flat = np.log(total), low.ravel()  # a view of it
        if near:  # exp(0) is 1
            flat[self.at] = np.subtract(ones((), dtype), total)
        else:
            costs -= picked
            flat[self.at] -= total
        if len(costs) > self.shape[0]:  # the samples of a step
            costs = np.add.reduce(costs.reshape(self.shape[0], -1), 1)
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
        return by_rows(np.multiply, self.part, np.divide(each, self.sum)).reshape(x.shape)


class CompiledSoftmax(Softmax):
    """The same by compiled functions, on a compiled layer with few numbers."""

    __slots__ = ("classes", "loops", "p")

    def __init__(self, y: Any, targets: Any, weight: float, loops: Any) -> None:
        self.shape, self.weight, self.loops = y.shape, weight, loops
        self.classes = targets.copy().reshape(-1)

    @property
    def targets(self) -> Any:
        """The classes (T, ...), as they were."""
        return self.classes.reshape(self.shape[:-1])

    def target(self, t: int) -> Any:
        """Those of step t alone."""
        return self.targets[t]

    def value(self, y: Any) -> Any:
        """L_t at every step; raises `InputError` for a class that is not there."""
        losses, y = np.zeros(len(y), y.dtype), rows(y)
        self.p = np.empty(y.shape, y.dtype)
        if not self.loops.loss_ahead(y, self.classes, self.weight, self.p, losses):
            checked(self.classes, y.shape[1], "cross_entropy")
        return losses

    def rule(self, g: Any, x: Any) -> Any:
        """dL_t/dy_t; of nodes as without a compiler."""
        if isinstance(g, Node):
            return super().rule(g, x)
        found = np.empty(x.shape, x.dtype)
        self.loops.loss_back(np.ascontiguousarray(g), self.classes, self.weight, self.p,
                             rows(found))
        return found


def _softmax_sums(node: Any, g: Any, arriving: Totals) -> None:
    arriving.give(node.a, node.params["loss"].rule(g, node.u))


SOFTMAX = Op("cross entropy", array=lambda y, loss: loss.value(y),
             rules=(lambda g, y, x, loss: [loss.rule(g, x)],), joint=True,
             sums=_softmax_sums,
             doc="The softmax cross-entropy of each step, (T,), as one node.")


def softmax_losses(y: Any, targets: Any, weight: float, span: range) -> Any:
    """L_t for all steps that y (T, ..., O) covers; `targets` are classes (T, ...)."""
    value, loops = y.value, y.params.get("loops") if y.params else None
    kind, classes, n = targets.dtype.kind, targets.reshape(-1), value.shape[-1]
    if loops is not None and kind in "iu":
        loss: Softmax = CompiledSoftmax(value, targets, weight, loops)
    else:
        given = classes.tolist() if len(classes) <= FEW else ()
        if not given or kind not in "iu" or min(given) < 0 or max(given) >= n:
            checked(targets, n, "cross_entropy")
        loss = Softmax(value, classes, weight)
    losses = loss.value(value)
    return of_one(SOFTMAX, losses, y, value, here().over(span), {"loss": loss}, "L")


def summed(losses: Any) -> Any:
    """L, the sum of the L_t in one node."""
    each = losses.value
    L = each.dot(ones(len(each), each.dtype))
    return of_one(ops.sum_, L, losses, each, here(), None, "L")
