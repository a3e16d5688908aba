"""Truncation, measured: against published numbers, windows that are really run, and the table of
all pairs (loss, step)."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError

from ..nn.reference import close, family, head, single
from .test_truncated import TwoBiases

T, B, I, H = 11, 2, 3, 4
rng = np.random.default_rng(0)
XS, TARGETS = rng.normal(size=(T, B, I)), rng.normal(size=(T, B, H))
CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
NAMES = {"W_xh": "weight_ih_l0", "W_hh": "weight_hh_l0", "b_h": "bias_ih_l0", "b_hn": "bias_hh_l0",
         "W_hy": "W_hy", "b_y": "b_hy"}


def powers(kind, steps=3):
    """x_3 = w^3 x_0, on numbers or on 1 x 1 matrices."""
    one = kind is tg.Value
    w, x = (tg.Value(v, name=n) if one else
            tg.Tensor([[v]], name=n, requires_grad=True) for v, n in ((0.2, "w"), (0.9, "x0")))
    states = [x]
    for t in range(1, steps + 1):
        with tg.timestep(t):
            x = (w * x if one else x @ w).named("x")
        states.append(x)
    return w, states


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(("k2", "expected"), [(3, 0.108), (2, 0.072), (1, 0.036)])
def test_the_well_known_example(kind, given, k2, expected):
    w, states = powers(kind)
    found = tg.truncation([states[-1]], [w], 1, k2, states if given else None)
    assert np.isclose(found.full["w"], 0.108, rtol=1e-15)
    assert np.isclose(found.truncated["w"], expected, rtol=1e-15)
    assert found.cosine("w") == pytest.approx(1.0)
    assert found.error("w") == pytest.approx((3 - k2) / 3)
    assert [cut.label for cut in found.cuts] == [f"x_{3 - k2}"] * (k2 < 3)
    assert w.grad is None
    if kind is tg.Value:
        assert f"w  0.108      {expected}" in str(found)


# --- numbers computed elsewhere -------------------------------------------------------------------


def model(facts, arrays):
    start = arrays["h0"][0]
    start = nn.LSTMState(start, arrays["c0"][0]) if "c0" in arrays else start
    return single(facts, arrays, return_sequences=True), head(arrays), start


def same_gradients(found, arrays, prefix):
    for name, g in found.items():
        short = name.rpartition(".")[2]
        expected = arrays[f"{prefix}_{NAMES[short]}"]
        close(g, expected[2 * arrays["W_hy"].shape[1]:] if short == "b_hn" else expected)


def everything(layer, top):
    return {**dict(layer.named_parameters()), **dict(top.named_parameters())}


def of_mode(mode):
    return pytest.mark.parametrize(
        ("facts", "arrays"), family("tbptt", lambda case, facts: facts["mode"] == mode))


@of_mode("accumulate")
def test_published_gradients(facts, arrays):
    layer, top, start = model(facts, arrays)
    loss = nn.cross_entropy(top(layer(arrays["x"], start)), arrays["target"])
    found = tg.truncation(loss, everything(layer, top), facts["k"])
    same_gradients(found.full, arrays, "grad_full")
    same_gradients(found.truncated, arrays, "grad")
    for name in found.wanted:
        full, cut = found.full[name].ravel(), found.truncated[name].ravel()
        assert found.error(name) == pytest.approx(
            np.linalg.norm(cut - full) / np.linalg.norm(full))
        assert found.cosine(name) == pytest.approx(
            cut @ full / np.linalg.norm(cut) / np.linalg.norm(full))
    assert all(found.error(n) < 1e-12 for n in ("W_hy", "b_y"))  # they see no past


@of_mode("update")
def test_published_updates(facts, arrays):
    """An update after each window, with the gradients that are reported for it."""
    layer, top, state = model(facts, arrays)
    layer = nn.Recurrent(layer.cell, return_sequences=True, return_state=True)
    optimizer, k = TwoBiases(layer, top, facts["lr"]), facts["k"]
    params = everything(layer, top)
    for j, begin in enumerate(range(0, facts["T"], k)):
        outputs, after = layer(arrays["x"][begin:begin + k], state)
        loss = nn.cross_entropy(top(outputs), arrays["target"][begin:begin + k])
        close(loss.item(), arrays["chunk_loss"][j])
        found = tg.truncation(loss, params, k)
        assert not found.cuts
        for name, p in params.items():
            p.grad = found.truncated[name]
        optimizer.step()
        state = nn.states.mapped(lambda part: part.detach(), after)
    names = {name: p.numpy() for name, p in params.items()}
    H, gru = arrays["W_hy"].shape[1], facts["kind"] == "gru"
    b_ih, b_hh = arrays["final_bias_ih_l0"], arrays["final_bias_hh_l0"]
    joined = b_ih + b_hh * (np.arange(len(b_hh)) < 2 * H if gru else 1.0)
    same_gradients(names, {**arrays, "final_bias_ih_l0": joined}, "final")


# --- two derivations agree ------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (3, 3), (1, 1), (1, 3), (4, 6), (4, 2), (11, 11),
                                        (3, 20), (20, 5)])
def test_against_windows_that_are_run(cell, k1, k2):
    layer = CELLS[cell](I, H, seed=0, return_sequences=True)
    found = tg.truncation(nn.squared_error(layer(XS), TARGETS), layer, k1, k2)
    sent = []
    for window in tg.truncated_bptt(layer, XS, k1, k2):
        window.backward(nn.squared_error(window.outputs, TARGETS[window.steps]))
        sent += [cut.norm for cut in window.cut if cut.norm is not None]
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(found.truncated[name], p.grad, rtol=1e-11, atol=1e-14)
    if k2 >= k1:
        assert sorted(cut.norm for cut in found.cuts) == pytest.approx(sorted(sent))


@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (1, 3), (3, 5), (4, 1)])
def test_a_selection_of_cells(k1, k2):
    """Each cell (t, k) is dL_t/dW through step k, from a ledger of its own; the truncated gradient
    is the sum of those that are seen."""
    layer = nn.GRU(I, H, seed=0, return_sequences=True)
    outputs = layer(XS)
    losses = [((outputs[t] - TARGETS[t]) ** 2).sum() for t in range(T)]
    found = tg.truncation(losses, layer, k1, k2)
    W = layer.cell.W_hh
    cells = np.zeros((T, T, *W.shape))
    for t, loss in enumerate(losses):
        for row in tg.gradient_flow(loss).ledger(W):
            cells[t, row.step - 1] += row.contribution if row.root != "carried in" else 0.0
        layer.zero_grad()
    np.testing.assert_allclose(found.truncated["cell.W_hh"], cells[found.seen].sum(0), rtol=1e-11,
                               atol=1e-14)
    np.testing.assert_allclose(found.full["cell.W_hh"], cells.sum((0, 1)), rtol=1e-11)


def test_stamped_or_given_states_and_all_ways_to_give_losses():
    layer = nn.RNN(I, H, seed=0, return_sequences=True)
    outputs = layer(XS)
    losses = [((outputs[t] - TARGETS[t]) ** 2).sum() for t in range(T)]
    found = tg.truncation(losses, layer, 4)
    mean = sum(losses) * (1 / T)
    running = losses[0]
    for t in range(1, T):
        with tg.timestep(t + 1):
            running = running + losses[t]
    for other in (tg.truncation(losses, layer, 4, states=outputs), tg.truncation(mean, layer, 4),
                  tg.truncation(running, layer, 4)):
        factor = T if other.recurrence.losses[0][1] != 1.0 else 1
        for name in found.wanted:
            np.testing.assert_allclose(other.truncated[name] * factor, found.truncated[name])
            np.testing.assert_allclose(other.full[name] * factor, found.full[name])
        assert other.lags() == found.lags()
        assert [cut[:3] for cut in other.cuts] == [cut[:3] for cut in found.cuts]


def test_an_unstamped_loop():
    W, h = tg.Tensor(rng.normal(size=(H, H)) / 2, requires_grad=True, name="W"), tg.Tensor(
        rng.normal(size=H), requires_grad=True)
    states, losses = [h], []
    for _ in range(6):
        states.append(np.tanh(W @ states[-1]))
        losses.append((states[-1] ** 2).sum())
    found = tg.truncation(losses, {"W": W}, 1, 2, states)
    by_hand = np.zeros((H, H))
    for loss in losses:
        for row in tg.gradient_flow(loss).ledger(W)[:2]:
            by_hand += row.contribution
        W.zero_grad()
    np.testing.assert_allclose(found.truncated["W"], by_hand, rtol=1e-11)
    with pytest.raises(InputError, match=r"no time steps.*states="):
        tg.truncation(losses, {"W": W}, 2)


def test_stacked_layers_are_cut_at_every_layer():
    net = nn.Stacked([nn.LSTM(I, H, seed=0, return_sequences=True),
                      nn.RNN(H, H, seed=1, return_sequences=True)])
    found = tg.truncation(nn.squared_error(net(XS), TARGETS), net, 4)
    for window in tg.truncated_bptt(net, XS, 4):
        window.backward(nn.squared_error(window.outputs, TARGETS[window.steps]))
    for name, p in net.named_parameters():
        np.testing.assert_allclose(found.truncated[name], p.grad, rtol=1e-11, atol=1e-14)
    assert {cut.label for cut in found.cuts} == {"h_4", "c_4", "h_8", "c_8"}
    assert len(found.cuts) == 6


@pytest.mark.parametrize("given", [False, True])
def test_a_fused_layer_is_opened(given):
    found = []
    for fused in (False, True):
        layer = nn.LSTM(I, H, seed=0, return_sequences=True, fused=fused)
        outputs = layer(XS)
        loss = nn.squared_error(outputs, TARGETS)
        found.append(tg.truncation(loss, layer, 4, states=outputs if given else None))
    for name in found[0].wanted:
        np.testing.assert_allclose(found[1].truncated[name], found[0].truncated[name], rtol=1e-10)
        np.testing.assert_allclose(found[1].full[name], found[0].full[name], rtol=1e-10)
    assert len(found[0].cuts) == len(found[1].cuts) == 4


# --- by lag, and what is refused ------------------------------------------------------------------


def lags(k1, k2, steps=12):
    layer = nn.RNN(I, H, seed=0, return_sequences=True)
    outputs = layer(np.zeros((steps, 1, I)))
    return tg.truncation(nn.squared_error(outputs, np.zeros((steps, 1, H))), layer, k1, k2)


def test_how_many_losses_see_a_lag():
    chunked = lags(4, 4).lags()
    assert chunked == [(d, 3 * max(0, 4 - d), 12 - d) for d in range(12)]
    back = lags(1, 4).lags()
    assert back == [(d, 12 - d if d < 4 else 0, 12 - d) for d in range(12)]
    assert lags(12, 12).lags() == [(d, 12 - d, 12 - d) for d in range(12)]
    text = str(lags(4, 4))
    assert "Truncated (windows of 4, T = 12)" in text
    assert "4 to 11                   0  8 to 1     0%" in text
    assert "Gradients end at h_4" in text
    assert "Nothing is cut" in str(lags(12, 12))
    assert "3 steps back from every loss" in str(lags(1, 3))
    page = lags(4, 6)._repr_html_()
    assert "windows of 4, gradients of 6 steps" in page
    assert page.count("<table") == 2  # the lags have columns of their own
    assert ">losses that see it</th>" in page
    assert "windows of 4, gradients of 1 step, T" in str(lags(4, 1))


def test_what_is_refused():
    layer = nn.RNN(I, H, seed=0, return_sequences=True)
    loss = nn.squared_error(layer(XS), TARGETS)
    for k in (0, -1, 2.5, True):
        with pytest.raises(InputError, match="k1"):
            tg.truncation(loss, layer, k)
        with pytest.raises(InputError, match="k2"):
            tg.truncation(loss, layer, 2, k)
    with pytest.raises(InputError, match="single numbers"):
        tg.truncation([layer(XS)], layer, 2)
    with pytest.raises(InputError, match="parameters"):
        tg.truncation(loss, [loss], 2)
    with pytest.raises(InputError, match="at least one"):
        tg.truncation(loss, [], 2)
    for nothing in (None, 3, [], ()):
        with pytest.raises(InputError, match=r"a loss, or a list of the losses"):
            tg.truncation(nothing, layer, 2)


def test_graphs_that_say_nothing():
    layer = nn.RNN(I, H, seed=0, return_sequences=True)
    other = nn.RNN(I, H, seed=1)
    loss = nn.squared_error(layer(XS), TARGETS)
    with pytest.raises(InputError, match=r"on none of the parameters: cell\.W_xh, cell\.W_hh"):
        tg.truncation(loss, other, 2)
    broken = XS.copy()
    broken[3] = np.nan
    found = tg.truncation(nn.squared_error(layer(broken), TARGETS), layer, 2)
    assert "Nothing can be compared: the full gradient of cell.W_xh has NaN or Inf" in str(found)
    tg.release(loss)
    with pytest.raises(tg.GradientError, match="already released"):
        tg.truncation(loss, layer, 2)


def test_a_name_that_no_parameter_has():
    layer = nn.RNN(I, H, seed=0, return_sequences=True)
    found = tg.truncation(nn.squared_error(layer(XS), TARGETS), layer, 2)
    for wrong in ("W_hh", None, layer.cell.W_hh, ["cell.W_hh"]):
        for call in (found.cosine, found.error):
            with pytest.raises(InputError, match=r"cell\.W_xh, cell\.W_hh, cell\.b_h; got"):
                call(wrong)


def test_csv_has_numbers_with_all_their_digits():
    layer = nn.RNN(I, H, seed=0, return_sequences=True)
    found = tg.truncation(nn.squared_error(layer(XS), TARGETS), layer, 2)
    for line in found.to_csv().splitlines()[1:]:
        name, *_, cosine, error = line.split(",")
        assert float(cosine) == pytest.approx(found.cosine(name), rel=1e-15)
        assert float(error) == found.error(name)
