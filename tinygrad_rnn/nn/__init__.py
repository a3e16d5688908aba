"""Recurrent networks: cells, layers, losses and generation, on the graph of the core.

Legend of all docstrings: B batch, T time, I input, H hidden, O output.

To read the source: `cells` (one step), `unrolling` (that step again and again), `recurrent` and
`layer` (what a layer takes and returns), `gated` (LSTM, GRU), `stacked` and `bidirectional`; then
`masking`, `deep`, `seq2seq` and the rest as they are needed.
"""

from .activations import ACTIVATIONS
from .bidirectional import Bidirectional
from .cells import Cell, RNNCell
from .deep import DeepRNNCell, ReadoutCell, SkipRNNCell
from .feedback import FEEDBACKS, OutputFeedback
from .feedforward import MLP, Dropout, Embedding, LayerNorm, Sequential
from .gated import GRUCell, LSTMCell, LSTMState
from .generate import generate, greedy, one_hot, sampled
from .kinds import GRU, LSTM, RNN
from .layer import Layer
from .linear import Linear
from .losses import binary_cross_entropy, cross_entropy, huber, squared_error
from .module import Module
from .recurrent import Recurrent, unroll
from .seq2seq import EncoderDecoder
from .stacked import Stacked
from .vector2seq import VectorToSequence

__all__ = [
    "ACTIVATIONS", "FEEDBACKS", "GRU", "LSTM", "MLP", "RNN", "Bidirectional", "Cell", "DeepRNNCell",
    "Dropout", "Embedding", "EncoderDecoder", "GRUCell", "LSTMCell", "LSTMState", "Layer",
    "LayerNorm", "Linear", "Module", "OutputFeedback", "RNNCell", "ReadoutCell", "Recurrent",
    "Sequential", "SkipRNNCell", "Stacked", "VectorToSequence", "binary_cross_entropy",
    "cross_entropy", "generate", "greedy", "huber", "one_hot", "sampled", "squared_error", "unroll",
]
