"""Generation: the output of a step decides the input of the next.

The question this file answers: *how does a trained recurrence write a sequence of its own?*
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import per_sample
from ..core.graph import Node
from ..core.place import contained, no_grad
from ..errors import InputError
from .feedback import as_layer, onward
from .init import generator
from .layer import Layer
from .masking import Masks
from .options import REAL, function, size

Feedback = Callable[[Any], Any]


def one_hot(indices: Any, depth: int, dtype: Any = np.float64) -> Any:
    """The rows of the identity: class indices of any shape (...) -> an array (..., depth).

    Raises `InputError` for indices outside 0 .. depth - 1, `DTypeError` for what are no whole
    numbers.
    """
    try:
        kind = np.dtype(dtype).kind
    except (TypeError, ValueError):
        kind = "O"
    if kind not in "fiub":
        raise InputError(f"expected dtype to be a type of numbers, got {dtype!r}", where="one_hot")
    rows = per_sample.one_hot(indices if np.size(indices) else np.array(indices, int),
                             size(depth, "depth", "one_hot"))
    return rows.astype(dtype, copy=False)


@contained
def generate(cell_or_layer: Any, head: Callable[[Any], Any] | None, start: Any, steps: int,
             feedback: str | Feedback = "sample", temperature: float = 1.0, rng: Any = None,
             state: Any = None) -> Any:
    """Run on by itself for `steps` steps: y_t = head(h_t), and x_{t+1} follows from y_t.

    `cell_or_layer` is a cell, a recurrent layer or a stack of them, and `state` what it starts from
    (None: its own initial state). `start` is what comes first: one class index, one step (I,), or a
    sequence (T, I) or (T, B, I) that is read before the first output is used. `head` maps an output
    of the layer to y (None: it is y). What is fed back, and returned:

        "sample"     a class drawn from softmax(y / temperature), one-hot    indices (steps, ...)
        "greedy"     the class with the largest y, one-hot                   indices (steps, ...)
        "output"     y itself                                                outputs (steps, ..., O)
        a function   feedback(y), an array of shape (..., I)                 outputs (steps, ..., O)

    `rng` is a seed or a `numpy.random.Generator`. The draw compares one uniform number with the
    running sum of the probabilities. Nothing is recorded. Raises `InputError` for options that
    cannot be, and for a y from which no class can be taken, NaN for instance.
    """
    layer = onward(as_layer(cell_or_layer), "generate")
    head, words = function(head, "head", "generate"), ("sample", "greedy", "output")
    if not callable(feedback) and not (isinstance(feedback, str) and feedback in words):
        raise InputError(f'expected feedback to be "sample", "greedy", "output" or a function, got '
                         f"{feedback!r}", where="generate")
    draw = sampled(temperature, rng) if feedback == "sample" else greedy
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise InputError(f"expected steps to be a whole number, 0 or more, got {steps!r}",
                         where="generate")
    found = []
    with no_grad():
        xs = first_inputs(layer, start)
        for _ in range(steps):
            run = layer.run(layer.steps(xs), state, Masks(len(xs)), None)
            y, state = run.outputs[-1], run.state
            y = y if head is None else head(y)
            y = y.value if isinstance(y, Node) else np.asarray(y)
            if callable(feedback) or feedback == "output":
                found.append(y)
                x = feedback(y) if callable(feedback) else y
            else:
                x = draw(y)
                found.append(np.argmax(x, -1))
            xs = [x]
    return np.stack(found) if found else np.zeros((0,), np.intp)


def first_inputs(layer: Layer, start: Any) -> Any:
    """What is read first, as a sequence of steps."""
    values = start.value if isinstance(start, Node) else np.asarray(start)
    if values.ndim == 0:
        if layer.input_size is None:
            raise InputError("the number of classes is unknown for a plain function",
                             where="generate", fix="Give start as a one-hot row")
        values = one_hot(values, layer.input_size)
    xs = values[None] if values.ndim == 1 else values
    if len(xs) == 0:
        raise InputError("expected start to hold at least one step, got none", where="generate")
    return xs


# --- from an output to a class ------------------------------------------------------------------


def sampled(temperature: float = 1.0, rng: Any = None) -> Feedback:
    """The function that draws one class for each row of y (..., O) from softmax(y / temperature),
    as one-hot rows: to be fed back, in generation or as `feed` in training.

    `rng` is a seed or a `numpy.random.Generator`. Nothing goes back through a draw. Raises
    `InputError` for a temperature that is not above 0.
    """
    if isinstance(temperature, bool) or not isinstance(temperature, REAL) or not temperature > 0:
        raise InputError(f"expected a temperature above 0, got {temperature!r}", where="sampled",
                         fix="The likeliest class is what feedback=\"greedy\" takes")
    draws = rng if hasattr(rng, "random") else generator(rng, "generate", "rng")

    def draw(y: Any) -> Any:
        y = comparable(y)
        return one_hot(sample(y, temperature, draws), y.shape[-1], y.dtype)

    return draw


def greedy(y: Any) -> Any:
    """The likeliest class of each row of y (..., O), as one-hot rows."""
    y = comparable(y)
    return one_hot(np.argmax(y, -1), y.shape[-1], y.dtype)


def comparable(y: Any) -> Any:
    """y as an array from which a class can be taken: with NaN, or +inf, there is no likeliest."""
    y = y.value if isinstance(y, Node) else np.asarray(y)
    if y.dtype.kind not in "fiub" or not y.ndim:
        raise InputError(f"expected outputs (..., O) to draw a class from, got {y.dtype} of shape "
                         f"{y.shape}", where="generate")
    if np.isnan(y).any() or np.isposinf(y).any() or np.isneginf(y).all(-1).any():
        raise InputError("expected outputs from which a class can be drawn, got NaN or Inf",
                         where="generate", fix="tg.detect_anomaly() finds the first one")
    return y


def sample(y: Any, temperature: float, draws: Any) -> Any:
    """One class for each row of y (..., O), drawn from softmax(y / temperature)."""
    z = y / temperature
    p = np.exp(z - z.max(-1, keepdims=True))
    running = np.cumsum(p / p.sum(-1, keepdims=True), -1)
    u = np.asarray(draws.random(y.shape[:-1] or None))[..., None]
    # how many classes end at or below u; the last one also takes what rounding left of 1
    return np.minimum((running <= u).sum(-1), y.shape[-1] - 1)
