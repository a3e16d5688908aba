"""What comes in from outside is wrong now and then: it is refused in plain words, or drawn as what
it is, and no text of a user's ends up as markup."""

import contextlib
import inspect
from dataclasses import replace
from html import escape

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.errors import InputError, ShapeError, TinygradRNNError

from . import graphs, pictures
from .fuzzed import TAGS, check_markup
from .test_every_option import VIEWS
from .test_text import NASTY, check_svg, tokens

NAMES = {"flow": "gradient_flow", "backward graph": "backward_graph"}


def options_of(view):
    """The options that a view has, by its signature."""
    known = inspect.signature(getattr(draw, NAMES.get(view, view))).parameters
    return [option for option, one in known.items() if one.default is not one.empty]


@pytest.mark.parametrize("view", ["drawing", "text"])
@pytest.mark.parametrize("width", [0, -1, "a", 1.5, True, np.ones(2)])
def test_a_sketch_is_at_least_one_character_wide(view, width):
    """A cut to less than nothing never came to an end."""
    picture = draw.unrolled(graphs.power(2)) if view == "drawing" else draw.text("abc", [1, 2, 3])
    with pytest.raises(InputError, match="width to be a whole number of at least 1, got"):
        picture.text(width=width)


@pytest.mark.parametrize("width", [1, 2, 5, np.int64(7)])
def test_no_line_of_a_cut_sketch_is_longer_than_asked_for(width):
    for picture in (draw.unrolled(graphs.power(2)), draw.text("abcdefghij", range(10))):
        assert max(map(len, picture.text(width).split("\n"))) <= width
        assert picture.text(width) != picture.text()


BREAKING = '"/><script>alert(1)</script>'  # ends an attribute, and an element


@pytest.mark.parametrize(("callback", "change", "says"), [
    ("edge", {"dash": BREAKING}, "lengths of dashes and gaps"),
    ("edge", {"dash": "zz"}, "lengths of dashes and gaps"),
    ("edge", {"dash": "4 3 "}, "lengths of dashes and gaps"),
    ("edge", {"dash": np.ones(2)}, "lengths of dashes and gaps"),
    ("edge", {"dash": object()}, "lengths of dashes and gaps"),
    ("edge", {"dash": None}, "lengths of dashes and gaps"),
    ("edge", {"title": np.ones(2)}, "expected title to be a text or a number"),
    ("edge", {"note": object()}, "expected note to be a text or a number"),
    ("edge", {"width": "2"}, "a width in points"),
    ("edge", {"width": np.nan}, "a width in points"),
    ("edge", {"colour": "#12_345"}, "a colour like"),
    ("edge", {"colour": "#+12345"}, "a colour like"),
    ("edge", {"role": np.ones(2)}, "expected role to be one of"),
    ("node", {"text": None}, "expected text to be a text or a number, got None"),
    ("node", {"title": ["a"]}, "expected title to be a text or a number"),
    ("node", {"dashed": np.ones(2)}, "expected dashed to be True or False"),
    ("node", {"dashed": "no"}, "expected dashed to be True or False"),
    ("node", {"fill": "#" + BREAKING}, "a colour like"),
    ("node", {"role": BREAKING}, "expected role to be one of"),
    ("node", {"role": ["state"]}, "expected role to be one of"),
    ("node", {3: "x"}, "a change of the node callback to be one of"),
])
@pytest.mark.parametrize("view", ["unrolled", "rolled", "scalar"])
def test_what_a_callback_returns_is_checked_when_it_is_returned(view, callback, change, says):
    root = graphs.power(2)
    with pytest.raises(InputError, match=says):
        getattr(draw, view)(root, **{callback: lambda node, thing: change})


def test_what_a_callback_may_return():
    picture = draw.unrolled(
        graphs.power(2), node=lambda node, box: {
            "text": 3, "note": np.float64(0.5), "title": np.array(2.0), "dashed": np.True_,
            "width": np.float32(2)},
        edge=lambda node, line: {"dash": "7 3,1.5 3", "note": "two"})
    assert {line.dash for line in picture.drawing.lines if line.arrow} == {"7 3,1.5 3"}
    assert all(box.dashed and plain(box.text) == "3" for box in picture.drawing.boxes
               if box.role == "state")
    assert "<title>2.0</title>" in picture.svg()
    assert draw.unrolled(graphs.power(2), edge=lambda node, line: {"dash": ""}).svg()


@pytest.mark.parametrize("words", NASTY, ids=range(len(NASTY)))
def test_texts_of_callbacks_are_texts_in_every_format(words):
    root = graphs.power(2)
    changed = {"node": lambda node, box: {"text": words, "title": words, "note": words},
               "edge": lambda node, line: {"title": words, "note": words}}
    for picture in (draw.unrolled(root, **changed), draw.scalar(root, **changed),
                    draw.rolled(root, **changed)):
        check_markup(picture)


def test_colours_and_dashes_are_escaped_as_well():
    """A drawing may be made by hand."""
    drawing = draw.unrolled(graphs.power(2)).drawing
    boxes = [box._replace(fill="#" + BREAKING, ink="#" + BREAKING) for box in drawing.boxes]
    lines = [line._replace(dash=BREAKING, colour="#" + BREAKING) for line in drawing.lines]
    made = draw.Picture(replace(drawing, boxes=tuple(boxes), lines=tuple(lines)))
    assert "<script" not in made.svg() + made.html()
    tokens(made.dot())


@pytest.mark.parametrize("font", [BREAKING, "a;background:url(//x.y/z)", "x}", "'open", "<b>", "",
                                  ",", "a" * 101, np.ones(2), b"x"])
def test_what_is_no_font_is_refused(font):
    with pytest.raises(InputError, match="name of a font"):
        draw.text("abc", [1, 2, 3], font=font)


@pytest.mark.parametrize("font", ["Fira Sans", "'Fira Sans', \"DejaVu Sans\", serif", "游ゴシック",
                                  "Barlow-Light"])
def test_fonts(font):
    for view in (lambda **o: draw.text("abc", [1, 2, 3], **o),
                 lambda **o: draw.scalar(graphs.power(2), **o)):
        picture = view(font=font)
        check_svg(picture, TAGS)
        assert f"{escape(font)}, Helvetica" in picture.svg()


THINGS = {
    "an array": np.ones(2), "a table": np.ones((2, 2)), "a text": "x", "no text": "", "zero": 0,
    "below zero": -1, "a half": 0.5, "NaN": np.nan, "infinite": np.inf, "complex": 1j, "None": None,
    "a truth": True, "an object": object(), "a list": ["x"], "a list of arrays": [np.ones(2)],
    "a dict": {"x": 1}, "a dict of arrays": {"state": np.ones(2)}, "a pair": (1, 2), "bytes": b"x",
    "a set": {1}, "a class": int, "a function": lambda *_: "x", "a large number": 10**30,
}



@pytest.mark.parametrize("view", [view for view in VIEWS if "," not in view])
def test_every_option_is_taken_or_refused_whatever_is_given(view):
    """With an error of the package: one of Python's or NumPy's own would speak of our insides."""
    for option in options_of(view):
        for thing in THINGS.values():
            with contextlib.suppress(TinygradRNNError):
                VIEWS[view](**{option: thing}).html()


DATA = {
    "unrolled": draw.unrolled, "rolled": draw.rolled, "gradient_flow": draw.gradient_flow,
    "backward_graph": draw.backward_graph, "scalar": draw.scalar, "player": draw.player,
    "api": draw.api, "truncated": draw.truncated, "heatmap": draw.heatmap,
    "plan": lambda x: draw.truncated(6, x), "losses": lambda x: draw.truncated(
        pictures.windows()[0], losses=x), "steps": lambda x: draw.api(nn.RNN(2, 2), x),
    "text": lambda x: draw.text(x, [1.0]), "activations": lambda x: draw.text("ab", x),
    "named activations": lambda x: draw.text("ab", {"a": x}),
    "cells": lambda x: draw.related(x, [0, 1]), "wanted": lambda x: draw.related(np.eye(2), x),
    "seed": lambda x: draw.related(np.eye(2), [0, 1], seed=x), "quotes": draw.inside_quotes,
    "nesting": draw.nesting, "brackets": lambda x: draw.nesting("()", x),
}


@pytest.mark.parametrize("view", DATA)
@pytest.mark.parametrize("thing", THINGS)
def test_data_of_any_kind_is_drawn_or_refused(view, thing):
    with contextlib.suppress(TinygradRNNError):
        DATA[view](THINGS[thing])


@pytest.mark.parametrize(("wrong", "says"), [
    (lambda: draw.text("abc", ["a", "b", "c"]), "expected activations, got list"),
    (lambda: draw.text("abc", {"one": "abc"}), "expected activations of 'one', got str"),
    (lambda: draw.text("abc", [1, 2, 3], most="x"), "expected most to be a finite number"),
    (lambda: draw.text("abc", [1, 2, 3], most=np.nan), "expected most to be a finite number"),
    (lambda: draw.text("abc", [1, 2, 3], most=10**400), "expected most to be a finite number"),
    (lambda: draw.text("abc", [1, 2, 3], most=0), "expected most above 0, got 0"),
    (lambda: draw.text("abc", [1, 2, 3], most=-1), "expected most above 0, got -1"),
    (lambda: draw.heatmap(np.eye(2), rows=5), "expected rows to be a list of words, got 5"),
    (lambda: draw.heatmap(np.eye(2), title=["a"]), "expected title to be a text or a number"),
    (lambda: draw.heatmap(np.eye(2) * 1j), "a table of numbers, got complex numbers. Choose a par"),
    (lambda: draw.heatmap([["a", "b"]]), "expected a table of numbers, got list"),
    (lambda: draw.heatmap([[1, 2], [3]]), "got rows of 1 to 2 numbers. All rows are of one length"),
    (lambda: draw.heatmap([np.ones(2), np.ones(4)]), "a table of numbers, got rows of 2 to 4"),
    (lambda: draw.related([[1.0], [1.0, 2.0]], [0, 1]), "got rows of 1 to 2 numbers"),
    (lambda: draw.backward_graph([]), "a gradient as a node, or a list of them, got an empty list"),
    (lambda: draw.backward_graph([1.0]), "a list of them, got a list with float in it. slope"),
    (lambda: draw.backward_graph("ab"), "a list of them, got str. slope = tg.grad"),
    (lambda: draw.api(nn.RNN(2, 2), 3, batch="x"), "expected batch to be a whole number"),
    (lambda: draw.api(nn.RNN(2, 2), 3, batch=0), "expected batch to be a whole number of at least"),
    (lambda: draw.scalar(graphs.neuron(), seed="a"), "expected a seed of numbers, got str"),
    (lambda: draw.scalar(graphs.neuron(), seed=np.ones(2)), r"a seed of shape \(\), got \(2,\)"),
    (lambda: draw.scalar(pictures.opened(), seed="a"), "expected a seed of numbers, got str"),
    (lambda: draw.truncated(pictures.windows()[0], losses=[np.nan, "x", 1]), "losses as numbers"),
    (lambda: draw.truncated(pictures.windows()[0], losses=5), r"3 losses, .* got shape \(\)"),
    (lambda: draw.related("a", 5), "expected activations, got str"),
    (lambda: draw.related(np.eye(2), [0, 1], seed="a"), "expected seed to be a whole number"),
    (lambda: draw.related(np.ones((3, 0)), [0, 1, 2]), r"expected activations \(T, K\)"),
    (lambda: draw.text("abc", {}), "expected the activations of a cell, got none"),
    (lambda: draw.text("abc", np.ones((3, 0))), "expected the activations of a cell, got none"),
    (lambda: draw.text("ab", [1, 2]).ansi(np.ones(2)), "expected colours to be 16,777,216 or 256"),
    (lambda: draw.inside_quotes("abc", np.ones(2)), "expected a text, got ndarray"),
    (lambda: draw.inside_quotes("abc", "''"), "expected quote to be one character"),
    (lambda: draw.unrolled(graphs.seq2seq(2), collapse=""), "expected names of scopes"),
    (lambda: draw.truncated(pictures.windows()[0], k1=2), "k1 and k2 are those of a plan"),
    (lambda: draw.player(gradient_flow(graphs.power(2)), last=np.ones(2)), "expected last to be"),
    (lambda: draw.rolled(graphs.power(2), unrolled="no"), "unrolled to be True or False"),
    (lambda: draw.unrolled(graphs.power(2), theme=np.ones(2)), "theme to be one of light, dark"),
])
def test_what_is_expected_is_said(wrong, says):
    with pytest.raises(TinygradRNNError, match=says):
        wrong()


def test_a_loss_that_is_no_number_is_drawn_as_what_it_is():
    windows = pictures.windows()[0]
    picture = draw.truncated(windows, losses=[np.nan, np.inf, 1.0])
    assert any("NaN" in plain(label.text) for label in picture.drawing.labels)


@pytest.mark.parametrize("data", [np.eye(2), [1.0, 2.0], pictures.ledgers(), np.ones((2, 1, 3))])
@pytest.mark.parametrize("sample", [1, 7, -1, "a", 0.0, True, None, np.zeros(2)])
def test_what_has_one_sample_has_no_other(data, sample):
    with pytest.raises(InputError, match="expected sample to be 0, for there is one"):
        draw.heatmap(data, sample=sample)


def test_a_sample_may_be_an_integer_of_any_kind():
    table = np.arange(24.0).reshape(3, 2, 4)
    assert draw.heatmap(table, sample=np.int64(1)).svg() == draw.heatmap(table, sample=1).svg()
    with pytest.raises(ShapeError, match=r"got shape \(0, 2, 3\)"):
        draw.heatmap(np.zeros((0, 2, 3)))


CHAINS = {  # what fits, or looks as if it did not, and what does not
    "a head": [nn.RNN(2, 3), nn.Linear(3, 4)],
    "above a sequence": [nn.RNN(2, 3, return_sequences=True), nn.GRU(3, 4), nn.LayerNorm(4)],
    "functions": [nn.RNN(2, 3), tg.tanh, lambda x: x[:, :2], nn.Linear(2, 3)],
    "a function of the last step": [nn.RNN(2, 3), lambda x: x[None], nn.RNN(3, 2)],
    "classes": [nn.Embedding(9, 4), nn.LSTM(4, 3, return_sequences=True), nn.Dropout(0.1),
                nn.Linear(3, 9)],
    "both directions": [nn.Bidirectional(nn.RNN(2, 3)), nn.Linear(6, 1)],
    "a flat MLP": [nn.Linear(2, 3), nn.MLP([12, 3], flatten=True)],
    "cells": [nn.LSTMCell(2, 3), nn.GRUCell(3, 4)],
}


@pytest.mark.parametrize("name", CHAINS)
def test_what_fits_is_drawn(name):
    assert draw.api(CHAINS[name], 3).drawing.boxes


@pytest.mark.parametrize(("chain", "says"), [
    ([nn.RNN(2, 2), nn.Linear(7, 2)], "Linear, which reads 7 numbers, after RNN, which gives 2"),
    ([nn.RNN(2, 2), nn.Dropout(0.1), nn.Linear(7, 2)], "Linear, which reads 7 numbers, after Drop"),
    ([nn.Linear(2, 2), nn.Sequential(nn.LayerNorm(3))], "LayerNorm, which reads 3 numbers"),
    ([nn.Bidirectional(nn.RNN(2, 3)), nn.Linear(3, 1)], "after Bidirectional, which gives 6"),
    ([nn.RNN(2, 2), nn.RNN(2, 2)], "but RNN returns only its last step. Set return_sequences"),
    ([nn.RNN(2, 2), nn.Linear(2, 2), nn.GRUCell(2, 2)], "but Linear returns only its last step"),
])
def test_a_chain_that_could_not_run_is_not_drawn(chain, says):
    with pytest.raises(ShapeError, match=says):
        draw.api(chain)


@pytest.mark.parametrize("model", [nn.RNN, [nn.RNN(2, 2), nn.Linear], nn.LSTMCell, int])
def test_a_class_is_no_layer(model):
    with pytest.raises(InputError, match=r"got the class .* Make one of it: "):
        draw.api(model)


@pytest.mark.parametrize("both", [{"first": 2}, {"last": 0}, {"first": 3, "last": 3}])
@pytest.mark.parametrize("view", ["unrolled", "flow"])
def test_which_steps_are_drawn_is_said_once(view, both):
    with pytest.raises(InputError, match="steps= says which steps are drawn, and so does"):
        VIEWS[view](steps=slice(2, 4), **both)
    with pytest.raises(InputError, match="and so does first="):
        draw.unrolled(graphs.power(5), 2, steps=slice(2, 4))


@pytest.mark.parametrize(("steps", "shown"), [
    (slice(1, 4, 2), ["t = 1", "t = 2", "t = 3", "t = 4 … 10"]),
    (slice(1, 9, 4), ["t = 1", "t = 2 … 4", "t = 5", "t = 6 … 10"])])
def test_every_so_many_steps(steps, shown):
    """A gap of one step would be as wide as the step."""
    titles = [plain(x.text) for x in draw.unrolled(graphs.power(10), steps=steps).drawing.labels]
    assert [title for title in titles if title.startswith("t = ")] == shown


@pytest.mark.parametrize("windows", [6, True])
def test_a_plan_has_no_losses(windows):
    with pytest.raises(InputError, match="losses belong to windows in a list"):
        draw.truncated(windows, k1=2, losses=[1.0])


@pytest.mark.parametrize(("data", "says"), [
    ({}, "expected a table of numbers, got an empty dict"), (None, "of numbers, got NoneType"),
    ([None], "expected a table of numbers, got list"), ([], r"got shape \(0,\)"),
    ({"a": 1}, "expected a table of numbers, got dict"), (3.0, r"got shape \(\)"),
    ([[1, 2], [3]], "expected a table of numbers, got rows of 1 to 2 numbers")])
def test_what_is_no_table_is_named(data, says):
    with pytest.raises(TinygradRNNError, match=says):
        draw.heatmap(data)


def test_what_is_very_long_is_not_echoed_whole():
    with pytest.raises(InputError) as error:
        draw.heatmap([[1.0]], scale="s" * 100_000)
    assert len(str(error.value)) < 1_200
    assert "expected scale to be one of auto, signed, sizes, got 'sss" in str(error.value)
    assert "sss'" in str(error.value)
