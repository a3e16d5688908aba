"""The checker is checked: a fault planted in it makes a probe of its own fail.

Each row plants one fault and names a probe: a right program that must pass, or a wrong one that
must not. Without the fault every probe is content.
"""

import numpy as np
import pytest

from tinygrad_rnn.core import ops
from tinygrad_rnn.core.graph import Op
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.testing import (
    check_backward,
    check_gradients,
    comparing,
    complexstep,
    differences,
    entries,
    firstlook,
    handwritten,
    local_check,
)
from tinygrad_rnn.testing.differences import Line, slope

from . import zoo
from .test_backward import (
    INPUTS,
    affine,
    affine_back,
    changed,
    recurrence,
    recurrence_back,
)
from .test_backward import P as RECURRENT


def model(regime, seed, style="array"):
    m = zoo.model(seed, regime)
    m.style = style
    return m


def passes(regime, seeds, style="array"):
    """Right models pass, or are inconclusive at a large offset."""
    for seed in seeds:
        m = model(regime, seed, style)
        report = check_backward(m.forward, m.backward(), m.inputs, seed=seed)
        assert not report.failed
        assert report or regime == "large offset"


def catches(bug, regime="normal", seed=1):
    m = model(regime, seed)
    assert check_backward(m.forward, m.backward(bug), m.inputs, localise=False).failed


def covers(phi, right):
    found = slope(Line(phi, phi(0.0)))
    assert abs(found.value - right) <= found.error


def offset_is_no_pass():
    """An error of 1e-6 below a large offset: FAIL or inconclusive, never a pass."""
    def loss(p):
        return 1e8 + np.abs(affine(p)).sum()

    def back(p):
        return {n: (1 + 1e-7) * g for n, g in affine_back(p, np.sign(affine(p))).items()}
    assert not check_backward(loss, back, INPUTS)


def asarray_abs():
    x = np.array([0.3, -0.7, 1.2])
    assert check_backward(lambda p: np.abs(np.asarray(p["x"])).sum(),
                          lambda p: {"x": np.sign(p["x"])}, {"x": x})


def offset_abs():
    x = np.array([0.3, -0.7, 1.2])
    assert not check_backward(lambda p: np.abs(p["x"]).sum() + np.tanh(p["x"]).sum() + 1e13,
                              lambda p: {"x": np.sign(p["x"]) + 1 - np.tanh(p["x"]) ** 2},
                              {"x": x}).failed


def kinks():
    z = Value(0.0, name="z")
    assert check_gradients(lambda: ops.relu(z) * 3.0, [z]).blocks["z"].verdict == "kink"


def outside_a_kink():
    z = Value(0.0, name="z")
    steep = Op("relu", scalar=lambda x: max(x, 0.0), rules=(lambda g, y, x: g * 5.0,))
    assert check_gradients(lambda: steep(z), [z]).failed


def narrow_forward():
    for regime in ("normal", "large offset"):
        for seed in range(6):
            m = model(regime, seed)
            assert not check_backward(lambda p, m=m: float(np.float32(m.forward(p))), m.backward(),
                                      m.inputs, localise=False).failed


def narrow_kinks():
    """A forward in float32, with kinks close by: central differences are off, one side is not."""
    m = model("relu", 24)
    assert not check_backward(lambda p: float(np.float32(m.forward(p))), m.backward(), m.inputs,
                              localise=False).failed


def noisy_forward():
    def loss(x):
        y = np.tanh(x).sum()
        return y + 1e-8 * np.sin(1e13 * y)  # as good as random, and the same every time

    for seed in range(4):
        assert not check_backward(loss, lambda x: 1 - np.tanh(x) ** 2, np.array([0.3, -0.7]),
                                  seed=seed).failed


def float32_passes():
    narrow = {n: x.astype(np.float32) for n, x in INPUTS.items()}
    assert check_backward(affine, affine_back, narrow)


def written_input():
    def forward(p):
        p["x"] -= 1.0
        return affine(p)
    assert not check_backward(forward, affine_back, INPUTS)


def adds_up():
    kept = np.zeros(3)

    def backward(x):
        kept[:] += 2 * x
        return kept.copy()

    assert "doubles" in check_backward(lambda x: (x * x).sum(), backward, np.ones(3)).spoilt


def random_forward():
    r = np.random.default_rng(0)
    report = check_backward(lambda p: affine(p) * r.normal(), affine_back, INPUTS)
    assert report.verdict == "inconclusive"


def lost_digits():
    def loss(z):
        e = np.exp(z - z.max())
        return -np.log(e / e.sum())[1]

    assert not check_backward(loss, lambda z: np.exp(z) / np.exp(z).sum() - np.array([0.0, 1.0]),
                              np.array([0.0, -744.0])).failed


def transposed():
    report = check_backward(affine, changed(lambda d, p, up: d.update(W=d["W"].T)), INPUTS)
    assert "transposed" in str(report)


def one_entry():
    mask = np.ones((8, 9))
    mask[5, 7] = 1.5
    careless = Op("identity", array=np.array, rules=(lambda g, y, x: g * mask,))
    w = Tensor(np.random.default_rng(0).normal(size=(8, 9)), requires_grad=True, name="w")
    report = check_gradients(lambda: ops.sum_(ops.tanh(careless(w))), [w])
    assert report.blocks["w"].worst.index == (5, 7)


def lag():
    report = check_backward(recurrence, recurrence_back("none"), RECURRENT, cached=True)
    assert "right at lag 0, wrong at every lag >= 1" in str(report)


def guilty():
    wrong = Op("exp", array=np.exp, rules=(lambda g, y, x: g * x,))
    x = Tensor(np.array([0.3, 0.5]), requires_grad=True)
    assert local_check(lambda: ops.sum_(wrong(x))).failed


ONES = staticmethod(lambda self, names: {n: np.ones(self.g[n].shape) for n in names}).__func__
ALWAYS = staticmethod(lambda self, *a, **k: comparing.Slopes("pass", 1.0, 1.0, 0.0, 1e-12)).__func__
BELIEVE_ALL = staticmethod(lambda rows, floor: [(x, floor) for x in rows[-1]]).__func__
MUTANTS = {
    "every entry is believed": (
        differences, "believed", BELIEVE_ALL,
        lambda: covers(lambda h: np.sin(3000.0 * h + 1.0), 3000.0 * np.cos(1.0))),
    "extrapolated with a wrong factor": (
        differences, "extrapolate", lambda above, q: [q, *(q + (q - x) / 7.0 for x in above[:1])],
        lambda: passes("chaotic", range(3))),
    "rounding is forgotten": (Line, "noise", property(lambda self: 0.0),
                              lambda: passes("large offset", range(6))),
    "noise is not measured": (Line, "measure", lambda self: None, noisy_forward),
    "in float32 one look is enough": (comparing, "gross", lambda line, g, least: True,
                                      narrow_kinks),
    "float32 in disguise is not seen": (Line, "narrow", lambda self, g: False, narrow_forward),
    "a bar of one in ten thousand": (comparing, "FINE", 1e-4,
                                     lambda: catches("dh_next a ten-millionth off")),
    "anything is sharp": (comparing, "SHARP", 1.0, offset_is_no_pass),
    "every direction is ones": (comparing.Comparison, "direction", ONES,
                                lambda: catches("rows shifted")),
    "everything passes": (comparing.Comparison, "judge", ALWAYS,
                          lambda: catches("missing dh_next")),
    "kinks are not looked for": (comparing.Comparison, "kink", lambda self, line, found: None,
                                 kinks),
    "a kink excuses all": (comparing.Comparison, "kink", lambda self, line, found:
                           setattr(found, "verdict", "kink"), outside_a_kink),
    "rounding of the gradient is forgotten": (
        comparing.Comparison, "jitter", lambda self: dict.fromkeys(self.g, 0.0),
        lambda: kink_by_convention()),
    "eps of float64 for float32": (np, "spacing", None, float32_passes),
    "the complex step is always believed": (
        comparing.Comparison, "bar", lambda self, v, numeric, error: 1e9 if error else 1e-10,
        asarray_abs),
    "abs is called analytic": (complexstep, "ANALYTIC", complexstep.ANALYTIC | {np.absolute},
                               offset_abs),
    "written inputs are not seen": (firstlook, "changed",
                                    lambda problem, who, inputs: None, written_input),
    "one call of backward is enough": (firstlook, "repeated",
                                       lambda problem, first, again: None, adds_up),
    "a random forward is not seen": (comparing.Comparison, "random", False, random_forward),
    "lost digits are not seen": (comparing.Comparison, "digits_lost", False, lost_digits),
    "shapes are not looked at": (firstlook, "misfit", lambda problem, n, g: "",
                                 transposed),
    "halving goes to the wrong half": (entries, "halve", lambda check, block: 0, one_entry),
}


def kink_by_convention():
    z = Value(0.0, name="z")
    assert not check_gradients(lambda: ops.relu(z) - ops.relu(-z), [z]).failed


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_in_the_checker_is_noticed(name, monkeypatch):
    home, attribute, fault, probe = MUTANTS[name]
    probe()
    if fault is None:
        monkeypatch.setattr(comparing.Comparison, "ulp", lambda self, n: 0.0)
        monkeypatch.setattr(handwritten, "EPS", 1.0)
        home, attribute, fault = np, "finfo", lambda d, f=np.finfo: f(float)
    monkeypatch.setattr(home, attribute, fault)
    with pytest.raises(Exception):  # noqa: B017, PT011  (an assertion, or it breaks down)
        probe()


@pytest.mark.parametrize("probe", [lag, guilty])
def test_the_searches_have_probes_too(probe):
    probe()
