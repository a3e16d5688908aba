"""Fused layers: one node for the sequence, equal to the op-level graph in every number."""


import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.fused import SEQUENCE
from tinygrad_rnn.nn.fused_slopes import PHIS

from .fused_cases import (
    CALLS,
    HOLES,
    LAYERS,
    LENGTHS,
    B,
    H,
    I,
    T,
    agree,
    numbers,
    ops_of,
    outcome,
    randomised,
)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("layer", LAYERS)
def test_every_option(layer, call):
    kind, settings = LAYERS[layer]
    options, arguments = CALLS[call]
    model = randomised(kind(I, H, seed=1, **{"return_sequences": True, "return_state": True,
                                             "return_all_states": True, **settings, **options}))
    one, other = (outcome(model, numbers((T, B, I)), fused=fused, **arguments)
                  for fused in (False, True))
    assert SEQUENCE in ops_of(other[2])
    assert SEQUENCE not in ops_of(one[2])
    assert len(ops_of(other[2])) < 40
    agree(one, other)


@pytest.mark.parametrize("shape", [(T, I), (T, 1, I), (1, B, I), (2, B, I)])
@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru", "gru, reset before"])
def test_without_a_batch_and_short_ones(layer, shape):
    kind, settings = LAYERS[layer]
    model = kind(I, H, seed=1, return_sequences=True, return_state=True, **settings)
    agree(*(outcome(model, numbers(shape), fused=fused) for fused in (False, True)))


@pytest.mark.parametrize("fused", [False, True])
def test_no_steps(fused):
    layer = nn.RNN(I, H, fused=fused, return_sequences=True)
    assert layer(np.zeros((0, B, I))).shape == (0, B, H)
    start = tg.Tensor(numbers((B, H)), requires_grad=True)
    assert nn.RNN(I, H, fused=fused)(np.zeros((0, B, I)), start) is start


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_first_states_that_are_given(layer, reverse):
    kind, settings = LAYERS[layer]
    model = randomised(kind(I, H, seed=1, return_state=True, reverse=reverse, **settings))
    start = numbers((B, H)) if kind is not nn.LSTM else (numbers((B, H)), numbers((B, H), 1))
    agree(*(outcome(model, numbers((T, B, I)), start, fused) for fused in (False, True)))


def test_one_node_in_two_places():
    """Where it had a second derivative, each place got the gradient of both: h and c from one first
    state, and one matrix as both weights."""
    found = []
    for fused in (False, True):
        start = tg.Tensor(numbers((B, H)), requires_grad=True)
        layer = nn.LSTM(H, H, seed=0, fused=fused)
        layer.cell.W_xh = weight = layer.cell.W_hh
        loss = (layer(numbers((T, B, H)), (start, start)) ** 2).sum()
        first = tg.grad(loss, [start, weight], create_graph=True)
        second = tg.grad(sum((g ** 2).sum() for g in first), [start, weight])
        found.append([g.numpy() for g in (*first, *second)])
    for one, other in zip(*found):
        assert np.allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", PHIS)
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_every_activation(kind, name):
    named = {"nonlinearity": name} if kind is nn.RNN else {"activation": name}
    model = kind(I, H, seed=1, return_sequences=True, **named)
    agree(*(outcome(model, 2 * numbers((T, B, I)), fused=fused) for fused in (False, True)))


@pytest.mark.parametrize("activation", ["gelu", "silu", lambda z: tg.tanh(0.5 * z)])
def test_what_has_no_slope_in_its_value_is_computed_op_by_op(activation):
    with pytest.warns(UserWarning, match=r"^RNN\(fused=True\) is computed op by op: the slope"):
        layer = nn.RNN(I, H, activation, seed=1, fused=True)
    one, other = (outcome(layer, numbers((T, B, I)), fused=fused) for fused in (False, True))
    assert SEQUENCE not in ops_of(one[2]) + ops_of(other[2])
    with pytest.warns(UserWarning, match="function is not an RNNCell, LSTMCell or GRUCell"):
        nn.Recurrent(lambda x, h: (h, h), fused=True)


def test_a_cell_that_is_called_in_another_way_is_not_taken_for_its_base():
    class Leaky(nn.RNNCell):
        def __call__(self, x, state=None, **options):
            new, _ = super().__call__(x, state, **options)
            return (h := 0.5 * (new + state), h)

    with tg.fused():
        layer = nn.Recurrent(Leaky(I, H, seed=0))
        assert SEQUENCE not in ops_of(layer(numbers((T, B, I))))


def layers_in_a_row(seed=0, **options):
    return nn.Stacked([nn.Bidirectional(nn.LSTM(I, H, seed=seed, return_sequences=True)),
                       nn.GRU(2 * H, H, seed=seed + 1, return_sequences=True),
                       nn.RNN(H, H, seed=seed + 2, return_sequences=True)],
                      return_state=True, return_all_states=True, **options)


MODELS = {
    "stacked": layers_in_a_row(),
    "with dropout": layers_in_a_row(dropout=0.3),
    "residual": nn.Stacked([nn.RNN(I, H, seed=0, return_sequences=True),
                            nn.GRU(H, H, seed=1, return_sequences=True), nn.RNN(H, H, seed=2)],
                           residual=True),
    **{merge: nn.Bidirectional(nn.GRU(I, H, seed=3, return_sequences=True), merge=merge,
                               return_state=True, return_all_states=True)
       for merge in ("concat", "sum", "mul", "ave", "none")},
    "last of both": nn.Bidirectional(nn.LSTM(I, H, seed=3)),
}


@pytest.mark.parametrize("call", [{}, {"lengths": LENGTHS}, {"mask": HOLES}])
@pytest.mark.parametrize("model", MODELS)
def test_stacked_and_bidirectional(model, call):
    model = MODELS[model]
    one, other = (outcome(model, numbers((T, B, I)), fused=fused, rng=5, **call)
                  for fused in (False, True))
    agree(one, other)
    made = [node for node in tg.nodes(other[2]) if node.op.rules]
    assert len(made) < 90  # no node for each step


def test_one_layer_fused_below_or_above_one_that_is_not():
    for below, above in ((True, False), (False, True)):
        model = nn.Stacked([nn.LSTM(I, H, seed=0, return_sequences=True, fused=below),
                            nn.RNN(H, H, seed=1, return_sequences=True, fused=above)])
        plain = nn.Stacked([nn.LSTM(I, H, seed=0, return_sequences=True),
                            nn.RNN(H, H, seed=1, return_sequences=True)])
        agree(outcome(plain, numbers((T, B, I))), outcome(model, numbers((T, B, I))))
