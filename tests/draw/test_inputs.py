"""Inputs that several steps read: told from weights, and drawn at the step that each belongs to."""


import numpy as np
import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.draw.inputs import parted
from tinygrad_rnn.draw.labels import plain, symbol
from tinygrad_rnn.draw.unrolled import look
from tinygrad_rnn.draw.window import Window

from . import graphs
from .faults import faults
from .test_linear import lines_run


def loop(T, read, order=None):
    """s_t = tanh(v s_{t-1} + what step t reads)."""
    v, s = Value(0.5, name="v"), Value(0.1, name="s0")
    for t in order or range(1, T + 1):
        with timestep(t):
            s = ops.tanh(v * s + read(t)).named("s")
    return s


def leaves(count, name="x"):
    return [Value(0.1 * i, name=name) for i in range(count)]


def shared(root, first=3, last=3):
    """The names of what is drawn as a weight."""
    return sorted(str(x.name) for x in look(root, Window(first, last), "a test").shared)


def lines(drawing):
    return {(line.tail, line.head) for line in drawing.lines}


def texts(drawing, start="x"):
    return [plain(box.text) for box in drawing.boxes if plain(box.text).startswith(start)]


# --- which are inputs ---------------------------------------------------------------------------


def sliced(T):
    X = Tensor(np.linspace(0.1, 1, T + 3), name="X", requires_grad=True)
    parts = [X[i] for i in range(T + 3)]
    return loop(T, lambda t: parts[t] * parts[t - 1])


INPUTS = {
    "window": graphs.window,
    "wide": lambda T: graphs.window(T, 3, ahead=3),
    "backwards": lambda T: graphs.window(T, 2, range(T, 0, -1), ahead=2),
    "numbered": lambda T: graphs.window(T, name="x{}"),
    "numbered with _": lambda T: graphs.window(T, name="x_{}"),
    "numbered in brackets": lambda T: graphs.window(T, name="x[{}]"),
    "nameless": lambda T: graphs.window(T, name=None),
    "parts of one": sliced,
    "kept": graphs.kept,
    "the name of a weight": lambda T: graphs.window(T, name="u"),
}


@pytest.mark.parametrize("T", [4, 7, 40])
@pytest.mark.parametrize("name", INPUTS)
def test_siblings_of_which_each_step_reads_others_are_inputs(name, T):
    """Whichever steps are in view."""
    for first, last in (3, 3), (1, 0), (0, 1), (1, 1), (T, 0):
        assert shared(INPUTS[name](T), first, last) in (["v"], ["w"])


def test_a_middle_step_of_three_reads_inputs_too():
    assert shared(graphs.window(3)) == ["v"]
    assert shared(graphs.kept(2)) == ["w"]


def held(T):
    xs = leaves(T)
    return loop(T, lambda t: xs[t // 2])


def test_inputs_that_last_two_steps_each_are_inputs():
    assert shared(held(20)) == ["v"]


def alternating(T):
    us = leaves(2, "u")
    return loop(T, lambda t: us[t % 2])


def all_read(T):
    xs = leaves(4)
    return loop(T, lambda t: xs[0] * xs[1] + xs[2] * xs[3])


def causal(T):
    xs = leaves(T + 1)
    return loop(T, lambda t: sum(xs[1:t], xs[t]))


def two_steps(T):
    u = Value(0.3, name="u")
    return loop(T, lambda t: u if t in (3, 4) else 0.0)


def layers(T):
    """Weights of one name, some of which the first step does not need; and inputs of their own."""
    ws, xs = leaves(3, "w"), leaves(T + 1)
    return loop(T, lambda t: ws[0] * xs[t] if t == 1 else ws[0] * xs[t] + ws[1] + ws[2])


def nameless(T):
    a, b, xs = Value(0.3), Value(0.2), [Value(0.1 * i) for i in range(T + 1)]
    return loop(T, lambda t: a * xs[t] if t == 1 else a * xs[t] + b * xs[t - 1])


def made_at_first(T):
    """Weights that the first step makes."""
    made = []

    def read(t):
        made.extend(() if made else leaves(2, "w"))
        return made[0] + made[1]

    return loop(T, read)


@pytest.mark.parametrize("T", [5, 40])
@pytest.mark.parametrize(("make", "weights"), [
    (alternating, "u u v"), (all_read, "v x x x x"), (two_steps, "u v"), (layers, "v w w w"),
    (nameless, "None None v"), (made_at_first, "v w w")])
def test_weights_stay_weights(make, weights, T):
    assert shared(make(T), T, 0) == weights.split()


def nameless_window(T, lags, ends, weighted):
    """Step t reads some inputs around x_t, each with a weight of its own or as it is; at the ends
    further ones, the last one again, or none."""
    xs, ws = [Value(0.1 * i) for i in range(T + 6)], [Value(0.2 + k) for k in range(len(lags))]

    def read(t):
        total = 0
        for w, lag in zip(ws, lags):
            i = t + lag + 3 if ends == "further" else t + lag
            if ends == "again":
                i = min(max(i, 1), T)
            if ends != "none" or 1 <= i <= T:
                total = total + (w * xs[i] if weighted else xs[i])
        return total

    return loop(T, read)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ends", ["further", "again", "none"])
@pytest.mark.parametrize("lags", [(0, -1, -2), (0, 1, 2), (2, 0, -1), (0, -1)])
def test_what_passes_through_a_window_of_a_few_steps_is_an_input(lags, ends, weighted):
    """Three of four steps may read it, as they may read a weight."""
    for T in (4, 5, 12):
        names = shared(nameless_window(T, lags, ends, weighted), T, 0)
        if (T, lags, ends, weighted) != (4, (2, 0, -1), "none", True):  # that one nobody can tell
            assert names == [*(["None"] * len(lags) if weighted else []), "v"]


def missing_first(T):
    a, b, xs = Value(0.3), Value(0.2), [Value(0.1 * i) for i in range(T + 1)]
    return loop(T, lambda t: a * xs[t] if t == 1 else b * xs[t - 1] + a * xs[t])


@pytest.mark.parametrize("make", [nameless, missing_first])
@pytest.mark.parametrize("T", [3, 4, 6])
def test_nameless_weights_that_the_first_step_does_not_need_stay_weights(make, T):
    assert shared(make(T), T, 0)[:2] == ["None", "None"]
    assert T == 3 or shared(make(T), T, 0) == ["None", "None", "v"]


def test_where_every_step_reads_all_before_it_nothing_is_an_input():
    assert shared(causal(6), 6, 0) == ["v", *"xxxxx"]


# --- how they are drawn --------------------------------------------------------------------------


def test_an_input_stands_in_the_step_where_it_comes_in():
    drawing = draw.unrolled(graphs.window(5), first=5).drawing
    assert texts(drawing) == ["x₁", "x₀", "x₂", "x₃", "x₄", "x₅"]
    assert {("t1.x", "t1.times.2"), ("t1.x", "t2.times.2")} <= lines(drawing)
    assert ("t4.x", "t5.times.2") in lines(drawing)
    assert not [line for line in drawing.lines if line.role == "carried" and ".x" in line.id]
    assert faults(drawing) == []


def test_what_was_there_before_the_first_step_is_called_so():
    assert texts(draw.unrolled(graphs.window(6, 2, ahead=2), first=6).drawing)[:4] == \
        ["x₁", "x_−1", "x₂", "x₀"]
    assert texts(draw.unrolled(graphs.window(6, 2, range(6, 0, -1), ahead=2),
                               first=6).drawing)[-2:] == ["x₈", "x₆"]


def alike(T, lags, order=None, ends=False):
    """Inputs that are all called x, of which a step reads some around its own, in that order; with
    `ends` none but those of a step."""
    xs = leaves(T + 6)

    def read(t):
        return sum(xs[t + lag + 2] for lag in lags if not ends or 1 <= t + lag <= T)

    return loop(T, read, order)


@pytest.mark.parametrize("T", [5, 8])
@pytest.mark.parametrize("lags", [(0, 1), (0, 2), (0, 1, 2), (0, -1, 1)])
def test_inputs_that_steps_look_ahead_to_begin_at_the_first_step(lags, T):
    """What a step reads first is its own; no more is told of inputs that are all called alike."""
    low, high = 1 + min(lags), T + max(lags)
    drawing = draw.unrolled(alike(T, lags), first=T).drawing
    assert sorted(texts(drawing)) == sorted(plain(symbol("x", i)) for i in range(low, high + 1))
    where = {plain(box.text): box.id for box in drawing.boxes}
    assert [where[plain(symbol("x", t))] for t in range(1, T + 1)] == \
        [f"t{t}.x" for t in range(1, T + 1)]
    none = draw.unrolled(alike(T, lags, ends=True), first=T).drawing
    assert texts(none) == [plain(symbol("x", t)) for t in range(1, T + 1)]
    assert faults(drawing) == faults(none) == []
    rolled = draw.rolled(alike(T, lags)).drawing
    assert set(texts(rolled)) <= {"x_t", "x_t−1", "x_t+1", "x_t+2"}
    assert faults(rolled) == []


def test_steps_that_run_backwards_do_not_look_ahead():
    """What comes in is x_t, whether it is read first or not."""
    for lags in (0, -1), (1, 0), (0, 1):
        drawing = draw.unrolled(alike(5, lags, range(5, 0, -1)), first=5).drawing
        assert sorted(texts(drawing)) == ["x₁", "x₂", "x₃", "x₄", "x₅", "x₆"]


@pytest.mark.parametrize("lags", [(1, 0), (2, 0), (-1, 0)])
@pytest.mark.parametrize("T", [5, 8])
def test_no_two_inputs_of_a_window_have_one_number(lags, T):
    """Where the last steps have no more to read, or the first ones nothing before."""
    for ends in (False, True):
        said = texts(draw.unrolled(alike(T, lags, ends=ends), first=T).drawing)
        assert len(said) == len(set(said))


def test_a_number_in_the_name_says_which_step_it_belongs_to():
    drawing = draw.unrolled(graphs.window(6, 2, name="x{}", ahead=2), first=6).drawing
    assert ("t3.x3", "t1.times.2") in lines(drawing)
    assert "x_t+2" in texts(draw.rolled(graphs.window(6, 2, name="x{}", ahead=2)).drawing)


@pytest.mark.parametrize(("make", "lag", "words"), [
    (lambda T: graphs.window(T), "t−1", "only t = 1"),
    (lambda T: graphs.window(T, 2, ahead=2), "t−2", "t < 3"),
    (lambda T: graphs.window(T, 2, range(T, 0, -1), ahead=2), "t+2", "t > T−2"),
    (lambda T: graphs.window(T, 2, name="x{}", ahead=2), "t+2", "t > T−2"),
    (sliced, "t−1", "only t = 1"),
    (graphs.kept, "t−1", "only t = 1"),
])
@pytest.mark.parametrize("T", [7, 300])
def test_rolled_up_its_second_use_is_a_delay(make, lag, words, T):
    drawing = draw.rolled(make(T)).drawing
    said = [plain(label.text) for label in drawing.labels]
    assert {lag, words} <= set(said)
    assert len(texts(drawing)) + len(texts(drawing, "X")) == 2
    assert sum(box.id.endswith(".delay") for box in drawing.boxes) == 2
    assert faults(drawing) == []


def test_gaps_give_and_take_inputs_in_their_row():
    drawing = draw.unrolled(graphs.window(9, 2, ahead=2), first=2, last=2).drawing
    rows = {box.id: box.y for box in drawing.boxes}
    assert (rows["gap"], rows["gap.2"]) == (rows["t1.s"], rows["t1.x"])
    assert "gap.3" not in rows


@pytest.mark.parametrize("make", [graphs.window, graphs.kept, sliced])
def test_the_gradient_of_an_input_comes_from_each_step_that_reads_it(make):
    picture = draw.gradient_flow(gradient_flow(make(5)))
    assert faults(picture.drawing) == []
    assert [line for line in picture.drawing.lines if line.head and line.tail
            and line.tail[:2] != line.head[:2] and line.role != "carried"]


@pytest.mark.parametrize("view", [
    draw.rolled, draw.unrolled, lambda root: draw.gradient_flow(gradient_flow(root))])
def test_a_long_window_costs_what_its_steps_do(view):
    def cost(T):
        root = graphs.window(T, 2, range(T, 0, -1), ahead=2)
        return lines_run(lambda: view(root).svg())

    short = cost(20)
    few, more, most = map(cost, (200, 400, 600))
    assert most - more < 1.05 * (more - few) + 200
    assert few < 3 * short


# --- names and weights -----------------------------------------------------------------------


@pytest.mark.parametrize(("name", "family", "number"), [
    ("x3", "x", 3), ("x_3", "x", 3), ("x-3", "x", 3), ("x[3]", "x", 3), ("x_-3", "x", -3),
    ("x", "x", None), ("x-", "x-", None), ("a-b", "a-b", None)])
def test_the_number_in_a_name(name, family, number):
    assert parted(name) == (family, number)


def test_a_weight_of_one_step_stays_one_beside_others_of_its_name():
    """As many weights W as steps, of which each step does something else."""
    def read(t):
        return {1: ops.tanh, 2: ops.sigmoid, 3: ops.exp}[t](weights[t])

    weights = leaves(4, "W")
    boxes = draw.unrolled(loop(3, read), first=3).drawing.boxes
    assert sum(box.role.startswith("weight") for box in boxes if plain(box.text) == "W") == 3


# --- names that have their step written into them -----------------------------------------------


def numbered(T, name="h{}", of_input="x{}"):
    """h_t = tanh(w h_{t-1} + x_t), where the program numbers what it names."""
    w, h = Value(0.5, name="w"), Value(0.1, name=name.format(0))
    for t in range(1, T + 1):
        x = Value(0.1 * t, name=of_input.format(t))
        with timestep(t):
            h = ops.tanh(w * h + x).named(name.format(t))
    return h


@pytest.mark.parametrize("name", ["h{}", "h_{}", "s_{}"])
def test_a_number_that_is_the_step_is_not_said_twice(name):
    bare = name.rstrip("{}").rstrip("_")
    plainly = draw.unrolled(numbered(7, bare, "x"), first=7).drawing
    drawing = draw.unrolled(numbered(7, name), first=7).drawing
    assert texts(drawing, "") == [text.replace(f"{bare}0", f"{bare}₀")
                                  for text in texts(plainly, "")]
    for T in (3, 7, 12):
        rolled = draw.rolled(numbered(T, name)).drawing
        assert texts(rolled) == ["x_t"]
        assert texts(rolled, bare) == [plain(symbol(name.format(0))), f"{bare}_t"]
        assert faults(rolled) == []


def test_all_steps_of_a_numbered_state_are_in_one_strip():
    titles = [[strip.title for strip in draw.gradient_flow(gradient_flow(root)).drawing.strips]
              for root in (numbered(30, "h", "x"), numbered(30))]
    assert titles[0] == titles[1]
    notes = [[plain(label.text) for label in draw.gradient_flow(gradient_flow(root)).drawing.labels]
             for root in (numbered(30, "h", "x"), numbered(30))]
    assert [said for said in notes[0] if "per step" in said] == \
        [said for said in notes[1] if "per step" in said] != []


def test_the_player_calls_a_numbered_state_as_the_picture_does():
    names = [node["name"] for node in draw.player(gradient_flow(numbered(3))).data["nodes"]]
    assert {"h₁", "h₂", "h₃"} <= set(names)


def test_numbers_that_tell_layers_apart_stay():
    """h1 and h2 at every step are two layers, though at step 1 an h1 is made."""
    w, h1, h2 = Value(0.5, name="w"), Value(0.1, name="h1"), Value(0.2, name="h2")
    for t in (1, 2, 3):
        with timestep(t):
            h1 = ops.tanh(w * h1 + 0.1 * t).named("h1")
            h2 = ops.tanh(w * h2 + h1).named("h2")
    assert texts(draw.rolled(h2).drawing, "h") == ["h₁", "h₂", "h_1,t", "h_2,t"]


# --- what a teacher tells -------------------------------------------------------------------------


def taught_layer(T):
    """Every step reads the right output of the step before."""
    network = nn.OutputFeedback(nn.RNN(3, 4, return_sequences=True), nn.Linear(4, 3, name="hy"))
    target = np.ones((T, 2, 3))
    outputs = network(target[0], target, steps=T, feedback="teacher")
    return nn.squared_error(outputs, target)


def taught_loop(T, backwards=False):
    """The same by hand: what a step reads was made in the step before."""
    right = [Value(0.05, name="y")]

    def read(t):
        right.append(Value(0.1 * t, name="y"))
        return right[-2]

    return loop(T, read, range(T, 0, -1) if backwards else None)


@pytest.mark.parametrize("make", [taught_layer, taught_loop, lambda T: taught_loop(T, True)])
def test_what_a_teacher_tells_the_last_step_is_an_input_and_no_first_state(make):
    def parts(drawing):
        return sorted((plain(box.text), box.role) for box in drawing.boxes)

    for T in (3, 7):
        root = make(T)
        for first, last in (T, 0), (1, 1), (2, 2), (1, 0), (0, 1):
            drawing = draw.unrolled(root, first=first, last=last, level="cell").drawing
            assert len([box for box in drawing.boxes if box.role == "initial"]) <= 1
            assert faults(drawing) == []
        drawing = draw.unrolled(root, first=T).drawing
        assert [box.role for box in drawing.boxes if box.dashed] == ["initial"]
    assert parts(draw.rolled(make(3)).drawing) == parts(draw.rolled(make(7)).drawing)
    assert not any("T" in plain(label.text) and "=" not in plain(label.text)
                   for label in draw.rolled(make(3)).drawing.labels)


# --- weights of a few steps, and what has no name -----------------------------------------------


def in_turn(T, which, count=4, name="w{}"):
    """h_t = tanh(w h_{t-1}), each time with one of several weights."""
    ws, h = [Value(0.5, name=name.format(i)) for i in range(count)], Value(0.9, name="h0")
    for t in range(1, T + 1):
        with timestep(t):
            h = ops.tanh(ws[which(t)] * h).named("h")
    return h


@pytest.mark.parametrize(("T", "count", "which"), [
    (8, 4, lambda t: (t - 1) // 2), (8, 4, lambda t: t % 4), (10, 5, lambda t: t % 5)])
def test_weights_that_are_taken_in_turn_stay_weights(T, count, which):
    root = in_turn(T, which, count)
    assert shared(root, T, 0) == [f"w{i}" for i in range(count)]
    h0 = next(box for box in draw.unrolled(root).drawing.boxes if box.id == "h0")
    assert (h0.role, h0.dashed) == ("initial", True)


def test_an_input_without_a_gradient_stands_at_the_step_of_its_number():
    xs = [Tensor(np.full(2, 0.1 * i), name=f"x{i}") for i in range(9)]
    W = Tensor(np.eye(2), name="W", requires_grad=True)
    h = Tensor(np.zeros(2), name="h0")
    for t in range(1, 7):
        with timestep(t):
            h = ops.tanh(ops.linear(h, W) + W[0] * xs[t] + W[1] * xs[t + 2]).named("h")
    drawing = draw.unrolled(ops.sum_(h), first=6).drawing
    assert {f"t{i}.x{i}" for i in range(1, 7)} <= {box.id for box in drawing.boxes}


@pytest.mark.parametrize("T", [3, 7])
def test_parts_of_a_sequence_that_each_step_takes_say_how_old_they_are(T):
    X = Tensor(np.ones((9, 2)), name="X", requires_grad=True)
    W = Tensor(np.eye(2), name="W", requires_grad=True)
    h = Tensor(np.zeros(2), name="h0")
    for t in range(1, T + 1):
        with timestep(t):
            h = ops.tanh(ops.linear(h, W) + X[t] * X[t - 1]).named("h")
    assert texts(draw.rolled(ops.sum_(h)).drawing, "X") == ["X[t]", "X[t−1]"]


@pytest.mark.parametrize(("step", "words"), [
    (lambda w, h, t: w * h + 0.1 * t, "+ …"), (lambda w, h, t: w * h - (0.1 * t) * w, "… ×"),
    (lambda w, h, t: w * h + Value(0.1 * t), "given"), (lambda w, h, t: w * h + 0.1, "+ 0.1")])
def test_a_number_that_is_another_at_every_step_is_not_that_of_the_first(step, words):
    w, h = Value(0.5, name="w"), Value(0.9, name="h0")
    for t in range(1, 6):
        with timestep(t):
            h = ops.tanh(step(w, h, t)).named("h")
    assert words in texts(draw.rolled(h).drawing, "")


def test_the_player_tells_inputs_of_one_name_apart():
    names = [node["name"] for node in draw.player(gradient_flow(graphs.window(3))).data["nodes"]]
    assert {"‹x₁ × x₀›", "‹x₂ × x₁›", "x₃"} <= set(names)


@pytest.mark.parametrize("T", [2, 7])
@pytest.mark.parametrize("before", [0, -3])
def test_what_was_made_before_the_first_step_stands_where_it_is_first_read(before, T):
    """At a step at which nothing is computed there is no column."""
    with timestep(before):
        right = [Value(0.05, name="y")]

    def read(t):
        right.append(Value(0.1 * t, name="y"))
        return right[-2] + right[-1]

    root = loop(T, read)
    for first, last in (T, 0), (1, 1), (0, 1):
        drawing = draw.unrolled(root, first=first, last=last).drawing
        assert faults(drawing) == []
    drawing = draw.unrolled(root, first=T).drawing
    assert len(texts(drawing, "y")) == T + 1
    assert not any(box.role.startswith("weight") for box in drawing.boxes
                   if plain(box.text).startswith("y"))
    assert faults(draw.rolled(root).drawing) == []


@pytest.mark.parametrize("offset", [-1, 1])
def test_numbers_that_several_steps_read_are_given_rolled_up(offset):
    """It showed that of one step, as if it were the same at all."""
    xs = [Value(0.1 * i) for i in range(10)]
    a, b, h = Value(0.2, name="a"), Value(0.3, name="b"), Value(0.1, name="h0")
    for t in range(1, 9):
        with timestep(t):
            h = ops.tanh(a * xs[t] + b * xs[t + offset] + h).named("h")
    words = [plain(box.text) for box in draw.rolled(h).drawing.boxes]
    end = "0" if offset < 0 else "0.9"  # the one at an end, which one step reads
    assert words.count("given") == 1
    assert [word for word in words if word[:1].isdigit()] == [end]


def test_what_some_steps_add_and_others_add_as_a_number_is_no_number():
    w, h = Value(0.3, name="w"), [Value(0.1, name="h0")]
    for t in range(1, 9):
        with timestep(t):
            late = ops.sin(h[t - 3]) if t >= 3 else 0
            h.append((ops.tanh(w * h[-1]) + late).named("h"))
    assert "+ …" in [plain(box.text) for box in draw.rolled(h[-1]).drawing.boxes]


# --- what starts an output that is read again ----------------------------------------------------


def generating(T, name, twice):
    """h_t = tanh(w h_{t-1} + u y_{t-1} [+ v y_{t-2}]), y_t = c h_t; what the first step reads in
    its place has a name of its own, or that of y, or none."""
    w, u, v, c = (Value(0.2 + 0.1 * i, name=name) for i, name in enumerate("wuvc"))
    h, ys, loss = Value(0.1, name="h0"), [Value(0.5, name=name)], 0
    for t in range(1, T + 1):
        with timestep(t):
            read = u * ys[-1] if t == 1 or not twice else u * ys[-1] + v * ys[-2]
            h = ops.tanh(w * h + read).named("h")
            ys.append((c * h).named("y"))
            loss = loss + ys[-1] * ys[-1]
    return loss


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize(("name", "unrolled", "rolled"), [
    ("x", "x₁", "x_t"), ("y", "y₀", "y_t−1"), (None, "0.5", "0.5")])
def test_what_starts_an_output_that_is_read_again_is_an_input(name, unrolled, rolled, twice):
    """Only one step reads it, or two: it was a weight, and of the name y two different ones."""
    for T in (3, 7):
        root = generating(T, name, twice)
        for view, said in ((draw.unrolled(root, first=T), unrolled), (draw.rolled(root), rolled),
                           (draw.gradient_flow(gradient_flow(root)), unrolled)):
            boxes = view.drawing.boxes
            assert [plain(box.text) for box in boxes if box.role == "input"] == [said]
            assert [plain(box.text) for box in boxes if box.role == "initial"] == ["h₀"]
            assert sum(box.role.startswith("weight") for box in boxes) == 3 + twice
            assert faults(view.drawing) == []
    drawing = draw.unrolled(generating(7, "x", twice), first=1, last=0).drawing
    assert [plain(box.text) for box in drawing.boxes if box.role == "input"] == ["x₁"]


def test_what_an_output_should_be_is_that_of_its_step():
    """The y of the step before, which a teacher tells, was called y_1 where y_1 is made."""
    a, b, c = (Value(0.3 + 0.1 * i, name=name) for i, name in enumerate("abc"))
    h, ys, loss = Value(0.2, name="h0"), leaves(5, "y"), 0
    for t in range(1, 5):
        with timestep(t):
            h = ops.tanh(a * h + b * ys[t - 1]).named("h")
            loss = loss + (((c * h).named("y") - ys[t]) ** 2).named("L")
    drawing = draw.unrolled(loss, first=4).drawing
    given = [plain(box.text) for box in drawing.boxes if box.role == "input"]
    assert sorted(given) == ["y₀", "y₁", "y₂", "y₃", "y₄"]
    assert ("t1.y.3", "t2.times.2") in lines(drawing) or ("t1.y.2", "t2.times.2") in lines(drawing)
    rolled = draw.rolled(loss).drawing
    assert [plain(box.text) for box in rolled.boxes if box.role == "input"] == ["y_t−1", "y_t"]
