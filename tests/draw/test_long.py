"""Long sequences: linear in T, nothing recurses, elided pictures are small."""

import sys
import time

import pytest

from tinygrad_rnn import draw
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core.values import Value

from . import graphs


def all_steps(root, T):
    """The seconds that it takes to draw every step."""
    start = time.process_time()
    draw.unrolled(root, first=T, last=0).svg()
    return time.process_time() - start


def test_all_steps_are_drawn_in_linear_time():
    times = {T: min(all_steps(graphs.vanilla(T), T) for _ in range(2)) for T in (100, 400)}
    assert times[400] < 10 * times[100]


def test_elided_pictures_are_equally_large_for_any_length():
    sizes = [len(draw.unrolled(graphs.vanilla(T)).drawing.boxes) for T in (20, 2_000)]
    assert sizes[0] == sizes[1]


@pytest.fixture
def shallow():
    """Little room for recursion."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(250)
    yield
    sys.setrecursionlimit(limit)


def test_nothing_recurses(shallow):
    root = graphs.vanilla(400, total="timed")
    draw.unrolled(root, first=400, last=0).svg()
    draw.gradient_flow(gradient_flow(root), first=400, last=0).dot()
    x = Value(1.0, name="a")
    for _ in range(20_000):
        x = x * 1.0
    draw.unrolled(x).svg()
