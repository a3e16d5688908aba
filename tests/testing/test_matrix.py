"""A small part of the matrix (tests/benchmarks/matrix.py): every bug in every regime."""

import numpy as np
import pytest

from tinygrad_rnn.testing import check_backward
from tinygrad_rnn.testing.screening import BUDGET

from ..benchmarks import matrix
from . import zoo


@pytest.mark.parametrize("regime", zoo.REGIMES)
def test_every_bug_is_caught_and_no_right_model_fails(regime):
    found = list(matrix.rows(range(40_000, 40_002), [regime]))
    for _, seed, bug, effect, verdict, screened, _ in found:
        if bug is None:
            assert verdict == "pass" or verdict == "inconclusive" and regime == "large offset"
            assert screened <= BUDGET, seed
        elif effect >= matrix.VISIBLE:
            assert verdict == "FAIL" or verdict == "inconclusive" and regime == "large offset", bug


def test_the_zoo_itself_is_right_and_every_bug_does_something():
    """The right backward agrees with the engine, and 29 of the 30 bugs change this gradient (a
    clipped gradient may be small enough)."""
    m = zoo.model(0)
    m.style = "list"
    report = check_backward(m.forward, m.backward(), m.inputs)
    assert report, report
    right = m.back(m.inputs)
    effects = {bug: zoo.effect(right, m.back(m.inputs, bug)) for bug in zoo.BUGS}
    assert len(effects) == 30
    assert sum(e > 1e-9 for e in effects.values()) >= 29, effects


def test_stopping_at_the_verdict_gives_the_verdict_of_the_whole_search():
    for seed, bug in enumerate(list(zoo.BUGS)[::4]):
        m = zoo.model(seed, "normal")
        if zoo.effect(m.back(m.inputs), m.back(m.inputs, bug)) >= matrix.VISIBLE:
            for localise in (True, False):
                report = check_backward(m.forward, m.backward(bug), m.inputs, localise=localise)
                assert report.failed, (bug, localise)


def test_which_parameters_are_right_is_right():
    m = zoo.model(3, "normal")
    right = m.back(m.inputs)
    for bug in ("W_hh assigned", "b_y averaged", "one entry", "missing dh_next"):
        wrong = m.back(m.inputs, bug)
        report = check_backward(m.forward, m.backward(bug), m.inputs)
        for name, block in report.blocks.items():
            changed = not np.allclose(wrong[name], right[name], rtol=1e-7, atol=1e-12)
            assert (block.verdict == "FAIL") == changed, (bug, name, report)
