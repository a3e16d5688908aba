"""The grade of a point: what bad points hide, measured on the zoo; and the mutation score."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.testing import (
    better_point,
    check_backward,
    check_gradients,
    grade,
    mutation_score,
    planted_score,
)

from . import zoo

BAD = {"zeros": "zero", "one step": "one step only", "symmetric": "symmetric",
       "same": "the same at all steps"}


def point(m, kind):
    """A bad point for this model."""
    p = {n: x.copy() for n, x in m.inputs.items()}
    if kind == "zeros":
        p = {n: x if n == "xs" else 0.0 * x for n, x in p.items()}
    elif kind == "one step":
        p["xs"], p["h0"], m.targets = p["xs"][:1, :1], p["h0"][:1], m.targets[:1, :1]
    elif kind == "symmetric":
        p["W_hh"] = p["W_hh"] + p["W_hh"].T
    elif kind == "same":
        p["xs"] = np.broadcast_to(p["xs"][:1], p["xs"].shape).copy()
    return p


def hidden(m, p):
    """The mistakes that change nothing here."""
    with np.errstate(all="ignore"):
        right = m.back(p)
        return [b for b in zoo.BUGS if zoo.effect(right, m.back(p, b)) < 1e-9]


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_point_hides_mistakes_and_is_noted(kind):
    m = zoo.model(0)
    good = hidden(m, m.inputs)
    assert grade(m.inputs) == []
    p = point(m, kind)
    lost = set(hidden(m, p)) - set(good)
    assert any(BAD[kind] in note for note in grade(p)), grade(p)
    count = {"zeros": 25, "one step": 13, "symmetric": 1, "same": 1}[kind]  # of 30
    assert len(lost) == count, sorted(lost)


def test_the_note_is_in_the_report_and_changes_no_verdict():
    m = zoo.model(0)
    report = check_backward(m.forward, m.backward(), point(m, "zeros"))
    assert report, report
    assert "a point that hides mistakes" in report.notes[-1]
    assert "better_point()" in str(report)
    again = check_backward(m.forward, m.backward(), better_point(point(m, "zeros")))
    assert again
    assert not again.notes, again


def test_saturated_and_dead_outputs():
    assert "saturated" in grade({"x": np.ones(3)}, outputs=np.array([1.0, -1.0, 0.2]))[0]
    assert "all units off" in grade({"x": np.ones(3)}, outputs=np.zeros(4))[0]


UP = np.random.default_rng(1).normal(size=(4, 2, 5))
XS = np.random.default_rng(0).normal(size=(4, 2, 3))
POINTS = {
    "x has one step only": (XS[:1], lambda y: (y * UP[:1]).sum()),
    "x has one sample only": (XS[:, :1], lambda y: (y * UP[:, :1]).sum()),
    "x is the same at all steps": (np.repeat(XS[:1], 4, 0), lambda y: (y * UP).sum()),
    "the loss is a plain sum": (XS, lambda y: y.sum()),
    "loss is a plain sum": (XS, lambda y: 3.0 * y[-1].mean()),
    "": (XS, lambda y: (y * UP).sum()),
}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("words", POINTS)
def test_the_point_of_a_graph_is_graded_too(words, fused):
    xs, head = POINTS[words]
    for cell in (nn.RNN, nn.LSTM):
        layer = cell(3, 5, seed=0, return_sequences=True, fused=fused)
        report = check_gradients(lambda layer=layer: head(layer(xs)), layer)
        assert report, report
        assert report.evaluations <= 31  # and one for the grade
        assert (words in str(report.notes)) if words else not report.notes, report.notes


def test_a_plain_sum_and_what_is_none():
    layer = nn.RNN(3, 5, seed=0, return_sequences=True)
    for head in (lambda y: (y * y).sum(), lambda y: tg.exp(y).sum()):
        assert not check_gradients(lambda head=head: head(layer(XS)), layer).notes
    w, x = np.random.default_rng(2).normal(size=(3, 4)), XS[0]
    dW = lambda g, w: {"w": x.T @ (g * (1 - np.tanh(x @ w) ** 2))}
    plain = check_backward(lambda p: np.tanh(x @ p["w"]).sum(), lambda p: dW(1.0, p["w"]), {"w": w})
    assert "the loss is a plain sum" in str(plain)
    square = check_backward(lambda p: (np.tanh(x @ p["w"]) ** 2).sum(),
                            lambda p: dW(2 * np.tanh(x @ p["w"]), p["w"]), {"w": w})
    assert square
    assert not square.notes


def test_a_plain_sum_hides_a_mistake_that_random_weights_show():
    """Gradients of two samples interchanged: with a plain sum nobody sees it."""
    w, x = np.random.default_rng(2).normal(size=(3, 4)), XS[0]
    up = np.random.default_rng(3).normal(size=(2, 4))
    for g, caught in ((np.ones((2, 4)), False), (up, True)):
        def forward(p, g=g):
            return (g * np.tanh(x @ p["w"])).sum()

        def backward(p, g=g[::-1]):
            return {"w": x.T @ (g * (1 - np.tanh(x @ p["w"]) ** 2))}

        assert check_backward(forward, backward, {"w": w}).failed == caught


def test_outputs_are_graded_in_the_report():
    flat = check_backward(lambda x: np.tanh(20 * x),
                          lambda x, up: 20 * up * (1 - np.tanh(20 * x) ** 2), XS[0] + 1.0)
    assert "more than half of the output is beyond" in str(flat)


def test_a_careful_test_catches_everything_and_a_careless_one_does_not():
    m = zoo.model(0)
    m.memory = {}

    def careful(backward):
        assert check_backward(m.forward, backward, m.inputs, localise=False)

    def careless(backward):
        d = backward(m.inputs)
        assert all(d[n].shape == x.shape for n, x in m.inputs.items())

    score = mutation_score(m.forward, m.backward(), m.inputs, careful, most=25)
    assert score, score
    assert score.score == 1.0
    assert len(score.rows) >= 20
    nothing = mutation_score(m.forward, m.backward(), m.inputs, careless, most=25)
    assert nothing.score == 0.0
    assert len(nothing.survived) == len(nothing.rows)
    assert str(nothing).splitlines()[0].startswith(f"0 of {len(nothing.rows)} planted mistakes")
    assert any("forgets dh_next" in name for name in
               mutation_score(m.forward, m.backward(), m.inputs, careless, most=10_000).survived)


def test_a_test_that_fails_anyway_is_said_to():
    m = zoo.model(0)
    with pytest.raises(InputError, match="fails with the backward as it is"):
        mutation_score(m.forward, m.backward(), m.inputs, lambda backward: False)


def test_mistakes_of_the_engine_and_whether_a_test_of_ones_own_notices():
    layer = nn.LSTM(3, 5, seed=0, return_sequences=True)

    def loss():
        return (layer(XS) * UP).sum()

    def whole():
        return check_gradients(loss, layer, localise=False)

    def shapes():
        layer.zero_grad()
        loss().backward()
        return all(p.grad.shape == p.shape for p in layer.parameters())

    good = planted_score(whole, map(tg.what_if, tg.MISTAKES))
    assert good, good
    assert len(good.rows) >= 14
    assert "missing detach" in good.absent
    assert len(good.rows) + len(good.absent) == len(tg.MISTAKES)
    poor = planted_score(shapes, map(tg.what_if, tg.MISTAKES))
    assert poor.score == 0.0
    assert f"0 of {len(good.rows)} planted mistakes are caught: 0%" in str(poor)
    assert "  survived             no dc_next" in str(poor).splitlines()
    with pytest.raises(InputError, match="mistakes are blocks, got a str"):
        planted_score(lambda: True, ["no dh_next"])
    with pytest.raises(InputError, match="expected a function, got a NoneType"):
        planted_score(None, [])
    with pytest.raises(InputError, match="no float arrays in a NoneType"):
        grade(None)
    with pytest.raises(InputError, match="fails with the gradients as they are"):
        planted_score(lambda: False, map(tg.what_if, tg.MISTAKES))
    with pytest.raises(InputError, match="no mistake changed a gradient"):
        planted_score(lambda: True, [tg.what_if("no dh_next")])
