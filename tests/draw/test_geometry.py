"""Nothing overlaps, nothing is cut, no line runs through a thing it does not belong to."""

import itertools
import math

import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.draw.blocks import meets
from tinygrad_rnn.draw.paper import label_rect

from .graphs import GRAPHS, both_ways, layer, seq2seq, unstamped


def drawings(name):
    root = GRAPHS[name]()
    return {
        "unrolled": draw.unrolled(root).drawing,
        "flow": draw.gradient_flow(gradient_flow(root)).drawing,
    }


def things(drawing):
    """Everything with an outline but dots and frames."""
    return [box for box in drawing.boxes if box.w > 8]


def overlap(a, b, by=0.5):
    return a[0] < b[2] - by and b[0] < a[2] - by and a[1] < b[3] - by and b[1] < a[3] - by


def faults(drawing):
    """All that is wrong with the places in a drawing, in words."""
    found = []
    boxes = things(drawing)
    for a, b in itertools.combinations(boxes, 2):
        if overlap(a.sides, b.sides):
            found.append(f"{a.id} and {b.id} overlap")
    for line in drawing.lines:
        for p, q in itertools.pairwise(line.points):
            for box in boxes:
                own = box.id in (line.tail, line.head) or box.id in line.id.split("--")
                if not own and meets(p, q, box.sides, -0.5):
                    found.append(f"{line.id} runs through {box.id}")
    paper = (drawing.left, drawing.top, drawing.left + drawing.width, drawing.top + drawing.height)
    for rect, what in [
        *((label_rect(n), n.text) for n in drawing.labels),
        *((b.sides, b.id) for b in (*drawing.boxes, *drawing.frames)),
    ]:
        inside = paper[0] <= rect[0] and rect[2] <= paper[2] and paper[1] <= rect[1]
        if not (inside and rect[3] <= paper[3]):
            found.append(f"{what} is cut")
    for label in drawing.labels:
        for box in boxes:
            if overlap(label_rect(label), box.sides, 2.0):
                found.append(f"{label.text} lies on {box.id}")
        if label.halo:  # clears what is behind it
            continue
        rect = label_rect(label)
        for line in drawing.lines:
            if any(meets(p, q, rect, -2.0) for p, q in itertools.pairwise(line.points)):
                found.append(f"{line.id} strikes through {label.text}")
    for a, b in itertools.combinations(drawing.labels, 2):
        if overlap(label_rect(a), label_rect(b), 2.0):
            found.append(f"{a.text} lies on {b.text}")
    return found


@pytest.mark.parametrize("name", GRAPHS)
def test_everything_has_its_own_place(name):
    for view, drawing in drawings(name).items():
        assert faults(drawing) == [], view


CROSSED = {
    "layer": lambda: layer(12),
    "GRU": lambda: layer(12, kind=nn.GRU),
    "both ways": lambda: both_ways(30),
    "encoder, decoder": lambda: seq2seq(30, context="both", S=9),
    "unstamped": unstamped,
}
WINDOWS = [{"first": 3, "last": 3}, {"first": 1, "last": 1}, {"first": 2, "last": 0},
           {"first": 0, "last": 2}, {"steps": slice(3, 5)}]


@pytest.mark.parametrize("name", CROSSED)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("longer", ["", "a rather long name"])
def test_everything_has_its_own_place_in_any_window_under_any_name(name, window, longer):
    def rename(_, box):
        return {"text": longer} if longer and box["role"] in ("state", "input") else None

    root = CROSSED[name]()
    assert faults(draw.unrolled(root, **window, node=rename).drawing) == []
    assert faults(draw.gradient_flow(gradient_flow(root), **window, node=rename).drawing) == []


def bends(line):
    return len(line.points) - 2


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_layer_that_reads_from_the_end_runs_from_right_to_left(kind):
    """The state h comes straight from the step after, as it does straight from the step before."""
    drawing = draw.unrolled(both_ways(4, kind)).drawing
    boxes = {box.id: box for box in drawing.boxes}
    carried = [n for n in drawing.lines if n.role == "carried" and bends(n) == 0]
    ways = [boxes[n.head].x - boxes[n.tail].x for n in carried]
    assert sum(way > 0 for way in ways) == sum(way < 0 for way in ways) == 4


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_inside_a_cell_no_wire_comes_in_where_another_goes_out(kind):
    drawing = draw.unrolled(layer(3, kind=kind)).drawing
    ends = {(n.head, n.points[-1]) for n in drawing.lines}
    starts = {(n.tail, n.points[0]) for n in drawing.lines}
    assert not ends & starts


def test_a_weight_of_an_unstamped_loop_makes_no_detour():
    drawing = draw.gradient_flow(gradient_flow(unstamped())).drawing
    to_w = [n for n in drawing.lines if n.head == "w"]
    assert len(to_w) == 6
    for n in to_w:
        long = sum(math.dist(p, q) for p, q in itertools.pairwise(n.points))
        assert long < 1.02 * math.dist(n.points[0], n.points[-1])
        assert bends(n) <= 2


def test_the_check_can_fail():
    drawing = draw.unrolled(GRAPHS["power"]()).drawing
    box = things(drawing)[-1]
    line = drawing.lines[0]
    broken = type(drawing)(0, 0, 10, 10, "", (), (line,), (box, box), ())
    assert any("overlap" in fault for fault in faults(broken))
    assert any("cut" in fault for fault in faults(broken))


@pytest.mark.parametrize("name", GRAPHS)
def test_ids_are_unique_and_lines_end_at_things_that_exist(name):
    for drawing in drawings(name).values():
        ids = [x.id for x in (*drawing.boxes, *drawing.frames, *drawing.lines, *drawing.strips)]
        assert len(ids) == len(set(ids))
        assert {e for n in drawing.lines for e in (n.tail, n.head)} - {None} <= set(ids)


@pytest.mark.parametrize("name", GRAPHS)
def test_lines_begin_and_end_at_the_outlines(name):
    """Each end lies on (or within) the box that it names: nothing dangles."""
    for drawing in drawings(name).values():
        boxes = {box.id: box for box in drawing.boxes}
        for line in drawing.lines:
            for (x, y), end in ((line.points[0], line.tail), (line.points[-1], line.head)):
                if end is not None:
                    left, top, right, bottom = boxes[end].sides
                    slack = 10  # a box may be smaller than the place that all steps keep for it
                    assert left - slack <= x <= right + slack, line.id
                    assert top - slack <= y <= bottom + slack, line.id
