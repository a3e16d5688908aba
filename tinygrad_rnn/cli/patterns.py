"""The built-in models: the patterns in which recurrences are wired, each small enough to be read.

The question this file answers: *what can be looked at without writing a program?*
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..core.place import timestep
from ..core.values import Value
from .outside import named_leaves

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
B, I, H, O = 2, 3, 4, 3  # small enough to be read


@dataclass(frozen=True)
class Pattern:
    """A row of the table: its name, what it shows, and what builds it."""

    name: str
    summary: str
    build: Callable[[int, str, int], tuple[Callable[[], Any], Any]]


def scalar(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """h_t = w h_{t-1}, the smallest recurrence: the loss is h_T = w^T x_0."""
    w, x0 = Value(0.2, name="w"), Value(0.9, name="x0")

    def loss() -> Any:
        h: Any = x0
        for t in range(1, T + 1):
            with timestep(t):
                h = (w * h).named("h")
        return h

    return loss, {"w": w, "x0": x0}


def many_to_one(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """The last output is read."""
    layer, head, draws = parts(cell, seed, return_sequences=False)
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(B, O))
    return lambda: named(nn.squared_error(head(layer(xs)), target)), weights_of(layer, head)


def many_to_many(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """Every output is read."""
    layer, head, draws = parts(cell, seed)
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(head(layer(xs)), target)), weights_of(layer, head)


def one_to_many(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """One input; then y_t becomes x_{t+1}."""
    layer, head, draws = parts(cell, seed)
    model = nn.OutputFeedback(layer, head)
    x, target = draws.normal(size=(B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(model(x, steps=T), target)), weights_of(layer, head)


def encoder_decoder(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """A sequence is read, another one is written."""
    layer, head, draws = parts(cell, seed, return_sequences=False)
    writer = CELLS[cell](O, H, return_sequences=True, seed=draws)
    model = nn.EncoderDecoder(layer, writer, head=head, seed=draws)
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(model(xs, steps=T), target)), model


def stacked(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """Two layers, one above the other."""
    below, head, draws = parts(cell, seed)
    layer = nn.Stacked([below, CELLS[cell](H, H, return_sequences=True, seed=draws)])
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(head(layer(xs)), target)), weights_of(layer, head)


def bidirectional(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """One layer from left to right, and its twin from right to left."""
    below, _, draws = parts(cell, seed)
    layer, head = nn.Bidirectional(below), nn.Linear(2 * H, O, name="hy", seed=draws)
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(head(layer(xs)), target)), weights_of(layer, head)


def parts(cell: str, seed: int, return_sequences: bool = True) -> tuple[Any, Any, Any]:
    """A layer, a head, and what the rest is drawn from."""
    draws = np.random.default_rng(seed)
    layer = CELLS[cell](I, H, return_sequences=return_sequences, seed=draws)
    return layer, nn.Linear(H, O, name="hy", seed=draws), draws


def named(loss: Any) -> Any:
    """The loss, called L."""
    return loss.named("L")


def weights_of(*modules: Any) -> dict[str, Any]:
    """The parameters of several modules, each under its own name."""
    return named_leaves([p for m in modules for p in m.parameters()])


PATTERNS = {row.name: row for row in (
    Pattern("scalar", "h_t = w h_{t-1}, one number at each step", scalar),
    Pattern("many-to-one", "a sequence is read, its last output counts", many_to_one),
    Pattern("many-to-many", "an output at every step, a loss at each", many_to_many),
    Pattern("one-to-many", "one input, then each output is the next input", one_to_many),
    Pattern("encoder-decoder", "a sequence is read, another one is written", encoder_decoder),
    Pattern("stacked", "two layers, one above the other", stacked),
    Pattern("bidirectional", "from left to right, and from right to left", bidirectional),
    Pattern("lstm", "many to many, with an LSTM", lambda T, _, seed: many_to_many(T, "lstm", seed)),
    Pattern("gru", "many to many, with a GRU", lambda T, _, seed: many_to_many(T, "gru", seed)),
)}
