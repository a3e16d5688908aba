"""The ledger: what every step gave to the gradient of a shared weight, and where it got lost.

    dL/dW_hh = sum over t of δ_t h_{t-1}ᵀ        one row for each t; here L sees the last step only
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

xs = np.random.default_rng(0).normal(size=(12, 1, 4))  # T = 12 steps, B = 1, I = 4
rnn = nn.RNN(input_size=4, hidden_size=3, seed=0)
loss = (rnn(xs) ** 2).sum().named("L")

flow = tg.gradient_flow(loss)
print(flow.ledger(rnn.cell.W_hh))
print()
norms = flow.norms("h")
print(" t   ‖∂L/∂h_t‖   one # for each factor of 2 above the smallest")
for t, norm in norms.items():
    print(f"{t:2}   {norm:9.2e}   {'#' * (1 + round(np.log2(norm / min(norms.values()))))}")

draw.gradient_flow(flow).save("04_the_ledger.svg")
