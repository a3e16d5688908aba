"""Rolled up: one step, and what goes round.

Three steps and a thousand give the same picture, byte for byte; and a step that does something else
than the others says so.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn


def loss_of(T, kind=nn.LSTM):
    layer, head = kind(4, 3, return_sequences=True, seed=0), nn.Linear(3, 5, name="hy", seed=1)
    return nn.cross_entropy(head(layer(np.zeros((T, 2, 4)))), np.zeros((T, 2), int))


few, many = draw.rolled(loss_of(3)), draw.rolled(loss_of(300))
print("T = 3 and T = 300 are drawn alike:", few.svg() == many.svg())

w, h = tg.Value(0.5, name="w"), tg.Value(0.9, name="h0")
for t in range(1, 101):
    with tg.timestep(t):
        h = (tg.exp(w * h) if t == 100 else tg.tanh(w * h)).named("h")
print(draw.rolled(h))

draw.rolled(loss_of(5, nn.RNN), unrolled=True).save("27_rolled.svg")
