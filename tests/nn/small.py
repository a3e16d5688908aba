"""Small cells, a head and what they are given, for the tests of models with several parts."""

import numpy as np

from tinygrad_rnn import nn

B, I, H, O, T = 2, 3, 4, 3, 5
rng = np.random.default_rng(0)
XS, TARGETS, CLASSES = rng.normal(size=(T, B, I)), rng.normal(size=(T, B, O)), \
    rng.integers(0, O, (T, B))
CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}


def parts(kind="rnn", width=I):
    return CELLS[kind](width, H, seed=1), nn.Linear(H, O, name="hy", seed=2)
