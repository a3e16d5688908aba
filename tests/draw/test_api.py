"""Models from outside: what goes in and out, where, and of which shape."""

import numpy as np
import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.errors import InputError

from .faults import faults
from .models import MODELS


def words(picture):
    return [plain(x.text) for x in (*picture.drawing.boxes, *picture.drawing.labels) if x.text]


def boxes(picture, role):
    return [plain(b.text) for b in picture.drawing.boxes if b.role == role and b.text]


@pytest.mark.parametrize("name", MODELS)
def test_everything_has_its_own_place(name):
    drawing = draw.api(*MODELS[name]()).drawing
    assert faults(drawing) == []
    ids = [x.id for x in (*drawing.boxes, *drawing.frames, *drawing.lines, *drawing.strips)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("name", "said"), [
    ("one to one", "One to one"), ("many to one", "Many to one"), ("stacked", "Many to one"),
    ("many to many", "Many to many"), ("one to many", "One to many"),
    ("vector to sequence", "Vector to sequence"), ("appended", "Many to many"),
    ("encoder, decoder", "Many to many: encoder and decoder")])
def test_the_pattern_is_named(name, said):
    picture = draw.api(*MODELS[name]())
    assert any(word.startswith(said + ": ") for word in words(picture))


def test_many_to_one_gives_something_at_the_last_step_only():
    picture = draw.api(nn.RNN(4, 3, seed=0), 5)
    assert boxes(picture, "input") == ["x₁", "x₂", "x₃", "x₄", "x₅"]
    assert boxes(picture, "output") == ["h₅"]


def test_a_reverse_layer_ends_at_the_first_step():
    picture = draw.api(nn.RNN(4, 3, reverse=True, return_state=True, seed=0), 3)
    assert boxes(picture, "output") == ["h₁"]
    assert boxes(picture, "initial") == ["h₄"]
    assert boxes(picture, "state")[-1] == "h₁"


def test_what_is_returned_is_marked_and_nothing_else():
    both = draw.api(nn.LSTM(4, 3, return_state=True, return_all_states=True, seed=0), 3)
    assert {"return_state", "return_all_states"} <= set(words(both))
    plain_one = draw.api(nn.LSTM(4, 3, seed=0), 3)
    assert not {"return_state", "return_all_states"} & set(words(plain_one))


@pytest.mark.parametrize("name", ["many to many", "all states", "many to one", "bidirectional"])
def test_the_shapes_are_those_that_a_call_gives(name):
    """Run the model, and compare: every shape that is printed is the shape of something real."""
    model = MODELS[name]()[0]
    T, B = 3, 7
    picture = draw.api(model, T, B)
    xs = np.zeros((T, B, 4))
    for part in model if isinstance(model, list) else [model]:
        given = part(xs)
        xs = given[0] if isinstance(given, tuple) else given
    said = [word for word in words(picture) if word.startswith("out ")]
    assert str(tuple(xs.shape)) in said[0]
    if isinstance(given, tuple):
        for kind, state in zip(("state", "states"), given[1:]):
            for part, value in zip("hc", state if isinstance(state, tuple) else [state]):
                assert any(w.startswith(f"state  {kind} {part} {tuple(value.shape)}")
                           for w in words(picture))


def test_many_steps_are_elided():
    picture = draw.api(nn.RNN(4, 3, return_sequences=True, seed=0), 5_000)
    assert boxes(picture, "input") == ["x₁", "x₂", "x_5,000"]
    assert sum(word == "⋯" for word in words(picture)) == 3
    assert draw.api(nn.RNN(4, 3, seed=0)).drawing.width < 600


def test_what_a_model_reads_is_read_and_not_heard():
    said = words(draw.api(*MODELS["vector to sequence"]()))
    assert any(word.endswith("read at every step") for word in said)


def test_feedback_says_whether_the_gradient_goes_back_through_it():
    for feedback, said, dashed in (("free", "goes back through it", False),
                                   ("free_detached", "no gradient", True),
                                   ("teacher", "teacher forcing", True)):
        picture = draw.api(nn.OutputFeedback(nn.RNN(3, 3, seed=0), None, feedback), 3)
        assert any(said in word for word in words(picture))
        lines = [n for n in picture.drawing.lines if "next step" in n.title]
        assert [bool(n.dash) for n in lines] == [dashed] * 2


@pytest.mark.parametrize(("model", "steps", "says"), [
    (3, None, "expected a layer of nn"), ([], None, "empty list"),
    (nn.RNN(4, 3, seed=0), 0, "at least 1"), (nn.RNN(4, 3, seed=0), True, "at least 1"),
    (nn.RNN(4, 3, seed=0), (3, 4), "expected one number"),
    (nn.EncoderDecoder(nn.RNN(4, 3, seed=0), nn.RNN(2, 3, seed=0), seed=0), (1, 2, 3),
     "steps of the encoder"),
])
def test_what_is_no_model_is_refused(model, steps, says):
    with pytest.raises(InputError, match=says):
        draw.api(model, steps)


def test_a_module_of_the_users_own_is_not_guessed_at():
    class Mine(nn.Module):
        def __init__(self):
            self.rnn = nn.RNN(4, 3, seed=0)

    with pytest.raises(InputError, match=r"draw\.api\(\[model\.rnn, model\.head\]\)"):
        draw.api(Mine())
