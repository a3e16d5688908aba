"""The factors of a gradient flow: of the steps in view, and the mean one of those in the gap."""

import re
from functools import partial

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.draw.labels import number, plain

from . import graphs
from .faults import faults


def told(flow, **options):
    """The factors in view, and what stands in the gap."""
    words = [plain(label.text) for label in draw.gradient_flow(flow, **options).drawing.labels]
    factors = [w for w in words if w.startswith("×") and ":" not in w and not w.endswith("step")]
    return factors, [w for w in words if w.endswith(" per step")]


def summed(T, *weights):
    """h_t = w h_{t-1} + x, with one of the weights in turn, and a loss at every step."""
    w = [tg.Value(x, name=f"w{i}") for i, x in enumerate(weights)]
    h, loss = tg.Value(0.0, name="h0"), 0
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = (w[t % len(w)] * h + 1.0).named("h")
            loss = loss + (h * 1.0).named("L")
    return loss


def geometric(factors):
    return float(np.exp(np.mean(np.log(factors))))


def by_hand(flow, h, back=-1):
    """What each step sends on, by what arrived there: from the rows of the state before."""
    return {t: np.linalg.norm(sum(use.array() for use in flow.incoming.get(h[t + back])
                                  if use.step == t)) / np.linalg.norm(flow.gradient(h[t]))
            for t in h if t + back in h}


@pytest.mark.parametrize("direction", ["right", "down"])
def test_what_losses_add_in_a_gap_is_not_in_its_factor(direction):
    factors, gap = told(tg.gradient_flow(summed(30, 0.5)), direction=direction)
    assert factors == ["×0.5"] * 6
    assert gap == ["×0.5 per step"]


def test_numbers_have_factors_of_either_sign_on_both_sides_of_a_gap():
    assert told(tg.gradient_flow(summed(30, -0.5))) == (["×−0.5"] * 6, ["×−0.5 per step"])
    factors, gap = told(tg.gradient_flow(summed(30, -0.5, 0.5)))
    assert factors == ["×0.5", "×−0.5"] * 3 or factors == ["×−0.5", "×0.5"] * 3
    assert gap == ["×±0.5 per step"]


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_the_factor_of_a_gap_is_the_mean_of_those_of_its_steps(kind):
    flow = tg.gradient_flow(graphs.layer(40, kind=kind))
    h = {x.step: x for x in flow.incoming if x.name == "h"}
    factors = by_hand(flow, h)
    mean = geometric([factors[t] for t in range(4, 38)])
    assert told(flow)[1] == [f"×{number(mean)} per step"]
    assert told(flow, level="cell")[1] == [f"×{number(mean)} per step"]


def test_each_of_several_states_has_a_mean_factor_with_its_name():
    flow = tg.gradient_flow(graphs.layer(30, kind=nn.LSTM))
    named = {name: {x.step: x for x in flow.incoming if x.name == name} for name in "hc"}
    expected = {name: geometric([by_hand(flow, x)[t] for t in range(4, 28)])
                for name, x in named.items()}
    assert told(flow)[1] == [f"{name}: ×{number(expected[name])} per step" for name in "ch"]
    assert faults(draw.gradient_flow(flow).drawing) == []


def test_each_of_several_gaps_has_its_mean_factor():
    """That of a decoder too, whose gradient goes through the outputs that are fed back as well:
    what goes on to the state before is what counts, as on the passages in view."""
    flow = tg.gradient_flow(model("encoder-decoder", 20).loss)
    means = []
    for scope, first in (("encoder", 4), ("decoder", 3)):  # a decoder begins at 0
        h = {x.step: x for x in flow.incoming if x.name == "h" and x.scope.startswith(scope)}
        means.append(geometric([by_hand(flow, h)[t] for t in range(first, 18)]))
    assert told(flow)[1] == [f"×{number(mean)} per step" for mean in means]
    flow = tg.gradient_flow(graphs.layer(30))
    factors = by_hand(flow, {x.step: x for x in flow.incoming if x.name == "h"})
    assert told(flow, steps=slice(1, 31, 10))[1] == [
        f"×{number(geometric([factors[t] for t in range(a, a + 9)]))} per step" for a in (2, 12)]


def test_a_layer_that_reads_backwards_sends_the_gradient_to_later_steps():
    flow = tg.gradient_flow(graphs.both_ways(30))
    gaps = {w.split(": ")[0]: w.split(": ")[1] for w in told(flow)[1]}
    for scope, back in (("forward", -1), ("backward", 1)):
        h = {x.step: x for x in flow.incoming if x.name == "h" and scope in x.scope}
        factors = by_hand(flow, h, back)
        mean = geometric([factors[t] for t in range(4, 28)])
        assert next(w for name, w in gaps.items() if scope in name) == \
            f"×{number(mean)} per step"


def test_a_mean_over_very_many_steps_says_that_not_all_were_asked():
    flow = tg.gradient_flow(summed(2_000, 0.5))
    words = [plain(label.text) for label in draw.gradient_flow(flow).drawing.labels]
    assert "×0.5 per step" in words
    assert any(re.search("mean of the factors of 500 steps, evenly spread, in the gap", w)
               for w in words)
    few = [plain(label.text) for label in
           draw.gradient_flow(tg.gradient_flow(summed(30, 0.5))).drawing.labels]
    assert any(w.endswith("mean of the factors of the steps in the gap") for w in few)


def test_steps_that_nothing_arrived_at_have_no_factor():
    flow = tg.gradient_flow(graphs.power(2_000))  # 0.2 ** 2,000 is 0
    assert told(flow)[1] == ["×0.2 per step"]
    cut = tg.what_if(graphs.layer(30), "no dh_next")
    assert told(cut)[1] == ["×0 per step"]


@pytest.mark.parametrize("options", [{"first": 8}, {"first": 1, "last": 1}])
def test_what_goes_to_two_states_has_a_factor_for_each(options):
    """h_t = 0.7 h_{t-1} - 0.4 h_{t-2} + x: also where a gap hides both of them."""
    w, u = tg.Value(0.7, name="w"), tg.Value(-0.4, name="u")
    h = [tg.Value(0.5, name="g0"), tg.Value(0.5, name="h0")]
    for t in range(1, 9):
        with tg.timestep(t):
            h.append((w * h[-1] + u * h[-2] + 1.0).named("h"))
    factors, _ = told(tg.gradient_flow(h[-1]), **options)
    assert {x for word in factors for x in word.split(", ")} == {"×−0.4", "×0.7"}


@pytest.mark.parametrize("direction", ["right", "down"])
def test_a_factor_of_several_wires_says_so(direction):
    """A GRU sends the gradient back by two wires; one of them alone has another factor."""
    flow = tg.gradient_flow(graphs.layer(3, kind=nn.GRU))
    h = {x.step: x for x in flow.incoming if x.name == "h"}
    picture = draw.gradient_flow(flow, direction=direction)
    words = [plain(label.text) for label in picture.drawing.labels]
    assert {f"Σ ×{number(x)}" for x in by_hand(flow, h).values()} <= set(words)
    assert any(w.endswith("Σ ×: of all its wires together") for w in words)
    assert faults(picture.drawing) == []
    plainly = [plain(label.text) for label in draw.gradient_flow(
        tg.gradient_flow(graphs.layer(3))).drawing.labels]
    assert not any("Σ ×" in w for w in plainly)
    assert not any("without what is added" in w for w in words + plainly)


def test_a_gap_with_a_factor_that_is_no_number_says_so():
    flow = tg.gradient_flow(summed(6, 1.0, np.nan))
    assert told(flow, first=1, last=1)[1] == ["×NaN per step"]


def test_the_legend_explains_factors_of_either_sign():
    words = [plain(label.text) for label in
             draw.gradient_flow(tg.gradient_flow(summed(30, -0.5, 0.5))).drawing.labels]
    assert any(w.endswith("of the steps in the gap, of either sign") for w in words)


def test_a_sum_of_several_gaps_stands_in_none_of_them():
    flow = tg.gradient_flow(summed(12, 0.5))
    for steps, gaps in ((slice(1, 4), 1), (slice(1, None, 4), 3)):
        words = [plain(label.text)
                 for label in draw.gradient_flow(flow, steps=steps).drawing.labels]
        assert len([w for w in words if w.endswith(" steps")]) == gaps
        assert any(w.startswith("Σ Δ") for w in words) == (gaps == 1)


def masked(reverse, padding="repeat"):
    """A recurrence of which a mask keeps some steps out, in two sequences; and by NumPy the factor
    of each step on the way back, in the order of time: of the states that are left, masked or not.
    """
    T, layer = 8, nn.RNN(3, 4, return_sequences=True, reverse=reverse, seed=0, padding=padding)
    xs, mask = np.random.default_rng(0).normal(size=(T, 2, 3)), np.ones((T, 2), bool)
    mask[2, 0], mask[4:6, 1] = False, False
    flow = tg.gradient_flow((layer(xs, mask=mask) ** 2).sum())
    W_xh, W_hh, b = (p.value for p in (layer.cell.W_xh, layer.cell.W_hh, layer.cell.b_h))
    order, s, made = range(T)[::-1 if reverse else 1], np.zeros((2, 4)), {}
    for t in order:
        h = np.tanh(xs[t] @ W_xh.T + s @ W_hh.T + b)
        s = np.where(mask[t][:, None], h, s)
        made[t] = h, s
    arrived, factors = np.zeros((2, 4)), {}
    for t in reversed(order):
        h, s = made[t]
        arrived = arrived + 2 * (s if padding == "repeat" else np.where(mask[t][:, None], s, 0))
        back = np.where(mask[t][:, None], arrived * (1 - h**2), 0) @ W_hh
        back += np.where(mask[t][:, None], 0, arrived)
        factors[t + 1] = np.linalg.norm(back) / np.linalg.norm(arrived)
        arrived = back
    del factors[order[0] + 1]  # to the first state, which needs no gradient
    return flow, [factors[t] for t in sorted(factors)]


@pytest.mark.parametrize("padding", ["repeat", "zero"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("level", ["op", "cell"])
def test_the_factor_of_a_masked_step_is_that_of_the_state_it_leaves(level, reverse, padding):
    """It was that of the state before the mask: a step that shrank the gradient seemed to double
    it, and the next had none. What an output sends to the state before the mask counts too."""
    flow, factors = masked(reverse, padding)
    words = [plain(n.text) for n in sorted(
        draw.gradient_flow(flow, level=level, first=8).drawing.labels, key=lambda n: n.x)]
    assert [w.removeprefix("Σ ") for w in words if re.match(r"(Σ )?×[0-9]", w)] == \
        [f"×{number(factor)}" for factor in factors]


def test_what_an_output_sends_to_a_cell_state_before_its_mask_counts_too():
    """It was divided by what the mask sent alone: ×1.42, where a forget gate is below 1."""
    xs = np.random.default_rng(7).normal(size=(4, 2, 3))
    layer = nn.LSTM(3, 2, seed=1, return_sequences=True)
    flow = tg.gradient_flow((layer(xs, lengths=[4, 2]) ** 2).sum())
    picture = draw.gradient_flow(flow, level="cell", first=4, last=0)
    words = [plain(label.text) for label in picture.drawing.labels]
    assert "×0.463" in words
    assert max(float(w[1:]) for w in words if re.match("×[0-9]", w)) < 1


@pytest.mark.parametrize("padding", ["repeat", "zero"])
@pytest.mark.parametrize("reverse", [False, True])
def test_masked_steps_are_in_the_mean_factor_of_a_gap(reverse, padding):
    flow, factors = masked(reverse, padding)
    hidden = factors[2:5] if reverse else factors[1:4]  # of steps 3 to 5
    assert told(flow, first=2, last=3)[1] == [f"×{number(geometric(hidden))} per step"]


def beside_masked(kind, how, padding, masked=True, T=5):
    """Two sequences; and beside them another that a mask keeps out of every step, so that no
    gradient goes there: nothing is changed by it but that each step has a mask."""
    def layer(size, seed=0, **options):
        return kind(size, 3, seed=seed, return_sequences=True, padding=padding, **options)

    model = {"reverse": lambda: layer(2, reverse=True),
             "both ways": lambda: nn.Bidirectional(layer(2), merge="sum"),
             "stacked": lambda: nn.Stacked([layer(2), layer(3, 1)])}.get(how, lambda: layer(2))()
    xs = np.random.default_rng(3).normal(size=(T, 3, 2))
    there = np.array([[True, True, False]] * T)
    y = model(xs, mask=there) if masked else model(xs[:, :2])
    return tg.gradient_flow((y * y).sum())


@pytest.mark.parametrize(("kind", "how", "padding", "window"), [
    (nn.RNN, "reverse", "zero", {"first": 5}), (nn.RNN, "stacked", "repeat", {"first": 5}),
    (nn.RNN, "reverse", "zero", {"first": 1, "last": 1}),
    (nn.GRU, "forward", "repeat", {"first": 5}),
    (nn.LSTM, "both ways", "zero", {"first": 1, "last": 1}),
    (nn.LSTM, "forward", "repeat", {"first": 5})])
def test_factors_where_a_mask_keeps_something_at_every_step(kind, padding, how, window):
    """There were none, as only what the mask leaves goes on, and that has no name; and then of
    outputs that are repeated there was one more."""
    def factors(masked, level):
        flow = beside_masked(kind, how, padding, masked)
        words = [plain(label.text) for label in
                 draw.gradient_flow(flow, level=level, **window).drawing.labels]
        return sorted(w.removeprefix("Σ ") for w in words if re.search("×[0-9]", w))

    for level in ("op", "cell"):
        assert factors(True, level) == factors(False, level)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("level", ["op", "cell"])
def test_the_factor_of_a_step_that_is_masked_and_begins_anew(level, reverse):
    """What the mask keeps is no state of another step then: it was told from what the mask lets
    pass, and part of what arrived was left out."""
    T, layer = 6, nn.RNN(3, 4, return_sequences=True, reverse=reverse, seed=0, padding="zero")
    xs = np.random.default_rng(1).normal(size=(T, 3, 3))
    mask, reset = np.arange(3 * T).reshape(T, 3) % 4 > 0, np.zeros((T, 3), bool)
    reset[2, 2] = reset[3, 0] = reset[3, 1] = True
    flow = tg.gradient_flow((layer(xs, mask=mask, reset_mask=reset) ** 2).sum())
    W_xh, W_hh, b = (p.value for p in (layer.cell.W_xh, layer.cell.W_hh, layer.cell.b_h))
    valid = mask[..., None]
    anew = (np.append(reset[1:], reset[:1] & False, 0) if reverse else reset)[..., None]
    order, s, made = range(T)[::-1 if reverse else 1], np.zeros((3, 4)), {}
    for t in order:
        s = np.where(anew[t], 0, s)
        made[t] = np.tanh(xs[t] @ W_xh.T + s @ W_hh.T + b)
        s = np.where(valid[t], made[t], s)
    arrived, factors = np.zeros((3, 4)), {}
    for t in reversed(order):
        arrived = arrived + np.where(valid[t], 2 * made[t], 0)
        back = np.where(valid[t], arrived * (1 - made[t] ** 2), 0) @ W_hh
        back = np.where(anew[t], 0, back + np.where(valid[t], 0, arrived))
        factors[t + 1] = np.linalg.norm(back) / np.linalg.norm(arrived)
        arrived = back
    del factors[order[0] + 1]
    words = [plain(n.text) for n in sorted(
        draw.gradient_flow(flow, level=level, first=T).drawing.labels, key=lambda n: n.x)]
    assert [w.removeprefix("Σ ") for w in words if re.match(r"(Σ )?×[0-9]", w)] == \
        [f"×{number(factors[t])}" for t in sorted(factors)]


def by_differences(layer, xs, mask, reset, t, back):
    """The norm of ∂L/∂ of what step t leaves, by central differences: what the outputs from step t
    on ask of it, or (going `back`) the steps after it only."""
    def loss(at, change):
        s, shown, total = np.zeros(change.shape), np.zeros(change.shape), 0.0
        for i, x in enumerate(xs):
            s = np.where(reset[i][:, None], 0, s)
            valid, new = mask[i][:, None], layer.cell(x, tg.Tensor(s))[1].value
            shown = np.where(valid, new + (change if i == at and not back else 0), shown)
            s = np.where(valid, new, s) + (change if i == at else 0)
            total += float((shown ** 2).mean())
        return total

    entries = np.eye(4).reshape(4, 2, 2) * 1e-5
    return np.linalg.norm([(loss(t, e) - loss(t, -e)) / 2e-5 for e in entries])


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_the_last_factor_where_a_mask_keeps_something_at_every_step(kind, anew):
    """Nothing needs the last state, only the output, so that the mask of the output was taken for
    its own: ×0.0583 instead of ×0.105."""
    xs = np.random.default_rng(1).normal(size=(5, 2, 3))
    mask, reset = np.array([[1, 0], [0, 1]] * 2 + [[1, 0]], bool), np.zeros((5, 2), bool)
    reset[2, 1] = reset[3, 0] = anew
    layer = kind(3, 2, return_sequences=True, seed=0)
    flow = tg.gradient_flow((layer(xs, mask=mask, reset_mask=reset) ** 2).mean())
    expected = [by_differences(layer, xs, mask, reset, t - 1, True)
                / by_differences(layer, xs, mask, reset, t, False) for t in range(1, 5)]
    for level in ("op", "cell"):
        words = [plain(n.text) for n in sorted(draw.gradient_flow(
            flow, level=level, first=5).drawing.labels, key=lambda n: n.x)]
        assert [w.removeprefix("Σ ") for w in words if re.match(r"(Σ )?×[0-9]", w)] == \
            [f"×{number(factor)}" for factor in expected]


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
def test_what_a_mask_leaves_of_a_state_is_no_output_where_others_are_begun_anew(kind):
    """The states of steps without a mask went to those that begin anew, and what a mask left to
    others: it was taken for an output that is read again, and two steps had no factor."""
    xs = np.random.default_rng(26).normal(size=(5, 2, 3))
    mask, reset = np.ones((5, 2), bool), np.zeros((5, 2), bool)
    mask[1, 0] = mask[3, 1] = False
    reset[1, 1] = reset[3, 0] = True
    layer = kind(3, 2, return_sequences=True, seed=0)
    flow = tg.gradient_flow((layer(xs, mask=mask, reset_mask=reset) ** 2).mean())
    expected = [by_differences(layer, xs, mask, reset, t - 1, True)
                / by_differences(layer, xs, mask, reset, t, False) for t in range(1, 5)]
    words = [plain(n.text) for n in sorted(
        draw.gradient_flow(flow, first=5).drawing.labels, key=lambda n: n.x)]
    assert [w.removeprefix("Σ ") for w in words if re.match(r"(Σ )?×[0-9]", w)] == \
        [f"×{number(factor)}" for factor in expected]


@pytest.mark.parametrize("name", [None, "s"])
def test_the_state_of_a_loop_with_a_mask_at_every_step(name):
    """It is what the mask lets pass, if what it leaves has no name of its own."""
    W = tg.Tensor(np.eye(3) / 2, name="W", requires_grad=True)
    h, L = tg.Tensor(np.ones((2, 3))), 0.0
    for t in range(1, 5):
        with tg.timestep(t):
            h_new = tg.tanh(h @ W).named("h")
            h = tg.where(np.array([[True], [t % 2 > 0]]), h_new, h)
            h = h if name is None else h.named(name)
            L = L + (h_new * h_new).sum()
    for level in ("op", "cell"):
        boxes = draw.unrolled(L, level=level).drawing.boxes
        states = [plain(box.text) for box in boxes if box.role == "state"]
        assert states == [f"{name or 'h'}{t}" for t in ("₁₂₃" if name else "₁₂₃₄")]


def read_inside(T, masked):
    """h_t = h_{t-1}/2 + n, or n by a mask, and a loss that reads n, inside of the step; and by hand
    dh_t/dh_{t-1}."""
    a, h, loss, factors = tg.Value(0.7, name="a"), tg.Value(0.3, name="h0"), 0, []
    for t in range(1, T + 1):
        with tg.timestep(t):
            n = tg.tanh(a * h + tg.Value(0.1 * t, name="x"))
            h = (tg.where(True, n, h) if masked else 0.5 * h + n).named("h")
            loss = loss + (n ** 2).named("L")
            factors.append(0.7 * (1 - n.value ** 2) + (0 if masked else 0.5))
    return tg.gradient_flow(loss), factors


@pytest.mark.parametrize("level", ["op", "cell"])
@pytest.mark.parametrize("masked", [False, True])
def test_what_a_loss_adds_inside_of_a_step_is_in_no_factor(masked, level):
    """It was: ×1.4, ×1.63 and ×2.2 where a step makes ×1.14, ×1.04 and ×0.897."""
    flow, factors = read_inside(12, masked)
    factors = factors[1:-1]  # of the last step only n is there
    assert told(flow, level=level)[1] == [f"×{number(geometric(factors[2:-2]))} per step"]
    whole = [plain(label.text).removeprefix("Σ ") for label in sorted(
        draw.gradient_flow(flow, level=level, first=12).drawing.labels, key=lambda n: n.x)]
    assert [w for w in whole if re.match("×[0-9]", w)][-len(factors):] == [
        f"×{number(x)}" for x in factors]
    assert any("on its way back, without what is added inside of it" in w for w in whole)


def gates(W, changes=(0.0, 0.0), entering=0, leaving=0, quiet=0):
    """A cell with two states, and a loss that reads its gates too, from arrays or tensors: with
    `changes` of what enters one step or leaves one, and without what gates add at a `quiet` one."""
    h, c, loss = np.full((2, 3), 0.3), np.full((2, 3), -0.2), 0.0
    for t in range(1, 5):
        with tg.timestep(t):
            old = [x + d if t == entering else x for x, d in zip((h, c), changes)]
            gate, let = (0.5 + 0.5 * np.tanh(old[0] @ W[i] + 0.1 * t) for i in (0, 1))
            c = gate * np.tanh(old[0] @ W[2]) + 0.8 * old[1]
            c = c if isinstance(c, np.ndarray) else c.named("c")
            c = c + changes[1] if t == leaving else c
            h = let * np.tanh(c)
            h = h if isinstance(h, np.ndarray) else h.named("h")
            h = h + changes[0] if t == leaving else h
            loss = loss + (h * h).sum() + (0 if t == quiet else (gate * gate * let).sum())
    return loss


def size_by_differences(loss, state):
    """The norm of the gradient to one of two states, by central differences."""
    found = []
    for entry in np.eye(6).reshape(6, 2, 3) * 1e-5:
        changes = (entry, 0 * entry) if state == 0 else (0 * entry, entry)
        found.append((loss(changes) - loss([-d for d in changes])) / 2e-5)
    return np.linalg.norm(found)


@pytest.mark.parametrize("level", ["op", "cell"])
def test_factors_of_two_states_without_what_a_loss_adds_at_their_gates(level):
    """What goes to h by both states counts, as it does where no loss looks at a gate."""
    W = np.random.default_rng(5).normal(size=(3, 3, 3))
    flow = tg.gradient_flow(gates([tg.Tensor(x, name=f"W{i}", requires_grad=True)
                                   for i, x in enumerate(W)]))
    sizes = [[size_by_differences(partial(gates, W, **{end: t}, quiet=t * (end == "entering")), i)
              for end in ("entering", "leaving")] for t in (2, 3, 4) for i in (0, 1)]
    expected = {f"×{number(sent / arrived)}" for sent, arrived in sizes}
    words = [plain(label.text) for label in
             draw.gradient_flow(flow, level=level, first=4).drawing.labels]
    assert {w.removeprefix("Σ ") for w in words if re.match(r"(Σ )?×[0-9]", w)} == expected


def test_what_reads_the_state_before_beside_its_step_has_no_part_in_the_factor():
    """An output of the step after does, and the state is half of the one before."""
    a, h, loss = tg.Value(0.5, name="a"), tg.Value(1.0, name="h0"), 0
    for t in range(1, 5):
        with tg.timestep(t):
            loss = loss + ((3.0 * h).named("y") ** 2).named("L")
            h = (a * h).named("h")
    factors, _ = told(tg.gradient_flow(loss + h))
    assert factors[1:] == ["×0.5"] * 3


def test_a_hook_inside_of_a_step_is_in_its_factor():
    h = tg.Value(1.0, name="h0")
    for t in range(1, 5):
        with tg.timestep(t):
            n = 0.5 * h
            n.register_hook(lambda g: 3 * g)
            h = (1.0 * n).named("h")
    assert told(tg.gradient_flow(h))[0][1:] == ["×1.5"] * 3
