"""Masks, lengths and resets: padding of any content changes nothing, and gets no gradient."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core import walk
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import InputError, ShapeError

T, B, I, H = 5, 3, 2, 4
LENGTHS = np.array([5, 2, 3])


def inputs(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def valid(lengths=LENGTHS, steps=T):
    return np.arange(steps)[:, None] < np.asarray(lengths)


LAYERS = {
    "rnn": lambda **o: nn.RNN(I, H, seed=0, **o),
    "lstm": lambda **o: nn.LSTM(I, H, seed=0, **o),
    "gru": lambda **o: nn.GRU(I, H, seed=0, **o),
    "skip": lambda **o: nn.Recurrent(nn.SkipRNNCell(I, H, skips=(2,), seed=0), **o),
    "reverse": lambda **o: nn.LSTM(I, H, reverse=True, seed=0, **o),
    "bidirectional": lambda **o: nn.Bidirectional(nn.GRU(I, H, seed=0, **o)),
    "stacked": lambda **o: nn.Stacked([
        nn.Bidirectional(nn.LSTM(I, H, seed=0, return_sequences=True)),
        nn.LSTM(2 * H, H, seed=1, **o)]),
}


def echo(x, state):
    """A cell of the user's, a plain function."""
    h = tg.tanh(x if state is None else x + 0.5 * state)
    return h, h


MORE = {
    **LAYERS,
    "relu": lambda **o: nn.RNN(I, H, "relu", seed=0, stacked=True, **o),
    "peepholes": lambda **o: nn.LSTM(I, H, peepholes=True, seed=0, **o),
    "gru before": lambda **o: nn.GRU(I, H, reset_after=False, seed=0, **o),
    "learned": lambda **o: nn.LSTM(I, H, initial_state="learned", seed=0, **o),
    "deep": lambda **o: nn.Recurrent(nn.DeepRNNCell(
        I, H, deep_input=[3], deep_transition=[5], deep_output=[3], shortcut=True, seed=0), **o),
    "readout": lambda **o: nn.Recurrent(nn.ReadoutCell(nn.LSTMCell(I, H, seed=0), 3, skip=True,
                                                       seed=1), **o),
    "product": lambda **o: nn.Bidirectional(nn.GRU(I, H, seed=0, **o), merge="mul"),
    "residual": lambda **o: nn.Stacked([nn.RNN(I, H, seed=0, return_sequences=True),
                                        nn.GRU(H, H, seed=1, **o)], residual=True),
    "function": lambda **o: nn.Recurrent(echo, **o),
}
layers = pytest.mark.parametrize("kind", LAYERS)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("where", ["behind", "in front"])
def test_dropout_between_directions_does_not_hang_on_the_padding(fused, where):
    options = {"fused": fused, "recurrent_dropout": 0.3}
    found = []
    for padded in (0, T, 2 * T):
        model = nn.Stacked([
            nn.Bidirectional(nn.LSTM(I, H, return_sequences=True, seed=0, **options)),
            nn.Bidirectional(nn.GRU(2 * H, H, return_sequences=True, seed=1, **options)),
            nn.RNN(2 * H, H, initial_state="random", seed=2, **options)], dropout=0.4)
        rubbish, nothing = np.full((padded, B, I), np.nan), np.zeros((padded, B), bool)
        order = slice(None, None, 1 if where == "behind" else -1)
        xs = np.concatenate([inputs(T, B, I), rubbish][order])
        mask = np.concatenate([valid() if where == "behind" else valid()[::-1], nothing][order])
        rng = np.random.default_rng(3)
        last = model(xs, mask=mask, rng=rng)
        (last * last).sum().backward()
        found.append([last.numpy(), rng.random(), *(p.grad for p in model.parameters())])
    for other in found[1:]:
        for one, same in zip(found[0], other):
            np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("kind", MORE)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("padding", ["repeat", "zero"])
@pytest.mark.parametrize("fused", [False, True])
def test_twice_as_long_with_nan_is_bit_identical(kind, sequences, padding, fused):
    xs = inputs(T, B, I)
    xs[~valid()] = 7.0
    longer = np.concatenate([xs, np.full((T, B, I), np.nan)])
    longer[:T][~valid()] = np.nan
    found = []
    for given in (xs, longer):
        layer = MORE[kind](return_sequences=sequences, return_state=True, padding=padding)
        x = Tensor(given, requires_grad=True)
        with tg.fused() if fused else tg.timestep(1):
            out, state = layer(x, lengths=LENGTHS)
        shown = out[:T] if sequences else out
        for part in parts(state):
            shown = shown.sum() + (part * part).sum()
        (shown * shown).sum().backward()
        values = [out.numpy()[:T] if sequences else out.numpy(), *(p.numpy() for p in parts(state))]
        found.append([*values, x.grad[:T], *(p.grad for p in layer.parameters())])
        assert np.all(x.grad[T:] == 0.0)
        assert np.all(x.grad[:T][~valid()] == 0.0)
        assert np.any(x.grad[:T][valid()] != 0.0)
    for one, other in zip(*found):
        np.testing.assert_array_equal(one, other)
        assert np.all(np.isfinite(one))


@pytest.mark.parametrize("make", [
    lambda **o: nn.RNN(7, 33, **o), lambda **o: nn.LSTM(7, 33, **o), lambda **o: nn.GRU(7, 33, **o),
    lambda **o: nn.GRU(7, 33, reset_after=False, reverse=True, **o),
    lambda **o: nn.Stacked([nn.Bidirectional(nn.RNN(7, 33, seed=1, return_sequences=True)),
                            nn.LSTM(66, 33, peepholes=True, **o)])])
@pytest.mark.parametrize("front", [False, True])
def test_no_product_over_all_steps_has_the_padding_in_it(make, front):
    """BLAS rounds by how many rows there are: so many that it would show."""
    steps, padded = 17, 383
    xs = inputs(steps, B, 7)
    mask = np.arange(steps)[:, None] < [17, 2, 9]
    rubbish, nothing = np.full((padded, B, 7), np.nan), np.zeros((padded, B), bool)
    turn = slice(None, None, -1 if front else 1)
    found = []
    for given, valid, place in ((xs, mask, slice(None)),
                                (np.concatenate([xs, rubbish][turn]),
                                 np.concatenate([mask, nothing][turn]),
                                 slice(padded, None) if front else slice(steps))):
        layer, x = make(seed=0, return_sequences=True, return_state=True), \
            Tensor(given, requires_grad=True)
        with tg.fused():
            out, state = layer(x, mask=valid)
        total = out[place].sum() + sum((p * p).sum() for p in parts(state))
        (total * total).sum().backward()
        found.append([out.numpy()[place], *(p.numpy() for p in parts(state)), x.grad[place],
                      *(p.grad for p in layer.parameters())])
        assert not x.grad[~valid].any()
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def parts(state):
    """All arrays of a state."""
    return [p for s in state for p in parts(s)] if isinstance(state, (tuple, list)) else [state]


@layers
def test_each_sample_is_as_if_it_were_alone(kind):
    layer = LAYERS[kind](return_sequences=True, return_state=True, padding="zero")
    xs = inputs(T, B, I)
    out, state = layer(xs, lengths=LENGTHS)
    for b, n in enumerate(LENGTHS):
        alone, its_state = layer(xs[:n, b])
        np.testing.assert_allclose(out.numpy()[:n, b], alone.numpy(), rtol=1e-12)
        np.testing.assert_array_equal(out.numpy()[n:, b], 0.0)
        for whole, one in zip(parts(state), parts(its_state)):
            np.testing.assert_allclose(whole.numpy()[b], one.numpy(), rtol=1e-12)


@layers
def test_the_last_output_is_each_samples_own(kind):
    xs = inputs(T, B, I)
    last = LAYERS[kind]()(xs, lengths=LENGTHS)
    for b, n in enumerate(LENGTHS):
        np.testing.assert_allclose(last.numpy()[b], LAYERS[kind]()(xs[:n, b]).numpy(), rtol=1e-12)


@layers
def test_lists_and_constants_take_masks_too(kind):
    layer = LAYERS[kind](return_sequences=True)
    xs = inputs(T, B, I)
    expected = layer(xs, lengths=LENGTHS).numpy()
    xs[~valid()] = np.nan
    for given in (xs, list(xs), Tensor(xs), [Tensor(x) for x in xs], xs.tolist()):
        np.testing.assert_array_equal(layer(given, mask=valid()).numpy(), expected)


def test_holes_are_skipped():
    """A sample with masked steps in between is the sample without them."""
    xs, mask = inputs(T, B, I), np.random.default_rng(3).random((T, B)) < 0.6
    mask[2] = False  # a step that is masked for everybody
    for make in (nn.RNN, nn.LSTM, nn.GRU):
        layer = make(I, H, return_sequences=True, return_state=True, seed=0)
        xs[~mask] = np.inf
        out, state = layer(xs, mask=mask)
        for b in range(B):
            alone, its_state = layer(xs[mask[:, b], b])
            np.testing.assert_allclose(out.numpy()[mask[:, b], b], alone.numpy(), rtol=1e-12)
            for whole, one in zip(parts(state), parts(its_state)):
                np.testing.assert_allclose(whole.numpy()[b], one.numpy(), rtol=1e-12)
        steps = [node.step for node in out.operands]
        assert steps == [1, 2, 3, 4, 5]


def test_repeat_begins_with_zeros_and_zero_is_zero_everywhere():
    mask = np.array([0, 1, 0, 0, 1], bool)
    for padding in ("repeat", "zero"):
        out = nn.RNN(I, H, return_sequences=True, padding=padding, seed=0)(
            inputs(T, I), mask=mask).numpy()
        np.testing.assert_array_equal(out[0], 0.0)
        expected = out[1] if padding == "repeat" else 0.0 * out[1]
        np.testing.assert_array_equal(out[2], expected)
        np.testing.assert_array_equal(out[3], expected)
        assert np.any(out[4] != expected)


def test_a_length_of_0():
    layer = nn.LSTM(I, H, return_state=True, seed=0)
    h0, c0 = inputs(B, H, seed=1), inputs(B, H, seed=2)
    last, state = layer(inputs(T, B, I), (h0, c0), lengths=[5, 0, 3])
    np.testing.assert_array_equal(last.numpy()[1], h0[1])
    np.testing.assert_array_equal(state.h.numpy()[1], h0[1])
    np.testing.assert_array_equal(state.c.numpy()[1], c0[1])
    nobody, state = layer(np.full((T, B, I), np.nan), (h0, c0), lengths=[0, 0, 0])
    np.testing.assert_array_equal(nobody.numpy(), h0)
    np.testing.assert_array_equal(state.c.numpy(), c0)
    outputs = nn.LSTM(I, H, return_sequences=True)(inputs(T, B, I), lengths=[0, 0, 0])
    np.testing.assert_array_equal(outputs.numpy(), np.zeros((T, B, H)))


def test_steps_masked_for_everybody_are_trimmed():
    layer = nn.RNN(I, H, return_sequences=True, seed=0)
    mask = np.zeros((T, B), bool)
    mask[1:3] = True
    out = layer(inputs(T, B, I), mask=mask)
    ops = [n.op.name for n in walk.nodes(out)]
    assert ops.count("tanh") == 2
    assert ops.count("where") == 2  # only to fill the places after them
    full = layer(inputs(T, B, I), mask=np.ones((T, B), bool))
    assert "where" not in {n.op.name for n in walk.nodes(full)}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("padding", ["repeat", "zero"])
def test_the_places_of_trimmed_steps(reverse, padding):
    layer = nn.LSTM(I, H, return_sequences=True, return_state=True, reverse=reverse,
                    padding=padding, seed=0)
    xs, mask = inputs(T, B, I), np.zeros((T, B), bool)
    mask[1:3] = True
    out, state = layer(xs, mask=mask)
    inner, its_state = layer(xs[1:3])
    expected = np.zeros((T, B, H))
    expected[1:3] = inner.numpy()
    if padding == "repeat" and reverse:
        expected[0] = expected[1]
    elif padding == "repeat":
        expected[3:] = expected[2]
    np.testing.assert_array_equal(out.numpy(), expected)
    np.testing.assert_array_equal(state.c.numpy(), its_state.c.numpy())
    assert state.c.label == ("c_2" if reverse else "c_3")  # nothing was added behind it


def test_norms_of_masked_states():
    layer = nn.RNN(I, H, return_sequences=True, seed=0)
    out = layer(inputs(T, B, I), lengths=LENGTHS)
    assert list(tg.gradient_flow((out * out).sum()).norms("h")) == [1, 2, 3, 4, 5]


def test_a_plain_function_as_a_cell():
    def running_sum(x, state):
        total = x if state is None else {"sum": state["sum"] + x}["sum"]
        return 2.0 * total, {"sum": total}
    layer = nn.Recurrent(running_sum, return_sequences=True, return_state=True)
    xs = inputs(T, B, I)
    out, state = layer(xs, lengths=LENGTHS)
    expected = np.cumsum(xs * valid()[..., None], 0)
    np.testing.assert_allclose(out.numpy(), 2 * expected)
    np.testing.assert_allclose(state["sum"].numpy(), expected[-1])


# --- starting anew ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("reverse", [False, True])
def test_reset_is_two_sequences_in_one(make, reverse):
    layer = make(I, H, return_sequences=True, reverse=reverse, seed=0)
    xs, h0 = inputs(T, B, I), inputs(B, H, seed=4)
    start = (h0, None) if make is nn.LSTM else h0
    reset = np.zeros((T, B), bool)
    reset[2, 1] = True
    out = layer(xs, start, reset_mask=reset).numpy()
    plain = layer(xs, start).numpy()
    np.testing.assert_array_equal(out[:, [0, 2]], plain[:, [0, 2]])
    fresh, before = slice(2, T), slice(0, 2)
    if reverse:
        fresh, before = before, fresh
    np.testing.assert_allclose(out[fresh, 1], layer(xs[fresh, 1]).numpy(), rtol=1e-12)
    np.testing.assert_array_equal(out[before, 1], plain[before, 1])


@layers
def test_sequences_packed_into_one_row(kind):
    xs = inputs(T, B, I)
    reset = np.zeros((T, B), bool)
    reset[0] = reset[2] = True
    model = LAYERS[kind](return_sequences=True)
    packed = model(xs, reset_mask=reset).numpy()
    np.testing.assert_allclose(packed[:2], model(xs[:2]).numpy(), rtol=1e-12)
    np.testing.assert_allclose(packed[2:], model(xs[2:]).numpy(), rtol=1e-12)


def test_a_reset_in_the_padding_counts():
    layer = nn.GRU(I, H, return_state=True, seed=0)
    reset = np.zeros((T, B), bool)
    reset[-1, 0] = True
    _, plain = layer(inputs(T, B, I), lengths=[3, 3, 2])
    _, state = layer(inputs(T, B, I), lengths=[3, 3, 2], reset_mask=reset)
    np.testing.assert_array_equal(state.numpy()[0], 0.0)
    np.testing.assert_array_equal(state.numpy()[1:], plain.numpy()[1:])


def test_reset_to_a_learned_state_sends_it_a_gradient():
    layer = nn.GRU(I, H, initial_state="learned", seed=0)
    layer.h_0.data = inputs(H, seed=9)
    reset = np.zeros((T, B), bool)
    reset[-1] = True
    last = layer(inputs(T, B, I), np.zeros((B, H)), reset_mask=reset)
    np.testing.assert_allclose(
        last.numpy(), layer(inputs(T, B, I)[-1:]).numpy(), rtol=1e-12)
    last.sum().backward()
    assert np.all(layer.h_0.grad != 0.0)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "error", "words"), [
    ({"mask": np.ones((B, T), bool)}, ShapeError,
     r"RNN.*expected mask of shape \(5, 3\), got \(3, 5\).*mask\.T"),
    ({"mask": np.ones(T, bool)}, ShapeError, r"shape \(5, 3\), got \(5,\)"),
    ({"mask": np.full((T, B), 0.5)}, InputError, r"True and False, got dtype float64"),
    ({"lengths": [1, 2]}, ShapeError, r"lengths of shape \(3,\), one for each sample, got \(2,\)"),
    ({"lengths": [1, 2, 6]}, InputError, r"from 0 to 5, the number of steps, got \[1, 2, 6\]"),
    ({"lengths": [1, 2, -1]}, InputError, r"from 0 to 5"),
    ({"lengths": [1.0, 2.0, 3.0]}, InputError, r"whole numbers"),
    ({"lengths": [1, 2, 3], "mask": valid()}, InputError, r"a mask or lengths, got both"),
    ({"reset_mask": np.ones(B, bool)}, ShapeError, r"reset_mask of shape \(5, 3\), got \(3,\)"),
])
def test_masks_that_do_not_fit(arguments, error, words):
    with pytest.raises(error, match=words):
        nn.RNN(I, H)(inputs(T, B, I), **arguments)


def test_whole_numbers_make_a_mask_too():
    layer = nn.RNN(I, H, seed=0)
    np.testing.assert_array_equal(
        layer(inputs(T, B, I), mask=valid().astype(int)).numpy(),
        layer(inputs(T, B, I), mask=valid()).numpy())
    assert layer(inputs(T, I), lengths=3).shape == (H,)
