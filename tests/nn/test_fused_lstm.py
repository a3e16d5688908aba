"""The fused LSTM of a single sequence, which has loops of its own: equal to the operations."""

import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import fused_apart, fused_way

from .fused_cases import EXACT, H, I, agree, numbers, outcome, randomised

BLOCKS = 4  # steps that pass over a bench together, here


@pytest.fixture
def small_bench(monkeypatch):
    monkeypatch.setattr(fused_way, "BLOCK", BLOCKS * 2 * H)


@pytest.fixture
def alone(monkeypatch):
    """How often the loops for a single sequence were taken, forward and back."""
    calls = {"ahead": 0, "back": 0}

    def counted(name, loop):
        def call(*given):
            calls[name] += 1
            return loop(*given)
        return call

    for name in calls:
        monkeypatch.setattr(fused_apart, name, counted(name, getattr(fused_apart, name)))
    return calls


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, BLOCKS - 1, BLOCKS, BLOCKS + 1, 3 * BLOCKS + 2, 40])
def test_blocks_of_steps_and_what_is_left_over(steps, reverse, small_bench, alone):
    for bias in (True, False):
        model = randomised(nn.LSTM(I, H, seed=1, return_sequences=True, reverse=reverse, bias=bias))
        for shape in ((steps, 1, I), (steps, I)):
            agree(*(outcome(model, numbers(shape), fused=fused) for fused in (False, True)))
    assert alone == {"ahead": 4, "back": 4}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_state_that_is_given_and_a_gradient_of_the_cell(reverse, small_bench, alone):
    model = randomised(nn.LSTM(I, H, seed=1, return_state=True, reverse=reverse))
    start = numbers((1, H)), numbers((1, H), 1)
    for loss_of in (lambda found: (found[1][0] ** 2).sum(), lambda found: (found[1][1] ** 2).sum()):
        agree(*(outcome(model, numbers((9, 1, I)), start, fused, loss_of)
                for fused in (False, True)))
    assert alone == {"ahead": 2, "back": 1}  # what arrives at c takes the general way


@pytest.mark.parametrize("reverse", [False, True])
def test_what_arrives_at_h_alone_after_what_arrives_at_c(reverse, small_bench):
    """The two ways back need other numbers of the same pass, and stand in each other's place."""
    model = randomised(nn.LSTM(I, H, seed=1, return_sequences=True, return_state=True,
                               reverse=reverse))
    grads = []
    for model.fused in (False, True):
        x = tg.Tensor(numbers((9, 1, I)), requires_grad=True)
        ys, (_, c) = model(x)
        losses = (ys ** 2).sum(), (c ** 2).sum()
        grads.append([tg.grad(losses[k], [x, model.cell.W_hh]) for k in (0, 1, 0)])
    for one, other in zip(*grads):
        for a, b in zip(one, other):
            np.testing.assert_allclose(b.numpy(), a.numpy(), **EXACT)


@pytest.mark.parametrize("settings", [{"peepholes": True}, {"activation": "relu"},
                                      {"gate_activation": "hard_sigmoid"},
                                      {"output_activation": "identity"}])
def test_other_cells_take_the_general_way(settings, alone):
    model = randomised(nn.LSTM(I, H, seed=1, return_sequences=True, **settings))
    agree(*(outcome(model, numbers((9, 1, I)), fused=fused) for fused in (False, True)))
    assert alone == {"ahead": 0, "back": 0}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gates_that_are_shut_or_wide_open(dtype, small_bench):
    model = nn.LSTM(I, H, seed=1, return_sequences=True, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scale in (30, 3e3):
            xs = (scale * numbers((9, 1, I))).astype(dtype)
            one, other = (outcome(model, xs, fused=fused) for fused in (False, True))
            assert all(np.isfinite(g).all() for g in other[1].values())
            agree(one, other, **({"rtol": 1e-10} if dtype == "float64" else
                                 {"rtol": 1e-4, "atol": 1e-4}))


def test_passes_that_are_open_at_the_same_time_do_not_share_a_bench():
    model = randomised(nn.LSTM(I, H, seed=1, return_sequences=True, fused=True))
    leaves = [tg.Tensor(numbers((9, 1, I), k), requires_grad=True) for k in range(3)]
    losses = [(model(x) ** 2).sum() for x in leaves]
    for loss in reversed(losses):
        loss.backward()
    for k, x in enumerate(leaves):
        again = tg.Tensor(numbers((9, 1, I), k), requires_grad=True)
        (model(again) ** 2).sum().backward()
        np.testing.assert_allclose(x.grad, again.grad, **EXACT)


def test_a_batch_gets_what_comes_from_x_in_blocks(small_bench):
    for reverse in (False, True):
        model = randomised(nn.LSTM(I, H, seed=1, return_sequences=True, reverse=reverse))
        agree(*(outcome(model, numbers((21, 3, I)), fused=fused) for fused in (False, True)))
