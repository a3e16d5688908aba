"""What the tests of fused layers share: options, calls, a model, and one pass of it."""


import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.states import parts_of

T, B, I, H = 7, 3, 4, 5
EXACT = {"rtol": 1e-12, "atol": 1e-14}
LENGTHS = np.array([7, 0, 4])
HOLES = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1], [1, 0, 1], [0, 0, 0]],
                 bool)
EDGES = np.repeat(np.isin(np.arange(T), (2, 3, 4))[:, None], B, 1)
BEGINS = np.zeros((T, B), bool)
BEGINS[[2, 3, 5, 0, 6], [0, 1, 2, 2, 0]] = True

LAYERS = {
    "rnn": (nn.RNN, {}),
    "rnn relu, no bias": (nn.RNN, {"nonlinearity": "relu", "bias": False}),
    "rnn stacked": (nn.RNN, {"stacked": True}),
    "rnn sigmoid": (nn.RNN, {"nonlinearity": "sigmoid"}),
    "lstm": (nn.LSTM, {}),
    "lstm, no bias": (nn.LSTM, {"bias": False}),
    "lstm stacked": (nn.LSTM, {"stacked": True, "forget_bias": 1.0}),
    "lstm peepholes": (nn.LSTM, {"peepholes": True}),
    "lstm, other activations": (nn.LSTM, {"activation": "softsign", "output_activation": "sigmoid",
                                          "gate_activation": "hard_sigmoid"}),
    "gru": (nn.GRU, {}),
    "gru, no bias": (nn.GRU, {"bias": False}),
    "gru stacked": (nn.GRU, {"stacked": True}),
    "gru, reset before": (nn.GRU, {"reset_after": False}),
    "gru, reset before, stacked": (nn.GRU, {"reset_after": False, "stacked": True, "bias": False}),
    "gru, sigmoid candidate": (nn.GRU, {"activation": "sigmoid"}),
    "gru, reset before, sigmoid candidate": (nn.GRU, {"activation": "sigmoid",
                                                      "reset_after": False}),
}
CALLS = {
    "plain": ({}, {}),
    "one output": ({"return_sequences": False}, {}),
    "reverse": ({"reverse": True}, {}),
    "lengths": ({}, {"lengths": LENGTHS}),
    "lengths, zero": ({"padding": "zero"}, {"lengths": LENGTHS}),
    "lengths, reverse": ({"reverse": True}, {"lengths": LENGTHS}),
    "one output, lengths": ({"return_sequences": False}, {"lengths": LENGTHS}),
    "holes": ({"padding": "zero"}, {"mask": HOLES}),
    "holes, repeat, reverse": ({"reverse": True}, {"mask": HOLES}),
    "both ends": ({"initial_state": "learned"}, {"mask": EDGES}),
    "both ends, reverse": ({"reverse": True, "initial_state": "learned", "padding": "zero"},
                           {"mask": EDGES}),
    "nothing valid": ({"return_sequences": False, "initial_state": "learned"},
                      {"mask": np.zeros((T, B), bool)}),
    "sequences in a row": ({}, {"reset_mask": BEGINS}),
    "sequences in a row, learned": ({"initial_state": "learned"}, {"reset_mask": BEGINS}),
    "holes and sequences": ({"initial_state": "learned"}, {"reset_mask": BEGINS, "mask": HOLES}),
    "holes and sequences, one output": ({"return_sequences": False},
                                        {"reset_mask": BEGINS, "mask": HOLES}),
    "all, reverse": ({"reverse": True, "initial_state": "learned", "recurrent_dropout": 0.4},
                     {"reset_mask": BEGINS, "mask": HOLES, "rng": 3}),
    "dropout": ({"recurrent_dropout": 0.4}, {"rng": 1}),
    "random state": ({"initial_state": "random"}, {"rng": 1, "reset_mask": BEGINS}),
}


def numbers(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def randomised(model):
    """Every parameter away from its first value, zeros among them."""
    for k, p in enumerate(model.parameters()):
        p.data = p.numpy() + 0.3 * numbers(p.shape, 100 + k)
    return model


def weighted(found, seed=7):
    """One number that hangs on every entry of everything that was returned."""
    parts = [part for part in parts_of(found) if isinstance(part, tg.Node)]
    return sum((part * numbers(part.shape, seed + k)).sum() for k, part in enumerate(parts))


def outcome(model, xs, start=None, fused=False, loss_of=weighted, **call):
    """(values, gradients by name, the loss) of one pass."""
    x = tg.Tensor(xs, name="x", requires_grad=True)
    leaves = {f"state {k}": tg.Tensor(v, requires_grad=True)
              for k, v in enumerate(parts_of(start) if start is not None else [])}
    state = None if start is None else rebuilt(start, iter(leaves.values()))
    model.zero_grad()
    if fused:
        with tg.fused():
            found = model(x, state, **call)
    else:
        found = model(x, state, **call)
    loss = loss_of(found)
    loss.backward()
    grads = {name: leaf.grad for name, leaf in
             {"x": x, **leaves, **dict(model.named_parameters())}.items()}
    return [p.numpy() for p in parts_of(found) if isinstance(p, tg.Node)], grads, loss


def rebuilt(state, leaves):
    if isinstance(state, (tuple, list)):
        return type(state)(rebuilt(part, leaves) for part in state)
    return next(leaves)


def agree(one, other, **tolerance):
    """Two outcomes are the same."""
    tolerance = {**EXACT, **tolerance}
    assert len(one[0]) == len(other[0])
    for a, b in zip(one[0], other[0]):
        np.testing.assert_allclose(b, a, **tolerance)
    assert one[1].keys() == other[1].keys()
    for name, a in one[1].items():
        b = other[1][name]
        if a is None or b is None:  # no step used it
            a, b = (0.0 if v is None else v for v in (a, b))
        np.testing.assert_allclose(b, a, err_msg=name, **tolerance)


def ops_of(loss):
    return [node.op for node in tg.nodes(loss)]


def by_step(ledger):
    """What each step gave, in the order of the rows."""
    found = {}
    for row in ledger:
        found[row.step] = found.get(row.step, 0.0) + row.contribution
    return found


O = 6
CLASSES = np.random.default_rng(4).integers(O, size=(T, B))
SHARES = np.random.default_rng(5).dirichlet(np.ones(O), size=(T, B))


class Model(nn.Module):
    """A layer, a head and a loss."""

    def __init__(self, layer, loss=nn.cross_entropy, targets=CLASSES, **options):
        self.layer, self.head = layer, nn.Linear(H, O, name="hy", seed=9)
        self.loss, self.targets, self.options = loss, targets, options

    def __call__(self, x, state=None, **call):
        return self.loss(self.head(self.layer(x, state, **call)), self.targets, **self.options)


def ledgers(model, x, loss):
    model.zero_grad()
    x.zero_grad()
    flow = tg.gradient_flow(loss)
    return {name: by_step(flow.ledger(leaf))
            for name, leaf in {"x": x, **dict(model.named_parameters())}.items()}
