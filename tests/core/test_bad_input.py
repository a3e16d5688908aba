"""What cannot be taken is refused in the package's own words: what was expected, what came, what to
do. No error of NumPy's or Python's comes through from the inside."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import TinygradRNNError

X = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
TRANSFORMS = [tg.jacobian, tg.hessian, tg.vjp, tg.jvp, tg.hvp]

REFUSED = {  # what is asked -> what the answer says
    "bool of several": (lambda: bool(X * X), r"2 entries, and a condition.*\.all\(\)"),
    "if of several": (lambda: 1 if X else 0, r"'x' \(2,\) has 2 entries"),
    "bool of none": (lambda: bool(tg.Tensor(np.zeros(0))), "0 entries"),
    "float of several": (lambda: float(X.detach()), "a float is made of a single number"),
    "int of several": (lambda: int(X.detach()), "a float is made of a single number"),
    "item of several": (lambda: X.item(), r"a plain number.*Choose one"),
    "format of several": (lambda: f"{X:.2f}", r"the format '\.2f'"),
    "axis that is not there": (lambda: X.sum(axis=5), r"axis 5 .* shape \(2,\).*Its axes are 0 to"),
    "axis of softmax": (lambda: tg.softmax(X, axis=-3), "axis -3"),
    "axis of a number": (lambda: tg.softmax(3.0), "A single number has no axis"),
    "axis by name": (lambda: X.sum(axis="time"), "a whole number as axis, got 'time'"),
    "axis twice": (lambda: tg.Tensor(np.ones((2, 2))).sum(axis=(0, -2)), "twice"),
    "dtype by another name": (lambda: tg.Tensor([1.0], dtype="real"), "'float32', got 'real'"),
    "complex dtype": (lambda: tg.Tensor([1.0], dtype=complex), "real numbers"),
    "astype": (lambda: X.astype("real"), "astype.*'float32', got 'real'"),
    "requires_grad": (lambda: tg.Tensor([1.0], requires_grad="no"), "True or False, got 'no'"),
    "requires_grad of a value": (lambda: tg.Value(1.0, requires_grad=0), "True or False, got 0"),
    "a hook": (lambda: (X * X).register_hook(None), "expected a hook.*retain_grad"),
    "a weight that is a number": (lambda: tg.linear(X, 3), "op 'linear': needs arrays or tensors"),
    "grad of nothing": (lambda: tg.grad(None, X), "a Value or a Tensor, got NoneType"),
    "grad for nothing": (lambda: tg.grad((X * X).sum(), None), "or a list of them, got None"),
    "grad for a name": (lambda: tg.grad((X * X).sum(), "x"), "or a list of them, got 'x'"),
    "a function of a word": (lambda: tg.elu("abc"), "op 'elu': needs real numbers, got str"),
    "a function of None": (lambda: tg.sigmoid(None), "op 'sigmoid': needs real numbers"),
    "softmax of None": (lambda: tg.softmax(None), "needs real numbers, got NoneType"),
    "two operands": (lambda: tg.maximum(1.0, None), "it takes 2 operands, got 1"),
    "an unrolled number": (lambda: nn.unroll(3, np.ones((2, 3))), "expected a cell"),
    "v": (lambda: tg.vjp(lambda x: x * 2.0, 1.0, "up"), "needs real numbers, got str"),
    "keep": (lambda: tg.gradient_flow((X * X).sum(), keep=np.ones(2)), "keep is 'arrays'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_words(case):
    ask, words = REFUSED[case]
    with pytest.raises(TinygradRNNError, match=words):
        ask()


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_transform_is_of_a_function(transform):
    v = [np.ones(2)] if transform not in (tg.jacobian, tg.hessian) else []
    with pytest.raises(tg.errors.InputError, match=r"expected a function f\(x\), got 3.*lambda"):
        transform(3, np.ones(2), *v)
    with pytest.raises(tg.errors.InputError, match=r"its result, a node.*tg\.grad\(y, x\)"):
        transform((X * X).sum(), X, *v)


def test_an_axis_error_is_numpys_as_well():
    for error in (np.exceptions.AxisError, tg.errors.ShapeError, IndexError):
        with pytest.raises(error):
            X.max(axis=1)


FUNCTIONS = [tg.cos, tg.elu, tg.erf, tg.exp, tg.gelu, tg.hard_sigmoid, tg.hard_tanh, tg.leaky_relu,
             tg.log, tg.log_sigmoid, tg.log_softmax, tg.logsumexp, tg.relu, tg.selu, tg.sigmoid,
             tg.silu, tg.sin, tg.softmax, tg.softplus, tg.sqrt, tg.tanh]
NO_NUMBERS = [None, "abc", np.array(["a", "b"]), np.array([None, 1], object), {}, {1}, int,
              [[1], []]]


def called(function):
    return getattr(function, "name", None) or function.__name__


@pytest.mark.parametrize("function", FUNCTIONS, ids=called)
def test_a_function_of_what_is_no_number(function):
    for x in NO_NUMBERS:
        with pytest.raises(TinygradRNNError, match=r"needs|takes"):
            function(x)


@pytest.mark.parametrize("function", FUNCTIONS, ids=called)
def test_a_list_is_an_array(function):
    np.testing.assert_array_equal(function([0.5, 0.25]), function(np.array([0.5, 0.25])))


def test_numbers_alone_stay_what_they_are():
    """No node: no graph, and the types of NumPy."""
    assert type(tg.tanh(1.0)) is float
    assert type(tg.tanh(np.float32(1.0))) is np.float32
    assert tg.elu(np.array([1j + 1.0]).real).dtype == float
    assert bool(tg.Tensor([[2.0]])) is True
    assert float(tg.Tensor([2.0])) == 2.0
