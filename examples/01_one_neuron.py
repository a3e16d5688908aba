"""One neuron, as on paper: a value, a derivative on every edge, a gradient at every leaf.

    n = x1 w1 + x2 w2 + b        y = tanh(n)
"""

import tinygrad_rnn as tg
from tinygrad_rnn import draw

x1, x2 = tg.Value(2.0, name="x1"), tg.Value(0.0, name="x2")
w1, w2 = tg.Value(-3.0, name="w1"), tg.Value(1.0, name="w2")
b = tg.Value(6.88, name="b")

n = (x1 * w1 + x2 * w2 + b).named("n")
y = tg.tanh(n).named("y")
y.backward()

print(f"y = {y.item():.4f}")
print(f"{'':4} {'value':>8} {'dy/d(.)':>8}")
for leaf in (x1, w1, x2, w2, b):
    print(f"{leaf.label:4} {leaf.item():8.3f} {leaf.grad:8.3f}")

draw.unrolled(y).save("01_one_neuron.svg")
