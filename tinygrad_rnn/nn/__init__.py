"""Recurrent networks: cells, layers, losses and generation, on the graph of the core.

Legend of all docstrings: B batch, T time, I input, H hidden, O output.
"""

from .activations import ACTIVATIONS
from .bidirectional import Bidirectional
from .cells import Cell, RNNCell
from .deep import DeepRNNCell, ReadoutCell, SkipRNNCell
from .feedforward import MLP, Dropout, Embedding, LayerNorm, Sequential
from .gated import GRUCell, LSTMCell, LSTMState
from .generate import generate, one_hot
from .layer import Layer
from .linear import Linear
from .losses import binary_cross_entropy, cross_entropy, huber, squared_error
from .module import Module
from .recurrent import GRU, LSTM, RNN, Recurrent, unroll
from .stacked import Stacked

__all__ = [
    "ACTIVATIONS", "GRU", "LSTM", "MLP", "RNN", "Bidirectional", "Cell", "DeepRNNCell", "Dropout",
    "Embedding", "GRUCell", "LSTMCell", "LSTMState", "Layer", "LayerNorm", "Linear", "Module",
    "RNNCell", "ReadoutCell", "Recurrent", "Sequential", "SkipRNNCell", "Stacked",
    "binary_cross_entropy", "cross_entropy", "generate", "huber", "one_hot", "squared_error",
    "unroll",
]
