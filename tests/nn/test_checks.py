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
    "rnn relu": nn.RNNCell(I, H, "relu", seed=0),
    "rnn identity": nn.RNNCell(I, H, "identity", bias=False, init_hh="orthogonal", seed=0),
    "rnn softplus, stacked": nn.RNNCell(I, H, "softplus", stacked=True, seed=0),
    "lstm": nn.LSTMCell(I, H, seed=0),
    "lstm peepholes": nn.LSTMCell(I, H, peepholes=True, stacked=True, seed=0),
    "lstm others": nn.LSTMCell(I, H, bias=False, activation="softsign",
                               output_activation="identity", seed=0),
    "lstm hard": nn.LSTMCell(I, H, gate_activation="hard_sigmoid_0.2", forget_bias=1.0, seed=0),
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
    "gru in reverse": nn.GRU(I, H, reverse=True, reset_after=False, padding="zero",
                             return_sequences=True, initial_state="learned", seed=0),
    "rnn in reverse": nn.RNN(I, H, reverse=True, recurrent_dropout=0.3, seed=0),
    **{merge: nn.Bidirectional(nn.GRU(I, H, return_sequences=True, seed=0), merge=merge)
       for merge in ("concat", "sum", "mul", "ave", "none")},
    "one step of both": nn.Bidirectional(nn.LSTM(I, H, seed=0), return_state=True),
    "deep bidirectional": nn.Stacked([
        nn.Bidirectional(nn.LSTM(I, H, return_sequences=True, seed=0)),
        nn.Bidirectional(nn.RNN(2 * H, H, seed=1), merge="ave")]),
    "all": nn.LSTM(I, H, return_sequences=True, return_all_states=True, seed=0),
    "function": nn.Recurrent(own, return_sequences=True, return_state=True),
}
for _name, _cell in CELLS.items():
    LAYERS[_name] = nn.Recurrent(_cell, return_sequences=True)


FUSED = ("rnn", "rnn identity", "lstm", "lstm peepholes", "gru", "gru stacked", "gru before",
         "gru before stacked", "reverse", "learned", "dropout", "gru in reverse", "rnn in reverse",
         "mul", "stacked", "deep bidirectional", "all")


def total(result):
    """One number of all that a call returned, each entry with its own weight."""
    if isinstance(result, (tuple, list)):
        return sum(total(part) for part in result)
    return (result * result * inputs(*result.shape, seed=result.ndim)).sum()


@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@pytest.mark.parametrize(("name", "fused"), [(name, False) for name in LAYERS]
                         + [(name, True) for name in FUSED])
def test_layers(name, fused, masked):
    layer = LAYERS[name]
    x = Tensor(inputs(T, B, I), name="x", requires_grad=True)
    params = {**dict(layer.named_parameters()), "x": x}
    reset = np.zeros((T, B), bool)
    reset[1, 0] = True
    options = {"lengths": [T, 2], "reset_mask": reset} if masked else {}

    def loss():
        with tg.fused() if fused else tg.timestep(1):
            return total(layer(x, rng=5, **options))

    report = check_gradients(loss, params, order=2)
    assert report, report
    leaves = list(params.values())  # what is differentiated again is the gradient that backward has
    for g, again in zip(tg.grad(loss(), leaves), tg.grad(loss(), leaves, create_graph=True)):
        np.testing.assert_allclose(again.numpy(), g.numpy(), rtol=1e-10, atol=1e-13)


head = nn.Linear(H, 2, name="hy", seed=3)
WIRED = {
    **{f"encoder and decoder, {context}": (
        nn.EncoderDecoder(nn.LSTM(I, H, seed=0), nn.GRU(2 + H * (context != "state"), H, seed=1),
                          context, head=head, seed=2),
        lambda model, x: model(x, steps=2, lengths=[T, 2])) for context in nn.seq2seq.CONTEXTS},
    "with a teacher": (nn.EncoderDecoder(nn.GRU(I, H, seed=0), nn.LSTM(2, H, seed=1), seed=2),
                       lambda model, x: model(x, inputs(2, B, 2))),
    "vector to sequence": (nn.VectorToSequence(nn.LSTMCell(2, H, seed=0), I, head, "free", seed=1),
                           lambda model, x: model(x[0], steps=3)),
    "one to many": (nn.OutputFeedback(nn.GRU(I, H, seed=0), nn.Linear(H, I, seed=1),
                                      feed=tg.softmax), lambda model, x: model(x[0], steps=3)),
    "y appended": (nn.OutputFeedback(nn.RNN(I + 2, H, seed=0), head, append=True),
                   lambda model, x: model(x)),
}


@pytest.mark.parametrize("name", WIRED)
def test_networks_that_are_wired(name):
    model, call = WIRED[name]
    x = Tensor(inputs(T, B, I), name="x", requires_grad=True)
    report = check_gradients(lambda: total(call(model, x)),
                             {**dict(model.named_parameters()), "x": x}, order=2)
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


@pytest.mark.parametrize("name", FEEDFORWARD)
def test_feed_forward(name):
    layer, shape = FEEDFORWARD[name]
    x = Tensor(inputs(*shape), name="x", requires_grad=True)
    params = {**dict(layer.named_parameters()), "x": x}
    rng = {"rng": 3} if isinstance(layer, nn.Sequential) else {}

    report = check_gradients(lambda: total(layer(x, **rng)), params, order=2)
    assert report, report


def test_embedding():
    embedding, layer = nn.Embedding(4, I, seed=0), nn.GRU(I, H, seed=1)
    indices = np.array([[0, 1], [1, 1], [3, 0]])

    report = check_gradients(lambda: total(layer(embedding(indices))), embedding, order=2)
    assert report, report
