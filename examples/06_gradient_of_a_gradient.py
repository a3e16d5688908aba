"""The gradient of a gradient: with create_graph=True a gradient is a graph too, and goes on.

    f(x) = x^4        f' = 4x³        f'' = 12x²        f''' = 24x        f'''' = 24
"""

import numpy as np

import tinygrad_rnn as tg

x = tg.Value(2.0, name="x")
y = x ** 4
print(f"{'order':>5} {'value':>8} {'nodes in its graph':>20}")
print(f"{0:5} {y.item():8g} {len(tg.nodes(y)):20}")
for order in range(1, 5):
    y = tg.grad(y, x, create_graph=True)
    print(f"{order:5} {y.item():8g} {len(tg.nodes(y)):20}")


def energy(h):
    """How fast a small recurrence h <- tanh(W h) moves away from where it starts."""
    W = np.array([[0.5, -0.8], [0.8, 0.5]])
    for t in range(1, 4):
        with tg.timestep(t):
            h = np.tanh(W @ h)
    return (h * h).sum()


start = np.array([0.3, -0.2])
print()
print("The Hessian of three steps of a recurrence, and its product with a vector:")
print(np.round(np.asarray(tg.hessian(energy, start)), 4))
print(np.round(np.asarray(tg.hvp(energy, start, np.array([1.0, 0.0]))), 4))
