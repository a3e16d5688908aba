"""Recurrent networks: cells, layers, losses and generation, on the graph of the core.

Legend of all docstrings: B batch, T time, I input, H hidden, O output.
"""

from .activations import ACTIVATIONS
from .bidirectional import Bidirectional
from .cells import Cell, RNNCell
from .gated import GRUCell, LSTMCell, LSTMState
from .generate import generate, one_hot
from .layer import Layer
from .linear import Linear
from .losses import binary_cross_entropy, cross_entropy, huber, squared_error
from .module import Module
from .recurrent import GRU, LSTM, RNN, Recurrent, unroll
from .stacked import Stacked

__all__ = [
    "ACTIVATIONS", "GRU", "LSTM", "RNN", "Bidirectional", "Cell", "GRUCell", "LSTMCell",
    "LSTMState", "Layer", "Linear", "Module", "RNNCell", "Recurrent", "Stacked",
    "binary_cross_entropy", "cross_entropy", "generate", "huber", "one_hot", "squared_error",
    "unroll",
]
