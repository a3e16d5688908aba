"""Masks: which steps of which samples are there, and where a sample's state starts anew.

The question this file answers: *what does a layer do about padding?*

A masked step does not happen: the sample's state stays, its input is not looked at (0 takes its
place, so that not even a NaN gets in), and no gradient goes there. A step that is masked for the
whole batch is not computed at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node
from ..core.values import Tensor
from ..errors import InputError, ShapeError
from .steps_joined import shape_of


class Masks:
    """`valid` and `reset`, boolean arrays (T, B) (or (T,) unbatched), or None where there is
    none."""

    def __init__(self, steps: int, valid: Any = None, reset: Any = None,
                 happening: range | None = None) -> None:
        self.steps, self.valid, self.reset, self.happening = steps, valid, reset, happening

    def missing(self, t: int) -> Any:
        """The validity of step t (B,) if some sample is masked there; None if none is."""
        return None if self.valid is None or self.valid[t].all() else self.valid[t]

    def anew(self, t: int) -> Any:
        """The samples whose state starts anew at step t, if there are any; else None."""
        return None if self.reset is None or not self.reset[t].any() else self.reset[t]

    def backwards(self) -> Masks:
        """The same for a pass in reverse: where a sequence begins at t, the one before it ends, so
        that the state starts anew at t - 1."""
        if self.reset is None:
            return self
        shifted = np.concatenate([self.reset[1:], np.zeros_like(self.reset[:1])])
        return Masks(self.steps, self.valid, shifted)

    def part(self, taken: range) -> Masks:
        """Those of some of the steps; of these the same ones happen as among all."""
        window, (start, stop) = self.window(), (taken.start, taken.stop)
        a, b = (min(max(t, start), stop) - start for t in (window.start, window.stop))
        valid, reset = (None if m is None else m[start:stop] for m in (self.valid, self.reset))
        return Masks(len(taken), valid, reset, range(a, b))

    def window(self) -> range:
        """The steps from the first to the last at which something happens to some sample."""
        if self.happening is not None:
            return self.happening
        if self.valid is None:
            return range(self.steps)
        happens = self.valid if self.reset is None else self.valid | self.reset
        busy = np.flatnonzero(happens.reshape(self.steps, -1).any(1))
        return range(int(busy[0]), int(busy[-1]) + 1) if len(busy) else range(0)


def read_masks(steps: int, batch: tuple[int, ...], mask: Any, lengths: Any, reset_mask: Any,
               where: str) -> Masks:
    """What the arguments of a call say. Raises `ShapeError` and `InputError`, naming both sides.

    `mask` (T, B), True where a step is valid; or `lengths` (B,), how many steps of each sample
    are; `reset_mask` (T, B), True where another sequence begins. Without a batch: (T,), a number.
    """
    if mask is not None and lengths is not None:
        raise InputError("expected a mask or lengths, got both", where=where)
    if lengths is not None:
        return Masks(steps, from_lengths(steps, batch, lengths, where),
                     booleans(steps, batch, reset_mask, "reset_mask", where))
    return Masks(steps, booleans(steps, batch, mask, "mask", where),
                 booleans(steps, batch, reset_mask, "reset_mask", where))


def booleans(steps: int, batch: tuple[int, ...], given: Any, name: str, where: str) -> Any:
    """A mask as booleans of shape (T, *batch)."""
    if given is None:
        return None
    array = np.asarray(given.value if isinstance(given, Node) else given)
    expected = (steps, *batch)
    if array.shape != expected:
        turned = array.ndim == 2 and array.shape == expected[::-1]
        raise ShapeError(f"expected {name} of shape {expected}, got {array.shape}", where=where,
                         fix=f"Time is the first axis: {name}.T" if turned else "")
    if array.dtype.kind != "b" and not np.isin(array, (0, 1)).all():
        raise InputError(f"expected {name} to hold True and False, got dtype {array.dtype}",
                         where=where)
    return array.astype(bool)


def from_lengths(steps: int, batch: tuple[int, ...], lengths: Any, where: str) -> Any:
    """The mask of sequences that are padded at the end."""
    array = np.asarray(lengths)
    if array.shape != batch:
        raise ShapeError(f"expected lengths of shape {batch}, one for each sample, "
                         f"got {array.shape}", where=where)
    if array.dtype.kind not in "iu" or array.size and (array.min() < 0 or array.max() > steps):
        raise InputError(f"expected lengths to be whole numbers from 0 to {steps}, the number of "
                         f"steps, got {array.tolist()}", where=where)
    return np.arange(steps).reshape(steps, *(1,) * len(batch)) < array


def choose(condition: Any, new: Any, old: Any) -> Any:
    """`new` for the samples where the condition (B,) holds, `old` (zeros if None) for the
    others."""
    if not isinstance(new, Node) and not isinstance(new, np.ndarray):
        return new  # a count, a word: not a sample's own
    column = condition.reshape(condition.shape + (1,) * (len(shape_of(new)) - condition.ndim))
    if isinstance(new, Node) or isinstance(old, Node):
        return ops.where(new, 0.0 if old is None else old, condition=column)
    return np.where(column, new, 0.0 if old is None else old)


def select(x: Any, valid: Any) -> Any:
    """A step's input with 0 where it is masked, whatever stood there."""
    return choose(valid, x if isinstance(x, Node) else np.asarray(x), None)


def stay(part: Any) -> Any:
    """A node of this step with the value of the step before: nothing happens here."""
    return ops.where(part, 0.0, condition=True) if isinstance(part, Node) else part


def zeros(shape: tuple[int, ...], dtype: Any) -> Tensor:
    """A constant of this step: the output where there is none."""
    return Tensor(np.zeros(shape, dtype))


def dropout_mask(rng: np.random.Generator, shape: tuple[int, ...], p: float, dtype: Any) -> Any:
    """0 with probability p, else 1 / (1 - p): the expected value of an entry stays."""
    return ((rng.random(shape) >= p) / (1.0 - p)).astype(dtype)
