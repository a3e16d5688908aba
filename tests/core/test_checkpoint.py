"""Checkpoints: the same numbers with less memory, to second order; refused when not repeatable."""

import gc
import tracemalloc
from collections import namedtuple

import numpy as np
import pytest

from tinygrad_rnn.core import ops
from tinygrad_rnn.core.checkpoint import checkpoint
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.graph import released
from tinygrad_rnn.core.place import no_grad, record_sites, scope, timestep
from tinygrad_rnn.core.transforms import hessian
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.core.walk import nodes, release
from tinygrad_rnn.errors import GradientError, UnsupportedError

State = namedtuple("State", "h c")


def as_it_is(f):
    return f


def tensor(*shape, seed=0, name=None):
    return Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True, name=name)


def test_scalars_to_the_bit():
    def numbers(wrap):
        x, w = Value(0.7), Value(1.3)
        y = wrap(lambda x: ops.tanh(w * x) * x)(x)
        y.backward()
        return y.value, x.grad, w.grad

    assert numbers(checkpoint) == numbers(as_it_is)


def test_tensors_to_the_bit_and_second_order():
    W, x = tensor(4, 4), tensor(3, 4, seed=1)

    def f(x):
        for _ in range(3):
            x = ops.tanh(ops.linear(x, W))
        return ops.sum_(x * x)

    found = []
    for wrap in (as_it_is, checkpoint):
        y = wrap(f)(x)
        first = grad(y, [W, x], create_graph=True)
        second = grad(ops.sum_(first[0] * first[0]) + ops.sum_(first[1] * first[1]), [W, x])
        found.append([y.value, *(g.value for g in (*first, *second))])
        W.zero_grad()
        y.backward()  # may sum the uses of a weight in one product
        np.testing.assert_allclose(W.grad, first[0].value, rtol=1e-12)
    for one, other in zip(*found):
        np.testing.assert_array_equal(one, other)


def test_a_chain_of_chunks_agrees_with_the_whole():
    W, h0 = tensor(5, 5), tensor(2, 5, seed=1)
    bias = ops.tanh(h0) * 2.0  # an interior node from outside, only captured

    def chunk(h, steps):
        for _ in range(steps):
            h = ops.tanh(ops.linear(h, W) + bias)
        return h

    def loss(wrap):
        h = h0
        for _ in range(4):
            h = wrap(chunk)(h, 3)
        return ops.sum_(h * h)

    whole, parts = loss(as_it_is), loss(checkpoint)
    assert whole.value == parts.value
    for one, other in zip(grad(whole, [W, h0, bias]), grad(parts, [W, h0, bias])):
        np.testing.assert_allclose(other.value, one.value, rtol=1e-12)
    assert len(nodes(parts)) < len(nodes(whole)) / 2


def test_captured_nodes_are_operands():
    w, inner = Value(2.0, name="w"), Value(3.0) * 2.0
    y = checkpoint(lambda x: w * x * inner)(Value(5.0))
    assert set(y.operands) >= {w, inner}
    y.backward()
    assert w.grad == 30.0
    assert grad(y, inner).value == 10.0


def test_constants_among_the_arguments_stay_in_the_graph():
    x, w = Tensor([1.0, 2.0], name="x"), Tensor([3.0, 4.0], requires_grad=True)
    y = checkpoint(lambda xs: ops.sum_(xs["x"][0] * w))({"x": [x]})
    assert set(y.operands) == {x, w}
    y.backward()
    assert w.grad.tolist() == [1.0, 2.0]


def test_nested_and_in_transforms():
    def f(x):
        return checkpoint(lambda z: z * checkpoint(ops.tanh)(z * z))(x)

    assert hessian(f, 0.6) == pytest.approx(hessian(lambda x: x * ops.tanh(x * x), 0.6), rel=1e-14)
    third = hessian(lambda x: grad(f(x), x, create_graph=True), 0.6)
    assert third == pytest.approx(
        hessian(lambda x: grad(x * ops.tanh(x * x), x, create_graph=True), 0.6), rel=1e-13)
    # a transform inside: the second run must build its graph too, although backward comes later
    assert hessian(lambda a: checkpoint(lambda b: hessian(lambda z: z ** 3 * b, b))(a), 2.0) == 12.0


def test_several_results():
    def lstm_like(h, c):
        c = (ops.tanh(h) * c).named("c")
        return State(ops.tanh(c).named("h"), c)

    h, c = tensor(2, 3), tensor(2, 3, seed=1)
    found = []
    for wrap in (as_it_is, checkpoint):
        with timestep(4):
            state = wrap(lstm_like)(h, c)
        assert type(state) is State
        assert (state.h.label, state.c.label) == ("h_4", "c_4")
        y = ops.sum_(state.h * state.h) + ops.sum_(state.c)
        found.append([state.h.value, state.c.value, *(g.value for g in grad(y, [h, c]))])
    for one, other in zip(*found):
        np.testing.assert_array_equal(one, other)
    assert type(checkpoint(lambda x: [x * 2.0])(h)) is list


def test_memory_is_that_of_inputs_and_result():
    x = tensor(1000, 25)

    def chain(x):
        for _ in range(60):
            x = ops.tanh(x) * 1.01
        return x

    def kept(wrap):
        gc.collect()
        tracemalloc.start()
        y = wrap(chain)(x)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return size / y.value.nbytes

    assert kept(as_it_is) > 100
    assert kept(checkpoint) < 3


def test_the_second_run_is_at_the_same_place():
    seen = []

    def f(x):
        y = x * x
        seen.append((y.step, y.scope, y.phase, y.site is not None))
        with timestep(9):
            return (y * x).named("y")

    with timestep(3), scope("encoder"), record_sites():
        y = checkpoint(f)(Value(2.0))
    assert (y.label, y.scope) == ("y_9", "encoder")
    assert y.site.startswith(__file__)
    y.backward()
    grad(y, y.operands[0], create_graph=True)
    assert seen == [(3, "encoder", "forward", True)] * 2 + [(3, "encoder", "backward", True)]


def test_arrays_are_copied_in():
    x, w = np.ones(2), Tensor([1.0, 2.0], requires_grad=True)
    y = checkpoint(lambda x: ops.sum_(w * x))(x)
    x[:] = 7.0
    y.backward()
    assert w.grad.tolist() == [1.0, 1.0]


def test_what_needs_no_gradient_stays_as_it_is():
    x = Value(2.0)
    assert checkpoint(lambda: 3.0)() == 3.0
    assert checkpoint(lambda x: x)(x) is x
    assert not checkpoint(ops.tanh)(Tensor([1.0])).requires_grad
    with no_grad():
        assert not checkpoint(ops.tanh)(x).requires_grad
    assert checkpoint(np.tanh)(np.zeros(2)).tolist() == [0.0, 0.0]


def test_hooks_inside_run_and_nothing_is_left_for_the_collector():
    seen = []

    def f(x):
        y = x * x
        y.register_hook(lambda g: seen.append(g))
        return y * 3.0

    x = Value(2.0)
    gc.collect()
    gc.disable()
    try:
        y = checkpoint(f)(x)
        y.backward()
        del y
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert (seen, x.grad) == ([3.0], 12.0)


def test_release_lets_go():
    y = checkpoint(lambda x: x * x)(Value(2.0))
    release(y)
    assert y.op is released
    with pytest.raises(GradientError, match="released"):
        y.backward()


def test_a_random_f_is_refused():
    rng = np.random.default_rng(0)
    x = tensor(6)
    for f, words in [
        (lambda x: ops.sum_(x * (rng.random(6) < 0.5)), "does not repeat: it gave other numbers"),
        (lambda x: x[: rng.integers(1, 5)], "does not repeat: it gave"),
        (lambda x: ops.sum_(Tensor(np.ones(6), requires_grad=True) * x), "from other nodes"),
    ]:
        y = checkpoint(f)(x)
        for _ in range(3):
            rng.random()
        with pytest.raises(GradientError, match=words):
            y.backward(np.ones_like(y.value))
        assert x.grad is None


def test_data_that_changed_is_refused():
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    y = checkpoint(lambda: ops.sum_(w * w))()
    w.data = w.data - 1.0
    with pytest.raises(GradientError, match="'w'"):
        y.backward()
    captured = Tensor([1.0, 2.0], name="x")
    y = checkpoint(lambda: ops.sum_(w * captured))()
    captured.data = [5.0, 6.0]
    with pytest.raises(GradientError, match="does not repeat"):
        y.backward()


def test_results_that_cannot_be_packed_are_refused_by_name():
    x = tensor(3)
    for f in (lambda x: (x * 2.0, Value(1.0)), lambda x: (x * 2.0, 3.0),
              lambda x: (x * 2.0, x.astype(np.float32))):
        with pytest.raises(UnsupportedError, match="several results must be tensors of one dtype"):
            checkpoint(f)(x)
