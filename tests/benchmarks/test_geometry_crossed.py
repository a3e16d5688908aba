"""Every model in every view, direction, window, length of names: nothing overlaps or is cut.

    python -m pytest tests/benchmarks/test_geometry_crossed.py      # about six minutes
"""

import itertools

import pytest

from tests.draw.crossed import cases, drawn
from tests.draw.faults import faults

PARTS = 40


@pytest.mark.parametrize("part", range(PARTS))
def test_everything_has_its_own_place(part):
    found = {}
    for name, make in itertools.islice(cases(), part, None, PARTS):
        picture = drawn(make)
        wrong = faults(picture.drawing) if picture is not None else []
        if wrong:
            found[name] = wrong
    assert found == {}
