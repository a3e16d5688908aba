"""Cross-entropy over a sequence: per-step losses as nodes, reductions, and errors."""

import numpy as np
import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import walk
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.ops import stack, sum_
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError
from tinygrad_rnn.testing import check_gradients

T, B, O = 4, 3, 5
rng = np.random.default_rng(0)
LOGITS = rng.normal(size=(T, B, O))
CLASSES = rng.integers(0, O, (T, B))


def each(logits, classes):
    """-log softmax(y)[class], one by one."""
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return -np.log(np.take_along_axis(p, classes[..., None], -1)[..., 0])


def sequence(logits=LOGITS):
    """Logits as a layer would return them, from one leaf."""
    leaf = Tensor(logits, requires_grad=True)
    head = nn.Linear(O, O, seed=0)
    head.W.data, head.b.data = np.eye(O), np.zeros(O)
    layer = nn.Recurrent(lambda x, state: (head(x), state), return_sequences=True)
    return leaf, layer(leaf)


@pytest.mark.parametrize(("reduction", "expected"), [
    ("batch", lambda L: L.mean(1).sum()), ("sum", np.sum), ("mean", np.mean)])
@pytest.mark.parametrize("kind", ["layer", "tensor", "array", "list"])
def test_reductions(reduction, expected, kind):
    outputs = {"layer": sequence()[1], "tensor": Tensor(LOGITS, requires_grad=True),
               "array": LOGITS, "list": list(LOGITS)}[kind]
    loss = nn.cross_entropy(outputs, CLASSES, reduction)
    assert loss.item() == pytest.approx(expected(each(LOGITS, CLASSES)), rel=1e-12)
    assert loss.name == "L"
    assert loss.step is None


def test_the_default_is_the_mean_over_the_batch_and_the_sum_over_time():
    assert nn.cross_entropy(LOGITS, CLASSES).item() == \
        pytest.approx(each(LOGITS, CLASSES).mean(1).sum())


def test_every_step_has_its_loss_and_an_arrow_to_the_sum():
    _, outputs = sequence()
    loss = nn.cross_entropy(outputs, CLASSES)
    assert [n.label for n in loss.operands] == ["L_1", "L_2", "L_3", "L_4"]
    for L, row in zip(loss.operands, each(LOGITS, CLASSES)):
        assert L.item() == pytest.approx(row.mean())
    assert outputs not in set(walk.nodes(loss))
    norms = gradient_flow(loss).norms("L")
    assert [norms[t] for t in range(1, T + 1)] == [1.0] * T


@pytest.mark.parametrize("reduction", ["batch", "sum", "mean"])
def test_the_gradient_is_p_minus_one_hot(reduction):
    leaf, outputs = sequence()
    nn.cross_entropy(outputs, CLASSES, reduction).backward()
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    size = {"batch": B, "sum": 1, "mean": B * T}[reduction]
    np.testing.assert_allclose(leaf.grad, (p - np.eye(O)[CLASSES]) / size, rtol=1e-10, atol=1e-15)


def test_second_order_through_the_sum():
    x = Tensor(LOGITS[0, 0], requires_grad=True)
    loss = nn.cross_entropy([x, 2.0 * x], [1, 2])
    g = grad(loss, x, create_graph=True)
    H = np.stack([grad(g[i], x).numpy() for i in range(O)])

    def hessian(y):
        p = np.exp(y) / np.exp(y).sum()
        return np.diag(p) - np.outer(p, p)

    expected = hessian(x.value) + 4 * hessian(2 * x.value)
    np.testing.assert_allclose(H, expected, rtol=1e-9, atol=1e-12)


def test_distributions_as_targets():
    _, outputs = sequence()
    targets = np.eye(O)[CLASSES]
    assert nn.cross_entropy(outputs, targets).item() == \
        pytest.approx(nn.cross_entropy(LOGITS, CLASSES).item())


def test_one_step_only():
    loss = nn.cross_entropy(Tensor(LOGITS[0], requires_grad=True), CLASSES[0])
    assert loss.item() == pytest.approx(each(LOGITS[0], CLASSES[0]).mean())
    assert loss.step is None
    single = nn.cross_entropy(LOGITS[0, 0], CLASSES[0, 0])
    assert single.item() == pytest.approx(each(LOGITS[0, 0], CLASSES[0, 0]))


def test_an_unbatched_sequence_is_told_from_a_batch():
    _, outputs = sequence(LOGITS[:, 0])
    assert outputs.shape == (T, O)
    assert nn.cross_entropy(outputs, CLASSES[:, 0]).item() == \
        pytest.approx(each(LOGITS[:, 0], CLASSES[:, 0]).sum())


def test_no_steps_cost_nothing():
    x = Tensor(np.zeros((0, B, O)), requires_grad=True)
    loss = nn.cross_entropy(x, np.zeros((0, B), int))
    assert loss.item() == 0.0
    loss.backward()
    assert x.grad.shape == (0, B, O)
    assert nn.cross_entropy([], []).item() == 0.0


def test_no_samples():
    empty, none = np.zeros((T, 0, O)), np.zeros((T, 0), int)
    assert nn.cross_entropy(empty, none, reduction="sum").item() == 0.0
    with pytest.raises(InputError, match=r"nothing to average in outputs of shape \(0, 5\)"):
        nn.cross_entropy(empty, none)


@pytest.mark.parametrize(("targets", "error", "words"), [
    (CLASSES[:-1], ShapeError, "targets for the 4 steps of outputs, got 3"),
    (CLASSES[:, :-1], ShapeError, r"\(3, 5\).*\(2,\)"),
    (CLASSES + O, InputError, "0 .. 4"),
    (CLASSES - O, InputError, "0 .. 4"),
    (CLASSES + 0.5, DTypeError, "whole numbers"),
])
def test_targets_that_do_not_fit(targets, error, words):
    with pytest.raises(error, match=words):
        nn.cross_entropy(sequence()[1], targets)


def test_a_reduction_that_is_not_there():
    with pytest.raises(InputError, match="batch, sum, mean, valid, got 'max'"):
        nn.cross_entropy(LOGITS, CLASSES, "max")


def test_stacked_by_the_user():
    a, b = Tensor(LOGITS[0], requires_grad=True), Tensor(LOGITS[1], requires_grad=True)
    joined = stack(a, b, axis=0)
    loss = nn.cross_entropy(joined, CLASSES[:2])
    assert loss.item() == pytest.approx(each(LOGITS[:2], CLASSES[:2]).mean(1).sum())
    assert sum_(joined).item() == pytest.approx(LOGITS[:2].sum())


# --- masks --------------------------------------------------------------------------------------

MASK = np.array([[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 0, 0]], bool)
VALUES = rng.normal(size=(T, B, O))
BINARY = rng.integers(0, 2, (T, B, O)).astype(float)
LOSSES = {
    "cross_entropy": (nn.cross_entropy, CLASSES, lambda y, t: each(y, t)),
    "distributions": (nn.cross_entropy, np.eye(O)[CLASSES], lambda y, t: each(y, CLASSES)),
    "binary": (nn.binary_cross_entropy, BINARY, lambda y, t: -np.log(
        np.where(t == 1, 1 / (1 + np.exp(-y)), 1 / (1 + np.exp(y))))),
    "squared": (nn.squared_error, VALUES, lambda y, t: (y - t) ** 2),
    "huber": (nn.huber, 3 * VALUES, lambda y, t: np.where(
        abs(y - t) <= 1, (y - t) ** 2 / 2, abs(y - t) - 0.5)),
}


def reduced(costs, mask, reduction):
    """What each reduction means, written out: costs (T, B) or (T, B, O)."""
    costs = costs if costs.ndim == 3 else costs[..., None]
    rows = costs.mean(-1) * mask
    return {"batch": (rows.sum(1) / B).sum(), "sum": (costs.sum(-1) * mask).sum(),
            "mean": (rows.sum(1) / B).mean(), "valid": rows.sum() / mask.sum()}[reduction]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["batch", "sum", "mean", "valid"])
@pytest.mark.parametrize("masked", [False, True])
def test_all_losses(name, reduction, masked):
    function, targets, costs = LOSSES[name]
    mask = MASK if masked else np.ones((T, B), bool)
    leaf, outputs = sequence()
    loss = function(outputs, targets, reduction, mask if masked else None)
    assert loss.item() == pytest.approx(reduced(costs(LOGITS, targets), mask, reduction), rel=1e-12)
    loss.backward()
    if masked:
        assert (leaf.grad[~MASK] == 0.0).all()
        assert (leaf.grad[MASK] != 0.0).any(-1).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["batch", "sum", "mean", "valid"])
def test_gradients_of_all_losses(name, reduction):
    function, targets, _ = LOSSES[name]
    y = Tensor(LOGITS, requires_grad=True, name="y")
    report = check_gradients(lambda: function(y, targets, reduction, MASK), [y])
    assert report, report
    g = grad(function(y, targets, reduction, MASK), y, create_graph=True)
    if name != "huber":
        assert check_gradients(lambda: (grad(function(y, targets, reduction, MASK), y,
                                             create_graph=True) ** 2).sum(), [y])
    assert (g.numpy()[~MASK] == 0.0).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["sum", "valid"])
def test_anything_may_stand_in_the_padding(name, reduction):
    """The same bits, in the loss and in the gradient, for clean numbers, for NaN, and without the
    padded steps at all."""
    function, targets, _ = LOSSES[name]
    found = []
    for rubbish in (0.0, np.nan, np.inf):
        logits, dirty = LOGITS.copy(), targets.copy()
        logits[~MASK] = rubbish
        dirty[~MASK] = -100 if dirty.dtype.kind == "i" else rubbish
        leaf = Tensor(logits, requires_grad=True)
        loss = function(leaf, dirty, reduction, MASK)
        loss.backward()
        found.append((loss.item(), leaf.grad))
    short = Tensor(LOGITS[:3], requires_grad=True)
    loss = function(short, targets[:3], reduction, MASK[:3])
    loss.backward()
    found.append((loss.item(), np.concatenate([short.grad, np.zeros((1, B, O))])))
    for value, g in found[1:]:
        assert value == found[0][0]
        np.testing.assert_array_equal(g, found[0][1])


def test_a_wholly_masked_step_is_not_in_the_graph():
    _, outputs = sequence()
    loss = nn.cross_entropy(outputs, CLASSES, "sum", MASK)
    assert [L.label for L in loss.operands] == ["L_1", "L_2", "L_3", "L_4"]
    assert loss.operands[3].item() == 0.0
    assert not loss.operands[3].requires_grad
    assert {n.step for n in walk.nodes(loss) if n.name == "x"} <= {None, 1, 2, 3}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", [nn.squared_error, nn.cross_entropy])
def test_a_wholly_masked_step_leaves_the_type_as_it_is(function, dtype):
    for fused in (False, True):
        layer = nn.RNN(O, O, return_sequences=True, seed=0, dtype=dtype, fused=fused)
        ys = layer(LOGITS.astype(dtype), mask=MASK)
        for outputs in (ys, list(ys), ys.numpy()):
            loss = function(outputs, BINARY.astype(int)[..., 0] if function is nn.cross_entropy
                            else BINARY.astype(dtype), "valid", MASK)
            assert {str(n.dtype) for n in walk.nodes(loss)} == {dtype}


@pytest.mark.parametrize("function", [nn.squared_error, nn.huber, nn.binary_cross_entropy])
def test_every_loss_has_its_steps(function):
    _, outputs = sequence()
    loss = function(outputs, BINARY)
    assert [n.label for n in loss.operands] == ["L_1", "L_2", "L_3", "L_4"]
    assert (loss.name, loss.step) == ("L", None)


def test_scalars_take_part():
    a, b = Value(1.0), Value(5.0)
    loss = nn.squared_error([a, b], [0.0, 2.0])
    assert loss.item() == 10.0
    loss.backward()
    assert (a.grad, b.grad) == (2.0, 6.0)
    assert nn.huber([Value(1.0), Value(5.0)], [0.5, 2.0], delta=2.0).item() == 0.125 + 2 * (3 - 1)
    assert nn.squared_error([a, b], [0.0, 2.0], mask=[True, False]).item() == 1.0
    assert nn.squared_error([a, b], [0.0, 2.0], "valid", [True, False]).item() == 1.0


def test_single_steps_with_a_mask():
    y = Tensor(LOGITS[0], requires_grad=True)
    valid = np.array([True, False, True])
    loss = nn.cross_entropy(y, CLASSES[0], "valid", valid)
    assert loss.item() == pytest.approx(each(LOGITS[0], CLASSES[0])[valid].mean())
    one = nn.squared_error(Tensor(LOGITS[0, 0]), VALUES[0, 0], mask=False)
    assert one.item() == 0.0


def test_targets_that_are_nodes_get_their_gradient():
    target = Tensor(VALUES, requires_grad=True)
    nn.squared_error(LOGITS, target, "sum", MASK).backward()
    np.testing.assert_allclose(target.grad, -2 * (LOGITS - VALUES) * MASK[..., None])


def test_targets_are_never_broadcast():
    with pytest.raises(ShapeError, match=r"shape of the outputs, \(3, 1\), got \(3,\)"):
        nn.squared_error(Tensor(np.zeros((4, 3, 1))), np.zeros((4, 3)))


@pytest.mark.parametrize(("mask", "error", "words"), [
    (MASK[:-1], ShapeError, r"\(4, 3\).*got \(3, 3\)"), (MASK.T, ShapeError, "got"),
    (MASK * 0.5, InputError, "True"), (np.zeros((T, B), bool), InputError, "no valid entry")])
def test_masks_that_do_not_fit(mask, error, words):
    with pytest.raises(error, match=words):
        nn.cross_entropy(LOGITS, CLASSES, "valid", mask)


def test_nothing_valid_costs_nothing():
    assert nn.cross_entropy(LOGITS, CLASSES, "sum", np.zeros((T, B), bool)).item() == 0.0


def test_a_delta_that_cannot_be():
    with pytest.raises(InputError, match="delta"):
        nn.huber(LOGITS, VALUES, delta=0.0)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("reduction", ["batch", "sum", "valid"])
def test_padding_to_twice_the_length_changes_no_bit(kind, reduction):
    """Layer, head and loss together: NaN in inputs and targets, and every gradient the same."""
    layer, head = kind(O, 4, seed=0, return_sequences=True), nn.Linear(4, O, seed=1)
    lengths = np.array([4, 2, 3])
    found = []
    for length in (T, 2 * T):
        valid = np.arange(length)[:, None] < lengths
        xs, targets = np.full((2, length, B, O), np.nan)
        xs[:T][valid[:T]], targets[:T][valid[:T]] = LOGITS[valid[:T]], VALUES[valid[:T]]
        x = Tensor(xs, requires_grad=True)
        loss = nn.squared_error(head(layer(x, lengths=lengths)), targets, reduction, valid)
        layer.zero_grad()
        head.zero_grad()
        loss.backward()
        assert (x.grad[~valid] == 0.0).all()
        found.append([loss.item(), x.grad[:T],
                      *(p.grad for p in [*layer.parameters(), *head.parameters()])])
    for one, other in zip(*found):
        np.testing.assert_array_equal(one, other)


# --- targets that cannot be ---------------------------------------------------------------------

KINDS = [nn.cross_entropy, nn.binary_cross_entropy, nn.squared_error, nn.huber]


@pytest.mark.parametrize("bad", [[-0.5, 1.5, 0, 0, 0], [0.5, 0.4, 0, 0, 0], [2, 0, 0, 0, 0],
                                 [np.nan, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
@pytest.mark.parametrize("as_node", [False, True])
def test_what_is_no_distribution(bad, as_node):
    targets = np.full((T, B, O), 1 / O)
    targets[1, 2] = bad
    with pytest.raises(InputError, match="expected distributions"):
        nn.cross_entropy(LOGITS, Tensor(targets) if as_node else targets)
    mask = np.ones((T, B), bool)
    mask[1, 2] = False
    assert np.isfinite(nn.cross_entropy(LOGITS, targets, mask=mask).item())


def test_distributions_in_float32():
    targets = rng.dirichlet(np.ones(O), (T, B)).astype(np.float32)
    assert np.isfinite(nn.cross_entropy(LOGITS, targets).item())


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_what_is_no_bit(bad):
    targets = np.full((T, B, O), 0.5)
    targets[1, 2, 0] = bad
    with pytest.raises(InputError, match="from 0 to 1"):
        nn.binary_cross_entropy(LOGITS, targets)
    mask = np.ones((T, B), bool)
    mask[1, 2] = False
    assert np.isfinite(nn.binary_cross_entropy(LOGITS, targets, mask=mask).item())


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("kind", ["complex", "U1", "object"])
@pytest.mark.parametrize("masked", [False, True])
def test_targets_that_are_no_real_numbers(loss, kind, masked):
    mask = np.ones((T, B), bool) if masked else None
    with pytest.raises(DTypeError, match="targets"):
        loss(LOGITS, np.ones((T, B, O), int).astype(kind), mask=mask)


@pytest.mark.parametrize("delta", ["a", None, 0.0, -1.0, float("nan"), True])
def test_delta_is_a_number_above_zero(delta):
    with pytest.raises(InputError, match="delta"):
        nn.huber(LOGITS, LOGITS, delta=delta)
