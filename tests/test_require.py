"""Tests of the tests: an optional program is skipped where it may be missing, and only there."""

import sys
from pathlib import Path

import pytest

ABSENT = "a-program-that-nobody-has"


def test_a_program_that_is_there(require, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert Path(require(Path(sys.executable).name)).exists()


@pytest.mark.parametrize("asked", ["", "dot", "dot, chromium"])
def test_a_missing_program_skips_the_test_and_says_why(require, monkeypatch, asked):
    monkeypatch.setenv("TINYGRAD_RNN_REQUIRE", asked)
    with pytest.raises(pytest.skip.Exception, match=f"{ABSENT} is not installed here"):
        require(ABSENT)


@pytest.mark.parametrize("asked", [ABSENT, f"dot,{ABSENT}", f"dot {ABSENT} chromium",
                                   f" {ABSENT}, dot "])
def test_a_missing_program_that_is_asked_for_fails_the_test(require, monkeypatch, asked):
    monkeypatch.setenv("TINYGRAD_RNN_REQUIRE", asked)
    with pytest.raises(pytest.fail.Exception, match="TINYGRAD_RNN_REQUIRE asks for it"):
        require(ABSENT)
