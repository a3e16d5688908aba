"""Keys: the same at every step, for every T, in every run; never two nodes with one key."""

import time

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core.keys import keys

xs = np.random.default_rng(0).normal(size=(7, 2, 4))


def by_hand(T, w=0.2):
    w, h = tg.Value(w, name="w"), tg.Value(0.9, name="x0")
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(w * h + 0.1).named("h")
    return h


def layered(make, T):
    head = nn.Linear(3, 2, name="hy", seed=1)
    layer = make()
    return nn.squared_error(head(layer(xs[:T])), np.zeros((T, 2, 2)))


LAYERS = {
    "rnn": lambda: nn.RNN(4, 3, return_sequences=True, seed=0),
    "lstm": lambda: nn.LSTM(4, 3, return_sequences=True, seed=0),
    "gru": lambda: nn.GRU(4, 3, return_sequences=True, seed=0),
    "stacked": lambda: nn.Stacked([nn.RNN(4, 5, return_sequences=True, seed=0),
                                   nn.LSTM(5, 3, return_sequences=True, seed=1)]),
}


def rolled(root):
    """The rolled keys of every step: {step: set}."""
    found = {}
    for node, key in keys(root).items():
        if node.op.rules:
            found.setdefault(key.step, []).append(key.rolled)
    return {step: sorted(some) for step, some in found.items()}


def test_the_keys_of_a_loop_by_hand():
    named = [str(key) for key in keys(by_hand(2)).values()]
    assert named == ["w", "t1.x0", "t1.*", "t1.+", "t1.h", "t2.*", "t2.+", "t2.h"]


@pytest.mark.parametrize("kind", LAYERS)
def test_every_step_has_the_keys_of_every_other(kind):
    steps = rolled(layered(LAYERS[kind], 5))
    steps.pop(None)
    assert list(steps) == [1, 2, 3, 4, 5]
    assert len({tuple(some) for some in steps.values()}) == 1


@pytest.mark.parametrize("kind", LAYERS)
def test_no_two_nodes_have_one_key(kind):
    found = keys(layered(LAYERS[kind], 4))
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("kind", LAYERS)
def test_t_does_not_matter(kind):
    short, long = layered(LAYERS[kind], 3), layered(LAYERS[kind], 7)
    found = keys(short, long)
    graphs = [{found[n].rolled for n in tg.nodes(root) if n.op.rules} for root in (short, long)]
    assert graphs[0] == graphs[1]
    first = {found[n] for n in tg.nodes(short) if n.step == 2}
    assert first == {found[n] for n in tg.nodes(long) if n.step == 2}


def test_a_weight_of_a_single_step_is_known_by_the_longer_graph():
    one, two = by_hand(1), by_hand(2)
    found = keys(one, two)
    assert {found[n] for n in tg.nodes(one)} < {found[n] for n in tg.nodes(two)}


def test_operands_from_elsewhere_do_not_count_and_weights_do():
    """The term with W_hh is left out at the first step: the others keep their keys."""
    W, U, h = (tg.Value(v, name=n) for v, n in ((0.3, "W"), (0.7, "U"), (0.0, "h0")))
    for t in (1, 2, 3):
        with tg.timestep(t):
            x = tg.Value(float(t), requires_grad=False)
            z = U * x if t == 1 else W * h + U * x
            h = tg.tanh(z).named("h")
    found = [(n, k.rolled) for n, k in keys(h).items() if n.op.name == "*"]
    assert found[0][1] == found[2][1] == found[4][1]  # U * x at the steps 1, 2, 3
    assert found[1][1] == found[3][1] != found[0][1]


def test_inputs_belong_to_the_step_that_uses_them():
    w, h = tg.Value(0.5, name="w"), tg.Value(0.0, name="h0")
    inputs = [tg.Value(float(t), name="x") for t in range(3)]
    for t, x in enumerate(inputs, 1):
        with tg.timestep(t):
            h = (w * h + x).named("h")
    found = keys(h)
    assert [str(found[x]) for x in inputs] == ["t1.x", "t2.x", "t3.x"]
    assert len({found[x].rolled for x in inputs}) == 1
    assert str(found[w]) == "w"


def test_a_graph_without_steps():
    a, b = tg.Value(2.0, name="a"), tg.Value(-3.0, name="b")
    y = (a * b + tg.tanh(a)) ** 2
    assert [str(k) for k in keys(y).values()] == ["a", "b", "*", "tanh", "+", "**"]


def test_equal_places_are_counted():
    a = tg.Value(2.0, name="a")
    y = a * a + a * a
    assert [str(k) for k in keys(y).values()] == ["a", "*", "*#2", "+"]


def test_linear_in_time_and_no_recursion():
    def cost(T):
        h = by_hand(T)
        start = time.process_time()
        assert len(keys(h)) == 3 * T + 2
        return time.process_time() - start

    cost(1000)
    assert cost(40_000) < 30 * max(cost(4000), 0.005)
