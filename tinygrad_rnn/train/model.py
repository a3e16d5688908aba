"""The character model: a vanilla recurrence that predicts the next character.

The question this file answers: *what does the whole model look like, from text to loss?*

    h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)
    y_t = W_hy h_t + b_y
    L = sum over t of -log softmax(y_t)[the next character]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from .data import Text


class CharacterModel(nn.Module):
    """Reads one-hot characters (T, V) and gives logits (T, V) for what comes next."""

    def __init__(self, text: Text, hidden_size: int, seed: Any = None) -> None:
        rng = np.random.default_rng(seed)
        self.text = text
        self.rnn = nn.RNN(text.size, hidden_size, return_sequences=True, return_state=True,
                          seed=rng)
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
        return f"V={self.text.size}, H={self.rnn.cell.hidden_size}"
