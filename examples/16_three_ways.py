"""Three ways to one gradient: back through time, forward in real time, and by differences.

    BPTT          dL/dW = Σ_t δ_t h_{t-1}ᵀ                keeps all that the forward pass computed
    real time     P_t = J_t P_{t-1} + ∂h_t/∂W             keeps P = dh_t/dW, at any T
    differences   (L(w + h) - L(w - h)) / 2h              two runs for every weight
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

I, H = 2, 6
draws = np.random.default_rng(0)
xs, target = draws.normal(size=(40, 1, I)), draws.normal(size=(40, 1, H))


def loss_at(h, t):
    """L_t; the sum over t is differentiated."""
    return ((h - target[t]) ** 2).sum()


# measure=True adds time and memory, which are not the same twice
print(tg.three_ways(nn.RNNCell(I, H, seed=0), xs, loss_at, steps=(10, 20), measure=False))
print()
print(" H   weights       BPTT     real time   times as much     numbers kept by each")
for H in (2, 4, 8, 16):
    cell = nn.RNNCell(I, H, seed=0)
    found = tg.three_ways(cell, xs[:5], lambda h, t: (h * h).sum(), measure=False)
    back, forward = found.way("BPTT"), found.way("real time")
    print(f"{H:2}{sum(p.size for p in cell.parameters()):10,}{back.multiplications:11,}"
          f"{forward.multiplications:14,}{forward.multiplications / back.multiplications:16.1f}"
          f"{back.kept:18,}{forward.kept:9,}")
