"""One neuron, as on paper: values go forward, derivatives come back.

    n = x1 w1 + x2 w2 + b        y = tanh(n)        dy/dn = 1 - y²        dy/dw1 = x1 dy/dn
"""

import tinygrad_rnn as tg
from tinygrad_rnn import draw

x1, x2 = tg.Value(1.5, name="x1"), tg.Value(0.5, name="x2")
w1, w2 = tg.Value(-0.8, name="w1"), tg.Value(1.2, name="w2")
b = tg.Value(1.0, name="b")

n = (x1 * w1 + x2 * w2 + b).named("n")
y = tg.tanh(n).named("y")
y.backward()

slope = 1 - y.item() ** 2
print(f"y = {y:.4f},  1 - y² = {slope:.4f}")
print()
print(f"{'':4}{'value':>8}{'dy/d·':>10}{'by hand':>10}")
for leaf, factor in ((x1, w1), (w1, x1), (x2, w2), (w2, x2), (b, tg.Value(1.0))):
    print(f"{leaf.name:4}{leaf:8.1f}{leaf.grad:10.4f}{factor.item() * slope:10.4f}")

draw.unrolled(y).save("01_one_neuron.svg")
