"""Bidirectional: an output that depends on what comes after it.

    target_t = 1 if at least two of x_{t-1}, x_t, x_{t+1} are 1,    t = 2 .. T - 1

Who has seen x_1 ... x_t knows it where x_{t-1} = x_t, and must toss a coin elsewhere: at half the
steps, for log 2 each. Without the future no network gets below 0.347 per step.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn, optim

T = 10


def task(draws, samples):
    """Random bits x_t, (T, B, 1), and the targets (T, B)."""
    bits = draws.integers(0, 2, size=(T, samples))
    target = np.zeros_like(bits)
    target[1:-1] = bits[:-2] + bits[1:-1] + bits[2:] >= 2
    return bits[:, :, None].astype(float), target


def loss_fn(y, target):
    """The loss per step, without the first and the last, which have no target."""
    mask = np.ones(target.shape, bool)
    mask[[0, -1]] = False
    return nn.cross_entropy(y, target, "valid", mask)


inputs, target = task(np.random.default_rng(1), 500)  # to be tested with
one = nn.RNN(1, 8, return_sequences=True, seed=0)
both = nn.Bidirectional(nn.RNN(1, 4, return_sequences=True, seed=0))  # 4 + 4 units
p = []
print(f"{'':22}{'parameters':>10}{'loss per step':>16}")
for name, layer in (("from left to right", one), ("in both directions", both)):
    model = nn.Sequential(layer, nn.Linear(8, 2, name="hy", seed=1))
    adam, draws = optim.Adam(model, lr=0.03), np.random.default_rng(0)
    for _ in range(150):
        x, wanted = task(draws, 32)
        adam.zero_grad()
        loss_fn(model(x), wanted).backward()
        adam.step()
    y = model(inputs)
    p.append(tg.softmax(y.numpy())[:, 0, 1])
    print(f"{name:22}{sum(w.data.size for w in model.parameters()):10}"
          f"{loss_fn(y, target):16.4f}")
print(f"{'log 2 at half of them':22}{np.log(2) / 2:26.4f}")
print()
print("  t  x_t  target   p(1) from left to right   in both directions")
for t in range(1, T - 1):
    left, right = p[0][t], p[1][t]
    unsure = "?" if 0.1 < left < 0.9 else " "
    print(f"{t + 1:3}{inputs[t, 0, 0]:5.0f}{target[t, 0]:8}{left:20.2f} {unsure}{right:22.2f}")

loss = nn.cross_entropy(model(inputs[:3, :1]), target[:3, :1])
draw.unrolled(loss).save("10_bidirectional.svg")
