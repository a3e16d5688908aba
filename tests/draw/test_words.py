"""Words stand at what they are of: numbers at their own taps and heads, names at their own bars."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Value
from tinygrad_rnn.draw.labels import plain, roman
from tinygrad_rnn.draw.model import Label
from tinygrad_rnn.draw.outlines import meets
from tinygrad_rnn.draw.paper import label_rect
from tinygrad_rnn.draw.ticks import ticks, whole

from . import graphs
from .crossed import rolled
from .faults import faults, mistaken

FLOWS = {"RNN": graphs.layer, "GRU": lambda: graphs.layer(3, kind=nn.GRU),
         "LSTM": lambda: graphs.layer(3, kind=nn.LSTM), "stacked": graphs.deep,
         "both ways": graphs.both_ways, "encoder, decoder": lambda: graphs.seq2seq(3)}


@pytest.fixture(scope="module", params=FLOWS)
def cells(request):
    """A gradient flow with whole cells."""
    return draw.gradient_flow(tg.gradient_flow(FLOWS[request.param]()), level="cell").drawing


def test_no_tap_of_another_weight_runs_between_a_tap_and_its_number(cells):
    dots = [(box.x, box.y) for box in cells.boxes if ".tap" in box.id]
    upright = [(p, q) for line in cells.lines if line.head is not None and ".tap" in line.head
               for p, q in pairwise(line.points) if p[0] == q[0]]
    seen = 0
    for label in cells.labels:
        if not re.match("Δ.+ = ", plain(label.text)):
            continue
        left, _, right, _ = label_rect(label)
        own = min((x for x, y in dots if abs(y - 6 - label.y) < 1),
                  key=lambda x: max(left - x, x - right))
        low, high = sorted((own, left if own < left else right))
        between = [p for p, q in upright if low + 1 < p[0] < high - 1
                   and min(p[1], q[1]) < label.y - 4 < max(p[1], q[1])]
        assert not between, label
        seen += 1
    assert seen


def test_what_arrives_stands_at_its_own_head(cells):
    """And no other state is nearer than the one that it goes to."""
    states = {box.id: box.sides for box in cells.boxes if box.role == "state"}
    tips = {line: (*line.points[end], *line.points[end]) for line in cells.lines
            for end, box in ((0, line.tail), (-1, line.head)) if box in states}
    lowest = max(box.y for box in cells.boxes)
    for label in cells.labels:
        if not re.fullmatch(r"[\d.e−]+", plain(label.text)) or label.role != "quiet" or \
                label.y > lowest:
            continue
        rect = label_rect(label)
        own = min(tips, key=lambda line: apart(rect, tips[line]))
        assert apart(rect, tips[own]) < 30, label
        nearest = min(states, key=lambda name: apart(rect, states[name]))
        assert nearest in (own.head, own.tail), (label, own.id)


def apart(a, b):
    """How far two boxes are from each other, right and down together."""
    return max(a[0] - b[2], b[0] - a[2], 0.0) + max(a[1] - b[3], b[1] - a[3], 0.0)


def below_zero(steps, losses):
    """A loop over steps that begin before 0, with a loss in some of them; its flow and weight."""
    w, h, total = Value(0.5, name="w"), Value(0.3, name="h0"), Value(0.0, name="start")
    for t in steps:
        with timestep(t):
            h = ops.tanh(w * h + Value(0.2, name="x")).named("h")
            total = total + (h * h).named("L") if t in losses else total
    return tg.gradient_flow(total), w


@pytest.mark.parametrize(("steps", "losses"), [
    (range(-4, 3), (-2,)), (range(-9, 9), (-8, -3, -1, 4, 8)), (range(-40, -5), range(-39, -5, 2))])
def test_a_step_before_0_has_a_minus_sign(steps, losses):
    """It was a hyphen, beside numbers with a minus sign."""
    flow, w = below_zero(steps, losses)
    slope = tg.grad(flow.root, w, create_graph=True)
    for picture in (draw.unrolled(flow.root), draw.unrolled(flow.root, direction="down"),
                    draw.rolled(flow.root, unrolled=True), draw.gradient_flow(flow),
                    draw.gradient_flow(flow, direction="down"), draw.backward_graph(slope),
                    draw.heatmap(flow.ledger(w))):
        words = "".join(ET.fromstring(picture.svg()).itertext())
        assert re.search("−[0-9]", words)
        assert not re.search(r"(^|[^e])-[0-9]", words + picture.text())


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_what_stands_side_by_side_is_joined_by_a_straight_line(kind):
    """Also where a state comes in from above or below: it cannot come in level there."""
    drawing = draw.unrolled(graphs.layer(3, kind=kind)).drawing
    boxes = {box.id: box for box in drawing.boxes}
    rows = {}
    for box in drawing.boxes:
        rows.setdefault(round(box.y, 1), []).append(box.x)
    for line in drawing.lines:
        tail, head = boxes.get(line.tail), boxes.get(line.head)
        if tail is None or head is None or abs(tail.y - head.y) > 0.01:
            continue
        between = [x for x in rows[round(tail.y, 1)] if tail.x < x < head.x]
        assert len(line.points) == 2 or between, line.id


def test_names_and_sizes_of_a_decoder_stand_at_its_own_bars():
    flow = tg.gradient_flow(graphs.seq2seq(9, S=8, kind=nn.LSTM))
    drawing = draw.gradient_flow(flow, 2, 2).drawing
    for strip in drawing.strips[:-1]:
        seen = [i for i, cell in enumerate(strip.cells) if cell.level]
        first = strip.x + strip.w * (0 if seen[0] < 9 else 9) / len(strip.cells)
        last = strip.x + strip.w * (seen[-1] + 1) / len(strip.cells)
        name = next(x for x in drawing.labels if plain(x.text) == strip.title)
        assert first - name.x == pytest.approx(8), strip.title
        sizes = [x for x in drawing.labels if strip.y <= x.y <= strip.y + strip.h + 1
                 and plain(x.text).endswith(("largest", "smallest", ", all"))]
        assert {round(x.x - last, 6) for x in sizes} <= {6.0}


@pytest.mark.parametrize(("numbers", "room", "seen"), [
    (range(1, 41), 40 / 12, [1, 5, 10, 15, 20, 25, 30, 35, 40]),
    (range(1, 38), 37 / 12, [1, 5, 10, 15, 20, 25, 30, 37]),
    (range(60), 2.5, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 59]),
    (range(1, 4), 0.25, [1, 2, 3]), (range(5, 6), 1, [5]), (range(1, 3), 2, [1]),
    ([*range(1, 41), *range(31)], 6, [1, 10, 20, 30, 0, 10, 20, 30]),
    ([1, 2, 3, 0], 1, [1, 2, 3, 0])])
def test_numbers_beside_an_axis_are_round_and_not_crowded(numbers, room, seen):
    places = ticks(numbers, room)
    assert [numbers[i] for i in places] == seen
    assert all(b - a >= room for a, b in pairwise(places))


def test_numbers_are_told_from_names():
    assert whole(["3", "4", "5"]) == [3, 4, 5]
    assert whole(["3", "5"]) is whole(["1", "−"]) is whole(["²", "³"]) is whole(["W_hh"]) is None


def test_the_axes_of_a_binned_heat_map_have_round_numbers_at_their_own_cells():
    drawing = draw.heatmap([[0.0] * 900] * 300).drawing
    wide = drawing.strips[0].w
    below = [(int(plain(x.text)), x.x) for x in drawing.labels
             if x.anchor == "middle" and x.y < max(s.y for s in drawing.strips) and
             plain(x.text).isdigit()]
    steps = [(n, x) for n, x in below if n]
    assert {n % 50 for n, _ in steps[1:]} == {0}
    assert (steps[0][0], steps[-1][0]) == (1, 900)
    assert all(abs(x - wide * (n - 0.5) / 900) < wide / 160 for n, x in steps)


def test_on_paper_without_colours_nothing_is_said_of_colours():
    drawing = draw.gradient_flow(tg.gradient_flow(graphs.layer()), theme="print").drawing
    assert any(plain(x.text).startswith("shade, width:") for x in drawing.labels)
    said = [*(plain(x.text) for x in drawing.labels), *(strip.title for strip in drawing.strips)]
    assert not any("colour" in words for words in said)


def test_no_halo_lies_on_letters_that_were_painted_before_it():
    text = draw.rolled(graphs.layer()).svg()
    assert 'aria-hidden="true"' in text  # t−1 at the delay: two runs
    for inside in re.findall(r'<text[^>]*paint-order[^>]*>(.*?)</text>', text):
        assert "<tspan" not in inside or not re.sub("<tspan.*?</tspan>", "", inside)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_what_is_read_again_runs_clear_of_heads_and_words(kind):
    drawing = draw.api(nn.OutputFeedback(kind(4, 3, seed=0), nn.Linear(3, 4, seed=0)), 3).drawing
    carried = [line for line in drawing.lines if line.role == "carried"]
    back = [p[0] for line in drawing.lines if len(line.points) == 5
            for p, q in pairwise(line.points) if abs(p[1] - q[1]) > 100]
    assert len(back) == 2
    for x in back:
        assert min(abs(line.points[-1][0] - x) for line in carried) > 14
        for label in drawing.labels:
            left, top, right, _ = label_rect(label)
            on = left < x + 1 and right > x - 1 and -150 < top < 0
            assert not on or label.role == "quiet", label


def test_a_cell_looks_alike_from_outside_and_unrolled():
    outside = draw.api(nn.RNN(4, 3, seed=0), 3).drawing
    unrolled = draw.unrolled(graphs.layer(), level="cell").drawing
    roles = [{box.role for box in d.boxes if plain(box.text) == "RNN"} for d in (outside, unrolled)]
    assert roles == [{"cell"}, {"cell"}]


def lagging(T):
    """h_t is made of the state two steps before."""
    w, states, total = Value(0.5, name="w"), [Value(0.3, name="h0")], 0
    for t in range(1, T + 1):
        with timestep(t):
            states.append(ops.tanh(w * states[max(0, t - 2)]).named("h"))
            total = total + (states[-1] ** 2).named("L")
    return total


def crossed_by_lines(drawing):
    """The words beside things that lines run through, and those on the outline of a frame."""
    found = []
    for label in drawing.labels:
        left, top, right, bottom = rect = label_rect(label)
        found += [plain(label.text) for line in drawing.lines
                  if any(meets(p, q, rect, -1.0) for p, q in pairwise(line.points))]
        found += [plain(label.text) for a, b, c, d in (frame.sides for frame in drawing.frames)
                  if b < top < d and (left < a < right or left < c < right)
                  or a < left < c and (top < b < bottom or top < d < bottom)]
    return found


EVERYTHING = ["names", "shapes", "values", "gradients", "parameters"]


@pytest.mark.parametrize("make", [
    lambda: draw.rolled(lagging(5)),
    lambda: draw.unrolled(graphs.layer(2, kind=nn.LSTM), show=EVERYTHING),
    lambda: draw.rolled(graphs.seq2seq(4, "both", kind=nn.GRU, S=3)),
])
def test_what_is_said_lies_on_no_line_and_no_frame(make):
    drawing = make().drawing
    assert crossed_by_lines(drawing) == []
    assert faults(drawing) == []


def test_the_check_sees_words_on_an_arrow_head():
    drawing = draw.rolled(lagging(5)).drawing
    line = next(line for line in drawing.lines if line.arrow)
    words = Label(line.points[-1][0], line.points[-1][1], roman("t > 2"), halo=True)
    wrong = replace(drawing, labels=(*drawing.labels, words))
    assert any("lies on the head" in fault for fault in faults(wrong))


OF_OTHERS = {  # what once stood at other wires and boxes: at its own is what it is of
    # a bridge, beside x_t
    "a bridge": (lambda: graphs.GRAPHS["encoder, decoder, fed back"](), "cell", "down",
                 "before t = 1", "decoder.bridge"),
    # what a mask leaves, at the wires of others
    "masked": (lambda: graphs.masked("GRU", True, "learned", "mask", 1, "repeat"), "op", "down",
               "only t = T−1", "where"),
    "lengths": (lambda: graphs.masked("LSTM", True, "learned", "lengths", 2, "repeat"), "op",
                "right", "t+1, only t = T", "h--where.1.-1.delay"),
    # from a first state, far above all
    "the last": (lambda: graphs.masked("LSTM", True, "zeros", "both", 1, "repeat"), "op", "right",
                 "after t = T", "first.h--linear.2"),
}


@pytest.mark.parametrize("name", OF_OTHERS)
def test_words_are_read_as_those_of_what_they_are_of(name):
    """How rare others are, is counted on demand: tests/benchmarks/test_words_of_others.py"""
    make, level, direction, said, of = OF_OTHERS[name]
    drawing = rolled(make(), level, direction, "", False).drawing
    assert of in {it for n in drawing.labels if plain(n.text) == said for it in n.of}
    assert [*mistaken(drawing)] == [] == faults(drawing)


def test_words_at_something_else_are_found():
    drawing = rolled(graphs.layer(), "op", "right", "", False).drawing
    late = next(label for label in drawing.labels if plain(label.text) == "t−1")
    assert [*mistaken(drawing)] == []
    for dx, dy, near in (0, 40, "h.op"), (0, -40, "b_y.rail"), (300, 40, "b_y--y.op"):
        moved = late._replace(x=late.x + dx, y=late.y + dy)
        wrong, = mistaken(replace(drawing, labels=tuple(
            moved if label is late else label for label in drawing.labels)))
        assert wrong.startswith(f"t−1 of {late.of[0]}, ")
        assert wrong.endswith(f" from {near}")
