"""The grade of a point: what bad points hide, measured on the zoo; and the mutation score."""

import numpy as np
import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.testing import better_point, check_backward, grade, mutation_score

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
