"""Ops of one's own: one row for floats, arrays and nodes, and errors that say what is wrong."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.core.custom import op
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.errors import GradientError, InputError, ShapeError, UnsupportedError


@op(lambda g, y, x: g * 3 * x ** 2)
def cube(x):
    """x to the third."""
    return x ** 3


@op(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
def times(a, b):
    return a * b


@op(lambda g, y, x, factor=2.0: g * factor * np.cos(factor * x))
def wave(x, factor=2.0):
    return np.sin(factor * x)


def test_plain_numbers_and_arrays_stay_plain():
    assert cube(2.0) == 8.0
    assert type(cube(2.0)) is float
    assert cube(np.array([1.0, 2.0])).tolist() == [1, 8]


def test_it_is_a_row_with_a_name_and_a_text():
    assert repr(cube) == "<op 'cube'>"
    assert cube.__doc__ == "x to the third."
    assert cube.__name__ == "cube"
    assert cube(tg.Value(2.0)).label == "cube"


@pytest.mark.parametrize("x", [tg.Value(2.0), tg.Tensor(np.array([2.0, -1.0]), requires_grad=True)])
def test_any_order(x):
    y = cube(x)
    assert type(y) is type(x)
    first = grad(y, x, np.ones(y.numpy().shape), create_graph=True)
    second = grad(first, x, np.ones(y.numpy().shape), create_graph=True)
    third = grad(second, x, np.ones(y.numpy().shape))
    np.testing.assert_allclose(first.numpy(), 3 * x.numpy() ** 2)
    np.testing.assert_allclose(second.numpy(), 6 * x.numpy())
    np.testing.assert_allclose(third.numpy(), 6 * np.ones_like(x.numpy()))


def test_broadcasting_is_the_engines():
    a = tg.Tensor(np.ones((3, 1)), requires_grad=True)
    b = tg.Tensor(np.arange(4.0), requires_grad=True)
    times(a, b).sum().backward()
    assert a.grad.tolist() == [[6], [6], [6]]
    assert b.grad.tolist() == [3, 3, 3, 3]


def test_options_are_keywords():
    v = tg.Value(0.5)
    y = wave(v, factor=3.0)
    y.backward()
    assert math.isclose(v.grad, 3 * math.cos(1.5))
    with pytest.raises(InputError, match="takes 1 operand"):
        wave(v, 3.0)
    with pytest.raises(UnsupportedError, match="factor is an option"):
        wave(v, factor=tg.Value(1.0))


def test_three_operands_and_a_star():
    @op(lambda g, y, a, b, c: g * b * c, lambda g, y, a, b, c: g * a * c,
        lambda g, y, a, b, c: g * a * b)
    def volume(a, b, c):
        return a * b * c

    xs = [tg.Value(v) for v in (2.0, 3.0, 5.0)]
    volume(*xs).backward()
    assert [x.grad for x in xs] == [15, 10, 6]

    @op(lambda g, y, *xs, position: g * 2 * xs[position])
    def squares(*xs):
        return sum(x * x for x in xs)

    xs = [tg.Value(v) for v in (2.0, 3.0, 5.0, 7.0)]
    squares(*xs).backward()
    assert [x.grad for x in xs] == [4, 6, 10, 14]


def test_a_function_of_its_own_for_floats():
    @op(lambda g, y, x: g * (1 - y * y), scalar=math.tanh, name="my tanh")
    def my_tanh(x):
        return np.tanh(x)

    assert my_tanh(tg.Value(0.3)).item() == math.tanh(0.3)
    assert my_tanh(tg.Value(0.3)).label == "my tanh"


def test_rules_that_do_not_go_with_the_function():
    with pytest.raises(InputError, match=r"times\(a, b\) needs 2 rules.*got 1"):
        op(lambda g, y, a, b: g, name="times")(lambda a, b: a * b)
    with pytest.raises(InputError, match=r"must take \(g, y, x\)"):
        op(lambda g, x: g)(lambda x: x)
    with pytest.raises(InputError, match=r"must take \(g, y, x, k=\.\.\.\)"):
        op(lambda g, y, x: g)(lambda x, k=2: x)
    with pytest.raises(InputError, match="Give the rules first"):
        op()(3.0)
    with pytest.raises(InputError, match="needs operands"):
        op()(lambda: 1.0)


def test_without_a_rule_there_is_no_gradient():
    @op(lambda g, y, x, mask: g * mask, None)
    def masked(x, mask):
        return x * mask

    x = tg.Tensor(np.ones(2), requires_grad=True)
    masked(x, np.array([0.0, 1.0])).sum().backward()
    assert x.grad.tolist() == [0, 1]
    with pytest.raises(UnsupportedError, match="operand 1 of op 'masked'"):
        masked(x, x).sum().backward()


def test_what_a_rule_may_return():
    shrunk = op(lambda g, y, x: (g * x).sum(), name="shrunk")(lambda x: x * x)
    x = tg.Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(ShapeError, match=r"op 'shrunk': expected the shape .*\(3,\).*got \(\)"):
        shrunk(x).sum().backward()
    blind = op(lambda g, y, x: np.ones(3), name="blind")(lambda x: x * 1.0)
    with pytest.raises(GradientError, match="higher derivatives"):
        grad(blind(x).sum(), x, create_graph=True)


def test_the_function_cannot_write_to_what_the_graph_keeps():
    @op(lambda g, y, x: g)
    def careless(x):
        x *= 2
        return x

    x = tg.Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(InputError, match="read-only"):
        careless(x)
    assert x.numpy().tolist() == [1, 1, 1]
