"""What a user may try and must not lose data or a gradient by: operands too many, hooks that give
nonsense, rules that write, a condition in the wrong place."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def tensor(*numbers, name=None):
    return tg.Tensor(np.array(numbers, float), name=name, requires_grad=True)


@pytest.mark.parametrize("call", [
    lambda x, z: tg.tanh(x, z), lambda x, z: x.tanh(z), lambda x, z: tg.exp(np.ones(2), z),
    lambda x, z: tg.maximum(x, x, z), lambda x, z: tg.tanh(np.ones(2), z.data),
    lambda x, z: x + None, lambda x, z: tg.maximum(x, None)])
def test_an_operand_too_many_or_too_few_is_refused(call):
    x, z = tensor(1.0, 2.0, name="x"), tensor(5.0, 6.0, name="z")
    with pytest.raises(TypeError, match="operand"):
        call(x, z)
    assert z.numpy().tolist() == [5.0, 6.0]


@pytest.mark.parametrize("x", [tg.Value(-2.0), tg.Tensor([1.0, -2.0], requires_grad=True)])
def test_where_is_written_as_in_numpy(x):
    got, expected = tg.where(x > 0, x, 0.0), np.where(x.numpy() > 0, x.numpy(), 0.0)
    np.testing.assert_array_equal(got.numpy(), expected)
    got.backward(np.ones(expected.shape))
    np.testing.assert_array_equal(x.grad, x.numpy() > 0)


def test_a_hook_gives_a_gradient_of_the_same_shape_or_an_error():
    for wrong in (lambda g: np.ones(5), lambda g: np.ones((4, 2))):
        t = tensor(1.0, 2.0, name="t")
        h = (t * 2).named("h")
        h.register_hook(wrong)
        with pytest.raises(tg.ShapeError, match=r"'h' \(2,\) gave a gradient of shape"):
            h.sum().backward()
        assert t.grad is None
    t = tensor(1.0)
    t.register_hook(lambda g: "a")
    with pytest.raises(tg.DTypeError):
        t.sum().backward()
    t = tensor(1.0)
    t.register_hook(lambda g: [3])
    t.sum().backward()
    assert t.grad.dtype == float
    assert t.grad.tolist() == [3.0]


def test_a_hook_on_the_way_to_a_second_derivative_gives_a_node():
    v = tg.Value(2.0)
    y = v * v
    y.register_hook(lambda g: 3.0)
    with pytest.raises(tg.GradientError, match="got a node and gave plain numbers"):
        tg.grad(y * v, v, create_graph=True)


def test_a_seed_is_made_of_real_numbers():
    with pytest.raises(tg.DTypeError):
        tensor(1.0, 2.0).backward(np.array([None, None]))
    with pytest.raises(tg.DTypeError):
        tensor(1.0, 2.0).backward(np.array([1j, 2j]))


def test_a_rule_cannot_write_to_what_arrives():
    @tg.op(lambda g, y, x: np.multiply(g, 3, out=g))
    def triple(x):
        return x * 3

    q = tensor(1.0, 2.0)
    y = q * 2
    with pytest.raises(ValueError, match="read-only"):
        (triple(y) + y).sum().backward()


def test_a_slope_that_does_not_vary_has_slope_zero():
    a = tg.Value(2.0)
    slope = tg.grad(3 * a, a, create_graph=True)
    assert slope.item() == 3
    assert tg.grad(slope, a).item() == 0
    y = a ** 2
    for expected in (4, 2, 0, 0):
        y = tg.grad(y, a, create_graph=True)
        assert y.item() == expected
    with pytest.raises(tg.GradientError, match="needs no gradient"):  # not create_graph: no node
        tg.grad(tg.grad(a ** 2, a), a)


def test_a_sum_needs_only_the_shape_of_what_it_summed():
    p = tensor(1.0, 2.0)
    total = p.sum()
    p.data -= 0.5
    total.backward()
    assert p.grad.tolist() == [1.0, 1.0]


def test_a_detached_state_keeps_its_step():
    with tg.timestep(1):
        h = (tg.Value(2.0) * 3).named("h")
    with tg.timestep(2):
        assert h.detach().label == "h_1"


def test_a_ledger_says_that_a_hook_comes_after_it():
    w = tg.Value(2.0, name="w")
    w.register_hook(lambda g: g * 10)
    flow = tg.gradient_flow(w * w)
    assert flow.ledger(w).total == 4
    assert "w.grad before its hooks: 4" in str(flow.ledger(w))
    assert w.grad == 40


def test_only_shapes_are_shape_errors():
    with pytest.raises(tg.InputError, match="Singular"):
        np.linalg.inv(tg.Tensor(np.zeros((2, 2)), requires_grad=True))
    with np.errstate(all="raise"), pytest.raises(tg.InputError, match="overflow"):
        np.exp(tensor(1e6))
    with pytest.raises(tg.ShapeError):
        tensor(1.0, 2.0) + np.ones(3)


def test_a_walk_starts_from_nodes():
    y = tg.Value(2.0) * 3
    for wrong in (lambda: tg.uses(y, 3), lambda: tg.path(3, y), lambda: tg.nodes(3)):
        with pytest.raises(tg.InputError, match="starts from a Value or a Tensor"):
            wrong()


def test_every_public_op_has_a_doc():
    assert all(getattr(tg, name).__doc__ for name in tg.__all__)


@pytest.mark.parametrize("make", [
    lambda: tg.Tensor([[1.0], [2.0, 3.0]]), lambda: tensor(1.0, 2.0) * [[1.0], [2.0, 3.0]],
    lambda: nn.RNN(2, 3, seed=0)([[[1.0, 2.0]], [[1.0]]])])
def test_a_ragged_list_is_named(make):
    with pytest.raises((tg.DTypeError, tg.ShapeError)):
        make()


def test_a_generator_that_is_none_of_these_is_named():
    layer, head = nn.RNN(3, 4, seed=0), nn.Linear(4, 3, seed=1)
    with pytest.raises(tg.InputError, match="expected rng to be a whole number"):
        nn.generate(layer, head, 0, 3, rng="a")
