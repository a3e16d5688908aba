"""Data that changes after the graph has used it: every case raises, or the gradient is right."""

import itertools

import numpy as np
import pytest

from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.errors import GradientError


class Program:
    """A small recurrence that needs the value of everything in it, and every way to reach it."""

    def __init__(self):
        self.raw = np.array([[1.0, 2.0], [3.0, 4.0]])  # an operand as it is
        self.source = np.array([[0.5, -1.0], [2.0, 1.0]])  # the array a tensor was made from
        self.index = np.array([0, 1, 1])
        self.W = Tensor([[0.3, -0.2], [0.1, 0.4]], name="W", requires_grad=True)
        self.X = Tensor(self.source, name="X")
        self.early, self.early_view = self.W.data, self.W.data[0]
        self.early_x = self.X.data[:, 1]
        self.part = self.X[0:1]  # a constant that shows a part of X
        self.turned = self.W.reshape(4).detach()  # and one that shows W
        self.h = ops.tanh(self.W @ self.X * self.raw + self.W * self.W)
        self.y = ops.sum_((self.h * self.h)[self.index] * self.part)


def backward(p):
    p.y.backward()
    return p.W.grad


def flow(p):
    return gradient_flow(p.y).gradient(p.W)


def plain_grad(p):
    return grad(p.y, p.W).numpy()


def graph_grad(p):
    return grad(p.y, p.W, create_graph=True).numpy()


def second_order(p):
    g = grad(p.y, p.W, create_graph=True)
    return grad(ops.sum_(g * g), p.W).numpy()


WAYS = [backward, flow, plain_grad, graph_grad, second_order]


def assign(what):
    def tamper(p):
        node = getattr(p, what)
        node.data = np.full(node.shape, 9.0)
    return tamper


def write(what):
    """Write 9 over an array that `what(program)` gives."""
    def tamper(p):
        what(p)[...] = 9
    return tamper


def shrink(p):
    p.W.data -= 1.0


CASES = {
    "a raw operand": write(lambda p: p.raw),
    "the array a tensor was made from": write(lambda p: p.source),
    "an index array": lambda p: p.index.fill(0),
    "a parameter's data, assigned": assign("W"),
    "a parameter's data, shrunk": shrink,
    "a parameter's data, written to": write(lambda p: p.W.data),
    "a part of a parameter's data": write(lambda p: p.W.data[1]),
    "data obtained before": write(lambda p: p.early),
    "a view obtained before": write(lambda p: p.early_view),
    "an input's data, assigned": assign("X"),
    "an input's data, written to": write(lambda p: p.X.data),
    "an input's view obtained before": write(lambda p: p.early_x),
    "a constant that shows an input": write(lambda p: p.part.data),
    "a detached alias of a parameter": write(lambda p: p.turned.data),
    "a detached parameter": write(lambda p: p.W.detach().data),
    "a computed node's data": write(lambda p: p.h.data),
    "a detached computed node": write(lambda p: p.h.detach().data),
    "numpy() of a parameter": write(lambda p: p.W.numpy()),
    "numpy() of a computed node": write(lambda p: p.h.numpy()),
    "numpy() of an input": write(lambda p: p.X.numpy()),
    "np.asarray of an input": write(lambda p: np.asarray(p.X)),
    "np.asarray of a detached node": write(lambda p: np.asarray(p.h.detach())),
    "a gradient node's data": write(lambda p: grad(p.y, p.W).data),
}
LOUD = {"a computed node's data", "data obtained before", "a parameter's data, assigned",
        "a parameter's data, shrunk", "an input's data, assigned"}
# the graph keeps the numbers it was computed from; a graph of the gradient is made from the nodes
LOUD_AS_NODES = {"a parameter's data, written to", "a part of a parameter's data",
                 "an input's data, written to", "a constant that shows an input"}


@pytest.mark.parametrize("way", WAYS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("case", CASES)
def test_changed_data_raises_or_does_not_matter(case, way):
    expected = way(Program())
    p = Program()
    if case in LOUD or case in LOUD_AS_NODES and way in (graph_grad, second_order):
        with pytest.raises((ValueError, GradientError), match=r"read-only|was (assigned|written)"):
            CASES[case](p), way(p)
    else:
        CASES[case](p)
        np.testing.assert_array_equal(way(p), expected)


@pytest.mark.parametrize("case", [
    "a raw operand", "the array a tensor was made from", "an index array",
    "a parameter's data, assigned", "an input's data, assigned"])
def test_the_program_needs_what_is_changed(case):
    """Were the change to reach the graph, the gradient would differ: the matrix above can fail."""
    assert not np.array_equal(backward(changed(case)), backward(Program()))


def changed(case):
    """The program built anew from what the case leaves behind: what a broken guard would see."""
    p = Program()
    names = {"raw": p.raw, "source": p.source, "index": p.index}
    if "raw" in case:
        names["raw"] = np.full((2, 2), 9.0)
    elif "index" in case:
        names["index"] = np.zeros(3, int)
    elif "parameter" in case or "before" in case and "input" not in case:
        p.W = Tensor(np.full((2, 2), 0.9), requires_grad=True)
    else:
        names["source"] = np.full((2, 2), 9.0)
    X = Tensor(names["source"])
    h = ops.tanh(p.W @ X * names["raw"] + p.W * p.W)
    p.y = ops.sum_((h * h)[names["index"]] * X[0:1])
    return p


# --- leaves between graphs ------------------------------------------------------------------------


def loss_of(W, x):
    return ops.sum_(ops.tanh(ops.linear(x, W)) * ops.tanh(ops.linear(x, W)))


def test_the_ordinary_loop_with_the_old_loss_still_alive():
    W, x = Tensor(np.full((2, 3), 0.3), requires_grad=True), Tensor(np.ones((4, 3)))
    losses, grads = [], []
    for _ in range(4):
        W.zero_grad()
        loss = loss_of(W, x)  # the one before is alive until here
        loss.backward()
        grads.append(W.grad)
        W.data -= 0.01 * W.grad
        losses.append(loss)  # and these for good
    assert [a.item() > b.item() for a, b in itertools.pairwise(losses)] == [True] * 3
    by_hand = np.full((2, 3), 0.3)
    for g in grads:
        fresh = Tensor(by_hand, requires_grad=True)
        loss_of(fresh, x).backward()
        assert np.array_equal(fresh.grad, g)
        by_hand = by_hand - 0.01 * g
    assert np.array_equal(W.value, by_hand)


def test_the_next_graph_sees_what_was_written():
    W = Tensor([1.0, 2.0], requires_grad=True)
    first = ops.sum_(W * W)
    W.data[0] = 5.0
    second = ops.sum_(W * W)
    assert (first.item(), second.item()) == (5.0, 29.0)
    second.backward()
    assert np.array_equal(W.grad, [10.0, 4.0])
    v = Value(3.0)
    v.data -= 1.0
    assert (v * v).item() == 4.0


def test_reading_data_changes_nothing():
    W = Tensor([1.0, 2.0], requires_grad=True)
    y = ops.sum_(W * W)
    assert W.data.sum() == 3.0
    y.backward()
    assert grad(y, W, create_graph=True).numpy().tolist() == [2.0, 4.0]


def test_data_keeps_shape_and_dtype():
    W = Tensor(np.ones((2, 2), np.float32), requires_grad=True)
    W.data = np.asfortranarray(np.arange(4.0).reshape(2, 2))
    assert W.dtype == np.float32
    assert W.value.flags.c_contiguous
    with pytest.raises(ValueError, match=r"shape \(2, 2\).*\(3,\)"):
        W.data = np.ones(3)
    with pytest.raises(GradientError, match="computed"):
        (W * 2.0).data = np.ones((2, 2))


def test_assigned_arrays_stay_the_users_own():
    new = np.ones(2)
    W = Tensor([1.0, 2.0], requires_grad=True)
    W.data = new
    y = ops.sum_(W * W)
    new[:] = 7.0
    y.backward()
    assert np.array_equal(W.grad, [2.0, 2.0])
    assert np.array_equal(new, [7.0, 7.0])


# --- a stale backward is refused only where the old value is needed -------------------------------

x_, A_ = np.ones(2), np.ones((2, 2))
FINE = {"W*2 + W": lambda W: W * 2.0 + W, "W / 2": lambda W: W / 2.0, "-W": lambda W: -W,
        "tanh(W)": lambda W: ops.tanh(W), "exp(W)": lambda W: ops.exp(W),
        "W @ array": lambda W: W @ A_, "array @ W": lambda W: A_ @ W,
        "linear(array, W)": lambda W: ops.linear(A_, W), "W.T": lambda W: W.T}
STALE = {"W * W": lambda W: W * W, "W ** 2": lambda W: W ** 2, "log(W)": lambda W: ops.log(W),
         "2 / W": lambda W: 2.0 / W, "W @ W": lambda W: W @ W,
         "linear(W, W)": lambda W: ops.linear(W, W)}


@pytest.mark.parametrize("f", FINE.values(), ids=FINE)
def test_a_rule_without_the_value_does_not_mind(f):
    W = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    seed = np.array([[1.0, 10.0], [100.0, 1000.0]])
    f(W).backward(seed)
    expected = W.grad
    W.zero_grad()
    y = f(W)
    W.data = W.data * 2.0
    y.backward(seed)
    assert np.array_equal(W.grad, expected)


@pytest.mark.parametrize("f", STALE.values(), ids=STALE)
def test_a_rule_with_the_value_refuses(f):
    W = Tensor([[1.0, 2.0], [3.0, 4.0]], name="W", requires_grad=True)
    with timestep(3):
        y = f(W)
    W.data = W.data * 2.0
    with pytest.raises(GradientError, match=r"data of 'W' \(2, 2\) was assigned .* at step 3"):
        y.backward(np.ones((2, 2)))
    assert W.grad is None


def test_another_parameter_that_is_needed():
    W = Tensor(np.ones((2, 2)), name="W", requires_grad=True)
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = ops.sum_(W @ x)
    W.data = np.zeros((2, 2))
    with pytest.raises(GradientError, match="'W'"):
        y.backward()
    assert x.grad is None  # neither half of it
    assert W.grad is None


def test_scalars_are_guarded_too():
    v = Value(3.0, name="v")
    fine, stale = v + v, v * v
    v.data = 5.0
    fine.backward()
    assert v.grad == 2.0
    with pytest.raises(GradientError, match="'v'"):
        stale.backward()
    fresh = v * v
    fresh.backward()
    assert v.grad == 12.0


def test_a_value_used_only_after_the_assignment():
    """A graph that was begun before W was assigned, and used it only afterwards, is not stale."""
    W, v = Tensor([2.0], requires_grad=True), Tensor([3.0], requires_grad=True)
    begun = v * v
    W.data = np.array([5.0])
    ops.sum_(begun * W).backward()
    assert (W.grad.item(), v.grad.item()) == (9.0, 30.0)


def test_a_gradient_the_user_writes_to_is_the_users():
    W = Tensor([1.0, 2.0], requires_grad=True)
    y = ops.sum_(W * W)
    y.backward()
    W.grad *= 10.0
    y.backward()
    assert np.array_equal(W.grad, [22.0, 44.0])
    W.grad = np.zeros(2)
    y.backward()
    assert np.array_equal(W.grad, [2.0, 4.0])


def test_a_seed_that_changes_on_the_way():
    W, seed = Tensor([1.0, 2.0], requires_grad=True), np.ones(2)
    h = W * 3.0
    h.register_hook(lambda g: seed.fill(7.0))
    (h + W).backward(seed)
    assert np.array_equal(W.grad, [4.0, 4.0])
