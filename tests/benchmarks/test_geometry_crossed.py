"""Every model in every view, direction, window, length of names: nothing overlaps or is cut.

    python -m pytest tests/benchmarks/test_geometry_crossed.py      # about ten minutes
"""

import itertools

import pytest

from tests.draw.crossed import cases, drawn, flow, rolled, unrolled
from tests.draw.faults import faults
from tests.draw.graphs import MASKED, masked

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


@pytest.mark.parametrize("case", MASKED, ids=str)
def test_everything_has_its_own_place_in_masked_layers(case):
    found = {}
    for direction in "right", "down":
        L = masked(*case)
        for picture in (unrolled(L, "op", direction, {}, "", ("names",)),
                        unrolled(L, "cell", direction, {}, "", ("names",)),
                        flow(L, direction, {}, ""), rolled(L, "op", direction, "", False)):
            if wrong := faults(picture.drawing):
                found[picture.drawing.title, direction] = wrong
    assert found == {}
