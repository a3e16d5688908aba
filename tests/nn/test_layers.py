"""Cells, unrolling and layers: shapes, steps, names, states, and errors at the door."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import walk
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError

T, B, I, H, O = 4, 2, 3, 5, 6


def inputs(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def by_hand(cell, xs, h):
    """The recurrence in NumPy."""
    found = []
    for x in xs:
        z = x @ cell.W_xh.numpy().T + h @ cell.W_hh.numpy().T + cell.b_h.numpy()
        h = np.tanh(z)
        found.append(h)
    return np.array(found)


def labels(root):
    return [n.label for n in walk.nodes(root) if n.name]


# --- one step -----------------------------------------------------------------------------------


def test_a_step_and_its_nodes():
    cell = nn.RNNCell(I, H, seed=0)
    with tg.timestep(3):
        output, h = cell(inputs(B, I), inputs(B, H))
    assert output is h
    assert h.label == "h_3"
    assert [n.op.name for n in walk.nodes(h) if not n.is_leaf] == \
        ["linear", "linear", "+", "+", "tanh"]
    np.testing.assert_allclose(h.numpy(), by_hand(cell, [inputs(B, I)], inputs(B, H))[0])


def test_a_step_without_a_state_starts_from_zeros_one_step_before():
    cell = nn.RNNCell(I, H, seed=0)
    with tg.timestep(1):
        _, h = cell(inputs(I))
    assert h.shape == (H,)
    assert labels(h) == ["x_1", "W_xh", "h_0", "W_hh", "b_h", "h_1"]


@pytest.mark.parametrize(("name", "function"), [
    ("tanh", np.tanh), ("relu", lambda z: np.maximum(z, 0)), ("identity", lambda z: z)])
@pytest.mark.parametrize("bias", [True, False])
def test_activations(name, function, bias):
    cell = nn.RNNCell(I, H, name, bias, seed=1)
    x, h = inputs(B, I), inputs(B, H, seed=2)
    z = x @ cell.W_xh.numpy().T + h @ cell.W_hh.numpy().T
    z = z + cell.b_h.numpy() if bias else z
    _, after = cell(x, h)
    np.testing.assert_allclose(after.numpy(), function(z))
    assert after.name == "h"
    assert len(cell.parameters()) == (3 if bias else 2)


def test_an_activation_of_ones_own():
    cell = nn.RNNCell(I, H, lambda z: np.sin(z), seed=1)
    assert cell(inputs(B, I))[0].op.name == "sin"


@pytest.mark.parametrize("options", [
    {"input_size": 0}, {"hidden_size": -1}, {"hidden_size": 2.0}, {"input_size": True},
    {"nonlinearity": "tan"}, {"init": "magic"}, {"dtype": "int64"}])
def test_cells_that_cannot_be(options):
    with pytest.raises(InputError):
        nn.RNNCell(**{"input_size": I, "hidden_size": H, **options})


# --- sequences ----------------------------------------------------------------------------------


SHAPES, EMPTY = [(T, B, I), (T, I), (1, B, I), (1, I)], (T, 0, I)  # an empty list has no shape


@pytest.mark.parametrize(("kind", "shape"), [
    *((kind, shape) for kind in ("array", "tensor", "constant", "list")
      for shape in (*SHAPES, EMPTY)), *(("nested", shape) for shape in SHAPES)])
def test_many_to_many(kind, shape):
    layer = nn.RNN(I, H, return_sequences=True, return_state=True, seed=0)
    xs = inputs(*shape)
    given = {"array": xs, "tensor": Tensor(xs, requires_grad=True), "constant": Tensor(xs),
             "list": list(xs), "nested": xs.tolist()}[kind]
    outputs, state = layer(given)
    expected = by_hand(layer.cell, xs, np.zeros((*shape[1:-1], H)))
    np.testing.assert_allclose(outputs.numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(state.numpy(), expected[-1], rtol=1e-12)
    assert isinstance(outputs, Tensor)
    assert outputs.shape == (*shape[:-1], H)
    assert [h.label for h in outputs.operands] == [f"h_{t}" for t in range(1, shape[0] + 1)]
    assert state is outputs.operands[-1]


def test_many_to_one():
    layer = nn.RNN(I, H, seed=0)
    last = layer(inputs(T, B, I))
    assert last.shape == (B, H)
    assert last.label == f"h_{T}"
    assert labels(last) == ["x_1", "W_xh", "h_0", "W_hh", "b_h", "h_1", "x_2", "h_2", "x_3", "h_3",
                            "x_4", "h_4"]


def test_both_spellings_of_return_state():
    for options in ({"return_state": True}, {"return_states": True}):
        last, state = nn.RNN(I, H, **options)(inputs(T, I))
        assert last is state


def test_what_numpy_does_with_the_outputs():
    outputs = nn.RNN(I, H, return_sequences=True, seed=0)(inputs(T, B, I))
    assert (len(outputs), outputs.ndim) == (T, 3)
    assert outputs[-1].shape == (B, H)
    assert np.tanh(outputs).shape == (T, B, H)
    assert (outputs @ np.ones((H, O))).shape == (T, B, O)
    assert (outputs @ np.ones((H, O))).step is None


def test_a_gradient_for_the_inputs():
    xs = Tensor(inputs(T, B, I), name="x", requires_grad=True)
    layer = nn.RNN(I, H, seed=0)
    (layer(xs) ** 2).sum().backward()
    step = 1e-6
    for place in [(0, 0, 0), (3, 1, 2)]:
        moved = [0.0, 0.0]
        for k, sign in enumerate((1, -1)):
            nudged = xs.numpy()
            nudged[place] += sign * step
            moved[k] = (layer(nudged).numpy() ** 2).sum()
        assert xs.grad[place] == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-6)


def test_layers_step_back_through_the_stacking():
    first, second = nn.RNN(I, H, return_sequences=True, seed=0), nn.RNN(H, H, seed=1)
    middle = first(inputs(T, B, I))
    last = second(middle)
    found = set(walk.nodes(last))
    assert middle not in found
    assert found.issuperset(middle.operands)


def test_the_users_array_may_change_afterwards():
    layer = nn.RNN(I, H, seed=0)
    layer(inputs(T, B, I)).sum().backward()
    expected = layer.cell.W_xh.grad
    for given in (inputs(T, B, I), list(inputs(T, B, I))):
        layer.zero_grad()
        last = layer(given)
        given[0][:] = 99.0
        last.sum().backward()
        np.testing.assert_array_equal(layer.cell.W_xh.grad, expected)


# --- steps --------------------------------------------------------------------------------------


def test_inside_a_timestep_a_layer_starts_there():
    with tg.timestep(7):
        outputs = nn.RNN(I, H, return_sequences=True, seed=0)(inputs(T, B, I))
    assert [h.step for h in outputs.operands] == [7, 8, 9, 10]
    assert "h_6" in labels(outputs)


def test_a_state_is_carried_on_by_hand():
    layer = nn.RNN(I, H, return_state=True, seed=0)
    xs = inputs(2 * T, B, I)
    _, whole = layer(xs)
    _, state = layer(xs[:T])
    with tg.timestep(T + 1):
        _, second = layer(xs[T:], state)
    np.testing.assert_array_equal(second.numpy(), whole.numpy())
    assert second.step == 2 * T
    second.sum().backward()
    carried = [p.grad for p in layer.parameters()]
    layer.zero_grad()
    whole.sum().backward()
    for p, g in zip(layer.parameters(), carried):
        np.testing.assert_allclose(p.grad, g, rtol=1e-12)


@pytest.mark.parametrize("cut", [lambda s: s.detach(), lambda s: s.numpy()])
def test_a_detached_state_is_h_0_of_the_next_window(cut):
    layer = nn.RNN(I, H, return_state=True, seed=0)
    _, state = layer(inputs(T, B, I))
    _, second = layer(inputs(T, B, I), cut(state))
    assert labels(second)[2] == "h_0"
    assert sum(n.label == f"h_{T}" for n in walk.nodes(second)) == 1


def test_a_learned_initial_state_gets_its_gradient():
    start = Tensor(np.zeros((B, H)), name="s", requires_grad=True)
    nn.RNN(I, H, seed=0)(inputs(T, B, I), start).sum().backward()
    assert np.abs(start.grad).min() > 0
    assert start.name == "s"


# --- none, and too much -------------------------------------------------------------------------


def test_no_steps():
    layer = nn.RNN(I, H, return_sequences=True, return_state=True, seed=0)
    outputs, state = layer(np.zeros((0, B, I)))
    assert outputs.shape == (0, B, H)
    np.testing.assert_array_equal(state.numpy(), np.zeros((B, H)))
    given = inputs(B, H)
    np.testing.assert_array_equal(nn.RNN(I, H)(np.zeros((0, B, I)), given).numpy(), given)
    assert nn.RNN(I, H)(np.zeros((0, I))).shape == (H,)
    with pytest.raises(InputError, match=r"batch size is unknown.*\(0, B, 3\)"):
        layer([])


@pytest.mark.parametrize(("xs", "words"), [
    (np.zeros((T, B, I + 1)), r"RNN\(3, 5, tanh\): expected xs of shape \(T, B, 3\) or \(T, 3\), "
                              r"got \(4, 2, 4\)"),
    (np.zeros(T), r"got \(4,\).*one_hot\(xs, 3\)"),
    (np.zeros((1, T, B, I)), r"got \(1, 4, 2, 3\)"),
    ([np.zeros(I), np.zeros(I + 1)], r"\(3,\) as the first, got \(4,\) at xs\[1\]"),
    ([np.zeros((B, I)), np.zeros(I)], r"\(2, 3\) as the first, got \(3,\) at xs\[1\]"),
    ([1.0, 2.0], r"\(B, 3\) or \(3,\), got \(\) at xs\[0\]"),
    (np.array(1.0), "a single number"),
])
def test_inputs_that_do_not_fit(xs, words):
    with pytest.raises(ShapeError, match=words):
        nn.RNN(I, H)(xs)


@pytest.mark.parametrize("xs", ["text", 3, {"a": 1}, None])
def test_what_is_no_sequence(xs):
    with pytest.raises(InputError, match="expected a sequence"):
        nn.RNN(I, H)(xs)


def test_inputs_that_are_no_numbers():
    with pytest.raises(DTypeError, match="real numbers"):
        nn.RNN(I, H)(np.full((T, I), "x"))


@pytest.mark.parametrize("state", [np.zeros(H), np.zeros((B, H + 1)), np.zeros((1, B, H))])
def test_states_that_do_not_fit(state):
    with pytest.raises(ShapeError, match=r"initial state of shape \(2, 5\), got"):
        nn.RNN(I, H)(inputs(T, B, I), state)


# --- any cell -----------------------------------------------------------------------------------


def test_a_function_is_a_cell():
    w = Tensor(0.5, name="w", requires_grad=True)

    def cell(x, state):
        state = (w * state + x).named("s")
        return state * 2.0, state

    outputs, state = nn.unroll(cell, [1.0, 2.0, 3.0], 0.0)
    assert [o.item() for o in outputs] == [2.0, 5.0, 8.5]
    assert state.label == "s_3"
    flow = gradient_flow(outputs[-1])
    assert [row.step for row in flow.ledger(w)] == [3, 2, 1]
    layer = nn.Recurrent(cell, return_sequences=True)
    assert layer(np.array([1.0, 2.0]), 0.0).shape == (2,)


@pytest.mark.parametrize("cell", [lambda x, state: x, lambda x, state: (x, x, x)])
def test_cells_that_return_something_else(cell):
    with pytest.raises(InputError, match=r"step 1, unroll: expected .* \(output, state\)"):
        nn.unroll(cell, [1.0])


def test_no_cell():
    with pytest.raises(InputError, match="got int"):
        nn.Recurrent(3)


# --- dtype, seeds, linear -----------------------------------------------------------------------


def test_float32_throughout():
    layer = nn.RNN(I, H, return_sequences=True, dtype="float32", seed=0)
    head = nn.Linear(H, O, name="hy", dtype="float32", seed=0)
    loss = nn.cross_entropy(head(layer(inputs(T, B, I))), np.zeros((T, B), int), reduction="mean")
    loss.backward()
    assert loss.dtype == np.float32
    assert {p.grad.dtype for p in layer.parameters() + head.parameters()} == {np.dtype("float32")}


def test_whole_numbers_as_inputs():
    layer = nn.RNN(I, H, seed=0)
    xs = np.eye(I, dtype=int)
    np.testing.assert_array_equal(layer(xs).numpy(), layer(xs.astype(float)).numpy())


def test_seeds():
    same = [nn.RNN(I, H, seed=7).cell.W_hh.numpy() for _ in range(2)]
    np.testing.assert_array_equal(*same)
    fresh = [nn.RNN(I, H).cell.W_hh.numpy() for _ in range(2)]
    assert not np.array_equal(*fresh)
    rng = np.random.default_rng(0)
    drawn = [nn.RNN(I, H, seed=rng).cell.W_hh.numpy() for _ in range(2)]
    assert not np.array_equal(*drawn)


def test_linear_on_a_sequence_goes_step_by_step():
    head = nn.Linear(H, O, name="hy", seed=0)
    states = nn.RNN(I, H, return_sequences=True, seed=0)(inputs(T, B, I))
    y = head(states)
    assert [n.label for n in y.operands] == ["y_1", "y_2", "y_3", "y_4"]
    np.testing.assert_allclose(y.numpy(), states.numpy() @ head.W.numpy().T + head.b.numpy())
    rows = gradient_flow(y.sum()).ledger(head.W)
    assert [row.step for row in rows] == [4, 3, 2, 1]


@pytest.mark.parametrize(("name", "expected"), [
    (None, ["W", "b"]), ("hy", ["W_hy", "b_y"]), ("out", ["W_out", "b_out"])])
def test_names_of_linear(name, expected):
    head = nn.Linear(H, O, name, seed=0)
    assert [n for n, _ in head.named_parameters()] == expected
    assert [p.name for p in head.parameters()] == expected
    assert head.W is getattr(head, expected[0])
    assert head.b is getattr(head, expected[1])
    assert nn.Linear(H, O, name, bias=False).b is None
    with pytest.raises(AttributeError, match="nothing"):
        head.nothing  # noqa: B018


def test_linear_on_one_thing():
    head = nn.Linear(H, O, seed=0)
    for shape in [(H,), (B, H), (T, B, H)]:
        y = head(np.ones(shape))
        assert y.shape == (*shape[:-1], O)
        assert y.step is None
    with pytest.raises(ShapeError, match=r"Linear\(5, 6\): expected x .* \(..., 5\), got \(3,\)"):
        head(np.ones(3))


def test_without_recording_the_results_are_the_same():
    layer = nn.RNN(I, H, return_sequences=True, seed=0)
    head = nn.Linear(H, O, name="hy", seed=0)
    for shape in [(T, B, I), (T, I)]:
        targets = np.zeros(shape[:-1], int)
        with_graph = nn.cross_entropy(head(layer(inputs(*shape))), targets)
        with tg.no_grad():
            without = nn.cross_entropy(head(layer(inputs(*shape))), targets)
        assert without.item() == with_graph.item()
        assert not without.requires_grad


# --- long sequences -----------------------------------------------------------------------------


def test_a_long_sequence_costs_in_proportion():
    """Stacking, the head and the loss: each node is looked at a bounded number of times."""
    layer = nn.RNN(2, 2, return_sequences=True, seed=0)
    head = nn.Linear(2, 2, name="hy", seed=0)
    n = 3000
    loss = nn.cross_entropy(head(layer(np.ones((n, 2)))), np.zeros(n, int))
    assert len(walk.nodes(loss)) < 12 * n
    flow = gradient_flow(loss)
    assert len(flow.ledger(layer.cell.W_hh)) == n
    assert sum(len(entries) for entries in flow.incoming.values()) < 15 * n


# --- what cells and weights refuse --------------------------------------------------------------


@pytest.mark.parametrize("cell", [
    nn.RNNCell(3, 5), nn.LSTMCell(3, 5), nn.GRUCell(3, 5), nn.SkipRNNCell(3, 5),
    nn.DeepRNNCell(3, 5)])
def test_a_cell_called_by_hand_broadcasts_nothing(cell):
    x, name = np.ones((2, 3)), type(cell).__name__
    with pytest.raises(ShapeError, match=rf"{name}.*expected x of shape.*\(2, 4\)"):
        cell(np.ones((2, 4)))
    for shape in ((1, 5), (5,), (2, 1), (3, 5)):
        state = tuple(np.ones(shape) for _ in cell.state_names)
        with pytest.raises(ShapeError, match=rf"{name}.*the state h of shape \(2, 5\), got"):
            cell(x, state if len(state) > 1 else state[0])
        if name != "DeepRNNCell":
            with pytest.raises(ShapeError, match=rf"{name}.*recurrent_mask of shape \(2, 5\)"):
                cell(x, recurrent_mask=np.ones(shape))


def test_a_part_of_a_state_may_be_left_out():
    cell, x, h = nn.LSTMCell(3, 5, seed=0), np.ones((2, 3)), np.ones((2, 5))
    np.testing.assert_array_equal(cell(x, (h, None))[0].numpy(),
                                  cell(x, (h, np.zeros((2, 5))))[0].numpy())
    with pytest.raises(InputError, match="a single array, got a tuple of 2"):
        nn.RNNCell(3, 5)(x, (h, None))


def test_an_init_of_another_shape_is_refused():
    def scalar(rng, shape, hidden):
        return 0.5

    for make in (lambda: nn.RNN(3, 5, init=scalar), lambda: nn.GRU(3, 5, init_hh=scalar),
                 lambda: nn.Linear(3, 5, "hy", init=scalar),
                 lambda: nn.Embedding(3, 5, init=scalar), lambda: nn.MLP([3, 5], init=scalar),
                 lambda: nn.ReadoutCell(nn.RNNCell(3, 5), 2, init=scalar)):
        with pytest.raises(ShapeError, match=r"expected scalar\(rng, shape, hidden\) to return W"):
            make()


@pytest.mark.parametrize("options", [
    {"seed": -1}, {"seed": "a"}, {"dtype": "flot"}, {"init": ["x"]}, {"bias": "no"}])
def test_settings_of_the_wrong_type_are_named(options):
    name, = options
    for make in (nn.RNN, nn.LSTM, nn.GRUCell, nn.SkipRNNCell, nn.Linear):
        with pytest.raises(InputError, match=f"expected {name} to be"):
            make(3, 5, **options)


def test_other_settings_of_the_wrong_type_are_named():
    with pytest.raises(InputError, match="nonlinearity"):
        nn.RNN(3, 5, nonlinearity=["tanh"])
    with pytest.raises(InputError, match="list of sizes"):
        nn.MLP(4)
    with pytest.raises(InputError, match="list of layers"):
        nn.Stacked(nn.RNN(3, 5))
    with pytest.raises(InputError, match="skips to be a list"):
        nn.SkipRNNCell(3, 5, skips=2)


def test_tied_weights():
    emb, head = nn.Embedding(4, 3, seed=0), nn.Linear(3, 4, "hy", seed=1)
    head.W = emb.W_e
    assert head.W is head.W_hy is emb.W_e
    with pytest.raises(ShapeError, match=r"shape \(4, 3\), got \(3, 4\)"):
        head.W = nn.Linear(4, 3).W


@pytest.mark.parametrize("layer", [
    nn.RNN(3, 5), nn.Dropout(0.5), nn.Sequential(nn.RNN(3, 5))])
def test_a_generator_that_is_none_is_named(layer):
    with pytest.raises(InputError, match="expected rng to be a whole number"):
        layer(np.ones((4, 2, 3)), rng="a")


def test_a_forget_bias_that_is_no_number_is_named():
    with pytest.raises(InputError, match="expected forget_bias to be a finite number"):
        nn.LSTM(3, 5, forget_bias="a")


def test_samples_of_different_lengths_are_told_of_padding():
    ragged = [inputs(n, I) for n in (4, 6, 2)]
    with pytest.raises(ShapeError, match=r"got \(6, 3\) at xs\[1\]. .*pad them, and give lengths="):
        nn.GRU(I, H)(ragged)


def test_the_pair_of_an_lstm_is_detached_at_once():
    layer = nn.LSTM(I, H, return_state=True, seed=0)
    _, state = layer(inputs(T, B, I))
    cut = state.detach()
    assert type(cut) is type(state)
    assert not cut.h.requires_grad
    assert not cut.c.requires_grad
    assert nn.LSTMState(inputs(B, H), None).detach().c is None
    _, again = layer(inputs(T, B, I), cut)
    assert all(node is not state.c for node in tg.nodes(again.c))
