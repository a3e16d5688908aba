"""The graph of a gradient: the backward pass, called with nodes, leaves nodes behind.

    y = tanh(w x)        dy/dw = x (1 - y²)        d²y/dw² = -2 x² y (1 - y²)
"""

import math

import tinygrad_rnn as tg
from tinygrad_rnn import draw

w, x = tg.Value(0.5, name="w"), tg.Value(2.0, name="x")
y = tg.tanh(w * x).named("y")
slope = tg.grad(y, w, create_graph=True)
print(draw.backward_graph(slope))

t = math.tanh(1.0)
print(f"dy/dw   = {slope.item():.6f}    by hand {2 * (1 - t * t):.6f}")
print(f"d²y/dw² = {tg.grad(slope, w).item():.6f}    by hand {-8 * t * (1 - t * t):.6f}")

draw.backward_graph(slope).save("25_the_graph_of_a_gradient.svg")
