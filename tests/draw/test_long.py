"""Long sequences: linear in T, nothing recurses, elided pictures are small."""

import gc
import math
import sys

import numpy as np
import pytest

from tinygrad_rnn import draw
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.draw import ink, reckoning, spots
from tinygrad_rnn.draw.labels import number, plain
from tinygrad_rnn.draw.series import Series
from tinygrad_rnn.draw.strips import binned

from . import graphs, pictures


def test_elided_pictures_are_equally_large_for_any_length():
    sizes = [len(draw.unrolled(graphs.vanilla(T)).drawing.boxes) for T in (20, 2_000)]
    assert sizes[0] == sizes[1]


@pytest.fixture(scope="module")
def flow():
    return gradient_flow(graphs.vanilla(3_000))


def test_a_recorded_flow_is_drawn_without_an_object_for_what_is_out_of_view(flow):
    """Neither the uses of the whole graph are indexed, nor contributions made of them."""
    drawing = draw.gradient_flow(flow).drawing
    assert "uses" not in vars(flow.incoming)
    assert not flow.incoming.made
    assert len(drawing.boxes) == len(draw.gradient_flow(gradient_flow(graphs.vanilla(20))
                                                        ).drawing.boxes)


def test_a_strip_has_at_most_a_thousand_cells_and_tells_what_each_of_them_is(flow):
    states = next(s for s in draw.gradient_flow(flow).drawing.strips if "h_t" in s.title)
    assert len(states.cells) == 1_000
    norms = np.array(list(flow.norms("h").values())[300:303])
    largest, smallest, rms = map(number, (norms.max(), norms.min(), np.sqrt(np.mean(norms ** 2))))
    assert states.cells[100].title == (
        f"t = 301 … 303: largest {largest}, smallest {smallest}, rms {rms}")
    said = [plain(label.text) for label in draw.gradient_flow(flow).drawing.labels]
    assert "a cell stands for up to 3 steps, and shows the largest of them" in said


@pytest.mark.parametrize("name", pictures.VIEWS)
def test_a_drawing_leaves_nothing_that_only_the_collector_could_free(name):
    """What is large is freed when nobody holds it any more: nothing holds what it is a part of."""
    make = pictures.VIEWS[name]
    make()  # what is read only once
    gc.collect()
    gc.disable()
    try:
        picture = make()
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert picture.svg()


def test_where_no_words_look_for_room_no_arrow_head_is_measured(monkeypatch):
    measured = []
    for module in (ink, spots):
        monkeypatch.setattr(module, "drawn_head", lambda *line: measured.append(line))
    draw.unrolled(graphs.vanilla(5, losses="last"))
    assert not measured


def in_turn(*uses):
    """A weight that every step uses in another way: what the ways give, one after the other."""
    def made(T):
        w, h = Value(0.7, name="w"), Value(0.3, name="h0")
        for t in range(1, T + 1):
            with timestep(t):
                h = ops.tanh(uses[t % len(uses)](w, h)).named("h")
        return h
    return made


def twice(T):
    """One matrix, read as it is at some steps, and turned round at others."""
    W = Tensor(np.random.default_rng(0).normal(size=(3, 3)) / 2, name="W", requires_grad=True)
    h = Tensor(np.ones((1, 3)), name="h0")
    for t in range(1, T + 1):
        with timestep(t):
            z = ops.linear(h, W) if t % 3 else h + ops.linear(W, h).reshape((1, 3))
            h = ops.tanh(z).named("h")
    return ops.sum_(h * h)


USED = {
    "in one way": graphs.vanilla,
    "by two operations": in_turn(lambda w, h: w * h, lambda w, h: w + h),
    "on two sides": in_turn(lambda w, h: w * h, lambda w, h: h * w),
    "by itself and others": in_turn(lambda w, h: h - w, lambda w, h: w - h, lambda w, h: h / w),
    "as the weight and as the input": twice,
}


@pytest.mark.parametrize("stretch", [8192, 7])
@pytest.mark.parametrize("name", USED)
def test_the_bars_of_a_weight_are_the_norms_of_its_ledger(name, stretch, monkeypatch):
    monkeypatch.setattr(reckoning, "STRETCH", stretch)
    flow = gradient_flow(USED[name](40))
    strips = draw.gradient_flow(flow).drawing.strips
    for x in flow.totals:
        strip = next((s for s in strips if f"of {x.name}" in s.title), None)
        assert (strip is None) == (x.name == "h0")
        if strip is not None:
            told = {f"t = {e.step}: {number(e.norm())}" for e in flow.ledger(x).entries}
            assert {cell.title for cell in strip.cells} == told


@pytest.mark.parametrize("steps", [[1, 2, 3, 4, 5, 6, 7], [1, 4, 6]])
def test_a_nan_is_the_largest_in_its_cell_and_what_is_empty_says_so(steps):
    norms = np.array([0.5, math.inf, math.nan, 2.0, 1.0, 4.0, 3.0])[np.array(steps) - 1]
    found = binned(Series(np.array(steps), norms), np.arange(1, 8), np.array([0, 1, 3, 5, 7]))
    if len(steps) == 7:
        assert [three and three[0] for three in found[2:]] == [2.0, 4.0]
        assert math.isnan(found[1][0])
        assert found[3] == [4.0, 3.0, math.sqrt(12.5)]
    else:
        assert found == [[0.5] * 3, None, [2.0] * 3, [4.0] * 3]


@pytest.fixture
def shallow():
    """Little room for recursion."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(250)
    yield
    sys.setrecursionlimit(limit)


def test_nothing_recurses(shallow):
    root = graphs.vanilla(400, total="timed")
    draw.unrolled(root, first=400, last=0).svg()
    draw.gradient_flow(gradient_flow(root), first=400, last=0).dot()
    x = Value(1.0, name="a")
    for _ in range(20_000):
        x = x * 1.0
    draw.unrolled(x).svg()
