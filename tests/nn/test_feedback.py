"""Outputs that are fed back: by hand, and by differences."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import walk
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import InputError, ShapeError
from tinygrad_rnn.testing import check_gradients

from .small import CELLS, CLASSES, TARGETS, XS, B, H, I, O, T, parts


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("feedback", nn.FEEDBACKS)
@pytest.mark.parametrize("append", [False, True])
def test_feedback_by_hand(kind, feedback, append):
    cell, top = parts(kind, I + O if append else O)
    model = nn.OutputFeedback(cell, top, feedback, append=append)
    y = model(XS if append else XS[0], TARGETS)
    nn.squared_error(y, TARGETS).backward()
    found = [p.grad for p in model.parameters()]
    model.zero_grad()

    state, fed, ys = cell.initial_state((B,)), np.zeros((B, O)), []
    for t in range(T):
        if append:
            x = np.concatenate([XS[t], fed], -1)
        else:
            x = fed if t else XS[0]
        output, state = cell(x, state)
        ys.append(top(output))
        fed = {"teacher": TARGETS[t], "free": ys[-1],
               "free_detached": ys[-1].numpy()}[feedback]
    np.testing.assert_array_equal(y.numpy(), [s.numpy() for s in ys])
    nn.squared_error(ys, TARGETS).backward()
    for p, g in zip(model.parameters(), found):
        np.testing.assert_allclose(p.grad, g, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("append", [False, True])
def test_the_gradient_through_the_feedback(kind, append):
    """Free: right by differences, and not that of the detached one. Detached: what the differences
    say once the outputs that are read are held fast. One step to go: the two agree."""
    cell, top = parts(kind, I + O if append else O)
    model = nn.OutputFeedback(cell, top, append=append)
    x = XS if append else XS[0]

    def loss(feedback, T=T):
        return nn.squared_error(model(x, TARGETS[:T], T, feedback=feedback), TARGETS[:T])

    assert check_gradients(lambda: loss("free"), model)
    assert check_gradients(lambda: loss("teacher"), model)
    if kind == "rnn" and append:  # to say what is wrong takes a while
        assert not check_gradients(lambda: loss("free_detached"), model)
    read = model(x, TARGETS, feedback="free").numpy()
    held = nn.OutputFeedback(cell, top, "teacher", append=append)
    assert loss("free").item() == loss("free_detached").item()
    grads = {}
    for name, root in [("free", loss("free")), ("detached", loss("free_detached")),
                       ("held", nn.squared_error(held(x, read), TARGETS))]:
        model.zero_grad()
        root.backward()
        grads[name] = cell.W_hh.grad
    np.testing.assert_allclose(grads["detached"], grads["held"], rtol=1e-12)
    assert np.linalg.norm(grads["free"] - grads["detached"]) > 1e-3 * np.linalg.norm(grads["free"])
    model.zero_grad()
    loss("free", 1).backward()
    once = cell.W_hh.grad
    model.zero_grad()
    loss("free_detached", 1).backward()
    np.testing.assert_array_equal(once, cell.W_hh.grad)


def test_class_indices_are_read_one_hot():
    cell, top = parts(width=I + O)
    model = nn.OutputFeedback(cell, top, "teacher", append=True)
    np.testing.assert_array_equal(model(XS, CLASSES).numpy(), model(XS, np.eye(O)[CLASSES]).numpy())
    single = model(XS[:, 0], CLASSES[:, 0]).numpy()
    np.testing.assert_allclose(single, model(XS, CLASSES).numpy()[:, 0], rtol=1e-12)


def test_sampled_outputs_in_training():
    cell, top = parts(width=O)
    runs = []
    for seed in (0, 0, 1):
        model = nn.OutputFeedback(cell, top, feed=nn.sampled(0.5, seed))
        y = model(np.eye(O)[[0, 1]], steps=20)
        runs.append(y.numpy())
        xs = [n for n in walk.nodes(y) if n.name == "x" and n.step and n.step > 1]
        assert all(set(np.ravel(n.value)) == {0.0, 1.0} for n in xs)
        assert check_gradients(lambda: nn.cross_entropy(  # the draw is repeated, not differenced
            nn.OutputFeedback(cell, top, feed=nn.sampled(1e-3, 0))(np.eye(O)[[0, 1]], steps=3),
            CLASSES[:3]), [top.W, top.b])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()
    indices = nn.generate(cell, top, np.eye(O)[[[0, 1]]], 20, temperature=0.5, rng=0)
    assert indices.shape == (20, B)


def test_free_running_is_what_generate_does():
    cell, top = parts("gru", O)
    y = nn.OutputFeedback(cell, top)(XS[0], steps=6).numpy()
    np.testing.assert_array_equal(nn.generate(cell, top, XS[:1], 6, "output"), y)
    greedy = nn.OutputFeedback(cell, top, feed=nn.greedy)(XS[0], steps=6).numpy()
    np.testing.assert_array_equal(nn.generate(cell, top, XS[:1], 6, "greedy"), greedy.argmax(-1))


def test_stacks_and_cells_of_the_users_own():
    stack = nn.Stacked([nn.GRU(O, H, seed=0, return_sequences=True), nn.LSTM(H, H, seed=1)])
    model = nn.OutputFeedback(stack, nn.Linear(H, O, seed=2))
    assert check_gradients(lambda: nn.squared_error(model(XS[0], steps=4), TARGETS[:4]), model)
    y = model(XS[0], steps=4)
    assert {n.scope for n in walk.nodes(y) if n.name == "h"} == {"layer 0", "layer 1"}
    np.testing.assert_array_equal(nn.generate(stack, model.head, XS[:1], 4, "output"), y.numpy())
    w = tg.Tensor(np.eye(O), requires_grad=True)
    own = nn.OutputFeedback(lambda x, state: (x @ w, state))
    assert own(XS[0], steps=3).shape == (3, B, O)


def test_steps_and_names_of_feedback():
    cell, top = parts(width=O)
    with tg.timestep(3):
        y = nn.OutputFeedback(cell, top)(XS[0], steps=3)
    assert [n.label for n in y.operands] == ["y_3", "y_4", "y_5"]
    flow = gradient_flow(nn.squared_error(y, TARGETS[:3]))
    assert [row.step for row in flow.ledger(cell.W_xh)] == [5, 4, 3]
    cell, top = parts(width=I + O)
    x = Tensor(XS, requires_grad=True)  # else [x; y] is a constant, and forgets what it was made of
    for feedback in ("teacher", "free_detached"):
        y = nn.OutputFeedback(cell, top, feedback, append=True)(x, TARGETS)
        read = [n.label for n in walk.nodes(y) if n.name == "y" and not n.requires_grad]
        assert read == ["y_0", "y_1", "y_2", "y_3", "y_4"]
    y = nn.OutputFeedback(cell, top, "teacher", append=True)(XS, TARGETS)
    assert [n.label for n in walk.nodes(y) if n.name == "x"] == ["x_1", "x_2", "x_3", "x_4", "x_5"]


@pytest.mark.parametrize(("make", "call", "error", "words"), [
    (lambda c, h: nn.OutputFeedback(c, h, "forced"), None, InputError, "teacher, free"),
    (lambda c, h: nn.OutputFeedback(c, h, "teacher"), lambda m: m(XS[0], steps=3), InputError,
     "needs the targets"),
    (lambda c, h: nn.OutputFeedback(c, h), lambda m: m(XS[0]), InputError, "how many steps"),
    (lambda c, h: nn.OutputFeedback(c, h), lambda m: m(XS[0], steps=0), InputError, "at least one"),
    (lambda c, h: nn.OutputFeedback(c, h, append=True), lambda m: m(XS), ShapeError, "larger than"),
    (lambda c, h: nn.OutputFeedback(nn.RNN(I + O, H), h, append=True), lambda m: m(XS, steps=9),
     InputError, "inputs for 9 steps, got 5"),
    (lambda c, h: nn.OutputFeedback(nn.Bidirectional(nn.RNN(I, H))), None, InputError, "reverse"),
    (lambda c, h: nn.OutputFeedback(nn.RNN(I, H, reverse=True)), None, InputError, "reverse"),
    (lambda c, h: nn.OutputFeedback(c), lambda m: m(XS[0], steps=2), ShapeError,
     r"an output y of shape \(2, 3\).*got \(2, 4\). head="),
    (lambda c, h: nn.OutputFeedback(nn.RNN(I + 2, H), h, append=True), lambda m: m(XS), ShapeError,
     r"an output y of shape \(2, 2\).*got \(2, 3\)"),
    (lambda c, h: nn.VectorToSequence(c, 2, feedback="free_detached"),
     lambda m: m(np.zeros((B, 2)), steps=2), ShapeError, r"an output y of shape \(2, 3\)"),
])
def test_what_cannot_be_fed_back(make, call, error, words):
    with pytest.raises(error, match=words):
        call(make(*parts()))
