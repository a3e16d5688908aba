"""Being a row means being tested: any shape, first and second order, against differences."""

import importlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import tinygrad_rnn as tg
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.listing import op_table

from ..samples import CALLS, SAMPLES, Draw

ROWS = {row.variable: getattr(importlib.import_module(row.module), row.variable)
        for row in op_table()}
SCALAR_ROWS = [name for name, op in ROWS.items() if op.scalar is not None]
# 0-d, empty, and axes of size 1 among them
SHAPES = st.one_of(st.sampled_from([(), (0,), (1,), (3, 0), (1, 3), (2, 1, 2)]),
                   array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
SEEDS = st.integers(0, 2**32 - 1)
EXAMPLES = settings(max_examples=12, derandomize=True, deadline=None)


def test_every_row_has_a_sample_and_every_sample_a_row():
    assert sorted(SAMPLES) == sorted(ROWS)


def operands_of(name):
    return len(SAMPLES[name](Draw((2,), 0))[0])


def is_float(x):
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def dot(xs, ys):
    return sum(float(np.sum(np.asarray(x) * y)) for x, y in zip(xs, ys))


def slope(f):
    """f'(0) by central differences, the leading error taken out."""
    def central(h):
        return (f(h) - f(-h)) / (2 * h)
    return (4 * central(5e-4) - central(1e-3)) / 3


class Case:
    """One call of one row: its operands, and how the value and the gradients come out."""

    def __init__(self, name, shape, seed):
        d = Draw(shape, seed)
        operands, self.options = SAMPLES[name](d)
        self.operands = [np.asarray(x) for x in operands]
        self.call = CALLS.get(name, ROWS[name])
        self.places = [i for i, x in enumerate(self.operands) if is_float(x)]
        self.points = [self.operands[i] for i in self.places]
        y = self.value(self.points)
        self.seed = d.rng.normal(size=np.shape(y))
        self.directions = [d.rng.normal(size=x.shape) for x in (*self.points, self.seed)]
        self.weights = [d.rng.normal(size=x.shape) for x in self.points]

    def with_points(self, points):
        operands = list(self.operands)
        for i, x in zip(self.places, points):
            operands[i] = x
        return operands

    def value(self, points):
        return self.call(*map(tg.Tensor, self.with_points(points)), **self.options).numpy()

    def leaves(self, points):
        return [tg.Tensor(x, requires_grad=True) for x in points]

    def node(self, leaves):
        return self.call(*self.with_points(leaves), **self.options)

    def gradients(self, points, seed):
        leaves = self.leaves(points)
        self.node(leaves).backward(seed)
        for x, leaf in zip(points, leaves):
            assert isinstance(leaf.grad, np.ndarray)
            assert (leaf.grad.shape, leaf.grad.dtype) == (x.shape, x.dtype)
        return [leaf.grad for leaf in leaves]


def moved(xs, directions, t):
    return [x + t * v for x, v in zip(xs, directions)]


@pytest.mark.parametrize("name", ROWS)
@EXAMPLES
@given(shape=SHAPES, seed=SEEDS)
def test_first_order(name, shape, seed):
    case = Case(name, shape, seed)
    exact = dot(case.gradients(case.points, case.seed), case.directions)
    about = slope(lambda t: dot([case.seed], [case.value(moved(case.points, case.directions, t))]))
    assert math.isclose(exact, about, rel_tol=1e-7, abs_tol=1e-7)


@pytest.mark.parametrize("name", ROWS)
@EXAMPLES
@given(shape=SHAPES, seed=SEEDS)
def test_second_order(name, shape, seed):
    case = Case(name, shape, seed)
    leaves = case.leaves(case.points)
    up = tg.Tensor(case.seed, requires_grad=True)
    first = grad(case.node(leaves), leaves, up, create_graph=True)
    for g, plain in zip(first, case.gradients(case.points, case.seed)):
        np.testing.assert_allclose(g.numpy(), plain, rtol=1e-12, atol=1e-12)
    weighted = [np.sum(g * w) for g, w in zip(first, case.weights)]
    second = grad(sum(weighted), [*leaves, up])
    exact = dot([g.numpy() for g in second], case.directions)

    def along(t):
        *points, seed = moved([*case.points, case.seed], case.directions, t)
        return dot(case.gradients(points, seed), case.weights)

    assert math.isclose(exact, slope(along), rel_tol=1e-6, abs_tol=1e-6)


@pytest.mark.parametrize("name", ROWS)
def test_float32_stays_float32(name):
    case = Case(name, (2, 3), 0)
    if name == "cast":
        case.options["dtype"] = np.dtype("f4")
    low = [x.astype(np.float32) for x in case.points]
    y = case.node(case.leaves(low))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), case.value(case.points), rtol=2e-5, atol=2e-5)
    grads = case.gradients(low, case.seed.astype(np.float32))  # looks at their dtypes
    for g, exact in zip(grads, case.gradients(case.points, case.seed)):
        np.testing.assert_allclose(g, exact, rtol=5e-4, atol=5e-4)


@pytest.mark.parametrize("name", SCALAR_ROWS)
def test_floats_and_arrays_agree(name):
    for seed in range(5):
        case = Case(name, (), seed)
        options = {k: bool(v) if k == "condition" else v for k, v in case.options.items()}
        scalars = [tg.Value(float(x)) for x in case.points]
        tensors = case.leaves(case.points)
        v, x = ROWS[name](*scalars, **options), ROWS[name](*tensors, **options)
        assert (type(v), type(v.data), type(x)) == (tg.Value, float, tg.Tensor)
        assert math.isclose(v.item(), x.item(), rel_tol=1e-15, abs_tol=1e-300)
        v.backward()
        x.backward()
        for s, t in zip(scalars, tensors):
            assert type(s.grad) is float
            assert math.isclose(s.grad, float(t.grad), rel_tol=1e-14, abs_tol=1e-300)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 3.0, -2.5, 1e3, -1e3, 1e300, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("name", [n for n in SCALAR_ROWS if operands_of(n) == 1])
def test_floats_follow_ieee(name):
    op = ROWS[name]
    for x in SPECIAL:
        v, leaf = tg.Value(x), tg.Tensor(x, requires_grad=True)
        with np.errstate(all="ignore"):
            y, expected = op(v), op(leaf)
            np.testing.assert_allclose(y.item(), expected.item(), rtol=1e-15, err_msg=str(x))
            y.backward()
            expected.backward()
        np.testing.assert_allclose(v.grad, leaf.grad, rtol=1e-14, err_msg=f"slope at {x}")


STABLE = ["tanh", "sigmoid", "relu", "softplus", "log_sigmoid", "silu", "elu", "leaky_relu",
          "hard_sigmoid", "hard_tanh", "erf", "normal_cdf", "gelu_erf", "gelu_tanh", "softmax_",
          "log_softmax_", "logsumexp_", "logaddexp", "binary_cross_entropy_with_logits"]


@pytest.mark.parametrize("name", STABLE)
def test_large_numbers_are_no_trouble(name):
    """Warnings are errors here, so nothing overflows on the way."""
    x = tg.Tensor([-1e3, -40.0, 0.5, 40.0, 1e3], requires_grad=True)
    others = [np.array([0.0, 1.0, 0.5, 1.0, 0.0])][: operands_of(name) - 1]
    y = ROWS[name](x, *others)
    first = grad(y.sum(), x, create_graph=True)
    found = [y, first, *([grad(first.sum(), x)] if first.requires_grad else [])]
    for values in found:
        assert np.isfinite(values.numpy()).all()
