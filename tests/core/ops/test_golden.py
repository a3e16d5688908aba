"""Against numbers computed elsewhere (PyTorch, checked by hand-written NumPy): values, gradients,
and gradients of gradients. The expressions are plain NumPy and run unchanged on tensors."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.core import functions, ops
from tinygrad_rnn.core.gradients import grad

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"
FIRST = {"rtol": 1e-7, "atol": 1e-9}
SECOND = {"rtol": 1e-5, "atol": 1e-7}
NAMES = {
    "np": np, "sigmoid": ops.sigmoid, "softplus": functions.softplus, "gelu": functions.gelu,
    "gelu_tanh": lambda x: functions.gelu(x, approximate="tanh"), "softmax": functions.softmax,
    "log_softmax": functions.log_softmax, "logsumexp": functions.logsumexp,
    "relu": ops.relu, "tanh": np.tanh, "exp": np.exp, "log": np.log,
}


class Family:
    """One file of reference numbers: its cases, each with its arrays."""

    def __init__(self, name):
        self.path = GOLDEN / name
        self.cases = {}
        if self.path.exists():
            self.file = np.load(self.path)
            self.cases = json.loads(str(self.file["__meta__"]))["cases"]

    def arrays(self, case):
        start = case + "/"
        return {k[len(start):]: self.file[k] for k in self.file.files if k.startswith(start)}

    def params(self, smooth=False):
        missing = [pytest.param(None, marks=pytest.mark.skip(f"{self.path.name} is not there"))]
        return [c for c, meta in self.cases.items() if meta.get("smooth") or not smooth] or missing


OPS, CONVENTIONS, SCALAR = map(Family, ("ops.npz", "ops_conventions.npz", "scalar.npz"))


def test_nothing_is_missing_from_the_files():
    if not GOLDEN.exists():
        pytest.skip("the reference numbers are not there")
    assert [len(f.cases) for f in (OPS, CONVENTIONS, SCALAR)] == [162, 16, 10]


def run(arrays, expression):
    inputs = {k: tg.Tensor(v, requires_grad=True) for k, v in arrays.items() if k[0] == "x"}
    plain = {k: v for k, v in arrays.items() if k[0] == "a"}
    return eval(expression, {**NAMES, **inputs, **plain}), inputs


@pytest.mark.parametrize("case", OPS.params())
def test_values_and_gradients(case):
    arrays = OPS.arrays(case)
    out, inputs = run(arrays, OPS.cases[case]["expr"])
    assert isinstance(out, tg.Tensor)
    assert out.shape == arrays["out"].shape
    np.testing.assert_allclose(out.numpy(), arrays["out"], **FIRST)
    out.backward(arrays["up"])
    for name, x in inputs.items():
        assert x.grad.shape == x.shape
        np.testing.assert_allclose(x.grad, arrays["d" + name], **FIRST, err_msg=name)


@pytest.mark.parametrize("case", OPS.params(smooth=True))
def test_gradients_of_gradients(case):
    arrays = OPS.arrays(case)
    out, inputs = run(arrays, OPS.cases[case]["expr"])
    up = tg.Tensor(arrays["up"], requires_grad=True)
    first = grad(out, list(inputs.values()), up, create_graph=True)
    size = sum(np.sum(g ** 2) for g in first)
    second = grad(size, [*inputs.values(), up])
    for name, g in zip([*(f"gg{name}" for name in inputs), "ggup"], second):
        np.testing.assert_allclose(g.numpy(), arrays[name], **SECOND, err_msg=name)


# where the derivative is a convention: ours is PyTorch's but for these, which are as legitimate
OURS = {
    "relu_at_0": [0.0, 1.0, 3.0],  # np.maximum shares ties; tg.relu has slope 0 there, as PyTorch's
    "max_axis_ties_index": [[0.0, 0.5, 0.5], [2 / 3, 2 / 3, 2 / 3]],  # equal shares
    "norm_at_0": [np.nan, np.nan],  # sqrt(sum): 0 * inf; np.linalg.norm gives 0
}


@pytest.mark.parametrize("case", CONVENTIONS.params())
def test_conventions(case):
    arrays = CONVENTIONS.arrays(case)
    with np.errstate(divide="ignore", invalid="ignore"):
        out, inputs = run(arrays, CONVENTIONS.cases[case]["expr"])
        out.backward(arrays["up"])
    for name, x in inputs.items():
        np.testing.assert_allclose(x.grad, OURS.get(case, arrays["d" + name]), **FIRST)


def test_the_norm_at_zero_has_gradient_zero():
    x = tg.Tensor(np.zeros(3), requires_grad=True)
    np.linalg.norm(x).backward()
    assert x.grad.tolist() == [0, 0, 0]


def scalars(program, inputs):
    space = {**NAMES, **{k: tg.Value(float(v), name=k) for k, v in inputs.items()}}
    leaves = [space[k] for k in inputs]
    exec(program, space)
    return space, leaves


@pytest.mark.parametrize("case", SCALAR.params())
def test_scalar_programs(case):
    arrays, meta = SCALAR.arrays(case), SCALAR.cases[case]
    space, leaves = scalars(meta["program"], {k: arrays[k] for k in meta["inputs"]})
    y = space["y"]
    assert type(y) is tg.Value
    y.backward()
    np.testing.assert_allclose(y.item(), arrays["y"], **FIRST)
    for x in leaves:
        assert type(x.grad) is float
        np.testing.assert_allclose(x.grad, arrays[f"grad_{x.name}"], **FIRST, err_msg=x.name)
    rows = grad(y, leaves, create_graph=True)
    hessian = [[h.item() for h in grad(row, leaves)] if row.requires_grad else [0.0] * len(leaves)
               for row in rows]
    np.testing.assert_allclose(hessian, arrays["hess"], **SECOND)


def micrograd():
    path = GOLDEN / "published" / "micrograd.json"
    return json.loads(path.read_text())["cases"] if path.exists() else {}


@pytest.mark.parametrize("case", list(micrograd()) or [
    pytest.param(None, marks=pytest.mark.skip("micrograd.json is not there"))])
def test_published_numbers_of_micrograd(case):
    expected = micrograd()[case]
    space, leaves = scalars(expected["program"], expected["inputs"])
    result = space.get("g", space.get("y"))
    result.backward()
    tolerance = 0 if expected["tolerance"] == "exact" else expected["tolerance"]
    assert math.isclose(result.item(), expected["y"], rel_tol=0, abs_tol=tolerance)
    for x in leaves:
        assert math.isclose(x.grad, expected["grads"][x.name], rel_tol=0, abs_tol=tolerance)


def test_relu_at_zero_is_flat():
    x = tg.Tensor([-1.0, 0.0, 2.0], requires_grad=True)
    ops.relu(x).backward(np.array([1.0, 2.0, 3.0]))
    assert x.grad.tolist() == [0, 0, 3]
