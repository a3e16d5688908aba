"""A report as text, dict, JUnit and HTML; the V curve; the complex step that knows when not."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.core import functions, ops
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.testing import Block, Entry, Report, Sweep, check_backward, check_gradients
from tinygrad_rnn.testing.complexstep import Tracked, Unsafe, complex_slope, lifted

from . import zoo

MODEL = zoo.model(4)
NASTY = tg.Tensor([1.0], requires_grad=True, name="<b> & \"']]>\x00\ud800")
REPORTS = {
    "pass": lambda: check_backward(MODEL.forward, MODEL.backward(), MODEL.inputs),
    "FAIL": lambda: check_backward(MODEL.forward, MODEL.backward("W_hh assigned"), MODEL.inputs),
    "non-finite": lambda: check_gradients(lambda: ops.sum_(NASTY * NASTY) * np.nan, [NASTY]),
    "invisible": lambda: check_gradients(lambda: ops.sum_(ops.relu(NASTY - 5.0)), [NASTY]),
}


@pytest.mark.parametrize("verdict", REPORTS)
def test_the_forms_of_a_report(verdict):
    report = REPORTS[verdict]()
    assert report.verdict == verdict
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["verdict"] == report.verdict
    assert set(data["blocks"]) == set(report.blocks)
    suite = ET.fromstring(report.to_junit().encode())
    assert int(suite.get("tests")) == len(suite) == len(report.blocks)
    assert (int(suite.get("failures")) > 0) == (report.verdict in ("FAIL", "non-finite"))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
    html = report._repr_html_()
    ET.fromstring(html)
    assert "<b> &" not in html
    assert str(report).splitlines()[0].split(":")[1].split(";")[0].strip() == report.verdict
    assert len(str(report).splitlines()) <= 15


def test_fifteen_lines_however_much_is_wrong():
    blocks = {f"W{i}": Block(f"W{i}", (3,), 3, v, 1.0, 2.0, 0.1, cause="why") for i, v in
              enumerate(["FAIL", "inconclusive", "non-finite", "invisible", "kink", "pass"] * 20)}
    report = Report(blocks, 0, notes=["a", "b", "c", "d", "e"], spoilt="spoilt")
    assert len(str(report).splitlines()) <= 15
    assert str(report).count("FAIL") >= 2


def test_fifteen_lines_with_the_longest_names_there_are():
    """Every block wrong, with an entry and a cause; all that a search adds to a report."""
    long = "decoder.layers[3].backward_layer.cell.W_hh_of_the_second_attention_head_" * 2
    blocks = {}
    for i in range(40):
        name = f"{long}{i}"
        blocks[name] = Block(name, (128, 256, 3), 98304, "FAIL", 1.0, 2.0, 0.1, wrong=7, tested=32,
                             worst=Entry((127, 255, 2), -1.234567891e-300, 1.234567891e300, 1e-9),
                             cause="every wrong entry is 1.23456789 times what it should be")
    report = Report(blocks, 2**31, 640, 12, notes=[f"note {i} on {long}" for i in range(9)],
                    spoilt=f"forward writes to its input {long}", screened=30,
                    diagnosis="the gradient equals that of an LSTM whose backward forgets dc_next")
    text = str(report)
    assert len(text.splitlines()) <= 15, text
    assert "forgets dc_next" in text
    assert "98304" in text
    assert "the same again with seed=2147483648" in text


def test_a_spoilt_check_is_inconclusive_unless_it_failed():
    right, wrong = Block("a", (), 1), Block("b", (), 1, "FAIL")
    assert Report({"a": right}, 0, spoilt="x").verdict == "inconclusive"
    assert Report({"a": right, "b": wrong}, 0, spoilt="x").verdict == "FAIL"
    assert Report({"a": right}, 0, spoilt="x").cause == "x"


# --- the V curve ----------------------------------------------------------------------------------


def test_a_right_gradient_gives_a_v_and_a_wrong_one_a_floor():
    w = tg.Tensor([0.3, -0.2], requires_grad=True, name="w")
    curve = check_gradients(lambda: ops.sum_(ops.tanh(w * w)), [w]).sweep()
    step, distance = curve.best
    assert 1e-7 < step < 1e-3
    assert distance < 1e-8
    assert curve.distances[0] > 1e3 * distance < curve.distances[-1]
    assert "closest at h =" in str(curve)
    ET.fromstring(curve.svg())
    assert curve.svg() == curve._repr_svg_()
    assert w.value.tolist() == [0.3, -0.2]
    wrong = check_backward(MODEL.forward, MODEL.backward("averaged over T"), MODEL.inputs,
                           localise=False).sweep()
    assert wrong.best[1] > 0.1
    assert wrong.floor > 0.1
    assert "whatever the step: it converges to another number" in str(wrong)
    assert "whatever the step" in wrong.svg()
    assert curve.floor == 0.0
    assert 'class="b"' in curve.svg()


def test_a_sweep_over_nan_and_of_nothing():
    nothing = Sweep([0.1, 0.01], [np.nan, np.inf], 0.0)
    ET.fromstring(nothing.svg())
    assert "no step gives a finite difference" in str(nothing)
    with pytest.raises(InputError, match="no single line"):
        Report({}, 0).sweep()


# --- the complex step -----------------------------------------------------------------------------

X = np.array([0.3, -0.7, 1.2])
SAFE = {
    "tanh": np.tanh, "softmax": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
    "dot": lambda x: np.dot(x, np.ones(3)), "einsum": lambda x: np.einsum("i,i->", x, x),
    "where": lambda x: np.where(x > 0, x, x * x), "relu": lambda x: np.maximum(x, 0.0),
    "mean": lambda x: x.mean(), "stack": lambda x: np.stack([x, x * 2])[1],
    "power": lambda x: x ** 3, "write into complex": lambda x: np.zeros_like(x) + x,
}
UNSAFE = {
    "abs": np.abs, "sign": np.sign, "real": lambda x: x.real, "conj": np.conj,
    "norm": np.linalg.norm, "float": lambda x: float(x[0]), "var": np.var, "floor": np.floor,
    "vdot": lambda x: np.vdot(x, x),
    "write into floats": lambda x: np.add(np.zeros(3), x, out=np.zeros(3)),
    "astype": lambda x: x.astype(float), "round": lambda x: np.round(x), "angle": np.angle,
}


@pytest.mark.parametrize("name", SAFE)
def test_what_lets_complex_numbers_through(name):
    f, v = SAFE[name], np.array([1.0, -2.0, 0.5])
    found = complex_slope(lambda: np.sum(f(lifted(X, v))), float(np.sum(f(X))), 1e-15)
    h = 1e-6
    assert found == pytest.approx((np.sum(f(X + h * v)) - np.sum(f(X - h * v))) / (2 * h), rel=1e-8)


@pytest.mark.parametrize("name", UNSAFE)
def test_what_is_refused(name):
    assert complex_slope(lambda: np.sum(UNSAFE[name](lifted(X, X))),
                         float(np.sum(UNSAFE[name](X))), 1e-15) is None


def test_arrays_stay_tracked():
    z = lifted(X, X)
    for y in (z + 1, z[0], np.concatenate([z, z]), z.T, z.sum(), z @ np.ones(3), np.tanh(z)):
        assert isinstance(y, Tracked)
    with pytest.raises(Unsafe):
        np.abs(z)


def test_a_complex_step_that_is_wrong_is_not_believed():
    """np.asarray takes the tracking off: abs is then computed without complaint, and without its
    derivative. The differences do not agree with it, and are believed."""
    report = check_backward(lambda p: np.abs(np.asarray(p["x"])).sum(),
                            lambda p: {"x": np.sign(p["x"])}, {"x": X})
    assert report, report


def test_with_the_complex_step_nothing_is_lost_in_an_offset():
    w = tg.Tensor(X, requires_grad=True, name="w")
    assert check_gradients(lambda: ops.sum_(ops.sigmoid(w)) + 1e9, [w])
    assert check_gradients(lambda: ops.sum_(ops.absolute(w)) + 1e9, [w])
    hidden = check_gradients(lambda: ops.sum_(functions.softplus(w)) + 1e9, [w])
    assert hidden.verdict == "inconclusive"
