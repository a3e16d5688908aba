"""A fused graph opened again is the graph of the operations, node by node."""


import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.core import timeline
from tinygrad_rnn.nn.fused import SEQUENCE

from .fused_cases import (
    CALLS,
    EXACT,
    SHARES,
    B,
    H,
    I,
    Model,
    T,
    ledgers,
    numbers,
    ops_of,
    randomised,
    weighted,
)


def signs(node):
    return node.op.name, node.name, node.step, node.scope, np.shape(node.value)


def shape_of_graph(root):
    """Every node by everything but its numbers, with the nodes that it is made from."""
    return [(*signs(node), [signs(x) if isinstance(x, tg.Node) else "" for x in node.operands])
            for node in tg.nodes(root)]


GRAPHS = {
    "rnn": lambda: Model(nn.RNN(I, H, seed=1, return_sequences=True)),
    "lstm, reverse": lambda: Model(nn.LSTM(I, H, seed=1, return_sequences=True, reverse=True)),
    "gru, learned": lambda: Model(nn.GRU(I, H, seed=1, return_sequences=True,
                                         initial_state="learned")),
    "squared": lambda: Model(nn.RNN(I, H, seed=1, return_sequences=True), nn.squared_error, SHARES),
    "bidirectional": lambda: Model(nn.Bidirectional(nn.GRU(I, H, seed=1, return_sequences=True),
                                                    merge="ave")),
    "stacked": lambda: Model(nn.Stacked([nn.LSTM(I, H, seed=1, return_sequences=True),
                                         nn.RNN(H, H, seed=1, return_sequences=True)],
                                        residual=True)),
}


@pytest.mark.parametrize("model", GRAPHS)
def test_opened_it_is_the_graph_of_the_operations(model):
    """Node by node: operations, names, steps, scopes, and what is made from what."""
    model = GRAPHS[model]()
    x = tg.Tensor(numbers((T, B, I)), name="x", requires_grad=True)
    plain = model(x)
    with tg.fused():
        loss = model(x)
    opened = tg.open_fused(loss)
    assert sorted(map(repr, shape_of_graph(opened))) == sorted(map(repr, shape_of_graph(plain)))
    if isinstance(model.layer, nn.Recurrent) and model.loss is nn.cross_entropy:
        assert shape_of_graph(opened) == shape_of_graph(plain)  # in the same order, too
        for a, b in zip(tg.nodes(plain), tg.nodes(opened)):
            np.testing.assert_allclose(b.value, a.value, **EXACT)
    one, other = ledgers(model, x, plain), ledgers(model, x, loss)
    for name, steps in one.items():
        assert steps.keys() == other[name].keys(), name
        for t, c in steps.items():
            np.testing.assert_allclose(other[name][t], c, err_msg=f"{name}, step {t}", **EXACT)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_opened_under_a_mask_it_is_the_graph_of_the_operations(kind, last):
    """A state that stays is chosen once, also where it is the output."""
    mask = np.ones((6, 2), bool)
    mask[1, 1] = mask[2] = mask[4, 1] = mask[5, 0] = False  # none is there at the third step
    layer = kind(I, H, seed=1, return_sequences=not last)
    x = tg.Tensor(numbers((6, 2, I)), name="x", requires_grad=True)
    plain = weighted(layer(x, mask=mask))
    layer.fused = True
    opened = tg.open_fused(weighted(layer(x, mask=mask)))
    assert sorted(map(repr, shape_of_graph(opened))) == sorted(map(repr, shape_of_graph(plain)))
    chosen = [node.step for node in tg.nodes(plain)
              if node.op.name == "where" and node.shape == (2, H)]
    assert {chosen.count(t) for t in (2, 3, 5)} == {len(layer.cell.state_names)}


@pytest.mark.parametrize("call", CALLS)
def test_opened_under_every_call(call):
    options, arguments = CALLS[call]
    layer = randomised(nn.LSTM(I, H, seed=1, **{"return_sequences": True, "return_state": True,
                                                **options}))
    x = tg.Tensor(numbers((T, B, I)), name="x", requires_grad=True)
    plain = weighted(layer(x, **arguments))
    layer.fused = True
    opened = tg.open_fused(weighted(layer(x, **arguments)))
    assert SEQUENCE not in ops_of(opened)
    np.testing.assert_allclose(opened.numpy(), plain.numpy(), **EXACT)
    for a, b in zip(tg.grad(plain, [x, *layer.parameters()]),
                    tg.grad(opened, [x, *layer.parameters()])):
        np.testing.assert_allclose(b.numpy(), a.numpy(), **EXACT)


def test_opened_with_taps_and_a_graph_that_has_nothing_to_open():
    layer = nn.GRU(I, H, seed=1, return_sequences=True, fused=True)
    x = tg.Tensor(numbers((T, B, I)), name="x", requires_grad=True)
    out = layer(x)
    loss = (out[2] * out[4:6]).sum() + (out * 2.0).sum()
    opened = tg.open_fused(loss)
    assert SEQUENCE not in ops_of(opened)
    np.testing.assert_array_equal(opened.numpy(), loss.numpy())
    for a, b in zip(tg.grad(loss, [x, *layer.parameters()]),
                    tg.grad(opened, [x, *layer.parameters()])):
        np.testing.assert_allclose(b.numpy(), a.numpy(), **EXACT)
    assert tg.open_fused(opened) is opened
    assert tg.open_fused(x) is x
    with pytest.raises(tg.InputError, match="a graph starts from"):
        tg.open_fused(3.0)


def test_norms_of_single_states_ask_to_open():
    model = Model(nn.RNN(I, H, seed=1, return_sequences=True))
    xs = numbers((T, B, I))
    expected = tg.gradient_flow(model(xs)).norms("h")
    model.layer.fused = True
    loss = model(xs)
    with pytest.raises(tg.InputError, match=r"open_fused"):
        tg.gradient_flow(loss).norms("h")
    found = tg.gradient_flow(tg.open_fused(loss)).norms("h")
    assert found == pytest.approx(expected, rel=1e-12)


def test_drawings_open_it():
    model = Model(nn.RNN(I, H, seed=1, return_sequences=True))
    xs, drawn = numbers((T, B, I)), []
    for fused in (False, True):
        model.layer.fused = fused
        model.zero_grad()
        loss = model(xs)
        flow = tg.gradient_flow(loss)
        grad = model.layer.cell.W_hh.grad.copy()
        drawn.append([draw.unrolled(loss).svg(), draw.gradient_flow(flow).svg()])
        np.testing.assert_array_equal(model.layer.cell.W_hh.grad, grad)
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("option", [{"fused": True}, {"checkpoint_every": 2}], ids=str)
@pytest.mark.parametrize("made", [
    lambda y: y[1:], lambda y: y * 2.0, lambda y: np.concatenate([y, y], axis=2),
    lambda y: y.reshape(5, -1), lambda y: y[1:4, :, 0], lambda y: y[::-1]])
def test_what_is_made_of_an_opened_sequence_keeps_its_steps(made, option):
    """It goes on like any other sequence: with operations, and in a loss step by step."""
    layer = nn.GRU(3, 2, seed=0, return_sequences=True, **option)
    z = made(layer(np.random.default_rng(0).normal(size=(5, 2, 3))))
    opened = tg.open_fused(z)
    assert timeline.rows(opened) == timeline.rows(z)
    np.testing.assert_allclose((opened * 2.0).numpy(), (z * 2.0).numpy(), rtol=1e-12)
    gradients = []
    for sequence in (z, opened):
        layer.zero_grad()
        (sequence ** 2).sum().backward()
        gradients.append(layer.cell.W_hh.grad)
    np.testing.assert_allclose(*gradients, rtol=1e-10)
