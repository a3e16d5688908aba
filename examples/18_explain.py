"""Explain: the derivation of a gradient, generated from the graph, with its numbers.

    h_3 = w h_2 = w (w (w x_0))       ∂h_3/∂w = 3 w² x_0, as three terms, one for each use of w
    a network's W_hh                  the same, with δ_t where the scalar has a number
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

w, h = tg.Value(0.2, name="w"), tg.Value(0.9, name="x0")
for t in (1, 2, 3):
    with tg.timestep(t):
        h = (w * h).named("h")
print(tg.gradient_flow(h).explain(w))

print("\n" + "-" * 72 + "\n")
rnn = nn.RNN(2, 2, seed=0)  # many to one: L sees the last state only
last = rnn(np.random.default_rng(0).normal(size=(3, 1, 2)))
loss = (last ** 2).sum().named("L")
derivation = tg.gradient_flow(loss).explain(rnn.cell.W_hh)
print(derivation)

print("\n" + "-" * 72 + "\n")
print("\n".join(derivation.latex.splitlines()[4:10]))  # for notes; in a notebook it shows itself
