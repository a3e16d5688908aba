"""What the drawing functions may be told, and what they say when it cannot be."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.draw.window import Window
from tinygrad_rnn.errors import InputError

from . import graphs
from .faults import faults

MODELS = {
    "RNN": graphs.layer,
    "LSTM": lambda: graphs.layer(3, kind=nn.LSTM),
    "long": lambda: graphs.layer(30),
    "stacked": graphs.deep,
    "both ways": graphs.both_ways,
    "encoder, decoder": lambda: graphs.seq2seq(context="both"),
    "fed back": graphs.written,
    "padded": graphs.padded,
    "scalars": graphs.scalar_rnn,
}


def texts(picture):
    return [plain(box.text) for box in picture.drawing.boxes if box.text]


def said(picture):
    return [plain(label.text) for label in picture.drawing.labels]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("level", ["cell", "layer"])
def test_levels_have_a_place_for_everything(name, level):
    assert faults(draw.unrolled(MODELS[name](), level=level).drawing) == []


def test_at_cell_level_a_step_is_one_box():
    found = texts(draw.unrolled(graphs.layer(3, kind=nn.LSTM), level="cell"))
    assert found.count("LSTM") == 3
    assert {"x₁", "h₁", "c₁", "y₁", "linear"} <= set(found)
    assert not {"tanh", "σ", "f₁"} & set(found)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_no_line_runs_from_a_state_back_into_its_own_cell(kind):
    lines = draw.unrolled(graphs.layer(3, kind=kind), level="cell").drawing.lines
    ends = {(line.tail, line.head) for line in lines}
    assert len(ends) > 12
    assert not {(a, b) for a, b in ends if (b, a) in ends}


def lines_between(picture):
    """The words at both ends of every line."""
    words = {box.id: plain(box.text) for box in picture.drawing.boxes}
    return {(words.get(line.tail), words.get(line.head)) for line in picture.drawing.lines}


@pytest.mark.parametrize("level", ["cell", "layer"])
def test_a_head_without_a_name_is_a_box_of_its_own(level):
    outputs = nn.RNN(4, 3, seed=0, return_sequences=True)(graphs.sequence(3, 4))
    loss = nn.squared_error(nn.Linear(3, 2, seed=1)(outputs), graphs.sequence(3, 2))
    ends = lines_between(draw.unrolled(loss, level=level))
    assert ("linear", "squared error") in ends
    assert {tail for tail, head in ends if head == "squared error"} == {"linear"}


def test_an_output_without_a_name_is_fed_back_from_the_head_and_not_from_the_loss():
    model = nn.EncoderDecoder(nn.GRU(4, 3, seed=0), nn.GRU(2, 5, seed=1), context="state",
                              head=nn.Linear(5, 2, seed=3), seed=2)
    loss = nn.squared_error(model(graphs.sequence(2, 4), steps=3), graphs.sequence(3, 2))
    picture = draw.unrolled(loss, level="cell")
    ends = lines_between(picture)
    assert ("linear", "GRU") in ends
    assert ("squared error", "GRU") not in ends
    assert faults(picture.drawing) == []


def test_layers_without_a_name_on_the_last_state_are_a_box_each():
    last = nn.RNN(4, 3, seed=0)(graphs.sequence(3, 4))
    hidden = tg.tanh(nn.Linear(3, 5, seed=1)(last))
    loss = nn.squared_error(nn.Linear(5, 2, seed=2)(hidden), np.ones((2, 2)))
    picture = draw.unrolled(loss, level="cell")
    assert {("linear", "tanh"), ("tanh", "linear"), ("linear", "squared error")} <= \
        lines_between(picture)
    assert faults(picture.drawing) == []


def test_at_layer_level_sequences_run_between_layers():
    picture = draw.unrolled(graphs.deep(4), level="layer")
    assert not picture.drawing.frames
    assert {"RNN  layer 0", "RNN  layer 1", "x₁ … x₄", "y₁ … y₄"} <= set(texts(picture))


def test_at_layer_level_a_sequence_is_told_of_whole():
    words = said(draw.unrolled(graphs.layer(30), level="layer", show=["names", "shapes"]))
    assert "30 × (2 × 5)" in words  # not of the steps that another level would have in view
    few = draw.unrolled(graphs.layer(30), level="layer", show=["shapes"], steps=slice(3, 5))
    assert "2 × (2 × 5)" in said(few)


def test_a_scope_can_be_collapsed():
    picture = draw.unrolled(graphs.seq2seq(), collapse=["encoder"])
    found = texts(picture)
    assert found.count("encoder") == 3
    assert found.count("tanh") == 3  # the decoder's
    assert faults(picture.drawing) == []
    with pytest.raises(InputError, match=r"no scope 'middle'.*encoder"):
        draw.unrolled(graphs.seq2seq(), collapse="middle")


def test_a_scope_of_a_graph_without_steps_can_be_collapsed():
    w, x = tg.Value(0.5, name="w"), tg.Value(2.0, name="x")
    with tg.scope("part"):
        a = tg.tanh(w * x)
        b = (a * w).named("b")
    y = tg.exp(b + x).named("y")
    picture = draw.unrolled(y, collapse="part")
    assert sorted(texts(picture)) == ["+", "exp", "part", "w", "x", "y"]
    assert faults(picture.drawing) == []
    with tg.scope("part"):
        z = y * a  # what comes out goes in again
    with pytest.raises(InputError, match="collapse: part cannot be one box"):
        draw.unrolled(z, collapse="part")


def test_a_slice_of_steps():
    picture = draw.unrolled(graphs.vanilla(30), steps=slice(10, 13))
    frames = [box.id for box in picture.drawing.frames]
    assert frames == ["gap.frame", "t10.frame", "t11.frame", "t12.frame", "gap13.frame"]
    assert faults(picture.drawing) == []
    with pytest.raises(InputError, match="no step is in view of the 30"):
        draw.unrolled(graphs.vanilla(30), steps=slice(50, 60))


def test_what_stands_beside_things():
    root = graphs.layer(2)
    root.backward()
    words = said(draw.unrolled(root, show=["names", "shapes", "parameters", "gradients"]))
    assert any("3 × 3" in w and "9 parameters" in w and "‖∂‖ = " in w for w in words)
    assert any(w == "2 × 3" for w in words)
    scalars = draw.unrolled(graphs.scalar_rnn(2), show=["names", "values"])
    assert faults(scalars.drawing) == []
    assert "0.5" in said(scalars)
    bare = texts(draw.unrolled(root, show=[]))
    assert not {"h₁", "x₁"} & set(bare)


def test_the_looks():
    root = graphs.layer(2)
    plain_svg = draw.unrolled(root, theme="light").svg()
    own = draw.unrolled(root, palette={"state": "#00ff00"}, font="Fira Sans", size=2).svg()
    assert 'fill="#00ff00"' in own
    assert "Fira Sans, Helvetica" in own
    width = [float(svg.split('width="')[1].split('"')[0]) for svg in (plain_svg, own)]
    assert width[1] == pytest.approx(2 * width[0])


def test_print_is_grey():
    for picture in (draw.unrolled(graphs.layer(2), theme="print"),):
        colours = {part[:6] for part in picture.svg().split('="#')[1:]}
        assert all(c[:2] == c[2:4] == c[4:6] for c in colours), colours
        colours = {part[:6] for part in picture.dot().split('"#')[1:]}
        assert all(c[:2] == c[2:4] == c[4:6] for c in colours), colours


def test_callbacks_change_things():
    picture = draw.unrolled(
        graphs.power(3),
        node=lambda node, box: {"fill": "#ff0000", "text": "!"} if box["role"] == "state" else None,
        edge=lambda node, line: {"width": 7} if line["kind"] == "carried" else None)
    states = [box for box in picture.drawing.boxes if box.role == "state"]
    assert {(box.fill, plain(box.text)) for box in states} == {("#ff0000", "!")}
    assert sum(line.width == 7 for line in picture.drawing.lines) == 3


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("name", ["layer", "used twice", "prepared"])
def test_notes_of_callbacks_stand_at_weights_and_at_their_uses(name, direction):
    root, seen = graphs.GRAPHS[name](), []
    picture = draw.unrolled(
        root, direction=direction,
        node=lambda node, box: {"note": "a weight"} if box["role"].startswith("weight") else None,
        edge=lambda node, line: seen.append(line["kind"]) or (
            {"note": "a use"} if line["kind"] == "tap" else None))
    words = [plain(label.text) for label in picture.drawing.labels]
    weights = [box for box in picture.drawing.boxes if box.role.startswith("weight")]
    assert words.count("a weight") == len(weights) > 0
    assert sum(word.count("a use") for word in words) == seen.count("tap") > 0
    assert faults(picture.drawing) == []


@pytest.mark.parametrize(("name", "where"), [("node", "'h_1' at step 1"), ("edge", "→")])
def test_a_callback_that_fails_says_which_and_where(name, where):
    """Its own error is the cause: somebody has to find the line."""
    def fail(node, thing):
        return thing["nothing"] if thing["role"] in ("state", "carried") else None

    with pytest.raises(InputError, match=f"the {name} callback failed at .*{where}") as found:
        draw.unrolled(graphs.power(3), **{name: fail})
    assert isinstance(found.value.__cause__, KeyError)
    assert "draw.unrolled()" in str(found.value)


def test_a_callback_has_the_users_own_floating_point_settings():
    """The views ignore NumPy's warnings, since Inf and NaN are drawn; what a user computes is the
    user's."""
    before, seen = np.geterr(), []

    def look(node, thing):
        seen.append(np.geterr())

    with np.errstate(divide="raise", under="print"):
        draw.unrolled(graphs.power(2), node=look, edge=look)
    assert {tuple(s.items()) for s in seen} == {
        tuple({**before, "divide": "raise", "under": "print"}.items())}
    assert np.geterr() == before


def test_a_callback_sees_the_sum_at_a_weight_and_may_replace_it():
    sums = []
    draw.gradient_flow(gradient_flow(graphs.power(3)),
                       node=lambda node, box: sums.append(box["note"]) if box["id"] == "w" else {})
    assert sums == ["∂h₃/∂w = 0.108"]


@pytest.mark.parametrize(("wrong", "words"), [
    ({"level": "cells"}, "one of op, cell, layer"),
    ({"show": ["size"]}, "one of names, shapes"),
    ({"steps": 3}, "a slice"),
    ({"steps": slice(1, 9, -1)}, "goes forward"),
    ({"steps": slice("a", None)}, "whole numbers"),
    ({"palette": {"stat": "#000000"}}, "a role in palette"),
    ({"palette": {"state": "red"}}, "a colour like"),
    ({"font": 3}, "name of a font"),
    ({"size": 0}, "a factor above 0"),
    ({"size": 101}, "at most 100"),
    ({"node": "red"}, "expected node to be a function"),
    ({"node": lambda node, box: 3}, "a dict of changes"),
    ({"node": lambda node, box: {"color": "#000000"}}, "one of text, title"),
    ({"edge": lambda node, line: {"colour": "blue"}}, "a colour like"),
    ({"edge": lambda node, line: {"width": -1}}, "a width in points"),
    ({"collapse": [3]}, "names of scopes"),
    ({"collapse": None}, "collapse to be a list of words"),
    ({"show": 3}, "show to be a list of words"),
    ({"palette": ["#ff0000"]}, "a dict of colours by role, got list"),
    ({"theme": "blue"}, "light, dark, print, auto"),
])
def test_wrong_options_are_refused(wrong, words):
    with pytest.raises(InputError, match=words):
        draw.unrolled(graphs.power(3), **wrong)


def views(root, **chosen):
    """Every view that takes these options."""
    return [draw.unrolled(root, **chosen), draw.rolled(root, **chosen),
            draw.rolled(root, unrolled=True, **chosen),
            draw.gradient_flow(gradient_flow(root), **chosen)]


def test_looks_and_callbacks_are_the_same_in_every_view():
    root = graphs.layer(3)
    for picture in views(root, palette={"input": "#00ff00"}, font="Fira Sans", size=2):
        assert 'fill="#00ff00"' in picture.svg()
        assert "Fira Sans, Helvetica" in picture.svg()
        assert picture.drawing.size == 2
    for picture in views(root, node=lambda node, box: {"text": "!"} if box["role"] == "op" else
                         None, edge=lambda node, line: {"title": "?"}):
        assert {plain(b.text) for b in picture.drawing.boxes if b.role == "op"} == {"!"}
        assert "<title>?</title>" in picture.svg()


@pytest.mark.parametrize(("steps", "shown"), [
    (slice(-2, None), [9, 10]), (slice(None, -7), [1, 2, 3]), (slice(2, -6), [2, 3, 4]),
    (slice(-99, 3), [1, 2]), (slice(-4, None, 2), [7, 9])])
def test_a_slice_counts_from_the_end_below_0(steps, shown):
    assert Window(steps=steps).shown([*range(1, 11)]) == set(shown)


def test_steps_below_0_are_meant_where_there_are_such():
    assert Window(steps=slice(-2, 0)).shown([*range(-5, 3)]) == {-2, -1}


@pytest.mark.parametrize("wrong", [
    lambda: draw.inside_quotes(3), lambda: draw.nesting(None), lambda: draw.nesting("()", "("),
    lambda: draw.nesting("()", 3)])
def test_what_is_no_text_has_no_quotes_or_brackets(wrong):
    with pytest.raises(InputError, match=r"expected (a text|two brackets), got"):
        wrong()


def test_only_what_could_have_gradients_is_told_of_them():
    with pytest.raises(InputError) as seen:
        draw.gradient_flow(3)
    assert "got int. Send the gradient back first" in str(seen.value)


def test_a_slice_of_a_flow():
    flow = gradient_flow(graphs.vanilla(30))
    picture = draw.gradient_flow(flow, steps=slice(10, 13))
    frames = [box.id for box in picture.drawing.frames]
    assert frames == ["gap.frame", "t10.frame", "t11.frame", "t12.frame", "gap13.frame"]
    assert faults(picture.drawing) == []


@pytest.mark.parametrize("name", [name for name in MODELS if name != "long"])
def test_rolled_at_cell_level_has_a_place_for_everything(name):
    picture = draw.rolled(MODELS[name](), level="cell", show=["names", "shapes", "parameters"])
    assert faults(picture.drawing) == []
    assert any(box.role == "cell" for box in picture.drawing.boxes)


@pytest.mark.parametrize("wrong", [{"level": "layer"}, {"show": ["values"]}])
def test_what_is_not_the_same_at_every_step_is_not_shown_rolled(wrong):
    with pytest.raises(InputError, match="expected"):
        draw.rolled(graphs.power(3), **wrong)
