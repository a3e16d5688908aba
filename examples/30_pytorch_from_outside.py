"""A PyTorch module, checked from outside: its forward and its backward as two NumPy functions."""

import numpy as np

from tinygrad_rnn.testing import check_backward

try:
    import torch
except ImportError:
    torch = None


def run(p):
    """The module with these numbers; (its output, its parameters and inputs as leaves)."""
    rnn = torch.nn.GRU(3, 4).double()
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in p.items()}
    weights = {name: leaves[name] for name, _ in rnn.named_parameters()}
    out, _ = torch.func.functional_call(rnn, weights, (leaves["x"],))
    return out, leaves


def forward(p):
    return run(p)[0].detach().numpy()


def backward(p, upstream):
    out, leaves = run(p)
    out.backward(torch.tensor(upstream))
    return {name: leaf.grad.numpy() for name, leaf in leaves.items()}


if torch is None:
    print("PyTorch is not installed: nothing to check.")
else:
    rng = np.random.default_rng(0)
    shapes = {"x": (5, 2, 3), "weight_ih_l0": (12, 3), "weight_hh_l0": (12, 4),
              "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
    point = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    print(check_backward(forward, backward, point))
