"""The loss of a sequence: one loss at each step, and their sum.

The question this file answers: *what does "the loss" mean when there are T outputs?*

    L = sum over t of L_t,   L_t = the mean over the batch of what each sample costs at step t

Every L_t is a node of its own, stamped with its step. All losses share the frame (`loss_frame`);
they differ in what a sample costs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops, per_sample
from ..errors import InputError
from .fused_head import softmax_losses, summed
from .loss_frame import over_time
from .steps_joined import span_of


def cross_entropy(outputs: Any, targets: Any, reduction: str = "batch", mask: Any = None) -> Any:
    """Softmax cross-entropy:  L_t = -log softmax(y_t)[target_t],  L = sum over t of L_t.

    `outputs` are the logits y_t: a layer's sequence (T, B, O) or (T, O), a list of T steps, or a
    single step (B, O) or (O,), which has a single loss. `targets` are class indices, the same shape
    without O, or distributions of the same shape: at least 0, with the sum 1 up to 1e-6. (Targets
    that want a gradient themselves are taken as they are.) Of two axes, a layer's sequence and what
    was made of it (`y * 2.0`, `y.detach()`, `y[1:]`) counts as (T, O); any other array is one step
    (B, O). Returns a 0-d node L; every L_t is a node stamped with its step. L is in nats.

    `reduction`: "batch" (default) takes the mean over B and the sum over T, "sum" the sum over
    both, "mean" the mean over both, and "valid" the mean over the valid entries. `mask`, (T, B) or
    (T,), is True where an entry is valid. What is masked costs exactly 0 and sends back exactly 0,
    whatever the outputs and targets hold there, NaN included; a step that is masked for the whole
    batch has no arrow into the graph at all. "batch" and "mean" count it among those they divide
    by, "valid" does not.

    Raises `ShapeError` if outputs, targets and mask differ, `InputError` for a class that is not
    there or what is no distribution (where it is not masked), or if there is nothing to take the
    mean of, `DTypeError` for targets that are no real numbers. It is a `ShapeError`, too, if
    `outputs` were made of a sequence in such a way that time is no longer their first axis
    (`y.reshape(-1, O)`, `y.swapaxes(0, 1)`): "batch" could not tell what to sum.
    """
    if mask is None and type(targets) is np.ndarray and type(reduction) is str \
            and reduction == "batch":
        span = span_of(outputs)
        if span is not None and outputs.value.shape[:-1] == targets.shape and targets.size:
            # of a fused layer: the losses of all steps in one node
            return summed(softmax_losses(outputs, targets, len(span) / targets.size, span))
    return over_time(per_sample.cross_entropy, outputs, targets, reduction, mask, "cross_entropy")


def binary_cross_entropy(outputs: Any, targets: Any, reduction: str = "batch",
                         mask: Any = None) -> Any:
    """Binary cross-entropy of logits:  -t log p - (1 - t) log(1 - p),  p = sigmoid(y_t).

    `targets` has the shape of the outputs, entries between 0 and 1. L_t is the mean over B and O
    (or the sum, with reduction="sum"); all else is as in `cross_entropy`.
    """
    return over_time(per_sample.binary_cross_entropy_with_logits, outputs, targets, reduction, mask,
                     "binary_cross_entropy", by_entry=True)


def squared_error(outputs: Any, targets: Any, reduction: str = "batch", mask: Any = None) -> Any:
    """Squared error:  (y_t - target_t)².

    `targets` has the shape of the outputs. L_t is the mean over B and O (or the sum, with
    reduction="sum"); all else is as in `cross_entropy`.
    """
    return over_time(per_sample.squared_error, outputs, targets, reduction, mask, "squared_error",
                     by_entry=True)


def huber(outputs: Any, targets: Any, reduction: str = "batch", mask: Any = None,
          delta: float = 1.0) -> Any:
    """Huber's loss: d²/2 for |d| up to δ, and δ (|d| - δ/2) beyond, with d = y_t - target_t
    (Huber 1964).

    `targets` has the shape of the outputs. L_t is the mean over B and O (or the sum, with
    reduction="sum"); all else is as in `cross_entropy`.
    """
    if isinstance(delta, bool) or not isinstance(delta, (int, float, np.integer, np.floating)) \
            or not delta > 0:
        raise InputError(f"expected a delta above 0, got {delta!r}", where="huber")

    def cost(y: Any, target: Any) -> Any:
        d = y - target
        near = ops.minimum(ops.maximum(d, -delta), delta)
        return near * (d - 0.5 * near)  # both cases at once: near is d, or ±δ

    return over_time(cost, outputs, targets, reduction, mask, "huber", by_entry=True)
