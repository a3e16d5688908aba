"""A long sequence in pieces, side by side: equal to the operations, or not taken so."""

import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import fused_apart, fused_lstm_one, fused_rnn_lanes

from .fused_cases import EXACT, H, I, agree, numbers, outcome

LANES, N = 4, 100       # pieces, and steps of each, here
T = LANES * N
KINDS = {"lstm": nn.LSTM, "rnn": nn.RNN}
STRETCHES = [fused_lstm_one.Stretch, fused_rnn_lanes.Stretch]


@pytest.fixture(autouse=True)
def taken(monkeypatch):
    """How passes were taken: in how many lanes forward, and which lanes were taken alone, both
    ways."""
    found = {"ahead": [], "alone": []}
    monkeypatch.setattr(fused_apart, "lanes_of", lambda T: LANES)
    side_by_side = fused_apart.side_by_side

    def watched(*given):
        way = side_by_side(*given)
        found["ahead"].append(1 if way is None else way.lanes)
        return way

    monkeypatch.setattr(fused_apart, "side_by_side", watched)
    for cls in STRETCHES:
        monkeypatch.setattr(cls, "lane", lambda self, k, lane=cls.lane: found["alone"].append(k)
                            or lane(self, k))
    return found


def layer_of(kind, **options):
    return KINDS[kind](I, H, seed=1, **{"return_sequences": True, **options})


def at(*steps):
    """A loss that hangs on these steps alone."""
    steps = list(steps)
    return lambda out: sum((out[t] * numbers(out[t].shape, t)).sum() for t in steps)


def everywhere(out):
    return (out * numbers(out.shape, 3)).sum()


def both(layer, xs, **how):
    return [outcome(layer, xs, fused=fused, **how) for fused in (False, True)]


SPARSE = sorted(np.random.default_rng(2).choice(T - 2, 40, replace=False).tolist())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [T - 1, T, T + 1, T + LANES - 1, T + LANES])
def test_borders_and_what_is_left_over(kind, steps, taken):
    for reverse in (False, True):
        layer = layer_of(kind, reverse=reverse)
        agree(*both(layer, numbers((steps, 1, I)), loss_of=everywhere))
    agree(*both(layer, numbers((steps, I)), loss_of=everywhere))
    assert taken == {"ahead": [LANES] * 3, "alone": []}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "alone"), [
    (range(0, T, 3), 0), ([T - 1], LANES), ([T // 2 + 7], LANES), ([N], LANES), ([N - 1], LANES),
    ([0], LANES), ([N, 2 * N, 3 * N + 1], 0), (SPARSE, None)])
def test_where_a_gradient_arrives(kind, steps, alone, taken):
    layer = layer_of(kind)
    one, other = both(layer, numbers((T, 1, I)), loss_of=at(*steps))
    agree(one, other)
    assert alone is None or len(taken["alone"]) == alone
    sizes = [np.linalg.norm(found[1]["x"], axis=(1, 2)) for found in (one, other)]
    np.testing.assert_allclose(sizes[1], sizes[0], rtol=1e-8)  # however little is left of it


@pytest.mark.parametrize("kind", KINDS)
def test_what_crosses_a_border_is_judged_by_its_own_size(kind, taken):
    """Little arrives near the borders, and as little comes from the large one at the end."""
    def loss_of(out):
        return at(T - 1)(out) + 1e-24 * at(N, 2 * N, 3 * N)(out)

    one, other = both(layer_of(kind), numbers((T, 1, I)), loss_of=loss_of)
    agree(one, other)
    sizes = [np.linalg.norm(found[1]["x"], axis=(1, 2)) for found in (one, other)]
    np.testing.assert_allclose(sizes[1], sizes[0], rtol=1e-8)
    assert sizes[0].min() < 1e-30
    assert taken["alone"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_is_given(kind, taken):
    for reverse in (False, True):
        layer = layer_of(kind, reverse=reverse)
        start = (numbers((1, H)), numbers((1, H), 1)) if kind == "lstm" else 3 * numbers((1, H))
        one, other = both(layer, numbers((T + 2, 1, I)), start=start, loss_of=everywhere)
        agree(one, other)
        assert other[1]["state 0"].flags.c_contiguous  # as every .grad
        assert np.abs(one[1]["state 0"]).max() > 1e-3
    assert taken == {"ahead": [LANES] * 2, "alone": []}


def test_a_gradient_of_the_cell_takes_the_general_way(taken):
    for reverse in (False, True):
        layer = layer_of("lstm", return_state=True, reverse=reverse)
        for loss_of in (lambda found: (found[1][1] ** 2).sum() + everywhere(found[0]),
                        lambda found: (found[1][0] ** 2).sum() + everywhere(found[0])):
            agree(*both(layer, numbers((T + 3, 1, I)), loss_of=loss_of))
    assert taken == {"ahead": [LANES] * 4, "alone": []}


# --- networks that remember -----------------------------------------------------------------------


def open_gates(layer):
    layer.cell.b_h.data[H:2 * H] = 20.0


def chaotic(layer):
    layer.cell.W_hh.data[:] = 4 * numbers(layer.cell.W_hh.shape, 5)


@pytest.mark.parametrize("change", [open_gates, chaotic])
def test_a_network_that_remembers_is_not_taken_apart(change, taken, monkeypatch):
    layer = layer_of("lstm")
    change(layer)
    xs = numbers((T + 1, 1, I))
    layer.fused = True
    with monkeypatch.context() as changed:
        changed.setattr(fused_apart, "lanes_of", lambda T: 1)
        plain = outcome(layer, xs, fused=True, loss_of=everywhere)
    found = outcome(layer, xs, fused=True, loss_of=everywhere)
    assert taken == {"ahead": [1], "alone": []}
    for a, b in zip(plain[0] + list(plain[1].values()), found[0] + list(found[1].values())):
        np.testing.assert_array_equal(a, b)
    if change is open_gates:
        layer.fused = False
        agree(outcome(layer, xs, loss_of=everywhere), found)


@pytest.fixture
def looks(monkeypatch):
    """From where to where a look ahead took its steps."""
    found, ahead = [], fused_lstm_one.Stretch.ahead

    def watched(self, state, start, end, keep=True):
        found.extend([] if keep else [(start, end)])
        return ahead(self, state, start, end, keep)

    monkeypatch.setattr(fused_lstm_one.Stretch, "ahead", watched)
    return found


@pytest.mark.parametrize("change", [open_gates, chaotic])
def test_that_a_network_remembers_is_seen_at_the_second_look(change, looks):
    layer = layer_of("lstm")
    change(layer)
    outcome(layer, numbers((T, 1, I)), fused=True, loss_of=everywhere)
    assert looks == [(0, 8), (8, 16)]


def test_how_many_steps_are_needed_is_told_from_those_taken(looks, taken):
    layer = layer_of("lstm", dtype="float32")
    layer.cell.b_h.data[H:2 * H] = 1.0  # it takes a little longer to forget
    xs = numbers((T, 1, I)).astype("f4")
    agree(*both(layer, xs, loss_of=everywhere), rtol=1e-4, atol=2e-5)
    first, second = looks[:3], looks[3:]
    assert first == [(0, 8), (8, 16), (16, 40)]
    assert second[:2] == first[:2]
    assert len(second) <= 4  # once more, and that is enough
    assert 40 < second[-1][1] < N
    assert taken == {"ahead": [LANES], "alone": []}


def remembers_somewhere():
    """An LSTM whose first input opens the forget gates, and a sequence in which it does so over the
    border between the first two pieces."""
    layer, xs = layer_of("lstm"), numbers((T, 1, I))
    layer.cell.W_xh.data[H:2 * H, 0] = 30.0
    xs[:, 0, 0] = 0.0
    xs[10:N + 40, 0, 0] = 1.0
    return layer, xs


def test_a_piece_that_does_not_fit_is_taken_again(taken):
    layer, xs = remembers_somewhere()
    agree(*both(layer, xs, loss_of=everywhere))
    assert taken["ahead"] == [LANES]
    assert taken["alone"] == [1, 2, 0]  # two ahead, and the one before the border back


def test_without_looking_at_the_borders_it_would_be_wrong(monkeypatch):
    layer, xs = remembers_somewhere()
    one = outcome(layer, xs, loss_of=everywhere)
    monkeypatch.setattr(fused_apart, "roundings",
                        lambda one, *others: np.zeros(one.shape[2]))
    other = outcome(layer, xs, fused=True, loss_of=everywhere)
    with pytest.raises(AssertionError):
        agree(one, other)
    assert np.abs(one[0][0] - other[0][0]).max() > 1e-3


# --- numbers that are none, repetition, precision -------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("step", [3, N - 2, T - 5])
def test_what_is_not_a_number_goes_the_same_way(kind, bad, step, monkeypatch):
    layer = layer_of(kind)
    xs = numbers((T, 1, I))
    xs[step, 0, 1] = bad
    found = []
    for lanes in (1, LANES):
        monkeypatch.setattr(fused_apart, "lanes_of", lambda T, lanes=lanes: lanes)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            values, grads, _ = outcome(layer, xs, fused=True, loss_of=everywhere)
        found.append((values + list(grads.values()), {str(w.message) for w in seen}))
    for a, b in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(b, a, **EXACT)
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_pass_has_the_same_bits(kind, taken):
    xs = numbers((T + 1, 1, I))
    used, fresh = layer_of(kind, fused=True), layer_of(kind, fused=True)
    outcome(used, 5 * xs, fused=True, loss_of=everywhere)
    x = tg.Tensor(xs, requires_grad=True)
    loss = everywhere(used(x))
    loss.backward()
    first = x.grad.copy()
    x.zero_grad()
    loss.backward()
    found = outcome(fresh, xs, fused=True, loss_of=everywhere)
    for other in (first, x.grad):
        np.testing.assert_array_equal(other, found[1]["x"])


@pytest.mark.parametrize("kind", KINDS)
def test_float32(kind, taken):
    layer = layer_of(kind, dtype="float32")
    one, other = both(layer, numbers((T + 2, 1, I)).astype("f4"), loss_of=everywhere)
    agree(one, other, rtol=1e-4, atol=2e-5)
    assert other[0][0].dtype == np.float32
    assert taken == {"ahead": [LANES], "alone": []}


@pytest.mark.parametrize("kind", KINDS)
def test_it_opens_as_ever(kind, taken):
    layer = layer_of(kind, fused=True)
    x = tg.Tensor(numbers((T, 1, I)), requires_grad=True)
    loss = everywhere(layer(x))
    flow = tg.gradient_flow(loss)
    rows = flow.ledger(layer.cell.W_hh)
    np.testing.assert_allclose(sum(row.contribution for row in rows), layer.cell.W_hh.grad, **EXACT)
    layer.fused = False
    plain = everywhere(layer(x))
    opened = tg.open_fused(loss)
    assert [n.op.name for n in tg.nodes(opened)] == [n.op.name for n in tg.nodes(plain)]
    firsts = [tg.grad(one, layer.cell.W_hh, create_graph=True) for one in (loss, plain)]
    for one, other in (firsts, [tg.grad((g ** 2).sum(), x) for g in firsts]):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10, atol=1e-12)


def test_how_far_apart_the_same_number_may_be():
    one, eps = np.array([[[1.0], [0.5]]]), np.finfo(float).eps
    roundings = fused_apart.roundings
    for k in range(6):
        assert roundings(one + k * eps, one) == k
    assert roundings(2.0 ** -90 * (one + 5 * eps), 2.0 ** -90 * one) == 5
    assert roundings(0 * one, 0 * one) == 0
    assert roundings(one, 0 * one) == np.inf
    two = np.concatenate([one, one * 1e-9])
    assert roundings(two + eps, two) == pytest.approx(1e9)  # each part by its own size
    for bad in (np.nan, np.inf):
        pairs = (bad * one, bad * one), (bad * one, one), (one, bad * one)
        assert [roundings(*pair) for pair in pairs] == [np.inf] * 3
