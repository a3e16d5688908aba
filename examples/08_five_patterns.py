"""The five patterns: one cell, wired to one input or many, one output or many.

Every one is h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h) with y = W_hy h + b_y. They differ in which
x_t there are, and in which y_t are read. W_hh is used once at each step.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

T, B, I, H, O = 5, 2, 3, 4, 3
xs = np.random.default_rng(0).normal(size=(T, B, I))
every = nn.RNN(I, H, return_sequences=True, seed=0)
last = nn.RNN(I, H, seed=0)  # the default: the last output only
head = nn.Linear(H, O, name="hy", seed=1)
writer = nn.OutputFeedback(every, head)  # y_t becomes x_{t+1}
pair = nn.EncoderDecoder(nn.RNN(I, H, seed=2), nn.RNN(O, 6, seed=3), head=nn.Linear(6, O, seed=4))

patterns = [
    ("one to one", "a single step", (B, I), last, head(last(xs[:1]))),
    ("many to one", "the last output", xs.shape, last, head(last(xs))),
    ("many to many", "every output", xs.shape, every, head(every(xs))),
    ("one to many", "y_t becomes x_{t+1}", (B, I), every, writer(xs[0], steps=T)),
    ("many to many", "read, then write", xs.shape, pair.encoder, pair(xs, steps=3)),
    ("", "", "", pair.decoder, pair(xs, steps=3)),
]
print(f"{'pattern':14}{'':22}{'x':11}{'y':11}   W_hh is used at the steps")
for name, how, shape, layer, y in patterns:
    steps = [node.step for node, _ in tg.uses(y, layer.cell.W_hh)]
    whose = {pair.encoder: "encoder", pair.decoder: "decoder"}.get(layer, "")
    print(f"{name:14}{how:22}{shape!s:11}{str(y.shape) * bool(name):11}   {whose}", *steps)
