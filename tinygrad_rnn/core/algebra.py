"""Linear algebra: products of arrays, and systems of equations.

The question this file answers: *what is the gradient of an inverse, a determinant, a norm?*

All products are written with einsum, or with `@`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from ..errors import UnsupportedError
from .einsum import LETTERS, einsum_
from .graph import Op
from .ops import (
    Array,
    absolute,
    add,
    matmul,
    mul,
    power,
    primitive,
    reshape,
    spread,
    sum_,
    swap,
    where,
)
from .protocol import bare
from .reductions import Axis, amax, amin, axes_of, total
from .shapes import flat

# --- products -------------------------------------------------------------------------------------


def tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    """Sum over axes of a paired with axes of b: a number n means the last n with the first n."""
    if isinstance(axes, (int, np.integer)):
        axes = (range(a.ndim - axes, a.ndim), range(axes))
    left, right = (axes_of(x, tuple(s) if np.iterable(s) else s) for x, s in zip((a, b), axes))
    a_letters, b_letters = list(LETTERS[: a.ndim]), list(LETTERS[a.ndim: a.ndim + b.ndim])
    for i, j in zip(left, right, strict=True):
        b_letters[j] = a_letters[i]
    result = set(a_letters) ^ set(b_letters)
    order = "".join(c for c in (*a_letters, *b_letters) if c in result)
    return einsum_(a, b, subscripts=f"{''.join(a_letters)},{''.join(b_letters)}->{order}")


def dot(a: Array, b: Array) -> Array:
    """np.dot: the last axis of a with the last but one of b (`@` for vectors and matrices)."""
    if a.ndim == 0 or b.ndim == 0:
        return mul(a, b)
    if b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, (-1, -2))


def inner(a: Array, b: Array) -> Array:
    """The last axis of a with the last of b."""
    return mul(a, b) if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, (-1, -1))


def outer(a: Array, b: Array) -> Array:
    """Every entry of a with every entry of b: a matrix."""
    return mul(reshape(a, shape=(a.size, 1)), flat(b))


def vdot(a: Array, b: Array) -> Array:
    """The sum of the products of their entries."""
    return matmul(flat(a), flat(b))


def kron(a: Array, b: Array) -> Array:
    """Every entry of a times the whole of b, as blocks."""
    n = max(a.ndim, b.ndim)
    p, q = ((1,) * (n - x.ndim) + x.shape for x in (a, b))
    high = reshape(a, shape=tuple(k for m in p for k in (m, 1)))
    low = reshape(b, shape=tuple(k for m in q for k in (1, m)))
    return reshape(mul(high, low), shape=tuple(i * j for i, j in zip(p, q)))


def matrix_power(a: Array, n: int) -> Array:
    """a @ a @ ... @ a, n times; of the inverse, if n is negative."""
    base = inv(a) if n < 0 else a
    if n == 0:
        return add(mul(a, 0.0), np.eye(a.shape[-1], dtype=a.dtype))
    return reduce(matmul, [base] * abs(n))


def multi_dot(xs: Sequence[Array]) -> Array:
    """The product of a chain of matrices, from the left."""
    return reduce(matmul, xs)


# --- equations ------------------------------------------------------------------------------------

inv = primitive("inv", np.linalg.inv, lambda g, y, a: -(swap(y) @ g @ swap(y)))
solve_: Op = primitive("solve", np.linalg.solve, lambda g, y, a, b: -solve_(swap(a), g) @ swap(y),
                                                 lambda g, y, a, b: solve_(swap(a), g))
det = primitive("det", np.linalg.det, lambda g, y, a: unit(g * y) * swap(inv(a)))
log_det = primitive("log |det|", lambda a: np.linalg.slogdet(a)[1],
                    lambda g, y, a: unit(g) * swap(inv(a)))


def unit(g: Array) -> Array:
    """Two axes of size 1 at the end."""
    return reshape(g, shape=(*g.shape, 1, 1))


def solve(a: Array, b: Array) -> Array:
    """x in a x = b, for one right-hand side (N,) or several as columns (..., N, K)."""
    if b.ndim != 1:
        return solve_(a, b)
    y = solve_(a, reshape(b, shape=(*b.shape, 1)))
    return reshape(y, shape=y.shape[:-1])


class SlogDet(NamedTuple):
    """The sign of a determinant, which has no gradient, and the logarithm of its size."""

    sign: Any
    logabsdet: Any


def slogdet(a: Array) -> SlogDet:
    """sign and log |det a|."""
    return SlogDet(np.linalg.slogdet(bare(a))[0], log_det(a))


def _cholesky_rule(g: Array, y: Array, a: Array) -> Array:
    # da = sym(L^-T phi(Lᵀ g) L^-1), phi: the lower triangle with half the diagonal (Murray 2016)
    n = a.shape[-1]
    phi = np.tri(n) - 0.5 * np.eye(n)
    half = solve_(swap(y), (swap(y) @ g) * phi)
    d = swap(solve_(swap(y), swap(half)))
    return 0.5 * (d + swap(d))


cholesky_ = primitive("cholesky", np.linalg.cholesky, _cholesky_rule)


def cholesky(a: Array) -> Array:
    """The lower triangle L with L Lᵀ = a, for a symmetric positive definite."""
    return cholesky_(a)


# --- norms ----------------------------------------------------------------------------------------

# at 0 the length has no slope; 0 is as good as any direction
length = primitive("norm", lambda x, axis=None, keepdims=False:
                   np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims)),
                   lambda g, y, x, axis=None, keepdims=False: x * spread(
                       g / where(1.0, y, condition=y == 0), x.shape, axis, keepdims))


def norm(x: Array, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Array:
    """np.linalg.norm: of vectors along one axis (any `ord`), of matrices over two (fro, 1, inf).

    The gradient of the length at 0 is 0. Matrix norms that need singular values are refused.
    """
    axes = axes_of(x, axis)
    if ord is None or ord == "fro" and len(axes) == 2 or ord == 2 and len(axes) == 1:
        return length(x, axis=axes, keepdims=keepdims)
    if len(axes) == 1:
        return vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2 and ord in (1, -1, np.inf, -np.inf):
        column, row = axes if abs(ord) == 1 else axes[::-1]
        sums = total(absolute(x), column, keepdims=True)
        y = (amax if ord > 0 else amin)(sums, row, keepdims=True)
        return y if keepdims else reshape(y, shape=tuple(
            n for i, n in enumerate(x.shape) if i not in axes))
    raise UnsupportedError(f"np.linalg.norm(..., ord={ord!r}) of {len(axes)} axes has no gradient "
                           "rule here", fix="There are 'fro', 1, -1, inf and -inf for matrices")


def vector_norm(x: Array, ord: Any, axis: Axis, keepdims: bool) -> Array:
    """(sum |x|^ord)^(1/ord); inf is the largest |x|, and -inf the smallest."""
    size = absolute(x)
    if ord in (np.inf, -np.inf):
        return (amax if ord > 0 else amin)(size, axis, keepdims=keepdims)
    if ord == 1:
        return total(size, axis, keepdims=keepdims)
    if ord == 0 or isinstance(ord, str):
        raise UnsupportedError(f"np.linalg.norm(..., ord={ord!r}) of vectors has no gradient rule "
                               "here", fix="There are numbers other than 0, inf and -inf")
    return power(sum_(power(size, ord), axis=axis, keepdims=keepdims), 1.0 / ord)
