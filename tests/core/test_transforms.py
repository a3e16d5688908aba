"""Derivatives of functions against closed forms, their structures, nesting, and what is refused."""

import numpy as np
import pytest

from tinygrad_rnn.core import ops
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.place import no_grad
from tinygrad_rnn.core.transforms import hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.errors import DTypeError, GradientError, InputError, ShapeError

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 4))
X = RNG.normal(size=4)


def layer(x):
    """R⁴ -> R³ with a dense Jacobian: (1 - y²) A."""
    return ops.tanh(A @ x)


def bowl(x):
    """R⁴ -> R with the Hessian Aᵀ D A, D = diag(-2 y (1 - y²))."""
    return ops.sum_(layer(x))


def layer_slopes():
    y = np.tanh(A @ X)
    return (1 - y * y)[:, None] * A


def bowl_curvature():
    y = np.tanh(A @ X)
    return A.T @ np.diag(-2 * y * (1 - y * y)) @ A


@pytest.mark.parametrize("x", [X, Tensor(X), Tensor(X, requires_grad=True)],
                         ids=["array", "constant", "leaf"])
def test_every_kind_of_input_gives_plain_arrays(x):
    v, u = RNG.normal(size=4), RNG.normal(size=3)
    J, H = layer_slopes(), bowl_curvature()
    for found, right in [(jacobian(layer, x), J), (hessian(bowl, x), H), (hvp(bowl, x, v), H @ v),
                         (vjp(layer, x, u), u @ J), (jvp(layer, x, v), J @ v),
                         (value_and_grad(bowl)(x)[1], J.sum(0))]:
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-14)
    assert getattr(x, "grad", None) is None


def test_floats_and_values_give_floats():
    for x in (2.0, Value(2.0), 2):
        assert jacobian(lambda x: x * x * x, x) == 12.0
        assert hessian(lambda x: x * x * x, x) == 12.0
        assert hvp(lambda x: x * x * x, x, 2.0) == 24.0
        assert jvp(lambda x: x * x * x, x, 2.0) == vjp(lambda x: x * x * x, x, 2.0) == 24.0
        assert value_and_grad(lambda x: x * x * x)(x) == (8.0, 12.0)
        assert type(jacobian(lambda x: x * x, x)) is float


def test_shapes_are_out_then_in():
    assert jacobian(lambda x: ops.outer_sum(x, x), RNG.normal(size=(2, 3))).shape == (3, 3, 2, 3)
    assert jacobian(lambda x: x * np.ones(3), 2.0).shape == (3,)
    assert hessian(lambda x: ops.sum_(x * x), np.ones((2, 3))).shape == (2, 3, 2, 3)
    assert hessian(lambda x: x * x, np.ones(1)).shape == (1, 1)
    assert hessian(lambda x: x * x, np.array(3.0)).shape == ()
    assert jacobian(lambda x: x * x, np.ones((0, 2))).shape == (0, 2, 0, 2)
    assert jacobian(lambda x: x, np.ones(2)).tolist() == [[1, 0], [0, 1]]


def test_lists_tuples_and_dicts_come_back_as_such():
    a, b = 2.0, np.array([1.0, 3.0])

    def f(x):
        return ops.sum_(x["a"] * x["b"] * x["b"])

    H = hessian(f, {"a": a, "b": b})
    assert H["a"]["a"] == 0.0
    np.testing.assert_allclose(H["a"]["b"], 2 * b)
    np.testing.assert_allclose(H["b"]["a"], 2 * b)
    np.testing.assert_allclose(H["b"]["b"], 2 * a * np.eye(2))
    v = {"b": np.array([1.0, 2.0]), "a": 0.5}  # by key, in any order
    found = hvp(f, {"a": a, "b": b}, v)
    assert found["a"] == pytest.approx((2 * b) @ v["b"])
    np.testing.assert_allclose(found["b"], 2 * b * v["a"] + 2 * a * v["b"])
    first, second = jacobian(lambda x: x[0] * x[1], (a, b))
    np.testing.assert_allclose(first, b)
    np.testing.assert_allclose(second, a * np.eye(2))
    assert type(jacobian(lambda x: x[0] * x[1], [1.0, 2.0])) is list
    np.testing.assert_allclose(jvp(lambda x: x[0] * x[1], (a, b), (1.0, np.ones(2))), b + a)


def test_an_unused_input_and_a_constant_give_zeros():
    weight = Tensor(X, requires_grad=True)
    for f in (lambda x: 3.0, lambda x: ops.sum_(weight), lambda x: np.float64(1)):
        assert jacobian(f, X).tolist() == [0.0] * 4
        assert hessian(f, X).tolist() == np.zeros((4, 4)).tolist()
        assert hvp(f, X, X).tolist() == vjp(f, X, 1.0).tolist() == [0.0] * 4
        assert float(jvp(f, X, X)) == 0.0
    assert jvp(lambda x: np.arange(3), X, X).tolist() == [0.0] * 3
    assert hessian(lambda x: ops.sum_(x), X).tolist() == np.zeros((4, 4)).tolist()  # linear
    assert hessian(lambda x: ops.sum_(x), np.array([np.inf])).tolist() == [[0.0]]


def test_what_f_captures_counts_as_fixed():
    x = Value(3.0)
    assert jacobian(lambda z: z * x, x) == 3.0
    assert jacobian(lambda z: x * x, x) == 0.0


def test_create_graph_leads_back_to_x_and_to_what_f_used():
    x, w = Value(3.0), Value(5.0)
    slope = jacobian(lambda z: w * z * z, x, create_graph=True)
    by_x, by_w = grad(slope, [x, w])
    assert (slope.value, by_x.value, by_w.value) == (30.0, 10.0, 6.0)
    t = Tensor(X, requires_grad=True)
    H = hessian(lambda z: ops.sum_(z * z * z), t, create_graph=True)
    np.testing.assert_allclose(grad(ops.sum_(H), t).value, 6.0)
    for make in (hvp, jvp, vjp):
        y = make(lambda z: z * z * z, x, 1.0, create_graph=True)
        assert grad(y, x).value == pytest.approx({hvp: 6.0, jvp: 18.0, vjp: 18.0}[make])
    value, slope = value_and_grad(lambda z: z * z, create_graph=True)(x)
    assert (grad(value, x).value, grad(slope, x).value) == (6.0, 2.0)


def test_transforms_nest():
    cube = value_and_grad(lambda x: x * x * x)
    assert jacobian(lambda x: cube(x)[1], 2.0) == 12.0
    assert jacobian(lambda x: jacobian(lambda x: hessian(lambda x: x ** 5, x), x), 2.0) == 240.0
    # ∂/∂a of (∂/∂b of a b): the inner point is plain, the outer variable is only captured
    assert jacobian(lambda a: jacobian(lambda b: a * b, 1.0), 2.0) == 1.0
    np.testing.assert_allclose(jacobian(lambda x: jacobian(bowl, x), X), bowl_curvature())


def test_no_grad_around_a_transform_changes_nothing():
    with no_grad():
        np.testing.assert_allclose(hvp(bowl, X, X), bowl_curvature() @ X)
        np.testing.assert_allclose(jvp(layer, X, X), layer_slopes() @ X)
        slopes = jacobian(layer, Tensor(X, requires_grad=True), create_graph=True)
    assert slopes.requires_grad


def test_value_and_grad_passes_the_other_arguments_on():
    f = value_and_grad(lambda x, k, *, plus: k * x * x + plus)
    assert f(3.0, 2.0, plus=1.0) == (19.0, 12.0)
    value, (a, b) = value_and_grad(lambda p: p[0] * p[1])((2.0, 3.0))
    assert (value, a, b) == (6.0, 3.0, 2.0)


def test_results_are_arrays_of_ones_own():
    J = jacobian(ops.sum_, X)
    J += 1.0
    assert jacobian(ops.sum_, X).tolist() == [1.0] * 4


def test_float32_stays_float32():
    x = np.ones(2, np.float32)
    assert {r.dtype for r in (jacobian(lambda x: x * x, x), hvp(lambda x: ops.sum_(x * x), x, x),
                              jvp(lambda x: x * x, x, [1, 2]))} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: jacobian(lambda x: (x, x), X), InputError, "f must return .* got a tuple of 2"),
    (lambda: jacobian(lambda x: None, X), InputError, "jacobian: f must return"),
    (lambda: hessian(layer, X), GradientError, r"single number, got shape \(3,\)"),
    (lambda: value_and_grad(layer)(X), GradientError, "single number"),
    (lambda: jacobian(layer, np.arange(4)), DTypeError, "whole numbers"),
    (lambda: hvp(bowl, X, np.ones(3)), ShapeError, r"shape of x, \(4,\), got \(3,\)"),
    (lambda: vjp(layer, X, np.ones(4)), ShapeError, r"shape of f\(x\), \(3,\)"),
    (lambda: jvp(lambda x: x[0], (X, X), (X,)), InputError, "a tuple of 2; got a tuple of 1"),
    (lambda: jvp(lambda x: x["a"], {"a": X}, {"b": X}), InputError, "keys a; got .* keys b"),
])
def test_refusals_name_what_was_expected(call, error, words):
    with pytest.raises(error, match=words):
        call()
