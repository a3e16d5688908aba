"""First states: told from inputs and weights by where they come in, and named after their step."""

from collections import Counter

import numpy as np
import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.draw.labels import plain, symbol

from .faults import faults
from .test_inputs import leaves, shared, texts

VIEWS = {"unrolled": lambda root: draw.unrolled(root, first=20), "rolled": draw.rolled,
         "flow": lambda root: draw.gradient_flow(gradient_flow(root), first=20)}


def initial(drawing):
    return sorted(plain(box.text) for box in drawing.boxes if box.role == "initial")


def looking_back_two(T, names=("h0", "h_1")):
    """h_t = tanh(w h_{t-1} + u h_{t-2} + x_t): two steps need h0, and they do otherwise than those
    that have states to look back to."""
    w, u = Value(0.5, name="w"), Value(0.3, name="u")
    h, before = (Value(0.1, name=name) for name in names)
    for t, x in enumerate(leaves(T), 1):
        with timestep(t):
            h, before = ops.tanh(w * h + u * before + x).named("h"), h
    return h


@pytest.mark.parametrize("T", [3, 7, 40])
def test_a_first_state_that_two_steps_need_is_no_weight(T):
    root = looking_back_two(T)
    for first, last in (3, 3), (1, 0), (0, 1), (T, 0):
        assert shared(root, first, last) == ["u", "w"]
    drawing = draw.unrolled(root, first=T).drawing
    initial = {box.id for box in drawing.boxes if box.dashed}
    assert [sum(line.tail == x for line in drawing.lines) for x in sorted(initial)] == [2, 1]
    assert len({box.y for box in drawing.boxes if box.role == "input" and not box.dashed}) == 1
    assert faults(drawing) == faults(draw.gradient_flow(gradient_flow(root)).drawing) == []
    rolled = draw.rolled(root).drawing
    assert texts(rolled) == ["x_t"]
    assert sorted(plain(box.text) for box in rolled.boxes if box.role.startswith("weight")) == \
        ["u", "w"]
    assert faults(rolled) == []


@pytest.mark.parametrize(("names", "said"), [
    (("h_0", "h_-1"), ["h₀", "h_−1"]), (("h_-1", "h_-2"), ["h_−1", "h_−2"]),
    (("h-1", "h-2"), ["h-1", "h-2"])])
def test_first_states_may_have_numbers_below_0(names, said):
    """Only h_-1 is that of step −1: the line in h-1 may be anything."""
    root = looking_back_two(5, names)
    assert shared(root, 5, 0) == ["u", "w"]
    for picture in (draw.unrolled(root, first=5), draw.rolled(root)):
        initial = [box for box in picture.drawing.boxes if box.role == "initial"]
        assert [plain(box.text) for box in initial] == said
        assert faults(picture.drawing) == []


def looking_back(lags, T, name, backwards=False, needed=1):
    """h_t = tanh(sum of w_k h_{t-k}), from first states that are all called `name`; the loss needs
    the last few states."""
    ws = [Value(0.2 + 0.1 * k, name="w" if len(lags) == 1 else f"w{k}") for k in lags]
    h = {-k: Value(0.1 * k, name=name) for k in range(max(lags))}
    for t in range(1, T + 1):
        with timestep(T + 1 - t if backwards else t):
            total = ws[0] * h[t - lags[0]]
            for w, k in zip(ws[1:], lags[1:]):
                total = total + w * h[t - k]
            h[t] = ops.tanh(total).named("h")
    return sum((h[T - k] for k in range(1, needed)), h[T])


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("lags", "T", "needed", "name"), [
    ([2], 5, 2, "h"), ([2], 5, 2, "start"), ([2], 5, 2, None),
    ([4], 6, 4, "start"), ([3], 5, 3, "h"), ([1, 2], 5, 1, "h"), ([1, 2], 5, 1, None),
    ([1, 2], 2, 1, "h"), ([1, 2], 2, 1, None), ([1, 2, 3], 5, 1, None), ([1, 3], 6, 1, "start")])
def test_a_first_state_is_told_by_where_it_comes_in(lags, T, needed, name, backwards):
    """h_0 became a weight and h_{-1} was called h_0, or two of them were called so."""
    root = looking_back(lags, T, name, backwards, needed)
    called, most = name or "h", max(lags)
    steps = [str(T + k) for k in range(1, most + 1)] if backwards else \
        [str(1 - k).replace("-", "−") for k in range(1, most + 1)]
    told = [f"T+{k}" for k in range(1, most + 1)] if backwards else steps
    for view, make in VIEWS.items():
        drawing = make(root).drawing
        said = [plain(symbol(called, at)) for at in (told if view == "rolled" else steps)]
        assert initial(drawing) == sorted(said)
        roles = Counter(box.role for box in drawing.boxes)
        assert roles["input"] == 0
        assert sum(box.role.startswith("weight") for box in drawing.boxes) == len(lags)
        assert faults(drawing) == []


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", ["h", None])
@pytest.mark.parametrize("lags", [[2], [1, 2], [1, 2, 3]])
def test_a_first_state_is_one_whichever_steps_are_in_view(lags, name, backwards):
    """Also where no step in view reads the state of another, if it is called like a state: else it
    may be the first input, where others read an output again."""
    root = looking_back(lags, 9, name, backwards, max(lags))
    whole = Counter(initial(draw.unrolled(root, first=9).drawing))
    for first, last in (1, 0), (0, 1), (1, 1), (2, 1), (1, 2), (3, 3):
        drawing = draw.unrolled(root, first=first, last=last).drawing
        own = Counter(text for text in initial(drawing) if text.startswith("h"))
        assert own <= whole
        assert faults(drawing) == []
        if name or first and last:
            assert not any(box.role == "input" for box in drawing.boxes)
            assert bool(initial(drawing)) == bool(last if backwards else first)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
@pytest.mark.parametrize("T", [4, 7])
def test_a_given_state_is_none_of_the_step_that_makes_a_learned_one(T, kind):
    """Of a layer that reads from the end and starts anew it was called an input of step T+1."""
    given = [Tensor(np.zeros((2, 2)), name=name) for name in "hc"]
    layer = kind(3, 2, initial_state="learned", return_sequences=True, reverse=True, seed=0)
    y = layer(np.ones((T, 2, 3)), given[0] if kind is nn.RNN else tuple(given),
              reset_mask=np.arange(2 * T).reshape(T, 2) == 4)
    names = "h" if kind is nn.RNN else "hc"
    for view, at in ("unrolled", T + 1), ("rolled", "T+1"):
        drawing = VIEWS[view](y.sum()).drawing
        learned = [plain(symbol(name, 0)) for name in names]
        assert initial(drawing) == sorted(learned + [plain(symbol(name, at)) for name in names])
        assert {plain(box.text)[0] for box in drawing.boxes if box.role == "input"} == {"x"}
        assert faults(drawing) == []


def test_a_step_that_is_not_the_one_before_is_not_called_so():
    """Of h_t = f(h_{t-2}), of which only every second step is needed, it was h_1."""
    for T, said in (6, "h₀"), (5, "h_−1"):
        assert initial(draw.unrolled(looking_back([2], T, "h"), first=9).drawing) == [said]


@pytest.mark.parametrize("name", ["h", "h0"])
def test_a_single_step_has_a_first_state_too(name):
    w, c, target = Value(0.5, name="w"), Value(0.3, name="c"), Value(0.1, name="y")
    h, x = Value(0.9, name=name), Value(0.2, name="x")
    with timestep(1):
        h = ops.tanh(w * h + x).named("h")
        loss = (((c * h).named("y") - target) ** 2).named("L")
    for make in VIEWS.values():
        drawing = make(loss).drawing
        assert initial(drawing) == ["h₀"]
        assert sum(box.role == "input" for box in drawing.boxes) >= 2  # x, and what y should be
        assert faults(drawing) == []


@pytest.mark.parametrize("T", [3, 7, 40])
@pytest.mark.parametrize("read", [
    lambda k, h, t: h * k if t <= 2 else h,
    lambda k, h, t: h + k if t in (1, 3) else h])
def test_what_steps_read_where_no_step_is_missing_is_a_weight(read, T):
    w, k, h = Value(0.5, name="w"), Value(0.3, name="k"), Value(0.1, name="h0")
    for t, x in enumerate(leaves(T), 1):
        with timestep(t):
            h = ops.tanh(w * read(k, h, t) + x).named("h")
    assert shared(h, T, 0) == ["k", "w"]


@pytest.mark.parametrize("name", ["h", "s", None])
def test_the_first_state_of_a_loop_that_counts_down_is_of_the_step_after(name):
    """It was called h4, beside the real one."""
    w, h = Value(0.7, name="w"), Value(0.5, name=name)
    for t in range(5, 0, -1):
        with timestep(t):
            h = ops.tanh(w * h).named("h")
    for picture, step in (draw.unrolled(h), "₆"), (draw.rolled(h), "_T+1"):
        first = [plain(box.text) for box in picture.drawing.boxes if box.role == "initial"]
        assert first == [f"{name or 'h'}{step}"]


@pytest.mark.parametrize(("lag", "T", "last"), [(3, 4, 3), (3, 9, 3), (4, 6, 4), (4, 3, 3)])
def test_all_first_states_of_one_recurrence_are_first_states(lag, T, last):
    """Those that enter neither the first step nor the last were weights, or inputs."""
    w = Value(0.5, name="w")
    hs = {-k: Value(0.1 * k, name=f"h_{-k}") for k in range(lag)}
    for t in range(1, T + 1):
        with timestep(t):
            hs[t] = ops.tanh(w * hs[t - lag]).named("h")
    loss = hs[T] + hs[T - 1] + hs[T - 2] if last == 3 else hs[T] + hs[T - 1] + hs[T - 2] + hs[T - 3]
    for picture in draw.unrolled(loss), draw.rolled(loss):
        roles = Counter(box.role for box in picture.drawing.boxes)
        assert roles["initial"] == min(lag, last)
        assert roles["input"] == 0


def test_a_first_state_is_called_so_in_its_tooltip_too():
    """It said h_1 there: that of the step which reads it."""
    for make in VIEWS.values():
        for box in make(looking_back([1, 3], 5, "h")).drawing.boxes:
            if box.role == "initial":
                assert box.title.startswith(f"{plain(box.text)}:")


@pytest.mark.parametrize(("steps", "first", "rolled"), [
    (range(4), "h_−1", "h_−1"), (range(3, -1, -1), "h₄", "h_T+1"), (range(-2, 3), "h_−3", "h_−3"),
    (range(1, 5), "h₀", "h₀")])
def test_h0_is_not_what_the_first_step_makes(steps, first, rolled):
    """In a loop from 0 on there were two different states h_0."""
    w, h = Value(0.5, name="w"), Value(0.3, name="h0")
    for t in steps:
        with timestep(t):
            h = ops.tanh(w * h).named("h")
    assert initial(draw.unrolled(h, first=5).drawing) == [first]
    assert initial(draw.rolled(h).drawing) == [rolled]


@pytest.mark.parametrize("lag", [1, 2, 3])
@pytest.mark.parametrize("T", [4, 7])
def test_a_nameless_first_state_is_none_of_the_nameless_inputs(T, lag):
    a, b, c = (Value(0.3 + 0.1 * i, name=name) for i, name in enumerate("abc"))
    xs, h = [Value(0.1 * t) for t in range(T + 1)], [Value(0.3) for _ in range(lag)]
    for t in range(1, T + 1):
        with timestep(t):
            h.append(ops.tanh(a * h[-lag] + b * xs[t] + c * xs[t - 1]).named("h"))
    root = sum(h[1 - lag:], h[-lag]) if lag > 1 else h[-1]
    said = sorted(plain(symbol("h", 1 - k)) for k in range(1, lag + 1))
    for make in VIEWS.values():
        assert initial(make(root).drawing) == said


def test_windows_that_hide_what_tells_agree():
    """Two first states were inputs h_1 and h_2 where no step in view looks back three steps."""
    root = looking_back([1, 3], 40, "h")
    for window in {"first": 2, "last": 0}, {"steps": slice(2, 3)}, {"first": 3}:
        drawing = draw.unrolled(root, **window).drawing
        assert set(initial(drawing)) <= {"h₀", "h_−1", "h_−2"}
        assert initial(drawing)
        assert not any(box.role == "input" for box in drawing.boxes)


def test_an_input_has_no_number_where_its_step_makes_that():
    """Of two steps that look back two, nothing tells a first state from an input."""
    for make in VIEWS.values():
        boxes = make(looking_back([2], 2, "h", needed=2)).drawing.boxes
        given = [plain(box.text) for box in boxes if box.role == "input"]
        assert set(given) == {"h"}


@pytest.mark.parametrize(("name", "said"), [("h", "h₂"), ("r", "r₃"), (None, "0.9")])
def test_what_is_given_in_place_of_a_state_is_no_weight(name, said):
    a, h, given = Value(0.7, name="a"), Value(0.3, name="h0"), Value(0.9, name=name)
    loss = 0
    for t in range(1, 6):
        with timestep(t):
            h = ops.tanh(a * (given if t == 3 else h)).named("h")
            loss = loss + (h * h).named("L")
    boxes = draw.unrolled(loss, first=5).drawing.boxes
    assert [plain(box.text) for box in boxes if box.role == "input"] == [said]
    assert [plain(box.text) for box in boxes if box.role.startswith("weight")] == ["a"]
