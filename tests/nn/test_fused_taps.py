"""What arrives at a fused layer, and from where: taps, lists of steps, other types."""


import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.states import parts_of

from .fused_cases import (
    EXACT,
    HOLES,
    LAYERS,
    B,
    H,
    I,
    T,
    agree,
    numbers,
    outcome,
    weighted,
)


@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru"])
def test_taps_in_the_middle_add_up(layer):
    """A loss at single steps, at the sequence, at the last state: all at once."""
    kind, settings = LAYERS[layer]
    model = kind(I, H, seed=1, return_sequences=True, return_state=True, return_all_states=True,
                 **settings)

    def loss(found):
        outputs, last, states = found
        c = parts_of(states)[-1]
        return ((outputs[2] * outputs[2]).sum() + (outputs[2] * outputs[5]).sum()
                + weighted(outputs) + 3.0 * weighted(last) + (c[3] * c[1]).sum())

    agree(*(outcome(model, numbers((T, B, I)), fused=fused, loss_of=loss)
            for fused in (False, True)))


def test_a_list_of_steps_and_steps_that_are_nodes():
    layer = nn.RNN(I, H, seed=1, return_sequences=True)
    xs = [tg.Tensor(x, requires_grad=True) for x in numbers((T, B, I))]
    weighted(layer(xs)).backward()
    expected = [x.grad for x in xs]
    for x in xs:
        x.zero_grad()
    with tg.fused():
        weighted(layer(xs)).backward()
        np.testing.assert_allclose(layer(list(numbers((T, B, I)))).numpy(), layer(xs).numpy())
    for x, g in zip(xs, expected):
        np.testing.assert_allclose(x.grad, g, **EXACT)


def test_an_input_that_is_used_again_and_a_weight_that_is_shared():
    """What reaches W_hh and x besides the layer is added."""
    layer = nn.RNN(H, H, seed=1, return_sequences=True)

    def loss(found):
        return weighted(found) + (layer.cell.W_hh * layer.cell.W_xh).sum()

    agree(*(outcome(layer, numbers((T, B, H)), fused=fused, loss_of=loss)
            for fused in (False, True)))


def test_what_is_masked_may_hold_anything():
    xs = numbers((T, B, I))
    dirty = np.where(HOLES[..., None], xs, np.nan)
    layer = nn.LSTM(I, H, seed=1, return_sequences=True)
    one = outcome(layer, xs, fused=True, mask=HOLES)
    other = outcome(layer, dirty, fused=True, mask=HOLES)
    agree(one, other, rtol=0, atol=0)
    assert np.all(other[1]["x"][~HOLES] == 0.0)


def test_far_out_on_the_gates_nothing_overflows_and_no_digit_is_lost():
    for kind in (nn.LSTM, nn.GRU):
        model = kind(I, H, seed=1, return_sequences=True)
        agree(*(outcome(model, 3e3 * numbers((T, B, I)), fused=fused) for fused in (False, True)))
        agree(*(outcome(model, 30 * numbers((T, B, I)), fused=fused) for fused in (False, True)),
              rtol=1e-10)


@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru", "gru, reset before"])
def test_float32_throughout(layer):
    kind, settings = LAYERS[layer]
    model = kind(I, H, seed=1, return_sequences=True, dtype="float32", **settings)
    one, other = (outcome(model, numbers((T, B, I)).astype(np.float32), fused=fused,
                          loss_of=lambda y: (y * y).sum()) for fused in (False, True))
    agree(one, other, rtol=2e-5, atol=2e-5)
    assert {g.dtype for g in other[1].values()} == {np.dtype(np.float32)}
    assert other[0][0].dtype == np.float32


def test_mixed_types_give_the_wider_one_and_each_gradient_its_own():
    layer = nn.RNN(I, H, seed=1, dtype="float32")
    one, other = (outcome(layer, numbers((T, B, I)), fused=fused) for fused in (False, True))
    assert other[0][0].dtype == one[0][0].dtype == np.float64
    assert other[1]["cell.W_hh"].dtype == np.float32
    assert other[1]["x"].dtype == np.float64


def test_nothing_is_recorded_under_no_grad_and_frozen_weights_get_none():
    layer = nn.RNN(I, H, seed=1, fused=True, return_sequences=True)
    with tg.no_grad():
        out = layer(numbers((T, B, I)))
    assert not out.requires_grad
    assert nn.Linear(H, 2, seed=0)(out).shape == (T, B, 2)
    layer.cell.W_hh = layer.cell.W_hh.detach()
    weighted(layer(numbers((T, B, I)))).backward()
    assert layer.cell.W_hh.grad is None
    assert layer.cell.W_xh.grad is not None


def test_a_weight_assigned_after_the_pass_is_refused():
    layer = nn.RNN(I, H, seed=1, fused=True)
    loss = weighted(layer(numbers((T, B, I))))
    layer.cell.W_hh.data -= 0.1
    with pytest.raises(tg.GradientError, match="W_hh"):
        loss.backward()


def test_backward_twice_adds_twice_and_changes_nothing_that_is_kept():
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        layer = kind(I, H, seed=1, fused=True)
        loss = weighted(layer(numbers((T, B, I))))
        loss.backward()
        once = layer.cell.W_hh.grad.copy()
        loss.backward()
        np.testing.assert_array_equal(layer.cell.W_hh.grad, 2 * once)


def test_input_arrays_are_copied():
    layer, xs = nn.RNN(I, H, seed=1, fused=True), numbers((T, B, I))
    loss = weighted(layer(xs))
    loss.backward()
    expected = layer.cell.W_xh.grad
    layer.zero_grad()
    loss = weighted(layer(xs))
    xs[:] = 0
    loss.backward()
    np.testing.assert_array_equal(layer.cell.W_xh.grad, expected)
