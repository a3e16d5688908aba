"""The functions of networks: what they are defined to be, at the ends and in the errors."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import grad
from tinygrad_rnn.core import functions as F
from tinygrad_rnn.core import per_sample
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError

X = np.random.default_rng(0).normal(size=(3, 4, 5))


def test_plain_in_plain_out():
    assert type(F.softmax(X)) is np.ndarray
    assert F.softmax([1.0, 1.0]).tolist() == [0.5, 0.5]
    assert type(F.gelu(1.0)) is float
    assert F.logsumexp([0.0, 0.0]) == math.log(2)
    assert per_sample.cross_entropy([0.0, 0.0], 1) == math.log(2)


def test_definitions():
    p = np.exp(X) / np.exp(X).sum(1, keepdims=True)
    np.testing.assert_allclose(F.softmax(X, axis=1), p, rtol=1e-13)
    np.testing.assert_allclose(F.log_softmax(X, axis=1), np.log(p), rtol=1e-12)
    np.testing.assert_allclose(F.logsumexp(X, (0, 2)), np.log(np.exp(X).sum((0, 2))), rtol=1e-13)
    np.testing.assert_allclose(F.softplus(X), np.log(1 + np.exp(X)), rtol=1e-13)
    np.testing.assert_allclose(F.log_sigmoid(X), -np.log(1 + np.exp(-X)), rtol=1e-13)
    np.testing.assert_allclose(F.silu(X), X / (1 + np.exp(-X)), rtol=1e-13)
    np.testing.assert_allclose(F.selu(X), 1.0507009873554805 * np.where(
        X > 0, X, 1.6732632423543772 * (np.exp(X) - 1)), rtol=1e-12)
    np.testing.assert_allclose(F.gelu(X), F.gelu(X, approximate="tanh"), atol=5e-4)
    with pytest.raises(InputError, match="approximate"):
        F.gelu(X, approximate="fast")


@pytest.mark.parametrize("x", [*np.linspace(-6, 6, 25), 1e-12, 1e-300, 30.0, -30.0])
def test_erf_is_as_exact_as_the_c_library(x):
    assert F.erf(np.array([x]))[0] == math.erf(x)
    expected = x * math.erfc(-x / math.sqrt(2)) / 2
    assert math.isclose(F.gelu(np.array([x]))[0], expected, rel_tol=1e-15)


def test_softmax_needs_its_axis():
    for f in (F.softmax, F.log_softmax):
        with pytest.raises(ValueError, match="axis"):
            f(tg.Value(1.0))
        with pytest.raises(ValueError, match="axis 3"):
            f(tg.Tensor(X), axis=3)


def test_logsumexp_of_nothing_likely():
    assert F.logsumexp(np.array([-np.inf, -np.inf])) == -np.inf
    assert F.logsumexp(np.array([-np.inf, 0.0])) == 0.0


# --- cross-entropy --------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_cross_entropy_of_classes(axis):
    x = tg.Tensor(X, requires_grad=True)
    samples = tuple(np.delete(X.shape, axis))
    target = np.random.default_rng(1).integers(0, X.shape[axis], samples)
    y = per_sample.cross_entropy(x, target, axis=axis)
    assert y.shape == samples
    hot = per_sample.one_hot(target, X.shape[axis], axis)
    assert hot.shape == X.shape
    np.testing.assert_allclose(y.numpy(), -(hot * F.log_softmax(X, axis)).sum(axis), rtol=1e-13)
    up = np.random.default_rng(2).normal(size=samples)
    y.backward(up)
    np.testing.assert_allclose(x.grad, np.expand_dims(up, axis) * (F.softmax(X, axis) - hot))
    same = per_sample.cross_entropy(tg.Tensor(X), hot, axis=axis)
    np.testing.assert_allclose(same.numpy(), y.numpy(), rtol=1e-14)


def test_it_is_one_node():
    x = tg.Tensor(X[0], requires_grad=True)
    y = per_sample.cross_entropy(x, np.array([0, 1, 2, 3]))
    assert y.operands[0] is x
    assert y.label == "cross entropy"
    one = per_sample.cross_entropy(x[0], 2)
    assert one.shape == ()


def test_a_target_that_is_a_node():
    x, t = tg.Tensor(X[0], requires_grad=True), tg.Tensor(F.softmax(X[1]), requires_grad=True)
    per_sample.cross_entropy(x, t).sum().backward()
    np.testing.assert_allclose(t.grad, -F.log_softmax(X[0]))
    np.testing.assert_allclose(x.grad, F.softmax(X[0]) - t.numpy())
    y = per_sample.cross_entropy(x, tg.Tensor(np.array([0, 1, 2, 3])))
    assert y.shape == (4,)
    x.zero_grad()
    y.sum().backward()
    np.testing.assert_allclose(x.grad, F.softmax(X[0]) - per_sample.one_hot([0, 1, 2, 3], 5))


def test_the_target_is_kept_as_it_was():
    x, target = tg.Tensor(X[0], requires_grad=True), np.array([0, 1, 2, 3])
    y = per_sample.cross_entropy(x, target).sum()
    target[:] = 4
    y.backward()
    np.testing.assert_allclose(x.grad, F.softmax(X[0]) - per_sample.one_hot([0, 1, 2, 3], 5))


def test_sure_and_wrong_is_finite():
    x = tg.Tensor([1e3, -1e3, 0.0], requires_grad=True)
    y = per_sample.cross_entropy(x, 1)
    y.backward()
    assert y.item() == 2000
    assert x.grad.tolist() == [1, -1, 0]
    impossible = per_sample.cross_entropy(np.array([0.0, -np.inf]), np.array([1.0, 0.0]))
    assert impossible == 0.0


def test_the_second_derivative_is_diag_p_minus_p_p():
    x = tg.Tensor(X[0, 0], requires_grad=True)
    first = grad(per_sample.cross_entropy(x, 3), x, create_graph=True)
    hessian = [grad(g, x).numpy() for g in first]
    p = F.softmax(X[0, 0])
    np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), atol=1e-15)


def test_no_samples():
    x = tg.Tensor(np.zeros((0, 5)), requires_grad=True)
    y = per_sample.cross_entropy(x, np.zeros(0, int))
    y.sum().backward()
    assert (y.shape, x.grad.shape) == ((0,), (0, 5))


@pytest.mark.parametrize(("target", "error", "text"), [
    ([0, 1, 2, 5], InputError, r"classes must lie in 0 \.\. 4, got 0 \.\. 5"),
    ([0, 1, 2, -1], InputError, r"got -1 \.\. 2"),
    ([0.0, 1.0, 2.0, 3.0], DTypeError, "whole numbers"),
    ([0, 1, 2], ShapeError, r"target of shape \(4,\) \(classes\) or \(4, 5\).*got \(3,\)"),
    (np.zeros((5, 4)), ShapeError, r"got \(5, 4\)"),
])
def test_targets_that_do_not_go(target, error, text):
    with pytest.raises(error, match=text):
        per_sample.cross_entropy(tg.Tensor(X[0], requires_grad=True), target)


def test_binary_cross_entropy_and_squared_error():
    x, t = tg.Tensor(X, requires_grad=True), (X > 0.3) * 1.0
    p = 1 / (1 + np.exp(-X))
    y = per_sample.binary_cross_entropy_with_logits(x, t)
    np.testing.assert_allclose(y.numpy(), -t * np.log(p) - (1 - t) * np.log(1 - p), rtol=1e-12)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, p - t, atol=1e-15)
    assert per_sample.binary_cross_entropy_with_logits(40.0, 1.0) == math.log1p(math.exp(-40))
    v = tg.Value(3.0)
    per_sample.squared_error(v, 1.0).backward()
    assert v.grad == 4
