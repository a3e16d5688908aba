"""The gradient of a gradient: with create_graph=True a gradient is a graph too, and goes on.

    y = tanh(x)        y' = 1 - y²        y'' = -2 y y'        y''' = -2 (y'² + y y'')
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw

x = tg.Value(0.5, name="x")
orders = [tg.tanh(x).named("y")]
for _ in range(3):
    orders.append(tg.grad(orders[-1], x, create_graph=True))

y = np.tanh(0.5)
d1 = 1 - y**2
d2 = -2 * y * d1
d3 = -2 * (d1**2 + y * d2)
print(f"{'order':>5}{'by the graph':>15}{'by hand':>11}{'nodes':>8}")
for order, (node, hand) in enumerate(zip(orders, (y, d1, d2, d3))):
    print(f"{order:5}{node:15.6f}{hand:11.6f}{len(tg.nodes(node)):8}")


def energy(h):
    """The squared length of a state after three steps of h <- tanh(W h)."""
    W = np.array([[0.5, -0.8], [0.8, 0.5]])
    for t in range(1, 4):
        with tg.timestep(t):
            h = np.tanh(W @ h)
    return (h * h).sum()


print()
print("The Hessian of three steps of a recurrence:")
for row in tg.hessian(energy, np.array([0.3, -0.2])):
    print("  " + "".join(f"{entry:9.4f}" for entry in row))

draw.unrolled(orders[2].named("y''")).save("06_gradient_of_a_gradient.svg")
