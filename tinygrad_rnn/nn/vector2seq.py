"""Vector to sequence: one vector, a picture say, becomes a sequence.

The question this file answers: *how can something without steps steer every step?*
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..core import ops
from ..core.place import contained
from ..core.values import Tensor
from ..errors import InputError, ShapeError
from . import init as inits
from .cells import AffineCell, Cell
from .feedback import Function, Heard, Input, beside, how_many, known, length_of, rest, run_on
from .module import Module, parameter
from .options import function, size
from .recurrent import Recurrent
from .sequence import Steps, given_step
from .steps_joined import join, shape_of, untaken


class VectorToSequence(Module):
    """A recurrence that hears a vector c at every step, as an extra bias:

        h_t = φ(W_xh x_t + W_hh h_{t-1} + R c + b_h),  t = 1..T     (Goodfellow et al. 2016, 10.2.4)

    Parameter: `R` (H, C), beside those of `cell`, an `RNNCell`; of a gated cell it has rows for all
    gates, (4H, C) or (3H, C).

    Called as `model(context, xs=None, steps=None, targets=None, initial_state=None)`, with
    `context` (B, C) or (C,), it returns the states h_t, (T, B, H), or with a `head` the outputs
    y_t = head(h_t), (T, B, O). `xs` are the inputs x_t; without them x_t = 0, for `steps` steps.

    With `feedback` ("teacher", "free" or "free_detached", see `OutputFeedback`) the output before
    is read as well: [x_t; y_{t-1}] takes the place of x_t, or y_{t-1} if there are no `xs`; y_0 is
    0. A call may give another `feedback`.

    Raises `ShapeError` and `InputError` for what does not fit and what is missing.
    """

    def __init__(self, cell: Any, context_size: int, head: Function | None = None,
                 feedback: str | None = None, *, feed: Function | None = None,
                 init: str | inits.Init = "uniform", seed: Any = None) -> None:
        where = "VectorToSequence"
        cell = plain_cell(cell, where) if isinstance(cell, Recurrent) else cell
        if not isinstance(cell, AffineCell):
            raise InputError("expected an RNNCell, LSTMCell or GRUCell, or a layer of one, got "
                             f"{type(cell).__name__}", where=where)
        self.context_size = size(context_size, "context_size", where)
        self.cell, self.head = cell, function(head, "head", where)
        self.feed = function(feed, "feed", where)
        self.feedback = None if feedback is None else known(feedback, where)
        shape = (len(cell.gates) * cell.hidden_size, self.context_size)
        R = inits.values(inits.find(init, where), inits.generator(seed, where), shape,
                         cell.hidden_size, cell.dtype, "R", where)
        self.R = parameter(R, "R")

    @contained
    def __call__(self, context: Any, xs: Any = None, steps: int | None = None, targets: Any = None,
                 initial_state: Any = None, feedback: str | None = None) -> Any:
        feedback = self.feedback if feedback is None else known(feedback, "VectorToSequence")
        c = given_step(context, "c", self.cell.dtype)
        if c.ndim not in (1, 2) or c.shape[-1] != self.context_size:
            raise ShapeError(f"expected a context of shape (B, {self.context_size}) or "
                             f"({self.context_size},), got {c.shape}",
                             where=f"VectorToSequence({self.settings()})")
        layer = Recurrent(ContextCell(self.cell, self.R, c), return_sequences=True)
        given = None if xs is None else \
            Steps(untaken(xs, context, initial_state), dtype=self.cell.dtype)
        length = len(given) if given is not None else \
            None if targets is None else length_of(targets)
        T = how_many(length, steps, "VectorToSequence")
        if given is not None and len(given) < T:
            raise InputError(f"expected inputs for {T} steps, got {len(given)}",
                             where="VectorToSequence")
        input_at = self.inputs(layer, given, c.shape[:-1], targets, feedback, T)
        return join(run_on(layer, self.head, T, initial_state, input_at)[0])

    def inputs(self, layer: Recurrent, xs: Steps | None, batch: tuple[int, ...], targets: Any,
               feedback: str | None, T: int) -> Input:
        """What the cell reads at each step."""
        width, dtype = self.cell.input_size, self.cell.dtype
        if feedback is None:
            if xs is None:
                return lambda t, y: Tensor(np.zeros((*batch, width)), name="x", dtype=dtype)
            return lambda t, y: xs[t]
        if xs is not None:
            width = rest(layer, xs.shape() or (0,))
        heard = Heard(feedback, self.feed, targets, (*batch, width), dtype)
        heard.enough(T)
        return heard if xs is None else lambda t, y: beside(xs[t], heard(t, y))

    def settings(self) -> str:
        fed = "" if self.feedback is None else f", feedback={self.feedback}"
        return f"C={self.context_size}{fed}"


def plain_cell(layer: Recurrent, where: str) -> Any:
    """The cell of a layer, if the layer has no options that would be lost with it."""
    lost = [f"{name}={getattr(layer, name)}" for name in ("reverse", "recurrent_dropout", "flatten")
            if getattr(layer, name)]
    lost += [f"initial_state={layer.start!r}"] * (layer.start != "zeros")
    if lost:
        raise InputError(f"only the cell of a layer is used: {', '.join(lost)} would do nothing",
                         where=where, fix="Give the cell, and a first state as initial_state")
    return layer.cell


class ContextCell(Cell):
    """A cell whose bias is R c + b_h. R c is computed at every step: there it has its use, and its
    row in the ledger."""

    def __init__(self, cell: AffineCell, R: Any, c: Any) -> None:
        self.input_size, self.hidden_size, self.dtype = (cell.input_size, cell.hidden_size,
                                                         cell.dtype)
        self.state_names, self.State = cell.state_names, cell.State
        self.cell, self.R, self.c = cell, R, c

    def __call__(self, x: Any, state: Any) -> tuple[Any, Any]:
        if shape_of(x)[:-1] != shape_of(self.c)[:-1]:
            raise ShapeError(f"expected a context for x of shape {shape_of(x)}, got "
                             f"{shape_of(self.c)}", where="VectorToSequence")
        biased = copy.copy(self.cell)
        b = ops.linear(self.c, self.R)
        biased.b_h = b if self.cell.b_h is None else b + self.cell.b_h
        return biased(x, state)

    def settings(self) -> str:
        return self.cell.settings()
