"""A fused layer step by step: what its ledger says of each, and its second derivative."""


import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.fused import SEQUENCE
from tinygrad_rnn.nn.fused_slopes import PHIS, phi_of
from tinygrad_rnn.nn.states import parts_of
from tinygrad_rnn.nn.steps_joined import span_of

from .fused_cases import (
    CALLS,
    EXACT,
    LAYERS,
    B,
    H,
    I,
    T,
    by_step,
    numbers,
    randomised,
    weighted,
)


@pytest.mark.parametrize("call", ["plain", "reverse", "holes", "all, reverse", "dropout"])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_ledger_has_the_steps(layer, call):
    kind, settings = LAYERS[layer]
    options, arguments = CALLS[call]
    model = randomised(kind(I, H, seed=1, **{"return_sequences": True, **settings, **options}))
    found = []
    for fused in (False, True):
        x = tg.Tensor(numbers((T, B, I)), name="x", requires_grad=True)
        model.fused = fused
        model.zero_grad()
        flow = tg.gradient_flow(weighted(model(x, **arguments)))
        leaves = {"x": x, **dict(model.named_parameters())}
        found.append({name: by_step(flow.ledger(leaf)) for name, leaf in leaves.items()
                      if leaf.grad is not None and name[-2:] != "_0"})
    one, other = found
    assert one.keys() == other.keys()
    for name, steps in one.items():
        assert list(steps) == list(other[name]), name
        for t, c in steps.items():
            np.testing.assert_allclose(other[name][t], c, err_msg=f"{name}, step {t}", **EXACT)


@pytest.mark.parametrize("call", ["plain", "holes, repeat, reverse", "all, reverse"])
@pytest.mark.parametrize("layer", ["rnn", "lstm peepholes", "gru", "gru, reset before",
                                   "gru stacked", "rnn stacked"])
def test_second_order(layer, call):
    """The gradient of the sum of all squared gradients."""
    kind, settings = LAYERS[layer]
    options, arguments = CALLS[call]
    model = randomised(kind(I, H, seed=1, **{"return_sequences": True, "return_state": True,
                                             **settings, **options}))
    found = []
    for fused in (False, True):
        model.fused = fused
        x = tg.Tensor(numbers((T, B, I)), requires_grad=True)
        h0 = numbers((B, H)) if kind is not nn.LSTM else (numbers((B, H)), numbers((B, H), 1))
        leaves = [tg.Tensor(h, requires_grad=True) for h in parts_of(h0)]
        start = leaves[0] if len(leaves) == 1 else tuple(leaves)
        wanted = [x, *leaves, *model.cell.parameters()]
        loss = weighted(model(x, start, **arguments))
        first = tg.grad(loss * loss, wanted, create_graph=True)
        again = tg.grad(sum((g * g).sum() for g in first), wanted)
        found.append([g.numpy() for g in (*first, *again)])
    for a, b in zip(*found):
        np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-11)


def test_the_graph_is_a_node_that_covers_its_steps():
    layer = nn.RNN(I, H, seed=1, fused=True, return_sequences=True)
    with tg.timestep(5), tg.scope("encoder"):
        out = layer(numbers((T, B, I)))
    assert span_of(out) == range(5, 5 + T)
    assert (out.op, out.name, out.step, out.scope) == (SEQUENCE, "h", None, "encoder")
    assert "fused=True" in repr(layer)
    assert phi_of(tg.tanh) is PHIS["tanh"]
