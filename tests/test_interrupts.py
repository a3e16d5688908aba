"""Ctrl-C at a thousand points: all of the old or all of the new, no switch left on, and the engine
goes on working. (Real signals: tests/core/test_threads.py.)"""

import gc
import sys

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.one_run import INSIDE
from tinygrad_rnn.core.place import HERE, NOWHERE, at, here, switch

POINTS = 1000
B, T, I, H = 2, 6, 3, 4
XS = np.random.default_rng(0).normal(size=(T, B, I))


SWITCHES = {f.__code__ for kind in (switch, at, tg.scope) for f in (kind.__enter__, kind.__exit__)}


class Line:
    """A trace function that counts the lines of Python that run, and interrupts at one of them.
    `switching` are those at which a switch is turned on or off."""

    def __init__(self, last=None):
        self.count, self.last, self.switching = 0, last, []

    def __call__(self, frame, event, argument):
        if event == "line":
            self.count += 1
            if frame.f_code in SWITCHES:
                self.switching.append(self.count)
            if self.count == self.last:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self


def traced(run, line):
    """Whether `run()` got through, with a trace function in force."""
    try:
        sys.settrace(line)
        run()
        return True
    except KeyboardInterrupt:
        return False
    finally:
        sys.settrace(None)


@pytest.fixture(autouse=True)
def undisturbed():
    """Without the collector: the callbacks of others on collections would be interrupted too."""
    old = sys.gettrace()
    gc.disable()
    yield
    sys.settrace(old)
    gc.enable()


def interrupted(run, state=list, restore=lambda: None, points=POINTS):
    """Interrupt `run()` at so many of its lines (all of them, if it has fewer), from `restore()`
    on, and look at `state()`: a list of numbers and arrays. Returns how often it was interrupted.
    """
    restore()
    old = state()
    run()  # what is imported late, is imported
    restore()
    line = Line()
    assert traced(run, line)
    new = state()
    assert not new or not equal(old, new)
    count = 0
    for last in some(line, points):
        restore()
        finished = traced(run, Line(last))
        found = state()
        assert equal(found, old) or equal(found, new), f"half of it, at line {last}"
        assert here() is NOWHERE, f"a switch was left on at line {last}"
        assert not INSIDE.get()
        count += not finished
    restore()
    run()
    assert equal(state(), new)
    return count


def some(line, points):
    """So many points: lines from first to last, and half as many of those that switch."""
    every = np.linspace(1, line.count, points, dtype=int)
    return sorted({*every, *line.switching[:points // 4], *line.switching[-points // 4:]})


def equal(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


def gradients_of(parameters):
    """Their gradients as a state, and the way back to the old ones: zeros."""
    def state():
        return [np.array(p.grad) for p in parameters]

    def restore():
        for p in parameters:
            p.grad = 0.0 if p.is_scalar else np.zeros(p.shape)

    return state, restore


def by_hand():
    """A loss over tensors and a scalar, by operators."""
    rng = np.random.default_rng(0)
    W, V = (tg.Tensor(rng.normal(size=(3, 3)), requires_grad=True) for _ in range(2))
    b, s = tg.Tensor(np.zeros(3), requires_grad=True), tg.Value(0.5)
    h = tg.Tensor(np.ones((2, 3)))
    for _ in range(12):
        h = ops.tanh(ops.linear(h, W) + b) * s + ops.linear(h, V)
    return ops.sum_(h * h), [W, V, b, s]


def by_layers(fused):
    """Three kinds of layers, one on the other, and a cross entropy."""
    model = nn.Stacked([kind(size, H, seed=0, return_sequences=True, fused=fused)
                        for kind, size in ((nn.RNN, I), (nn.LSTM, H), (nn.GRU, H))])
    loss = nn.cross_entropy(model(XS), np.zeros((T, B), int))
    return loss, model.parameters()


@pytest.mark.parametrize("program", [by_hand, lambda: by_layers(False), lambda: by_layers(True)],
                         ids=["operators", "layers", "fused"])
@pytest.mark.parametrize("way", [
    tg.Tensor.backward, tg.gradient_flow, lambda loss: tg.gradient_flow(loss, keep="norms")],
    ids=["backward", "flow", "norms"])
def test_all_gradients_are_old_or_all_are_new(program, way):
    loss, parameters = program()
    points = 100 if way is tg.Tensor.backward else 30
    count = interrupted(lambda: way(loss), *gradients_of(parameters), points)
    assert count >= points - 1


def test_a_backward_has_a_thousand_points():
    loss, parameters = by_hand()
    assert interrupted(loss.backward, *gradients_of(parameters)) >= POINTS - 1


def test_a_window():
    """Forward and backward of two windows; each adds its gradients as a whole."""
    layer = nn.LSTM(I, H, seed=0)
    def run():
        for window in tg.truncated_bptt(layer, XS, 2, 3):
            window.backward(ops.sum_(window.outputs * window.outputs))
            if window.steps.start:
                break

    state, restore = gradients_of(layer.parameters())
    values = []
    restore()
    for window in tg.truncated_bptt(layer, XS, 2, 3):
        values.append(state())
        window.backward(ops.sum_(window.outputs * window.outputs))
        if len(values) == 3:
            break
    count = 0
    line = Line()
    restore()
    assert traced(run, line)
    for last in some(line, 60):
        restore()
        count += not traced(run, Line(last))
        assert any(equal(state(), value) for value in values), f"half of it, at line {last}"
        assert here() is NOWHERE, f"a switch was left on at line {last}"
    assert count >= 59


@pytest.mark.parametrize("rule", [
    lambda p: optim.SGD(p, 0.1, momentum=0.9), lambda p: optim.Adam(p, 0.1, weight_decay=0.1)],
    ids=["SGD", "Adam"])
def test_a_step_of_an_optimiser(rule):
    """Parameters and what is remembered of them move together, or stay together."""
    loss, parameters = by_hand()
    loss.backward()
    optimiser = rule(parameters)
    optimiser.step()
    values, memory = [np.array(p.value) for p in parameters], optimiser.state_dict()

    def state():
        remembered = [x for row in optimiser.memory.values() for x in row.values()]
        return [np.array(p.value) for p in parameters] + remembered + [optimiser.steps]

    def restore():
        optimiser.load_state_dict(memory)
        for p, value in zip(parameters, values):
            p.data = value

    before = state()
    optimiser.step()  # it does remember: else there would be nothing to lose
    assert len(before) >= 2 * len(parameters) + 1
    assert not any(np.array_equal(a, b) for a, b in zip(before, state()))
    assert interrupted(optimiser.step, state, restore) > 50


@pytest.mark.parametrize("clip", [lambda p: optim.clip_grad_norm(p, 0.1),
                                  lambda p: optim.clip_grad_value(p, 0.1)], ids=["norm", "value"])
def test_clipping(clip):
    loss, parameters = by_hand()
    loss.backward()
    old = [p.grad for p in parameters]

    def restore():
        for p, g in zip(parameters, old):
            p.grad = g

    assert interrupted(lambda: clip(parameters), lambda: [np.array(p.grad) for p in parameters],
                       restore) > 30


def test_loading_parameters():
    model = nn.LSTM(I, H, seed=0)
    old, new = model.state_dict(), nn.LSTM(I, H, seed=1).state_dict()

    def state():
        return [np.array(p.value) for p in model.parameters()]

    assert interrupted(lambda: model.load_state_dict(new), state,
                       lambda: model.load_state_dict(old)) > 30


def second_order():
    v = tg.Value(0.5)
    tg.grad(tg.grad(v * v * v, v, create_graph=True), v)


def wired(fused):
    """A stack whose second layer reads in both directions."""
    return nn.Stacked([nn.GRU(I, H, seed=0, return_sequences=True, fused=fused),
                       nn.Bidirectional(nn.RNN(H, H, seed=1, fused=fused))])


SWITCHED = {
    "layer": lambda: wired(False)(XS), "fused": lambda: wired(True)(XS),
    "masked": lambda: nn.LSTM(I, H, seed=0)(XS, lengths=[3, 6]),
    "second order": second_order,
    "hessian": lambda: tg.hessian(lambda x: ops.sum_(x * x * x), np.ones(2)),
    "value_and_grad": lambda: tg.value_and_grad(lambda x: ops.sum_(x * x))(np.ones(2)),
    "generate": lambda: nn.generate(nn.RNN(I, H, seed=0), nn.Linear(H, I, seed=1), 0, 3, rng=0),
    "unroll": lambda: nn.unroll(nn.RNN(I, H, seed=0).cell, XS),
    "loss": lambda: nn.cross_entropy(list(XS), np.zeros((T, B), int)),
}


@pytest.mark.parametrize("name", SWITCHED)
def test_no_switch_is_left_on(name):
    assert interrupted(SWITCHED[name], points=40) >= 39


def test_a_switch_can_be_left_on():
    """The check above can fail: a block as such is left by Python code."""
    def run():
        with tg.no_grad():
            pass

    try:
        with pytest.raises(AssertionError, match="left on"):
            interrupted(run)
    finally:
        HERE.set(NOWHERE)
