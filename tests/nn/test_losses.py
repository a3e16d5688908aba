"""Cross-entropy over a sequence: per-step losses as nodes, reductions, and errors."""

import numpy as np
import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import walk
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.ops import stack, sum_
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import DTypeError, InputError, ShapeError

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
    with pytest.raises(InputError, match="batch, sum, mean, got 'max'"):
        nn.cross_entropy(LOGITS, CLASSES, "max")


def test_stacked_by_the_user():
    a, b = Tensor(LOGITS[0], requires_grad=True), Tensor(LOGITS[1], requires_grad=True)
    joined = stack(a, b, axis=0)
    loss = nn.cross_entropy(joined, CLASSES[:2])
    assert loss.item() == pytest.approx(each(LOGITS[:2], CLASSES[:2]).mean(1).sum())
    assert sum_(joined).item() == pytest.approx(LOGITS[:2].sum())
