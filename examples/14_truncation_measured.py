"""Truncation, measured: which loss still reaches which step, and how far the gradient is off.

    windows of k           k1 = k2 = k      x_1 ... x_k | x_{k+1} ... x_{2k} | ...
    k steps from each      k1 = 1, k2 = k   every loss goes back k steps
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

# the example that everybody asks about: x_3 = w^3 x_0
w, x = tg.Value(0.2, name="w"), tg.Value(0.9, name="x0")
for t in (1, 2, 3):
    with tg.timestep(t):
        x = (w * x).named("x")
for k in (3, 2, 1):
    found = tg.truncation([x], [w], 1, k)
    print(f"{k} back: dx_3/dw = {found.truncated['w']:.3f} of {found.full['w']:.3f}")
print()

T, B, I, H = 24, 4, 3, 6
draws = np.random.default_rng(0)
xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, H))
rnn = nn.RNN(I, H, return_sequences=True, init_hh="orthogonal", seed=0)
loss = nn.squared_error(rnn(xs), target)
print(tg.truncation(loss, rnn, 8))
print()
print("           windows of k             k steps back from every loss")
print("  k   pairs seen  cosine  error     pairs seen  cosine  error")
for k in (1, 2, 4, 8, 16, 24):
    line = f"{k:3}"
    for k1 in (k, 1):
        found = tg.truncation(loss, rnn, k1, k)
        seen = found.seen.sum() / (T * (T + 1) / 2)
        W = "cell.W_hh"
        line += f"{seen:13.0%}{found.cosine(W):8.4f}{found.error(W):7.1%}  "
    print(line.rstrip())

for window in tg.truncated_bptt(rnn, xs[:6], k1=3):
    flow = window.flow(nn.squared_error(window.outputs, target[window.steps]))
draw.gradient_flow(flow).save("14_truncation_measured.svg")  # it ends at h_3, where it was cut
