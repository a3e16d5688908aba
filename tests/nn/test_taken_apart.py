"""A sequence whose steps a head, a loss or a layer has taken: what is asked of it is answered as of
a fused layer's, or refused, and never silently 0."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

CELLS = [nn.RNN, nn.LSTM, nn.GRU]
LOSSES = {"cross_entropy": lambda o: nn.cross_entropy(o, np.zeros(o.shape[:-1], int)),
          "squared_error": lambda o: nn.squared_error(o, np.ones(o.shape))}


def model(cell, fused, loss="cross_entropy", before=None, second=False):
    """A layer, its sequence y, the head's o and the loss; `before` y is used, it is shown."""
    xs = np.random.default_rng(0).normal(size=(4, 2, 3))
    rnn = cell(3, 4, return_sequences=True, seed=0, fused=fused)
    y = z = rnn(xs)
    if before is not None:
        before(y)
    if second:
        z = cell(4, 4, return_sequences=True, seed=2, fused=fused)(y)
    o = nn.Linear(4, 2, seed=1)(z)
    return rnn, y, o, LOSSES[loss](o)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_the_logits(cell, loss):
    (_, _, o, L), (_, _, fused_o, fused_L) = (model(cell, fused, loss) for fused in (False, True))
    expected = tg.grad(fused_L, fused_o).value
    assert abs(expected).max() > 0.01
    np.testing.assert_allclose(tg.grad(L, o).value, expected, rtol=1e-12)
    np.testing.assert_allclose(tg.gradient_flow(L).gradient(o), expected, rtol=1e-12)
    if loss == "cross_entropy":  # p - onehot, over the batch
        p = np.exp(o.value) / np.exp(o.value).sum(-1, keepdims=True)
        np.testing.assert_allclose(expected, (p - np.eye(2)[0]) / 2, rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_it_is_a_graph_too(cell):
    found = []
    for fused in (False, True):
        rnn, _, o, L = model(cell, fused)
        slope = tg.grad(L, o, create_graph=True)
        found.append([slope.value, tg.grad((slope ** 2).sum(), rnn.cell.W_hh).value])
    for op_by_op, expected in zip(*found):
        np.testing.assert_allclose(op_by_op, expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("second", [False, True], ids=["head", "layer"])
@pytest.mark.parametrize("cell", CELLS)
def test_who_looks_before_it_is_used_sees_what_comes_by_way_of_it(cell, second):
    """`retain_grad`, and a hook that changes what goes on."""
    for before in (lambda y: y.retain_grad(), lambda y: y.register_hook(lambda g: 3 * g) and None):
        (rnn, y, _, L), (other, fused_y, _, fused_L) = (
            model(cell, fused, before=before, second=second) for fused in (False, True))
        L.backward()
        fused_L.backward()
        np.testing.assert_allclose(rnn.cell.W_hh.grad, other.cell.W_hh.grad, rtol=1e-11)
        if fused_y.grad is not None:
            np.testing.assert_allclose(y.grad, fused_y.grad, rtol=1e-11)


def test_a_loss_straight_on_the_sequence_waits_for_it_too():
    y = nn.RNN(3, 4, return_sequences=True, seed=0)(np.ones((3, 3)))
    y.retain_grad()
    L = nn.squared_error(y, np.zeros((3, 4)), reduction="sum")
    L.backward()
    np.testing.assert_allclose(y.grad, 2 * L.item() / (y.value ** 2).sum() * y.value, rtol=1e-12)


def test_who_looks_too_late_is_told():
    _, y, o, L = model(nn.RNN, False)
    for late in (y, o):
        with pytest.raises(tg.errors.InputError, match="before the sequence is used"):
            late.retain_grad()
    with pytest.raises(tg.errors.GradientError, match="retain_grad"):
        tg.grad(L, y)
    flow = tg.gradient_flow(L)
    with pytest.raises(tg.errors.GradientError, match="retain_grad"):
        flow.gradient(y)
    with pytest.raises(tg.errors.GradientError, match=r"y.operands\[0\]"):
        flow.ledger(o)
    assert flow.ledger(o.operands[0])


def test_what_was_used_as_a_whole_is_not_in_doubt():
    _, y, _, _ = model(nn.RNN, False)  # its head is no part of this
    np.testing.assert_allclose(tg.grad((y ** 2).sum(), y).value, 2 * y.value, rtol=1e-14)


def test_both_ways_add_up():
    _, _, o, L = model(nn.GRU, False)
    once = tg.grad(L, o).value
    np.testing.assert_allclose(tg.grad(L + (o ** 2).sum(), o).value, once + 2 * o.value, rtol=1e-12)
