"""Moving entries about: axes, order, joining, splitting, picking.

The question this file answers: *where did an entry go, and so where does its gradient come from?*

Nothing here is a new rule. What NumPy can show as a view (axes, slices) is a transpose, a reshape
or a slice; what only moves or repeats entries is NumPy's own function applied to their positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from . import ops
from .graph import Node
from .ops import Array, getitem, reshape, scatter, transpose, where
from .protocol import bare
from .reductions import Axis, amax, axes_of, count, cut, flattened, kept_shape, mean, one_axis


def rearranged(function: Callable[..., Any]) -> Callable[..., Array]:
    """NumPy's `function` for nodes, if all it does is move, repeat or drop entries: it is asked
    where the positions 0, 1, 2, ... of the flattened array go, and the entries follow."""

    def rearrange(x: Array, *args: Any, **kwargs: Any) -> Array:
        places = function(np.arange(x.size).reshape(x.shape), *args, **kwargs)
        return getitem(flat(x), index=places)

    rearrange.__name__ = function.__name__
    rearrange.__doc__ = f"numpy.{function.__name__} of a node."
    return rearrange


def plain_order(order: Any) -> None:
    """Arrays are read row by row here."""
    if order not in ("C", "K", None):
        raise UnsupportedError(f"order={order!r} is not supported here", fix="Transpose first")


def lifted(x: Any) -> Any:
    """A `Value` as a 0-d `Tensor`, so that it has a shape; anything else as it is."""
    return ops.broadcast_to(x, shape=()) if isinstance(x, Node) and x.is_scalar else x


# --- axes -----------------------------------------------------------------------------------------


def flat(x: Array, order: str = "C") -> Array:
    """All entries in a row."""
    plain_order(order)
    return reshape(x, shape=(x.size,))


def reshaped(x: Array, shape: Any, order: str = "C") -> Array:
    """The same entries in another shape; one size may be -1."""
    plain_order(order)
    return reshape(x, shape=shape)


def permuted(x: Array, axes: Any = None) -> Array:
    """The axes in another order, reversed if none is given."""
    return transpose(x) if axes is None else transpose(x, axes=axes_of(x, tuple(axes)))


def squeeze(x: Array, axis: Axis = None) -> Array:
    """Drop axes of size 1: those given, or all of them."""
    gone = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axes_of(x, axis)
    if any(x.shape[i] != 1 for i in gone):
        raise ValueError(f"cannot squeeze axis {axis} of shape {x.shape}: its size is not 1")
    return reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in gone))


def expand_dims(x: Array, axis: Any) -> Array:
    """Insert axes of size 1 at these places of the result."""
    return reshape(x, shape=np.expand_dims(np.empty(x.shape, bool), axis).shape)


def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """Exchange two axes."""
    order = list(range(x.ndim))
    i, j = one_axis(x, axis1), one_axis(x, axis2)
    order[i], order[j] = j, i
    return transpose(x, axes=tuple(order))


def moveaxis(x: Array, source: Any, destination: Any) -> Array:
    """Move axes to new places; the others keep their order."""
    start, end = axes_of(x, source), axes_of(x, destination)
    if len(start) != len(end):
        raise ValueError(f"moveaxis needs a destination for every source, got {source} and "
                         f"{destination}")
    order = [i for i in range(x.ndim) if i not in start]
    for to, i in sorted(zip(end, start)):
        order.insert(to, i)
    return transpose(x, axes=tuple(order))


def rollaxis(x: Array, axis: int, start: int = 0) -> Array:
    """Move an axis back until it stands before `start`."""
    axis = one_axis(x, axis)
    start = start + x.ndim if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


def flip(x: Array, axis: Axis = None) -> Array:
    """Reverse the order along these axes, or along all."""
    turned = axes_of(x, axis)
    steps = (-1 if i in turned else None for i in range(x.ndim))
    return getitem(x, index=tuple(slice(None, None, step) for step in steps))


def flipud(x: Array) -> Array:
    """Upside down: the first axis reversed."""
    return flip(x, 0)


def fliplr(x: Array) -> Array:
    """Left to right: the second axis reversed."""
    return flip(x, 1)


def at_least(n: int) -> Callable[..., Any]:
    """np.atleast_1d, 2d or 3d."""
    numpy_function = (np.atleast_1d, np.atleast_2d, np.atleast_3d)[n - 1]

    def lift(*xs: Array) -> Any:
        found = tuple(reshape(x, shape=numpy_function(np.empty(np.shape(x), bool)).shape)
                      for x in xs)
        return found[0] if len(found) == 1 else found

    lift.__name__, lift.__doc__ = numpy_function.__name__, f"At least {n} axes."
    return lift


atleast_1d, atleast_2d, atleast_3d = at_least(1), at_least(2), at_least(3)


def broadcast_to(x: Array, shape: Any) -> Array:
    """Repeat x along new or size-1 axes, to `shape`."""
    return ops.broadcast_to(x, shape=tuple(shape) if np.iterable(shape) else (shape,))


def broadcast_arrays(*xs: Array) -> tuple[Array, ...]:
    """All of them, at the shape they broadcast to together."""
    shape = np.broadcast_shapes(*map(np.shape, xs))
    return tuple(broadcast_to(x, shape) for x in xs)


# --- repeating, shifting, padding -----------------------------------------------------------------

repeat, tile, roll = rearranged(np.repeat), rearranged(np.tile), rearranged(np.roll)
rot90, delete, diagonal = rearranged(np.rot90), rearranged(np.delete), rearranged(np.diagonal)


def pad(x: Array, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Array:
    """Put entries around x: a constant, or entries of x (edge, reflect, symmetric, wrap)."""
    if mode in ("edge", "reflect", "symmetric", "wrap"):
        return rearranged(np.pad)(x, pad_width, mode)
    if mode != "constant":
        raise UnsupportedError(f"np.pad(..., mode={mode!r}) has no gradient rule here",
                               fix="There are constant, edge, reflect, symmetric and wrap")
    inside = np.pad(np.ones(x.shape, bool), pad_width)
    low = [0] * x.ndim if not x.size else [int(i.min()) for i in np.nonzero(inside)]
    y = scatter(x, index=tuple(slice(i, i + n) for i, n in zip(low, x.shape)), shape=inside.shape)
    frame = np.pad(np.zeros(x.shape, x.dtype), pad_width, constant_values=constant_values)
    return y + frame if frame.any() else y


# --- picking --------------------------------------------------------------------------------------


def take(x: Array, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Array:
    """The entries, or slices along `axis`, at these places; a place may come twice."""
    if mode != "raise":
        raise UnsupportedError(f"np.take(..., mode={mode!r}) is not supported here",
                               fix="Clip or wrap the indices first")
    x, axis = flattened(x, axis)
    return getitem(x, index=(*(slice(None),) * axis, np.array(indices)))


def take_along_axis(x: Array, indices: Any, axis: int | None = -1) -> Array:
    """x[i, ..., indices[i, ..., j], ...]: along `axis`, each line picks at its own places."""
    x, axis = flattened(x, axis)
    places = np.array(indices)
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in x.shape)])
    grid[axis] = places
    return getitem(x, index=tuple(grid))


def sort(x: Array, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Array:
    """In rising order along an axis. The order is stable, whatever `kind` asks for."""
    x, axis = flattened(x, axis)
    order = np.argsort(bare(x), axis, kind="stable")
    return take_along_axis(x, order, axis)


def median(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """The middle entry, or the mean of the two in the middle."""
    gone = axes_of(x, axis)
    kept = tuple(i for i in range(x.ndim) if i not in gone)
    rows = transpose(x, axes=kept + gone)
    line = sort(reshape(rows, shape=(*rows.shape[: len(kept)], count(x, gone))))
    n = line.shape[-1]
    y = mean(line[..., (n - 1) // 2 : n // 2 + 1], -1)
    nan = np.isnan(amax(line, -1))
    y = where(np.nan, y, condition=nan) if np.any(nan) else y
    return reshape(y, shape=kept_shape(x, gone)) if keepdims else y


def diff(x: Array, n: int = 1, axis: int = -1) -> Array:
    """Each entry's difference to the one before it along an axis, n times."""
    axis = one_axis(x, axis)
    for _ in range(n):
        x = getitem(x, index=cut(axis, 1, None)) - getitem(x, index=cut(axis, None, -1))
    return x


# --- matrices -------------------------------------------------------------------------------------


def diag(x: Array, k: int = 0) -> Array:
    """The k-th diagonal of a matrix, or the matrix with this diagonal."""
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(f"diag needs a vector or a matrix, got shape {x.shape}")
    size = x.size + abs(k)
    i = np.arange(x.size)
    return scatter(x, index=(i + max(-k, 0), i + max(k, 0)), shape=(size, size))


def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The sum of a diagonal."""
    return ops.sum_(diagonal(x, offset, axis1, axis2), axis=-1)


def lower(x: Array, k: int) -> Any:
    """Where an entry of a matrix is on or below the k-th diagonal."""
    rows, columns = x.shape[-2:]
    return np.tri(rows, columns, k, dtype=bool)


def tril(x: Array, k: int = 0) -> Array:
    """The entries on and below the k-th diagonal; 0 above."""
    return where(x, 0.0, condition=lower(x, k))


def triu(x: Array, k: int = 0) -> Array:
    """The entries on and above the k-th diagonal; 0 below."""
    return where(0.0, x, condition=lower(x, k - 1))
