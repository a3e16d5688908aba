"""Words that stand nearer to something else than to what they are of: in a crowd there may be no
better place, and how often that is so is counted.

    python -m pytest tests/benchmarks/test_words_of_others.py      # about five minutes
"""

import itertools
from functools import partial

import pytest

from tests.draw.crossed import cases, drawn, rolled
from tests.draw.faults import mistaken
from tests.draw.graphs import MASKED, masked
from tests.draw.invented import invented

EVERY = 20


def of_masked():
    """The most crowded ones: layers with masks, rolled up."""
    for case, direction in itertools.product(MASKED, ("right", "down")):
        yield case, lambda c=case, d=direction: rolled(masked(*c), "op", d, "", False)


@pytest.mark.parametrize(("pictures", "most"), [
    (itertools.islice(cases(), 0, None, EVERY), 0),
    (((seed, partial(invented, seed)) for seed in range(0, 2_500, EVERY)), 0),
    (of_masked(), 30),
], ids=["crossed", "invented", "masked"])
def test_words_of_others_are_rare(pictures, most):
    found = []
    for name, make in pictures:
        picture = drawn(make)
        found += [(name, wrong) for wrong in mistaken(picture.drawing)] if picture else []
    assert len(found) <= most, found
