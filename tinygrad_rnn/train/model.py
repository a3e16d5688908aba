"""The character model: a recurrence that predicts the next character.

The question this file answers: *what does the whole model look like, from text to loss?*

    h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)     (or an LSTM, or a GRU)
    y_t = W_hy h_t + b_y
    L = sum over t of -log softmax(y_t)[the next character]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from ..errors import InputError
from .data import Text

KINDS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class CharacterModel(nn.Module):
    """Reads one-hot characters (T, V) and gives logits (T, V) for what comes next.

    `kind` is "rnn", "lstm" or "gru"; with `layers` above 1 they are stacked.
    """

    def __init__(self, text: Text, hidden_size: int, seed: Any = None, *, kind: str = "rnn",
                 layers: int = 1) -> None:
        if kind not in KINDS:
            raise InputError(f"expected kind to be one of {', '.join(KINDS)}, got {kind!r}",
                             where="CharacterModel")
        rng = np.random.default_rng(seed)
        self.text = text
        rows = [KINDS[kind](text.size if k == 0 else hidden_size, hidden_size,
                            return_sequences=True, return_state=True, seed=rng)
                for k in range(layers)]
        self.rnn: Any = rows[0] if layers == 1 else nn.Stacked(rows)
        self.head = nn.Linear(hidden_size, text.size, name="hy", seed=rng)

    def loss(self, read: str, following: str, state: Any = None) -> tuple[Any, Any]:
        """The loss of predicting `following` while reading `read`, and the state afterwards."""
        states, state = self.rnn(self.text.one_hot(read), state)
        return nn.cross_entropy(self.head(states), self.text.encode(following)), state

    def generate(self, start: str, length: int, feedback: str = "sample", temperature: float = 1.0,
                 seed: Any = None) -> str:
        """`start`, carried on by `length` characters of the model's own."""
        numbers = nn.generate(self.rnn, self.head, self.text.one_hot(start), length, feedback,
                              temperature, seed)
        return start + self.text.decode(numbers)

    def settings(self) -> str:
        return f"V={self.text.size}, H={self.rnn.output_size}"
