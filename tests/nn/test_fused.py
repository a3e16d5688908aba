"""Fused layers: one node for the whole sequence, equal to the op-level graph in every number."""

import copy

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.core import timeline
from tinygrad_rnn.nn.fused import SEQUENCE
from tinygrad_rnn.nn.fused_desks import RNNDesk
from tinygrad_rnn.nn.fused_room import Room
from tinygrad_rnn.nn.fused_slopes import PHIS, phi_of
from tinygrad_rnn.nn.states import parts_of
from tinygrad_rnn.nn.steps_joined import span_of

from . import test_golden as golden
from .reference import family

T, B, I, H = 7, 3, 4, 5
EXACT = {"rtol": 1e-12, "atol": 1e-14}
LENGTHS = np.array([7, 0, 4])
HOLES = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1], [1, 0, 1], [0, 0, 0]],
                 bool)
EDGES = np.repeat(np.isin(np.arange(T), (2, 3, 4))[:, None], B, 1)
BEGINS = np.zeros((T, B), bool)
BEGINS[[2, 3, 5, 0, 6], [0, 1, 2, 2, 0]] = True

LAYERS = {
    "rnn": (nn.RNN, {}),
    "rnn relu, no bias": (nn.RNN, {"nonlinearity": "relu", "bias": False}),
    "rnn stacked": (nn.RNN, {"stacked": True}),
    "rnn sigmoid": (nn.RNN, {"nonlinearity": "sigmoid"}),
    "lstm": (nn.LSTM, {}),
    "lstm, no bias": (nn.LSTM, {"bias": False}),
    "lstm stacked": (nn.LSTM, {"stacked": True, "forget_bias": 1.0}),
    "lstm peepholes": (nn.LSTM, {"peepholes": True}),
    "lstm, other activations": (nn.LSTM, {"activation": "softsign", "output_activation": "sigmoid",
                                          "gate_activation": "hard_sigmoid"}),
    "gru": (nn.GRU, {}),
    "gru, no bias": (nn.GRU, {"bias": False}),
    "gru stacked": (nn.GRU, {"stacked": True}),
    "gru, reset before": (nn.GRU, {"reset_after": False}),
    "gru, reset before, stacked": (nn.GRU, {"reset_after": False, "stacked": True, "bias": False}),
    "gru, sigmoid candidate": (nn.GRU, {"activation": "sigmoid"}),
    "gru, reset before, sigmoid candidate": (nn.GRU, {"activation": "sigmoid",
                                                      "reset_after": False}),
}
CALLS = {
    "plain": ({}, {}),
    "one output": ({"return_sequences": False}, {}),
    "reverse": ({"reverse": True}, {}),
    "lengths": ({}, {"lengths": LENGTHS}),
    "lengths, zero": ({"padding": "zero"}, {"lengths": LENGTHS}),
    "lengths, reverse": ({"reverse": True}, {"lengths": LENGTHS}),
    "one output, lengths": ({"return_sequences": False}, {"lengths": LENGTHS}),
    "holes": ({"padding": "zero"}, {"mask": HOLES}),
    "holes, repeat, reverse": ({"reverse": True}, {"mask": HOLES}),
    "both ends": ({"initial_state": "learned"}, {"mask": EDGES}),
    "both ends, reverse": ({"reverse": True, "initial_state": "learned", "padding": "zero"},
                           {"mask": EDGES}),
    "nothing valid": ({"return_sequences": False, "initial_state": "learned"},
                      {"mask": np.zeros((T, B), bool)}),
    "sequences in a row": ({}, {"reset_mask": BEGINS}),
    "sequences in a row, learned": ({"initial_state": "learned"}, {"reset_mask": BEGINS}),
    "holes and sequences": ({"initial_state": "learned"}, {"reset_mask": BEGINS, "mask": HOLES}),
    "holes and sequences, one output": ({"return_sequences": False},
                                        {"reset_mask": BEGINS, "mask": HOLES}),
    "all, reverse": ({"reverse": True, "initial_state": "learned", "recurrent_dropout": 0.4},
                     {"reset_mask": BEGINS, "mask": HOLES, "rng": 3}),
    "dropout": ({"recurrent_dropout": 0.4}, {"rng": 1}),
    "random state": ({"initial_state": "random"}, {"rng": 1, "reset_mask": BEGINS}),
}


def numbers(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def randomised(model):
    """Every parameter away from its first value, zeros among them."""
    for k, p in enumerate(model.parameters()):
        p.data = p.numpy() + 0.3 * numbers(p.shape, 100 + k)
    return model


def weighted(found, seed=7):
    """One number that hangs on every entry of everything that was returned."""
    parts = [part for part in parts_of(found) if isinstance(part, tg.Node)]
    return sum((part * numbers(part.shape, seed + k)).sum() for k, part in enumerate(parts))


def outcome(model, xs, start=None, fused=False, loss_of=weighted, **call):
    """(values, gradients by name, the loss) of one pass."""
    x = tg.Tensor(xs, name="x", requires_grad=True)
    leaves = {f"state {k}": tg.Tensor(v, requires_grad=True)
              for k, v in enumerate(parts_of(start) if start is not None else [])}
    state = None if start is None else rebuilt(start, iter(leaves.values()))
    model.zero_grad()
    if fused:
        with tg.fused():
            found = model(x, state, **call)
    else:
        found = model(x, state, **call)
    loss = loss_of(found)
    loss.backward()
    grads = {name: leaf.grad for name, leaf in
             {"x": x, **leaves, **dict(model.named_parameters())}.items()}
    return [p.numpy() for p in parts_of(found) if isinstance(p, tg.Node)], grads, loss


def rebuilt(state, leaves):
    if isinstance(state, (tuple, list)):
        return type(state)(rebuilt(part, leaves) for part in state)
    return next(leaves)


def agree(one, other, **tolerance):
    """Two outcomes are the same."""
    tolerance = {**EXACT, **tolerance}
    assert len(one[0]) == len(other[0])
    for a, b in zip(one[0], other[0]):
        np.testing.assert_allclose(b, a, **tolerance)
    assert one[1].keys() == other[1].keys()
    for name, a in one[1].items():
        b = other[1][name]
        if a is None or b is None:  # no step used it
            a, b = (0.0 if v is None else v for v in (a, b))
        np.testing.assert_allclose(b, a, err_msg=name, **tolerance)


def ops_of(loss):
    return [node.op for node in tg.nodes(loss)]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("layer", LAYERS)
def test_every_option(layer, call):
    kind, settings = LAYERS[layer]
    options, arguments = CALLS[call]
    model = randomised(kind(I, H, seed=1, **{"return_sequences": True, "return_state": True,
                                             "return_all_states": True, **settings, **options}))
    one, other = (outcome(model, numbers((T, B, I)), fused=fused, **arguments)
                  for fused in (False, True))
    assert SEQUENCE in ops_of(other[2])
    assert SEQUENCE not in ops_of(one[2])
    assert len(ops_of(other[2])) < 40
    agree(one, other)


@pytest.mark.parametrize("shape", [(T, I), (T, 1, I), (1, B, I), (2, B, I)])
@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru", "gru, reset before"])
def test_without_a_batch_and_short_ones(layer, shape):
    kind, settings = LAYERS[layer]
    model = kind(I, H, seed=1, return_sequences=True, return_state=True, **settings)
    agree(*(outcome(model, numbers(shape), fused=fused) for fused in (False, True)))


@pytest.mark.parametrize("fused", [False, True])
def test_no_steps(fused):
    layer = nn.RNN(I, H, fused=fused, return_sequences=True)
    assert layer(np.zeros((0, B, I))).shape == (0, B, H)
    start = tg.Tensor(numbers((B, H)), requires_grad=True)
    assert nn.RNN(I, H, fused=fused)(np.zeros((0, B, I)), start) is start


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_first_states_that_are_given(layer, reverse):
    kind, settings = LAYERS[layer]
    model = randomised(kind(I, H, seed=1, return_state=True, reverse=reverse, **settings))
    start = numbers((B, H)) if kind is not nn.LSTM else (numbers((B, H)), numbers((B, H), 1))
    agree(*(outcome(model, numbers((T, B, I)), start, fused) for fused in (False, True)))


@pytest.mark.parametrize("name", PHIS)
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_every_activation(kind, name):
    named = {"nonlinearity": name} if kind is nn.RNN else {"activation": name}
    model = kind(I, H, seed=1, return_sequences=True, **named)
    agree(*(outcome(model, 2 * numbers((T, B, I)), fused=fused) for fused in (False, True)))


@pytest.mark.parametrize("activation", ["gelu", "silu", lambda z: tg.tanh(0.5 * z)])
def test_what_has_no_slope_in_its_value_is_computed_op_by_op(activation):
    with pytest.warns(UserWarning, match=r"^RNN\(fused=True\) is computed op by op: the slope"):
        layer = nn.RNN(I, H, activation, seed=1, fused=True)
    one, other = (outcome(layer, numbers((T, B, I)), fused=fused) for fused in (False, True))
    assert SEQUENCE not in ops_of(one[2]) + ops_of(other[2])
    with pytest.warns(UserWarning, match="function is not an RNNCell, LSTMCell or GRUCell"):
        nn.Recurrent(lambda x, h: (h, h), fused=True)


def test_a_cell_that_is_called_in_another_way_is_not_taken_for_its_base():
    class Leaky(nn.RNNCell):
        def __call__(self, x, state=None, **options):
            new, _ = super().__call__(x, state, **options)
            return (h := 0.5 * (new + state), h)

    with tg.fused():
        layer = nn.Recurrent(Leaky(I, H, seed=0))
        assert SEQUENCE not in ops_of(layer(numbers((T, B, I))))


def layers_in_a_row(seed=0, **options):
    return nn.Stacked([nn.Bidirectional(nn.LSTM(I, H, seed=seed, return_sequences=True)),
                       nn.GRU(2 * H, H, seed=seed + 1, return_sequences=True),
                       nn.RNN(H, H, seed=seed + 2, return_sequences=True)],
                      return_state=True, return_all_states=True, **options)


MODELS = {
    "stacked": layers_in_a_row(),
    "with dropout": layers_in_a_row(dropout=0.3),
    "residual": nn.Stacked([nn.RNN(I, H, seed=0, return_sequences=True),
                            nn.GRU(H, H, seed=1, return_sequences=True), nn.RNN(H, H, seed=2)],
                           residual=True),
    **{merge: nn.Bidirectional(nn.GRU(I, H, seed=3, return_sequences=True), merge=merge,
                               return_state=True, return_all_states=True)
       for merge in ("concat", "sum", "mul", "ave", "none")},
    "last of both": nn.Bidirectional(nn.LSTM(I, H, seed=3)),
}


@pytest.mark.parametrize("call", [{}, {"lengths": LENGTHS}, {"mask": HOLES}])
@pytest.mark.parametrize("model", MODELS)
def test_stacked_and_bidirectional(model, call):
    model = MODELS[model]
    one, other = (outcome(model, numbers((T, B, I)), fused=fused, rng=5, **call)
                  for fused in (False, True))
    agree(one, other)
    made = [node for node in tg.nodes(other[2]) if node.op.rules]
    assert len(made) < 90  # no node for each step


def test_one_layer_fused_below_or_above_one_that_is_not():
    for below, above in ((True, False), (False, True)):
        model = nn.Stacked([nn.LSTM(I, H, seed=0, return_sequences=True, fused=below),
                            nn.RNN(H, H, seed=1, return_sequences=True, fused=above)])
        plain = nn.Stacked([nn.LSTM(I, H, seed=0, return_sequences=True),
                            nn.RNN(H, H, seed=1, return_sequences=True)])
        agree(outcome(plain, numbers((T, B, I))), outcome(model, numbers((T, B, I))))


# --- what arrives from where --------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru"])
def test_taps_in_the_middle_add_up(layer):
    """A loss at single steps, at the sequence, at the last state: all at once."""
    kind, settings = LAYERS[layer]
    model = kind(I, H, seed=1, return_sequences=True, return_state=True, return_all_states=True,
                 **settings)

    def loss(found):
        outputs, last, states = found
        c = parts_of(states)[-1]
        return ((outputs[2] * outputs[2]).sum() + (outputs[2] * outputs[5]).sum()
                + weighted(outputs) + 3.0 * weighted(last) + (c[3] * c[1]).sum())

    agree(*(outcome(model, numbers((T, B, I)), fused=fused, loss_of=loss)
            for fused in (False, True)))


def test_a_list_of_steps_and_steps_that_are_nodes():
    layer = nn.RNN(I, H, seed=1, return_sequences=True)
    xs = [tg.Tensor(x, requires_grad=True) for x in numbers((T, B, I))]
    weighted(layer(xs)).backward()
    expected = [x.grad for x in xs]
    for x in xs:
        x.zero_grad()
    with tg.fused():
        weighted(layer(xs)).backward()
        np.testing.assert_allclose(layer(list(numbers((T, B, I)))).numpy(), layer(xs).numpy())
    for x, g in zip(xs, expected):
        np.testing.assert_allclose(x.grad, g, **EXACT)


def test_an_input_that_is_used_again_and_a_weight_that_is_shared():
    """What reaches W_hh and x besides the layer is added."""
    layer = nn.RNN(H, H, seed=1, return_sequences=True)

    def loss(found):
        return weighted(found) + (layer.cell.W_hh * layer.cell.W_xh).sum()

    agree(*(outcome(layer, numbers((T, B, H)), fused=fused, loss_of=loss)
            for fused in (False, True)))


def test_what_is_masked_may_hold_anything():
    xs = numbers((T, B, I))
    dirty = np.where(HOLES[..., None], xs, np.nan)
    layer = nn.LSTM(I, H, seed=1, return_sequences=True)
    one = outcome(layer, xs, fused=True, mask=HOLES)
    other = outcome(layer, dirty, fused=True, mask=HOLES)
    agree(one, other, rtol=0, atol=0)
    assert np.all(other[1]["x"][~HOLES] == 0.0)


def test_far_out_on_the_gates_nothing_overflows_and_no_digit_is_lost():
    for kind in (nn.LSTM, nn.GRU):
        model = kind(I, H, seed=1, return_sequences=True)
        agree(*(outcome(model, 3e3 * numbers((T, B, I)), fused=fused) for fused in (False, True)))
        agree(*(outcome(model, 30 * numbers((T, B, I)), fused=fused) for fused in (False, True)),
              rtol=1e-10)


@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru", "gru, reset before"])
def test_float32_throughout(layer):
    kind, settings = LAYERS[layer]
    model = kind(I, H, seed=1, return_sequences=True, dtype="float32", **settings)
    one, other = (outcome(model, numbers((T, B, I)).astype(np.float32), fused=fused,
                          loss_of=lambda y: (y * y).sum()) for fused in (False, True))
    agree(one, other, rtol=2e-5, atol=2e-5)
    assert {g.dtype for g in other[1].values()} == {np.dtype(np.float32)}
    assert other[0][0].dtype == np.float32


def test_mixed_types_give_the_wider_one_and_each_gradient_its_own():
    layer = nn.RNN(I, H, seed=1, dtype="float32")
    one, other = (outcome(layer, numbers((T, B, I)), fused=fused) for fused in (False, True))
    assert other[0][0].dtype == one[0][0].dtype == np.float64
    assert other[1]["cell.W_hh"].dtype == np.float32
    assert other[1]["x"].dtype == np.float64


def test_nothing_is_recorded_under_no_grad_and_frozen_weights_get_none():
    layer = nn.RNN(I, H, seed=1, fused=True, return_sequences=True)
    with tg.no_grad():
        out = layer(numbers((T, B, I)))
    assert not out.requires_grad
    assert nn.Linear(H, 2, seed=0)(out).shape == (T, B, 2)
    layer.cell.W_hh = layer.cell.W_hh.detach()
    weighted(layer(numbers((T, B, I)))).backward()
    assert layer.cell.W_hh.grad is None
    assert layer.cell.W_xh.grad is not None


def test_a_weight_assigned_after_the_pass_is_refused():
    layer = nn.RNN(I, H, seed=1, fused=True)
    loss = weighted(layer(numbers((T, B, I))))
    layer.cell.W_hh.data -= 0.1
    with pytest.raises(tg.GradientError, match="W_hh"):
        loss.backward()


def test_backward_twice_adds_twice_and_changes_nothing_that_is_kept():
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        layer = kind(I, H, seed=1, fused=True)
        loss = weighted(layer(numbers((T, B, I))))
        loss.backward()
        once = layer.cell.W_hh.grad.copy()
        loss.backward()
        np.testing.assert_array_equal(layer.cell.W_hh.grad, 2 * once)


def test_input_arrays_are_copied():
    layer, xs = nn.RNN(I, H, seed=1, fused=True), numbers((T, B, I))
    loss = weighted(layer(xs))
    loss.backward()
    expected = layer.cell.W_xh.grad
    layer.zero_grad()
    loss = weighted(layer(xs))
    xs[:] = 0
    loss.backward()
    np.testing.assert_array_equal(layer.cell.W_xh.grad, expected)


# --- step by step, and twice --------------------------------------------------------------------


@pytest.mark.parametrize("call", ["plain", "reverse", "holes", "all, reverse", "dropout"])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_ledger_has_the_steps(layer, call):
    kind, settings = LAYERS[layer]
    options, arguments = CALLS[call]
    model = randomised(kind(I, H, seed=1, **{"return_sequences": True, **settings, **options}))
    found = []
    for fused in (False, True):
        x = tg.Tensor(numbers((T, B, I)), name="x", requires_grad=True)
        model.fused = fused
        model.zero_grad()
        flow = tg.gradient_flow(weighted(model(x, **arguments)))
        leaves = {"x": x, **dict(model.named_parameters())}
        found.append({name: by_step(flow.ledger(leaf)) for name, leaf in leaves.items()
                      if leaf.grad is not None and name[-2:] != "_0"})
    one, other = found
    assert one.keys() == other.keys()
    for name, steps in one.items():
        assert list(steps) == list(other[name]), name
        for t, c in steps.items():
            np.testing.assert_allclose(other[name][t], c, err_msg=f"{name}, step {t}", **EXACT)


def by_step(ledger):
    """What each step gave, in the order of the rows."""
    found = {}
    for row in ledger:
        found[row.step] = found.get(row.step, 0.0) + row.contribution
    return found


@pytest.mark.parametrize("call", ["plain", "holes, repeat, reverse", "all, reverse"])
@pytest.mark.parametrize("layer", ["rnn", "lstm peepholes", "gru", "gru, reset before",
                                   "gru stacked", "rnn stacked"])
def test_second_order(layer, call):
    """The gradient of the sum of all squared gradients."""
    kind, settings = LAYERS[layer]
    options, arguments = CALLS[call]
    model = randomised(kind(I, H, seed=1, **{"return_sequences": True, "return_state": True,
                                             **settings, **options}))
    found = []
    for fused in (False, True):
        model.fused = fused
        x = tg.Tensor(numbers((T, B, I)), requires_grad=True)
        h0 = numbers((B, H)) if kind is not nn.LSTM else (numbers((B, H)), numbers((B, H), 1))
        leaves = [tg.Tensor(h, requires_grad=True) for h in parts_of(h0)]
        start = leaves[0] if len(leaves) == 1 else tuple(leaves)
        wanted = [x, *leaves, *model.cell.parameters()]
        loss = weighted(model(x, start, **arguments))
        first = tg.grad(loss * loss, wanted, create_graph=True)
        again = tg.grad(sum((g * g).sum() for g in first), wanted)
        found.append([g.numpy() for g in (*first, *again)])
    for a, b in zip(*found):
        np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-11)


def test_the_graph_is_a_node_that_covers_its_steps():
    layer = nn.RNN(I, H, seed=1, fused=True, return_sequences=True)
    with tg.timestep(5), tg.scope("encoder"):
        out = layer(numbers((T, B, I)))
    assert span_of(out) == range(5, 5 + T)
    assert (out.op, out.name, out.step, out.scope) == (SEQUENCE, "h", None, "encoder")
    assert "fused=True" in repr(layer)
    assert phi_of(tg.tanh) is PHIS["tanh"]


# --- the head, the loss, and the graph opened again ---------------------------------------------


O = 6
CLASSES = np.random.default_rng(4).integers(O, size=(T, B))
SHARES = np.random.default_rng(5).dirichlet(np.ones(O), size=(T, B))
LOSSES = {
    "classes": (nn.cross_entropy, CLASSES, {}),
    "sum": (nn.cross_entropy, CLASSES, {"reduction": "sum"}),
    "mean, masked": (nn.cross_entropy, CLASSES, {"reduction": "mean", "mask": HOLES}),
    "valid": (nn.cross_entropy, CLASSES, {"reduction": "valid", "mask": HOLES}),
    "distributions": (nn.cross_entropy, SHARES, {}),
    "squared": (nn.squared_error, SHARES, {"mask": HOLES}),
    "binary": (nn.binary_cross_entropy, SHARES, {"reduction": "mean"}),
    "huber": (nn.huber, 3 * SHARES, {"delta": 0.5}),
    "a list": (nn.squared_error, list(SHARES), {}),
    "learned": (nn.squared_error, tg.Tensor(SHARES, requires_grad=True, name="target"), {}),
}


class Model(nn.Module):
    """A layer, a head and a loss."""

    def __init__(self, layer, loss=nn.cross_entropy, targets=CLASSES, **options):
        self.layer, self.head = layer, nn.Linear(H, O, name="hy", seed=9)
        self.loss, self.targets, self.options = loss, targets, options

    def __call__(self, x, state=None, **call):
        return self.loss(self.head(self.layer(x, state, **call)), self.targets, **self.options)


def ledgers(model, x, loss):
    model.zero_grad()
    x.zero_grad()
    flow = tg.gradient_flow(loss)
    return {name: by_step(flow.ledger(leaf))
            for name, leaf in {"x": x, **dict(model.named_parameters())}.items()}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru"])
def test_head_and_loss_over_all_steps(layer, loss):
    kind, settings = LAYERS[layer]
    function, targets, options = LOSSES[loss]
    model = Model(kind(I, H, seed=1, return_sequences=True, **settings), function, targets,
                  **options)
    found = []
    for fused in (False, True):
        if isinstance(targets, tg.Node):
            targets.zero_grad()
        values, grads, L = outcome(model, numbers((T, B, I)), fused=fused, loss_of=lambda y: y)
        if isinstance(targets, tg.Node):
            grads["target"] = targets.grad
        found.append((values, grads, L))
    agree(*found)
    assert len([n for n in tg.nodes(found[1][2]) if n.op.rules]) < 20  # not one for each step
    assert found[1][2].name == "L"
    opened = tg.open_fused(found[1][2])
    np.testing.assert_allclose(opened.numpy(), found[0][0][0], **EXACT)
    model.zero_grad()
    opened.backward()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.grad, found[0][1][name], err_msg=name, **EXACT)


@pytest.mark.parametrize("batch", [(), (B,)])
def test_the_loss_of_every_step_is_still_there(batch):
    model = Model(nn.RNN(I, H, seed=1, return_sequences=True),
                  targets=CLASSES if batch else CLASSES[:, 0])
    xs = numbers((T, *batch, I))
    expected = [L.item() for L in model(xs).operands]
    model.layer.fused = True
    loss = model(xs)
    (steps,) = loss.operands
    assert (span_of(steps), steps.name) == (range(1, T + 1), "L")
    np.testing.assert_allclose(steps.numpy(), expected, **EXACT)
    opened = tg.open_fused(loss).operands
    np.testing.assert_allclose([L.item() for L in opened], expected, **EXACT)
    assert [(L.name, L.step) for L in opened] == [("L", t) for t in range(1, T + 1)]


def test_second_order_through_head_and_loss():
    model = Model(nn.RNN(I, H, seed=1, return_sequences=True))
    found = []
    for fused in (False, True):
        model.layer.fused = fused
        params = model.parameters()
        first = tg.grad(model(numbers((T, B, I))), params, create_graph=True)
        again = tg.grad(sum((g * g).sum() for g in first), params)
        found.append([g.numpy() for g in (*first, *again)])
    for a, b in zip(*found):
        np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-12)


def test_wrong_targets_are_refused_in_the_same_words():
    model = Model(nn.RNN(I, H, seed=1, return_sequences=True, fused=True))
    for targets, error, words in [(CLASSES + 1, tg.InputError, r"classes must lie in 0 \.\. 5"),
                                  (CLASSES[1:], tg.ShapeError, "targets for the 7 steps"),
                                  (CLASSES[:, :2], tg.ShapeError, "target"),
                                  (2 * SHARES, tg.InputError, "distributions"),
                                  (CLASSES.astype(float), tg.DTypeError, "whole numbers")]:
        model.targets = targets
        with pytest.raises(error, match=words):
            model(numbers((T, B, I)))
    with pytest.raises(tg.ShapeError, match=r"Linear\(6, 2\)"):
        nn.Linear(6, 2)(model.layer(numbers((T, B, I))))


def signs(node):
    return node.op.name, node.name, node.step, node.scope, np.shape(node.value)


def shape_of_graph(root):
    """Every node by everything but its numbers, with the nodes that it is made from."""
    return [(*signs(node), [signs(x) if isinstance(x, tg.Node) else "" for x in node.operands])
            for node in tg.nodes(root)]


GRAPHS = {
    "rnn": lambda: Model(nn.RNN(I, H, seed=1, return_sequences=True)),
    "lstm, reverse": lambda: Model(nn.LSTM(I, H, seed=1, return_sequences=True, reverse=True)),
    "gru, learned": lambda: Model(nn.GRU(I, H, seed=1, return_sequences=True,
                                         initial_state="learned")),
    "squared": lambda: Model(nn.RNN(I, H, seed=1, return_sequences=True), nn.squared_error, SHARES),
    "bidirectional": lambda: Model(nn.Bidirectional(nn.GRU(I, H, seed=1, return_sequences=True),
                                                    merge="ave")),
    "stacked": lambda: Model(nn.Stacked([nn.LSTM(I, H, seed=1, return_sequences=True),
                                         nn.RNN(H, H, seed=1, return_sequences=True)],
                                        residual=True)),
}


@pytest.mark.parametrize("model", GRAPHS)
def test_opened_it_is_the_graph_of_the_operations(model):
    """Node by node: operations, names, steps, scopes, and what is made from what."""
    model = GRAPHS[model]()
    x = tg.Tensor(numbers((T, B, I)), name="x", requires_grad=True)
    plain = model(x)
    with tg.fused():
        loss = model(x)
    opened = tg.open_fused(loss)
    assert sorted(map(repr, shape_of_graph(opened))) == sorted(map(repr, shape_of_graph(plain)))
    if isinstance(model.layer, nn.Recurrent) and model.loss is nn.cross_entropy:
        assert shape_of_graph(opened) == shape_of_graph(plain)  # in the same order, too
        for a, b in zip(tg.nodes(plain), tg.nodes(opened)):
            np.testing.assert_allclose(b.value, a.value, **EXACT)
    one, other = ledgers(model, x, plain), ledgers(model, x, loss)
    for name, steps in one.items():
        assert steps.keys() == other[name].keys(), name
        for t, c in steps.items():
            np.testing.assert_allclose(other[name][t], c, err_msg=f"{name}, step {t}", **EXACT)


@pytest.mark.parametrize("call", CALLS)
def test_opened_under_every_call(call):
    options, arguments = CALLS[call]
    layer = randomised(nn.LSTM(I, H, seed=1, **{"return_sequences": True, "return_state": True,
                                                **options}))
    x = tg.Tensor(numbers((T, B, I)), name="x", requires_grad=True)
    plain = weighted(layer(x, **arguments))
    layer.fused = True
    opened = tg.open_fused(weighted(layer(x, **arguments)))
    assert SEQUENCE not in ops_of(opened)
    np.testing.assert_allclose(opened.numpy(), plain.numpy(), **EXACT)
    for a, b in zip(tg.grad(plain, [x, *layer.parameters()]),
                    tg.grad(opened, [x, *layer.parameters()])):
        np.testing.assert_allclose(b.numpy(), a.numpy(), **EXACT)


def test_opened_with_taps_and_a_graph_that_has_nothing_to_open():
    layer = nn.GRU(I, H, seed=1, return_sequences=True, fused=True)
    x = tg.Tensor(numbers((T, B, I)), name="x", requires_grad=True)
    out = layer(x)
    loss = (out[2] * out[4:6]).sum() + (out * 2.0).sum()
    opened = tg.open_fused(loss)
    assert SEQUENCE not in ops_of(opened)
    np.testing.assert_array_equal(opened.numpy(), loss.numpy())
    for a, b in zip(tg.grad(loss, [x, *layer.parameters()]),
                    tg.grad(opened, [x, *layer.parameters()])):
        np.testing.assert_allclose(b.numpy(), a.numpy(), **EXACT)
    assert tg.open_fused(opened) is opened
    assert tg.open_fused(x) is x
    with pytest.raises(tg.InputError, match="a graph starts from"):
        tg.open_fused(3.0)


def test_norms_of_single_states_ask_to_open():
    model = Model(nn.RNN(I, H, seed=1, return_sequences=True))
    xs = numbers((T, B, I))
    expected = tg.gradient_flow(model(xs)).norms("h")
    model.layer.fused = True
    loss = model(xs)
    with pytest.raises(tg.InputError, match=r"open_fused"):
        tg.gradient_flow(loss).norms("h")
    found = tg.gradient_flow(tg.open_fused(loss)).norms("h")
    assert found == pytest.approx(expected, rel=1e-12)


def test_drawings_open_it():
    model = Model(nn.RNN(I, H, seed=1, return_sequences=True))
    xs, drawn = numbers((T, B, I)), []
    for fused in (False, True):
        model.layer.fused = fused
        model.zero_grad()
        loss = model(xs)
        flow = tg.gradient_flow(loss)
        grad = model.layer.cell.W_hh.grad.copy()
        drawn.append([draw.unrolled(loss).svg(), draw.gradient_flow(flow).svg()])
        np.testing.assert_array_equal(model.layer.cell.W_hh.grad, grad)
    assert drawn[0] == drawn[1]


# --- room ---------------------------------------------------------------------------------------


def test_a_desk_is_used_again_only_when_nobody_else_can_see_it():
    room, size = Room(), (3, 2, 4, np.dtype(float), False)
    desk = room.desk(RNNDesk, *size)
    assert room.desk(RNNDesk, *size) is not desk  # two at once
    first, view = id(desk), desk.value[1:]
    del desk
    assert id(room.desk(RNNDesk, *size)) != first  # the view still sees it
    inner = view[0]
    del view
    found = [room.desk(RNNDesk, *size) for _ in range(6)]
    assert first not in map(id, found)
    del inner
    assert first in [id(room.desk(RNNDesk, *size)) for _ in range(4)]
    assert len(set(map(id, found))) == len(found)
    assert room.desk(RNNDesk, *size[:3], np.dtype(np.float32), False).value.dtype == np.float32


def test_what_a_pass_backwards_writes_to_is_lent_once():
    desk = RNNDesk(3, 2, 4, np.dtype(float), False)
    one, other = desk.lend(), desk.lend()
    assert one is not other
    assert not np.shares_memory(one.delta.whole, other.delta.whole)
    desk.back(one)
    assert desk.lend() is one


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_what_somebody_holds_does_not_change_with_the_next_pass(kind):
    layer = kind(I, H, seed=1, fused=True, return_sequences=True)
    values = []
    for k in range(6):
        x = tg.Tensor(numbers((T, B, I), k), requires_grad=True)
        out = layer(x)
        flow = tg.gradient_flow(weighted(out))
        held = [out.value[2:], flow.arrived[out], x.grad, layer.cell.W_hh.grad,
                *[row.contribution for row in flow.ledger(layer.cell.W_hh)]]
        values.append((held, [h.copy() for h in held], out if k % 2 else None))
        layer.zero_grad()
    for held, copies, _ in values:
        for a, b in zip(held, copies):
            np.testing.assert_array_equal(a, b)


def test_a_training_loop_makes_no_new_arrays_for_the_states():
    layer = nn.RNN(I, H, seed=1, fused=True, return_sequences=True)
    seen = set()
    for k in range(8):
        out = layer(numbers((T, B, I), k))
        weighted(out).backward()
        seen.add(out.value.ctypes.data)
        del out
    assert len(seen) <= 2
    assert copy.deepcopy(layer).room is not layer.room
    assert layer.twin().room is not layer.room


def test_gradients_and_values_that_are_held_stay_as_they_are():
    model = Model(nn.RNN(I, H, seed=3, fused=True, return_sequences=True))
    held, copies = [], []
    for k in range(5):
        loss = model(numbers((T, B, I), k))
        loss.backward()
        L, y = loss.operands[0], loss.operands[0].operands[0]
        held.append([loss.value, L.value, y.value, y.operands[0].value,
                     *[p.grad for p in model.parameters()]])
        copies.append([a.copy() for a in held[-1]])
        for p in model.parameters():
            p.data = p.data - 0.1 * p.grad
            p.zero_grad()
        del loss, L, y
    arrays = [a for found in held for a in found]
    for a, b in zip(arrays, [b for found in copies for b in found]):
        np.testing.assert_array_equal(a, b)
    assert not any(np.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])


# --- the usual call -----------------------------------------------------------------------------


def called(layer, xs, **how):
    """The numbers of what a layer returns, op by op and fused."""
    found = []
    for fused in (False, True):
        layer.fused = fused
        given = layer(tg.Tensor(xs), **how)
        found.append([part.numpy() for part in parts_of(given)])
        found[-1].append(np.array([part.step or 0 for part in parts_of(given)]))
    layer.fused = True
    return found


def changes(layer):
    """What a user may change between two calls: each is to count from the next call on."""
    cell, other = layer.cell, type(layer)(I, H, seed=9)
    yield lambda: None
    yield lambda: setattr(layer, "reverse", True)
    yield lambda: setattr(cell, "W_hh", other.cell.W_hh)
    yield lambda: setattr(cell, "b_h", None)
    yield lambda: setattr(cell, "activation", nn.ACTIVATIONS["softsign"])
    yield lambda: setattr(layer, "return_sequences", False)
    yield lambda: setattr(layer, "return_state", True)
    yield lambda: setattr(layer, "cell", other.cell)
    yield lambda: layer.cell.W_xh.data.fill(0.25)
    yield lambda: setattr(layer.cell.W_xh, "data", numbers(layer.cell.W_xh.shape, 4))
    yield lambda: setattr(layer, "reverse", False)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_what_is_changed_between_two_calls_counts(kind):
    layer = kind(I, H, seed=1, return_sequences=True)
    for change in changes(layer):
        change()
        for k in range(2):
            one, other = called(layer, numbers((T, B, I), k))
            for a, b in zip(one, other, strict=True):
                np.testing.assert_allclose(b, a, **EXACT)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("shape", [(T, B, I), (T, I)])
def test_where_nobody_asks_for_the_cells_the_node_has_h_alone(shape, sequences):
    layer = nn.LSTM(I, H, seed=1, fused=True, return_sequences=sequences)
    x = tg.Tensor(numbers(shape), requires_grad=True)
    loss = (layer(x) ** 2).sum()
    assert [n.value.shape for n in tg.nodes(loss) if n.op is SEQUENCE] == [(*shape[:-1], H)]
    layer.fused = False
    plain = (layer(x) ** 2).sum()
    layer.fused = True
    opened = tg.open_fused(loss)
    assert [n.op.name for n in tg.nodes(opened)] == [n.op.name for n in tg.nodes(plain)]
    firsts = [tg.grad(one, layer.cell.W_hh, create_graph=True) for one in (loss, plain)]
    for one, other in (firsts, [tg.grad((g ** 2).sum(), x) for g in firsts]):
        np.testing.assert_allclose(one.numpy(), other.numpy(), **EXACT)
    layer.return_state = True
    _, state = layer(x)
    assert state.c.shape == state.h.shape == (*shape[1:-1], H)
    again = tg.grad((state.c ** 2).sum(), x)
    layer.fused = False
    np.testing.assert_allclose(again.numpy(), tg.grad((layer(x)[1].c ** 2).sum(), x).numpy(),
                               **EXACT)


def test_another_shape_type_step_or_scope_is_another_call():
    layer = nn.RNN(I, H, seed=1, return_sequences=True)
    for shape in ((T, B, I), (T, B, I), (T + 1, B, I), (T, I), (T, B, I)):
        one, other = called(layer, numbers(shape))
        np.testing.assert_allclose(other[0], one[0], **EXACT)
    for step in (1, 5, None):
        with tg.timestep(step) if step else tg.scope("a"):
            out = layer(tg.Tensor(numbers((T, B, I))))
        assert span_of(out) == range(step or 1, (step or 1) + T)
        assert out.scope == ("" if step else "a")
        assert out[0].step == (step or 1)
    assert layer(tg.Tensor(numbers((T, B, I)).astype("f4"))).dtype == np.float64
    with pytest.raises(tg.ShapeError, match=r"expected xs of shape \(T, B, 4\)"):
        layer(tg.Tensor(numbers((T, B, I + 1))))


def test_a_class_of_a_users_is_asked_each_time():
    class Halved(nn.RNN):
        def run(self, steps, *rest):
            return super().run(nn.sequence.Steps(steps.parts * 0.5, dtype=self.dtype), *rest)

    layer, plain = (kind(I, H, seed=1, fused=True, return_sequences=True)
                    for kind in (Halved, nn.RNN))
    x = numbers((T, B, I))
    for _ in range(2):
        np.testing.assert_allclose(layer(tg.Tensor(x)).numpy(), plain(tg.Tensor(x * 0.5)).numpy())


# --- against numbers computed elsewhere ---------------------------------------------------------


@pytest.mark.parametrize(("facts", "arrays"), family("rnn_cases"))
def test_networks(facts, arrays):
    with tg.fused():
        golden.test_networks(facts, arrays)


@pytest.mark.parametrize(("facts", "arrays"), family("rnn_vjp"))
def test_gradients_enter_through_outputs_and_states(facts, arrays):
    with tg.fused():
        golden.test_gradients_enter_through_outputs_and_states(facts, arrays)


@pytest.mark.parametrize(("facts", "arrays"), family("masked"))
def test_masks(facts, arrays):
    with tg.fused():
        if "lengths" in arrays:
            golden.test_sequences_of_different_lengths(facts, arrays, "lengths")
        else:
            golden.test_any_mask_with_both_paddings(facts, arrays)


@pytest.mark.parametrize(("facts", "arrays"), family("rnn_extra"))
def test_reset_before_the_product_and_second_order(facts, arrays):
    with tg.fused():
        if "v_W_hy" in arrays:
            golden.test_second_order(facts, arrays)
        else:
            for stacked in (False, True):
                golden.test_gru_with_reset_before_the_product(facts, arrays, stacked)


@pytest.mark.parametrize(("facts", "arrays"), family("whh_contrib"))
def test_contribution_of_every_step(facts, arrays):
    """The rows of the ledger of the fused node itself, beside theirs."""
    layer = golden.single(facts, arrays, return_sequences=True, fused=True)
    _, start = golden.states(facts, arrays)
    loss = golden.loss_of(facts, arrays, golden.head(arrays)(layer(arrays["x"], start[0])))
    flow = tg.gradient_flow(loss)
    for p, name in ((layer.cell.W_hh, "weight_hh"), (layer.cell.W_xh, "weight_ih"),
                    (layer.cell.b_h, "bias_ih")):
        rows = sorted(flow.ledger(p), key=lambda row: row.step)
        np.testing.assert_allclose([row.contribution for row in rows],
                                   arrays[f"contrib_{name}_l0"], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("option", [{"fused": True}, {"checkpoint_every": 2}], ids=str)
@pytest.mark.parametrize("made", [
    lambda y: y[1:], lambda y: y * 2.0, lambda y: np.concatenate([y, y], axis=2),
    lambda y: y.reshape(5, -1), lambda y: y[1:4, :, 0], lambda y: y[::-1]])
def test_what_is_made_of_an_opened_sequence_keeps_its_steps(made, option):
    """It goes on like any other sequence: with operations, and in a loss step by step."""
    layer = nn.GRU(3, 2, seed=0, return_sequences=True, **option)
    z = made(layer(np.random.default_rng(0).normal(size=(5, 2, 3))))
    opened = tg.open_fused(z)
    assert timeline.rows(opened) == timeline.rows(z)
    np.testing.assert_allclose((opened * 2.0).numpy(), (z * 2.0).numpy(), rtol=1e-12)
    gradients = []
    for sequence in (z, opened):
        layer.zero_grad()
        (sequence ** 2).sum().backward()
        gradients.append(layer.cell.W_hh.grad)
    np.testing.assert_allclose(*gradients, rtol=1e-10)
