"""What is said of step Jacobians: vanishing or not, in closed form, by which path."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError

from .chains import XS, B, H, I, T, leaf, same, vanilla

# --- in words -------------------------------------------------------------------------------------


def straight(factor, steps, phi=same, h0=0.1):
    """h_t = φ(factor h_{t-1})."""
    w, h = tg.Value(factor, name="w"), tg.Value(h0, name="h")
    states = [h]
    for t in range(1, steps + 1):
        with tg.timestep(t):
            h = phi(w * h).named("h")
        states.append(h)
    return tg.step_jacobians(states)


def test_vanishing():
    found = straight(0.66, 40)
    assert found.verdict == ("The gradient vanishes: it shrinks by 0.66 a step, below 1e-6 of its "
                             "size after 34 steps")
    assert found.lag(1e-6) == 34  # 0.66 ** 33 is 1.1e-6
    assert found.lag(1e-3) == 17
    assert found.lag(1e-9) is None
    assert found.rate == pytest.approx(0.66)
    assert "below 1e-6 of its size after 34 steps at this rate" in straight(0.66, 10).verdict


def test_exploding():
    found = straight(1.5, 40)
    assert found.verdict == ("The gradient explodes: it grows by 1.5 a step, above 1e6 times its "
                             "size after 35 steps")
    assert found.lag(1e6) == 35
    for level in (1.0, 0.0, -2.0, float("nan"), None, "a", True, [0.5]):
        with pytest.raises(InputError, match="level"):
            found.lag(level)
    assert found.lags([1e3, 1e6, 1e-3]) == {1e3: 18, 1e6: 35, 1e-3: None}
    assert straight(0.5, 12).lags()[0.1] == 4  # 0.5 ** 4 is the first below it
    with pytest.raises(InputError, match="list of levels"):
        found.lags(0.5)


def test_neither():
    assert straight(1.01, 20).verdict == ("The gradient neither vanishes nor explodes: 1.01 a "
                                          "step, 1.22 of its size after 20 steps")


def test_too_small_for_a_float_is_not_zero():
    found = straight(0.5, 1100)
    assert found.rate == pytest.approx(0.5)
    assert found.lag(1e-300) == 997
    assert found.cells()[1][-1] == "1e-331"
    assert found.growth()[-1] == 0.0
    assert straight(2.0, 1100).cells(shown=[0])[1][-1] == "1e+331"


def test_dying():
    w, h = tg.Value(0.5, name="w"), tg.Value(1.0, name="h")
    states = [h]
    for t in range(1, 12):
        with tg.timestep(t):
            h = tg.relu(w * h + (-3.0 if t == 7 else 0.3)).named("h")
        states.append(h)
    assert tg.step_jacobians(states).verdict == (
        "The gradient dies at step 7: dh_7/dh_6 is 0 (relu is off in every unit)")
    assert "tanh is saturated" in straight(1000.0, 3, tg.tanh, 1.0).verdict
    cut = [tg.Value(1.0, name="h")]
    for t in range(1, 6):
        with tg.timestep(t):
            h = (cut[-1].detach() if t == 3 else cut[-1]) * tg.Value(0.9)
            cut.append(h.named("h"))
    assert tg.step_jacobians(cut).verdict.endswith(
        "dies at step 3: dh_3/dh_2 is 0 (the way is cut: h_3 does not depend on h_2)")
    nilpotent = np.array([[0.0, 1.0], [0.0, 0.0]])
    assert "its product with the later ones is" in tg.step_jacobians(
        vanilla(nilpotent, same, 5)).verdict


def test_what_is_not_a_number():
    found = tg.step_jacobians(vanilla(np.eye(2), lambda z: np.sqrt(z - 1e9), 3, np.ones(2)))
    assert found.verdict == "There is no verdict: dh_1/dh_0 has NaN"
    assert "NaN" in str(found)


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(invalid="ignore"):
        yield


# --- closed form, paths ---------------------------------------------------------------------------


@pytest.mark.parametrize(("phi", "formula"), [
    ("tanh", "1 - h²"), ("relu", "h > 0"), ("identity", "1"), ("sigmoid", "h (1 - h)")])
@pytest.mark.parametrize("stacked", [False, True])
def test_the_closed_form(phi, formula, stacked):
    layer = nn.RNN(I, H, phi, seed=0, stacked=stacked, return_sequences=True)
    found = tg.step_jacobians(layer(XS))
    assert found.closed_difference < 1e-15
    form = found.closed_forms[-1]
    assert (form.activation, form.formula) == (phi, formula)
    W = layer.cell.W.value[:, I:] if stacked else layer.cell.W_hh.value
    np.testing.assert_array_equal(form.W, W)
    h = layer(XS).numpy()[-1]
    slope = {"tanh": 1 - h**2, "relu": h > 0, "identity": np.ones_like(h),
             "sigmoid": h * (1 - h)}[phi]
    np.testing.assert_allclose(found.jacobian(T), slope[:, :, None] * W, rtol=1e-14, atol=1e-16)
    assert "with W" in str(found)
    assert found.paths is None


def test_other_ways_to_write_the_product():
    W, x = leaf(3, 3, name="W"), leaf(2, 3, seed=5)
    for product, first in ((lambda h: h @ W.T, x), (lambda h: np.dot(h, W.T), x),
                           (lambda h: W @ h, x[0]), (lambda h: np.matmul(h, W) + 1, x)):
        states = [first]
        for _ in range(2):
            states.append(np.tanh(product(states[-1]) + 0.1))
        found = tg.step_jacobians(states)
        assert found.closed_forms[0].weight == "W"
        assert found.closed_difference < 1e-15


@pytest.mark.parametrize(("step", "reason"), [
    (lambda W, h: np.tanh(h @ W) + h, "more than one way"),
    (lambda W, h: np.tanh(np.sin(h) @ W), "'@'"), (lambda W, h: np.sin(h), "'sin'")])
def test_where_no_closed_form_applies(step, reason):
    W, states = leaf(3, 3, name="W"), [leaf(3)]
    for _ in range(2):
        states.append(step(W, states[-1]))
    found = tg.step_jacobians(states)
    assert reason in found.closed_forms
    assert found.closed_difference is None
    assert "No closed form" in str(found)


def test_the_two_paths_of_an_lstm():
    layer = nn.LSTM(I, H, seed=0, return_sequences=True, return_all_states=True, forget_bias=2.0)
    outputs, _ = layer(XS)
    found = tg.step_jacobians(outputs)
    f = np.array([n.value for n in tg.nodes(outputs) if n.name == "f"][1:])
    np.testing.assert_array_equal(found.paths.factors, f)
    for s in range(T - 1):
        for b in range(B):
            np.testing.assert_array_equal(found.block("c", "c")[s, b], np.diag(f[s, b]))
    assert (found.paths.name, found.paths.gate) == ("c", "f")
    np.testing.assert_allclose(found.paths.direct[-1], abs(f.prod(0)).max(1))
    whole = found.product(T, 1)[:, H:, H:]
    np.testing.assert_allclose(found.paths.whole[-1], np.linalg.norm(whole, 2, (1, 2)))
    rest = whole - np.stack([np.diag(d) for d in f.prod(0)])
    np.testing.assert_allclose(found.paths.rest[-1], np.linalg.norm(rest, 2, (1, 2)))
    assert "through f, past every weight" in str(found.paths)


def test_the_direct_path_of_a_gru_and_with_peepholes():
    gru = nn.GRU(I, H, seed=0, return_sequences=True)
    outputs = gru(XS)
    z = [n.value for n in tg.nodes(outputs) if n.name == "z"][1:]
    paths = tg.step_jacobians(outputs).paths
    np.testing.assert_array_equal(paths.factors, z)
    assert paths.gate == "z"
    peep = nn.LSTM(I, H, seed=0, peepholes=True, return_sequences=True)
    outputs = peep(XS)
    found = tg.step_jacobians(outputs)
    f = [n.value for n in tg.nodes(outputs) if n.name == "f"][1:]
    np.testing.assert_array_equal(found.paths.factors, f)  # not the way through p_f, p_i
