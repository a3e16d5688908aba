"""Which mistake is it? A backward written by hand, as in a course, with one line wrong at a time.

Each of them is an exercise: cover the last column, read the verdicts, and guess.
"""

import numpy as np

from tinygrad_rnn.testing import check_backward


def forward(p):
    h, states = p["h0"], []
    for x in p["x"]:
        h = np.tanh(x @ p["Wx"] + h @ p["Wh"] + p["b"])
        states.append(h)
    return np.stack(states), (p, states)


def with_mistake(mistake):
    def backward(dout, cache):
        p, states = cache
        d = {name: np.zeros_like(value) for name, value in p.items()}
        dh_next = 0.0
        for t in reversed(range(len(states))):
            before = states[t - 1] if t else p["h0"]
            dh = dout[t] + (0.0 if mistake == 1 else dh_next)
            dz = dh if mistake == 2 else dh * (1 - states[t] ** 2)
            d["Wx"] += p["x"][t].T @ dz
            d["Wh"] += (states[t] if mistake == 3 else before).T @ dz
            d["b"] = dz.sum(0) if mistake == 4 else d["b"] + dz.sum(0)
            d["x"][t] = dz @ p["Wx"].T
            dh_next = dz @ (p["Wh"] if mistake == 5 else p["Wh"].T)
        d["h0"] = dh_next
        return d
    return backward


rng = np.random.default_rng(0)
shapes = {"x": (5, 2, 3), "h0": (2, 4), "Wx": (3, 4), "Wh": (4, 4), "b": (4,)}
inputs = {name: rng.normal(size=shape) for name, shape in shapes.items()}
for mistake in range(6):
    report = check_backward(forward, with_mistake(mistake), inputs, cached=True)
    wrong = [name for name, block in report.blocks.items() if block.verdict == "FAIL"]
    print(f"{mistake}  {report.verdict:5} {' '.join(wrong):14} {report.cause.split('; fix')[0]}")
