"""Numeric slopes: right on functions with known derivatives, honest about how right."""

import math

import numpy as np
import pytest

from tinygrad_rnn.testing.differences import Line, kink, slope


def line(phi, noise=0.0):
    return Line(phi, phi(0.0), noise)


SMOOTH = {
    "linear": (lambda h: 3.0 * h - 1.0, 3.0),
    "quadratic": (lambda h: (h + 2.0) ** 2, 4.0),
    "exp": (math.exp, 1.0),
    "sharp": (lambda h: math.tanh(200.0 * h), 200.0),
    "fast": (lambda h: math.sin(3000.0 * h + 1.0), 3000.0 * math.cos(1.0)),
    "big": (lambda h: 1e8 * math.sin(h), 1e8),
    "offset": (lambda h: 1e6 + math.sin(h), 1.0),
    "flat": (lambda h: 5.0, 0.0),
    "even": (lambda h: math.cos(h), 0.0),
    "edge": (lambda h: math.log(1e-4 + h) if h > -1e-4 else math.nan, 1e4),
    "kink nearby": (lambda h: abs(h - 3e-4), -1.0),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_the_error_covers_the_truth(name):
    phi, right = SMOOTH[name]
    found = slope(line(phi))
    assert abs(found.value - right) <= found.error
    assert found.error <= 1e-8 * max(1.0, abs(right), 1e-6 * abs(phi(0.0)) * 100)


def test_each_step_is_computed_once():
    asked = []
    counted = line(lambda h: asked.append(h) or math.exp(h))
    slope(counted)
    kink(counted)
    assert len(asked) == len(set(asked))
    assert counted.count == len(asked) - 1
    assert counted.count <= 22


@pytest.mark.parametrize(("phi", "left", "right"), [
    (abs, -1.0, 1.0),
    (lambda h: max(h, 0.0) * 3.0 + math.sin(h), 1.0, 4.0),
    (lambda h: 1e-3 * max(h, 0.0) + math.exp(h), 1.0, 1.001),
    (lambda h: abs(h + 1e-9), -1.0, 1.0),
])
def test_slopes_on_both_sides_of_a_kink(phi, left, right):
    found = kink(line(phi))
    for side, value in zip(found, (left, right)):
        assert abs(side.value - value) <= side.error < 0.3


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_have_no_kink(name):
    assert kink(line(SMOOTH[name][0])) is None


def test_noise_is_no_kink():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        noisy = line(lambda h: math.exp(h) + 1e-7 * rng.normal(), noise=1e-7)  # noqa: B023
        assert kink(noisy) is None


def test_a_jump_never_settles():
    assert slope(line(lambda h: float(h > 0))) is None


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-6])
def test_measured_noise_keeps_the_error_honest(size):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noisy = line(lambda h: math.exp(h) + size * rng.normal())  # noqa: B023 (used at once)
        noisy.measure()
        assert 0.2 * size < noisy.noise < 5.0 * size
        found = slope(noisy)
        assert abs(found.value - 1.0) <= 10.0 * found.error
