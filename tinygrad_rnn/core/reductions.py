"""Reductions: sums, means, extremes, products, and their running forms.

The question this file answers: *what does one entry contribute to a total?*

`axis` is a number, a tuple, or None for all axes, and `keepdims=True` keeps the reduced axes with
size 1, as everywhere in NumPy.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..errors import DTypeError, InputError, ShapeError, UnsupportedError
from .graph import Op
from .ops import (
    Array,
    concatenate,
    either,
    getitem,
    primitive,
    reshape,
    spread,
    sqrt,
    sum_,
    transpose,
)

Axis = Any  # an axis, a tuple of axes, or None for all

# --- which axes -----------------------------------------------------------------------------------


def axes_of(x: Array, axis: Axis) -> tuple[int, ...]:
    """The axes that `axis` means, counted from the front; one that is not there is an AxisError."""
    if axis is None:
        return tuple(range(x.ndim))
    given = [number(a) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]
    for a in given:
        if not -x.ndim <= a < x.ndim:
            raise NoAxis(a, x.shape)
    found = tuple(a % x.ndim for a in given)
    if len(set(found)) != len(found):
        raise InputError(f"axis {axis} names an axis twice")
    return found


def one_axis(x: Array, axis: int) -> int:
    """A single axis, counted from the front."""
    return axes_of(x, number(axis))[0]


def number(axis: Any) -> int:
    """The number of an axis, or an error that says what one is."""
    try:
        return operator.index(axis)
    except TypeError:
        raise DTypeError(f"expected a whole number as axis, got {axis!r}") from None


class NoAxis(ShapeError, np.exceptions.AxisError):
    """An axis that an array does not have; NumPy's error as well."""

    def __init__(self, axis: int, shape: tuple[int, ...]) -> None:
        super().__init__(f"axis {axis} is out of bounds for an array of shape {shape}",
                         fix=f"Its axes are 0 to {len(shape) - 1}, or -1 for the last" if shape
                         else "A single number has no axis")
        self.axis, self.ndim = axis, len(shape)

    def __str__(self) -> str:
        return f"{self.problem}. {self.fix}"


def count(x: Array, axis: Axis) -> int:
    """How many entries meet in one entry of a reduction over `axis`."""
    return math.prod(x.shape[a] for a in axes_of(x, axis))


def kept_shape(x: Array, gone: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of x with size 1 where an axis is reduced."""
    return tuple(1 if i in gone else n for i, n in enumerate(x.shape))


def cut(axis: int, *span: int | None) -> tuple[slice, ...]:
    """The index that takes `slice(*span)` along one axis and everything along those before it."""
    return (slice(None),) * axis + (slice(*span),)


def back(x: Array, axis: int) -> Array:
    """x in reverse order along an axis."""
    return getitem(x, index=cut(axis, None, None, -1))


# --- sums -----------------------------------------------------------------------------------------

# entry i is in every total from i on
# the sum of any number of terms: one op, where a chain of + would be as long as the sequence
sum_of = primitive("Σ", either(lambda *xs: float(sum(xs)), lambda *xs: sum(xs[1:], xs[0])),
                   lambda g, y, *xs: [g] * len(xs), joint=True)
cumsum: Op = primitive("cumsum", np.cumsum,
                   lambda g, y, x, axis: back(cumsum(back(g, axis), axis=axis), axis))


def total(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """The sum over `axis`."""
    return sum_(x, axis=None if axis is None else axes_of(x, axis), keepdims=keepdims)


def mean(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """The sum over `axis`, divided by how many there are."""
    return total(x, axis, keepdims=keepdims) / count(x, axis)


def average(x: Array, axis: Axis = None, weights: Array = None, *, keepdims: bool = False) -> Array:
    """The weighted mean, sum(w x) / sum(w); the weights have the shape of x."""
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    if np.shape(weights) != np.shape(x):
        raise UnsupportedError(f"np.average needs weights of the shape of x, {np.shape(x)}, got "
                               f"{np.shape(weights)}", fix="np.broadcast_to makes them so")
    return total(x * weights, axis, keepdims=keepdims) / total(weights, axis, keepdims=keepdims)


def var(x: Array, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Array:
    """The mean squared distance from the mean; `ddof` is taken from the count it is divided by."""
    away = x - mean(x, axis, keepdims=True)
    return total(away * away, axis, keepdims=keepdims) / (count(x, axis) - ddof)


def std(x: Array, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Array:
    """The root of the variance. Where all entries are equal it has no slope, and sends back nan."""
    return sqrt(var(x, axis, ddof=ddof, keepdims=keepdims))


def running_total(x: Array, axis: int | None = None) -> Array:
    """np.cumsum: of the flattened x, if no axis is given."""
    x, axis = flattened(x, axis)
    return cumsum(x, axis=axis)


def flattened(x: Array, axis: int | None) -> tuple[Array, int]:
    """What `axis=None` means to functions along one axis: all entries in a row."""
    if axis is None:
        return reshape(x, shape=(x.size,)), 0
    return x, one_axis(x, axis)


# --- extremes -------------------------------------------------------------------------------------


def _share(g: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    # nan is the extreme wherever there is one
    hit = (x == spread(y, x.shape, axis, keepdims)) | (x != x)
    return spread(g, x.shape, axis, keepdims) * (hit / np.sum(hit, axis=axis, keepdims=True))


largest = primitive("amax", np.max, _share)
smallest = primitive("amin", np.min, _share)


def amax(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """The largest entry along `axis`; entries that tie get equal shares of the gradient."""
    return largest(x, axis=None if axis is None else axes_of(x, axis), keepdims=keepdims)


def amin(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """The smallest entry along `axis`; entries that tie get equal shares of the gradient."""
    return smallest(x, axis=None if axis is None else axes_of(x, axis), keepdims=keepdims)


def spread_out(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """np.ptp: the largest less the smallest."""
    return amax(x, axis, keepdims=keepdims) - amin(x, axis, keepdims=keepdims)


# --- products -------------------------------------------------------------------------------------
#
# The slope of x1 x2 x3 in x2 is x1 x3, which must not be computed as y / x2: an entry may be 0.
# What is left of an entry is a running product, and what is right of it is one from the other end.
# What a running product sends back is a linear recurrence that runs backwards; what that sends back
# is one that runs forwards.


def _recurrence(a: Array, b: Array) -> Array:
    y = np.array(b, np.result_type(a, b))
    for k in range(1, y.shape[-1]):
        y[..., k] += a[..., k] * y[..., k - 1]
    return y


def before(y: Array, first: float) -> Array:
    """The entries one place earlier along the last axis, with `first` in front."""
    return concatenate(np.full(y[..., :1].shape, first, y.dtype), y[..., :-1], axis=-1)


def sent_back(a: Array, g: Array) -> Array:
    """All that reaches b_k in y_k = a_k y_{k-1} + b_k: d_k = g_k + a_{k+1} d_{k+1}."""
    last = g.ndim - 1
    turned = back(a, last)
    ahead = concatenate(turned[..., -1:], turned[..., :-1], axis=-1)  # a_{k+1} stands beside g_k
    return back(recurrence(ahead, back(g, last)), last)


# y_k = a_k y_{k-1} + b_k along the last axis, with y_{-1} = 0; a and b of equal shape
recurrence: Op = primitive("recurrence", _recurrence,
                           lambda g, y, a, b: sent_back(a, g) * before(y, 0.0),
                           lambda g, y, a, b: sent_back(a, g))
# along the last axis
cumprod = primitive("cumprod", lambda x: np.cumprod(x, -1),
                    lambda g, y, x: before(y, 1.0) * sent_back(x, g))


def _others(x: Array) -> Array:
    left, right = cumprod(x), cumprod(back(x, x.ndim - 1))
    return before(left, 1.0) * back(before(right, 1.0), x.ndim - 1)


# over the last axis
product = primitive("prod", lambda x: np.prod(x, -1),
                    lambda g, y, x: reshape(g, shape=(*g.shape, 1)) * _others(x))


def prod(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """The product over `axis`; its gradient is right where entries are 0, too."""
    gone = axes_of(x, axis)
    kept = tuple(i for i in range(x.ndim) if i not in gone)
    rows = transpose(x, axes=kept + gone)
    y = product(reshape(rows, shape=(*rows.shape[: len(kept)], count(x, gone))))
    return reshape(y, shape=kept_shape(x, gone)) if keepdims else y


def running_product(x: Array, axis: int | None = None) -> Array:
    """np.cumprod: of the flattened x, if no axis is given."""
    x, axis = flattened(x, axis)
    order = list(range(x.ndim))
    order[axis], order[-1] = order[-1], order[axis]
    return transpose(cumprod(transpose(x, axes=tuple(order))), axes=tuple(order))
