"""Generation: what is fed back, what comes out, and what is refused."""

import numpy as np
import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, InputError

V, H = 4, 3
layer, head = nn.RNN(V, H, seed=0), nn.Linear(H, V, name="hy", seed=1)


class Given:
    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self, shape=None):
        return np.full(shape, self.numbers.pop(0)) if shape else self.numbers.pop(0)


def test_one_hot():
    np.testing.assert_array_equal(nn.one_hot([0, 2], 3), [[1, 0, 0], [0, 0, 1]])
    assert nn.one_hot(np.zeros((2, 5), int), 3).shape == (2, 5, 3)
    assert nn.one_hot(1, 3).tolist() == [0, 1, 0]
    assert nn.one_hot([], 3).shape == (0, 3)
    assert nn.one_hot([1], 3, "float32").dtype == np.float32


@pytest.mark.parametrize(("indices", "error", "words"), [
    ([3], InputError, "0 .. 2"), ([-1], InputError, "0 .. 2"), ([0.5], DTypeError, "whole numbers"),
    (["a"], DTypeError, "whole numbers")])
def test_one_hot_refuses(indices, error, words):
    with pytest.raises(error, match=words):
        nn.one_hot(indices, 3)


@pytest.mark.parametrize(("start", "shape"), [
    (2, (5,)), (nn.one_hot(2, V), (5,)), (nn.one_hot([0, 2], V), (5,)),
    (nn.one_hot([[0, 1], [2, 2]], V), (5, 2))])
@pytest.mark.parametrize("feedback", ["sample", "greedy"])
def test_starts(start, shape, feedback):
    found = nn.generate(layer, head, start, 5, feedback, rng=0)
    assert found.shape == shape
    assert found.dtype.kind == "i"


def test_greedy_is_the_recurrence_by_hand():
    x, h, expected = nn.one_hot(2, V), None, []
    for _ in range(6):
        output, h = layer.cell(x, h)
        index = int(np.argmax(head(output).numpy()))
        expected.append(index)
        x = nn.one_hot(index, V)
    assert nn.generate(layer.cell, head, 2, 6, "greedy").tolist() == expected


def test_a_prime_is_read_before_the_first_output_is_used():
    prime = nn.one_hot([0, 3, 1], V)
    _, state = nn.unroll(layer.cell, prime[:2])
    continued = nn.generate(layer, head, prime[2], 4, "greedy", state=state)
    assert nn.generate(layer, head, prime, 4, "greedy").tolist() == continued.tolist()


def test_sampling_compares_one_uniform_number_with_the_running_sum():
    y = np.log([0.1, 0.2, 0.3, 0.4])
    cell = nn.Recurrent(lambda x, state: (y, state))
    for u, index in [(0.0, 0), (0.0999, 0), (0.1001, 1), (0.2999, 1), (0.3001, 2), (0.9999, 3)]:
        assert nn.generate(cell, None, nn.one_hot(0, V), 1, rng=Given(u)).tolist() == [index]
    even = nn.Recurrent(lambda x, state: (np.zeros(2), state))
    found = nn.generate(even, None, nn.one_hot(0, 2), 1, rng=Given(0.5))
    assert found.tolist() == [1]  # at the border, the next class
    almost = np.nextafter(1.0, 0.0)  # the running sum may end below it
    assert nn.generate(cell, None, nn.one_hot(0, V), 1, rng=Given(almost)).tolist() == [3]


def test_temperature():
    y = np.log([0.4, 0.6])
    cell = nn.Recurrent(lambda x, state: (y, state))
    start = nn.one_hot(0, 2)
    cold = nn.generate(cell, None, start, 200, temperature=0.01, rng=0)
    hot = nn.generate(cell, None, start, 2000, temperature=100.0, rng=0)
    assert cold.mean() == 1.0
    assert abs(hot.mean() - 0.5) < 0.05


def test_the_output_itself_is_fed_back():
    cell = nn.RNNCell(2, 2, seed=0)
    x, h, expected = np.array([1.0, -1.0]), None, []
    for _ in range(3):
        output, h = cell(x, h)
        x = output.numpy()
        expected.append(x)
    np.testing.assert_array_equal(
        nn.generate(cell, None, np.array([1.0, -1.0]), 3, "output"), expected)


def test_a_function_as_feedback():
    seen = []

    def feedback(y):
        seen.append(y.copy())
        return np.eye(V)[0]

    found = nn.generate(layer, head, 0, 3, feedback)
    np.testing.assert_array_equal(found, seen)


def test_seeds_and_nothing_recorded():
    same = [nn.generate(layer, head, 0, 20, rng=5).tolist() for _ in range(2)]
    assert same[0] == same[1]
    assert same[0] != nn.generate(layer, head, 0, 20, rng=6).tolist()
    assert nn.generate(layer, head, 0, 0).shape == (0,)
    assert all(p.grad is None for p in layer.parameters())


@pytest.mark.parametrize("options", [
    {"feedback": "best"}, {"temperature": 0}, {"temperature": -1.0}, {"temperature": float("nan")},
    {"steps": -1}, {"steps": 2.5}, {"start": np.zeros((0, V))}, {"start": V}])
def test_what_cannot_be(options):
    with pytest.raises(InputError):
        nn.generate(**{"cell_or_layer": layer, "head": head, "start": 0, "steps": 3, **options})


@pytest.mark.parametrize("feedback", ["sample", "greedy"])
@pytest.mark.parametrize("bad", [[np.nan] * V, [0.0, np.nan, 0.0, 0.0], [0.0, np.inf, 0.0, 0.0],
                                 [-np.inf] * V])
def test_no_class_is_made_up_where_the_output_is_no_number(feedback, bad):
    with pytest.raises(InputError, match="NaN or Inf"):
        nn.generate(layer, lambda h: np.array(bad), 0, 2, feedback, rng=0)


@pytest.mark.parametrize("feedback", ["sample", "greedy"])
def test_a_class_may_be_ruled_out(feedback):
    allowed = np.array([-np.inf, 0.0, -np.inf, -np.inf])
    drawn = nn.generate(layer, lambda h: allowed, 0, 3, feedback, rng=0)
    assert drawn.tolist() == [1, 1, 1]
