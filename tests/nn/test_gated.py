"""LSTM and GRU: their equations, names and options; backpropagation through time derived by hand,
for the vanilla cell too; and the same small network on plain floats."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import walk
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.errors import InputError, ShapeError

T, B, I, H = 4, 2, 3, 5
TIGHT = {"rtol": 1e-12, "atol": 1e-13}


def inputs(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def weights(cell):
    return [p.numpy() for p in (cell.W_xh, cell.W_hh, cell.b_h)]


# --- one step -----------------------------------------------------------------------------------


def lstm_by_hand(x, h, c, W_xh, W_hh, b):
    i, f, g, o = np.split(x @ W_xh.T + h @ W_hh.T + b, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_by_hand(x, h, W_xh, W_hh, b, b_hn, after=True):
    H = h.shape[-1]
    from_x, from_h = x @ W_xh.T + b, h @ W_hh.T
    r, z = sigmoid(from_x[..., :H] + from_h[..., :H]), \
        sigmoid(from_x[..., H:2 * H] + from_h[..., H:2 * H])
    past = r * (from_h[..., 2 * H:] + b_hn) if after else (r * h) @ W_hh[2 * H:].T
    return (1 - z) * np.tanh(from_x[..., 2 * H:] + past) + z * h


@pytest.mark.parametrize("batch", [(B,), ()])
def test_lstm_equations(batch):
    cell = nn.LSTMCell(I, H, seed=0)
    x, h, c = inputs(*batch, I), inputs(*batch, H, seed=1), inputs(*batch, H, seed=2)
    output, state = cell(x, (h, c))
    expected = lstm_by_hand(x, h, c, *weights(cell))
    assert output is state.h
    assert isinstance(state, nn.LSTMState)
    np.testing.assert_allclose(state.h.numpy(), expected[0], **TIGHT)
    np.testing.assert_allclose(state.c.numpy(), expected[1], **TIGHT)


@pytest.mark.parametrize("batch", [(B,), ()])
@pytest.mark.parametrize("after", [True, False])
def test_gru_equations(batch, after):
    cell = nn.GRUCell(I, H, reset_after=after, seed=0)
    x, h = inputs(*batch, I), inputs(*batch, H, seed=1)
    output, state = cell(x, h)
    assert output is state
    b_hn = cell.b_hn.numpy() if after else None
    np.testing.assert_allclose(state.numpy(), gru_by_hand(x, h, *weights(cell), b_hn, after),
                               **TIGHT)
    assert (cell.b_hn is not None) == after


def test_the_gates_are_nodes_with_names():
    for cell, names in ((nn.LSTMCell(I, H, seed=0), "ifgoch"), (nn.GRUCell(I, H, seed=0), "rznh")):
        with tg.timestep(3):
            h, _ = cell(inputs(B, I))
        found = [n.name for n in walk.nodes(h) if n.op.rules and n.name]
        assert sorted(found) == sorted(names)
        assert h.label == "h_3"


def test_first_states_are_the_step_before():
    with tg.timestep(1):
        h, _ = nn.LSTMCell(I, H, seed=0)(inputs(B, I))
    assert {"h_0", "c_0"} <= {n.label for n in walk.nodes(h)}


def test_a_gradient_has_a_ledger_row_for_each_step():
    for layer in (nn.LSTM(I, H, seed=0), nn.GRU(I, H, seed=0), nn.GRU(I, H, reset_after=False),
                  nn.LSTM(I, H, peepholes=True)):
        flow = gradient_flow((layer(inputs(T, B, I)) ** 2).sum())
        for p in layer.parameters():
            steps = {row.step for row in flow.ledger(p)}
            assert steps == set(range(1, T + 1)), p.name
            np.testing.assert_array_equal(flow.ledger(p).total, p.grad)


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    lambda **o: nn.RNNCell(I, H, **o), lambda **o: nn.LSTMCell(I, H, **o),
    lambda **o: nn.GRUCell(I, H, **o), lambda **o: nn.GRUCell(I, H, reset_after=False, **o),
    lambda **o: nn.LSTMCell(I, H, peepholes=True, **o)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_stacked_form_is_the_same(make, bias):
    two, one = make(seed=3, bias=bias), make(seed=3, bias=bias, stacked=True)
    assert one.W.shape == (two.W_xh.shape[0], I + H)
    np.testing.assert_array_equal(one.W.numpy(),
                                  np.hstack([two.W_xh.numpy(), two.W_hh.numpy()]))
    results = []
    for cell in (two, one):
        layer = nn.Recurrent(cell, return_sequences=True)
        outputs = layer(inputs(T, B, I))
        (outputs * inputs(T, B, H, seed=4)).sum().backward()
        results.append(outputs.numpy())
    np.testing.assert_allclose(*results, **TIGHT)
    np.testing.assert_allclose(one.W.grad, np.hstack([two.W_xh.grad, two.W_hh.grad]), **TIGHT)
    for name, p in one.named_parameters():
        if name != "W":
            np.testing.assert_allclose(p.grad, getattr(two, name).grad, **TIGHT)


def test_forget_bias():
    cell = nn.LSTMCell(I, H, forget_bias=1.0, seed=0)
    plain = nn.LSTMCell(I, H, seed=0)
    b, other = cell.b_h.numpy(), plain.b_h.numpy()
    np.testing.assert_array_equal(b[H:2 * H], np.ones(H))
    np.testing.assert_array_equal(np.delete(b, range(H, 2 * H)),
                                  np.delete(other, range(H, 2 * H)))


def test_peepholes():
    cell = nn.LSTMCell(I, H, peepholes=True, seed=0)
    x, h, c = inputs(B, I), inputs(B, H, seed=1), inputs(B, H, seed=2)
    i, f, g, o = np.split(x @ cell.W_xh.numpy().T + h @ cell.W_hh.numpy().T + cell.b_h.numpy(), 4,
                          -1)
    i, f = sigmoid(i + cell.p_i.numpy() * c), sigmoid(f + cell.p_f.numpy() * c)
    after = f * c + i * np.tanh(g)
    o = sigmoid(o + cell.p_o.numpy() * after)
    _, state = cell(x, (h, c))
    np.testing.assert_allclose(state.c.numpy(), after, **TIGHT)
    np.testing.assert_allclose(state.h.numpy(), o * np.tanh(after), **TIGHT)


def test_activations_of_ones_own():
    def hard(z):
        return np.clip(0.2 * z + 0.5, 0.0, 1.0)
    x, h, c = 3 * inputs(B, I), inputs(B, H, seed=1), inputs(B, H, seed=2)
    cell = nn.LSTMCell(I, H, gate_activation="hard_sigmoid_0.2", activation="relu",
                       output_activation="identity", seed=0)
    i, f, g, o = np.split(x @ cell.W_xh.numpy().T + h @ cell.W_hh.numpy().T + cell.b_h.numpy(), 4,
                          -1)
    after = hard(f) * c + hard(i) * np.maximum(g, 0)
    _, state = cell(x, (h, c))
    np.testing.assert_allclose(state.h.numpy(), hard(o) * after, **TIGHT)
    own = nn.GRUCell(I, H, activation=lambda z: np.sin(z), seed=0)
    assert "sin" in {n.op.name for n in walk.nodes(own(x)[0])}
    assert "activation=φ" in repr(own)


@pytest.mark.parametrize("name", nn.ACTIVATIONS)
def test_every_activation_by_name(name):
    z = np.linspace(-4.3, 4.7, 19)
    y = nn.RNNCell(1, 1, name, bias=False, seed=0)
    y.load_state_dict({"W_xh": [[1.0]], "W_hh": [[0.0]]})
    got = y(z[:, None])[0].numpy()[:, 0]
    s = sigmoid(z)
    erf = np.array([math.erf(v / math.sqrt(2)) for v in z])
    elu = np.where(z > 0, z, np.expm1(z))
    expected = {
        "tanh": np.tanh(z), "relu": np.maximum(z, 0), "identity": z, "sigmoid": s,
        "hard_sigmoid": np.clip(z / 6 + 0.5, 0, 1),
        "hard_sigmoid_0.2": np.clip(0.2 * z + 0.5, 0, 1),
        "hard_tanh": np.clip(z, -1, 1), "softplus": np.log1p(np.exp(z)),
        "softsign": z / (1 + np.abs(z)), "elu": elu, "gelu": z * 0.5 * (1 + erf), "silu": z * s,
        "selu": 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(z))}[name]
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


def test_dtype_and_bias():
    for cell in (nn.LSTMCell(I, H, dtype="float32", seed=0), nn.GRUCell(I, H, dtype="float32"),
                 nn.LSTMCell(I, H, bias=False, dtype="float32", peepholes=True),
                 nn.GRUCell(I, H, bias=False, dtype="float32", reset_after=False)):
        h, _ = cell(inputs(B, I).astype(np.float32))
        assert h.dtype == np.float32
        assert all(p.dtype == np.float32 for p in cell.parameters())
        (h * 1.0).sum().backward()
        assert all(p.grad.dtype == np.float32 for p in cell.parameters())


def test_twins_differ_and_repeat():
    for make in (nn.RNNCell, nn.LSTMCell, nn.GRUCell):
        twins = [make(I, H, seed=7).twin() for _ in range(2)]
        one = make(I, H, seed=7)
        for name, p in one.named_parameters():
            a, b = (getattr(twin, name).numpy() for twin in twins)
            np.testing.assert_array_equal(a, b)
            assert not np.array_equal(a, p.numpy())
        spawned = make(I, H, seed=np.random.default_rng(7).spawn(1)[0])
        np.testing.assert_array_equal(twins[0].W_xh.numpy(), spawned.W_xh.numpy())
        other = make(I, H, seed=7)
        other.twin()
        np.testing.assert_array_equal(other.W_hh.numpy(), one.W_hh.numpy())


@pytest.mark.parametrize(("state", "error", "words"), [
    (np.zeros((B, H)), InputError, r"state \(h, c\), got a single array"),
    ((np.zeros((B, H)),), InputError, r"state \(h, c\), got 1 parts"),
    ((np.zeros((B, H)), np.zeros((B, 9))), ShapeError,
     r"state's c of shape \(2, 5\), got \(2, 9\)"),
])
def test_states_that_do_not_fit(state, error, words):
    with pytest.raises(error, match=words):
        nn.LSTM(I, H, seed=0)(inputs(T, B, I), state)


def test_half_a_state():
    layer = nn.LSTM(I, H, seed=0)
    xs, h = inputs(T, B, I), inputs(B, H)
    np.testing.assert_array_equal(layer(xs, (h, None)).numpy(),
                                  layer(xs, (h, np.zeros((B, H)))).numpy())


@pytest.mark.parametrize("options", [{"activation": "tan"}, {"gate_activation": "sigmoida"},
                                     {"hidden_size": 0}, {"dtype": int}])
def test_cells_that_cannot_be(options):
    for make in (nn.LSTMCell, nn.GRUCell):
        with pytest.raises(InputError, match=make.__name__):
            make(**{"input_size": I, "hidden_size": H, **options})


# --- recurrent dropout --------------------------------------------------------------------------


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_dropout_is_one_mask_per_sequence(make):
    layer = make(I, H, recurrent_dropout=0.5, return_sequences=True, seed=0)
    xs = inputs(T, B, I)
    plain = make(I, H, return_sequences=True, seed=0)
    np.testing.assert_array_equal(layer(xs).numpy(), plain(xs).numpy())
    first, again = (layer(xs, rng=1).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, layer(xs, rng=2).numpy())
    mask = (np.random.default_rng(1).random((B, H)) >= 0.5) / 0.5
    state, found = None, []
    for x in xs:
        h, state = plain.cell(x, state, recurrent_mask=mask)
        found.append(h.numpy())
    np.testing.assert_array_equal(first, found)


def test_a_gru_keeps_what_dropout_hides():
    """The mask is for the products only: z * h_{t-1} is not thinned out."""
    cell = nn.GRUCell(I, H, seed=0)
    x, h = inputs(B, I), inputs(B, H, seed=1)
    b_h, b_hn = cell.b_h.numpy(), cell.b_hn.numpy()
    b_h[H:2 * H] = 50.0  # z is 1
    cell.b_h.data = b_h
    cell.b_hn.data = b_hn
    np.testing.assert_allclose(cell(x, h, recurrent_mask=np.zeros((B, H)))[0].numpy(), h)


@pytest.mark.parametrize("after", [True, False])
def test_a_dropped_past_is_not_in_the_candidate(after):
    cell = nn.GRUCell(I, H, reset_after=after, seed=0)
    x, h = inputs(B, I), inputs(B, H, seed=1)
    W_xh, W_hh, b = weights(cell)
    b_hn = cell.b_hn.numpy() if after else None
    z = sigmoid(x @ W_xh[H:2 * H].T + b[H:2 * H])
    n = gru_by_hand(x, 0 * h, W_xh, W_hh, b, b_hn, after) / (1 - z)
    got, _ = cell(x, h, recurrent_mask=np.zeros((B, H)))
    np.testing.assert_allclose(got.numpy(), (1 - z) * n + z * h, **TIGHT)


# --- backpropagation through time, by hand ------------------------------------------------------


def rnn_bptt(xs, h0, W_xh, W_hh, b, dh):
    """dL/dh_t = dh_t + W_hh^T δ_{t+1},  δ_t = (1 - h_t²) dL/dh_t;  every weight sums over t."""
    hs = [h0]
    for x in xs:
        hs.append(np.tanh(x @ W_xh.T + hs[-1] @ W_hh.T + b))
    dW_xh, dW_hh, db, dx = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros_like(b), []
    later = np.zeros_like(h0)
    for t in reversed(range(len(xs))):
        delta = (dh[t] + later) * (1 - hs[t + 1] ** 2)
        dW_xh += delta.T @ xs[t]
        dW_hh += delta.T @ hs[t]
        db += delta.sum(0)
        dx.insert(0, delta @ W_xh)
        later = delta @ W_hh
    return hs[1:], dx, later, dW_xh, dW_hh, db


def lstm_bptt(xs, h0, W_xh, W_hh, b, dh):
    """The same with four gates: dc_t = dL/dh_t o (1 - tanh² c_t) + f_{t+1} dc_{t+1}."""
    h, c, kept = h0, np.zeros_like(h0), []
    for x in xs:
        i, f, g, o = np.split(x @ W_xh.T + h @ W_hh.T + b, 4, -1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        before, c = c, f * c + i * g
        kept.append((h, before, i, f, g, o, c))
        h = o * np.tanh(c)
    dW_xh, dW_hh, db, dx = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros_like(b), []
    later_h, later_c = np.zeros_like(h0), np.zeros_like(h0)
    hs = [k[0] for k in kept[1:]] + [h]
    for t in reversed(range(len(xs))):
        h, before, i, f, g, o, c = kept[t]
        total = dh[t] + later_h
        dc = total * o * (1 - np.tanh(c) ** 2) + later_c
        delta = np.concatenate([dc * g * i * (1 - i), dc * before * f * (1 - f),
                                dc * i * (1 - g ** 2), total * np.tanh(c) * o * (1 - o)], -1)
        dW_xh += delta.T @ xs[t]
        dW_hh += delta.T @ h
        db += delta.sum(0)
        dx.insert(0, delta @ W_xh)
        later_h, later_c = delta @ W_hh, dc * f
    return hs, dx, later_h, dW_xh, dW_hh, db


def gru_bptt(xs, h0, W_xh, W_hh, b, b_hn, dh):
    """The same with r, z, n: the past comes back through n (by way of r), through r and z, and
    directly, by z."""
    H, h, kept = h0.shape[-1], h0, []
    for x in xs:
        (xr, xz, xn), (hr, hz, hn) = (np.split(v, 3, -1) for v in (x @ W_xh.T + b, h @ W_hh.T))
        r, z, past = sigmoid(xr + hr), sigmoid(xz + hz), hn + b_hn
        n = np.tanh(xn + r * past)
        kept.append((h, r, z, n, past))
        h = (1 - z) * n + z * h
    dW_xh, dW_hh, db, db_hn, dx = (np.zeros_like(v) for v in (W_xh, W_hh, b, b_hn, xs))
    later, hs = np.zeros((len(h0), H)), [k[0] for k in kept[1:]] + [h]
    for t in reversed(range(len(xs))):
        h, r, z, n, past = kept[t]
        total = dh[t] + later
        dn = total * (1 - z) * (1 - n ** 2)
        dr, dz = dn * past * r * (1 - r), total * (h - n) * z * (1 - z)
        from_x, from_h = np.concatenate([dr, dz, dn], -1), np.concatenate([dr, dz, dn * r], -1)
        dW_xh += from_x.T @ xs[t]
        dW_hh += from_h.T @ h
        db += from_x.sum(0)
        db_hn += (dn * r).sum(0)
        dx[t] = from_x @ W_xh
        later = from_h @ W_hh + total * z
    return hs, dx, later, dW_xh, dW_hh, db, db_hn


@pytest.mark.parametrize(("make", "by_hand"), [
    (nn.RNN, rnn_bptt), (nn.LSTM, lstm_bptt), (nn.GRU, gru_bptt)])
@pytest.mark.parametrize("steps", [1, 6])
def test_bptt_by_hand(make, by_hand, steps):
    layer = make(I, H, return_sequences=True, seed=0)
    xs, h0 = inputs(steps, B, I), inputs(B, H, seed=1)
    up = inputs(steps, B, H, seed=2)
    x, h = Tensor(xs, requires_grad=True), Tensor(h0, requires_grad=True)
    outputs = layer(x, (h, None) if make is nn.LSTM else h)
    (outputs * up).sum().backward()
    parameters = [p.numpy() for p in layer.parameters()]
    hs, dx, dh0, *grads = by_hand(xs, h0, *parameters, up)
    np.testing.assert_allclose(outputs.numpy(), hs, **TIGHT)
    np.testing.assert_allclose(x.grad, dx, **TIGHT)
    np.testing.assert_allclose(h.grad, dh0, **TIGHT)
    assert len(grads) == len(parameters)
    for p, g in zip(layer.parameters(), grads):
        np.testing.assert_allclose(p.grad, g, **TIGHT, err_msg=p.name)


# --- the same network on plain floats -----------------------------------------------------------


def scalar_cells(p, n):
    """The cells on Values: p(name, row, column) is a weight, n the hidden size."""
    def affine(rows, x, h):
        return [sum((p("W_xh", k, j) * x[j] for j in range(len(x))), p("b_h", k))
                + sum(p("W_hh", k, j) * h[j] for j in range(n)) for k in rows]

    def product(rows, h):
        return [sum(p("W_hh", k, j) * h[j] for j in range(n)) for k in rows]

    def rnn(x, h, c):
        return [tg.tanh(z) for z in affine(range(n), x, h)], c

    def lstm(x, h, c):
        z = affine(range(4 * n), x, h)
        i, f, o = ([tg.sigmoid(v) for v in z[k * n:(k + 1) * n]] for k in (0, 1, 3))
        g = [tg.tanh(v) for v in z[2 * n:3 * n]]
        c = [f[k] * c[k] + i[k] * g[k] for k in range(n)]
        return [o[k] * tg.tanh(c[k]) for k in range(n)], c

    def gru(x, h, c):
        rz = [tg.sigmoid(v) for v in affine(range(2 * n), x, h)]
        r, z = rz[:n], rz[n:]
        past = [v + p("b_hn", k) for k, v in enumerate(product(range(2 * n, 3 * n), h))]
        new = [tg.tanh(sum((p("W_xh", 2 * n + k, j) * x[j] for j in range(len(x))),
                           p("b_h", 2 * n + k)) + r[k] * past[k]) for k in range(n)]
        return [(1.0 - z[k]) * new[k] + z[k] * h[k] for k in range(n)], c

    return {nn.RNN: rnn, nn.LSTM: lstm, nn.GRU: gru}


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
def test_scalars_and_tensors_agree(make):
    n, width, steps = 2, 2, 4
    layer = make(width, n, seed=1)
    xs = inputs(steps, width, seed=3)
    last = layer(xs)
    (last * last).sum().backward()
    values = {(name, *index): Value(number) for name, p in layer.cell.named_parameters()
              for index, number in np.ndenumerate(p.numpy())}
    step = scalar_cells(lambda *key: values[key], n)[make]
    h = c = [Value(0.0, requires_grad=False) for _ in range(n)]
    for x in xs.tolist():
        h, c = step(x, h, c)
    np.testing.assert_allclose([v.data for v in h], last.numpy(), **TIGHT)
    sum((v * v for v in h[1:]), h[0] * h[0]).backward()
    for name, p in layer.cell.named_parameters():
        for index, g in np.ndenumerate(p.grad):
            assert values[(name, *index)].grad == pytest.approx(g, rel=1e-12, abs=1e-14)


def test_a_forget_bias_needs_a_bias():
    with pytest.raises(InputError, match="needs a bias"):
        nn.LSTM(3, 4, forget_bias=1.0, bias=False)
