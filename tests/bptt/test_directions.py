"""Two recurrences, one from each end: each has its own Jacobians, and is truncated by itself."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.directions import Directions
from tinygrad_rnn.core.backprop import contributions
from tinygrad_rnn.core.totals import Totals
from tinygrad_rnn.errors import InputError

T, B, I, H = 6, 2, 3, 4
rng = np.random.default_rng(0)
XS = rng.normal(size=(T, B, I))
LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def both_ways(kind="rnn", **options):
    return nn.Bidirectional(LAYERS[kind](I, H, seed=0, return_sequences=True), **options)


def losses_of(net):
    """A loss at each step, of the outputs of both directions together."""
    head = nn.Linear(net.output_size, 2, seed=1)
    return [(head(y) ** 2).sum() for y in net(XS)]


# --- Jacobians ------------------------------------------------------------------------------------


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", "none"])
@pytest.mark.parametrize("kind", LAYERS)
def test_each_direction_is_as_it_is_alone(kind, merge):
    net = both_ways(kind, merge=merge)
    found = tg.step_jacobians(net(XS))
    assert isinstance(found, Directions)
    forward, backward = found
    alone = nn.Recurrent(net.forward_layer.cell, return_sequences=True)
    np.testing.assert_array_equal(forward.to_numpy(), tg.step_jacobians(alone(XS)).to_numpy())
    turned = nn.Recurrent(net.backward_layer.cell, return_sequences=True, reverse=True)
    np.testing.assert_array_equal(backward.to_numpy(), tg.step_jacobians(turned(XS)).to_numpy())
    assert (forward.steps, backward.steps) == ([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1])


@pytest.mark.parametrize("kind", LAYERS)
def test_of_fused_layers_and_of_a_pair_of_states(kind):
    plain = tg.step_jacobians(both_ways(kind)(XS))
    with tg.fused():
        fused = tg.step_jacobians(both_ways(kind)(XS))
    states = tg.step_jacobians(both_ways(kind, return_all_states=True)(XS)[1])
    for found in (fused, states):
        for mine, expected in zip(found, plain):
            np.testing.assert_allclose(mine.to_numpy(), expected.to_numpy(), rtol=1e-12,
                                       atol=1e-15)
            assert mine.names == expected.names


def test_written_by_hand():
    """No layer, no scope: what goes with time and what goes against it is seen all the same."""
    W, V = (tg.Tensor(0.5 * rng.normal(size=(H, H)), name=n, requires_grad=True) for n in "WV")
    f, b = [], {}
    h = tg.Tensor(np.zeros((B, H)))
    for t in range(1, 5):
        with tg.timestep(t):
            h = tg.tanh(tg.linear(h, W) + 1.0).named("f")
        f.append(h)
    h = tg.Tensor(np.zeros((B, H)))
    for t in (4, 3, 2, 1):
        with tg.timestep(t):
            h = b[t] = tg.tanh(tg.linear(h, V) + 1.0).named("b")
    forward, backward = tg.step_jacobians([(f[t - 1], b[t]) for t in (1, 2, 3, 4)])
    assert (forward.names, forward.steps) == (["f"], [1, 2, 3, 4])
    assert (backward.names, backward.steps) == (["b"], [4, 3, 2, 1])
    assert forward.closed_difference == 0.0
    assert backward.closed_difference == 0.0


def test_layers_above_and_below():
    """A layer on top of a bidirectional one is one recurrence; the upper of two stacked
    bidirectional ones is two."""
    below, above = both_ways(), nn.RNN(2 * H, H, seed=1, return_sequences=True)
    found = tg.step_jacobians(above(below(XS)))
    assert found.steps == [1, 2, 3, 4, 5, 6]
    assert found.closed_difference == 0.0
    upper = nn.Bidirectional(nn.RNN(2 * H, H, seed=1, return_sequences=True),
                             return_all_states=True)
    outputs, (forward, backward) = upper(below(XS))
    for mine, states in zip(tg.step_jacobians(outputs), (forward, backward)):
        np.testing.assert_array_equal(mine.to_numpy(), tg.step_jacobians(states).to_numpy())


def test_a_state_that_needs_a_later_one_is_refused():
    """A second layer in time, on one against it: not one recurrence, and h_t alone has a lag."""
    net = nn.Stacked([nn.Bidirectional(nn.RNN(I, H, seed=k, return_sequences=True))
                      if k == 0 else nn.Bidirectional(nn.RNN(2 * H, H, seed=k,
                                                             return_sequences=True))
                      for k in range(3)], return_all_states=True)
    _, states = net(XS)
    with pytest.raises(InputError, match=r"a later state.*of one layer, and of one direction"):
        tg.step_jacobians(states)
    assert tg.step_jacobians(states[2][0]).closed_difference == 0.0  # what the error says to give
    assert tg.step_jacobians(states[2]).backward.closed_difference == 0.0


# --- truncation -----------------------------------------------------------------------------------


def rows_that_are_left(net, losses, W, reaches):
    """Σ over the losses of the ledger rows whose step is still reached."""
    total = np.zeros(W.shape)
    for t, loss in enumerate(losses, 1):
        total += sum(row.contribution for row in tg.gradient_flow(loss).ledger(W)
                     if reaches(t, row.step))
        net.zero_grad()
    return total


@pytest.mark.parametrize(("k1", "k2"), [(2, 2), (4, 4), (1, 3), (2, 3)])
@pytest.mark.parametrize("kind", LAYERS)
def test_each_direction_is_cut_by_itself(kind, k1, k2):
    net = both_ways(kind)
    losses = losses_of(net)
    found = tg.truncation(losses, net, k1, k2)

    def start(t):
        """The first step of the window of step t, counted from the end where it begins."""
        return max(1, t - (t - 1) % k1 + k1 - k2)

    name = "{}_layer.cell.W_hh"
    for way, place in (("forward", lambda t: t), ("backward", lambda t: T + 1 - t)):
        W = getattr(net, f"{way}_layer").cell.W_hh
        left = rows_that_are_left(
                net, losses, W, lambda t, k, place=place: place(k) >= start(place(t)))
        mine = getattr(found, way)
        np.testing.assert_allclose(mine.truncated[name.format(way)], left, rtol=1e-10, atol=1e-13)
        assert list(mine.wanted) == [f"{way}_layer.{p}" for p, _ in
                                     getattr(net, f"{way}_layer").named_parameters()]
    assert found.forward.lags() == found.backward.lags()
    assert [cut.step for cut in found.forward.cuts] == [T + 1 - cut.step
                                                        for cut in found.backward.cuts]


def test_a_parameter_below_both_directions():
    """Its gradient comes through both, and only one of them is cut."""
    below, net = nn.Linear(I, I, name="b", seed=2), both_ways("lstm")
    head = nn.Linear(2 * H, 2, seed=1)
    losses = [(head(y) ** 2).sum() for y in net(below(XS))]
    W = next(iter(below.parameters()))
    found = tg.truncation(losses, {"W": W, "U": net.forward_layer.cell.W_hh}, 2)
    left = np.zeros(W.shape)
    for t, loss in enumerate(losses, 1):
        start = t - (t - 1) % 2
        constants = {n for n in tg.nodes(loss) if n.scope == "forward" and n.name in ("h", "c")
                     and n.step == start - 1 and n.op.rules}
        arriving = Totals([(loss, 1.0)])
        for _ in contributions(arriving, until=constants):
            pass
        left += arriving[W]
    np.testing.assert_allclose(found.forward.truncated["W"], left, rtol=1e-10)
    assert list(found.forward.wanted) == ["W", "U"]
    assert list(found.backward.wanted) == ["W"]
    assert not np.allclose(found.forward.truncated["W"], found.backward.truncated["W"])


def test_given_states_say_the_same():
    net = both_ways(return_all_states=True)
    outputs, states = net(XS)
    losses = [(y ** 2).sum() for y in outputs]
    found = tg.truncation(losses, net, 2)
    for given in (states, outputs):
        for mine, expected in zip(tg.truncation(losses, net, 2, states=given), found):
            assert str(mine) == str(expected)
    alone = tg.truncation(losses, net, 2, states=states[1])
    for name, g in found.backward.truncated.items():
        np.testing.assert_array_equal(alone.truncated[name], g)


def test_a_layer_in_reverse():
    layer = nn.LSTM(I, H, seed=0, reverse=True, return_sequences=True)
    outputs = layer(XS)
    losses = [(y ** 2).sum() for y in outputs]
    found = tg.truncation(losses, layer, 4)
    ahead = nn.LSTM(I, H, seed=0, return_sequences=True)
    expected = tg.truncation([(y ** 2).sum() for y in ahead(XS[::-1])], ahead, 4)
    for name in found.wanted:
        np.testing.assert_allclose(found.truncated[name], expected.truncated[name], rtol=1e-12)
    assert {cut.label for cut in found.cuts} == {"h_3", "c_3"}
    assert "T = 6, in reverse time" in found.title


def test_what_goes_both_ways_at_once_is_refused():
    net = nn.Stacked([both_ways(return_all_states=True),
                      nn.Bidirectional(nn.RNN(2 * H, H, seed=1, return_sequences=True))])
    outputs, states = net(XS)
    losses = [(y ** 2).sum() for y in outputs]
    with pytest.raises(InputError, match=r"time runs both ways.*states=\[...\]"):
        tg.truncation(losses, net, 2)
    found = tg.truncation(losses, net, 2, states=states[1][0])  # what the error says to give
    assert found.error("layers.1.forward_layer.cell.W_hh") > 0.01
    model = nn.EncoderDecoder(nn.RNN(I, H, seed=0), nn.RNN(I, H, seed=1, return_sequences=True))
    with pytest.raises(InputError, match="starts anew"):
        tg.truncation([(y ** 2).sum() for y in model(XS, XS)], model, 2)


# --- how it looks ---------------------------------------------------------------------------------


def test_it_is_said_plainly():
    net = both_ways()
    found = tg.step_jacobians(net(XS))
    text = str(found)
    assert text.startswith("Two recurrences, one from each end: no state of one depends on the")
    assert "\nforward\nJ_t = dh_t/dh_{t-1}" in text
    assert "\nbackward\nJ_t = dh_t/dh_{t+1}" in text
    assert found.verdict.splitlines()[1].startswith("backward: The gradient ")
    assert found[0] is found.forward
    assert len(found) == 2
    page = found._repr_mimebundle_()["text/html"]
    assert page.count("<table") == 2
    assert "<b>backward</b>" in page
    with pytest.raises(AttributeError, match=r"\.forward\.rate, \.backward\.rate"):
        found.rate  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        found.colour  # noqa: B018
    assert "Truncated (windows of 2" in str(tg.truncation(losses_of(net), net, 2))


def test_the_windows_of_each_direction_and_of_both_are_drawn():
    net = both_ways()
    found = tg.truncation(losses_of(net), net, 2)
    for part in (found.forward, found.backward, found):
        assert "6 steps, 3 windows" in draw.truncated(part).svg()
