"""Stacked and bidirectional layers, direction, first states, all states, dropout between layers."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core import walk
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import InputError, ShapeError, UnsupportedError

T, B, I, H = 4, 2, 3, 5
CELLS = pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])


def inputs(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def scopes(root):
    return {n.scope for n in walk.nodes(root)}


# --- direction ----------------------------------------------------------------------------------


@CELLS
def test_reverse_is_the_turned_sequence(make):
    xs = inputs(T, B, I)
    options = {"return_sequences": True, "return_state": True, "seed": 0}
    out, state = make(I, H, reverse=True, **options)(xs)
    turned, same = make(I, H, **options)(xs[::-1])
    np.testing.assert_array_equal(out.numpy(), turned.numpy()[::-1])
    np.testing.assert_array_equal(getattr(state, "h", state).numpy(),
                                  getattr(same, "h", same).numpy())
    last = make(I, H, reverse=True, seed=0)(xs)
    np.testing.assert_array_equal(last.numpy(), out.numpy()[0])
    assert [h.step for h in out.operands] == [1, 2, 3, 4]
    assert f"h_{T + 1}" in {n.label for n in walk.nodes(out)}
    assert make(I, H, reverse=True, seed=0)(xs[:0]).shape == (B, H)


# --- all states ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
def test_all_states(reverse):
    xs = inputs(T, B, I)
    layer = nn.LSTM(I, H, return_state=True, return_all_states=True, reverse=reverse, seed=0)
    last, state, states = layer(xs)
    assert (states.h.shape, states.c.shape) == ((T, B, H), (T, B, H))
    end = 0 if reverse else -1
    np.testing.assert_array_equal(states.h.numpy()[end], last.numpy())
    np.testing.assert_array_equal(states.c.numpy()[end], state.c.numpy())
    by_hand = None
    for t in reversed(range(T)) if reverse else range(T):
        _, by_hand = layer.cell(xs[t], by_hand)
        np.testing.assert_array_equal(states.c.numpy()[t], by_hand.c.numpy())
    assert [c.label for c in states.c.operands] == ["c_1", "c_2", "c_3", "c_4"]
    assert layer(xs[:0])[2].c.shape == (0, B, H)
    assert nn.GRU(I, H, return_all_states=True)(xs[:, 0])[1].shape == (T, H)


def test_all_states_of_stacked_and_bidirectional():
    model = nn.Stacked([nn.Bidirectional(nn.LSTM(I, H, return_sequences=True)),
                        nn.GRU(2 * H, H)], return_all_states=True)
    last, states = model(inputs(T, B, I))
    assert last.shape == (B, H)
    assert states[0][0].c.shape == states[0][1].h.shape == states[1].shape == (T, B, H)


# --- first states -------------------------------------------------------------------------------


@CELLS
@pytest.mark.parametrize("shape", [(T, B, I), (T, I)])
def test_a_learned_first_state(make, shape):
    layer = make(I, H, initial_state="learned", seed=0)
    names = [name for name, _ in layer.named_parameters() if name.endswith("_0")]
    assert names == (["h_0", "c_0"] if make is nn.LSTM else ["h_0"])
    xs = inputs(*shape)
    np.testing.assert_array_equal(layer(xs).numpy(), make(I, H, seed=0)(xs).numpy())
    for name in names:
        getattr(layer, name).data = inputs(H, seed=ord(name[0]))
    given = [np.broadcast_to(getattr(layer, n).numpy(), (*shape[1:-1], H)) for n in names]
    last = layer(xs)
    expected = make(I, H, seed=0)(xs, tuple(given) if len(given) > 1 else given[0])
    np.testing.assert_array_equal(last.numpy(), expected.numpy())
    last.sum().backward()
    assert all(np.all(getattr(layer, name).grad != 0.0) for name in names)
    firsts = {n.label for n in walk.nodes(last) if n.op.name == "broadcast"}
    assert firsts == set(names)


def test_a_random_first_state():
    layer = nn.LSTM(I, H, initial_state="random", seed=0)
    xs = inputs(T, B, I)
    one, same, other = (layer(xs, rng=seed).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    draws = np.random.default_rng(1)
    state = draws.standard_normal((B, H)), draws.standard_normal((B, H))
    np.testing.assert_array_equal(one, nn.LSTM(I, H, seed=0)(xs, state).numpy())
    with pytest.raises(InputError, match="needs a generator"):
        layer(xs)


@pytest.mark.parametrize("options", [
    {"initial_state": "ones"}, {"padding": "mirror"}, {"recurrent_dropout": 1.0},
    {"recurrent_dropout": -0.1}, {"recurrent_dropout": True}])
def test_options_that_cannot_be(options):
    with pytest.raises(InputError, match=next(iter(options))):
        nn.RNN(I, H, **options)


def test_options_that_a_plain_function_cannot_have():
    for options in ({"initial_state": "learned"}, {"recurrent_dropout": 0.5}):
        with pytest.raises(InputError):
            nn.Recurrent(lambda x, state: (x, state), **options)


# --- frames -------------------------------------------------------------------------------------


def test_frames_are_flattened_on_request():
    frames = inputs(T, B, 2, 2, 3)
    layer = nn.GRU(12, H, flatten=True, seed=0)
    expected = nn.GRU(12, H, seed=0)(frames.reshape(T, B, 12)).numpy()
    x = Tensor(frames, requires_grad=True)
    for given in (frames, list(frames), x):
        np.testing.assert_array_equal(layer(given).numpy(), expected)
    layer(x).sum().backward()
    assert x.grad.shape == frames.shape
    assert np.all(x.grad != 0.0)
    with pytest.raises(ShapeError, match="flatten=True"):
        nn.GRU(12, H)(frames)


# --- stacked ------------------------------------------------------------------------------------


@CELLS
def test_a_stack_is_layers_by_hand(make):
    layers = [make(I, H, return_sequences=True, seed=0),
              make(H, 2, return_sequences=True, seed=1), make(2, H, seed=2)]
    xs = inputs(T, B, I)
    last, state = nn.Stacked(layers, return_state=True)(xs)
    middle = layers[1](layers[0](xs))
    np.testing.assert_array_equal(last.numpy(), layers[2](middle).numpy())
    assert len(state) == 3
    assert getattr(state[2], "h", state[2]).numpy().tolist() == last.numpy().tolist()
    assert {"layer 0", "layer 1", "layer 2"} <= scopes(last)
    with tg.scope("encoder"):
        assert "encoder/layer 1" in scopes(nn.Stacked(layers)(xs))


def test_states_of_a_stack_carry_on():
    model = nn.Stacked([nn.LSTM(I, H, return_sequences=True), nn.GRU(H, H)], return_states=True)
    xs = inputs(2 * T, B, I)
    whole, end = model(xs)
    _, middle = model(xs[:T])
    last, same = model(xs[T:], middle)
    np.testing.assert_array_equal(last.numpy(), whole.numpy())
    np.testing.assert_array_equal(same[0].c.numpy(), end[0].c.numpy())
    zeros, _ = model(xs, [None, None])
    np.testing.assert_array_equal(zeros.numpy(), whole.numpy())


def test_what_the_layers_return_counts():
    assert nn.Stacked([nn.RNN(I, H, return_sequences=True), nn.RNN(H, H, return_state=True)]
                      ).return_state
    model = nn.Stacked([nn.RNN(I, H, return_sequences=True),
                        nn.RNN(H, H, return_sequences=True)])
    assert model(inputs(T, B, I)).shape == (T, B, H)
    assert model(inputs(0, B, I)).shape == (0, B, H)
    model.layers[1].return_sequences = False
    assert model(inputs(T, B, I)).shape == (B, H)
    assert model(inputs(0, B, I)).shape == (B, H)
    assert (model.input_size, model.output_size) == (I, H)


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: nn.Stacked([nn.RNN(4, 8), nn.RNN(8, 3)]), ShapeError,
     r"stacked layer 1 expects a sequence \(T, B, 8\) but layer 0 returns only its last step "
     r"\(B, 8\): set return_sequences=True on layer 0"),
    (lambda: nn.Stacked([nn.RNN(4, 8, return_sequences=True), nn.GRU(7, 3)]), ShapeError,
     r"stacked layer 1 expects a sequence \(T, B, 7\) but layer 0 gives \(T, B, 8\)"),
    (lambda: nn.Stacked([]), InputError, "at least one layer"),
    (lambda: nn.Stacked([nn.RNNCell(4, 8)]), InputError, r"got RNNCell.*nn\.Recurrent\(cell\)"),
    (lambda: nn.Stacked([nn.RNN(4, 8)])(np.ones((2, 3, 4)), [None, None]), InputError,
     r"list of 1 initial states, one for each layer, got 2"),
    (lambda: nn.Stacked([nn.RNN(4, 8)])(np.ones((2, 3, 5))), ShapeError,
     r"\(T, B, 4\) or \(T, 4\), got \(2, 3, 5\)"),
])
def test_stacks_that_cannot_be(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_layer_that_no_longer_gives_sequences_is_caught_at_the_call():
    model = nn.Stacked([nn.RNN(I, H, return_sequences=True), nn.RNN(H, H)])
    model.layers[0].return_sequences = False
    with pytest.raises(ShapeError, match="set return_sequences=True on layer 0"):
        model(inputs(T, B, I))


def test_dropout_between_layers():
    layers = [nn.RNN(I, H, return_sequences=True, seed=0), nn.RNN(H, H, seed=1)]
    model, xs = nn.Stacked(layers, dropout=0.5), inputs(T, B, I)
    plain = nn.Stacked(layers)(xs).numpy()
    np.testing.assert_array_equal(model(xs).numpy(), plain)
    one, same, other = (model(xs, rng=seed).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    keep = (np.random.default_rng(1).random((T, B, H)) >= 0.5) / 0.5
    np.testing.assert_array_equal(one, layers[1](layers[0](xs).numpy() * keep).numpy())


# --- bidirectional ------------------------------------------------------------------------------


MERGES = {"concat": lambda f, b: np.concatenate([f, b], -1), "sum": lambda f, b: f + b,
          "mul": lambda f, b: f * b, "ave": lambda f, b: (f + b) / 2, "none": lambda f, b: (f, b)}


@CELLS
@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("sequences", [False, True])
def test_two_directions(make, merge, sequences):
    xs = inputs(T, B, I)
    forward, backward = (make(I, H, return_sequences=sequences, seed=k) for k in (0, 1))
    model = nn.Bidirectional(forward, backward, merge=merge, return_state=True)
    result, state = model(xs)
    there = forward(xs).numpy()
    back = backward(xs[::-1]).numpy()
    back = back[::-1] if sequences else back
    expected = MERGES[merge](there, back)
    for got, wanted in zip(*(v if merge == "none" else (v,) for v in (result, expected))):
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-15)
    assert len(state) == 2
    np.testing.assert_array_equal(getattr(state[1], "h", state[1]).numpy(),
                                  back[0] if sequences else back)
    root = result[0] + result[1] if merge == "none" else result
    assert {"forward", "backward"} <= scopes(root)
    empty = model(inputs(0, B, I))[0]
    for part in empty if merge == "none" else [empty]:
        width = 2 * H if merge == "concat" else H
        assert part.shape == ((0, B, width) if sequences else (B, width))


@CELLS
def test_own_initial_states(make):
    xs = inputs(T, B, I)
    model = nn.Bidirectional(make(I, H, seed=0))
    f, b = (inputs(B, H, seed=k) for k in (1, 2))
    if make is nn.LSTM:
        f, b = (f, None), (b, inputs(B, H, seed=3))
    result = model(xs, (f, b)).numpy()
    np.testing.assert_array_equal(result[:, :H], model.forward_layer(xs, f).numpy())
    np.testing.assert_array_equal(result[:, H:], model.backward_layer(xs[::-1], b).numpy())


def test_a_twin_from_a_spawned_seed():
    layer = nn.LSTM(I, H, return_sequences=True, forget_bias=2.0, initial_state="learned", seed=3)
    one, two = (nn.Bidirectional(layer) for layer in (layer, nn.LSTM(
        I, H, return_sequences=True, forget_bias=2.0, initial_state="learned", seed=3)))
    assert one.forward_layer is layer
    for name, p in one.backward_layer.named_parameters():
        np.testing.assert_array_equal(p.numpy(), two.backward_layer.state_dict()[name])
        assert p is not dict(layer.named_parameters())[name]
    assert not np.allclose(one.backward_layer.cell.W_hh.numpy(), layer.cell.W_hh.numpy())
    np.testing.assert_array_equal(one.backward_layer.cell.b_h.numpy()[H:2 * H], 2.0)
    assert len(one.parameters()) == 10


@pytest.mark.parametrize("make", [
    lambda: nn.Recurrent(nn.DeepRNNCell(I, H, deep_input=[2], seed=0)),
    lambda: nn.Recurrent(nn.SkipRNNCell(I, H, seed=0)),
    lambda: nn.Recurrent(nn.ReadoutCell(nn.GRUCell(I, H, seed=0), 2, skip=True, seed=0)),
    lambda: nn.Stacked([nn.RNN(I, H, return_sequences=True, seed=0), nn.GRU(H, 2, seed=1)])])
def test_twins_of_other_layers(make):
    model = nn.Bidirectional(make())
    names = list(model.forward_layer.state_dict())
    assert names == list(model.backward_layer.state_dict())
    assert len(model.parameters()) == 2 * len(names)
    for name, p in model.backward_layer.named_parameters():
        assert not np.array_equal(p.numpy(), model.forward_layer.state_dict()[name])
    model(inputs(T, B, I)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: nn.Bidirectional(nn.RNNCell(I, H)), InputError, "got RNNCell"),
    (lambda: nn.Bidirectional(nn.RNN(I, H), merge="max"), InputError, "'concat' or 'sum'"),
    (lambda: nn.Bidirectional(nn.RNN(I, H), nn.RNN(I, H, return_sequences=True)), InputError,
     "False forward and True backward"),
    (lambda: nn.Bidirectional(nn.RNN(I, H), nn.RNN(I + 1, H)), ShapeError,
     "same input_size .* got 3 forward and 4 backward"),
    (lambda: nn.Bidirectional(nn.RNN(I, H), nn.RNN(I, H + 1), merge="sum"), ShapeError,
     "same output size .* got 5 forward and 6 backward"),
    (lambda: nn.Bidirectional(nn.RNN(I, H))(inputs(T, B, I), np.zeros((3, H))), InputError,
     r"\(of forward, of backward\)"),
    (lambda: nn.Bidirectional(nn.Bidirectional(nn.RNN(I, H))), InputError, "bidirectional itself"),
    (lambda: nn.Bidirectional(nn.Recurrent(lambda x, s: (x, s))), InputError, "Give both"),
    (lambda: nn.Bidirectional(nn.RNN(I, H))(inputs(T, B, I), (None, np.zeros((B, 9)))),
     ShapeError, r"backward, RNNCell.* initial state of shape \(2, 5\), got \(2, 9\)"),
])
def test_directions_that_cannot_be(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_cell_that_cannot_be_drawn_again():
    class Own(nn.Cell):
        input_size = hidden_size = I
        dtype = np.dtype(float)

        def __call__(self, x, state):
            h = (x + state).named("h")
            return h, h

        def settings(self):
            return ""

    layer = nn.Recurrent(Own())
    np.testing.assert_allclose(layer(np.ones((T, B, I))).numpy(), T)
    np.testing.assert_allclose(
        nn.Bidirectional(layer, nn.Recurrent(Own()))(np.ones((T, B, I))).numpy(), T)
    with pytest.raises(UnsupportedError, match="Give both"):
        nn.Bidirectional(layer)


def test_unequal_directions_are_concatenated():
    model = nn.Bidirectional((nn.RNN(I, H), nn.LSTM(I, 2)))
    assert model(inputs(T, B, I)).shape == (B, H + 2)
    assert model.output_size == H + 2


def test_a_deep_bidirectional_network_in_scopes():
    model = nn.Stacked([nn.Bidirectional(nn.GRU(I, H, return_sequences=True)),
                        nn.Bidirectional(nn.GRU(2 * H, H))])
    last = model(inputs(T, B, I))
    assert {"layer 0/forward", "layer 0/backward", "layer 1/forward", "layer 1/backward",
            "layer 0", "layer 1"} <= scopes(last)
    assert last.step == T


# --- combinations that mean nothing -------------------------------------------------------------


@pytest.mark.parametrize("layers", [
    lambda: [nn.RNN(4, 4, return_sequences=True), nn.RNN(4, 4, reverse=True)],
    lambda: [nn.RNN(4, 4, return_sequences=True, reverse=True), nn.RNN(4, 4)],
    lambda: [nn.Bidirectional(nn.RNN(4, 2, return_sequences=True)), nn.RNN(4, 4)],
    lambda: [nn.RNN(4, 4, return_sequences=True), nn.Bidirectional(nn.RNN(4, 2))],
])
def test_a_residual_stack_with_two_last_steps_is_refused(layers):
    with pytest.raises(InputError, match="all go the same way"):
        nn.Stacked(layers(), residual=True)
    assert nn.Stacked(layers()).output_size == 4


def test_a_residual_stack_in_reverse_ends_at_the_first_step():
    def stack(every):
        return nn.Stacked([nn.RNN(4, 4, return_sequences=True, reverse=True, seed=0),
                           nn.RNN(4, 4, return_sequences=every, reverse=True, seed=1)],
                          residual=True)

    xs = inputs(T, B, 4)
    np.testing.assert_array_equal(stack(False)(xs).numpy(), stack(True)(xs).numpy()[0])


def test_a_direction_that_turns_itself_is_refused():
    turned = nn.RNN(I, H, return_sequences=True, reverse=True)
    plain = nn.RNN(I, H, return_sequences=True)
    both = nn.Stacked([nn.Bidirectional(plain), nn.RNN(2 * H, H, return_sequences=True)])
    for wrong in (turned, nn.Stacked([turned]), both):
        with pytest.raises(InputError, match="left to right"):
            nn.Bidirectional(wrong)
        with pytest.raises(InputError, match="left to right"):
            nn.Bidirectional(wrong, plain)
    with pytest.raises(InputError, match="all layers go the same way"):
        nn.Bidirectional(plain, both)
    assert nn.Bidirectional(plain, turned)(inputs(T, B, I)).shape == (T, B, 2 * H)


def test_a_layer_above_a_pair_is_refused():
    pair = nn.Bidirectional(nn.RNN(4, 4, return_sequences=True), merge="none")
    with pytest.raises(InputError, match="layer 0 gives a pair"):
        nn.Stacked([pair, nn.RNN(4, 4)])
    with pytest.raises(InputError, match="layer 1 gives a pair"):
        nn.Stacked([nn.RNN(4, 4, return_sequences=True), pair], residual=True)


class GainCell(nn.RNNCell):
    """A cell with a parameter that its `draw` does not know of."""

    def __init__(self, *sizes):
        super().__init__(*sizes, seed=0)
        self.gain = tg.Tensor(np.ones(self.hidden_size), requires_grad=True)


def test_a_twin_that_would_share_a_parameter_is_refused():
    with pytest.raises(UnsupportedError, match="share gain"):
        nn.Bidirectional(nn.Recurrent(GainCell(I, H)))


def test_recurrent_takes_cells_not_layers_nor_classes():
    with pytest.raises(InputError, match="RNN, which is a layer"):
        nn.Recurrent(nn.RNN(I, H, return_state=True))
    with pytest.raises(InputError, match="the class LSTMCell"):
        nn.Recurrent(nn.LSTMCell)
