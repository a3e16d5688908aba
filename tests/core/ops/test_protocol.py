"""Nothing silently becomes an object array or loses its gradient: every operator with every kind of
partner on both sides gives a node, and what cannot be done is refused by name."""

import math
import operator

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.core import functions
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.errors import DTypeError, GradientError, TinygradRNNError, UnsupportedError

# --- twelve operators, five kinds of partner, both sides, both types ------------------------------

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv,
              operator.mod, operator.pow, operator.matmul]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
PARTNERS = {
    "array": np.array([1.5, 2.0, 2.5]), "int array": np.array([1, 2, 3]),
    "0-d array": np.array(2.5),
    "np.float64": np.float64(2.5), "np.float32": np.float32(2.5), "np.int64": np.int64(2),
    "float": 2.5, "int": 2, "bool": True, "list": [1.5, 2.0, 2.5],
}
NODES = {
    "Value": lambda: tg.Value(1.25),
    "Tensor": lambda: tg.Tensor([1.25, 2.25, 3.25], requires_grad=True),
    "0-d Tensor": lambda: tg.Tensor(1.25, requires_grad=True),
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("kind", NODES)
@pytest.mark.parametrize("op", ARITHMETIC, ids=lambda op: op.__name__)
def test_arithmetic(op, kind, partner, side):
    node, other = NODES[kind](), PARTNERS[partner]
    number = node.numpy()
    plain = np.asarray(other)
    pair, plain_pair = ((node, other), (number, plain)) if side == "left" else \
        ((other, node), (plain, number))
    if op is operator.matmul and (plain.ndim == 0 or number.ndim == 0):
        with pytest.raises((TinygradRNNError, TypeError, ValueError)):
            op(*pair)
        return
    y = op(*pair)
    assert isinstance(y, (tg.Value, tg.Tensor))
    assert y.requires_grad
    assert isinstance(y, tg.Value) == (kind == "Value" and plain.ndim == 0)
    expected = op(*plain_pair)
    assert np.shape(y.numpy()) == np.shape(expected)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-15)
    y.backward(np.ones(np.shape(expected)))
    assert np.shape(node.grad) == number.shape
    assert np.isfinite(node.grad).all()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("partner", [p for p in PARTNERS if p != "list"])
@pytest.mark.parametrize("kind", NODES)
@pytest.mark.parametrize("op", COMPARISONS, ids=lambda op: op.__name__)
def test_comparisons_are_plain(op, kind, partner, side):
    node, other = NODES[kind](), PARTNERS[partner]
    pair = (node, other) if side == "left" else (other, node)
    y = op(*pair)
    assert not isinstance(y, (tg.Value, tg.Tensor))
    assert np.asarray(y).dtype == bool
    expected = op(node.numpy(), other) if side == "left" else op(np.asarray(other), node.numpy())
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("op", ARITHMETIC[:-1], ids=lambda op: op.__name__)
def test_a_value_with_a_tensor(op):
    v, x = tg.Value(2.5), tg.Tensor([1.5, 2.0, 3.0], requires_grad=True)
    for pair in ((v, x), (x, v)):
        y = op(*pair)
        assert isinstance(y, tg.Tensor)
        np.testing.assert_allclose(y.numpy(), op(*(p.numpy() for p in pair)))
        y.sum().backward()
    assert type(v.grad) is float
    assert x.grad.shape == (3,)


def test_mixed_gradients_of_gradients():
    v, x = tg.Value(2.0), tg.Tensor([1.0, 2.0], requires_grad=True)
    first = grad((v * v * x).sum(), v, create_graph=True)
    assert math.isclose(first.item(), 2 * 2 * 3)
    assert math.isclose(grad(first, v).item(), 2 * 3)
    np.testing.assert_allclose(grad(first, x).numpy(), [4, 4])


def test_python_sum_and_augmented_assignment():
    v, w = tg.Value(2.0), tg.Value(3.0)
    total = sum([v, w])
    total += v
    total.backward()
    assert (v.grad, w.grad) == (2, 1)
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    items = [1.0, 2.0]
    items += x
    assert isinstance(items, tg.Tensor)
    assert isinstance([1.0, 2.0] * x, tg.Tensor)
    assert isinstance(operator.add([1.0, 2.0], x), tg.Tensor)


# --- what is refused ------------------------------------------------------------------------------

SPACE = {"np": np, "math": math, "arr": np.ones(3)}
REFUSALS = {
    # writing into arrays
    "np.add(x, 1, out=arr)": "np.add.*out=.*never written",
    "operator.iadd(arr, x)": "np.add.*out=.*a = a [+] node",
    "np.sum(x, out=arr)": "np.sum.*out=", "x.sum(out=arr)": "np.sum.*out=",
    "np.add(x, 1, where=arr > 0)": "np.add.*where=.*np.where",
    "np.sum(x, where=arr > 0)": "np.sum.*where=", "np.sum(x, initial=3)": "np.sum.*initial=",
    "np.sum(x, dtype='f4')": "np.sum.*dtype=.*astype", "np.exp(x, dtype='f4')": "np.exp.*dtype=",
    "np.add.at(arr, [0], x)": "np.add.at", "np.copyto(arr, x)": "np.copyto",
    "np.put_along_axis(x, np.array([0]), 1.0, 0)": "np.put_along_axis",
    "np.fill_diagonal(x, 1.0)": "np.fill_diagonal",
    "np.concatenate([x, x], out=np.ones(6))": "np.concatenate.*out=",
    # functions without a rule
    "np.fft.fft(x)": r"np\.fft\.fft has no gradient rule",
    "np.linalg.svd(x)": r"np\.linalg\.svd.*np\.linalg\.solve",
    "np.linalg.eigh(x)": r"np\.linalg\.eigh", "np.unique(x)": r"np\.unique",
    "np.interp(arr, arr, x)": r"np\.interp", "np.arctan3(x)": None,
    "np.heaviside(x, 0.5)": r"np\.heaviside has no gradient rule", "np.gcd(x, 2)": r"np\.gcd",
    "np.bitwise_and(x, 1)": r"np\.bitwise_and", "arr & x": r"np\.bitwise_and",
    "np.multiply.reduceat(x, [0, 1])": r"np\.multiply\.reduceat",
    "np.logaddexp.reduce(x)": r"np\.logaddexp\.reduce",
    "np.maximum.accumulate(x)": r"np\.maximum\.accumulate",
    "np.modf(x)": r"np\.modf", "np.divmod(x, 2)": r"np\.divmod",
    # options without a rule
    "np.reshape(x, (3, 1), order='F')": "order='F'", "np.linalg.norm(np.diag(x), 2)": "ord=2",
    "np.take(x, [9], mode='clip')": "mode='clip'", "np.pad(x, 1, mode='mean')": "mode='mean'",
    "np.einsum(x, [0], [0])": "letters", "np.matmul(x, x, axes=[0, 0, 0])": "axes=",
    # arrays of the wrong kind
    "x * np.array([None, 1, 2])": "dtype object", "np.array(['a', 'b', 'c']) + x": "dtype <U1|str",
    "x * (1j * arr)": "complex", "x * 1j": "complex",
    "np.array([1, 'a'], object) * x": "dtype object",
    "np.stack([x, np.array([None] * 3)])": "dtype object",
    # losing the gradient
    "math.tanh(v)": "tanh, np.tanh", "float(v)": "lose its gradient", "int(v)": "lose its gradient",
    "np.array([v, v])": r"lose its gradient.*np\.stack", "np.array([x, x])": "lose its gradient",
    "np.asarray(x)": "lose its gradient", "np.array(x, dtype=object)": "lose its gradient",
    "np.array([x, 1.0], dtype=object)": "lose its gradient", "np.sum([v, v])": "lose its gradient",
    "np.float64(v)": "lose its gradient", "arr.__setitem__(0, v)": "lose its gradient",
    "np.full(3, v)": "lose its gradient", "np.full_like(arr, v)": "np.copyto",
    "np.zeros(3) * [v, v, v]": "lose its gradient", "x * [v, v, v]": "lose its gradient",
    "np.vectorize(math.exp)(x)": "lose its gradient", "np.asarray(v).tolist()": "lose its gradient",
    "np.where([v, v], 1.0, 2.0)": "lose its gradient", "np.arange(v)": None,
    "np.linspace(0, v, 3)": "np.linspace|lose its gradient",
    "x.__setitem__(0, 1.0)": "in place",
}


@pytest.mark.parametrize("expression", REFUSALS)
def test_refused_by_name(expression):
    x, v = tg.Tensor([1.5, 2.5, 3.5], requires_grad=True), tg.Value(2.5)
    with pytest.raises((TinygradRNNError, TypeError, AttributeError)) as caught:
        eval(expression, {**SPACE, "operator": operator, "x": x, "v": v})
    expected = REFUSALS[expression]
    if expected is not None:
        assert isinstance(caught.value, (UnsupportedError, DTypeError, GradientError))
        assert caught.match(expected)
    assert SPACE["arr"].tolist() == [1, 1, 1]


def test_the_message_says_what_there_is_instead():
    x = tg.Tensor(np.eye(2), requires_grad=True)
    instead = r"np\.linalg\.det, np\.linalg\.inv.*tinygrad_rnn\.op.*\.numpy"
    with pytest.raises(UnsupportedError, match=instead):
        np.linalg.qr(x)
    with pytest.raises(UnsupportedError, match=r"Near to it: np\.cumsum"):
        np.nancumsum(x)


def test_constants_may_become_arrays():
    assert np.asarray(tg.Tensor([1.0, 2.0])).tolist() == [1, 2]
    assert math.sqrt(tg.Value(4.0, requires_grad=False)) == 2


# --- lists of samples and classes -----------------------------------------------------------------


def test_methods_are_the_functions():
    x = tg.Tensor([[0.5, -1.0], [2.0, 3.0]], requires_grad=True)
    v = tg.Value(0.5)
    for name in ("softmax", "log_softmax", "softplus", "log_sigmoid", "silu", "elu", "selu",
                 "leaky_relu", "gelu", "hard_sigmoid", "hard_tanh", "erf", "logsumexp"):
        function = getattr(functions, name)
        np.testing.assert_array_equal(getattr(x, name)().numpy(), function(x).numpy())
        assert getattr(x, name).__doc__
    assert v.gelu().item() == functions.gelu(0.5)
    assert type(v.elu(alpha=2.0)) is tg.Value
    assert x.softmax(axis=0).numpy()[:, 0].sum() == pytest.approx(1)
