"""The head and the losses of all steps, on top of a fused layer: one node each."""


import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.fused_head import Softmax
from tinygrad_rnn.nn.steps_joined import span_of

from .fused_cases import (
    CLASSES,
    EXACT,
    HOLES,
    LAYERS,
    SHARES,
    B,
    H,
    I,
    Model,
    T,
    agree,
    numbers,
    outcome,
)

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


FAR = np.array([[[0.0, -np.inf, 1.0]], [[-1e9, 0.5, 0.0]], [[0.0, 800.0, -3.0]], [[2.0, 2.0, 2.0]]])


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_softmax_of_numbers_near_each_other_and_of_far_ones(dtype, scale):
    layer = nn.RNN(3, 4, return_sequences=True, seed=1, dtype=dtype)
    head = nn.Linear(4, 5, name="hy", seed=2, dtype=dtype)
    head.W.data *= head.W.dtype.type(scale)
    params = [*layer.parameters(), *head.parameters()]
    xs = tg.Tensor(np.random.default_rng(3).normal(size=(7, 2, 3)).astype(dtype))
    targets = np.random.default_rng(4).integers(5, size=(7, 2))

    def step():
        for p in params:
            p.zero_grad()
        L = nn.cross_entropy(head(layer(xs)), targets)
        L.backward()
        return [L.item(), *(p.grad for p in params)]

    apart = step()
    with tg.fused():
        together = step()
    for a, b in zip(apart, together):
        most = np.abs(a).max() * (1e-12 if dtype == "float64" else 1e-5)
        np.testing.assert_allclose(b, a, rtol=0, atol=most)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_a_logit_that_is_far_from_the_others_costs_what_it_should(target):
    for y in (FAR, *FAR[:, None]):
        loss = Softmax(y, np.full(len(y), target), 1.0)
        losses = loss.value(y)  # warnings are errors: nothing overflows on the way
        powers, top = np.exp(y - y.max(2, keepdims=True)), y.max(2)
        expected = np.log(powers.sum(2)) + top - y[..., target]
        np.testing.assert_allclose(losses, expected[:, 0], rtol=1e-15)
        slopes = loss.rule(np.ones(len(y)), y)
        p = powers / powers.sum(2, keepdims=True)
        np.testing.assert_allclose(slopes, p - np.eye(3)[target], rtol=1e-15, atol=1e-16)


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


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_classes_of_any_whole_type(dtype):
    targets = CLASSES.astype(dtype)
    model = Model(nn.RNN(I, H, seed=1, return_sequences=True), targets=targets)
    found = [outcome(model, numbers((T, B, I)), fused=fused, loss_of=lambda y: y)
             for fused in (False, True)]
    agree(*found)
    targets[:] = 0  # the graph has its own
    np.testing.assert_allclose(tg.open_fused(found[1][2]).numpy(), found[0][0][0], **EXACT)


def test_a_hook_or_a_gradient_that_is_kept_sees_the_same_on_the_way():
    model, x = Model(nn.RNN(I, H, seed=1, return_sequences=True, fused=True)), numbers((T, B, I))
    found = []
    for hooked in (False, True):
        model.zero_grad()
        loss = model(x)
        y = loss.operands[0].operands[0]
        if hooked:
            y.retain_grad()
            y.operands[0].register_hook(lambda g: 2.0 * g)
        loss.backward()
        found.append({name: p.grad for name, p in model.named_parameters()})
    assert y.grad.shape == y.shape
    for name, g in found[0].items():
        factor = 2.0 if name.startswith("layer") else 1.0
        np.testing.assert_allclose(found[1][name], factor * g, err_msg=name, **EXACT)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_the_classes_of_one_step(shape, backend, dtype):
    """As they were given: what an opened loss is made of, one step after the other."""
    if backend == "numba":
        pytest.importorskip("numba", reason="Numba is not installed")
    classes = (np.arange(math.prod(shape)).reshape(shape) * 2 % 5).astype(dtype)
    rnn = nn.RNN(3, 4, return_sequences=True, seed=0, fused=True, backend=backend)
    y = nn.Linear(4, 5, seed=1)(rnn(tg.Tensor(np.ones((*shape, 3)))))
    loss = nn.cross_entropy(y, classes)
    kept = loss.a.params["loss"]
    for t in range(4):
        assert np.array_equal(kept.target(t), classes[t])
        assert np.shape(kept.target(t)) == shape[1:]
    assert np.array_equal(kept.targets, classes)
    opened = tg.open_fused(loss)
    np.testing.assert_allclose(opened.item(), loss.item(), rtol=1e-13)
    np.testing.assert_allclose(tg.grad(opened, rnn.cell.W_hh).value,
                               tg.grad(loss, rnn.cell.W_hh).value, rtol=1e-11, atol=1e-15)
