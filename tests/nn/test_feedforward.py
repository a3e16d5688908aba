"""Layers without time, layers in a row, first values, and the table of shapes."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.nn import init as inits

T, B, I, H = 4, 2, 3, 5


def inputs(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# --- perceptrons, in a row ----------------------------------------------------------------------


def test_a_perceptron():
    net = nn.MLP([I, H, 2], "relu", seed=0)
    x = inputs(B, I)
    a, b = net.layers
    hidden = np.maximum(x @ a.W.numpy().T + a.b.numpy(), 0)
    np.testing.assert_allclose(net(x).numpy(), hidden @ b.W.numpy().T + b.b.numpy())
    assert [name for name, _ in net.named_parameters()] == \
        ["layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b"]
    for shape in [(I,), (7, B, I)]:
        assert net(inputs(*shape)).shape == (*shape[:-1], 2)
    assert repr(net).startswith("MLP([3, 5, 2], relu): 32 parameters")


def test_a_perceptron_on_a_sequence_is_step_by_step():
    hs = nn.RNN(I, H, return_sequences=True, seed=0)(inputs(T, B, I))
    ys = nn.MLP([H, 4, 2], seed=0)(hs)
    assert [y.step for y in ys.operands] == [1, 2, 3, 4]
    assert nn.MLP([H, 2], seed=0)(hs[:0]).shape == (0, B, 2)


def test_the_whole_sequence_as_one_input():
    net, xs = nn.MLP([T * I, 2], flatten=True, seed=0), inputs(T, B, I)
    expected = xs.swapaxes(0, 1).reshape(B, T * I) @ net.layers[0].W.numpy().T
    got = net(xs).numpy() - net.layers[0].b.numpy()
    np.testing.assert_allclose(got, expected)
    assert net(xs[:, 0]).shape == (2,)
    hs = nn.RNN(I, I, return_sequences=True, seed=0)(xs)
    assert net(hs).shape == (B, 2)
    with pytest.raises(ShapeError, match=r"\(T, B, I\)"):
        net(np.ones(3))


def test_order_blind_and_order_aware():
    """A perceptron does not care about the order of its inputs, if its weights follow them; a
    recurrence does."""
    xs, order = inputs(T, B, I), [2, 0, 3, 1]
    net = nn.MLP([T * I, 2], flatten=True, seed=0)
    before = net(xs).numpy()
    W = net.layers[0].W.numpy().reshape(2, T, I)
    net.layers[0].W.data = W[:, order].reshape(2, T * I)
    np.testing.assert_allclose(net(xs[order]).numpy(), before)
    rnn = nn.RNN(I, H, seed=0)
    assert not np.allclose(rnn(xs[order]).numpy(), rnn(xs).numpy())


def test_in_a_row():
    model = nn.Sequential(nn.Embedding(6, I, seed=0),
                          nn.GRU(I, H, return_sequences=True, recurrent_dropout=0.3, seed=1),
                          nn.LayerNorm(H), nn.Dropout(0.5), nn.Sequential(nn.Linear(H, 2, seed=2)),
                          tg.tanh)
    indices = np.array([[0, 1], [2, 5], [3, 3]])
    out = model(indices)
    assert out.shape == (3, 2, 2)
    np.testing.assert_array_equal(model(indices).numpy(), out.numpy())
    one, same = model(indices, rng=1), model(indices, rng=1)
    np.testing.assert_array_equal(one.numpy(), same.numpy())
    assert not np.allclose(one.numpy(), out.numpy())
    assert len(model.parameters()) == 1 + 4 + 2 + 2
    with pytest.raises(InputError, match="got int"):
        nn.Sequential(nn.Linear(2, 2), 3)


@pytest.mark.parametrize("make", [
    lambda: nn.MLP([3]), lambda: nn.MLP([3, 0]), lambda: nn.MLP([3, 2], "tan"),
    lambda: nn.Dropout(1.0), lambda: nn.Dropout(-0.5), lambda: nn.LayerNorm(0),
    lambda: nn.Embedding(0, 3)])
def test_layers_that_cannot_be(make):
    with pytest.raises(InputError):
        make()


# --- dropout, normalisation ---------------------------------------------------------------------


def test_dropout():
    x = np.ones((1000,))
    drop = nn.Dropout(0.25)
    assert drop(x) is x
    y = drop(x, rng=0).numpy()
    assert set(np.unique(y)) == {0.0, 1.0 / 0.75}
    assert 0.2 < np.mean(y == 0) < 0.3
    np.testing.assert_array_equal(y, drop(x, rng=0).numpy())
    draws = np.random.default_rng(0)
    assert not np.array_equal(drop(x, rng=draws).numpy(), drop(x, rng=draws).numpy())
    hs = nn.RNN(I, H, return_sequences=True, seed=0)(inputs(T, B, I))
    dropped = nn.Dropout(0.5)(hs, rng=0)
    assert [y.step for y in dropped.operands] == [1, 2, 3, 4]
    masks = dropped.numpy() == 0
    assert not np.array_equal(masks[0], masks[1])
    assert nn.Dropout(0.0)(x, rng=0) is x


def test_layer_norm():
    norm, x = nn.LayerNorm(H), 5 + 3 * inputs(B, H)
    y = norm(x).numpy()
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(-1), 1, rtol=1e-4)
    norm.gain.data, norm.b.data = np.full(H, 2.0), np.arange(5.0)
    np.testing.assert_allclose(norm(x).numpy(), 2 * y + np.arange(5.0))
    np.testing.assert_allclose(nn.LayerNorm(2, eps=1.0)([1.0, 3.0]).numpy(),
                               [-1 / np.sqrt(2), 1 / np.sqrt(2)])
    with pytest.raises(ShapeError, match=r"\(\.\.\., 5\), got \(3,\)"):
        norm(np.ones(3))


# --- embedding ----------------------------------------------------------------------------------


def test_embedding_is_a_product_with_one_hot():
    embedding = nn.Embedding(6, I, seed=0)
    W = embedding.W_e.numpy()
    for indices in ([1, 5, 1], [[1, 0], [5, 5], [2, 1]], np.zeros((0, 2), int)):
        indices = np.array(indices, int)
        xs = embedding(indices)
        np.testing.assert_array_equal(xs.numpy(), nn.one_hot(indices, 6) @ W)
        assert [x.label for x in getattr(xs, "operands", ())] == \
            [f"x_{t + 1}" for t in range(len(indices))]
    assert embedding(3).shape == (I,)
    with tg.timestep(4):
        one_step = embedding(np.array([3, 4]))
    assert (one_step.label, one_step.shape) == ("x_4", (2, I))


def test_each_step_gives_its_part_of_the_embeddings_gradient():
    embedding, layer = nn.Embedding(4, I, seed=0), nn.RNN(I, H, seed=1)
    flow = gradient_flow(layer(embedding(np.array([2, 0, 2]))).sum())
    rows = flow.ledger(embedding.W_e)
    assert [row.step for row in rows] == [3, 2, 1]
    for row, k in zip(rows, [2, 0, 2]):
        assert np.flatnonzero(np.any(row.contribution != 0, 1)).tolist() == [k]
    np.testing.assert_array_equal(embedding.W_e.grad[[1, 3]], 0.0)


@pytest.mark.parametrize(("indices", "error"), [
    ([0.0, 1.0], DTypeError), ([0, 6], InputError), ([-1], InputError)])
def test_classes_that_are_not_there(indices, error):
    with pytest.raises(error, match=r"Embedding\(6, 3\)"):
        nn.Embedding(6, I)(indices)


# --- first values -------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_first_values_gate_by_gate(cell):
    gates = {nn.RNNCell: 1, nn.LSTMCell: 4, nn.GRUCell: 3}[cell]
    for name, property_ in (
            ("orthogonal", lambda W: np.allclose(W @ W.T, np.eye(H))),
            ("identity", lambda W: np.array_equal(W, np.eye(H))),
            ("zeros", lambda W: not W.any()),
            (inits.spectral(0.9),
             lambda W: np.isclose(np.abs(np.linalg.eigvals(W)).max(), 0.9)),
            (inits.spectral(1.5, "orthogonal"),
             lambda W: np.allclose(W @ W.T, 2.25 * np.eye(H)))):
        made = cell(I, H, init_hh=name, seed=0)
        blocks = made.W_hh.numpy().reshape(gates, H, H)
        assert all(property_(W) for W in blocks), name
        assert np.abs(made.W_xh.numpy()).max() <= 1 / np.sqrt(H)
    first = cell(I, H, init="orthogonal", seed=0)
    for W in first.W_xh.numpy().reshape(gates, H, I):
        np.testing.assert_allclose(W.T @ W, np.eye(I), atol=1e-12)
    assert not first.b_h.numpy().any()


def test_spectral_of_what_is_not_square():
    assert inits.spectral(0.5, "zeros")(np.random.default_rng(0), (3, 3), 3).tolist() == \
        np.zeros((3, 3)).tolist()
    rng = np.random.default_rng
    np.testing.assert_array_equal(inits.spectral(0.5)(rng(1), (5, 3), 5),
                                  inits.uniform(rng(1), (5, 3), 5))
    with pytest.raises(InputError, match="radius"):
        inits.spectral(-1.0)


# --- output or state? ---------------------------------------------------------------------------


def described(layer, xs, capsys):
    layer.describe(xs)
    return capsys.readouterr().out.splitlines()


def test_the_table_of_an_lstm(capsys):
    lines = described(nn.LSTM(4, 3, return_sequences=True, return_state=True), np.ones((5, 2, 4)),
                      capsys)
    assert lines[0].endswith("returns the output of every step and the last state")
    body = "\n".join(lines)
    for shape, here, torch in (("(5, 2, 3)", "return_sequences=True", "output"),
                               ("(2, 3)", "by default", "output[-1]"),
                               ("(2, 3)", "state.h", "h_n[0]"), ("(2, 3)", "state.c", "c_n[0]")):
        assert any(shape in line and here in line and torch in line for line in lines), body
    assert "inputs (2, 5, 4)" in body


def test_the_tables_numbers_are_the_shapes_of_a_call(capsys):
    xs = np.ones((5, 2, 4))
    for make in (lambda **o: nn.GRU(4, 3, **o),
                 lambda **o: nn.Bidirectional(nn.LSTM(4, 3, **o)),
                 lambda **o: nn.Bidirectional(nn.RNN(4, 3, **o), merge="none"),
                 lambda **o: nn.Stacked([nn.Bidirectional(nn.GRU(4, 6, return_sequences=True)),
                                         nn.LSTM(12, 3, **o)]),
                 lambda **o: nn.RNN(4, 3, initial_state="random", recurrent_dropout=0.5, **o)):
        body = "\n".join(described(make(), xs, capsys))
        out, state = make(return_sequences=True, return_state=True)(xs, rng=0)
        last = make()(xs, rng=0)
        for part in (*leaves(out), *leaves(state), *leaves(last)):
            assert str(part.shape) in body


def leaves(state):
    return [p for s in state for p in leaves(s)] if isinstance(state, (tuple, list)) else [state]


def test_the_table_of_a_bidirectional_stack(capsys):
    model = nn.Stacked([nn.Bidirectional(nn.GRU(4, 3, return_sequences=True)),
                        nn.Bidirectional(nn.GRU(6, 3))])
    lines = described(model, Tensor(np.ones((5, 4))), capsys)
    body = "\n".join(lines)
    assert "h_n[3]" in body
    assert "state[1][1]" in body
    assert "output[-1, :, :H] and output[0, :, H:]" in body
    assert lines[0] == "Stacked(2 layers) returns the last output"
    assert described(nn.RNN(4, 3), np.ones((0, 2, 4)), capsys)


def test_describing_checks_the_input():
    with pytest.raises(ShapeError, match=r"\(T, B, 4\)"):
        nn.LSTM(4, 3).describe(np.ones((5, 2, 3)))


@pytest.mark.parametrize("later", [
    lambda: nn.Linear(3, 2), lambda: nn.RNN(3, 2), lambda: nn.Dropout(0.5),
    lambda: nn.LayerNorm(3)])
def test_an_output_with_its_state_is_no_sequence(later):
    layer = nn.RNN(4, 3, return_sequences=True, return_state=True, seed=0)
    xs = np.ones((5, 2, 4))
    with pytest.raises(InputError, match="layer 0 returns \\(output, state\\)"):
        nn.Sequential(layer, later())(xs)
    if not isinstance(later(), nn.Dropout):
        with pytest.raises(InputError, match="a sequence of steps is a list"):
            later()(layer(xs))


@pytest.mark.parametrize("between", [[], [lambda: nn.Dropout(0.5)],
                                     [lambda: nn.Linear(3, 3), lambda: nn.LayerNorm(3)]])
def test_a_recurrent_layer_above_a_last_step_is_refused(between):
    """Its (B, H) would be read as a sequence of B steps, and nothing would be said."""
    between = [make() for make in between]
    with pytest.raises(ShapeError, match=f"^Sequential: layer {len(between) + 1} expects a "
                       r"sequence \(T, B, I\) but layer 0 returns only its last step \(B, H\): "
                       "set return_sequences=True on layer 0$"):
        nn.Sequential(nn.RNN(4, 3), *between, nn.GRU(3, 2))
    nn.Sequential(nn.RNN(4, 3, return_sequences=True), *between, nn.GRU(3, 2))
    row = nn.Sequential(nn.RNN(4, 3), lambda h: [h] * 5, nn.GRU(3, 2, return_sequences=True))
    assert row(np.ones((7, 2, 4))).shape == (5, 2, 2)  # an autoencoder: h at every step
    with pytest.raises(InputError, match=r"got list. One after the other: Sequential\(a, b\)"):
        nn.Sequential([nn.RNN(4, 3)])


def test_a_function_in_a_row_keeps_the_steps():
    layer, head = nn.RNN(4, 3, return_sequences=True, seed=0), nn.Linear(3, 2, seed=0)
    xs, targets = np.random.default_rng(0).normal(size=(5, 4)), [0, 1, 0, 1, 1]
    row = nn.Sequential(layer, tg.tanh, head)(xs)
    by_hand = head([tg.tanh(h) for h in layer(xs).operands])
    np.testing.assert_allclose(row.numpy(), by_hand.numpy(), rtol=1e-14)
    assert [y.step for y in row.operands] == [1, 2, 3, 4, 5]
    each = [nn.cross_entropy(y, k).numpy() for y, k in zip(by_hand, targets)]
    np.testing.assert_allclose(nn.cross_entropy(row, targets).numpy(), sum(each), rtol=1e-14)
    last = nn.Sequential(layer, lambda hs: hs[-1], head)(xs)
    # one product for all steps rounds as it likes
    np.testing.assert_allclose(last.numpy(), head(layer(xs)).numpy()[-1], rtol=1e-14)
