"""Truncated backpropagation: the state is carried on, the gradient is cut, and it is said where.

    forward    x_1 ... x_k1 | x_{k1+1} ... x_{2 k1} | ...      windows of k1 steps
    backward   at most k2 steps, then the gradient ends        k2 = k1, if not given
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

T, B, I, H = 24, 4, 3, 6
draws = np.random.default_rng(0)
xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, H))
rnn = nn.RNN(I, H, return_sequences=True, init_hh="orthogonal", seed=0)


def gradient(k1, k2=None):
    """The gradient of W_hh, added up over the windows, and what each window says of itself."""
    rnn.zero_grad()
    seen = []
    for window in tg.truncated_bptt(rnn, xs, k1, k2):
        window.backward(nn.squared_error(window.outputs, target[window.steps]))
        seen.append(repr(window))
    return rnn.cell.W_hh.grad, seen


print(*gradient(8)[1], sep="\n")
print()
print("  k1   k2   windows   missing of dL/dW_hh")
full, _ = gradient(T)
for k1, k2 in ((1, 1), (2, 2), (4, 4), (8, 8), (24, 24), (1, 2), (1, 4), (1, 8), (1, 24)):
    found, seen = gradient(k1, k2)
    missing = np.linalg.norm(found - full) / np.linalg.norm(full)
    print(f"{k1:4}{k2:5}{len(seen):10}{missing:12.1%}   {'#' * round(50 * missing)}".rstrip())

for window in tg.truncated_bptt(rnn, xs[:6], k1=3):
    flow = window.flow(nn.squared_error(window.outputs, target[window.steps]))
draw.gradient_flow(flow).save("12_truncated.svg")  # of the last one: h_3 is where it was cut
