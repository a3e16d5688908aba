"""Truncation: what is said of windows, cuts and losses is so."""


import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.draw.labels import number, plain
from tinygrad_rnn.errors import InputError

from . import pictures
from .faults import faults


def words(picture):
    return [plain(x.text) for x in (*picture.drawing.boxes, *picture.drawing.labels) if x.text]


def test_the_norms_are_those_of_the_cuts_and_the_losses_those_given():
    windows, losses = pictures.windows(8, 3)
    said = " ".join(words(draw.truncated(windows, losses=losses)))
    for window, loss in zip(windows, losses):
        assert f"L = {loss:.3g}" in said
        for cut in window.cut:
            assert f"‖∂L/∂h{'₀₁₂₃₄₅₆₇₈'[cut.step]}‖ = {cut.norm:.3g}" in said


@pytest.mark.parametrize(("k1", "k2", "said"), [
    (2, 2, ["back over 1 … 2 steps", "back over 1 … 2 steps", "back over 1 … 2 steps"]),
    (2, 3, ["back over 1 … 2 steps", "back over 2 … 3 steps", "back over 2 … 3 steps"]),
    (3, 2, ["back over 0 … 2 steps", "back over 0 … 2 steps"]),
    (1, 1, ["back over 1 step"] * 6), (6, 6, ["back over 1 … 6 steps"])])
def test_how_far_each_loss_reaches_back_in_measured_windows_and_in_the_plan(k1, k2, said):
    measured = draw.truncated(pictures.windows(6, k1, k2)[0])
    plan = draw.truncated(6, k1, k2)
    for picture in (measured, plan):
        found = [w.split(";")[0].strip() for w in words(picture) if "back over" in w]
        assert found == said


def test_a_measured_truncation_is_drawn_with_its_cuts():
    layer = nn.RNN(3, 2, return_sequences=True, seed=0)
    xs = np.random.default_rng(0).normal(size=(6, 2, 3))
    found = tg.truncation(nn.squared_error(layer(xs), np.zeros((6, 2, 2))), layer, 2, 3)
    said = words(draw.truncated(found))
    assert next(w for w in said if w.startswith("back over")) == "back over 1 … 2 steps"
    for cut in found.cuts:
        assert any(f"= {cut.norm:.3g}" in w for w in said)


def cut_up(layer, T, k1, k2):
    """A truncation of a layer that gives two numbers a step, and its picture."""
    xs = np.random.default_rng(0).normal(size=(T, 2, 3))
    outputs = layer(xs)
    found = tg.truncation(nn.squared_error(outputs, np.zeros(outputs.shape)), layer, k1, k2)
    return found, draw.truncated(found)


@pytest.mark.parametrize(("T", "k1", "k2"), [(6, 2, 3), (6, 3, 2), (5, 2, 2), (40, 10, 12)])
def test_windows_that_go_against_time_are_the_mirror_image_of_those_that_go_with_it(T, k1, k2):
    ways = [cut_up(nn.RNN(3, 2, return_sequences=True, reverse=reverse, seed=0), T, k1, k2)
            for reverse in (False, True)]
    (_, there), (found, back) = ways
    assert faults(back.drawing) == []
    frames = [{f.id: f for f in picture.drawing.frames} for _, picture in ways]
    both = min(f.sides[0] for f in there.drawing.frames) + max(
        f.sides[2] for f in there.drawing.frames)
    assert frames[0].keys() == frames[1].keys()
    for name, f in frames[0].items():
        other = frames[1][name].sides
        assert (other[0], other[2]) == pytest.approx((both - f.sides[2], both - f.sides[0]))
    said = [[w for w in words(picture) if w.startswith("back over")] for _, picture in ways]
    assert [w.split(";")[0] for w in said[0]] == [w.split(";")[0] for w in said[1]]
    for cut in found.cuts:
        assert any(f"‖ = {number(cut.norm)}" in w for w in said[1])


def test_both_directions_of_a_bidirectional_layer_are_drawn():
    layer = nn.Bidirectional(nn.LSTM(3, 2, return_sequences=True, seed=0))
    found, picture = cut_up(layer, 9, 4, 5)
    assert faults(picture.drawing) == []
    boxes = {box.id: box for box in picture.drawing.boxes}
    assert all(boxes[f"h{t}"].x == boxes[f"lower.h{t}"].x for t in range(1, 10))
    said = words(picture)
    for each in found:
        assert each.cuts
        assert all(any(f"= {number(cut.norm)}" in w for w in said) for cut in each.cuts)


def test_a_gradient_that_reaches_no_further_is_really_zero_there():
    """The picture says that a loss at step 6 reaches back over 3 steps: so dL_6/dx_3 is 0."""
    layer = nn.RNN(3, 2, return_sequences=True, seed=0)
    xs = tg.Tensor(np.random.default_rng(0).normal(size=(6, 1, 3)), name="x", requires_grad=True)
    for window in tg.truncated_bptt(layer, xs, 2, 3):
        window.backward(window.outputs[-1].sum() * (6 in window.times))
    assert [bool(np.any(g)) for g in xs.grad] == [False, False, False, True, True, True]


@pytest.mark.parametrize(("windows", "options", "says"), [
    ([], {}, "list of windows"), ("abc", {}, "list of windows"), ([1, 2], {}, "list of windows"),
    (6, {}, "k1"), (6, {"k1": 0}, "k1"), (0, {"k1": 2}, "steps"), (True, {"k1": 2}, "steps"),
    (6, {"k1": 2, "k2": 1.5}, "k2"), ([], {}, "got an empty list"),
    (tg.Tensor(np.ones(3)), {"k1": 2}, "list of windows, got Tensor"),
    ([tg.Value(1.0)], {"k1": 2}, "list of windows, got a list with a Value in it")])
def test_what_is_no_truncation_is_refused(windows, options, says):
    with pytest.raises(InputError, match=says):
        draw.truncated(windows, **options)


def test_losses_must_be_as_many_as_windows():
    with pytest.raises(InputError, match="expected 3 losses"):
        draw.truncated(pictures.windows()[0], losses=[1.0])
