"""What one sample costs: cross-entropies and the squared error, for floats, arrays and nodes.

The question this file answers: *what is a cross-entropy, and what does it send back?*

They are rows like those of `functions`, and as stable. The loss of a sequence is made of them in
`nn.losses`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DTypeError, InputError, ShapeError
from .functions import log_softmax_, log_softmax_value, shaped, softmax_
from .graph import Node
from .ops import Array, either, primitive, sigmoid, spread, sum_
from .reductions import one_axis


def one_hot(classes: Any, size: int, axis: int = -1) -> Any:
    """A plain array, 1.0 at each class and 0.0 elsewhere: (...) -> (..., size), or along `axis`."""
    classes = checked(classes, size, "one_hot")
    rows = np.zeros((*classes.shape, size))  # np.eye(size) would be size² long
    np.put_along_axis(rows, classes[..., None], 1.0, -1)
    return np.moveaxis(rows, -1, axis)


def checked(classes: Any, size: int, where: str) -> Any:
    """Classes as an array of whole numbers, all of them from 0 to size - 1."""
    classes = np.asarray(classes)
    if classes.dtype.kind not in "iu":
        raise DTypeError(f"needs classes as whole numbers, got dtype {classes.dtype}", where=where)
    if classes.size and not 0 <= classes.min() <= classes.max() < size:
        raise InputError(f"classes must lie in 0 .. {size - 1}, got {classes.min()} .. "
                         f"{classes.max()}", where=where)
    return classes


def _class_cross_entropy(x: Array, t: Array, axis: int = -1) -> Array:
    logs = log_softmax_value(x, axis)
    return -logs[at_classes(t, logs.ndim, axis)]


def at_classes(t: Array, ndim: int, axis: int) -> tuple[Any, ...]:
    """The index of the entry of class t in each row along `axis`: x[at_classes(...)] is t's."""
    index: list[Any] = [np.arange(n).reshape(n, *(1,) * (t.ndim - 1 - k))
                        for k, n in enumerate(t.shape)]
    index.insert(axis % ndim, t)
    return tuple(index)


def minus_one_hot(p: Array, t: Array, axis: int) -> Array:
    """p - onehot of the classes t; of a plain array (ours, it is written to) without making the
    one-hot one."""
    if isinstance(p, Node):
        return p - one_hot(t, np.shape(p.value)[axis], axis)
    p[at_classes(t, p.ndim, axis)] -= 1
    return p


def _cross_entropy(x: Array, t: Array, axis: int = -1) -> Array:
    logs = log_softmax_value(x, axis)
    return -np.sum(t * np.where(t == 0, 0, logs), axis)  # 0 log 0 is 0


class_cross_entropy = primitive(
    "cross entropy", _class_cross_entropy, lambda g, y, x, t, axis=-1:
    spread(g, x.shape, axis, False) * minus_one_hot(softmax_(x, axis=axis), t, axis),
    lambda g, y, x, t, axis=-1: 0.0 * t,
    looks="ab", doc="-log softmax(x)[t], for classes t.")
cross_entropy_ = primitive(
    "cross entropy", _cross_entropy,
    lambda g, y, x, t, axis=-1:
    spread(g, x.shape, axis, False)
    * (softmax_(x, axis=axis) * sum_(t, axis=axis, keepdims=True) - t),
    lambda g, y, x, t, axis=-1: spread(g, x.shape, axis, False) * -log_softmax_(x, axis=axis),
    doc="-sum_k t_k log softmax(x)_k, for distributions t.")


def cross_entropy(logits: Array, target: Array, axis: int = -1) -> Array:
    """-log p[target] with p = softmax(logits): what each sample costs. Its gradient is p - one_hot.

    logits (..., O) with the O classes along `axis`; target: classes 0 .. O-1 as whole numbers, of
    shape (...), or a distribution t for each sample, of the shape of the logits: then the cost is
    -sum_k t_k log p_k, and a target that is a node gets its gradient as well. Result: (...).

    Raises ShapeError if the shapes do not fit, InputError for a class that does not exist.
    """
    x, t = shaped(logits), shaped(target)
    if not x.shape:
        raise ShapeError("needs logits with an axis of classes, got a single number",
                         where="cross_entropy")
    axis = one_axis(x, axis)
    if t.shape == x.shape:
        return cross_entropy_(x, t, axis=axis)
    samples = x.shape[:axis] + x.shape[axis + 1:]
    if t.shape != samples:
        raise ShapeError(f"logits {x.shape} need a target of shape {samples} (classes) or "
                         f"{x.shape} (distributions), got {t.shape}", where="cross_entropy")
    checked(t.value if isinstance(t, Node) else t, x.shape[axis], "cross_entropy")
    return class_cross_entropy(x, t, axis=axis)


def _bce(x: float, t: float) -> float:
    return max(x, 0.0) - t * x + math.log1p(math.exp(-abs(x)))


def _bce_array(x: Array, t: Array) -> Array:
    return np.maximum(x, 0) - t * x + np.log1p(np.exp(-np.abs(x)))


binary_cross_entropy_with_logits = primitive(
    "binary cross entropy", either(_bce, _bce_array), lambda g, y, x, t: g * (sigmoid(x) - t),
                                                      lambda g, y, x, t: -g * x,
    doc="-t log p - (1 - t) log(1 - p) with p = sigmoid(x), entry by entry; t between 0 and 1.")
squared_error = primitive(
    "squared error", either(lambda x, t: (x - t) * (x - t), lambda x, t: np.square(x - t)),
    lambda g, y, x, t: g * (2.0 * (x - t)), lambda g, y, x, t: -g * (2.0 * (x - t)),
    doc="(x - t)², entry by entry.")
