"""Recurrent networks: cells, layers, losses and generation, on the graph of the core.

Legend of all docstrings: B batch, T time, I input, H hidden, O output.
"""

from .cells import Cell, RNNCell
from .gated import GRUCell, LSTMCell, LSTMState
from .generate import generate, one_hot
from .linear import Linear
from .losses import cross_entropy
from .module import Module
from .recurrent import GRU, LSTM, RNN, Recurrent, unroll

__all__ = [
    "GRU", "LSTM", "RNN", "Cell", "GRUCell", "LSTMCell", "LSTMState", "Linear", "Module",
    "RNNCell", "Recurrent", "cross_entropy", "generate", "one_hot", "unroll",
]
