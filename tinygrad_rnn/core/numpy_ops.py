"""The rest of NumPy's mathematics, as rows of the same kind; and which function finds which row.

The question this file answers: *does `np.something` work on nodes?*

First the functions of one and two variables. Reductions, shapes and linear algebra have their own
files. At the end, the table that NumPy's two protocols look into.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import algebra, einsum, joining, ops, reductions, shapes
from .graph import Node, Op
from .ops import Array, either, exp, primitive, sigmoid, sqrt, where
from .protocol import FUNCTIONS, QUESTIONS, UFUNCS, bare

LN2, LN10 = math.log(2.0), math.log(10.0)


def floats(function: Callable[..., Any]) -> Callable[..., float]:
    """A NumPy function as the column for plain floats."""
    return lambda *xs, **params: float(function(*xs, **params))


# --- one variable ---------------------------------------------------------------------------------
#                 name    value                              gradient leaving through the operand
log1p = primitive("log1p", either(math.log1p, np.log1p), lambda g, y, x: g / (1.0 + x))
expm1 = primitive("expm1", either(math.expm1, np.expm1), lambda g, y, x: g * exp(x))
log2 = primitive("log2", either(math.log2, np.log2), lambda g, y, x: g / (x * LN2))
log10 = primitive("log10", either(math.log10, np.log10), lambda g, y, x: g / (x * LN10))
exp2 = primitive("exp2", either(math.exp2, np.exp2), lambda g, y, x: g * (y * LN2))
square = primitive("square", either(lambda x: x * x, np.square), lambda g, y, x: g * (2.0 * x))
reciprocal = primitive("reciprocal", either(lambda x: 1.0 / x, np.reciprocal),
                       lambda g, y, x: -g * (y * y))
cbrt = primitive("cbrt", either(math.cbrt, np.cbrt), lambda g, y, x: g / (3.0 * (y * y)))
tan = primitive("tan", either(math.tan, np.tan), lambda g, y, x: g * (1.0 + y * y))
arcsin = primitive("arcsin", either(math.asin, np.arcsin),
                   lambda g, y, x: g / sqrt((1.0 - x) * (1.0 + x)))
arccos = primitive("arccos", either(math.acos, np.arccos),
                   lambda g, y, x: -g / sqrt((1.0 - x) * (1.0 + x)))
arctan = primitive("arctan", either(math.atan, np.arctan), lambda g, y, x: g / (1.0 + x * x))
sinh = primitive("sinh", either(math.sinh, np.sinh), lambda g, y, x: g * cosh(x))
cosh: Op = primitive("cosh", either(math.cosh, np.cosh), lambda g, y, x: g * sinh(x))
arcsinh = primitive("arcsinh", either(math.asinh, np.arcsinh), lambda g, y, x: g / hypot(x, 1.0))
arccosh = primitive("arccosh", either(math.acosh, np.arccosh),
                    lambda g, y, x: g / sqrt((x - 1.0) * (x + 1.0)))
arctanh = primitive("arctanh", either(math.atanh, np.arctanh),
                    lambda g, y, x: g / ((1.0 - x) * (1.0 + x)))
# steps: flat wherever they have a slope
floor = primitive("floor", either(floats(np.floor), np.floor), lambda g, y, x: 0.0 * g)
ceil = primitive("ceil", either(floats(np.ceil), np.ceil), lambda g, y, x: 0.0 * g)
trunc = primitive("trunc", either(floats(np.trunc), np.trunc), lambda g, y, x: 0.0 * g)
rint = primitive("rint", either(floats(np.rint), np.rint), lambda g, y, x: 0.0 * g)
rounded = primitive("round", either(floats(np.round), np.round),
                    lambda g, y, x, decimals=0: 0.0 * g)

# --- two variables --------------------------------------------------------------------------------

arctan2 = primitive("arctan2", either(math.atan2, np.arctan2),
                    lambda g, y, a, b: g * b / (a * a + b * b),
                    lambda g, y, a, b: -g * a / (a * a + b * b))
# at the origin the distance has no slope; 0 is as good as any direction
hypot: Op = primitive("hypot", either(math.hypot, np.hypot),
                  lambda g, y, a, b: g * a / where(1.0, y, condition=y == 0),
                  lambda g, y, a, b: g * b / where(1.0, y, condition=y == 0))
logaddexp = primitive("logaddexp", either(floats(np.logaddexp), np.logaddexp),
                      lambda g, y, a, b: g * sigmoid(a - b),
                      lambda g, y, a, b: g * sigmoid(b - a))
remainder = primitive("%", either(operator.mod, np.remainder),
                      lambda g, y, a, b: g,
                      lambda g, y, a, b: -g * floor_divide(a, b))
fmod = primitive("fmod", either(math.fmod, np.fmod), lambda g, y, a, b: g,
                                                     lambda g, y, a, b: -g * trunc(a / b))
floor_divide: Op = primitive("//", either(operator.floordiv, np.floor_divide),
                             lambda g, y, a, b: 0.0 * g, lambda g, y, a, b: 0.0 * g)
# inside the bounds, and on them, the slope in x is 1
clip_ = primitive("clip", either(floats(np.clip), np.clip),
                  lambda g, y, x, low, high: g * ((x >= low) & (x <= high)),
                  lambda g, y, x, low, high: g * ((x < low) & (low <= high)),
                  lambda g, y, x, low, high: g * ((x > high) | (low > high)))


def clip(x: Array, a_min: Array = None, a_max: Array = None, *, min: Array = None,
         max: Array = None) -> Array:
    """x held between two bounds; either may be None."""
    low = min if a_min is None else a_min
    high = max if a_max is None else a_max
    return clip_(x, -math.inf if low is None else low, math.inf if high is None else high)


def choose(condition: Any, *branches: Array) -> Any:
    """np.where: a where the condition holds, else b; with the condition alone, where it holds."""
    condition = np.array(bare(condition))
    if not branches:
        return np.where(condition)
    if condition.ndim:  # `Value`s become tensors where there is more than one choice
        branches = tuple(map(shapes.lifted, branches))
    return where(*branches, condition=condition if condition.ndim else bool(condition))


def round_to(x: Array, decimals: int = 0) -> Array:
    """To so many decimals. A step function: its slope is 0."""
    return rounded(x, decimals=decimals)


def nan_to_num(x: Array, copy: bool = True, nan: float = 0.0, posinf: float | None = None,
               neginf: float | None = None) -> Array:
    """Finite numbers for nan and the infinities; no gradient passes where one was put in."""
    value = bare(x)
    finite = np.isfinite(value)
    return where(x, np.nan_to_num(value, True, nan, posinf, neginf), condition=finite)


# --- what finds what ------------------------------------------------------------------------------

UFUNCS.update({
    np.log1p: log1p, np.expm1: expm1, np.log2: log2, np.log10: log10, np.exp2: exp2,
    np.square: square, np.reciprocal: reciprocal, np.cbrt: cbrt, np.fabs: ops.absolute,
    np.tan: tan, np.arcsin: arcsin, np.arccos: arccos, np.arctan: arctan, np.arctan2: arctan2,
    np.sinh: sinh, np.cosh: cosh, np.arcsinh: arcsinh, np.arccosh: arccosh, np.arctanh: arctanh,
    np.floor: floor, np.ceil: ceil, np.trunc: trunc, np.rint: rint, np.hypot: hypot,
    np.logaddexp: logaddexp, np.remainder: remainder, np.fmod: fmod, np.floor_divide: floor_divide,
    np.float_power: ops.power, np.conjugate: lambda x: x,
    np.deg2rad: lambda x: x * (math.pi / 180.0), np.radians: lambda x: x * (math.pi / 180.0),
    np.rad2deg: lambda x: x * (180.0 / math.pi), np.degrees: lambda x: x * (180.0 / math.pi),
})

ENTRY_BY_ENTRY: dict[Any, Callable[..., Any]] = {
    np.clip: clip, np.where: choose, np.round: round_to, np.around: round_to, np.fix: trunc,
    np.nan_to_num: nan_to_num, np.real: lambda x: x, np.copy: lambda x: x * 1.0,
}

OF_ARRAYS: dict[Any, Callable[..., Any]] = {
    np.sum: reductions.total, np.mean: reductions.mean, np.average: reductions.average,
    np.var: reductions.var, np.std: reductions.std, np.max: reductions.amax,
    np.min: reductions.amin, np.amax: reductions.amax, np.amin: reductions.amin,
    np.ptp: reductions.spread_out, np.prod: reductions.prod, np.cumsum: reductions.running_total,
    np.cumprod: reductions.running_product, np.median: shapes.median,
    np.reshape: shapes.reshaped, np.ravel: shapes.flat, np.transpose: shapes.permuted,
    np.squeeze: shapes.squeeze, np.expand_dims: shapes.expand_dims, np.swapaxes: shapes.swapaxes,
    np.moveaxis: shapes.moveaxis, np.rollaxis: shapes.rollaxis, np.flip: shapes.flip,
    np.fliplr: shapes.fliplr, np.flipud: shapes.flipud, np.rot90: shapes.rot90,
    np.roll: shapes.roll, np.repeat: shapes.repeat, np.tile: shapes.tile, np.pad: shapes.pad,
    np.delete: shapes.delete, np.atleast_1d: shapes.atleast_1d, np.atleast_2d: shapes.atleast_2d,
    np.atleast_3d: shapes.atleast_3d, np.broadcast_to: shapes.broadcast_to,
    np.broadcast_arrays: shapes.broadcast_arrays, np.concatenate: joining.join,
    np.stack: joining.stack, np.vstack: joining.vstack, np.hstack: joining.hstack,
    np.dstack: joining.dstack, np.column_stack: joining.column_stack, np.append: joining.append,
    np.split: joining.split, np.array_split: joining.array_split, np.hsplit: joining.hsplit,
    np.vsplit: joining.vsplit, np.dsplit: joining.dsplit, np.take: shapes.take,
    np.take_along_axis: shapes.take_along_axis, np.sort: shapes.sort, np.diff: shapes.diff,
    np.diag: shapes.diag, np.diagonal: shapes.diagonal, np.trace: shapes.trace,
    np.tril: shapes.tril, np.triu: shapes.triu,
    np.einsum: einsum.einsum, np.tensordot: algebra.tensordot, np.dot: algebra.dot,
    np.inner: algebra.inner, np.outer: algebra.outer, np.vdot: algebra.vdot,
    np.kron: algebra.kron, np.linalg.inv: algebra.inv, np.linalg.solve: algebra.solve,
    np.linalg.det: algebra.det, np.linalg.slogdet: algebra.slogdet,
    np.linalg.cholesky: algebra.cholesky, np.linalg.norm: algebra.norm,
    np.linalg.matrix_power: algebra.matrix_power, np.linalg.multi_dot: algebra.multi_dot,
}


def with_shapes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function for arguments that may be `Value`s or lists: all of them come in as arrays."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(shaped, args), **kwargs)

    return call


def shaped(x: Any) -> Any:
    """A `Value` as a tensor without axes, a list of nodes as a list of such; the rest as it is."""
    if isinstance(x, (list, tuple)) and any(isinstance(part, Node) for part in x):
        return [shapes.lifted(part) for part in x]
    return shapes.lifted(x)


FUNCTIONS.update(ENTRY_BY_ENTRY)
FUNCTIONS.update({f: with_shapes(rule) for f, rule in OF_ARRAYS.items()})

# questions about values, and arrays that only take their shape from a node: answered plainly
QUESTIONS.update({
    np.shape, np.ndim, np.size, np.argmax, np.argmin, np.argsort, np.nonzero, np.flatnonzero,
    np.argwhere, np.count_nonzero, np.searchsorted, np.digitize, np.any, np.all, np.isclose,
    np.allclose, np.array_equal, np.array_equiv, np.isposinf, np.isneginf, np.isreal, np.iscomplex,
    np.isrealobj, np.iscomplexobj, np.result_type, np.can_cast, np.may_share_memory,
    np.shares_memory, np.zeros_like, np.ones_like, np.empty_like, np.full_like,
    np.array_repr, np.array_str, np.array2string, np.linalg.matrix_rank, np.linalg.cond,
})
