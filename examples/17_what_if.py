"""The what-if zoo: each mistake that people make in a backward pass, on a switch.

    dh_t = (from above) + (from the future)        leave the second one out, and see which row of
    dL/dW_hh = sum over t of δ_t h_{t-1}ᵀ          the ledger goes wrong first
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn


def loss_of(T):
    """A recurrence over T steps with a loss at each: the loss, and W_hh."""
    draws = np.random.default_rng(0)
    rnn = nn.RNN(3, 4, return_sequences=True, seed=draws)
    head = nn.Linear(4, 3, name="hy", seed=draws)
    xs, target = draws.normal(size=(T, 2, 3)), draws.normal(size=(T, 2, 3))
    return nn.squared_error(head(rnn(xs)), target).named("L"), rnn.cell.W_hh


(long, W_long), (short, W_short) = loss_of(T=4), loss_of(T=1)
print(f"{'dL/dW_hh is off by':34}{'T = 4':>8}{'T = 1':>8}")
for mistake in tg.MISTAKES:
    off = [tg.what_if(loss, mistake).effects[W] for loss, W in ((long, W_long), (short, W_short))]
    print(f"{mistake:34}" + "".join(f"{x:8.1%}" if x > 1e-12 else f"{'–':>8}" for x in off))

print()
flow = tg.what_if(long, "no dh_next")
print(flow.ledger(W_long))
print("W_hh.grad:", W_long.grad)  # nothing of this has touched it

draw.gradient_flow(flow).save("17_what_if.svg")
