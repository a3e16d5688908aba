"""The ledger: every contribution to a shared weight, at every step, and where it was lost.

    dL/dW_hh = sum over t of δ_t h_{t-1}ᵀ        one row for each t
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

rng = np.random.default_rng(0)
xs = rng.normal(size=(8, 1, 4))  # T = 8 steps, B = 1
rnn = nn.RNN(input_size=4, hidden_size=3, seed=0)
loss = (rnn(xs) ** 2).sum().named("L")  # many to one: the loss sees the last step only

flow = tg.gradient_flow(loss)
print(flow.ledger(rnn.cell.W_hh))
print()
print(" t   ‖∂L/∂h_t‖")
for t, norm in flow.norms("h").items():
    print(f"{t:2}   {norm:.2e}  {'#' * max(1, round(40 + 10 * np.log10(norm))) if norm else ''}")

draw.gradient_flow(flow).save("04_the_ledger.svg")
