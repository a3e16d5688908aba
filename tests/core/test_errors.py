"""Errors say what was expected, what came, in which op, on what, at which step, what to do."""

import copy
import math
import pickle

import numpy as np
import pytest

from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops, walk
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.place import no_grad, scope, timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.errors import (
    DTypeError,
    GradientError,
    InputError,
    ShapeError,
    TinygradRNNError,
    UnsupportedError,
)


def says(info, *parts):
    """Check that the message contains every part; return it."""
    message = str(info.value)
    for part in parts:
        assert part in message, message
    assert "\n" not in message
    return message


@pytest.fixture
def x():
    return Tensor(np.ones((8, 5)), name="x")


@pytest.fixture
def W():
    return Tensor(np.ones((4, 16)), name="W_xh", requires_grad=True)


# --- shapes ---------------------------------------------------------------------------------------


def test_a_product_that_does_not_fit(x, W):
    with pytest.raises(ShapeError) as info, timestep(3), scope("encoder"):
        x @ W
    says(info, "step 3", "op '@'", "encoder", "x (8, 5)", "W_xh (4, 16)", "inner sizes 5 and 4")


def test_a_linear_that_does_not_fit(x, W):
    with pytest.raises(ShapeError) as info, timestep(2):
        ops.linear(x, W)
    says(info, "step 2", "op 'linear'", "x (8, 5)", "W_xh (4, 16)", "5 and 16")


@pytest.mark.parametrize("op", [ops.add, ops.sub, ops.mul, ops.div, ops.maximum])
def test_a_sum_that_does_not_broadcast(op, x, W):
    with pytest.raises(ShapeError) as info:
        op(x, W)
    says(info, f"op '{op.name}'", "x (8, 5)", "W_xh (4, 16)", "sizes must be equal, or 1")


def test_an_array_that_does_not_fit(W):
    with pytest.raises(ShapeError) as info:
        W + np.ones(3)
    says(info, "W_xh (4, 16)", "array (3,)")


@pytest.mark.parametrize(("program", "op"), [
    (lambda W: ops.reshape(W, shape=(5, 5)), "reshape"),
    (lambda W: ops.concatenate(W, np.ones((2, 3)), axis=0), "concat"),
    (lambda W: ops.stack(W, np.ones(3)), "stack"),
    (lambda W: ops.sum_(W, axis=7), "sum"),
    (lambda W: ops.transpose(W, axes=(0, 5)), "T"),
    (lambda W: W[9], "[]"),
    (lambda W: W[np.array([99])], "[]"),
    (lambda W: ops.broadcast_to(W, shape=(3, 3)), "broadcast"),
])
def test_arguments_that_do_not_fit_the_shape(program, op, W):
    with pytest.raises(ShapeError) as info, timestep(4):
        program(W)
    says(info, "step 4", f"op '{op}'", "W_xh (4, 16)")


# --- kinds of data --------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [np.arange(3), np.array([True]), np.uint8(3)])
def test_a_whole_number_asked_for_a_gradient(data):
    with pytest.raises(DTypeError) as info:
        Tensor(data, name="tokens", requires_grad=True)
    says(info, "tokens", str(data.dtype), "cannot require a gradient", "astype(float)")


def test_python_numbers_become_floats():
    assert Tensor([1, 2], requires_grad=True).dtype == np.float64


@pytest.mark.parametrize("operand", ["text", None, [object()], 1j, np.array(["a"]), {}])
def test_an_operand_that_is_no_number(operand, W):
    with pytest.raises(TypeError):
        W * operand


@pytest.mark.parametrize("data", ["text", [1j], object(), [[1.0], [2.0, 3.0]]])
def test_data_that_is_no_number(data):
    with pytest.raises((TinygradRNNError, ValueError)):
        Tensor(data)


def test_a_value_is_one_number():
    with pytest.raises(DTypeError, match="single number"):
        Value([1.0, 2.0])
    with pytest.raises(DTypeError, match="node"):
        Tensor(Value(1.0))


# --- gradients ------------------------------------------------------------------------------------

STARTS = [lambda y: y.backward(), gradient_flow, lambda y: grad(y, Value(1.0))]


@pytest.mark.parametrize("start", STARTS)
def test_a_result_that_is_not_one_number(start, W):
    with timestep(5):
        y = (W * 2.0).named("y")
    with pytest.raises(GradientError) as info:
        start(y)
    says(info, "'y_5'", "(4, 16)", "step 5", "not a single number", ".sum()", "of shape (4, 16)")


@pytest.mark.parametrize("start", STARTS)
def test_a_result_that_needs_no_gradient(start, x):
    with pytest.raises(GradientError) as info:
        start((x * 2.0).named("y"))
    says(info, "'y'", "needs no gradient", "requires_grad=True", "no_grad()")


def test_a_result_made_under_no_grad(W):
    with no_grad():
        y = ops.sum_(W)
    with pytest.raises(GradientError, match=r"no_grad\(\)"):
        y.backward()


def test_grad_of_something_without_a_gradient(x, W):
    y = ops.sum_(W)
    with pytest.raises(GradientError) as info:
        grad(y, [W, x])
    says(info, "'x'", "(8, 5)", "requires_grad=True")
    with pytest.raises(GradientError):
        grad(y, [W, np.ones(3)])


@pytest.mark.parametrize("start", STARTS[:2])
def test_a_second_backward_through_a_released_graph(start, W):
    with timestep(2):
        loss = ops.sum_(W * W).named("L")
    loss.backward()
    walk.release(loss)
    with pytest.raises(GradientError) as info:
        start(loss)
    says(info, "'L_2'", "already released", ".detach()", "run the program again")


@pytest.mark.parametrize("start", [*STARTS[:2], lambda y: grad(y, y.operands[0])])
def test_a_state_carried_over_from_a_released_graph(start, W):
    with timestep(4), scope("encoder"):
        h = ops.tanh(W).named("h")
    loss = ops.sum_(h)
    loss.backward()
    walk.release(loss)
    with timestep(5):
        new = ops.sum_(h * W)
    before = W.grad.copy()
    with pytest.raises(GradientError) as info:
        start(new)
    says(info, "'h_4'", "(4, 16)", "step 4", "encoder", "already released", ".detach()")
    assert np.array_equal(W.grad, before)
    ops.sum_(h.detach() * W).backward()  # the way out works


def test_data_changed_after_it_was_used(W):
    with timestep(3):
        loss = ops.sum_(W * W)
    W.data -= 1.0
    with pytest.raises(GradientError) as info:
        loss.backward()
    says(info, "'W_xh'", "(4, 16)", "op '*'", "step 3", "before you update",
         ".detach()")


def test_data_of_the_wrong_shape(W):
    with pytest.raises(ShapeError) as info:
        W.data = np.ones(3)
    says(info, "'W_xh'", "(4, 16)", "(3,)")


def test_a_ledger_of_what_the_flow_did_not_reach(W):
    flow = gradient_flow(ops.sum_(W))
    other = Tensor([1.0], name="other", requires_grad=True)
    with pytest.raises(GradientError) as info:
        flow.ledger(other)
    says(info, "'other'", "no contribution")


# --- what would lose a gradient without a word ----------------------------------------------------


def test_functions_of_the_math_module():
    with pytest.raises(GradientError) as info:
        math.tanh(Value(1.0))
    says(info, "lose its gradient", ".item()", "tg.tanh")


def test_numpy_arrays_of_nodes(W):
    for make in (np.array, np.asarray, lambda v: np.array([v, v])):
        with pytest.raises((GradientError, UnsupportedError)) as info:
            make(W)
        says(info, "lose its gradient")
    with pytest.raises(GradientError, match="lose its gradient"):
        float(Value(1.0))


def test_writing_to_a_tensor(W):
    with pytest.raises(UnsupportedError, match=r"in place.*\.data"):
        W[0] = 1.0


def test_copies_and_pickles(W):
    with pytest.raises(UnsupportedError, match="pickle"):
        pickle.dumps(W)
    with pytest.raises(UnsupportedError, match="detach"):
        copy.deepcopy(W * 2.0)
    assert np.array_equal(copy.deepcopy(W).value, W.value)


# --- switches and names ---------------------------------------------------------------------------


@pytest.mark.parametrize("t", [1.5, "3", None, True])
def test_a_step_is_a_whole_number(t):
    with pytest.raises(InputError, match="whole number"):
        timestep(t)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_name_is_a_text(name):
    with pytest.raises(InputError, match="name"):
        scope(name)
    with pytest.raises(InputError, match="name"):
        Value(1.0).named(name)


def test_every_error_is_one_of_ours_and_one_of_pythons():
    assert issubclass(ShapeError, ValueError)
    assert issubclass(DTypeError, TypeError)
    assert issubclass(UnsupportedError, TypeError)
    assert issubclass(GradientError, RuntimeError)
    assert issubclass(InputError, ValueError)
    for kind in (ShapeError, DTypeError, UnsupportedError, GradientError, InputError):
        assert issubclass(kind, TinygradRNNError)
        assert str(kind("it broke", where="here", fix="Mend it")) == "here: it broke. Mend it"
