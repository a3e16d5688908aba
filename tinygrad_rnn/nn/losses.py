"""The loss of a sequence: one loss at each step, and their sum.

The question this file answers: *what does "the loss" mean when there are T outputs?*
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import functions, ops
from ..core.graph import Node
from ..core.place import switch
from ..core.reductions import sum_of
from ..core.values import Tensor
from ..errors import InputError, ShapeError
from .sequence import Steps, first_step, stacked_steps

REDUCTIONS = {  # reduction: (mean over B?, mean over T?)
    "batch": (True, False),
    "sum": (False, False),
    "mean": (True, True),
}


def cross_entropy(outputs: Any, targets: Any, reduction: str = "batch") -> Any:
    """Softmax cross-entropy:  L_t = -log softmax(y_t)[target_t],  L = sum over t of L_t.

    `outputs` are the logits y_t: a layer's sequence (T, B, O) or (T, O), a list of T steps, or a
    single step (B, O) or (O,), which has a single loss. `targets` are class indices, the same shape
    without O, or distributions of the same shape. Returns a 0-d node L; every L_t is a node stamped
    with its step.

    `reduction`: "batch" (default) takes the mean over B and the sum over T, "sum" the sum over
    both, "mean" the mean over both; all three agree for B = T = 1. L is in nats. Raises
    `ShapeError` if outputs and targets differ, `InputError` for a class that is not there.
    """
    if reduction not in REDUCTIONS:
        raise InputError(f"expected reduction to be one of {', '.join(REDUCTIONS)}, "
                         f"got {reduction!r}", where="cross_entropy")
    over_batch, over_time = REDUCTIONS[reduction]
    if not is_sequence(outputs):
        y: Any = outputs if isinstance(outputs, Node) else Tensor(outputs)
        return step_loss(y, targets, over_batch).named("L")
    steps = Steps(outputs, name="y")
    T = len(steps)
    if not isinstance(targets, (Node, list, tuple)):
        targets = np.asarray(targets)
    if len(targets) != T:
        raise ShapeError(f"expected targets for the {T} steps of outputs, got {len(targets)}",
                         where="cross_entropy")
    if T == 0:
        return ops.sum_(outputs).named("L") if isinstance(outputs, Node) else Tensor(0.0, name="L")
    losses = [timed_loss(steps, t, targets[t], over_batch) for t in range(T)]
    L = sum_of(*losses)  # one circle with an arrow from every step
    return (L * (1.0 / T) if over_time and T > 1 else L).named("L")


def is_sequence(outputs: Any) -> bool:
    """Whether there is a step axis: a layer's sequence, a list of steps, or three axes."""
    return (stacked_steps(outputs) is not None or isinstance(outputs, (list, tuple))
            or np.ndim(getattr(outputs, "value", outputs)) == 3)


def timed_loss(steps: Steps, t: int, target: Any, mean: bool) -> Any:
    """L_t, at the step of y_t."""
    made = steps.parts[t] if isinstance(steps.parts, list) else None
    step = made.step if isinstance(made, Node) else None
    with switch(step=first_step() + t if step is None else step):
        y = steps[t]
        return step_loss(y, target, mean).named("L")


def step_loss(y: Any, target: Any, mean: bool) -> Any:
    """The loss of one step: the mean (or sum) over the batch."""
    losses = functions.cross_entropy(y, target)
    B = losses.size
    if losses.ndim == 0:
        return losses
    if mean and B == 0:
        raise InputError(f"there is nothing to average in outputs of shape {y.shape}",
                         where="cross_entropy", fix='reduction="sum" gives 0')
    summed = ops.sum_(losses)
    return summed * (1.0 / B) if mean and B > 1 else summed
