"""Long sequences: linear in T, nothing recurses, elided pictures are small."""

import sys

import numpy as np
import pytest

from tinygrad_rnn import draw
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core.values import Value
from tinygrad_rnn.draw.labels import number, plain

from . import graphs


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


def test_the_bars_of_a_weight_are_the_norms_of_its_ledger():
    flow = gradient_flow(graphs.vanilla(40))
    strips = draw.gradient_flow(flow).drawing.strips
    for x in flow.totals:
        strip = next(s for s in strips if f"of {x.name}" in s.title)
        told = {f"t = {e.step}: {number(e.norm())}" for e in flow.ledger(x).entries}
        assert {cell.title for cell in strip.cells} == told


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
