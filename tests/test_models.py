"""What can be named on the command line: patterns and functions of one's own."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.cli.models import model
from tinygrad_rnn.cli.patterns import CELLS, PATTERNS
from tinygrad_rnn.errors import InputError

OWN = '''
import numpy as np
import tinygrad_rnn as tg
w, u = tg.Value(0.5, name="w"), tg.Value(0.1, name="u")
def loss():
    return (w * w * u).named("L")
def pair():
    return loss(), [w]
def modules():
    from tinygrad_rnn import nn
    rnn = nn.RNN(2, 3, seed=0)
    return (rnn(np.ones((3, 1, 2))) ** 2).sum(), rnn
def wrong(): return 3.0
def big(): return tg.Tensor(np.ones(3), requires_grad=True) * 2.0
def flat(): return tg.Value(1.0, requires_grad=False)
def raises(): raise ValueError("two\\nlines")
def leaves(): raise SystemExit(3)
def bad_weights(): return loss(), 5
def no_leaf(): return loss(), {"w": w * u}
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_model.py").write_text(OWN)
    return "own_model.py"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_a_loss_of_its_weights(name, cell):
    made = model(name, 3, cell, 1)
    assert np.size(made.loss.value) == 1
    assert made.loss_fn().value == made.loss.value  # the same weights and numbers again
    tg.gradient_flow(made.loss)
    assert all(w.grad is not None for w in made.weights.values())
    assert len(tg.uses(made.loss, made.weight())) == 3


def test_the_same_seed_gives_the_same_model():
    assert model("lstm", seed=3).loss.value == model("lstm", seed=3).loss.value
    assert model("lstm", seed=3).loss.value != model("lstm", seed=4).loss.value


def test_a_function_of_ones_own(own):
    made = model(f"{own}:loss")
    assert list(made.weights) == ["w", "u"]
    assert made.weight().name == "w"  # two uses
    assert list(model("own_model:pair").weights) == ["w"]
    assert list(model("own_model:modules").weights) == ["cell.W_xh", "cell.W_hh", "cell.b_h"]
    assert model("own_model:modules").weight("b_h").shape == (3,)


@pytest.mark.parametrize(("name", "said"), [
    ("many-to-few", "there is no pattern 'many-to-few'; there are scalar, "),
    ("nowhere_at_all:f", "nowhere_at_all: ModuleNotFoundError: "),
    ("nowhere.py:f", "nowhere.py: FileNotFoundError: there is no such file"),
    (":f", "expected module:function"),
    ("own_model.py:", "expected module:function"),
    ("own_model.py:nothing", "has no function 'nothing'; there are loss, pair"),
    ("own_model.py:wrong", "expected a loss (a Value or a Tensor), got float"),
    ("own_model.py:big", "expected a loss of one number"),
    ("own_model.py:flat", "depends on nothing that wants a gradient"),
    ("own_model.py:raises", "own_model.py:raises: ValueError: two lines"),
    ("own_model.py:leaves", "own_model.py:leaves: SystemExit: 3"),
    ("own_model.py:bad_weights", "TypeError"),
    ("own_model.py:no_leaf", "the weight 'w' is no leaf"),
])
def test_what_cannot_be_used_is_said_in_one_line(own, name, said):
    with pytest.raises(InputError) as problem:
        model(name)
    assert said in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_weight_that_is_not_there():
    made = model("stacked")
    with pytest.raises(InputError, match="there is no weight 'V'; there are layer 0/W_xh, "):
        made.weight("V")
    with pytest.raises(InputError, match="several weights are called 'W_hh'"):
        model("encoder-decoder").weight("W_hh")


@pytest.mark.parametrize(("name", "known"), [
    ("stacked", ["layer 0/W_xh", "layer 0/W_hh", "layer 0/b_h",
                 "layer 1/W_xh", "layer 1/W_hh", "layer 1/b_h", "W_hy", "b_y"]),
    ("bidirectional", ["forward/W_xh", "forward/W_hh", "forward/b_h",
                       "backward/W_xh", "backward/W_hh", "backward/b_h", "W_hy", "b_y"]),
    ("many-to-many", ["W_xh", "W_hh", "b_h", "W_hy", "b_y"])])
def test_weights_of_one_name_are_told_apart_by_their_scope(name, known):
    found = model(name, 2)
    assert list(found.weights) == known
    assert found.weight() is found.weights[known[1]]
    assert found.weight(known[1]) is found.weight()
    if name != "many-to-many":
        with pytest.raises(InputError, match="several weights are called 'W_hh'"):
            found.weight("W_hh")
