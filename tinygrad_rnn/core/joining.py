"""Joining arrays into one, and splitting one into parts.

The question this file answers: *which part of a joined array does each operand answer for?*

The rules are those of `concat` and `stack` in `ops.py`, which cut what arrives into the operands'
parts; a split is a list of slices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import ops
from .graph import Node
from .ops import Array, concatenate, getitem, reshape
from .reductions import cut, one_axis
from .shapes import atleast_1d, atleast_2d, atleast_3d, flat
from .timeline import in_order


def arrays(xs: Any) -> list[Any]:
    """The arrays of a list, or the rows of a tensor, each with a shape."""
    return [x if isinstance(x, Node) else np.asarray(x) for x in xs]


def join(xs: Any, axis: int | None = 0) -> Array:
    """np.concatenate: one after the other along an axis; `axis=None` flattens them first."""
    parts = arrays(xs)
    if axis is None:
        return concatenate(*map(flat, parts), axis=0)
    return concatenate(*parts, axis=axis)


def stack(xs: Any, axis: int = 0) -> Array:
    """Side by side along a new axis. Nodes of steps in order, along the first one, are a
    sequence."""
    parts = arrays(xs)
    y = ops.stack(*parts, axis=axis)
    nodes = axis == 0 and isinstance(y, Node) and all(isinstance(x, Node) for x in parts)
    return in_order(y, (x.step for x in parts)) if nodes else y


def vstack(xs: Any) -> Array:
    """Below each other: rows of a matrix."""
    return concatenate(*map(atleast_2d, arrays(xs)), axis=0)


def hstack(xs: Any) -> Array:
    """Beside each other: along axis 1, or 0 for vectors."""
    parts = [atleast_1d(x) for x in arrays(xs)]
    return concatenate(*parts, axis=0 if parts[0].ndim == 1 else 1)


def dstack(xs: Any) -> Array:
    """Behind each other, along axis 2."""
    return concatenate(*map(atleast_3d, arrays(xs)), axis=2)


def column_stack(xs: Any) -> Array:
    """Vectors as the columns of a matrix; matrices beside each other."""
    columns = [x if x.ndim > 1 else reshape(x, shape=(x.size, 1)) for x in arrays(xs)]
    return concatenate(*columns, axis=1)


def append(x: Array, values: Array, axis: int | None = None) -> Array:
    """`values` after x."""
    return join([x, values], axis)


def splitter(numpy_function: Callable[..., Any]) -> Callable[..., list[Array]]:
    """np.split, or np.array_split, which allows parts of unequal size: a list of slices."""

    def split(x: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
        axis = one_axis(x, axis)
        parts = numpy_function(np.arange(x.shape[axis]), indices_or_sections)
        ends = [(int(p[0]), int(p[-1]) + 1) if p.size else (0, 0) for p in parts]
        return [getitem(x, index=cut(axis, *span)) for span in ends]

    split.__name__, split.__doc__ = numpy_function.__name__, "The parts along an axis."
    return split


split, array_split = splitter(np.split), splitter(np.array_split)


def hsplit(x: Array, indices_or_sections: Any) -> list[Array]:
    """The parts along axis 1, or 0 of a vector."""
    return split(x, indices_or_sections, 0 if x.ndim == 1 else 1)


def vsplit(x: Array, indices_or_sections: Any) -> list[Array]:
    """The parts along axis 0."""
    return split(x, indices_or_sections, 0)


def dsplit(x: Array, indices_or_sections: Any) -> list[Array]:
    """The parts along axis 2."""
    return split(x, indices_or_sections, 2)
