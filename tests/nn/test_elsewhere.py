"""Cases that other systems publish for their recurrent layers, with our options: Keras' layer tests
(github.com/keras-team/keras, keras/src/layers/rnn/*_test.py), ONNX' RNN, LSTM and GRU operators,
TensorFlow.js' hard sigmoid gates, and the numbers printed in the CS231n course notebooks."""

import json

import numpy as np
import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.optim.rules import RULES

from .reference import GOLDEN

KERAS = {"rtol": 1e-5, "atol": 1e-6}  # computed in float32


# --- Keras --------------------------------------------------------------------------------------


def count(*shape):
    """0, 1, 2, ... batch first as in Keras, turned to time first."""
    return np.arange(np.prod(shape), dtype=float).reshape(shape).swapaxes(0, 1)


def keras(make, units, width, W_xh=0.01, W_hh=0.02, b=0.03, unit_forget_bias=True, **options):
    """A layer with constant weights. Keras' GRU has two biases when it resets after the product."""
    if make is nn.LSTM and unit_forget_bias and b:
        options["forget_bias"] = 1.0
    layer = make(width, units, bias=bool(b), **options)
    state = {name: np.full(p.shape, {"W_xh": W_xh, "W_hh": W_hh}.get(name, b))
             for name, p in layer.cell.named_parameters()}
    two_biases = "b_hn" in state
    if two_biases:
        state["b_h"][:2 * units] *= 2
    if "forget_bias" in options:
        state["b_h"][units:2 * units] = 1.0
    layer.cell.load_state_dict(state)
    return layer


def same(got, expected):
    """Compare with rows of equal numbers."""
    got = got.numpy()
    np.testing.assert_allclose(got, np.broadcast_to(
        np.reshape(expected, (*np.shape(expected), *(1,) * (got.ndim - np.ndim(expected)))),
        got.shape), **KERAS)


@pytest.mark.parametrize(("make", "shape", "units", "options", "expected"), [
    (nn.RNN, (2, 3, 4), 4, {}, [0.405432, 0.73605347]),
    (nn.RNN, (2, 3, 4), 4, {"reverse": True}, [0.11144729, 0.5528889]),
    (nn.LSTM, (3, 6, 4), 3, {}, [0.6288687, 0.86899155, 0.9460773]),
    (nn.LSTM, (3, 6, 4), 3, {"reverse": True}, [0.35622165, 0.74789524, 0.8872726]),
    (nn.LSTM, (3, 6, 4), 3, {"unit_forget_bias": False}, [0.57019705, 0.8661914, 0.9459622]),
    (nn.LSTM, (3, 6, 4), 3, {"b": 0.0}, [0.54986924, 0.86226785, 0.9443936]),
    (nn.GRU, (3, 6, 4), 3, {}, [0.5217289, 0.6371659, 0.39384964]),
    (nn.GRU, (3, 6, 4), 3, {"reverse": True}, [0.24406259, 0.611516, 0.3928808]),
    (nn.GRU, (3, 6, 4), 3, {"reset_after": False}, [0.51447755, 0.6426879, 0.40208298]),
    (nn.GRU, (3, 6, 4), 3, {"b": 0.0}, [0.49988455, 0.64701194, 0.4103359]),
])
def test_keras_correctness(make, shape, units, options, expected):
    same(keras(make, units, shape[-1], **options)(count(*shape)), expected)


@pytest.mark.parametrize(("make", "expected"), [
    (nn.RNN, [0.40559256, 0.7361247]), (nn.LSTM, [0.3124785, 0.6863672]),
    (nn.GRU, [0.29542392, 0.5885018])])
def test_keras_stateful(make, expected):
    """What Keras keeps inside travels through the signature; to reset is to leave it out."""
    layer, xs = keras(make, 4, 4, return_state=True), count(2, 3, 4)
    for _ in range(2):
        _, state = layer(xs)
        output, _ = layer(xs, state)
        same(output, expected)


def firsts(units, *factors):
    return [np.arange(2.0 * units).reshape(2, units) * k for k in factors]


@pytest.mark.parametrize(("make", "units", "reverse", "expected"), [
    (nn.RNN, 4, False, [[0.33621645] * 4, [0.6262637] * 4]),
    (nn.RNN, 4, True, [[0.07344437] * 4, [0.43043602] * 4]),
    (nn.LSTM, 2, False, [[0.20574439, 0.3558822], [0.64930826, 0.66276]]),
    (nn.LSTM, 2, True, [[0.13281618, 0.2790356], [0.5839337, 0.5992567]]),
    (nn.GRU, 2, False, [[0.23774096, 0.33508456], [0.83659905, 1.0227708]]),
    (nn.GRU, 2, True, [[0.13486053, 0.23261218], [0.78257304, 0.9691353]]),
])
def test_keras_initial_state(make, units, reverse, expected):
    start = firsts(units, 1, 1) if make is nn.LSTM else firsts(units, 1)[0]
    layer = keras(make, units, 3, reverse=reverse)
    same(layer(count(2, 4, 3), start), expected)


HOLES = np.array([[1, 1, 0, 1], [1, 0, 0, 1]], bool).T
ENDS = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool).T
STARTS = np.array([[0, 1, 1, 1], [0, 0, 1, 1]], bool).T


@pytest.mark.parametrize(("make", "units", "mask", "reverse", "expected"), [
    (nn.RNN, 4, HOLES, False, [0.32951632, 0.61799484]),
    (nn.RNN, 4, HOLES, True, [0.07376196, 0.43645123]),
    (nn.LSTM, 2, ENDS, False, [0.11755939, 0.28556206]),
    (nn.LSTM, 2, STARTS, True, [0.15341201, 0.3844719]),
    (nn.GRU, 2, HOLES, False, [0.19393763, 0.30818558]),
    (nn.GRU, 2, HOLES, True, [0.11669192, 0.28380975]),
])
def test_keras_masking(make, units, mask, reverse, expected):
    same(keras(make, units, 3, reverse=reverse)(count(2, 4, 3), mask=mask), expected)


@pytest.mark.parametrize(("make", "mask", "rows"), [
    (nn.RNN, HOLES, ([0.0599281, 0.15122814, 0.15122814, 0.32394567],
                     [0.3969304, 0.3969304, 0.3969304, 0.608085])),
    (nn.LSTM, ENDS, ([0.01588910, 0.05552048, 0.11755939, 0.11755939],
                     [0.14185596, 0.28556206, 0.28556206, 0.28556206])),
    (nn.GRU, HOLES, ([0.03606692, 0.09497581, 0.09497581, 0.19393763],
                     [0.16051409, 0.16051409, 0.16051409, 0.30818558])),
])
@pytest.mark.parametrize("padding", ["repeat", "zero"])
def test_keras_masked_sequences(make, mask, rows, padding):
    layer = keras(make, 2, 3, return_sequences=True, padding=padding)
    expected = np.array(rows).T
    same(layer(count(2, 4, 3), mask=mask), expected if padding == "repeat" else expected * mask)


def both(make, units, width, **options):
    """Keras' Bidirectional of one layer: constant weights in both directions."""
    return keras(make, units, width, **options), keras(make, units, width, **options)


def test_keras_bidirectional():
    xs, there, back = count(2, 3, 4), [0.39687276, 0.7237238], [0.10004295, 0.53391594]
    out = nn.Bidirectional(both(nn.RNN, 2, 4))(xs)
    same(out[:, :2], there)
    same(out[:, 2:], back)
    same(nn.Bidirectional(both(nn.RNN, 2, 4), merge="ave")(xs), [0.24845785, 0.6288199])
    forward, backward = nn.Bidirectional(both(nn.RNN, 2, 4), merge="none")(xs)
    same(forward, there)
    same(backward, back)
    other = keras(nn.RNN, 2, 4, W_xh=0.03, W_hh=0.02, b=0.01)
    same(nn.Bidirectional(keras(nn.RNN, 2, 4), other, merge="mul")(xs), [0.08374989, 0.6740834])
    summed = nn.Bidirectional(both(nn.GRU, 2, 4, return_sequences=True), merge="sum")(xs)
    same(summed, [[0.20937867, 0.59829646], [0.34462988, 0.6734641], [0.40290534, 0.6479671]])


def test_keras_bidirectional_states():
    xs = count(2, 4, 3)
    layer = nn.Bidirectional(both(nn.LSTM, 2, 3, return_state=True))
    output, (f, b) = layer(xs)
    same(output[:, :2], [0.1990008, 0.52335435])
    same(output[:, 2:], [0.12659755, 0.44717982])
    same(f.c, [0.35567185, 1.0492687])
    same(b.c, [0.2501858, 0.941473])
    again, _ = layer(xs, (f, b))
    same(again[:, :2], [0.26234663, 0.6137073])
    same(again[:, 2:], [0.16959146, 0.5381646])
    h1, c1, h2, c2 = firsts(2, 1, 2, 3, 4)
    output, _ = layer(xs, ((h1, c1), (h2, c2)))
    same(output, [[0.20794602, 0.4577124, 0.14046375, 0.48191673],
                  [0.6682636, 0.6711909, 0.60943645, 0.60950446]])
    masked = nn.Bidirectional(both(nn.GRU, 2, 3))(xs, mask=HOLES)
    same(masked[:, :2], [0.19393763, 0.30818558])
    same(masked[:, 2:], [0.11669192, 0.28380975])


def summing(units):
    """A cell of two states whose weights are all 1: both are sum(x) + sum(state)."""
    def cell(x, state):
        one, two = state or (np.zeros((2, units)),) * 2
        h = x.sum(axis=-1, keepdims=True)
        one, two = h + one @ np.ones((units, units)), h + two @ np.ones((units, units))
        return one + two, (one, two)
    return cell


def test_keras_stacked_cells():
    model = nn.Stacked([nn.Recurrent(summing(3), return_sequences=True),
                        nn.Recurrent(summing(2), return_sequences=True)], return_state=True)
    xs = count(2, 3, 4)
    outputs, states = model(xs)
    same(outputs, [[72.0, 648.0], [624.0, 4080.0], [3144.0, 17544.0]])
    same(states[0][1], [158.0, 782.0])
    same(states[1][0], [1572.0, 8772.0])
    outputs, _ = model(xs, states)
    same(outputs[-1], [136368.0, 692784.0])


# --- ONNX ---------------------------------------------------------------------------------------


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def onnx_lstm(X, W, R, B, P, h, c, lengths, reverse, f=sigmoid):
    """The operator's text, one sample at a time: gates in the order i, o, f, c; Y is 0 after the
    end of a sample, and in reverse a sample starts at its own end."""
    n = R.shape[-1]
    Y, ends = np.zeros((*X.shape[:2], n)), []
    for b in range(X.shape[1]):
        H, C = h[b], c[b]
        steps = range(lengths[b])
        for t in reversed(steps) if reverse else steps:
            z_i, z_o, z_f, z_c = np.split(W @ X[t, b] + R @ H + B[:4 * n] + B[4 * n:], 4)
            p_i, p_o, p_f = np.split(P, 3)
            C_before = C
            C = f(z_f + p_f * C_before) * C_before + f(z_i + p_i * C_before) * np.tanh(z_c)
            H = f(z_o + p_o * C) * np.tanh(C)
            Y[t, b] = H
        ends.append((H, C))
    return Y, np.array([e[0] for e in ends]), np.array([e[1] for e in ends])


def rows(array, order, n):
    """The gates' rows in another order."""
    blocks = np.split(np.asarray(array), len(array) // n)
    return np.concatenate([blocks[k] for k in order])


def from_onnx_lstm(W, R, B, P, **options):
    """Our layer with the weights of the operator."""
    n = R.shape[-1]
    layer = nn.LSTM(W.shape[-1], n, peepholes=True, padding="zero", return_sequences=True,
                    return_state=True, **options)
    p_i, p_o, p_f = np.split(P, 3)
    iofc = (0, 2, 3, 1)  # ours is i, f, g, o
    layer.cell.load_state_dict({
        "W_xh": rows(W, iofc, n), "W_hh": rows(R, iofc, n),
        "b_h": rows(B[:4 * n] + B[4 * n:], iofc, n), "p_i": p_i, "p_f": p_f, "p_o": p_o})
    return layer


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("hard", [False, True])
def test_onnx_lstm(direction, hard):
    T, B, I, n = 5, 3, 2, 3
    draws = np.random.default_rng(0)
    X, lengths = draws.normal(size=(T, B, I)), [5, 2, 3]
    both = [[draws.normal(size=s) for s in ((4 * n, I), (4 * n, n), 8 * n, 3 * n)]
            for _ in range(2)]
    h, c = draws.normal(size=(2, B, n)), draws.normal(size=(2, B, n))
    f = (lambda z: np.clip(0.2 * z + 0.5, 0, 1)) if hard else sigmoid
    options = {"gate_activation": "hard_sigmoid_0.2"} if hard else {}
    expected = [onnx_lstm(X, *both[k], h[k], c[k], lengths, reverse=k == 1, f=f) for k in (0, 1)]
    if direction == "bidirectional":
        layer = nn.Bidirectional(*(from_onnx_lstm(*w, **options) for w in both))
        Y, states = layer(X, ((h[0], c[0]), (h[1], c[1])), lengths=lengths)
        Ys = [Y.numpy()[..., :n], Y.numpy()[..., n:]]
    else:
        k = int(direction == "reverse")
        layer = from_onnx_lstm(*both[k], reverse=bool(k), **options)
        Y, state = layer(X, (h[k], c[k]), lengths=lengths)
        Ys, states, expected = [Y.numpy()], [state], expected[k:k + 1]
    for Y, state, (Y_there, h_there, c_there) in zip(Ys, states, expected):
        np.testing.assert_allclose(Y, Y_there, rtol=1e-12)
        np.testing.assert_allclose(state.h.numpy(), h_there, rtol=1e-12)
        np.testing.assert_allclose(state.c.numpy(), c_there, rtol=1e-12)


@pytest.mark.parametrize("linear_before_reset", [0, 1])
@pytest.mark.parametrize("hard", [False, True])
def test_onnx_and_tensorflow_js_gru(linear_before_reset, hard):
    """Gates in the order z, r, h; with hard sigmoid gates and reset before the product it is the
    GRU of TensorFlow.js and of Keras 1."""
    T, B, I, n = 4, 2, 3, 2
    draws = np.random.default_rng(1)
    X, W, R, Wb, Rb, H = (draws.normal(size=s) for s in (
        (T, B, I), (3 * n, I), (3 * n, n), 3 * n, 3 * n, (B, n)))
    f = (lambda v: np.clip(0.2 * v + 0.5, 0, 1)) if hard else sigmoid
    layer = nn.GRU(I, n, reset_after=bool(linear_before_reset),
                   gate_activation="hard_sigmoid_0.2" if hard else "sigmoid")
    zrh = (1, 0, 2)
    after = bool(linear_before_reset)
    b = np.concatenate([Wb[:2 * n] + Rb[:2 * n], Wb[2 * n:] + (0 if after else Rb[2 * n:])])
    layer.cell.load_state_dict({"W_xh": rows(W, zrh, n), "W_hh": rows(R, zrh, n),
                                "b_h": rows(b, zrh, n), **({"b_hn": Rb[2 * n:]} if after else {})})
    got = layer(X, H).numpy()
    for x in X:
        z, r = (f(x @ W[k].T + H @ R[k].T + Wb[k] + Rb[k])
                for k in (slice(0, n), slice(n, 2 * n)))
        k = slice(2 * n, 3 * n)
        past = r * (H @ R[k].T + Rb[k]) if after else (r * H) @ R[k].T + Rb[k]
        H = (1 - z) * np.tanh(x @ W[k].T + past + Wb[k]) + z * H
    np.testing.assert_allclose(got, H, rtol=1e-12)


def one_by_one(step, X, H, lengths, reverse):
    """Y and the last states: each sample alone, in reverse from its own end, and 0 behind it."""
    Y, ends = np.zeros((*X.shape[:2], H.shape[-1])), []
    for b in range(X.shape[1]):
        h = H[b]
        for t in reversed(range(lengths[b])) if reverse else range(lengths[b]):
            Y[t, b] = h = step(X[t, b], h)
        ends.append(h)
    return Y, np.array(ends)


def rnn_node(W, R, Wb, Rb):
    """Ht = f(Xt W^T + Ht-1 R^T + Wb + Rb), with f = Relu."""
    layer = nn.RNN(W.shape[1], len(R), "relu", padding="zero", return_sequences=True,
                   return_state=True)
    layer.cell.load_state_dict({"W_xh": W, "W_hh": R, "b_h": Wb + Rb})
    return layer, lambda x, h: np.maximum(W @ x + R @ h + Wb + Rb, 0)


def gru_node(W, R, Wb, Rb):
    """The gates in the order z, r, h, with linear_before_reset = 1."""
    n = R.shape[1]
    layer = nn.GRU(W.shape[1], n, padding="zero", return_sequences=True, return_state=True)
    b = np.concatenate([Wb[:2 * n] + Rb[:2 * n], Wb[2 * n:]])
    layer.cell.load_state_dict({"W_xh": rows(W, (1, 0, 2), n), "W_hh": rows(R, (1, 0, 2), n),
                                "b_h": rows(b, (1, 0, 2), n), "b_hn": Rb[2 * n:]})

    def step(x, h):
        (x_z, x_r, x_h), (h_z, h_r, h_h) = np.split(W @ x + Wb, 3), np.split(R @ h + Rb, 3)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        return (1 - z) * np.tanh(x_h + r * h_h) + z * h

    return layer, step


@pytest.mark.parametrize(("node", "gates"), [(rnn_node, 1), (gru_node, 3)])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_onnx_rnn_and_gru_in_all_directions(node, gates, direction):
    T, B, I, n = 5, 3, 2, 3
    draws = np.random.default_rng(2)
    X, H, lengths = draws.normal(size=(T, B, I)), draws.normal(size=(2, B, n)), [5, 0, 3]
    made = [node(*(draws.normal(size=s) for s in ((gates * n, I), (gates * n, n), gates * n,
                                                  gates * n))) for _ in range(2)]
    expected = [one_by_one(step, X, h, lengths, reverse)
                for (_, step), h, reverse in zip(made, H, (False, True))]
    if direction == "bidirectional":
        Y, states = nn.Bidirectional(*(layer for layer, _ in made))(X, tuple(H), lengths=lengths)
        Ys = np.split(Y.numpy(), 2, -1)
    else:
        k = int(direction == "reverse")
        layer = nn.Recurrent(made[k][0].cell, reverse=bool(k), padding="zero",
                             return_sequences=True, return_state=True)
        Y, state = layer(X, H[k], lengths=lengths)
        Ys, states, expected = [Y.numpy()], [state], expected[k:k + 1]
    for Y, state, (Y_there, h_there) in zip(Ys, states, expected, strict=True):
        np.testing.assert_allclose(Y, Y_there, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(state.numpy(), h_there, rtol=1e-12, atol=1e-15)


# --- CS231n -------------------------------------------------------------------------------------


PRINTED = GOLDEN / "published" / "cs231n.json"
CASES = json.loads(PRINTED.read_text())["cases"] if PRINTED.exists() else {}
needs_printed = pytest.mark.skipif(not CASES, reason="no reference numbers cs231n.json beside it")
DIGITS = {"rtol": 0.0, "atol": 0.51e-8}  # printed with 8 decimals


def course(case):
    """(arrays, expected) of a case, batch first and with weights that act on rows, as there."""
    arrays = {k: np.array(v) for k, v in CASES[case]["inputs"].items()}
    return arrays, {k: np.array(v) for k, v in CASES[case]["expected"].items()}


def from_course(cell, arrays):
    """The cell with the weights of the course: gates in the order i, f, o, g."""
    n = cell.hidden_size
    order = (0, 1, 3, 2) if isinstance(cell, nn.LSTMCell) else (0,)
    cell.load_state_dict({"W_xh": rows(arrays["Wx"].T, order, n),
                          "W_hh": rows(arrays["Wh"].T, order, n),
                          "b_h": rows(arrays["b"], order, n)})
    return cell


@needs_printed
def test_cs231n_steps():
    arrays, expected = course("rnn_step_forward")
    cell = from_course(nn.RNNCell(10, 4), arrays)
    np.testing.assert_allclose(cell(arrays["x"], arrays["prev_h"])[0].numpy(), expected["next_h"],
                               **DIGITS)
    arrays, expected = course("lstm_step_forward")
    cell = from_course(nn.LSTMCell(4, 5), arrays)
    _, state = cell(arrays["x"], (arrays["prev_h"], arrays["prev_c"]))
    np.testing.assert_allclose(state.h.numpy(), expected["next_h"], **DIGITS)
    np.testing.assert_allclose(state.c.numpy(), expected["next_c"], **DIGITS)


@needs_printed
@pytest.mark.parametrize(("case", "make"), [("rnn_forward", nn.RNNCell),
                                            ("lstm_forward", nn.LSTMCell)])
def test_cs231n_sequences(case, make):
    arrays, expected = course(case)
    cell = from_course(make(arrays["x"].shape[-1], arrays["h0"].shape[-1]), arrays)
    h0 = (arrays["h0"], None) if make is nn.LSTMCell else arrays["h0"]
    out = nn.Recurrent(cell, return_sequences=True)(arrays["x"].swapaxes(0, 1), h0)
    np.testing.assert_allclose(out.numpy().swapaxes(0, 1), expected["h"], **DIGITS)


@needs_printed
def test_cs231n_embedding():
    arrays, expected = course("word_embedding_forward")
    embedding = nn.Embedding(*arrays["W"].shape)
    embedding.load_state_dict({"W_e": arrays["W"]})
    out = embedding(Tensor(arrays["x"].T))
    np.testing.assert_allclose(out.numpy().swapaxes(0, 1), expected["out"], **DIGITS)


def spaced(*shape):
    """Every parameter of the course's last model."""
    return np.linspace(-1.4, 1.3, np.prod(shape)).reshape(shape)


@needs_printed
@pytest.mark.parametrize(("case", "make", "gates"), [("captioning_loss_rnn", nn.RNN, 1),
                                                     ("captioning_loss_lstm", nn.LSTM, 4)])
def test_cs231n_captioning(case, make, gates):
    """A picture's features are the first state; words after it; padding (class 0) costs nothing."""
    facts = CASES[case]
    N, D, W, H, V, T = (facts[k] for k in "NDWHVT")
    low, high = (-1.5, 0.3) if make is nn.RNN else (-0.5, 1.7)
    features = np.linspace(low, high, N * D).reshape(N, D)
    captions = (np.arange(N * T) % V).reshape(N, T).T
    project, embed, layer, top = nn.Linear(D, H), nn.Embedding(V, W), \
        make(W, H, return_sequences=True), nn.Linear(H, V)
    project.load_state_dict({"W": spaced(D, H).T, "b": spaced(H)})
    embed.load_state_dict({"W_e": spaced(V, W)})
    top.load_state_dict({"W": spaced(H, V).T, "b": spaced(V)})
    from_course(layer.cell, {"Wx": spaced(W, gates * H), "Wh": spaced(H, gates * H),
                             "b": spaced(gates * H)})
    h0 = project(features)
    outputs = layer(embed(captions[:-1]), (h0, None) if make is nn.LSTM else h0)
    loss = nn.cross_entropy(top(outputs), captions[1:], mask=captions[1:] != 0)
    np.testing.assert_allclose(loss.item(), facts["expected"]["loss"], rtol=0, atol=0.51e-11)


@needs_printed
@pytest.mark.parametrize("case", ["sgd_momentum", "rmsprop", "adam"])
def test_cs231n_updates(case):
    """One step of a rule, from a memory that is given."""
    arrays, expected = course(case)
    facts, w, g = CASES[case], arrays["w"], arrays["dw"]
    lr = facts["lr"]
    if case == "sgd_momentum":  # there v = μ v - lr g is added to w, here lr v is taken off
        step, new = RULES["SGD"](g, {"velocity": -arrays["velocity"] / lr}, lr=lr,
                                 momentum=facts["momentum"])
        found = {"velocity": -lr * new["velocity"]}
    elif case == "rmsprop":
        step, new = RULES["RMSprop"](g, {"squares": arrays["cache"]}, lr=lr, alpha=facts["decay"],
                                     eps=facts["eps"])
        found = {"cache": new["squares"]}
    else:
        memory = {"mean": arrays["m"], "squares": arrays["v"], "steps": facts["t_before"]}
        step, new = RULES["Adam"](g, memory, lr=lr, betas=(facts["beta1"], facts["beta2"]),
                                  eps=facts["eps"])
        found = {"m": new["mean"], "v": new["squares"]}
    for name, got in {"next_w": w - step, **found}.items():
        np.testing.assert_allclose(got, expected[name], **DIGITS)


PRINTED_CASES = ("rnn_step_forward", "lstm_step_forward", "rnn_forward", "lstm_forward",
                 "word_embedding_forward", "captioning_loss_rnn", "captioning_loss_lstm",
                 "sgd_momentum", "rmsprop", "adam")
