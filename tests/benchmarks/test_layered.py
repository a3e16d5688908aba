"""Hundreds of graphs without time, in layers: nothing overlaps, and no wire lies on another.

    python -m pytest tests/benchmarks/test_layered.py      # about three minutes
"""

import pytest

from tests.draw.faults import faults
from tests.draw.generic import pictures

SIZES = {  # how many operations, how many of each, gradients of how many, attention over how many
    "small": ((3, 5, 8, 12, 20), 40, (3, 6, 10), (1, 2, 3)),
    "medium": ((40, 60, 80), 12, (20, 30, 40), (4, 5)),
    "large": ((120, 200, 300), 4, (60, 80), (6, 7)),
}


@pytest.mark.parametrize("size", SIZES)
def test_everything_has_its_own_place(size):
    found = {}
    for name, picture in pictures(*SIZES[size]):
        wrong = faults(picture.drawing)
        if wrong:
            found[name] = wrong
    assert found == {}
