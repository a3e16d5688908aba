"""Do my tests notice? Mistakes are planted in a backward that is right, and two tests are run."""

import numpy as np

from tinygrad_rnn.testing import check_backward, mutation_score


def forward(p):
    return np.tanh(p["x"] @ p["W"] + p["b"])


def backward(p, upstream):
    dz = upstream * (1 - forward(p) ** 2)
    return {"x": dz @ p["W"].T, "W": p["x"].T @ dz, "b": dz.sum(0)}


rng = np.random.default_rng(0)
point = {"x": rng.normal(size=(5, 3)), "W": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}


def one_entry(backward):
    """As it is often written: one entry of one weight, by differences, to two digits."""
    moved = {**point, "W": point["W"] + 1e-5 * np.eye(3, 4, 1)}
    slope = (forward(moved).sum() - forward(point).sum()) / 1e-5
    assert np.allclose((backward(point, np.ones((5, 4)))["W"] * np.eye(3, 4, 1)).sum(), slope,
                       rtol=1e-2)


def whole(backward):
    assert check_backward(forward, backward, point)


print(mutation_score(forward, backward, point, one_entry))
print(mutation_score(forward, backward, point, whole))
