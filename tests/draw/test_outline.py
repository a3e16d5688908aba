"""What a drawing knows from an outline that was made before is what it finds by itself."""

import numpy as np
import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt import strides
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops, outline, walk
from tinygrad_rnn.core.outline import Outline
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.draw.survey import survey
from tinygrad_rnn.draw.window import Window

from . import graphs


def joined(T):
    """Every step joins three results, of which the next step reads the last."""
    w, h = Tensor(np.array([0.5]), name="w", requires_grad=True), Tensor(np.ones(1), name="h0")
    for t in range(1, T + 1):
        with timestep(t):
            h = ops.tanh(w * h).named("h")
            y = ops.sum_(ops.stack(ops.exp(h), ops.sin(h), h)).named("y")
    return ops.sum_(h) + y


MADE = {
    "a loop": graphs.vanilla, "a total with steps": lambda T: graphs.vanilla(T, total="timed"),
    "a layer": graphs.layer, "scalars": graphs.scalar_rnn, "transposes": graphs.transposed,
    "two layers by hand": graphs.stacked, "lstm": graphs.lstm, "gru": graphs.gru,
    "both directions": graphs.bidirectional, "skips": graphs.skipping,
    "made before": graphs.prepared, "twice in a step": graphs.used_twice,
    "a step in parts": graphs.entered_again, "tied": graphs.tied, "deep": graphs.deep,
    "layers in both directions": lambda T: graphs.both_ways(T, nn.GRU),
    "encoder and decoder": graphs.seq2seq, "padded": graphs.padded, "joined in a step": joined,
}


@pytest.mark.parametrize("name", MADE)
def test_an_outline_of_the_whole_has_the_uses_that_a_search_finds(name, monkeypatch):
    root = MADE[name](9)
    for window, at_once in ((Window(), 1024), (Window(1, 0), 1), (Window(steps=slice(4, 7)), 1)):
        monkeypatch.setattr(outline, "AT_ONCE", at_once)
        known, found = (survey(root, window, Outline(walk.computed(root), whole)
                               ) for whole in (True, False))
        assert known.outline.given is not None
        assert found.outline.given is None
        for what in ("uses", "named", "seen", "shared", "leaving", "shown", "slices"):
            assert getattr(known, what) == getattr(found, what), what


@pytest.mark.parametrize("name", MADE)
def test_the_stretches_of_some_steps_are_those_of_all_that_have_them(name):
    found = Outline(walk.computed(MADE[name](9)))
    every = [*zip(found.during, found.begins, [*found.begins[1:], len(found.computed)])]
    assert [len({node.at for node in found.computed[a:b]}) for _, a, b in every] == [1] * len(every)
    for steps in ({3, 4}, {None}, {None, 5, 77}, set(), {*range(100), None}):
        assert [*found.of(steps)] == [one for one in every if one[0] in steps]


def test_a_long_flow_brings_its_outline_and_is_drawn_alike(monkeypatch):
    root = graphs.vanilla(40)
    searched = gradient_flow(root)
    monkeypatch.setattr(strides, "LONG", 100)
    known = gradient_flow(root)
    assert searched.incoming.outline is None
    assert known.incoming.outline is not None
    assert draw.gradient_flow(known).svg() == draw.gradient_flow(searched).svg()


def test_what_is_not_reached_by_the_gradient_is_not_taken_from_the_outline(monkeypatch):
    """An outline has all nodes; where the gradient passed fewer, the drawing looks for itself."""
    monkeypatch.setattr(strides, "LONG", 10)
    flow = gradient_flow(graphs.steered(6))
    again = gradient_flow(graphs.steered(6))
    again.incoming.outline = None
    assert draw.gradient_flow(flow).svg() == draw.gradient_flow(again).svg()


def test_norms_have_no_outline(monkeypatch):
    monkeypatch.setattr(strides, "LONG", 10)
    assert gradient_flow(graphs.vanilla(20), keep="norms").incoming.outline is None
