"""Models that nobody has drawn before, each from its own seed: nothing overlaps or is cut, and
every wire can be followed.

    python -m pytest tests/benchmarks/test_invented.py      # about ten minutes
"""

import pytest

from tests.draw.faults import faults
from tests.draw.invented import invented

MOST, PART = 2_500, 50


@pytest.mark.parametrize("start", range(0, MOST, PART))
def test_they_have_places_of_their_own(start):
    found = {}
    for seed in range(start, start + PART):
        picture = invented(seed)
        wrong = faults(picture.drawing) if picture is not None else []
        if wrong:
            found[seed] = wrong
    assert found == {}
