"""The table: what each operation computes, and the gradient that leaves through each of its
operands.

The question this file answers: *what is the local derivative?*

A rule reads `(g, y, a, b)`: `g` arrives, `y` is the value, then the operands. It is written once,
in the operators below, so it serves plain floats, arrays and nodes alike: called with nodes it
builds the graph of the gradient, which is all that second order needs. Broadcasting is not a rule's
business: the engine sums a contribution back to its operand's shape (`backprop.fit`), so the rule
of `+` is `g`.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import Op
from .totals import to_each

Array = Any  # in a rule: a float, an ndarray or a node
Columns = tuple[Callable[..., Any] | None, Callable[..., Any]]


def either(scalar: Callable[..., Any], array: Callable[..., Any]) -> Columns:
    """The two columns of a value: for plain floats, and for arrays."""
    return scalar, array


def primitive(name: str, value: Callable[..., Any] | Columns, *rules: Callable[..., Any],
              **kind: Any) -> Op:
    """A row. One function for the value means arrays only."""
    scalar, array = value if isinstance(value, tuple) else (None, value)
    return Op(name, scalar, array, rules, **kind)


# --- arithmetic -----------------------------------------------------------------------------------
#                name  value                                gradient leaving through each operand
add = primitive("+", either(operator.add, np.add), lambda g, y, a, b: g,
                                                   lambda g, y, a, b: g, looks="")
sub = primitive("-", either(operator.sub, np.subtract), lambda g, y, a, b: g,
                                                        lambda g, y, a, b: -g, looks="")
mul = primitive("*", either(operator.mul, np.multiply), lambda g, y, a, b: g * b,
                                                        lambda g, y, a, b: g * a)
div = primitive("/", either(operator.truediv, np.divide), lambda g, y, a, b: g / b,
                                                          lambda g, y, a, b: -g * y / b)
neg = primitive("neg", either(operator.neg, np.negative), lambda g, y, x: -g, looks="")


def _power_a(g: Array, y: Array, a: Array, b: Array) -> Array:
    if type(b) is int or type(b) is float:  # x ** 0 has slope 0 and x ** 1 slope 1, also at x = 0
        return g * (b * power(a, b - 1)) if b not in (0, 1) else g * float(b)
    return g * (b * power(a, where(1.0, b - 1.0, condition=b == 0)))


power: Op = primitive(
    "**", either(math.pow, operator.pow), _power_a,
    lambda g, y, a, b: g * (y * log(where(1.0, a, condition=a == 0))))

# --- functions of one variable --------------------------------------------------------------------
exp = primitive("exp", either(math.exp, np.exp), lambda g, y, x: g * y)
log: Op = primitive("log", either(math.log, np.log), lambda g, y, x: g / x)
sqrt = primitive("sqrt", either(math.sqrt, np.sqrt), lambda g, y, x: g / (2.0 * y))
sin = primitive("sin", either(math.sin, np.sin), lambda g, y, x: g * cos(x))
cos: Op = primitive("cos", either(math.cos, np.cos), lambda g, y, x: -g * sin(x))
tanh = primitive("tanh", either(math.tanh, np.tanh), lambda g, y, x: g * (1.0 - y * y), looks="y")


def _sigmoid(x: float) -> float:
    small = math.exp(-abs(x))  # never overflows, and keeps its digits far on the left
    return (1.0 if x >= 0 else small) / (1.0 + small)


def _sigmoids(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small).astype(small.dtype) / (1.0 + small)


sigmoid = primitive("sigmoid", either(_sigmoid, _sigmoids), lambda g, y, x: g * y * (1.0 - y),
                    looks="y")
relu = primitive("relu", either(lambda x: 0.0 if x <= 0 else x, lambda x: np.maximum(x, 0)),
                 lambda g, y, x: g * (x > 0), looks="a")
sign = primitive("sign", either(lambda x: float(np.sign(x)), np.sign), lambda g, y, x: 0.0 * g)
absolute = primitive("abs", either(abs, np.abs), lambda g, y, x: g * sign(x))
# at a tie, each side gets half
maximum = primitive("max", either(lambda a, b: float(np.maximum(a, b)), np.maximum),
                    lambda g, y, a, b: g * ((a > b) + 0.5 * (a == b)),
                    lambda g, y, a, b: g * ((b > a) + 0.5 * (a == b)))
minimum = primitive("min", either(lambda a, b: float(np.minimum(a, b)), np.minimum),
                    lambda g, y, a, b: g * ((a < b) + 0.5 * (a == b)),
                    lambda g, y, a, b: g * ((b < a) + 0.5 * (a == b)))
where: Op = primitive(
    "where", either(lambda a, b, *, condition: a if condition else b,
                    lambda a, b, *, condition: np.where(condition, a, b)),
    lambda g, y, a, b, condition: where(g, 0.0, condition=condition),
    lambda g, y, a, b, condition: where(0.0, g, condition=condition))

# --- products -------------------------------------------------------------------------------------


def _matmul_a(g: Array, y: Array, a: Array, b: Array) -> Array:
    if b.ndim == 1:  # (..., n) . (n,): each entry of g meets the whole vector
        return g * b if a.ndim == 1 else _outer(g, b)
    return _times(b, g) if a.ndim == 1 else g @ swap(b)


def _matmul_b(g: Array, y: Array, a: Array, b: Array) -> Array:
    if a.ndim == 1:
        return g * a if b.ndim == 1 else _outer(a, g)
    if b.ndim == 1:
        return _times(swap(a), g)
    return outer_sum(a, g) if b.ndim == 2 else swap(a) @ g


def _times(m: Array, v: Array) -> Array:
    """Matrices times vectors: (..., i, j), (..., j) -> (..., i)."""
    column = m @ reshape(v, shape=(*v.shape, 1))
    return reshape(column, shape=column.shape[:-1])


def _outer(u: Array, v: Array) -> Array:
    """Each entry of u times each of v: (..., i), (..., j) -> (..., i, j)."""
    return reshape(u, shape=(*u.shape, 1)) * reshape(v, shape=(*v.shape[:-1], 1, v.shape[-1]))


matmul = primitive("@", np.matmul, _matmul_a, _matmul_b)
# x @ W.T: W (O, I) acts on columns as on paper; x (..., I) -> (..., O)
linear = primitive("linear", lambda x, W: np.dot(x, W.T), lambda g, y, x, W: g @ W,
                                                          lambda g, y, x, W: outer_sum(g, x),
                   late=lambda ds, xs: sum_uses(ds, xs), looks="ab")


def _outer_sum(d: Array, x: Array) -> Array:
    return np.dot(all_rows(d).T, all_rows(x))


def all_rows(x: Array) -> Array:
    if x.ndim == 2:
        return x
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])  # -1 would be ambiguous at size 0


def sum_uses(ds: list[Array], xs: list[Array]) -> Array:
    """Sum over t of d_t x_tᵀ, as one product: stack the rows of all d_t, and of all x_t."""
    if len(ds) == 1:
        return _outer_sum(ds[0], xs[0])
    d, x = (np.concatenate([all_rows(a) for a in arrays]) for arrays in (ds, xs))
    return np.dot(d.T, x)


# the sum of the outer products d xᵀ over all leading axes: (..., O), (..., I) -> (O, I)
outer_sum: Op = primitive("outer", _outer_sum, lambda g, y, d, x: linear(x, g),
                                               lambda g, y, d, x: d @ g)

# --- shape ----------------------------------------------------------------------------------------


def spread(g: Array, shape: tuple[int, ...], axis: Any, keepdims: bool) -> Array:
    """Give the result of a reduction over `axis` its reduced axes back, with size 1."""
    if keepdims or axis is None:
        return g
    axes = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}
    full = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    return g.reshape(full) if type(g) is np.ndarray else reshape(g, shape=full)


def swap(x: Array) -> Array:
    """Exchange the last two axes."""
    return transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


PLAIN = {int, slice, type(...), type(None)}


def is_basic(index: Any) -> bool:
    """Whether an index picks a plain slice: no entry can come twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return PLAIN.issuperset(map(type, parts)) or all(
        isinstance(i, (int, np.integer, slice, type(None), type(...)))
        and i is not True and i is not False for i in parts)


# np.sum without its detours; the stub of reduce knows no keepdims of type bool
def _sum(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    if axis is None and not keepdims:
        return np.add.reduce(x, None)
    total: Array = np.add.reduce(x, axis=axis, keepdims=bool(keepdims))  # type: ignore[call-overload]
    return total


def _broadcast(x: Array, shape: tuple[int, ...]) -> Array:
    full = np.empty(shape, np.asarray(x).dtype)
    full[...] = x  # an array of its own: for a small one, faster than a view
    return full


def repeated(g: Array, shape: tuple[int, ...]) -> Array:
    """g along the axes that it lacks."""
    return _broadcast(g, shape) if type(g) is np.ndarray else broadcast_to(g, shape=shape)


def _scatter(g: Array, index: Any, shape: tuple[int, ...]) -> Array:
    total = np.zeros(shape, g.dtype)
    scatter_into(total, g, index)
    return total


def scatter_into(total: Array, g: Array, index: Any) -> None:
    """total[index] += g, adding every time where an index comes twice."""
    if is_basic(index):
        total[index] += g
    else:
        np.add.at(total, index, g)  # += would drop repeated indices


sum_ = primitive("sum", _sum, lambda g, y, x, axis=None, keepdims=False:
                 repeated(spread(g, x.shape, axis, keepdims), x.shape), looks="a", sums=to_each)
broadcast_to: Op = primitive("broadcast", _broadcast, lambda g, y, x, shape: g)
cast = primitive("cast", lambda x, dtype: np.asarray(x).astype(dtype), lambda g, y, x, dtype: g)
reshape: Op = primitive("reshape", lambda x, shape: np.reshape(x, shape),
                    lambda g, y, x, shape: reshape(g, shape=x.shape), alias=True)
transpose: Op = primitive(
    "T", lambda x, axes=None: np.transpose(x, axes),
    lambda g, y, x, axes=None: transpose(g, axes=axes and tuple(np.argsort(axes))), alias=True)
getitem = primitive("[]", lambda x, index: x[index], lambda g, y, x, index:
                    scatter(g, index=index, shape=x.shape), into=scatter_into, alias=True)
scatter: Op = primitive("scatter", _scatter, lambda g, y, x, index, shape: getitem(g, index=index))


def _cuts(g: Array, y: Array, *xs: Array, axis: int = 0) -> list[Array]:
    ends = list(itertools.accumulate(x.shape[axis] for x in xs))
    front = (slice(None),) * (axis % y.ndim)
    return [getitem(g, index=(*front, slice(start, end))) for start, end in zip([0, *ends], ends)]


def _slots(g: Array, y: Array, *xs: Array, axis: int = 0) -> list[Array]:
    front = (slice(None),) * (axis % y.ndim)
    return [getitem(g, index=(*front, i)) for i in range(len(xs))]


# all operands' gradients at once: one rule per operand would look at T operands T times
concatenate = primitive("concat", lambda *xs, axis=0: np.concatenate(xs, axis), _cuts, joint=True)
stack = primitive("stack", lambda *xs, axis=0: np.stack(xs, axis), _slots, joint=True)


def table(namespace: dict[str, Any] | None = None) -> dict[str, Op]:
    """The rows of a module (this one by default): Python name -> op, in the order of the file."""
    space = globals() if namespace is None else namespace
    return {name: op for name, op in space.items() if isinstance(op, Op) and op.rules}
