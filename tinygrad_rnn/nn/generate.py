"""Generation: the output of a step decides the input of the next.

The question this file answers: *how does a trained recurrence write a sequence of its own?*
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import functions
from ..core.graph import Node
from ..core.place import no_grad
from ..errors import InputError
from .cells import size
from .recurrent import Recurrent, unroll

Feedback = Callable[[Any], Any]


def one_hot(indices: Any, depth: int, dtype: Any = np.float64) -> Any:
    """The rows of the identity: class indices of any shape (...) -> an array (..., depth).

    Raises `InputError` for indices outside 0 .. depth - 1, `DTypeError` for what are no whole
    numbers.
    """
    rows = functions.one_hot(indices if np.size(indices) else np.array(indices, int),
                             size(depth, "depth", "one_hot"))
    return rows.astype(dtype, copy=False)


def generate(cell_or_layer: Any, head: Callable[[Any], Any] | None, start: Any, steps: int,
             feedback: str | Feedback = "sample", temperature: float = 1.0, rng: Any = None,
             state: Any = None) -> Any:
    """Run on by itself for `steps` steps: y_t = head(h_t), and x_{t+1} follows from y_t.

    `start` is what comes first: one class index, one step (I,), or a sequence (T, I) or (T, B, I)
    that is read before the first output is used. `head` maps a state to outputs y (None: the output
    is the cell's). What is fed back, and returned:

        "sample"     a class drawn from softmax(y / temperature), one-hot      indices (steps,) or
        (steps, B) "greedy"     the class with the largest y, one-hot                     indices
        "output"     y itself                                                  the outputs (steps,
        ..., O) a function   feedback(y), an array of shape (..., I)                   the outputs

    `rng` is a seed or a `numpy.random.Generator`. The draw compares one uniform number with the
    running sum of the probabilities. Nothing is recorded. Raises `InputError` for options that
    cannot be.
    """
    cell = cell_or_layer.cell if isinstance(cell_or_layer, Recurrent) else cell_or_layer
    if not callable(feedback) and feedback not in ("sample", "greedy", "output"):
        raise InputError(f'expected feedback to be "sample", "greedy", "output" or a function, got '
                         f"{feedback!r}", where="generate")
    if not temperature > 0:
        raise InputError(f"expected a temperature above 0, got {temperature!r}", where="generate",
                         fix='feedback="greedy" always takes the likeliest class')
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise InputError(f"expected steps to be a whole number, 0 or more, got {steps!r}",
                         where="generate")
    draws = rng if hasattr(rng, "random") else np.random.default_rng(rng)
    found = []
    with no_grad():
        xs = first_inputs(cell, start)
        for _ in range(steps):
            outputs, state = unroll(cell, xs, state)
            y = outputs[-1] if head is None else head(outputs[-1])
            y = y.value if isinstance(y, Node) else np.asarray(y)
            if callable(feedback) or feedback == "output":
                found.append(y)
                x = feedback(y) if callable(feedback) else y
            else:
                index = np.argmax(y, -1) if feedback == "greedy" else sample(y, temperature, draws)
                found.append(index)
                x = one_hot(index, y.shape[-1], y.dtype)
            xs = [x]
    return np.stack(found) if found else np.zeros((0,), np.intp)


def first_inputs(cell: Any, start: Any) -> Any:
    """What is read first, as a sequence of steps."""
    values = start.value if isinstance(start, Node) else np.asarray(start)
    if values.ndim == 0:
        values = one_hot(values, cell.input_size)
    xs = values[None] if values.ndim == 1 else values
    if len(xs) == 0:
        raise InputError("expected start to hold at least one step, got none", where="generate")
    return xs


def sample(y: Any, temperature: float, draws: Any) -> Any:
    """One class for each row of y (..., O), drawn from softmax(y / temperature)."""
    z = y / temperature
    p = np.exp(z - z.max(-1, keepdims=True))
    running = np.cumsum(p / p.sum(-1, keepdims=True), -1)
    u = np.asarray(draws.random(y.shape[:-1] or None))[..., None]
    # how many classes end at or below u; the last one also takes what rounding left of 1
    return np.minimum((running <= u).sum(-1), y.shape[-1] - 1)
