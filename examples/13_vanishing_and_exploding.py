"""Vanishing and exploding: the gradient meets one Jacobian after the other.

    dL/dh_k = (J_T J_{T-1} ... J_{k+1})ᵀ dL/dh_T        J_t = diag(1 - h_t²) W_hh
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

T, B, I, H = 40, 1, 3, 8
xs = 0.3 * np.random.default_rng(0).normal(size=(T, B, I))


def jacobians(radius, nonlinearity):
    """The step Jacobians of a layer whose W_hh has this spectral radius, and the layer's loss."""
    rnn = nn.RNN(I, H, nonlinearity, return_sequences=True, return_state=True, seed=1)
    W = rnn.cell.W_hh
    W.data = W.numpy() * radius / abs(np.linalg.eigvals(W.numpy())).max()
    outputs, last = rnn(xs)
    return tg.step_jacobians(outputs), (last ** 2).sum().named("L"), W.numpy()


print(jacobians(0.5, "tanh")[0])
print()
print("φ        radius  ‖dh_40/dh_1‖  ‖W_hh^39‖  the gradient of h_40")
for nonlinearity in ("identity", "tanh"):
    for radius in (0.5, 1.0, 1.5):
        found, loss, W = jacobians(radius, nonlinearity)
        power = np.linalg.norm(np.linalg.matrix_power(W, T - 1), 2)
        print(f"{nonlinearity:9}{radius:6}{found.growth()[-1].max():14.1e}{power:11.1e}  "
              + found.verdict.removeprefix("The gradient ").partition(",")[0])
print()
print("W_hh to the power 39 is the product of the Jacobians only without tanh'.")

draw.gradient_flow(tg.gradient_flow(jacobians(0.5, "tanh")[1])).save(
    "13_vanishing_and_exploding.svg")
