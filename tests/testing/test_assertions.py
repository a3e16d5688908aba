"""Assertions about the graph: each passes on the right program, and fails on the wrong one in
words."""

import gc

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.testing import (
    assert_depends,
    assert_gets_gradient,
    assert_graph_size,
    assert_no_leak,
    assert_no_path,
    assert_shared,
    why_zero,
)


def recurrence(T=4, detach_at=None, copy=False):
    rng = np.random.default_rng(0)
    W = tg.Tensor(rng.normal(size=(3, 3)), name="W_hh", requires_grad=True)
    xs = tg.Tensor(rng.normal(size=(T, 2, 3)), name="x", requires_grad=True)
    h, hs = tg.Tensor(np.ones((2, 3)), name="h_0"), []
    for t in range(1, T + 1):
        with tg.timestep(t):
            w = tg.Tensor(W.data, name="W_hh", requires_grad=True) if copy else W
            h = tg.tanh(xs[t - 1] + tg.linear(h, w)).named("h")
            if t == detach_at:
                h = h.detach()
            hs.append(h)
    return W, xs, hs, (h * h).sum()


# --- uses -----------------------------------------------------------------------------------------


def test_a_weight_is_shared_by_all_steps():
    W, *_, loss = recurrence()
    assert_shared(loss, W)
    assert_shared(loss, W, uses=4, steps=[1, 2, 3, 4])
    assert_shared(loss, W, steps=range(1, 5))


def test_a_copied_weight_is_not_shared():
    W, *_, loss = recurrence(copy=True)
    with pytest.raises(AssertionError, match=r"used 4 times, got 0: nowhere\. There are 4 other "
                                             r"leaves called 'W_hh' .* was it copied\?"):
        assert_shared(loss, W, uses=4)


def test_a_detached_state_loses_uses_and_says_which_steps():
    W, *_, loss = recurrence(detach_at=2)
    with pytest.raises(AssertionError, match=r"used 4 times, got 2: 'linear' at step 3"):
        assert_shared(loss, W, uses=4)
    with pytest.raises(AssertionError, match=r"used at steps 1, 2, got uses"):
        assert_shared(loss, W, steps=range(1, 5))
    one = recurrence(T=1)
    with pytest.raises(AssertionError, match=r"to be shared, got 1 use"):
        assert_shared(one[-1], one[0])


def test_slices_of_a_weight_are_no_uses():
    lstm = nn.LSTM(2, 3, seed=0)
    loss = lstm(np.ones((5, 1, 2))).sum()
    assert_shared(loss, lstm.cell.W_hh, steps=range(1, 6))


# --- ways -----------------------------------------------------------------------------------------


def test_the_loss_depends_on_what_came_before():
    W, xs, hs, loss = recurrence()
    assert_depends(loss, W, xs, *hs)
    assert_depends(hs[1], hs[0], xs[0], xs[1], xs[0, 1])
    assert_no_path(hs[1], hs[2], xs[2], xs[3], xs[2:])
    assert_depends(hs[2], xs[1:3], xs[2][0])


def test_what_is_expected_and_not_so_is_said():
    _, xs, hs, _ = recurrence()
    with pytest.raises(AssertionError, match=r"expected no way from 'h_2' .* to a part of 'x'"):
        assert_no_path(hs[1], xs[1])
    with pytest.raises(AssertionError, match=r"'h_2' .* <- .* <- 'h_1'"):
        assert_no_path(hs[1], hs[0])
    with pytest.raises(AssertionError, match=r"to depend on a part of 'x'.* no way"):
        assert_depends(hs[1], xs[3])
    with pytest.raises(AssertionError, match=r"to depend on 'h_3'"):
        assert_depends(hs[1], hs[2])


def test_a_detached_state_is_named():
    _, xs, hs, loss = recurrence(detach_at=3)
    assert_no_path(loss, xs[0], xs[2])
    assert_depends(loss, xs[3])
    alive = recurrence()[2][2]
    with pytest.raises(AssertionError, match=r"a constant of that name: was 'h_3' detached\?"):
        assert_depends(loss, alive)
    with pytest.raises(AssertionError, match=r"wants no gradient"):
        assert_depends(loss, hs[2])


def test_a_long_way_is_shortened():
    h = w = tg.Value(0.5, name="w")
    for _ in range(3000):
        h = h * w
    with pytest.raises(AssertionError, match=r"… \d+ more …|expected no way"):
        assert_no_path(h, w)


# --- sizes ----------------------------------------------------------------------------------------


def test_the_size_of_a_graph():
    *_, loss = recurrence()
    n = len(tg.nodes(loss))
    assert_graph_size(loss, n)
    with pytest.raises(AssertionError, match=f"expected a graph of 7 nodes, got {n}"):
        assert_graph_size(loss, 7)
    with pytest.raises(InputError, match="the size that the graph should have"):
        assert_graph_size(loss)


def test_growth_is_linear_in_time():
    per_step = len(tg.nodes(recurrence(5)[-1])) - len(tg.nodes(recurrence(4)[-1]))
    assert_graph_size(lambda T: recurrence(T)[-1], per_step=per_step)
    with pytest.raises(AssertionError, match=f"expected 99 nodes a step, got {per_step} "):
        assert_graph_size(lambda T: recurrence(T)[-1], per_step=99)

    def quadratic(T):
        x, total = tg.Value(1.0), 0.0
        for t in range(T):
            total = total + sum((x * s for s in range(t)), x)
        return total

    with pytest.raises(AssertionError, match=r"same number of nodes at every step, got T=4: \d+"):
        assert_graph_size(quadratic)
    with pytest.raises(InputError, match="three different lengths"):
        assert_graph_size(quadratic, T=(3, 3, 5))


# --- leaks ----------------------------------------------------------------------------------------


def test_a_loop_that_detaches_does_not_leak():
    rnn = nn.RNN(2, 3, return_state=True, seed=0)
    state = None

    def step():
        nonlocal state
        output, state = rnn(np.ones((4, 1, 2)), state)
        output.sum().backward()
        state = state.detach()

    assert_no_leak(step)


def test_a_state_that_is_carried_with_its_history_leaks():
    rnn = nn.RNN(2, 3, return_state=True, seed=0)
    state = None

    def step():
        nonlocal state
        _, state = rnn(np.ones((4, 1, 2)), state)

    with pytest.raises(AssertionError, match=r"no more living nodes .* Detach it"):
        assert_no_leak(step)
    assert gc.isenabled()


def test_losses_in_a_list_leak_and_cycles_too():
    kept = []
    with pytest.raises(AssertionError, match="keeps the result of every call"):
        assert_no_leak(lambda: kept.append(recurrence(2)[-1]))

    def cycle():
        loss = recurrence(2)[-1]
        ring = [loss]
        ring.append(ring)

    with pytest.raises(AssertionError, match="part of a cycle"):
        assert_no_leak(cycle)
    assert_no_leak(lambda: recurrence(3)[-1].backward())
    with pytest.raises(InputError, match="three calls"):
        assert_no_leak(lambda: None, calls=2)


# --- zeros ----------------------------------------------------------------------------------------


def test_at_one_step_the_gradient_of_W_hh_is_a_structural_zero():
    rnn = nn.RNN(2, 3, seed=0)
    loss = rnn(np.ones((1, 1, 2))).sum()
    zero = why_zero(loss, rnn.cell.W_hh)
    assert zero
    assert zero.kind == "structural zero"
    assert "W_hh is multiplied by h_0, which is 0 (op 'linear', step 1)" in zero.why
    assert_gets_gradient(loss, rnn)
    with pytest.raises(AssertionError, match="W_hh: structural zero"):
        assert_gets_gradient(loss, rnn, structural=False)
    longer = rnn(np.ones((2, 1, 2))).sum()
    assert not why_zero(longer, rnn.cell.W_hh)
    assert_gets_gradient(longer, rnn, structural=False)


def test_a_relu_that_is_off_is_a_numeric_zero():
    w = tg.Value(-1.0, name="w")
    with tg.timestep(2):
        y = tg.relu(w * 3.0)
    zero = why_zero(y, w)
    assert zero.kind == "numeric zero"
    assert "is off (op 'relu', step 2)" in zero.why


def test_a_state_that_happens_to_be_zero_is_a_numeric_zero():
    a, b = tg.Value(2.0, name="a"), tg.Value(0.0, name="b")
    c = (a * b).named("c")
    zero = why_zero(tg.Value(3.0, name="w") * c, a)
    assert zero.kind == "structural zero"  # b was given as 0
    w = tg.Value(3.0, name="w")
    zero = why_zero(w * c, w)
    assert zero.kind == "numeric zero"
    assert "w is multiplied by c, which is 0" in zero.why


def test_contributions_that_cancel_and_what_is_disconnected():
    w = tg.Value(3.0, name="w")
    assert why_zero(w - w, w).why == "the contributions of its uses cancel"
    other = tg.Value(1.0, name="other")
    assert why_zero(w * 2.0, other).kind == "disconnected"
    with pytest.raises(AssertionError, match="other: disconnected"):
        assert_gets_gradient(w * 2.0, [w, other])
    assert not why_zero(w * 2.0, w)


@pytest.mark.parametrize("ask", [assert_shared, assert_depends, assert_no_path, why_zero])
def test_what_is_no_node_is_refused(ask):
    with pytest.raises(InputError, match="expected a Value or a Tensor, got int"):
        ask(3, tg.Value(1.0))
