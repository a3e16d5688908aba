"""Every cell and every layer against differences of its loss, at first and second order."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.testing import check_gradients

T, B, I, H = 3, 2, 3, 4


def inputs(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def own(x, state):
    """A user's cell, a plain function: a leaky integrator of two states."""
    fast, slow = state or (0.0, 0.0)
    fast = tg.tanh(0.5 * fast + x)
    slow = 0.9 * slow + 0.1 * fast
    return fast * slow, (fast, slow)


CELLS = {
    "rnn": nn.RNNCell(I, H, seed=0),
    "rnn softplus, stacked": nn.RNNCell(I, H, "softplus", stacked=True, seed=0),
    "lstm": nn.LSTMCell(I, H, seed=0),
    "lstm peepholes": nn.LSTMCell(I, H, peepholes=True, stacked=True, seed=0),
    "lstm others": nn.LSTMCell(I, H, bias=False, activation="softsign",
                               output_activation="identity", seed=0),
    "gru": nn.GRUCell(I, H, seed=0),
    "gru stacked": nn.GRUCell(I, H, stacked=True, seed=0),
    "gru before": nn.GRUCell(I, H, reset_after=False, seed=0),
    "gru before stacked": nn.GRUCell(I, H, reset_after=False, stacked=True, bias=False, seed=0),
    "deep": nn.DeepRNNCell(I, H, deep_input=[2], deep_transition=[3, 2], deep_output=[3],
                           shortcut=True, seed=0),
    "skip": nn.SkipRNNCell(I, H, skips=(2, 3), seed=0),
    "readout": nn.ReadoutCell(nn.GRUCell(I, H, seed=0), 2, skip=True, seed=1),
}
LAYERS = {
    "reverse": nn.LSTM(I, H, reverse=True, seed=0),
    "learned": nn.LSTM(I, H, initial_state="learned", seed=0),
    "dropout": nn.GRU(I, H, recurrent_dropout=0.3, initial_state="random", seed=0),
    "stacked": nn.Stacked([nn.RNN(I, H, return_sequences=True, seed=0),
                           nn.GRU(H, H, return_sequences=True, seed=1),
                           nn.LSTM(H, H, seed=2)], residual=True, dropout=0.2),
    "bidirectional": nn.Bidirectional(nn.GRU(I, H, return_sequences=True, seed=0), merge="mul"),
    "deep bidirectional": nn.Stacked([
        nn.Bidirectional(nn.LSTM(I, H, return_sequences=True, seed=0)),
        nn.Bidirectional(nn.RNN(2 * H, H, seed=1), merge="ave")]),
    "all": nn.LSTM(I, H, return_sequences=True, return_all_states=True, seed=0),
    "function": nn.Recurrent(own, return_sequences=True, return_state=True),
}
for _name, _cell in CELLS.items():
    LAYERS[_name] = nn.Recurrent(_cell, return_sequences=True)


def total(result):
    """One number of all that a call returned, each entry with its own weight."""
    if isinstance(result, (tuple, list)):
        return sum(total(part) for part in result)
    return (result * result * inputs(*result.shape, seed=result.ndim)).sum()


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, masked, order):
    layer = LAYERS[name]
    x = Tensor(inputs(T, B, I), name="x", requires_grad=True)
    params = {**dict(layer.named_parameters()), "x": x}
    reset = np.zeros((T, B), bool)
    reset[1, 0] = True
    options = {"lengths": [T, 2], "reset_mask": reset} if masked else {}

    def loss():
        return total(layer(x, rng=5, **options))

    along = {key: inputs(*p.shape, seed=k) for k, (key, p) in enumerate(params.items())}

    def slope():
        """<gradient, v>: its gradient is the Hessian times v."""
        grads = tg.grad(loss(), list(params.values()), create_graph=True)
        return sum((g * v).sum() for g, v in zip(grads, along.values()))

    report = check_gradients(loss if order == 1 else slope, params)
    assert report, report


FEEDFORWARD = {
    "linear": (nn.Linear(I, 2, name="hy", seed=0), (T, B, I)),
    "mlp": (nn.MLP([I, 5, 4, 2], seed=0), (B, I)),
    "mlp of a sequence": (nn.MLP([T * I, 5, 2], flatten=True, seed=0), (T, B, I)),
    "norm": (nn.LayerNorm(I), (B, I)),
    "norm of steps": (nn.Sequential(nn.RNN(I, H, return_sequences=True, seed=0), nn.LayerNorm(H),
                                    nn.MLP([H, 3, 2], "softplus", seed=1)), (T, B, I)),
    "dropout": (nn.Sequential(nn.Linear(I, H, seed=0), tg.tanh, nn.Dropout(0.4),
                              nn.Linear(H, 2, seed=1)), (B, I)),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", FEEDFORWARD)
def test_feed_forward(name, order):
    layer, shape = FEEDFORWARD[name]
    x = Tensor(inputs(*shape), name="x", requires_grad=True)
    params = {**dict(layer.named_parameters()), "x": x}
    rng = {"rng": 3} if isinstance(layer, nn.Sequential) else {}

    def loss():
        return total(layer(x, **rng))

    def slope():
        grads = tg.grad(loss(), list(params.values()), create_graph=True)
        return sum((g * inputs(*g.shape, seed=k)).sum() for k, g in enumerate(grads))

    report = check_gradients(loss if order == 1 else slope, params)
    assert report, report


@pytest.mark.parametrize("order", [1, 2])
def test_embedding(order):
    embedding, layer = nn.Embedding(4, I, seed=0), nn.GRU(I, H, seed=1)
    indices = np.array([[0, 1], [1, 1], [3, 0]])

    def loss():
        return total(layer(embedding(indices)))

    def slope():
        (g,) = tg.grad(loss(), [embedding.W_e], create_graph=True)
        return (g * inputs(4, I, seed=2)).sum()

    report = check_gradients(loss if order == 1 else slope, embedding)
    assert report, report
