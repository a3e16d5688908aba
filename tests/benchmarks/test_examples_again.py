"""Every example prints the same and writes the same bytes, whenever it runs.

    python -m pytest tests/benchmarks/test_examples_again.py      # a minute or two

In every run of the tests each example runs once, and its numbers are compared with those written
down; that all views write the same bytes in two programs is in tests/draw/test_text.py.
"""

import pytest

from tests.test_examples import SAYS, run


@pytest.mark.parametrize("name", SAYS)
def test_twice_the_same(name, tmp_path):
    assert run(name, tmp_path / "first") == run(name, tmp_path / "second")
