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
from ..core.place import switch
from ..core.timeline import column, mark


def rows(a: Any) -> Any:
    """(..., n) -> (N, n)."""
    return a.reshape(a.size // a.shape[-1] if a.size else 0, a.shape[-1])


def times(a: Any, W: Any) -> Any:
    """(T, ..., n) times (n, m) as one product: NumPy makes T of it otherwise."""
    return np.dot(rows(a), W).reshape(*a.shape[:-1], W.shape[1])


# --- the head -----------------------------------------------------------------------------------


def _affine(x: Any, W: Any, b: Any = None, *, span: range) -> Any:
    y = times(x, W.T)
    return y if b is None else np.add(y, b, y if y.dtype == np.result_type(y, b) else None)


def _affine_rule(g: Any, y: Any, x: Any, W: Any, *b: Any, span: range) -> list[Any]:
    to_x = g @ W if isinstance(g, Node) else times(g, W)
    return [to_x, ops.outer_sum(g, x), *(g for _ in b)]  # the engine sums g to the shape of b


def _affine_parts(g: Any, y: Any, x: Any, W: Any, *b: Any, span: range) -> list[Any]:
    backwards = range(len(span) - 1, -1, -1)
    return [None, [Part(span[t], g[t], x[t], op="linear") for t in backwards],
            *([Part(span[t], g[t], op="+") for t in backwards] for _ in b)]


AFFINE = Op("linear", array=_affine, rules=(_affine_rule,), joint=True, parts=_affine_parts,
            doc="y_t = W x_t + b for all steps of a sequence in one node.")


def affine(x: Any, W: Any, b: Any, span: range) -> Any:
    """y_t = W x_t + b at all steps that x (T, ..., I) covers: (T, ..., O)."""
    with switch(step=None, span=span):
        y = AFFINE(x, W, b, span=span)
    return mark(y, column(span, y.ndim))


# --- softmax cross-entropy ------------------------------------------------------------------------


class Softmax:
    """L_t = weight * the sum over the samples of -log softmax(y_t)[target_t], for all t.

    Keeps exp(y - max y) and its sum, from which the gradient p - onehot is one product.
    """

    def __init__(self, targets: Any, weight: float) -> None:
        self.targets, self.weight = targets, weight
        self.at = np.arange(targets.size), targets.reshape(-1)
        self.exp = self.sum = np.zeros(0)

    def value(self, y: Any) -> Any:
        """L_t at every step: (T, ..., O) -> (T,)."""
        flat = rows(y)
        low = np.subtract(flat, np.maximum.reduce(flat, 1, keepdims=True))
        picked = low[self.at]
        self.exp = np.exp(low, low)
        self.sum = np.add.reduce(self.exp, 1)
        costs = np.subtract(np.log(self.sum), picked).reshape(len(y), -1)
        found = np.add.reduce(costs, 1)
        return np.multiply(found, self.weight, found)

    def rule(self, g: Any, x: Any) -> Any:
        """dL_t/dy_t = weight (softmax(y_t) - onehot)."""
        if isinstance(g, Node):
            g = ops.reshape(g, shape=(len(x), *(1,) * (x.ndim - 1)))
            onehot = one_hot(self.targets, x.shape[-1]).astype(x.dtype)
            return g * self.weight * (softmax_(x) - onehot)
        each = np.repeat(np.multiply(g, self.weight), len(self.sum) // max(1, len(g)))
        found = np.multiply(self.exp, np.divide(each, self.sum)[:, None])
        found[self.at] -= each
        return found.reshape(x.shape)


SOFTMAX = Op("cross entropy", array=lambda y, loss: loss.value(y),
             rules=(lambda g, y, x, loss: loss.rule(g, x),),
             doc="The softmax cross-entropy of each step, (T,), as one node.")


def softmax_losses(y: Any, targets: Any, weight: float) -> Any:
    """L_t for all steps that y (T, ..., O) covers; `targets` are classes (T, ...)."""
    checked(targets, y.shape[-1], "cross_entropy")
    return SOFTMAX(y, loss=Softmax(targets.copy(), weight))
