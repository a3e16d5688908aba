"""The numbers of a gradient flow: each stands at the wire that it tells of, in every direction."""

import math
from dataclasses import replace

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.draw import style
from tinygrad_rnn.draw.labels import number, plain

from . import graphs
from .faults import faults, misread, parted


def skipping(T=4):
    """A state that goes on by two ways, to the next step and to the third."""
    w, u, hs, loss = tg.Value(0.7, name="w"), tg.Value(0.3, name="u"), [tg.Value(0.1, name="h0")], 0
    for t in range(1, T + 1):
        with tg.timestep(t):
            z = w * hs[-1] + (u * hs[-3] if t > 2 else tg.Value(0.1, name="x"))
            hs.append(tg.tanh(z).named("h"))
            loss = loss + ((hs[-1] - 0.5) ** 2).named("L")
    return loss


def two_steps_back(T=5):
    """h_t = tanh(w h_{t-2}): every passage runs over a step."""
    w, hs, loss = tg.Value(0.5, name="w"), [tg.Value(0.3, name="h0")], 0
    for t in range(1, T + 1):
        with tg.timestep(t):
            hs.append(tg.tanh(w * hs[max(0, t - 2)]).named("h"))
            loss = loss + (hs[-1] ** 2).named("L")
    return loss


def states(T, W):
    h = tg.Tensor(np.ones(2), name="h0")
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(W @ h + tg.Tensor(np.full(2, 0.1 * t), name="x")).named("h")
            yield h


def gathered(T=3):
    """The loss reads all states at once, outside of time."""
    W = tg.Tensor(np.eye(2) / 2, name="W", requires_grad=True)
    return (np.stack([*states(T, W)]) ** 2).sum()


def attention(T=3, S=2):
    """A decoder that looks at all states of its encoder, and begins with the last."""
    W, V = (tg.Tensor(np.eye(2, n) / 2, name=name, requires_grad=True)
            for name, n in (("W", 2), ("V", 4)))
    with tg.scope("encoder"):
        hs = [*states(T, W)]
    H, s, loss = np.stack(hs), hs[-1], 0
    with tg.scope("decoder"):
        for t in range(1, S + 1):
            with tg.timestep(t):
                c = (tg.softmax(H @ s) @ H).named("c")
                s = tg.tanh(V @ np.concatenate([s, c])).named("s")
                loss = loss + ((s - 1) ** 2).sum()
    return loss


MODELS = {"RNN": graphs.layer, "LSTM": lambda: graphs.layer(3, kind=nn.LSTM),
          "GRU": lambda: graphs.layer(3, kind=nn.GRU), "two layers": graphs.stacked,
          "skip": skipping, "two steps back": two_steps_back, "gathered": gathered,
          "attention": attention, "long": lambda: graphs.layer(30),
          "both ways": graphs.both_ways, "fed back": graphs.written}


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("name", MODELS)
def test_every_number_of_a_wire_is_read_as_that_of_no_other(name, direction):
    drawing = draw.gradient_flow(tg.gradient_flow(MODELS[name]()), direction=direction).drawing
    assert faults(drawing) == []
    of = [label for label in drawing.labels if label.of]
    said = [plain(label.text) for label in drawing.labels if label.text[0].text.startswith("×")]
    factors = [label for label in of if label.text[0].text.startswith("×")]
    assert len(factors) == len([word for word in said if "step" not in word])
    assert {name for label in of for name in label.of} <= {
        thing.id for thing in (*drawing.lines, *drawing.boxes)}


def arriving(picture, state):
    """What stands at the wires into a state."""
    into = {line.id for line in picture.drawing.lines if line.head == state}
    return sorted(plain(label.text) for label in picture.drawing.labels
                  if set(label.of) & into and "×" not in plain(label.text))


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("name", ["skip", "two steps back", "gathered", "attention"])
def test_each_gradient_that_arrives_at_a_state_is_told(name, direction):
    flow = tg.gradient_flow(MODELS[name]())
    picture = draw.gradient_flow(flow, first=9, last=0, direction=direction)
    several = 0
    for x in [x for x in flow.incoming if x.name in ("h", "s") and x.step]:
        uses = flow.incoming.get(x)
        scope = f"{x.scope}." if x.scope else ""
        sent = [use.array() if x.is_scalar else use.norm() for use in uses]
        several += len(sent) > 1
        assert arriving(picture, f"t{x.step}.{scope}{x.name}") == \
            sorted(map(number, sent if len(sent) > 1 else []))
    assert several >= 2


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize(("level", "direction"), [("op", "right"), ("cell", "right"),
                                                  ("cell", "down")])
def test_what_comes_out_of_a_gap_is_told_at_every_level(kind, level, direction):
    flow = tg.gradient_flow(graphs.layer(12, kind=kind))
    picture = draw.gradient_flow(flow, level=level, first=2, last=2, direction=direction)
    h = next(x for x in flow.incoming if x.name == "h" and x.step == 2)
    hidden = sum(use.array() for use in flow.incoming.get(h) if use.step == 3)
    assert number(float(np.linalg.norm(hidden))) in arriving(picture, "t2.h")
    assert len(arriving(picture, "t2.h")) == 2
    assert faults(picture.drawing) == []


def test_what_one_operation_sends_by_two_wires_is_one_number():
    """h * h sends twice the same, side by side."""
    w, h, loss = tg.Value(0.5, name="w"), tg.Value(0.3, name="h0"), 0
    for t in range(1, 4):
        with tg.timestep(t):
            h = tg.tanh(w * h).named("h")
            loss = loss + (h * h).named("L")
    flow = tg.gradient_flow(loss)
    picture = draw.gradient_flow(flow)
    states = {x.step: x for x in flow.incoming if x.name == "h"}
    squared = sum(use.array() for use in flow.incoming.get(states[1]) if use.step == 1)
    assert number(squared) in arriving(picture, "t1.h")
    assert arriving(picture, "t3.h") == []  # of one operation alone it is the whole


@pytest.mark.parametrize("moved", [(40.0, 0.0), (0.0, 30.0)])
def test_a_number_that_stands_elsewhere_is_found(moved):
    drawing = draw.gradient_flow(tg.gradient_flow(skipping())).drawing
    dx, dy = moved
    labels = tuple(n._replace(x=n.x + dx, y=n.y + dy) if n.of else n for n in drawing.labels)
    assert list(misread(drawing)) == []
    found = [*misread(type(drawing)(**{**{name: getattr(drawing, name)
                                          for name in drawing.__slots__}, "labels": labels}))]
    assert any("is read as" in fault or "is not at" in fault for fault in found)


def many(cell, level):
    """The flow of a pattern in which every output is read."""
    flow = tg.gradient_flow(model("many-to-many", 3, cell).loss)
    return draw.gradient_flow(flow, level=level).drawing


@pytest.mark.parametrize("level", ["op", "cell"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_number_is_told_from_what_its_wire_does_not_join(cell, level):
    """What came from c_2's user stood at the × of h_2; the norm of c_1 and what a step gives to
    W_hy behind a wire, as their node and their dot see them."""
    drawing = many(cell, level)
    assert faults(drawing) == []
    assert list(parted(drawing)) == []
    assert any(label.bold and "∂L" in plain(label.text) for label in drawing.labels)


def test_what_arrives_by_a_second_wire_stands_near_its_head():
    drawing = many("lstm", "op")
    for t in (1, 2):
        line = next(n for n in drawing.lines if n.id == f"t{t}.c--t{t + 1}.times")
        label = next(n for n in drawing.labels
                     if n.of == (line.id,) and not plain(n.text).startswith("×"))
        assert math.dist((label.x, label.y), line.points[-1]) < 80


def test_a_number_behind_a_wire_and_one_at_an_arrow_head_are_found():
    drawing = many("rnn", "cell")
    dot = next(box for box in drawing.boxes if box.id == "W_hy.tap1")
    said = next(n for n in drawing.labels if dot.x - 20 < n.x < dot.x and 5 < dot.y - n.y < 7)
    line = next(n for n in drawing.lines if n.id == "t1.h--t1.linear")
    arrived = next(n for n in drawing.labels if n.of == (line.id,))
    x, y = line.points[-1]
    moved = {said: said._replace(x=dot.x + 17, anchor="start"),
             arrived: arrived._replace(x=x + style.head(line.width)[1] + 1, y=y - arrived.size)}
    other = replace(drawing, labels=tuple(moved.get(n, n) for n in drawing.labels))
    assert list(parted(other)) == [f"{line.id} runs between {plain(said.text)} and {dot.id}"]
    assert f"{plain(arrived.text)} touches the head of {line.id}" in list(misread(other))
