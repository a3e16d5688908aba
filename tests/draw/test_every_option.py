"""Every view with every option: it changes the picture, or it is refused in plain words. An option
that is taken and does nothing would be a promise that is not kept."""

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.errors import InputError, UnsupportedError

from . import graphs, pictures


def long():
    """Eight steps, with gradients in .grad."""
    root = graphs.layer(8)
    root.backward()
    return root


def timeless():
    """A graph without steps, part of it in a scope."""
    w, x = tg.Value(0.5, name="w"), tg.Value(2.0, name="x")
    with tg.scope("part"):
        a = tg.tanh(w * x).named("a")
    y = (a * w + x).named("y")
    y.backward()
    return y


def scoped():
    """Steps with a scope that can be collapsed."""
    root = graphs.seq2seq(3)
    root.backward()
    return root


VIEWS = {
    "unrolled": lambda **o: draw.unrolled(long(), **o),
    "unrolled, no steps": lambda **o: draw.unrolled(timeless(), **o),
    "unrolled, scopes": lambda **o: draw.unrolled(scoped(), **o),
    "rolled": lambda **o: draw.rolled(long(), **o),
    "rolled, scopes": lambda **o: draw.rolled(scoped(), **o),
    "rolled, beside": lambda **o: draw.rolled(long(), unrolled=True, **o),
    "flow": lambda **o: draw.gradient_flow(tg.gradient_flow(long()), **o),
    "flow, scopes": lambda **o: draw.gradient_flow(tg.gradient_flow(scoped()), **o),
    "flow, no steps": lambda **o: draw.gradient_flow(tg.gradient_flow(timeless()), **o),
    "backward graph": lambda **o: draw.backward_graph(slope(), **o),
    "scalar": lambda **o: draw.scalar(timeless(), **o),
    "api": lambda **o: draw.api(nn.RNN(2, 3, seed=0), **{"steps": 3, **o}),
    "truncated": lambda **o: draw.truncated(7, **{"k1": 3, **o}),
    "heatmap": lambda **o: draw.heatmap(pictures.wave(3, 4), **o),
    "text": lambda **o: draw.text("to be", np.arange(5) - 2.0, **o),
    "player": lambda **o: draw.player(tg.gradient_flow(graphs.power(3)), **o),
}
EVERYTHING = ("names", "shapes", "values", "gradients", "parameters")
OPTIONS = {
    **{f"with {name}": {"show": ["names", name]} for name in EVERYTHING[1:]},
    "names only": {"show": ["names"]}, "without names": {"show": []},
    "all of it": {"show": EVERYTHING},
    "first": {"first": 1}, "last": {"last": 1}, "steps": {"steps": slice(2, 4)},
    "cells": {"level": "cell"}, "layers": {"level": "layer"},
    "collapse": {"collapse": ["encoder"]}, "collapse a part": {"collapse": "part"},
    "down": {"direction": "down"}, "layout": {"layout": "graphviz"},
    "dark": {"theme": "dark"}, "print": {"theme": "print"}, "light": {"theme": "light"},
    "font": {"font": "Fira Sans"}, "size": {"size": 2},
    "a callback for nodes": {"node": lambda node, box: {"fill": "#123456"}},
    "a callback for edges": {"edge": lambda node, line: {"colour": "#123456"}},
}


def slope():
    y = timeless()
    return tg.grad(y, next(n for n in tg.nodes(y) if n.name == "w"), create_graph=True)


# What leaves the picture as it is: it is what is shown anyway, or there is nothing to leave out.
SAME = {
    ("unrolled, no steps", "first"), ("unrolled, no steps", "last"),
    ("unrolled, scopes", "first"), ("unrolled, scopes", "last"),
    *((view, "with gradients") for view in VIEWS if view.startswith("flow")),
    ("flow, scopes", "first"), ("flow, scopes", "last"),
    ("flow, no steps", "first"), ("flow, no steps", "last"),
    ("backward graph", "with values"), ("backward graph", "first"), ("backward graph", "last"),
    *((view, "names only") for view in VIEWS if view.startswith(("unrolled", "rolled"))
      and view != "unrolled, no steps"),  # there the values stand beside, if nothing is said
}
LOOKS = {"dark", "print", "light", "font", "size"}


@pytest.fixture(scope="module")
def plainly():
    """Every view without options, on paper that follows the reader."""
    return {name: make().html() for name, make in VIEWS.items()}


def refusal(view, options):
    """What is said of options that cannot be; nothing if they can."""
    try:
        VIEWS[view](**options)
    except (InputError, UnsupportedError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("view", VIEWS)
def test_an_option_does_something_or_is_refused(view, option, plainly, request):
    if option == "layout":
        request.getfixturevalue("require")("dot")
    if said := refusal(view, OPTIONS[option]):
        assert option not in LOOKS or view == "player"
        assert re.search("no option|expected|no time steps|no scope", said)
        return
    changed = VIEWS[view](**OPTIONS[option]).html()
    assert (changed == plainly[view]) == ((view, option) in SAME)


# What is no option of a view at all; the error lists those that there are.
STEPS, LOOK = ["first", "last", "steps"], ["font", "size"]
MADE = ["show", *STEPS, "level", "collapse", "direction", "layout"]
REFUSED = {
    "unrolled": [], "rolled": [*STEPS, "layout"], "flow": [],
    "backward graph": ["steps", "level", "collapse"],
    "scalar": [*STEPS, "level", "collapse", "direction", "layout"],
    "api": [name for name in [*MADE, "node", "edge"] if name != "steps"],
    "truncated": [*MADE, "node", "edge"], "heatmap": [*MADE, "node", "edge"],
    "text": [*MADE, "node", "edge"],
    "player": [*(name for name in MADE if name not in ("first", "last")), *LOOK, "node", "edge"],
}


@pytest.mark.parametrize("view", REFUSED)
def test_what_a_view_has_no_option_for(view):
    every = dict.fromkeys(name for chosen in OPTIONS.values() for name in chosen)
    own = {name: next(o[name] for o in OPTIONS.values() if name in o) for name in every}
    said = {name: refusal(view, {name: value}) for name, value in own.items()}
    none = {name: words for name, words in said.items() if "no option" in words}
    assert sorted(none) == sorted(REFUSED[view])
    assert all(f"no option {name!r}" in words and "theme" in words for name, words in none.items())


@pytest.mark.parametrize(("role", "view"), [
    ("state", "unrolled"), ("text", "unrolled"), ("quiet", "unrolled"), ("frame", "unrolled"),
    ("line", "unrolled"), ("weight recurrent", "unrolled"), ("zero", "flow"), ("delay", "rolled"),
    ("backward", "backward graph"), ("gradient", "scalar"), ("output", "api"),
    ("gradient", "truncated"), ("text", "heatmap"), ("quiet", "text")])
def test_a_palette_paints_boxes_lines_and_words(role, view):
    assert "#ab12cd" in VIEWS[view](palette={role: "#ab12cd"}).svg()
    assert "theme=" in refusal(view, {"palette": {"paper": "#ab12cd"}})
