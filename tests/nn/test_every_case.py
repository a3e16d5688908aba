"""No reference case is left out: every case of every family is read by some test."""

import pytest

from .. import test_optim
from ..bptt import test_truncated
from ..train import test_curves
from . import test_deep, test_elsewhere, test_golden, test_seq2seq
from .reference import GOLDEN, READ

READERS = (test_golden, test_deep, test_seq2seq, test_truncated, test_optim, test_curves)
CASES = {"rnn_cases": 96, "rnn_vjp": 28, "whh_contrib": 12, "tbptt": 24, "seq2seq": 41,
         "masked": 16, "deep": 9, "hello": 2, "train_curves": 15, "optim_steps": 14, "rnn_extra": 4}


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_read(name):
    if not (GOLDEN / f"{name}.npz").exists():
        pytest.skip(f"no reference numbers {name}.npz beside it")
    assert len(READ[name]) == CASES[name]


def test_every_printed_case_of_the_course_is_read():
    if not test_elsewhere.CASES:
        pytest.skip("no reference numbers cs231n.json beside it")
    assert set(test_elsewhere.CASES) == set(test_elsewhere.PRINTED_CASES)
