"""Twenty steps of training against numbers computed elsewhere (PyTorch): sine with an RNN, parity
with a GRU, copying with two LSTM layers; five optimisers, clipping by the global norm."""

import numpy as np
import pytest

from tinygrad_rnn import nn, optim
from tinygrad_rnn.core.ops import concatenate
from tinygrad_rnn.core.values import Tensor

from ..nn.reference import CURVE, LAYERS, close, family, loss_of

OPTIMISERS = {"sgd": optim.SGD, "momentum": optim.SGD, "adam": optim.Adam,
              "rmsprop": optim.RMSprop, "adagrad": optim.Adagrad}
CASES = family("train_curves")
FIRST = {p.id: p.values[1] for p in CASES}


class Network:
    """Our layers on the parameters of the reference. It has two biases where we have one: here
    they are leaves of their own, and ours is made of them at every call."""

    def __init__(self, facts, arrays):
        names = [n for n in arrays if n.startswith(("weight", "bias", "W_hy", "b_hy"))]
        self.params = {n: Tensor(arrays[n], name=n, requires_grad=True) for n in names}
        H, self.kind, self.L = facts["H"], facts["kind"], facts["L"]
        kind = LAYERS[self.kind]
        self.layers = [kind(facts["I"] if k == 0 else H, H, return_sequences=True)
                       for k in range(self.L)]
        self.model = nn.Stacked(self.layers)
        self.head = nn.Linear(H, facts["O"], name="hy")
        self.head.W_hy, self.head.b_y = self.params["W_hy"], self.params["b_hy"]

    def __call__(self, x):
        for k, layer in enumerate(self.layers):
            cell, p = layer.cell, self.params
            cell.W_xh, cell.W_hh = p[f"weight_ih_l{k}"], p[f"weight_hh_l{k}"]
            b_ih, b_hh = p[f"bias_ih_l{k}"], p[f"bias_hh_l{k}"]
            if self.kind == "gru":
                n = 2 * cell.hidden_size
                cell.b_h = concatenate(b_ih[:n] + b_hh[:n], b_ih[n:], axis=0)
                cell.b_hn = b_hh[n:]
            else:
                cell.b_h = b_ih + b_hh
        return self.head(self.model(x))


@pytest.mark.parametrize(("facts", "arrays"), CASES)
def test_curves(facts, arrays):
    given = FIRST[facts["inputs_and_initial_weights_in"]]
    network = Network(facts, given)
    optimizer = OPTIMISERS[facts["optimizer"]](network.params, **facts["opt_args"])
    losses, norms = [], []
    for step in range(20):
        optimizer.zero_grad()
        loss = loss_of(facts, given, network(given["x"]))
        loss.backward()
        losses.append(loss.item())
        norms.append(optim.clip_grad_norm(network.params, facts["max_norm"]))
        optimizer.step()
        for name, p in network.params.items() if step == 0 else ():
            if f"after1_{name}" in arrays:
                close(p, arrays[f"after1_{name}"])
    close(losses, arrays["losses"], CURVE)
    close(norms, arrays["grad_norms"], CURVE)
    for name, p in network.params.items():
        close(p, arrays[f"final_{name}"], CURVE)
    assert losses[-1] < losses[0]


def test_the_losses_are_those_of_the_package():
    """mean_squared of the reference is nn.squared_error."""
    y, t = np.random.default_rng(0).normal(size=(2, 3, 4, 2))
    case = {"loss": "mse"}
    assert loss_of(case, {"target": t}, Tensor(y)).item() == \
        pytest.approx(nn.squared_error(y, t).item())
