"""The axis of time: kept by what keeps it, lost with it, never guessed."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core import (
    algebra,
    einsum,
    functions,
    numpy_ops,
    ops,
    per_sample,
    reductions,
    timeline,
)
from tinygrad_rnn.errors import ShapeError

T, B, O = 6, 3, 5
RNG = np.random.default_rng(0)
XS, TARGETS = RNG.normal(size=(T, 4)), RNG.integers(0, O, T)
W = np.eye(O)
LAYER = nn.RNN(4, O, return_sequences=True, seed=0)

KEEPING = {
    "times a number": lambda y: y * 1.0,
    "a number times": lambda y: 1.0 * y,
    "with itself": lambda y: y + y - y,
    "beside a tensor": lambda y: tg.Tensor(np.ones(O)) * y,
    "detached": lambda y: y.detach(),
    "detached, and on": lambda y: y.detach() * 2.0 * 0.5,
    "a function of NumPy": lambda y: np.multiply(y, 1.0),
    "a matrix": lambda y: y @ W,
    "linear": nn.Linear(O, O, bias=False, init="identity"),
    "einsum": lambda y: np.einsum("to,op->tp", y, W),
    "reshaped there and back": lambda y: y.reshape(T, 1, O).reshape(T, O),
    "turned there and back": lambda y: y.T.T,
    "a sum of one entry": lambda y: y.reshape(T, O, 1).sum(-1),
    "sliced": lambda y: y[:],
    "another axis sliced": lambda y: y[:, ::-1][:, ::-1],
    "an axis put in": lambda y: y[:, None][:, 0],
    "reversed twice": lambda y: np.flip(y[::-1], 0),
    "picked": lambda y: y[np.arange(T)],
    "rolled": lambda y: np.roll(np.roll(y, 1, 1), -1, 1),
    "where": lambda y: np.where(np.ones((T, O), bool), y, 0.0),
    "clipped": lambda y: np.clip(y, -9, 9),
    "joined in time": lambda y: np.concatenate([y[:2], y[2:]]),
    "joined beside": lambda y: np.concatenate([y[:, :2], y[:, 2:]], 1),
    "its steps, stacked": lambda y: np.stack(list(y)),
    "checkpointed": lambda y: tg.checkpoint(lambda y: y * 1.0)(y),
}


@pytest.mark.parametrize("made", KEEPING.values(), ids=KEEPING)
@pytest.mark.parametrize("recording", [True, False])
def test_what_keeps_the_steps_has_the_loss_of_the_sequence(made, recording):
    by_step = sum(nn.cross_entropy(y, t).item() for y, t in zip(list(LAYER(XS).operands), TARGETS))
    if recording:
        L = nn.cross_entropy(made(LAYER(XS)), TARGETS)
    else:
        with tg.no_grad():
            L = nn.cross_entropy(made(LAYER(XS)), TARGETS)
    np.testing.assert_allclose(L.item(), by_step, rtol=1e-12)


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.binary_cross_entropy, nn.squared_error,
                                  nn.huber])
def test_every_loss_sums_over_the_steps_that_are_left(loss):
    targets = np.abs(RNG.normal(size=(T, O)))
    targets /= targets.sum(1, keepdims=True)
    y = LAYER(XS)
    by_step = sum(loss(y.operands[t] * 2.0, targets[t]).item() for t in range(2, T))
    L = loss((y * 2.0)[2:], targets[2:])
    np.testing.assert_allclose(L.item(), by_step, rtol=1e-12)
    assert [L_t.label for L_t in L.operands] == ["L_3", "L_4", "L_5", "L_6"]


@pytest.mark.parametrize("layer", [
    nn.Linear(O, 2, "hy", seed=0), nn.MLP([O, 4, 2], seed=0), nn.LayerNorm(O),
    nn.Sequential(tg.tanh, nn.Linear(O, 2, seed=0)), nn.RNN(O, 2, return_sequences=True, seed=0)],
    ids=lambda layer: type(layer).__name__)
def test_layers_take_it_apart_at_its_steps(layer):
    y = LAYER(XS)
    got, expected = layer(y * 1.0), layer(y)
    np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-12)
    assert [h.step for h in got.operands] == [1, 2, 3, 4, 5, 6]
    got.sum().backward()
    g = LAYER.cell.W_hh.grad
    LAYER.zero_grad()
    expected.sum().backward()
    np.testing.assert_allclose(g, LAYER.cell.W_hh.grad, rtol=1e-11, atol=1e-14)
    LAYER.zero_grad()


def test_the_outputs_of_a_window_keep_their_steps():
    steps, total = [], 0.0
    for window in tg.truncated_bptt(LAYER, XS, k1=4):
        L = nn.cross_entropy(window.outputs.detach() * 1.0, TARGETS[window.steps])
        steps += [L_t.step for L_t in L.operands] or [None]
        total += L.item()
    np.testing.assert_allclose(total, nn.cross_entropy(LAYER(XS), TARGETS).item(), rtol=1e-12)


def test_a_step_of_a_sequence_is_made_at_that_step():
    y = LAYER(XS) * 1.0
    assert [y[0].step, y[-1].step, y[T - 1].step] == [1, T, T]
    assert [h.step for h in y] == [1, 2, 3, 4, 5, 6]
    with tg.timestep(9):  # a decoder looks at it: that is a use at its own step
        assert y[2].step == 9
    with pytest.raises(ShapeError, match="out of bounds"):
        y[T]


@pytest.mark.parametrize("made", [lambda y: y, *KEEPING.values()], ids=["as it is", *KEEPING])
def test_a_fused_layer_gives_a_sequence_as_well(made):
    fused = nn.RNN(4, O, return_sequences=True, fused=True, seed=0)
    expected = nn.cross_entropy(LAYER(XS), TARGETS)
    got = nn.cross_entropy(made(fused(XS)), TARGETS)
    np.testing.assert_allclose(got.item(), expected.item(), rtol=1e-12)
    if got.operands and got.operands[0].at.span is None:  # else all losses in one node
        assert [L_t.step for L_t in got.operands] == [1, 2, 3, 4, 5, 6]


def batch():
    xs = np.random.default_rng(1).normal(size=(T, B, 4))
    return LAYER(xs), np.random.default_rng(2).integers(0, O, (T, B))


@pytest.mark.parametrize("made", [
    lambda y, t: (y.reshape(-1, O), t.ravel()),
    lambda y, t: (np.concatenate([y[:, 0], y[:, 1]]), np.concatenate([t[:, 0], t[:, 1]])),
    lambda y, t: (y[np.ones((T, B), bool)], t.ravel()),
    lambda y, t: (y.swapaxes(0, 1), t.T),
    lambda y, t: (y.reshape(-1, O).detach() * 1.0, t.ravel())],
    ids=["flattened", "one after the other", "masked", "batch first", "detached"])
def test_mixed_steps_are_refused_where_the_loss_depends_on_them(made):
    y, t = made(*batch())
    with pytest.raises(ShapeError, match=r'cross_entropy: outputs .* reduction="mean"'):
        nn.cross_entropy(y, t)
    sure = nn.cross_entropy(y, t, reduction="mean").item()
    by_row = [nn.cross_entropy(y.reshape(-1, O)[k], t.ravel()[k]).item() for k in range(t.size)]
    np.testing.assert_allclose(sure, np.mean(by_row), rtol=1e-12)


@pytest.mark.parametrize("made", [
    lambda y: y[-1], lambda y: y.mean(0), lambda y: y.sum(axis=0), lambda y: np.max(y, axis=0),
    lambda y: y[[2, 4, 1], np.arange(B)],  # the last valid step of each sample
    lambda y: np.einsum("tbo,t->bo", y, np.ones(T)),
    lambda y: np.swapaxes(y, 0, 1).sum(1)])
def test_what_has_no_time_left_is_a_batch(made):
    y, t = batch()
    rows = made(y)
    assert not isinstance(rows, timeline.Sequence)
    by_row = [nn.cross_entropy(rows.detach()[b], t[0, b]).item() for b in range(B)]
    np.testing.assert_allclose(nn.cross_entropy(rows, t[0]).item(), np.mean(by_row), rtol=1e-12)


def test_a_softmax_over_time_and_what_it_weighs():
    y = batch()[0]
    weights = tg.softmax((y * np.ones(O)).sum(-1), axis=0)
    assert timeline.rows(weights) == [1, 2, 3, 4, 5, 6]
    read = (weights[:, :, None] * y).sum(0)
    assert read.shape == (B, O)
    assert not isinstance(read, timeline.Sequence)


def test_stacked_by_hand():
    with tg.timestep(3):
        gates = np.stack([tg.tanh(tg.Tensor(np.ones(2), requires_grad=True)) for _ in range(2)])
    assert not isinstance(gates, timeline.Sequence)  # of the same step
    hs = []
    for t in (4, 5, 6):
        with tg.timestep(t):
            hs.append(tg.tanh(tg.Tensor(np.ones(2), requires_grad=True)))
    assert timeline.rows(np.stack(hs)) == [4, 5, 6]
    assert timeline.rows(np.stack(hs, axis=1)) is None
    assert not isinstance(np.stack(hs[::2]), timeline.Sequence)  # lasts of samples, it may be


def test_last_states_of_lengths_that_happen_to_be_in_a_row_are_read_as_steps():
    """Nothing tells them from the steps of one sequence: the docstring says so, and what to do."""
    lasts, targets = [LAYER(XS[:n])[-1] for n in (3, 4, 5)], TARGETS[:3]
    assert timeline.rows(np.stack(lasts)) == [3, 4, 5]
    padded = np.stack([XS] * 3, axis=1)
    batch = nn.RNN(4, O)
    batch.cell = LAYER.cell
    expected = nn.cross_entropy(batch(padded, lengths=[3, 4, 5]), targets).item()
    for sure in (nn.cross_entropy(np.stack(lasts), targets, reduction="mean"),
                 nn.cross_entropy(tg.Tensor(np.stack([h.numpy() for h in lasts])), targets)):
        np.testing.assert_allclose(sure.item(), expected, rtol=1e-12)
    np.testing.assert_allclose(nn.cross_entropy(np.stack(lasts), targets).item(), 3 * expected)


def test_a_difference_belongs_to_the_later_step():
    y = LAYER(XS)
    assert timeline.rows(y[:-1] - y[1:]) == timeline.rows(y[1:] - y[:-1]) == [2, 3, 4, 5, 6]


def test_y_0_in_front_is_a_step_as_well():
    y = LAYER(XS)
    before = np.concatenate([np.zeros((1, O)), y[:-1]])
    assert len(timeline.rows(before)) == T


ROWS = [op for module in (ops, numpy_ops, reductions, einsum, algebra, functions, per_sample)
        for op in ops.table(vars(module)).values()]


def test_a_value_for_floats_means_entry_by_entry():
    """The rule that timeline goes by, for every row of the table that has one operand."""
    x = RNG.uniform(0.1, 0.9, (4, 3))
    for op in {op for op in ROWS if op.scalar is not None and op.arity == 1}:
        with np.errstate(all="ignore"):  # arccosh has no value there
            whole = op.array(x)
            each = np.array([[op.array(np.array(v)) for v in row] for row in x])
        np.testing.assert_allclose(whole, each, rtol=1e-12, err_msg=op.name)


def test_no_step_of_a_long_sequence_costs_the_whole():
    y = nn.RNN(1, 2, return_sequences=True, seed=0)(np.zeros((400, 1))) * 1.0
    calls = []
    narrow, timeline.narrow = timeline.narrow, lambda times: calls.append(1) or narrow(times)
    try:
        nn.squared_error(y, np.zeros((400, 2)))
    finally:
        timeline.narrow = narrow
    assert not calls


def test_the_gradient_of_a_sequence_has_its_steps():
    """dL/dy[2] stands at the step of y[2]; one that is a constant too."""
    for fused in (False, True):
        y = nn.RNN(4, 3, return_sequences=True, seed=0, fused=fused)(np.ones((5, 2, 4)))
        for create_graph in (False, True):
            g = tg.grad((y**2).sum(), y, create_graph=create_graph)
            assert timeline.times_of(g).ravel().tolist() == [1, 2, 3, 4, 5]
            assert g[-1, 0].shape == (3,)
            assert g[2].at.step == 3
