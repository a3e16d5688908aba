"""Truncation drawn: how far back each loss reaches, and what is cut where.

k1 is the number of new steps in a window, k2 the number of steps that a gradient goes back. With
k2 > k1 the windows overlap, and a loss reaches at least k2 - k1 + 1 steps back.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

T, k1, k2 = 12, 3, 5
draws = np.random.default_rng(0)
xs, target = draws.normal(size=(T, 1, 2)), draws.normal(size=(T, 1, 4))
rnn = nn.RNN(2, 4, return_sequences=True, init_hh="orthogonal", seed=0)

windows, losses = [], []
print("steps      L    cut at    what would have gone on")
for window in tg.truncated_bptt(rnn, xs, k1, k2):
    loss = nn.squared_error(window.outputs, target[window.steps])
    window.backward(loss)
    windows.append(window)  # its graph is released; what was cut is remembered
    losses.append(loss.item())
    cut = window.cut[0] if window.cut else None
    said = f"{cut.label:>10}{cut.norm:27.4f}" if cut else f"{'nowhere':>10}"
    print(f"{window.times[0]:2} to {window.times[-1]:2}{losses[-1]:6.2f}{said}")

draw.truncated(windows, losses=losses).save("21_where_the_gradient_ends.svg")
