"""Parts: what each step gave, through an operation that spans many steps at once.

The question this file answers: *which step gave what, when a whole sequence is one node?*

A rule gives one gradient for each operand. The node of a whole sequence used its weight at every
step, and the sum hides the steps. `Op.parts` says them: for every operand a list of `Part`s whose
sum is what the rule gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate
from operator import attrgetter, countOf
from typing import Any, NamedTuple

import numpy as np

from . import ops
from .backprop import fit

SMALL, LARGE = 1e-280, 1e300  # squares within: no digit of the sum is lost
SIZE, SHAPE, DTYPE = attrgetter("size"), attrgetter("shape"), attrgetter("dtype")
SINGLE = 2048  # entries: the norm of a larger array is computed by itself
TOUCHED = 1024  # arrays: so many are looked at again before they are out of the cache


class Part(NamedTuple):
    """What the use at one step gave to an operand: `d`, or the sum of the outer products d xᵀ.

    With `x` the part is the sum over all leading axes of d xᵀ (a weight: d is δ_t (B, O), x is
    h_{t-1} (B, I)), which is only built when somebody asks for it. Without, it is `d` itself, and
    like the result of a rule it is summed over the axes that were broadcast (a bias). `index` says
    where in the operand it goes: the rows of a gate, or the step of a sequence of inputs. `op` is
    what a ledger calls the use; by default, the name of the node's op.
    """

    step: int | None
    d: Any
    x: Any = None
    index: Any = None
    op: str = ""

    def dense(self) -> Any:
        """The part without the zeros around it."""
        return self.d if self.x is None else ops.outer_sum(self.d, self.x)

    def array(self, operand: Any) -> Any:
        """The part in the shape of the operand's value `operand`."""
        if self.index is None:
            return fit(self.dense(), operand)
        whole = np.zeros(operand.shape, operand.dtype)
        ops.scatter_into(whole, self.dense(), self.index)
        return whole

    def norm(self, operand: Any) -> float:
        """The Euclidean norm; that of an outer product without building it."""
        if self.x is not None:
            return outer_norm(self.d, self.x)
        return norm(self.dense() if self.index is not None else fit(self.dense(), operand))


def norm(g: Any) -> float:
    """The Euclidean norm of all entries; also where their squares are too small for a float, or too
    large: a gradient that vanishes is not yet zero."""
    if isinstance(g, float):
        return abs(g)
    if g.dtype.itemsize < 8:
        g = g.astype(np.float64)
    square = float(np.vdot(g, g))
    return math.sqrt(square) if SMALL < square < LARGE else scaled_norm(g)


def scaled_norm(g: Any) -> float:
    """The norm with the largest entry taken out before the squares."""
    largest = float(np.max(np.abs(g), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    g = g / largest
    return largest * math.sqrt(np.vdot(g, g))


@np.errstate(over="ignore", under="ignore", invalid="ignore")  # then the largest is taken out
def norms(arrays: list[Any]) -> list[float]:
    """The norm of each of many arrays. Small ones are put into one array for that."""
    sizes = list(map(SIZE, arrays))
    if len(set(map(DTYPE, arrays))) > 1 or not 0 < min(sizes) <= max(sizes) < SINGLE:
        return list(map(norm, arrays))
    flat = joined(arrays).astype(np.float64, copy=False)
    begins = [0, *accumulate(sizes[:-1])]
    found = roots(np.add.reduceat(flat * flat, begins), lambda i: norm(arrays[i]))
    return found.tolist()  # type: ignore[no-any-return]


def joined(arrays: list[Any]) -> Any:
    """The entries of arrays of one type, one array after the other."""
    try:  # for very many small arrays five times as fast as np.concatenate
        return np.frombuffer(b"".join(arrays), arrays[0].dtype)
    except TypeError:  # one is not contiguous
        return np.concatenate([a.reshape(-1) for a in arrays])


def roots(squares: Any, again: Callable[..., float]) -> Any:
    """The norms of which these are the squares. Where a square is too small for a float, or too
    large, `again` says the norm itself, when it is called with the place."""
    if squares.size and np.minimum.reduce(squares, None) > SMALL and \
            np.maximum.reduce(squares, None) < LARGE:
        return np.sqrt(squares)
    found = np.sqrt(squares)
    for at in zip(*(~((squares > SMALL) & (squares < LARGE))).nonzero()):
        found[at] = again(*at)
    return found


def stacked(arrays: list[Any]) -> Any:
    """Numbers, or arrays of one kind, as one array whose first axis counts them; None if they are
    not alike."""
    first = arrays[0]
    if type(first) is float:
        return np.array(arrays) if set(map(type, arrays)) == {float} else None
    shape, kind, joined = first.shape, first.dtype, list[bytes]()
    for i in range(0, len(arrays), TOUCHED):
        some = arrays[i:i + TOUCHED]
        if countOf(map(SHAPE, some), shape) < len(some) or \
                countOf(map(DTYPE, some), kind) < len(some):
            return None
        try:  # for very many small arrays five times as fast as np.concatenate
            joined.append(b"".join(some))
        except TypeError:  # one is not contiguous
            joined.append(np.array(some).tobytes())
    return np.frombuffer(joined[0] if len(joined) == 1 else b"".join(joined), kind).reshape(
        len(arrays), *shape)


@np.errstate(over="ignore", under="ignore", invalid="ignore")  # then the largest is taken out
def sizes_of(stack: Any) -> Any:
    """The norm of each of a stack of numbers or arrays."""
    if stack.ndim == 1:
        return np.abs(stack).astype(np.float64, copy=False)
    found = np.empty(len(stack))
    squares(stack, found)
    return roots(found, lambda i: scaled_norm(stack[i].astype(np.float64, copy=False)))


def squares(stack: Any, out: Any) -> None:
    """The square of the norm of each, as far as a float can hold it."""
    rows = stack if stack.ndim == 3 and stack.shape[1] == 1 else stack.reshape(
        len(stack), 1, math.prod(stack.shape[1:]))
    if rows.dtype != np.float64:
        rows = rows.astype(np.float64)
    np.matmul(rows, rows.transpose(0, 2, 1), out.reshape(-1, 1, 1))


@np.errstate(over="ignore", under="ignore", invalid="ignore")  # then the largest is taken out
def outer_sizes(d: Any, x: Any) -> Any:
    """`outer_norm` of each pair of two stacks."""
    d, x = (a.astype(np.float64, copy=False).reshape(
        len(a), math.prod(a.shape[1:-1]), a.shape[-1]) for a in (d, x))
    squares = outer_squares(d, x)
    found = np.sqrt(np.maximum(squares, 0.0))
    lost = np.flatnonzero(~((squares > SMALL) & (squares < LARGE)))
    if len(lost):
        (d, high), (x, wide) = scaled(d[lost]), scaled(x[lost])
        found[lost] = np.sqrt(np.maximum(outer_squares(d, x), 0.0)) * high * wide
    return found


def outer_squares(d: Any, x: Any) -> Any:
    """The square of the norm of each sum of outer products d_b x_bᵀ: see `outer_norm`."""
    if d.shape[1] <= min(d.shape[2], x.shape[2]):
        squares = np.matmul(d, d.transpose(0, 2, 1)) * np.matmul(x, x.transpose(0, 2, 1))
    else:
        squares = np.matmul(d.transpose(0, 2, 1), x) ** 2
    return squares.sum((1, 2))


def scaled(stack: Any) -> tuple[Any, Any]:
    """A stack with the largest entry of each taken out, and these."""
    largest = np.abs(stack).max((1, 2), initial=0.0)
    largest = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return stack / largest[:, None, None], largest


@np.errstate(over="ignore", under="ignore", invalid="ignore")
def outer_norm(d: Any, x: Any) -> float:
    """|sum_b d_b x_bᵀ|, without the matrix where the batch is small: its square is the sum over b
    and c of (d_b . d_c)(x_b . x_c)."""
    d, x = (a.reshape(math.prod(a.shape[:-1]), a.shape[-1]) for a in (d, x))
    square = 0.0
    if len(d) <= min(d.shape[-1], x.shape[-1]):
        square = float(np.sum(np.dot(d, d.T) * np.dot(x, x.T)))
    return math.sqrt(square) if SMALL < square < LARGE else norm(np.dot(d.T, x))
