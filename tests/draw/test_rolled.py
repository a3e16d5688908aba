"""The rolled graph: the same picture for every T, and what only some steps do."""

from itertools import pairwise

import numpy as np
import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import scope, timestep
from tinygrad_rnn.core.values import Value
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.draw.model import Line
from tinygrad_rnn.draw.outlines import meets
from tinygrad_rnn.draw.paper import label_rect
from tinygrad_rnn.draw.routes import joined
from tinygrad_rnn.errors import InputError

from . import graphs
from .faults import around, faults


def learned(T, many):
    """A layer in both directions; each starts from a state that is a parameter."""
    layer = nn.Bidirectional(nn.RNN(4, 3, return_sequences=many, initial_state="learned", seed=0))
    return graphs.priced(graphs.head(6)(layer(graphs.sequence(T, 4))), last=not many)


ROLLED = {
    "RNN": graphs.layer,
    "LSTM": lambda T: graphs.layer(T, kind=nn.LSTM),
    "GRU": lambda T: graphs.layer(T, kind=nn.GRU),
    "many to one": lambda T: graphs.layer(T, many=False),
    "many to one, LSTM": lambda T: graphs.layer(T, many=False, kind=nn.LSTM),
    "many to one, GRU": lambda T: graphs.layer(T, many=False, kind=nn.GRU),
    "stacked": graphs.deep,
    "stacked GRU": lambda T: graphs.deep(T, nn.GRU),
    "stacked LSTM": lambda T: graphs.deep(T, nn.LSTM),
    "both ways": graphs.both_ways,
    "both ways, LSTM": lambda T: graphs.both_ways(T, nn.LSTM),
    "both ways, GRU": lambda T: graphs.both_ways(T, nn.GRU),
    "both ways, last": lambda T: graphs.both_ways(T, many=False),
    "masked": graphs.padded,
    "masked LSTM": lambda T: graphs.padded(T, nn.LSTM),
    "masked GRU": lambda T: graphs.padded(T, nn.GRU),
    "encoder, decoder": lambda T: graphs.seq2seq(T, S=T),
    "encoder, decoder, GRU": lambda T: graphs.seq2seq(T, kind=nn.GRU, S=T),
    "encoder, decoder, both": lambda T: graphs.seq2seq(T, "both", S=T),
    "fed back": graphs.written,
    "steered": graphs.steered,
    "by hand": graphs.vanilla,
    "LSTM by hand": graphs.lstm,
    "scalars": graphs.scalar_rnn,
    "power": graphs.power,
    "timed total": lambda T: graphs.vanilla(T, total="timed"),
    "transposed": graphs.transposed,
    "a learned start": lambda T: learned(T, True),
    "a learned start, last": lambda T: learned(T, False),
    "skipping": lambda T: graphs.skipping(T + 1),
    "window": graphs.window,
    "wide window": lambda T: graphs.window(T + 1, 2, ahead=2),
    "window, backwards": lambda T: graphs.window(T + 1, 2, range(T + 1, 0, -1), ahead=2),
    "window, looking ahead": lambda T: graphs.window(T + 1, 2, name="x{}", ahead=2),
    "kept": graphs.kept,
}


def said(picture):
    return said_of(picture.drawing)


def said_of(drawing):
    return [plain(label.text) for label in drawing.labels]


@pytest.mark.parametrize("name", ROLLED)
def test_three_steps_and_seven_give_the_same_bytes(name):
    few, many = (draw.rolled(ROLLED[name](T)) for T in (3, 7))
    assert few.svg() == many.svg()
    assert few.dot() == many.dot()
    assert faults(few.drawing) == []


def delays(picture):
    """The black squares."""
    return [box.id for box in picture.drawing.boxes if box.role == "delay"]


def test_every_carried_state_has_a_delay_with_its_lag():
    lstm = draw.rolled(graphs.layer(4, kind=nn.LSTM))
    assert sorted(name.split("--")[0] for name in delays(lstm)) == ["c", "h"]
    assert said(lstm).count("t−1") == 2
    ways = draw.rolled(graphs.both_ways(4))
    assert {"t−1", "t+1"} <= set(said(ways))
    assert {"t−1", "t−2"} <= set(said(draw.rolled(graphs.skipping(6))))


def windowed(offsets, order=range(3, 12)):
    """A state of the product of some inputs around each step."""
    xs = [Value(0.01 * i, name=f"x{i}") for i in range(20)]
    w, h = Value(0.2, name="w"), Value(0.9, name="h0")
    for t in order:
        with timestep(t):
            product = xs[t + offsets[0]]
            for d in offsets[1:]:
                product = product * xs[t + d]
            h = ops.tanh(w * h + product).named("h")
    return h


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("offsets", [
    (0, -2), (0, -1), (0, 2), (0, 0, -1), (0, -1, 2), (0, -1, -2), (-2, -1, 0, 1, 2)])
def test_a_square_is_on_the_part_of_a_wire_that_is_its_own_and_hides_no_arrow(offsets, direction):
    """It was on the stem that x_t gives to both operands, or on the head of the arrow."""
    drawing = draw.rolled(windowed(offsets), direction=direction).drawing
    assert faults(drawing) == []
    squares = [box for box in drawing.boxes if box.role == "delay"]
    assert len(squares) > 1
    for box in squares:
        tail = box.id.partition("--")[0]
        at = Line("", ((box.x - 3, box.y - 3), (box.x + 3, box.y + 3)), "line")
        assert sum(meets(p, q, around(at), 0.0) for line in drawing.lines if line.tail == tail
                   for p, q in pairwise(line.points)) == 1, box.id


@pytest.mark.parametrize("offsets", [(0, -2), (0, -1), (0, 0, -1), (0, -1, 2), (0, -1, -2)])
def test_the_lag_of_a_delay_lies_on_no_line(offsets):
    """Where its wire is upright, it stands beside its square."""
    drawing = draw.rolled(windowed(offsets)).drawing
    for label in drawing.labels:
        if plain(label.text)[:2] in ("t−", "t+"):
            assert not [line.id for line in drawing.lines for p, q in pairwise(line.points)
                        if meets(p, q, label_rect(label), -1.0)]


@pytest.mark.parametrize(("reverse", "B"), [(True, 2), (False, 1)])
def test_the_words_of_a_delay_are_not_on_the_frame_where_there_is_room_below(reverse, B):
    """They were looked for beside the square only."""
    model = graphs.masked("RNN", reverse, "learned", "both", B, "zero")
    drawing = draw.rolled(model).drawing
    left, _, right, _ = drawing.frames[0].sides
    lags = [label for label in drawing.labels if plain(label.text)[:2] in ("t−", "t+")]
    assert lags
    for label in lags:
        begin, _, end, _ = label_rect(label)
        assert not begin < left < end, plain(label.text)
        assert not begin < right < end, plain(label.text)


def test_a_loop_that_reads_from_the_end_has_room_for_its_delays():
    assert faults(draw.rolled(windowed((0, 2), range(11, 2, -1))).drawing) == []


def test_a_fed_back_output_has_a_delay_and_is_no_state():
    picture = draw.rolled(graphs.written(3))
    assert sorted(name.split("--")[0] for name in delays(picture)) == ["h", "y"]
    roles = {plain(box.text): box.role for box in picture.drawing.boxes}
    assert (roles["h_t"], roles["y_t"]) == ("state", "output")


def oddly(T, odd):
    w, h = Value(0.5, name="w"), Value(0.3, name="h0")
    for t in range(1, T + 1):
        with timestep(t):
            h = (ops.exp(w * h) if odd(t, T) else ops.tanh(w * h)).named("h")
    return h


@pytest.mark.parametrize(("odd", "words"), [
    (lambda t, T: t == 1, {"only t = 1", "t > 1"}),
    (lambda t, T: t == T, {"only t = T", "t < T"}),
    (lambda t, T: t == 2, {"only t = 2", "t ≠ 2"}),
])
def test_a_loop_whose_one_step_does_something_else_shows_it(odd, words):
    picture = draw.rolled(oddly(5, odd))
    assert words <= set(said(picture))
    assert picture.svg() == draw.rolled(oddly(8, odd)).svg()
    assert not words & set(said(draw.rolled(oddly(5, lambda t, T: False))))


@pytest.mark.parametrize(("level", "made"), [("op", ["@", "+"]), ("cell", ["bridge"])])
@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN])
def test_handing_a_context_over_is_no_part_of_a_step(kind, level, made):
    """The last + of a GRU makes an h as the one of a bridge does, P h + p."""
    picture = draw.rolled(graphs.seq2seq(3, S=3, kind=kind), level=level)
    boxes = picture.drawing.boxes
    words = {box.id: plain(box.text) for box in boxes}
    dashed = [words[box.id] for box in boxes if box.dashed and box.role != "initial"]
    assert dashed == made
    assert said(picture).count("before t = 1") == 1
    assert "t = 1 … T′" in said(picture)  # the steps of its frame: t = 0 would be none of them
    assert not [word for word in said(picture) if "t = 0" in word]
    rails = {box.id for box in boxes if words[box.id] == "p"}
    heads = {line.head for line in picture.drawing.lines
             if line.tail is not None and line.tail.split(".tap")[0] in rails}
    assert [words[head] for head in heads if head in words] == made[-1:]
    assert faults(picture.drawing) == []


@pytest.mark.parametrize("many", [True, False])
def test_making_a_first_state_is_no_step(many):
    words = said(draw.rolled(learned(4, many)))
    assert {"t = 1 … T", "before t = 1", "after t = T"} <= set(words)
    assert not [word for word in words if "<" in word or ">" in word]
    assert ("from t = 1" in words) == (not many)  # the last one read backwards


@pytest.mark.parametrize("level", ["op", "cell"])
def test_what_only_some_steps_do_is_said_beside_shapes_too(level):
    words = said(draw.rolled(graphs.written(4), level=level, show=["names", "shapes"]))
    at = words.index("only t = 1") - 1 if "only t = 1" in words else -1
    assert "2 × 5, only t = 1" in words or words[at] == "2 × 5"  # later inputs are outputs


def two_loops(T, S, read=None):
    """An encoder and a decoder by hand; at its step t, the decoder also reads `read(t)` of the
    encoder's states."""
    w, v, h = Value(0.5, name="w"), Value(0.4, name="v"), Value(0.3, name="h0")
    states = []
    with scope("encoder"):
        for t in range(1, T + 1):
            with timestep(t):
                h = ops.tanh(w * h).named("h")
                states.append(h)
    s = h
    with scope("decoder"):
        for t in range(1, S + 1):
            with timestep(t):
                s = ops.tanh(v * s if read is None else v * s + states[read(t)]).named("s")
    return s


@pytest.mark.parametrize("direction", ["right", "down"])
def test_a_handover_by_hand_says_between_the_frames_which_steps_it_joins(direction):
    picture = draw.rolled(two_loops(4, 2), direction=direction)
    assert said(picture).count("only t = T") == said(picture).count("only t = 1") == 1
    assert {"t = 1 … T", "t = 1 … T′"} <= set(said(picture))
    assert picture.svg() == draw.rolled(two_loops(3, 3), direction=direction).svg()
    assert faults(picture.drawing) == []
    rects = [label_rect(label) for label in picture.drawing.labels
             if plain(label.text).startswith("only")]
    axis = 0 if direction == "right" else 1
    first, second = picture.drawing.frames
    assert all(first.sides[axis + 2] < rect[axis] and rect[axis + 2] < second.sides[axis]
               for rect in rects)


@pytest.mark.parametrize(("S", "read", "words"), [
    (4, lambda t: -t, "from T+1−t"), (4, lambda t: t, "from t+1"),
    (4, lambda t: (0, 3, 1, 4)[t % 4], "from t = 4, 2, 5, 1"),
    (5, lambda t: (0, 3, 1, 4, 2)[t % 5], "from some t"),
])
def test_a_decoder_that_reads_another_step_at_each_of_its_own_says_which(S, read, words):
    assert words in said(draw.rolled(two_loops(6, S, read)))


def test_a_context_is_called_after_the_step_that_leaves_it():
    drawing = draw.rolled(two_loops(4, 3, lambda t: 1)).drawing
    assert "h₂" in [plain(box.text) for box in drawing.boxes]
    assert "only t = 2" in said(draw.rolled(two_loops(4, 3, lambda t: 1)))


def looking_back(T, source):
    """h_t is made of what `source(t, states, first)` gives; all of it is looked at."""
    first, states, total = Value(0.3, name="h0"), [], 0
    for t in range(1, T + 1):
        with timestep(t):
            states.append(ops.tanh(source(t, states, first)).named("h"))
            total = total + (states[-1] * states[-1]).named("L")
    return total


@pytest.mark.parametrize(("source", "words"), [
    (lambda t, h, first: h[-1] if t > 1 else first, {"t−1"}),
    (lambda t, h, first: first if t < 3 else h[-1 - t % 2],
     {"t−2; t−1, t = 4, 6, 8"}),
    (lambda t, h, first: h[-1] if t not in (1, 4) else first, {"t−1, t ≠ 4", "t = 1, 4"}),
    (lambda t, h, first: first if t == 1 else h[-1] if t < 5 else h[-3],
     {"t−3; t−1, t < 5"}),
    (lambda t, h, first: first if t == 1 else h[-{2: 1, 6: 3}.get(t, 2)] if t != 3 else h[0],
     {"t−2; t−1, only t = 2; t−3, only t = 6"}),  # of step 2 it said both
    (lambda t, h, first: h[t // 2 - 1] if t in (2, 4, 9) else first,
     {"t−1, only t = 2; t−2, only t = 4; t−5, only t = T", "t ≠ 2, 4, 9"}),  # there is no rule
])
def test_a_delay_or_a_first_state_that_only_some_steps_use_says_which(source, words):
    picture = draw.rolled(looking_back(9, source))
    assert words <= set(said(picture))
    assert not any("," in word for word in set(said(picture)) - words)


@pytest.mark.parametrize("direction", ["right", "down"])
def test_which_steps_have_a_delay_is_said_once(direction):
    def source(t, h, first):
        return first if t < 3 else h[-1 - t % 2]

    words = said(draw.rolled(looking_back(9, source), direction=direction))
    assert [word for word in words if "4, 6" in word] == ["t−2; t−1, t = 4, 6, 8"]


def crossing(T, lags):
    """h_t reads an older h twice for each of some lags: h_{t-1} tanh(h_{t-1}), say; in a scope."""
    h = [Value(0.1 * i + 0.9, name="h0") for i in range(-max(lags), 0)]
    for t in range(1, T + 1):
        with timestep(t), scope("part"):
            made = 1.0
            for d in lags:
                made = made * (ops.tanh(h[-d]) * h[-d])
            h.append(ops.tanh(made).named("h"))
    return h[-1]


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("lag", [1, 2])
def test_wires_of_one_thing_with_one_lag_have_one_square(lag, direction):
    """Each had its own, and where they went together there were two on one wire."""
    drawing = draw.rolled(crossing(9, (lag,)), direction=direction).drawing
    assert faults(drawing) == []
    assert [box.role for box in drawing.boxes].count("delay") == 1
    assert len([line for line in drawing.lines if line.title == f"t−{lag}"]) == 2


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("collapse", [(), "part"])
def test_wires_with_other_lags_have_squares_of_their_own(collapse, direction):
    """In a box all of them come to the same place; their squares had one name."""
    drawing = draw.rolled(crossing(9, (1, 2)), direction=direction, collapse=collapse).drawing
    assert faults(drawing) == []
    squares = [box.id for box in drawing.boxes if box.role == "delay"]
    assert len(set(squares)) == len(squares) >= 2
    assert {word for word in said_of(drawing) if word[:2] == "t−"} == {"t−1", "t−2"}


@pytest.mark.parametrize(("other", "level"), [
    (((0, 0), (0, -11), (30, -11), (30, 0)), -11),
    (((0, 0), (0, -13), (30, -13), (30, 0)), -10),  # seen as two lines
    (((70, 0), (70, -11), (90, -11), (90, 0)), -10),  # beside it, they have nothing in common
])
def test_wires_that_would_seem_to_be_one_thick_line_are_one(other, level):
    way = (0, 0), (0, -10), (50, -10), (50, 0)
    assert joined(way, [other]) == ((0, 0), (0, level), (50, level), (50, 0))


def irregular(t, h, first):
    """One operand: of the step before at step 2, of three steps ago later."""
    return first if t in (1, 3) else h[-1] if t == 2 else h[-3]


@pytest.mark.parametrize("direction", ["right", "down"])
def test_one_operand_that_is_read_with_several_lags_has_one_wire(direction):
    """There were two wires to one operand, each with a square of its own."""
    drawing = draw.rolled(looking_back(9, irregular), direction=direction).drawing
    assert [box.role for box in drawing.boxes].count("delay") == 1
    assert [plain(label.text) for label in drawing.labels if plain(label.text)[:2] == "t−"] == \
        ["t−3; t−1, only t = 2"]
    assert [line.title for line in drawing.lines if line.title] == ["t−3; t−1"]


def looked_at(T, times):
    """A loop whose state is looked at in some steps only; by name of the loss, at which."""
    w, h, total = Value(0.5, name="w"), Value(0.3, name="h0"), 0
    for t in range(1, T + 1):
        with timestep(t):
            h = ops.tanh(w * h).named("h")
            for name, at in times.items():
                if t in at:
                    total = total + (h * h).named(name)
    return total


@pytest.mark.parametrize(("T", "times", "words", "tooltip"), [
    (6, (2, 4, 6), "t = 2, 4, 6", ""),
    (5, (1, 3, 5), "t = 1, 3, 5", ""),
    (9, (1, 9), "t = 1, T", ""),
    (9, (1, 2, 4, 5, 7, 8, 9), "t ≠ 3, 6", ""),
    (16, range(1, 17, 3), "every 3rd t from 1", ""),
    (30, [t for t in range(1, 31) if t % 3], "all t but every 3rd from 3", ""),
    (11, (1, 2, 4, 7, 11), "5 of 11 steps", "t = 1–2, 4, 7, 11"),
    (95, [t * t for t in range(1, 10)] + [80, 83, 86, 89, 92, 95], "15 of 95 steps",
     "t = 1, 4, 9, 16, 25, 36, 49, 64, 80–81, 83, 86, …, 95"),
])
def test_what_scattered_steps_have_says_which_they_are(T, times, words, tooltip):
    picture = draw.rolled(looked_at(T, {"L": times}))
    assert words in said(picture)
    told = [box.title for box in picture.drawing.boxes if plain(box.text) == "L_t"]
    assert [title.partition(", ")[2] for title in told] == [tooltip]
    assert faults(picture.drawing) == []


def test_other_steps_have_other_words():
    first, second, third = (2, 5, 6, 9, 11), (1, 3, 6, 8, 9), (1, 5, 6, 9, 12)
    words = said(draw.rolled(looked_at(12, {"a": first, "b": second, "c": first, "d": third})))
    counted = [word for word in words if "of 12" in word]
    assert set(counted) == {
        "5 of 12 steps", "5 of 12 steps, with t = 5", "5 of 12 steps, with t = 2"}


@pytest.mark.parametrize("direction", ["right", "down"])
def test_a_weight_that_only_some_steps_use_says_so_at_its_tap(direction):
    w, v, h = Value(0.5, name="w"), Value(0.4, name="v"), Value(0.3, name="h0")
    for t in range(1, 6):
        with timestep(t):
            h = ((v if t == 1 else w) * h).named("h")
    words = said(draw.rolled(h, direction=direction))
    assert {"only t = 1", "t > 1"} <= set(words)


def test_the_padded_step_says_so():
    assert "only t = T" in said(draw.rolled(graphs.padded(4)))


@pytest.mark.parametrize("name", ["L", "total"])
def test_a_total_that_was_added_up_in_the_loop_is_called_as_it_is_unrolled(name):
    h, total = Value(0.3, name="h0"), 0
    for t in range(1, 5):
        with timestep(t):
            h = ops.tanh(h).named("h")
            total = total + (h * h).named("l")
    loss = total.named(name)
    assert f"{name} = Σ l_t" in [plain(box.text) for box in draw.rolled(loss).drawing.boxes]
    assert f"{name} = Σ l_t" in [plain(box.text) for box in draw.unrolled(loss).drawing.boxes]


def test_rolled_and_unrolled_side_by_side():
    picture = draw.rolled(graphs.layer(4), unrolled=True)
    assert "unfold" in said(picture)
    assert faults(picture.drawing) == []
    ids = [box.id for box in picture.drawing.boxes]
    assert len(set(ids)) == len(ids)
    assert {"h", "unrolled.t4.h"} <= set(ids)


def test_without_steps_there_is_nothing_to_roll_up():
    with pytest.raises(InputError, match=r"no time steps.*timestep"):
        draw.rolled(graphs.neuron())
    with pytest.raises(InputError, match="expected a Value or a Tensor"):
        draw.rolled(3)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_what_is_made_of_a_state_that_is_reset_is_drawn_once(kind, reverse):
    """There was a second cell for the steps that reset their state."""
    loss = graphs.masked(kind, reverse, "zeros", "reset", 1, "repeat")
    picture = draw.rolled(loss)
    words = [plain(box.text) for box in picture.drawing.boxes]
    assert words.count("tanh") == (2 if kind == "LSTM" else 1)
    assert words.count("@") == 2
    when, no = ("T−5, T−3", "t+1") if reverse else ("2, 4", "t−1")
    assert f"t = {when}" in said(picture)
    assert f"{no}, t ≠ {when}" in said(picture)  # it said T−4, T−2 of those from the end


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_the_last_output_has_the_place_of_the_others_where_the_last_state_has_no_mask(kind,
                                                                                      reverse):
    """It was in that of the state, which nothing needs there: t−1, only t = T."""
    layer = getattr(nn, kind)(3, 2, return_sequences=True, reverse=reverse, seed=0)
    y = layer(np.ones((5, 2, 3)), mask=np.arange(10).reshape(5, 2) % 4 % 3 > 0)
    picture = draw.rolled((y * y).mean())
    assert not any(w.startswith(("t−1, ", "t+1, ")) for w in said(picture))


def autoregressive(order, T):
    """h_t = tanh(w_1 h_{t-1} + w_2 h_{t-2} + …), from as many first states, all of one name."""
    w = [Value(0.2 + 0.1 * i, name=f"w{i}") for i in range(1, order + 1)]
    h = [Value(0.9 - 0.1 * i, name="h0") for i in range(order)]
    for t in range(1, T + 1):
        with timestep(t):
            total = w[0] * h[-1]
            for i in range(1, order):
                total = total + w[i] * h[-1 - i]
            h.append(ops.tanh(total).named("h"))
    return h[-1]


@pytest.mark.parametrize(("order", "T", "lags"), [
    (2, 2, ["t−1"]), (2, 3, ["t−1", "t−2"]), (2, 4, ["t−1", "t−2"]), (2, 9, ["t−1", "t−2"]),
    (3, 2, ["t−1"]), (3, 3, ["t−1", "t−2"]), (3, 4, ["t−1", "t−2", "t−3"]),
    (3, 9, ["t−1", "t−2", "t−3"])])
def test_what_looks_back_further_does_so_however_few_steps_there_are(order, T, lags):
    """Of two steps a first state seemed to be a weight, and the only look back over two of three
    steps to come from step 1, whatever T is."""
    drawing = draw.rolled(autoregressive(order, T)).drawing
    assert [box.role for box in drawing.boxes].count("initial") == order
    assert sum(box.role.startswith("weight") for box in drawing.boxes) == order
    assert sorted(word for word in said_of(drawing) if word[:2] == "t−") == lags
    assert not any(word.startswith("from") for word in said_of(drawing))


@pytest.mark.parametrize("padding", ["zero", "repeat"])
def test_what_is_made_of_a_masked_output_is_drawn_once(padding):
    """The head, or the concat of both directions, stood twice: once for the steps with a mask."""
    xs = np.random.default_rng(0).normal(size=(6, 2, 3))
    layer = nn.LSTM(3, 4, return_sequences=True, padding=padding, seed=0)
    y = nn.Linear(4, 2, name="hy", seed=1)(layer(xs, lengths=[6, 4]))
    words = [plain(box.text) for box in draw.rolled((y * y).sum()).drawing.boxes]
    assert words.count("@") == 3
    y = nn.Bidirectional(layer)(xs, lengths=[6, 4])
    words = [plain(box.text) for box in draw.rolled((y * y).sum()).drawing.boxes]
    assert words.count("concat") == 1


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("at", [[2], [2, 3], [1, 2, 4]])
def test_what_samples_start_anew_from_is_a_first_state(at, given):
    """It was a rail among the weights where several steps did so, and an input where one did."""
    reset = np.zeros((6, 2), bool)
    reset[at, 0] = True
    layer = nn.RNN(3, 4, return_sequences=True, seed=0)
    y = layer(np.ones((6, 2, 3)), np.ones((2, 4)) if given else None, reset_mask=reset)
    for drawing in (draw.rolled((y * y).sum()).drawing, draw.unrolled((y * y).sum()).drawing):
        first = [box for box in drawing.boxes if box.role == "initial"]
        assert [plain(box.text) for box in first] == ["h₀"] * (1 + given)
        assert max(box.x for box in first) < min(box.sides[0] for box in drawing.frames)
        assert sum(box.role.startswith("weight") for box in drawing.boxes) == 3


@pytest.mark.parametrize(("steps", "said"), [
    ([3, 6, 9], "t = 3, 6 … T"), ([3, 6, 9, 12], "t = 3, 6 … T"), ([1, 2, 4, 9], "t = 1, 2, 4, T"),
    ([1, 2, 4, 5, 6, 7], "t = 1 … T, t ≠ 3"), ([1, 2, 4, 8, 16, 32], "6 of t = 1 … T"),
    ([2, 5], "t = 2, T"), ([0, 1, 2], "t = 0 … T")])
def test_the_frame_says_which_steps_there_are(steps, said):
    """All from the first to the last, it said of h_t = f(h_{t-3}), though no loss reads others."""
    w, h = Value(0.5, name="w"), Value(0.1, name="h0")
    for t in steps:
        with timestep(t):
            h = ops.tanh(w * h).named("h")
    assert said in said_of(draw.rolled(h).drawing)
