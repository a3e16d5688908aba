"""The graph of a gradient through steps: a column for each step, backward rows above forward ones,
and time running back in them."""

from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.draw.labels import plain, width
from tinygrad_rnn.draw.noting import distance, note_rect
from tinygrad_rnn.draw.returning import described, scene_on_grid

from .faults import faults
from .test_more_views import curved, words


def slope_of(T, kind=nn.RNN):
    """dL/dW_hh of a small layer, with the graph."""
    layer = kind(2, 3, seed=0)
    loss = (layer(np.random.default_rng(0).normal(size=(T, 1, 2))) ** 2).sum()
    return tg.grad(loss, layer.cell.W_hh, create_graph=True)


def inner(slope):
    """What is computed, but for the running sum over the steps, which is drawn as a rail."""
    return [n for n in tg.nodes(slope) if not n.is_leaf
            and not (n.op.name == "+" and n.phase == "backward")]


def places(drawing):
    """Boxes by the number of the frame that they stand in."""
    return {box.id: i for i, frame in enumerate(drawing.frames) for box in drawing.boxes
            if frame.sides[0] < box.x < frame.sides[2] and frame.sides[1] < box.y < frame.sides[3]}


@pytest.mark.parametrize(("name", "steps"), [
    ("many-to-one", 3), ("many-to-one", 40), ("bidirectional", 3), ("encoder-decoder", 9)])
def test_everything_has_its_own_place(name, steps):
    assert faults(draw.backward_graph(curved(name, steps)).drawing) == []


@pytest.mark.parametrize("direction", ["right", "down"])
def test_those_of_a_layer_too(direction):
    for show in [("names",), ("names", "shapes", "values")]:
        picture = draw.backward_graph(slope_of(3), show=show, direction=direction)
        assert faults(picture.drawing) == []


def test_an_lstm_is_no_wider_than_a_page_can_hold():
    drawing = draw.backward_graph(slope_of(2, nn.LSTM), show=("names",)).drawing
    assert faults(drawing) == []
    assert drawing.width < 2400  # it was 4,610 by 1,650
    assert drawing.height < 1300


@pytest.mark.parametrize("steps", [True, False])
def test_what_arrives_at_the_result_is_of_the_backward_pass_and_not_a_value_that_it_needs(steps):
    """The gradient of the result by itself, 1."""
    w, h = tg.Value(0.2, name="w"), tg.Value(0.9, name="x0")
    for t in range(1, 4):
        with tg.timestep(t) if steps else nullcontext():
            h = (w * h).named("h")
    drawing = draw.backward_graph(tg.grad(h, w, create_graph=True)).drawing
    one = next(box for box in drawing.boxes if plain(box.text) == "1")
    sent = [line for line in drawing.lines if line.tail == one.id]
    assert (one.role, one.title) == ("backward", "backward: 1, 1")
    assert {(line.role, line.dash) for line in sent} == {("gradient", "")}
    assert faults(drawing) == []


def test_backward_operations_stand_in_the_column_of_their_step():
    slope = slope_of(3)
    drawing = draw.backward_graph(slope).drawing
    place = places(drawing)
    assert len(drawing.frames) == 3
    inside = [n for n in inner(slope) if n.phase == "backward"]
    red = [b for b in drawing.boxes if b.role == "backward" and b.id in place and b.text]
    assert [sum(place[b.id] == t - 1 for b in red) for t in (1, 2, 3)] == \
        [sum(n.step == t for n in inside) for t in (1, 2, 3)]


def test_backward_rows_are_above_and_run_back():
    drawing = draw.backward_graph(slope_of(4)).drawing
    box, place = {b.id: b for b in drawing.boxes}, places(drawing)
    for i in range(4):
        own = [b for b in drawing.boxes if place.get(b.id) == i and b.title]
        assert max(b.y for b in own if b.role == "backward") < \
            min(b.y for b in own if b.role != "backward")
    between = [line for line in drawing.lines if line.role == "gradient"
               and place.get(line.tail, 9) != place.get(line.head, 9)
               and line.tail in place and line.head in place]
    assert len(between) == 3
    assert all(place[line.tail] == place[line.head] + 1 for line in between)
    assert all(box[line.tail].x > box[line.head].x for line in between)


def test_what_the_backward_pass_needs_is_dashed_and_nothing_else():
    drawing = draw.backward_graph(slope_of(3)).drawing
    red = {box.id for box in drawing.boxes if box.role == "backward"}
    for line in drawing.lines:
        if line.id.endswith(".rail"):
            continue
        needed = line.head in red and line.tail not in red
        assert bool(line.dash) == needed, line.id


def test_every_use_of_what_is_computed_is_a_wire():
    slope = slope_of(3)
    drawing = draw.backward_graph(slope).drawing
    wanted = Counter(f"{described(x)} is needed by {described(n)}" for n in inner(slope)
                     for x in n.operands if isinstance(x, tg.Node) and not x.is_leaf)
    assert len(wanted) > 15
    assert not wanted - Counter(line.title for line in drawing.lines)


def test_the_sum_over_the_steps_is_the_gradient():
    drawing = draw.backward_graph(slope_of(3)).drawing
    total = next(box for box in drawing.boxes if plain(box.text) == "gradient = Σ")
    assert total.role == "backward"
    assert sum(line.head is not None and line.head.startswith(f"{total.id}.term")
               for line in drawing.lines) == 3


def test_of_many_steps_the_first_and_the_last_two_are_drawn():
    picture = draw.backward_graph(curved("many-to-one", 40))
    said = words(picture)
    assert "T = 40 steps, of which 2 to 38 are not drawn" in said
    assert len(picture.drawing.frames) == 4
    assert len(draw.backward_graph(curved("many-to-one", 40), 2, 2).drawing.frames) == 5


def test_two_thousand_steps_are_no_trouble():
    slope = slope_of(2_000)
    assert len(draw.backward_graph(slope).drawing.boxes) < 80


def test_norms_stand_where_a_gradient_goes_on():
    """At what goes back to the step before, and at what a step gives to the sum."""
    slope = slope_of(3)
    said = [plain(label.text) for label in draw.backward_graph(slope).drawing.labels]
    given = [n for n in tg.nodes(slope) if n.op.name in ("⊗", "outer")]
    assert len(given) == 3
    for node in given:
        assert any(word == f"‖·‖ = {np.linalg.norm(node.value):.3g}" for word in said), said


def test_what_is_needed_again_is_no_state():
    """Else the backward rows would begin where h_t comes in, and not where a gradient does."""
    wires = scene_on_grid(slope_of(4), 4, 0, {"names"}).wires
    across = [w for w in wires if w.head.backward and not w.tail.backward
              and None not in (w.head.when, w.tail.when) and w.tail.when != w.head.when]
    states = [w for w in wires if w.kind == "carried" and w.head.backward]
    assert {w.kind for w in across} == {"needed"}
    assert len(states) == 3
    assert all(w.tail.backward for w in states)


def coupled(T):
    """Two states of numbers: c_t of its own, and h_t of both of the states before it."""
    w, u = tg.Value(0.7, name="w"), tg.Value(-0.4, name="u")
    c, h, loss = tg.Value(0.2, name="c0"), [tg.Value(0.5, name="h0")], None
    for t in range(1, T + 1):
        with tg.timestep(t):
            c = (c * w + tg.Value(0.1 * t, name="x") * u).named("c")
            h.append(tg.tanh(w * h[-1] + u * h[max(0, t - 2)] + c).named("h"))
            if t % 2 == 0:
                cost = (h[-1] ** 2).named("L")
                loss = cost if loss is None else loss + cost
    return loss, w


@pytest.mark.parametrize("T", [2, 3, 4])
def test_in_a_crowd_a_number_is_nearer_to_its_own_box_than_to_others(T):
    drawing = draw.backward_graph(tg.grad(*coupled(T), create_graph=True)).drawing
    boxes = [box for box in drawing.boxes if box.title.count(",") == 1 and box.id.startswith("t")]
    numbers = [x for x in drawing.labels if x.bold and plain(x.text).lstrip("−")[:1].isdigit()]
    assert len(numbers) > 8
    for number in numbers:
        reach = note_rect(((number.x, number.y), number.anchor), width(number.text, number.size))
        nearest = min(boxes, key=lambda box: distance(box.sides, reach))
        assert nearest.title.endswith(f", {plain(number.text)}"), plain(number.text)
