"""The rolled graph: the same picture for every T, and what only some steps do."""

import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Value
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.errors import InputError

from . import graphs
from .faults import faults


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
}


def said(picture):
    return [plain(label.text) for label in picture.drawing.labels]


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
    (lambda t, T: t == 2, {"only t = 2", "some t"}),
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
    assert said(picture).count("only t = 0") == 1
    rails = {box.id for box in boxes if words[box.id] == "p"}
    heads = {line.head for line in picture.drawing.lines
             if line.tail is not None and line.tail.split(".tap")[0] in rails}
    assert [words[head] for head in heads if head in words] == made[-1:]
    assert faults(picture.drawing) == []


@pytest.mark.parametrize("many", [True, False])
def test_making_a_first_state_is_no_step(many):
    words = said(draw.rolled(learned(4, many)))
    assert {"t = 1 … T", "only t = 0", "only t = T+1"} <= set(words)
    assert not [word for word in words if "<" in word or ">" in word]
    assert ("from t = 1" in words) == (not many)  # the last one read backwards


@pytest.mark.parametrize("level", ["op", "cell"])
def test_what_only_some_steps_do_is_said_beside_shapes_too(level):
    words = said(draw.rolled(graphs.written(4), level=level, show=["names", "shapes"]))
    at = words.index("only t = 1") - 1 if "only t = 1" in words else -1
    assert "2 × 5, only t = 1" in words or words[at] == "2 × 5"  # later inputs are outputs


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
