"""The frame that all losses share: targets checked, steps gone through, samples averaged.

The question this file answers: *what is the same for every loss of a sequence?*

Each step is a loss of its own (`StepLoss`), and they are added up (`over_time`). What a sample, or
an entry, costs is told from outside: see `losses`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import ops, per_sample
from ..core.graph import Node
from ..core.place import contained, switch
from ..core.reductions import sum_of
from ..core.timeline import mixed
from ..core.values import Tensor
from ..errors import DTypeError, InputError, ShapeError
from .fused_head import softmax_losses
from .sequence import Steps
from .steps_joined import first_step, shape_of, span_of, timed_steps
from .together import softmax_costs

Cost = Callable[[Any, Any], Any]  # (outputs, targets) -> what each sample, or each entry, costs

REDUCTIONS = {  # reduction: (mean over B at each step?, what the sum over t is divided by)
    "batch": (True, ""),
    "sum": (False, ""),
    "mean": (True, "the steps"),
    "valid": (False, "the valid entries"),
}

# --- what a target may be -----------------------------------------------------------------------

SUM = {np.dtype(np.float16): 1e-2, np.dtype(np.float32): 1e-5}  # as far as rounding goes; else 1e-6


def distributions(given: Any) -> None:
    """Raise `InputError` unless each row (..., O) is a distribution."""
    sums = given.sum(-1, dtype=np.float64)
    if not (given >= 0).all() or (abs(sums - 1) > SUM.get(given.dtype, 1e-6)).any():
        raise InputError("expected distributions as targets, at least 0 and with the sum 1, got "
                         f"entries down to {given.min():.6g}, sums from {sums.min():.6g} to "
                         f"{sums.max():.6g}", where="cross_entropy")


def bits(given: Any) -> None:
    """Raise `InputError` unless all entries are from 0 to 1."""
    if not ((given >= 0) & (given <= 1)).all():
        raise InputError("expected targets from 0 to 1, got entries from "
                         f"{given.min():.6g} to {given.max():.6g}", where="binary_cross_entropy")


def possible(target: Any, y: Any, valid: Any, where: str) -> None:
    """Refuse what no target can be, where it is not masked; what wants a gradient is taken as it
    is: it is moved from outside."""
    given = np.asarray(target.value if isinstance(target, Node) else target)
    if given.dtype.kind not in "biuf":
        raise DTypeError(f"expected real numbers as targets, got {given.dtype}", where=where)
    check = {"cross_entropy": distributions, "binary_cross_entropy": bits}.get(where)
    learned = isinstance(target, Node) and target.requires_grad
    if check is None or learned or given.shape != shape_of(y):
        return
    counted = given if valid is None else given[valid]
    if counted.size and (given.ndim or check is bits):
        check(counted)


# --- the frame ----------------------------------------------------------------------------------


@contained
def over_time(cost: Cost, outputs: Any, targets: Any, reduction: str, mask: Any, where: str,
              by_entry: bool = False) -> Any:
    """The losses of all steps, and their sum L. With `by_entry` every entry of y_t has a cost of
    its own, else every row."""
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise InputError(f"expected reduction to be one of {', '.join(REDUCTIONS)}, "
                         f"got {reduction!r}", where=where)
    mean, divided_by = REDUCTIONS[reduction]
    frame = StepLoss(cost, mean, by_entry, where)
    span = span_of(outputs)
    if span is None and mean and not divided_by and mixed(outputs):
        raise ShapeError(f"outputs {shape_of(outputs)} were made of a sequence, and its steps are "
                         "not along their first axis, one after the other: what is to be summed "
                         "over time, and what averaged over the batch, cannot be told",
                         where=where, fix="Give (T, B, O), (T, O) or a list of steps; or "
                         'reduction="mean" for the mean of all rows, "sum" for their sum')
    L = frame.together(outputs, targets, mask)
    timed = timed_steps(outputs) if span is None and L is None else None
    if L is not None:
        T, shape, valid = len(outputs), outputs.shape[1:], None
    elif span is not None:  # of a fused layer: the losses of all steps in one node
        T, shape = len(span), shape_of(outputs)[1:]
        valid = frame.valid(mask, (T, *shape[:-1]))
        L = ops.sum_(frame.whole(outputs, frame.rows(targets, T), valid, span))
    elif timed is not None or isinstance(outputs, (list, tuple)) or len(shape_of(outputs)) == 3:
        steps = Steps(outputs if timed is None else [y for _, y in timed], name="y")
        T, shape = len(steps), steps.shape() or ()
        valid = frame.valid(mask, (T, *shape[:-1]))
        rows = frame.rows(targets, T)
        losses = [frame.timed(steps, t, rows[t], None if valid is None else valid[t])
                  for t in range(T)]
        if not losses:
            return (ops.sum_(outputs) if isinstance(outputs, Node) else Tensor(0.0)).named("L")
        L = sum_of(*losses)  # one circle with an arrow from every step
    else:
        y: Any = outputs if isinstance(outputs, Node) else Tensor(outputs)
        T, shape = 1, shape_of(y)
        valid = frame.valid(mask, shape[:-1])
        L = frame(y, targets, valid)
    if not divided_by:
        return L.named("L")
    n = T if divided_by == "the steps" else frame.count(T, shape, valid)
    if n == 0:
        raise InputError("there is no valid entry to take the mean of", where=where,
                         fix='reduction="sum" gives 0')
    return (L * (1.0 / n) if n > 1 else L).named("L")


class StepLoss:
    """L_t: what the samples of one step cost, as one number. `mean` over them, or their sum."""

    def __init__(self, cost: Cost, mean: bool, by_entry: bool, where: str) -> None:
        self.cost, self.mean, self.by_entry, self.where = cost, mean, by_entry, where

    def timed(self, steps: Steps, t: int, target: Any, valid: Any) -> Any:
        """L_t, at the step of y_t."""
        made = steps.parts[t] if isinstance(steps.parts, list) else None
        step = made.step if isinstance(made, Node) else None
        with switch(step=first_step() + t if step is None else step):
            if valid is not None and not valid.any():
                y = steps.parts if made is None else made
                real = np.dtype(getattr(y, "dtype", "O")).kind == "f"
                # no arrow from y_t: nothing of it counts
                return Tensor(0.0, name="L", dtype=y.dtype if real else None)
            return self(steps[t], target, valid).named("L")

    def together(self, outputs: Any, targets: Any, mask: Any) -> Any:
        """The sum of all L_t, where they can be computed together; else None."""
        if self.cost is not per_sample.cross_entropy or mask is not None:
            return None
        return softmax_costs(outputs, targets, self.mean)

    def __call__(self, y: Any, target: Any, valid: Any = None) -> Any:
        costs = self.costs(y, target, valid)
        n = self.averaged(shape_of(costs), y)
        summed = ops.sum_(costs) if shape_of(costs) else costs
        return summed * (1.0 / n) if n > 1 else summed

    def whole(self, y: Any, targets: Any, valid: Any, span: range) -> Any:
        """L_t of all the steps that y covers: (T, ..., O) -> (T,)."""
        if isinstance(targets, (list, tuple)):
            nodes = any(isinstance(target, Node) for target in targets)
            targets = ops.stack(*targets, axis=0) if nodes else np.stack(targets)
        classes = isinstance(targets, np.ndarray) and targets.shape == y.shape[:-1]
        if self.cost is per_sample.cross_entropy and classes and valid is None:
            n = self.averaged(targets.shape[1:], y)
            return softmax_losses(y, targets, 1.0 / n, span)
        with switch(step=None, span=span):
            costs = self.costs(y, targets, valid)
            shape = shape_of(costs)
            n = self.averaged(shape[1:], y)
            summed = ops.sum_(costs, axis=tuple(range(1, len(shape)))) if shape[1:] else costs
            return (summed * (1.0 / n) if n > 1 else summed).named("L")

    def costs(self, y: Any, target: Any, valid: Any) -> Any:
        """What each sample, or each entry, costs."""
        possible(target, y, valid, self.where)
        if self.by_entry:
            target = self.fitting(target, y)
        return self.cost(y, target) if valid is None else self.masked(y, target, valid)

    def averaged(self, samples: tuple[int, ...], y: Any) -> int:
        """How many costs a step's loss is the mean of; 1 where it is their sum."""
        n = math.prod(samples) if self.mean else 1
        if n == 0:
            raise InputError(f"there is nothing to average in outputs of shape {shape_of(y)}",
                             where=self.where, fix='reduction="sum" gives 0')
        return n

    def masked(self, y: Any, target: Any, valid: Any) -> Any:
        """The costs, exactly 0 where masked. Zeros are put in before a cost is computed, and again
        after: in between, 0 times NaN would be NaN."""
        rows = valid[..., None] if shape_of(y) else valid
        like_y = len(shape_of(target)) == len(shape_of(y))
        zeros = ops.where if isinstance(target, Node) else select
        target = zeros(target, 0, condition=rows if like_y else valid)
        costs = self.cost(ops.where(y, 0.0, condition=rows), target)
        return ops.where(costs, 0.0, condition=rows if self.by_entry else valid)

    # --- what fits ------------------------------------------------------------------------------

    def rows(self, targets: Any, T: int) -> Any:
        """Targets by step: a node or a list as it is, else an array."""
        rows: Any = targets if isinstance(targets, (Node, list, tuple)) else np.asarray(targets)
        got = len(rows) if isinstance(rows, (list, tuple)) else (*shape_of(rows), "a number")[0]
        if got != T:
            raise ShapeError(f"expected targets for the {T} steps of outputs, got {got}",
                             where=self.where)
        return rows

    def fitting(self, target: Any, y: Any) -> Any:
        """Targets of the shape of y, as real numbers of its type: (B,) beside (B, 1) would quietly
        become (B, B)."""
        got, expected = shape_of(target), shape_of(y)
        if got != expected:
            raise ShapeError(f"expected targets of the shape of the outputs, {expected}, got {got}",
                             where=self.where)
        if isinstance(target, Node):
            return target
        return float(target) if y.is_scalar else np.asarray(target).astype(y.dtype, copy=False)

    def valid(self, mask: Any, samples: tuple[int, ...]) -> Any:
        """The mask as an array of bools, one for each sample; None if there is none."""
        if mask is None:
            return None
        valid = np.asarray(mask)
        if valid.shape != samples:
            raise ShapeError(f"expected a mask of shape {samples}, one entry for each sample of "
                             f"the outputs, got {valid.shape}", where=self.where)
        if valid.dtype.kind != "b" and not np.isin(valid, (0, 1)).all():
            raise InputError("expected a mask of True (valid) and False", where=self.where)
        return valid.astype(bool)

    def count(self, T: int, shape: tuple[int, ...], valid: Any) -> int:
        """How many costs are valid."""
        rows = T * math.prod(shape[:-1]) if valid is None else int(valid.sum())
        return rows * shape[-1] if self.by_entry and shape else rows


def select(x: Any, zero: Any, condition: Any) -> Any:
    """x where the condition holds, 0 elsewhere, in x's own type: classes stay whole numbers."""
    x = np.asarray(x)
    return np.where(condition, x, np.zeros((), x.dtype))
