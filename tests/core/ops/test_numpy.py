"""NumPy code runs unchanged: the same expression on arrays and on tensors gives the same values,
and its gradients are those of differences. A supported function that is not tried here fails."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.protocol import FUNCTIONS, QUESTIONS, UFUNCS, full_name

RNG = np.random.default_rng(3)
ARRAYS = {
    "x": RNG.normal(size=(2, 3, 4)), "m": RNG.normal(size=(3, 4)),
    "s": RNG.normal(size=(3, 3)) + 3 * np.eye(3),
    "v": RNG.normal(size=4), "w": RNG.normal(size=3), "p": RNG.uniform(0.3, 0.9, (2, 3)),
    "q": RNG.uniform(1.1, 2.0, (2, 3)), "c": np.array(0.7),
}
I = np.array([[0, 2, 2], [1, 1, 0]])
MASK = ARRAYS["m"] > 0

# every expression is run with arrays and with tensors in the same places
EXPRESSIONS = {
    np.sum: ["np.sum(x)", "np.sum(x, 1)", "np.sum(x, axis=(0, -1), keepdims=True)", "x.sum(0)",
             "np.sum(c)"],
    np.mean: ["np.mean(x)", "np.mean(x, axis=(0, 2))", "x.mean(-1, keepdims=True)"],
    np.average: ["np.average(x, 1)", "np.average(p, weights=q)", "np.average(p, 0, q)"],
    np.var: ["np.var(x)", "np.var(x, axis=1, ddof=1)", "x.var(0, keepdims=True)"],
    np.std: ["np.std(x, axis=-1)", "x.std()"],
    np.max: ["np.max(x)", "x.max(1)", "np.max(x, axis=(0, 2), keepdims=True)"],
    np.min: ["np.min(x)", "x.min(axis=-1)"], np.amax: ["np.amax(x, 0)"], np.amin: ["np.amin(x, 0)"],
    np.ptp: ["np.ptp(x, axis=1)"],
    np.prod: ["np.prod(x)", "np.prod(x, axis=1)", "x.prod((0, 2), keepdims=True)", "np.prod(c)"],
    np.cumsum: ["np.cumsum(x)", "x.cumsum(-1)"], np.cumprod: ["np.cumprod(v)", "x.cumprod(1)"],
    np.median: ["np.median(x)", "np.median(x, axis=1)", "np.median(m, (0, 1), keepdims=True)"],
    np.reshape: ["np.reshape(x, (4, -1))", "x.reshape(6, 4)", "x.reshape((24,))", "x.reshape(-1)"],
    np.ravel: ["np.ravel(x)", "x.ravel()"],
    np.transpose: ["np.transpose(x)", "np.transpose(x, (-1, 0, 1))", "x.transpose(1, 0, 2)", "x.T"],
    np.squeeze: ["np.squeeze(x[:1])", "np.squeeze(x[:, :1], axis=1)", "x[:1].squeeze(0)"],
    np.expand_dims: ["np.expand_dims(x, 1)", "np.expand_dims(x, (0, -1))"],
    np.swapaxes: ["np.swapaxes(x, 0, -1)", "x.swapaxes(0, 1)"],
    np.moveaxis: ["np.moveaxis(x, 0, -1)", "np.moveaxis(x, (0, 1), (-1, 0))"],
    np.rollaxis: ["np.rollaxis(x, 2)", "np.rollaxis(x, 0, 3)", "np.rollaxis(x, -1, 1)"],
    np.flip: ["np.flip(x)", "np.flip(x, 1)", "np.flip(x, (0, -1))"],
    np.fliplr: ["np.fliplr(m)"], np.flipud: ["np.flipud(m)"],
    np.rot90: ["np.rot90(m)", "np.rot90(m, 2)", "np.rot90(x, -1, (1, 2))"],
    np.roll: ["np.roll(x, 5)", "np.roll(x, 1, axis=1)", "np.roll(m, (1, -2), axis=(0, 1))"],
    np.repeat: ["np.repeat(m, 2)", "np.repeat(m, [1, 0, 2], axis=0)", "m.repeat(3, axis=1)"],
    np.tile: ["np.tile(m, 2)", "np.tile(v, (2, 2))"],
    np.pad: ["np.pad(m, 1)", "np.pad(m, ((1, 0), (0, 2)))", "np.pad(v, 2, constant_values=1.5)",
             "np.pad(m, 1, mode='edge')", "np.pad(m, 2, 'reflect')", "np.pad(m, 1, 'wrap')"],
    np.delete: ["np.delete(m, 1, axis=0)", "np.delete(v, [0, 2])"],
    np.atleast_1d: ["np.atleast_1d(c)", "np.atleast_1d(v)"], np.atleast_2d: ["np.atleast_2d(v)"],
    np.atleast_3d: ["np.atleast_3d(m)"],
    np.broadcast_to: ["np.broadcast_to(m, (2, 3, 4))", "np.broadcast_to(c, 3)"],
    np.broadcast_arrays: ["sum(np.broadcast_arrays(x, m, v))"],
    np.concatenate: ["np.concatenate([m, s], axis=1)", "np.concatenate((m, m, ones(1, 4)))",
                     "np.concatenate(x)", "np.concatenate([m, v], axis=None)"],
    np.stack: ["np.stack([v, v * v])", "np.stack((m, m * m), axis=-1)", "np.stack([c, c * c])"],
    np.vstack: ["np.vstack([v, m])"], np.hstack: ["np.hstack([m, s])", "np.hstack([v, w])"],
    np.dstack: ["np.dstack([m, m * m])"], np.column_stack: ["np.column_stack([w, m, w])"],
    np.append: ["np.append(m, v)", "np.append(m, m, axis=0)"],
    np.split: ["np.split(x, 3, axis=1)[1]", "np.split(v, [1, 1, 3])[2]",
               "np.split(v, [1, 1, 3])[1]",
               "np.split(v, [-1])[0]"],
    np.array_split: ["np.array_split(v, 3)[0]", "np.array_split(v, 6)[5]"],
    np.hsplit: ["np.hsplit(m, 2)[1]", "np.hsplit(v, 2)[0]"], np.vsplit: ["np.vsplit(m, 3)[2]"],
    np.dsplit: ["np.dsplit(x, 2)[1]"],
    np.take: ["np.take(x, I)", "np.take(x, I, axis=1)", "x.take([0, -1], axis=-1)"],
    np.take_along_axis: ["np.take_along_axis(m, I.T, 1)",
                         "np.take_along_axis(p, I[:1], axis=0 + 1)"],
    np.sort: ["np.sort(x)", "np.sort(x, axis=0)", "np.sort(x, None)"],
    np.diff: ["np.diff(x)", "np.diff(x, axis=1)", "np.diff(v, 2)"],
    np.diag: ["np.diag(v)", "np.diag(w, -1)", "np.diag(m)", "np.diag(m, 1)"],
    np.diagonal: ["np.diagonal(x, 1, 1, 2)", "s.diagonal()"],
    np.trace: ["np.trace(s)", "np.trace(m, 1)", "np.trace(x, axis1=1, axis2=2)"],
    np.tril: ["np.tril(m)", "np.tril(x, -1)"], np.triu: ["np.triu(m)", "np.triu(m, 2)"],
    np.einsum: ["np.einsum('ij,kj', m, s @ m)", "np.einsum('b...,...->b...', x, m)",
                "np.einsum('ii', s)",
                "np.einsum('...j,j', x, v)", "np.einsum('aij, ij -> ija', x, m)",
                "np.einsum('ji', m)",
                "np.einsum('ij,jk,kl->il', s, s, m, optimize=True)", "np.einsum('iii->i', t3(s))"],
    np.tensordot: ["np.tensordot(x, m)", "np.tensordot(x, m, axes=([2, 1], [1, 0]))",
                   "np.tensordot(v, w, 0)", "np.tensordot(s, m, 1)"],
    np.dot: ["np.dot(s, m)", "np.dot(v, v)", "np.dot(m, np.swapaxes(x, 1, 2))", "np.dot(c, m)",
             "m.dot(v)"],
    np.inner: ["np.inner(v, v)", "np.inner(m, x)", "np.inner(c, v)"],
    np.outer: ["np.outer(v, w)", "np.outer(m, v)"], np.vdot: ["np.vdot(m, m * m)"],
    np.kron: ["np.kron(v, w)", "np.kron(s, p)", "np.kron(p, v)"],
    np.linalg.inv: ["np.linalg.inv(s)"], np.linalg.det: ["np.linalg.det(s)"],
    np.linalg.solve: ["np.linalg.solve(s, w)", "np.linalg.solve(s, m)"],
    np.linalg.slogdet: ["np.linalg.slogdet(s)[1]", "np.linalg.slogdet(s).logabsdet"],
    np.linalg.cholesky: ["np.linalg.cholesky(s @ s.T)"],
    np.linalg.norm: ["np.linalg.norm(x)", "np.linalg.norm(m, axis=1)", "np.linalg.norm(m, 'fro')",
                     "np.linalg.norm(m, 1)", "np.linalg.norm(m, np.inf, keepdims=True)",
                     "np.linalg.norm(x, -np.inf, axis=(2, 0))", "np.linalg.norm(v, 1)",
                     "np.linalg.norm(m, 3, axis=0)", "np.linalg.norm(v, np.inf)",
                     "np.linalg.norm(m, 2, axis=-1, keepdims=True)", "np.linalg.norm(v, -np.inf)"],
    np.linalg.matrix_power: ["np.linalg.matrix_power(s, 3)", "np.linalg.matrix_power(s, -2)",
                             "np.linalg.matrix_power(s, 0)"],
    np.linalg.multi_dot: ["np.linalg.multi_dot([s, s, m, v])"],
    np.clip: ["np.clip(x, -0.5, 0.8)", "np.clip(x, 0.1, None)", "x.clip(None, 0.2)",
              "np.clip(m, p[0, 0] - 1, v[0] + 1)"],
    np.where: ["np.where(MASK, m, -2 * m)", "np.where(MASK, 0.0, m)", "np.where(m > 0, v, m)"],
    np.round: ["np.round(m, 1) + m", "m.round() * m"], np.around: ["np.around(m) + m"],
    np.fix: ["np.fix(m) + m"],
    np.nan_to_num: ["np.nan_to_num(m)", "np.nan_to_num(np.where(MASK, m, np.inf), posinf=2.0)"],
    np.real: ["np.real(m)"], np.copy: ["np.copy(m)"],
    np.add: ["m + v", "1 + m", "np.add.reduce(m)", "np.add.reduce(x, axis=None)",
             "np.add.accumulate(m)",
             "np.add.outer(v, w)", "np.add.reduce(m, axis=1, keepdims=True)"],
    np.subtract: ["m - v", "2 - m", "np.subtract.outer(v, w)"],
    np.multiply: ["m * v", "np.multiply.reduce(m)", "np.multiply.outer(m, w)",
                  "np.multiply.accumulate(m, 1)"],
    np.divide: ["p / q", "1 / q",
                "np.true_divide(p, 2)"], np.negative: ["-m"], np.positive: ["+m", "np.positive(m)"],
    np.power: ["p ** q", "q ** 2", "2 ** p", "np.power(p, -1.5)", "p ** 0 + p"],
    np.float_power: ["np.float_power(p, q)"],
    np.matmul: ["s @ m", "m @ v", "x @ v", "ones(2, 3) @ m", "np.matmul(w, m)"],
    np.absolute: ["abs(m)", "np.abs(m)"], np.fabs: ["np.fabs(m)"], np.sign: ["np.sign(m) * m"],
    np.maximum: ["np.maximum(m, v)", "np.maximum(m, 0.0)", "np.maximum.reduce(m)"],
    np.minimum: ["np.minimum(m, v)", "np.minimum.reduce(m, axis=1)"],
    np.remainder: ["np.remainder(q, p)", "m % 0.75", "5.5 % q", "np.mod(m, 0.75)"],
    np.floor_divide: ["q // p + q", "m // 0.75 + m"], np.fmod: ["np.fmod(m, 0.75)",
                      "np.fmod(q, p)"],
    np.arctan2: ["np.arctan2(p, q)", "np.arctan2(m, 0.3)"], np.hypot: ["np.hypot(p, q)"],
    np.logaddexp: ["np.logaddexp(p, q)", "np.logaddexp(m, 0)"], np.conjugate: ["np.conj(m)"],
    np.arccosh: ["np.arccosh(q)"],
    **{f: [f"np.{f.__name__}(p)"] for f in (
        np.exp, np.log, np.sqrt, np.sin, np.cos, np.tanh, np.log1p, np.expm1, np.log2, np.log10,
        np.exp2, np.square, np.reciprocal, np.cbrt, np.tan, np.arcsin, np.arccos, np.arctan,
        np.sinh, np.cosh, np.arcsinh, np.arctanh, np.deg2rad, np.rad2deg, np.radians, np.degrees)},
    **{f: [f"np.{f.__name__}(m) + m"] for f in (np.floor, np.ceil, np.trunc, np.rint)},
}
ALL = [e for expressions in EXPRESSIONS.values() for e in expressions]
HELPERS = {"np": np, "I": I, "MASK": MASK, "ones": lambda *shape: np.ones(shape),
           "t3": lambda s: np.einsum("ij,k->ijk", s, np.ones(3))}


def used(expression):
    names = compile(expression, "", "eval").co_names
    return [n for n in ARRAYS if n in names]


def run(expression, inputs):
    return eval(expression, {**HELPERS, **inputs})


def test_every_supported_function_is_tried():
    missing = {full_name(f) for f in (*UFUNCS, *FUNCTIONS)} - {full_name(f) for f in EXPRESSIONS}
    assert not missing


@pytest.mark.parametrize("expression", ALL)
def test_values_are_numpys(expression):
    names = used(expression)
    expected = np.asarray(run(expression, ARRAYS))
    got = run(expression, {n: tg.Tensor(ARRAYS[n], requires_grad=True) for n in names})
    assert isinstance(got, tg.Tensor)
    assert got.requires_grad
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("expression", ALL)
def test_gradients_are_those_of_differences(expression):
    names = used(expression)
    rng = np.random.default_rng(0)
    points = [ARRAYS[n] for n in names]
    up = rng.normal(size=np.shape(run(expression, ARRAYS)))
    moves = [rng.normal(size=p.shape) for p in points]
    weights = [rng.normal(size=p.shape) for p in points]

    def value(t):
        return np.sum(up * run(expression, {n: p + t * v for n, p, v in zip(names, points, moves)}))

    def gradients(t):
        leaves = [tg.Tensor(p + t * v, requires_grad=True) for p, v in zip(points, moves)]
        run(expression, dict(zip(names, leaves))).backward(up)
        return [x.grad for x in leaves]

    first = gradients(0.0)
    assert [g.shape for g in first] == [p.shape for p in points]
    exact = sum(np.sum(g * v) for g, v in zip(first, moves))
    assert math.isclose(exact, slope(value), rel_tol=1e-7, abs_tol=1e-7)

    leaves = [tg.Tensor(p, requires_grad=True) for p in points]
    nodes = grad(run(expression, dict(zip(names, leaves))), leaves, up, create_graph=True)
    for node, g in zip(nodes, first):
        np.testing.assert_allclose(node.numpy(), g, rtol=1e-12, atol=1e-12)
    weighted = sum(np.sum(node * w) for node, w in zip(nodes, weights))
    if weighted.requires_grad:
        second = grad(weighted, leaves)
        exact = sum(np.sum(g.numpy() * v) for g, v in zip(second, moves))
        about = slope(lambda t: sum(np.sum(g * w) for g, w in zip(gradients(t), weights)))
        assert math.isclose(exact, about, rel_tol=1e-6, abs_tol=1e-6)


def slope(f):
    """f'(0) by central differences, the leading error taken out."""
    def central(h):
        return (f(h) - f(-h)) / (2 * h)
    return (4 * central(5e-4) - central(1e-3)) / 3


QUESTIONS_ASKED = [
    "np.shape(m)", "np.ndim(m)", "np.size(m)", "np.argmax(m, axis=1)", "m.argmin()",
    "np.argsort(m)",
    "np.nonzero(m)[0]", "np.count_nonzero(m)", "np.any(m > 0)", "m.all()", "np.isclose(m, m)",
    "np.allclose(m, m + 1)", "np.array_equal(m, m)", "np.isnan(m)", "np.isfinite(m)", "m > 0",
    "m == m", "np.greater(m, v)", "np.logical_and(m, v)", "np.zeros_like(m)",
    "np.ones_like(m, dtype='f4')",
    "np.full_like(m, 3)", "np.result_type(m, v)", "np.searchsorted(np.sort(v), 0.1)",
    "np.where(m > 0)[0]",
    "np.linalg.matrix_rank(s)", "np.array_repr(v)", "np.flatnonzero(v)", "np.signbit(m)", "len(m)",
]


@pytest.mark.parametrize("expression", QUESTIONS_ASKED)
def test_questions_get_plain_answers(expression):
    names = used(expression)
    expected = run(expression, ARRAYS)
    got = run(expression, {n: tg.Tensor(ARRAYS[n], requires_grad=True) for n in names})
    assert type(got) is type(expected)
    np.testing.assert_equal(got, expected)


def test_questions_are_not_gradients():
    assert not QUESTIONS & ({*UFUNCS} | {*FUNCTIONS})


def test_values_become_tensors_where_there_are_many():
    v, w = tg.Value(2.0), tg.Value(3.0)
    y = np.stack([v, w, v])
    assert isinstance(y, tg.Tensor)
    assert y.shape == (3,)
    np.sum(y * np.array([1.0, 10.0, 100.0])).backward()
    assert (v.grad, w.grad) == (101.0, 10.0)
    assert type(v.grad) is float


@pytest.mark.parametrize("expression", ["np.clip(v, 0.0, 2.5)", "np.where(True, v, 0.0)",
"np.round(v, 1)",
                                        "np.nan_to_num(v)", "np.tanh(v)", "np.hypot(v, 1.0)",
                                        "np.copy(v)"])
def test_entry_by_entry_a_value_stays_a_value(expression):
    v = tg.Value(2.25)
    y = eval(expression, {"np": np, "v": v})
    assert type(y) is tg.Value
    assert type(y.data) is float
    assert math.isclose(y.item(), float(eval(expression, {"np": np, "v": 2.25})), rel_tol=1e-15)


def test_a_mask_of_many_makes_a_tensor_of_two_values():
    v, w = tg.Value(2.0), tg.Value(3.0)
    y = np.where(np.array([True, False, True]), v, w)
    assert y.numpy().tolist() == [2, 3, 2]
    y.sum().backward()
    assert (v.grad, w.grad) == (2, 1)


def test_a_product_with_zeros():
    x = tg.Tensor([2.0, 0.0, 3.0, 0.0], requires_grad=True)
    np.prod(x[:3]).backward()
    assert x.grad.tolist() == [0, 6, 0, 0]
    x.zero_grad()
    np.prod(x).backward()
    assert x.grad.tolist() == [0, 0, 0, 0]
    second = grad(grad(np.prod(x), x, create_graph=True)[1], x)
    assert second.numpy().tolist() == [0, 0, 0, 6]


def test_the_record_of_an_index_or_mask_is_its_own():
    x = tg.Tensor(np.arange(3.0), requires_grad=True)
    places, mask = np.array([0, 0]), np.array([True, False, True])
    y = np.take(x, places).sum() + np.where(mask, x, 0.0).sum()
    places[:], mask[:] = 2, False
    y.backward()
    assert x.grad.tolist() == [3, 0, 1]




@pytest.mark.parametrize("call", ["np.einsum('b...->b', x)", "np.einsum('ij', x)",
"np.einsum('ij,jk', m)"])
def test_einsum_refuses_what_numpy_refuses(call):
    with pytest.raises(ValueError, match="ein"):
        run(call, ARRAYS)
    with pytest.raises(ValueError, match="ein"):
        run(call, {n: tg.Tensor(a, requires_grad=True) for n, a in ARRAYS.items()})
