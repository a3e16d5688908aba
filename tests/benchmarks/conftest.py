"""Collects the rows of the comparison and prints them when the run is over."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `rivals`, which stands beside this file
ROWS = pytest.StashKey[list[tuple[str, str, str, float, float]]]()


@pytest.fixture
def rows(pytestconfig):
    """The table so far: what, ours, theirs, the ratio (or the size), and the bar."""
    return pytestconfig.stash.setdefault(ROWS, [])


def pytest_terminal_summary(terminalreporter, config):
    """Print the table."""
    if rows := config.stash.get(ROWS, []):
        terminalreporter.section("beside the peers")
    for what, ours, theirs, value, bar in rows:
        verdict = "" if value <= bar else "  ABOVE"
        terminalreporter.write_line(
            f"{what:<40} {ours:>9} {theirs:>24} {value:>8.3f}  bar {bar:g}{verdict}")
