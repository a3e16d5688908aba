"""Parts: what each step gave, through an operation that spans many steps at once.

The question this file answers: *which step gave what, when a whole sequence is one node?*

A rule gives one gradient for each operand. The node of a whole sequence used its weight at every
step, and the sum hides the steps. `Op.parts` says them: for every operand a list of `Part`s whose
sum is what the rule gives.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from . import ops
from .backprop import fit

LARGE = 4096  # numbers: norms of larger arrays are not worth gathering


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
    """The Euclidean norm of all entries."""
    return abs(g) if isinstance(g, float) else math.sqrt(np.vdot(g, g))


def norms(arrays: list[Any]) -> list[float]:
    """The norm of each of many arrays, which may be of different shapes. Each is taken once: what
    leaves one node often is what arrives at the next."""
    once = {id(a): a for a in arrays}
    sizes = dict(zip(once, of_each(list(once.values()))))
    return [sizes[id(a)] for a in arrays]


def of_each(arrays: list[Any]) -> list[float]:
    """The norm of each of many arrays, in one sweep where they are small."""
    sizes = [a.size for a in arrays]
    if not sizes or min(sizes) == 0 or max(sizes) > LARGE:
        return [norm(a) for a in arrays]
    flat = np.concatenate([a.ravel() for a in arrays]).astype(np.float64, copy=False)
    starts = np.cumsum([0, *sizes[:-1]])
    found: list[float] = np.sqrt(np.add.reduceat(flat * flat, starts)).tolist()
    return found


def outer_norms(uses: list[tuple[Any, Any]]) -> list[float]:
    """`outer_norm` of many pairs, those of the same shapes at once."""
    alike: dict[Any, list[int]] = {}
    for i, (d, x) in enumerate(uses):
        alike.setdefault((d.shape, x.shape), []).append(i)
    found = [0.0] * len(uses)
    for places in alike.values():
        d, x = (np.array([uses[i][k] for i in places], np.float64) for k in (0, 1))
        d, x = (a.reshape(len(a), math.prod(a.shape[1:-1]), a.shape[-1]) for a in (d, x))
        if d.shape[1] <= min(d.shape[2], x.shape[2]):
            squares = np.matmul(d, d.transpose(0, 2, 1)) * np.matmul(x, x.transpose(0, 2, 1))
        else:
            squares = np.matmul(d.transpose(0, 2, 1), x) ** 2
        for i, n in zip(places, np.sqrt(np.maximum(squares.sum((1, 2)), 0.0)).tolist()):
            found[i] = n
    return found


def outer_norm(d: Any, x: Any) -> float:
    """|sum_b d_b x_bᵀ|, without the matrix where the batch is small: its square is the sum over b
    and c of (d_b . d_c)(x_b . x_c)."""
    d, x = (a.reshape(math.prod(a.shape[:-1]), a.shape[-1]) for a in (d, x))
    if len(d) <= min(d.shape[-1], x.shape[-1]):
        return math.sqrt(max(0.0, float(np.sum(np.dot(d, d.T) * np.dot(x, x.T)))))
    return norm(np.dot(d.T, x))
