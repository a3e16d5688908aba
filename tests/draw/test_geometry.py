"""Nothing overlaps, nothing is cut, no line runs through a thing it does not belong to."""

import itertools
import math
import random
from dataclasses import replace
from functools import cache

import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.draw import style
from tinygrad_rnn.draw.laid import shared
from tinygrad_rnn.draw.outlines import meets
from tinygrad_rnn.draw.partings import partings
from tinygrad_rnn.draw.scene import Glyph, Wire
from tinygrad_rnn.draw.search import MOST, End, search
from tinygrad_rnn.draw.tracks import lines_of

from . import generic, graphs
from .crossed import cases, drawn, rolled, unrolled
from .faults import (
    blotted,
    covered,
    dangling,
    faults,
    meeting,
    merged,
    mistaken,
    step_of,
    strayed,
    things,
    undotted,
)
from .graphs import GRAPHS, both_ways, layer, unstamped
from .invented import invented


@cache
def drawings(name):
    root = GRAPHS[name]()
    return {
        "unrolled": draw.unrolled(root).drawing,
        "flow": draw.gradient_flow(gradient_flow(root)).drawing,
    }


@pytest.mark.parametrize("name", GRAPHS)
def test_everything_has_its_own_place(name):
    for view, drawing in drawings(name).items():
        assert faults(drawing) == [], view


EVERY = 61  # of some 6,000 cases: the options of each model are taken in turn


@pytest.mark.parametrize(("name", "make"), list(itertools.islice(cases(), 7, None, EVERY)),
                         ids=lambda case: case if isinstance(case, str) else "")
def test_every_model_in_every_view_and_direction(name, make):
    """All of them: python -m pytest tests/benchmarks/test_geometry_crossed.py"""
    picture = drawn(make)
    assert picture is None or [*faults(picture.drawing), *mistaken(picture.drawing)] == []


ONCE_WRONG = [  # rails ran through dots, a handover through weights
    "encoder, decoder, LSTM: unrolled('cell', 'right', {'steps': slice(2, 4, None)}",
    "encoder, decoder, fed back: unrolled('cell', 'right', {'steps': slice(2, 4, None)}",
    "encoder, decoder, fed back: unrolled('cell', 'right', {'first': 0, 'last': 2}",
    "encoder, decoder, LSTM: rolled('cell', 'right', 'a rather long name'",
    # arrow heads lay on wires beside them, taps and a delay outside of their steps
    "LSTM, both ways: flow('down', {}", "gru: flow('down', {'first': 1, 'last': 1}",
    "skipping: rolled('op', 'right', 'a rather long name'", "padded: rolled('cell', 'down', ''",
    # slanting lines on one another, ends of wires at one point of a wide box, heads without room
    "gru: backward_graph(", "truncated(200, 1, 4)",
    "squared, then others: backward_graph(",  # a head lay on a line of what has no step
]


@pytest.mark.parametrize("start", ONCE_WRONG)
def test_what_was_wrong_once(start):
    chosen = [make for name, make in cases() if name.startswith(start)]
    assert len(chosen) == (2 if "'" in start else 1)
    for make in chosen:
        assert faults(make().drawing) == []


@pytest.mark.parametrize("seed", [
    4, 8, 18, 34, 54, 79, 97, 98, 138, 163, 179, 194, 351, 365, 1213,
    1280, 2064,  # wires ran through boxes where three states skip steps
    1325,  # steps that a wire passed are not all of one kind
    216, 520, 656,  # ends of wires met, and wires lay on one another
    1029,  # two boxes that use each other stood in one layer
    258, 1091, 1766,  # a number lay on a first state; a shape, a name of a layer, on an arrow
    912, 1416, 1608,  # first states stood on weights; dots on words and rails
    214, 1015, 1021, 128,  # words stood on boxes and words
    264, 1533, 970,  # wires struck through numbers, words and names of scopes
    297, 2046,  # two boxes had one id
    1022, 1709,  # a wire lay on a rail, and on another that left elsewhere
    1057, 1931, 235,  # terms of totals lay on wires and ran through boxes
    506, 673,  # first states stood on notes and on weights
    58, 420, 679, 848, 1602, 1637,  # notes lay on one another, wires struck through names
    1697, 2207, 2437,  # notes lay on boxes, where the font is wide
    375, 966, 1656, 1748,  # wires ran over arrow heads
    537, 1879,  # a wire was led on to a smaller box by a bend of no height, or too near to it
    500, 677, 1040, 1700, 2398,  # taps and wires ran outside of the frames of their steps
    1398, 1132,  # a stage of which no step is in view; a weight called like a state, in two stages
    556, 649, 851, 1929, 1949,  # words lay on arrow heads
    1321, 1401, 1680, 1850, 1873, 1943, 2057, 2221, 2483,  # squares of delays had no place
    0, 161, 481, 983, 2304,  # wires parted without a dot, or crossed others at the base of a head
])
def test_models_that_nobody_has_drawn_before(seed):
    """More of them, and the large ones: python -m pytest tests/benchmarks/test_invented.py"""
    picture = invented(seed)
    assert picture is None or faults(picture.drawing) == []


@pytest.mark.parametrize(("case", "view", "direction"), [
    (("GRU", True, "learned", "mask", 2, "repeat"), rolled, "right"),  # a square had no place
    (("GRU", False, "learned", "mask", 2, "repeat"), rolled, "right"),  # or was on a dot
    (("RNN", False, "learned", "lengths", 2, "repeat"), rolled, "down"),
    (("LSTM", True, "learned", "mask", 2, "zero"), rolled, "down"),  # its lag lay on a head
    (("RNN", False, "learned", "mask", 2, "repeat"), unrolled, "down"),  # a term left where a
    (("LSTM", False, "zeros", "both", 2, "repeat"), unrolled, "down"),  # state comes in
    (("RNN", True, "learned", "both", 2, "zero"), rolled, "right"),  # words kept its square away
])
def test_layers_with_masks_have_places_of_their_own(case, view, direction):
    """All of them: python -m pytest tests/benchmarks/test_geometry_crossed.py"""
    options = ("op", direction, "", False) if view is rolled else (
        "cell", direction, {}, "", ("names",))
    assert faults(view(graphs.masked(*case), *options).drawing) == []


@pytest.mark.parametrize(("case", "view", "options"), [
    (("LSTM", True, "learned", "both", 2, "repeat"), unrolled, ("op", "down", {}, "", ("names",))),
    (("RNN", True, "learned", "both", 2, "zero"), unrolled, ("cell", "down", {}, "", ("names",))),
    (("RNN", False, "learned", "reset", 1, "zero"), rolled, ("op", "down", "", False)),
    (("LSTM", True, "zeros", "reset", 1, "zero"), rolled, ("op", "down", "", False)),
])
def test_no_two_wires_that_leave_together_are_one_thick_line(case, view, options):
    """They ran up to 2.5 points beside each other, and some parted without a dot."""
    drawing = view(graphs.masked(*case), *options).drawing
    assert faults(drawing) == []
    stretches = {(*line.points[0], axis, line.tail, p, q) for line in drawing.lines
                 for p, q in itertools.pairwise(line.points)
                 for axis in (0, 1) if p[axis] == q[axis]}
    for (*a, p, q), (*b, r, s) in itertools.combinations(sorted(stretches), 2):
        if a == b:
            assert not shared(p, q, r, s, a[2], 3.0) or abs(p[a[2]] - r[a[2]]) < 0.01


@pytest.mark.parametrize("sizes", [
    ((3, 8, 20), 6, (6,), (2, 3)), ((40, 80), 2, (20,), (4,)), ((150,), 1, (40,), ())])
def test_graphs_without_time_have_places_of_their_own(sizes):
    """More of them: python -m pytest tests/benchmarks/test_layered.py"""
    found = {name: faults(picture.drawing) for name, picture in generic.pictures(*sizes)}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_every_wire_into_a_bidirectional_head_has_an_end_of_its_own():
    drawing = draw.unrolled(both_ways(3), level="cell").drawing
    for box, count in ("t2.concat", 2), ("t2.linear", 3):  # both h_t; their concat, W_hy and b_y
        into = [n.points[-1] for n in drawing.lines if n.head == box]
        assert len(into) == len(set(into)) == count


def test_the_dots_of_a_hidden_state_stand_in_its_row():
    """One for each state, whichever steps are in view."""
    drawing = draw.unrolled(GRAPHS["encoder, decoder, LSTM"](), level="cell",
                            steps=slice(2, 4)).drawing
    boxes = {box.id: box for box in drawing.boxes}
    dots = [box for box in drawing.boxes if box.role == "gap"]
    assert sorted(box.y for box in dots) == sorted(
        boxes[f"t2.decoder.{name}"].y for name in ("c", "h"))


LOOKS = [{"theme": "light"}, {"theme": "dark"}, {"theme": "print"}, {"font": "Fira Sans"},
         {"size": 3.0}, {"palette": {"state": "#00ff00"}}]


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("name", ["layer", "neuron", "both ways, last"])
def test_looks_do_not_move_anything(name, look):
    root = GRAPHS[name]()
    views = [lambda **more: draw.unrolled(root, **more),
             lambda **more: draw.gradient_flow(gradient_flow(root), **more)]
    if root.step is None and name != "neuron":
        views.append(lambda **more: draw.rolled(root, **more))
    for view in views:
        assert places(view(**look).drawing) == places(view().drawing)


def places(drawing):
    """Where everything is, and of which size."""
    return (drawing.left, drawing.top, drawing.width, drawing.height,
            [(b.id, b.sides, b.size) for b in (*drawing.frames, *drawing.boxes)],
            [(n.id, n.points) for n in drawing.lines],
            [(n.x, n.y, n.size, n.text) for n in drawing.labels],
            [(s.id, s.x, s.y, s.w, s.h, len(s.cells)) for s in drawing.strips])


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


def test_what_comes_after_hidden_steps_is_joined_to_them_and_stands_on_the_right():
    drawing = draw.unrolled(GRAPHS["stacked, long"](), first=2, last=0).drawing
    boxes = {box.id: box for box in drawing.boxes}
    into = [n for n in drawing.lines if n.tail is not None and n.tail.startswith("gap")]
    assert len(into) == 1
    assert boxes[into[0].head].sides[0] > max(frame.sides[2] for frame in drawing.frames)


def test_the_check_can_fail():
    drawing = draw.unrolled(GRAPHS["power"]()).drawing
    box = things(drawing)[-1]
    line = drawing.lines[0]
    broken = type(drawing)(0, 0, 10, 10, "", (), (line,), (box, box), ())
    assert any("overlap" in fault for fault in faults(broken))
    assert any("cut" in fault for fault in faults(broken))


def test_the_check_sees_ends_that_meet_and_lines_on_one_another():
    """Moved into the place of another, a wire is noticed."""
    drawing = draw.unrolled(both_ways(3), level="cell").drawing
    assert not [*meeting(drawing), *merged(drawing)]
    into = [n for n in drawing.lines if n.head == "t2.linear"]
    a, b = into[0], into[1]
    moved = a._replace(points=(*a.points[:-1], b.points[-1]))
    lines = tuple(moved if n is a else n for n in drawing.lines)
    assert [*meeting(replace(drawing, lines=lines))]
    same = a._replace(points=b.points)
    assert [*merged(replace(drawing, lines=tuple(same if n is a else n for n in drawing.lines)))]
    short = a._replace(points=(*a.points[:-1], (a.points[-1][0], a.points[-1][1] + 7)))
    assert [*dangling(replace(drawing, lines=tuple(short if n is a else n for n in drawing.lines)))]


@pytest.mark.parametrize("name", ["stacked", "bidirectional", "power", "LSTM, both ways"])
def test_states_that_come_back_have_heads_of_their_own(name):
    """Rolled up: once a wire to the next layer ran over the head of a delay, and two met in one."""
    drawing = draw.rolled(GRAPHS[name](), level="cell").drawing
    assert faults(drawing) == []
    frame, = drawing.frames
    delays = [box for box in drawing.boxes if box.role == "delay"]
    assert delays
    assert all(frame.sides[1] + 8 < box.y < frame.sides[3] - 8 for box in delays)


def test_the_check_sees_heads_that_another_line_runs_over():
    """A wire that begins along the side of a circle has no shaft, and lies on the next head."""
    drawing = draw.gradient_flow(gradient_flow(GRAPHS["bidirectional"]())).drawing
    assert not [*covered(drawing)]
    line = next(n for n in drawing.lines if n.id == "t1.forward.h--t1.y.op")
    state = next(box for box in drawing.boxes if box.id == "t1.forward.h")
    top, (right, y) = line.points[0][1], (state.sides[2], state.y)

    def seen(*points):
        lines = tuple(n._replace(points=points) if n is line else n for n in drawing.lines)
        return [fault.partition(",")[0] for fault in covered(replace(drawing, lines=lines))]

    assert "the shaft of t1.forward.h--t1.y.op is 1.0" in seen(
        (right - 1, top), (right - 1, y), (right, y))
    assert "t1.forward.h--t1.y.op runs over the head of t1.forward.h--t2.forward.linear.2" in seen(
        (right + 5, top), (right + 5, y + 30))


def test_the_check_sees_a_line_at_the_base_of_a_head():
    drawing = drawings("fed back")["flow"]
    fed = next(n for n in drawing.lines if n.id == "t1.y--t2.linear")
    head = next(n for n in drawing.lines if n.id == "t2.linear.2--t2.plus")
    x, base = fed.points[1][0], head.points[-1][0] + style.head(head.width)[0]
    assert x - base - fed.width / 2 > 4.0  # in the middle of the shaft
    beside = fed._replace(points=tuple((base + 2.0 if px == x else px, py)
                                       for px, py in fed.points))
    lines = tuple(beside if n is fed else n for n in drawing.lines)
    assert list(covered(replace(drawing, lines=lines))) == \
        [f"{fed.id} runs at the base of the head of {head.id}"]


def test_a_dot_stands_where_gradients_meet_and_the_check_asks_for_it():
    drawing = drawings("GRU")["flow"]
    up = next(n for n in drawing.lines if n.id == "t1.h--t2.times.3")
    dots = [box for box in drawing.boxes if ".parting" in box.id]
    assert any((box.x, box.y) == up.points[-2] for box in dots)
    bare = replace(drawing, boxes=tuple(box for box in drawing.boxes if box not in dots))
    assert len({wrong.rpartition(" part ")[2] for wrong in undotted(bare)}) == len(dots)


def test_wires_part_where_they_bend_apart_or_one_goes_on():
    tail, head = Glyph("a", "circle", "op", ()), Glyph("b", "circle", "op", ())
    ways = [((0, 0), (9, 0), (9, 9)), ((0, 0), (9, 0), (9, -9)), ((0, 0), (20, 0)),
            ((0, 0), (10, 0), (10, 5), (15, 5)), ((0, 1), (0, 9))]
    wires = [(Wire(tail, head, "inner", width=width), way) for width, way in enumerate(ways)]
    found = {at: wire.width for wire, at in partings(wires)}
    assert found == {(10, 0): 3, (10, 5): 3}  # what bends 1 apart is one line to the eye
    assert partings(wires[2:3]) == []


def test_heads_that_come_back_into_one_box_are_a_head_apart():
    drawing = draw.gradient_flow(gradient_flow(GRAPHS["LSTM"]()), level="layer").drawing
    into = [n for n in drawing.lines if n.id.startswith("LSTM--")]
    (_, y), (_, z) = (n.points[-1] for n in into)
    assert abs(y - z) > 2 * style.head(max(n.width for n in into))[1] - 0.1
    at_one = [n._replace(points=(*n.points[:-1], into[0].points[-1])) for n in into]
    assert len([*blotted(replace(drawing, lines=tuple(at_one)))]) == 1


@pytest.mark.parametrize("direction", ["right", "down"])
def test_many_heads_at_a_box_all_find_their_place_on_it(direction):
    drawing = draw.gradient_flow(gradient_flow(unstamped(14)), direction=direction).drawing
    ends = [n.points[-1] for n in drawing.lines if n.id.startswith("w--")]
    assert len(ends) == 14
    assert min(math.dist(p, q) for p, q in itertools.combinations(ends, 2)) > 3
    assert faults(drawing) == []


@pytest.mark.parametrize("share", [0.86, 0.98, 1.02])
def test_the_check_sees_a_shaft_that_is_shorter_than_its_head(share):
    drawing = draw.gradient_flow(gradient_flow(GRAPHS["bidirectional"]())).drawing
    line = max((n for n in drawing.lines if n.arrow and not n.dash), key=lambda n: n.width)
    (x, y), short = line.points[-1], share * style.head(line.width)[0]
    bent = line._replace(points=((x - 40, y - short), (x, y - short), (x, y)))
    found = [*covered(replace(drawing, lines=(bent,)))]
    assert bool(found) == (share < 1)
    assert all(fault.startswith(f"the shaft of {line.id} is {short:.1f}") for fault in found)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_way_does_not_run_back_along_the_shaft_that_it_was_given(side):
    """Out by 16, and up; not back by 11 to save two bends. What goes straight on may."""
    box, above = (-10.0, -8.0, 10.0, 8.0), (-10.0, -108.0, 10.0, -92.0)
    start, stop = End((10.0 * side, 0.0), (16.0 * side, 0.0)), (10.0 * side, -100.0)
    limits = (-60.0, -150.0, 60.0, 50.0)
    way = search([box, above], [], limits, [start], [End(stop, (5.0 * side, 0.0))])
    assert way[:2] == ((10.0 * side, 0.0), (26.0 * side, 0.0))
    assert way[-1] == stop
    on = search([box], [], limits, [start], [End((50.0 * side, 0.0), (-5.0 * side, 0.0))])
    assert on == ((10.0 * side, 0.0), (50.0 * side, 0.0))


def test_a_way_is_found_in_a_crowd_that_is_too_large_to_look_through():
    rng = random.Random(0)
    boxes = [(x, y, x + 4, y + 4) for x, y in
             [(rng.uniform(20, 1980), rng.uniform(20, 1980)) for _ in range(400)]]
    ends = End((0.0, 5.0), (5.0, 0.0)), End((2000.0, 1995.0), (-5.0, 0.0))
    places = [end.outside for end in ends]
    lines = [lines_of(axis, boxes, [], (0, 0, 2000, 2000), places, 1.0) for axis in (0, 1)]
    assert len(lines[0]) * len(lines[1]) > MOST
    way = search(boxes, [], (0, 0, 2000, 2000), ends[:1], ends[1:])
    assert way[0] == ends[0].point
    assert way[-1] == ends[1].point
    assert not any(meets(p, q, box, 0.0) for p, q in itertools.pairwise(way) for box in boxes)


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("flow", [False, True])
def test_the_check_sees_what_leaves_its_step(flow, direction):
    """A tap that comes up outside of the frame or along its outline, and a wire that goes round
    through the room between two steps; not the way of a tap from its rail."""
    root = GRAPHS["GRU"]()
    drawing = (draw.gradient_flow(gradient_flow(root), direction=direction) if flow else
               draw.unrolled(root, direction=direction)).drawing
    assert not [*strayed(drawing)]
    boxes = {box.id: box for box in drawing.boxes}
    frames = [frame.sides for frame in drawing.frames]
    down = direction == "down"
    tap = next(n for n in drawing.lines if n.id == "W_hh--t2.linear.2")
    wire = next(n for n in drawing.lines if n.id == "t2.h.op--t2.h")
    sides = step_of(boxes["t2.h"], frames)
    first, last = (sides[1], sides[3]) if down else (sides[0], sides[2])

    def seen(line, to):
        """Whether it is told of a line with a bend at a place along time."""
        (x, y), (u, v) = line.points[0], line.points[-1]
        bends = ((x, to), (u, to)) if down else ((to, y), (to, v))
        if line is tap:  # from the rail on, at that place
            start, end = (line.points[0], line.points[-1])[::-1 if flow else 1]
            points = ((start[0], to), (end[0], to), end) if down else \
                ((to, start[1]), (to, end[1]), end)
            points = points[::-1] if flow else points
        else:
            points = (line.points[0], *bends, line.points[-1])
        lines = tuple(n._replace(points=points) if n is line else n for n in drawing.lines)
        return [*strayed(replace(drawing, lines=lines))] == [f"{line.id} leaves its step"]

    for line in (tap, wire):
        assert all(seen(line, to) for to in (first - 8, first, first + 1, last - 1, last + 8))
        assert not any(seen(line, to) for to in (first + 5, last - 5))


@pytest.mark.parametrize(("aside", "turn", "seen"), [
    (0.0, 0.0, True), (1.0, 0.0, True), (2.0, 0.0, False), (0.0, 0.05, True), (0.0, 0.2, False)])
def test_the_check_sees_slanting_lines_on_one_another(aside, turn, seen):
    """Nearer than a line is wide, or crossing at three degrees: not at eleven."""
    drawing = draw.unrolled(GRAPHS["neuron"]()).drawing
    a, b = [n for n in drawing.lines if n.tail != n.head][:2]
    x, y, long, at = 10.0, 20.0, 100.0, 0.6
    points = [tuple((x + far * long * math.cos(way) - up * math.sin(way),
                     y + far * long * math.sin(way) + up * math.cos(way)) for far in (-1, 1))
              for way, up in ((at, 0.0), (at + turn, aside))]
    lines = a._replace(points=points[0]), b._replace(points=points[1])
    assert bool([*merged(replace(drawing, lines=lines))]) == seen


@pytest.mark.parametrize("name", GRAPHS)
def test_ids_are_unique_and_lines_end_at_things_that_exist(name):
    for drawing in drawings(name).values():
        ids = [x.id for x in (*drawing.boxes, *drawing.frames, *drawing.lines, *drawing.strips)]
        assert len(ids) == len(set(ids))
        assert {e for n in drawing.lines for e in (n.tail, n.head)} - {None} <= set(ids)
