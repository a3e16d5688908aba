"""A training step beside the peers: everybody's gradients agree, and the bars.

    python -m pytest tests/benchmarks/test_steps.py

Ratios of medians in one interleaved run, the best of three runs. On a machine that does other work
the small sizes say little: what is measured there is mostly Python, and whoever shares the core.
"""

import os
import statistics

import pytest

# before NumPy is loaded elsewhere it would be too late: `python -m tests.benchmarks` does it right
ONE_THREAD = os.environ.get("OPENBLAS_NUM_THREADS") == "1"

from comparison import (  # noqa: E402
    BY_HAND,
    CELLS,
    FUSED,
    HAND,
    HIPS,
    JAX,
    OPS,
    SIZES,
    TORCH,
    agree,
    compare,
    installed,
    rivals,
)
from handwritten import Problem  # noqa: E402
from plot import plot  # noqa: E402

FIVE_TIMES = {"a": 0.2, "b": 1.0, "c": 1.0, "d": 0.2, "e": 0.2}
BARS = [  # ours, whom beside, size -> the most that our time may be of theirs
    ("rnn", FUSED, HAND, {"a": 1.4, "b": 1.15, "c": 1.15, "d": 2.0, "e": 1.15}),
    ("rnn", FUSED, TORCH, FIVE_TIMES),
    ("rnn", FUSED, JAX, {"a": 1.2, "b": 1.2, "c": 1.2, "d": 1.6}),
    ("lstm", FUSED, TORCH, {"a": 1.0, "b": 1.1, "c": 1.1, "d": 1.0, "e": 1.0}),
    ("gru", FUSED, TORCH, {"a": 1.0, "b": 1.1, "c": 1.1, "d": 1.0, "e": 1.0}),
    ("rnn", OPS, CELLS, {"a": 0.6, "b": 0.8, "c": 1.05, "d": 0.6, "e": 0.6}),
    ("rnn", OPS, HIPS, {"a": 0.2, "d": 0.2, "e": 0.2}),
]
NEEDS = {TORCH: "torch", CELLS: "torch", JAX: "jax", HIPS: "autograd"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", BY_HAND)
def test_all_gradients_agree(kind, dtype):
    for B, T, H, V in (SIZES["a"], SIZES["d"], (5, 7, 6, 4)):
        problem = Problem(B, T, H, V, kind, dtype)
        agree({name: make(problem) for name, make in rivals(kind).items()}, dtype)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bar", BARS, ids=lambda bar: f"{bar[0]}, {bar[1]} : {bar[2]}")
def test_bars(bar, size, rows):
    kind, ours, theirs, most = bar
    if size not in most:
        pytest.skip("there is no bar")
    if theirs in NEEDS and not installed(NEEDS[theirs]):
        pytest.skip(f"{NEEDS[theirs]} is not installed")
    if not ONE_THREAD:
        pytest.skip("set OPENBLAS_NUM_THREADS=1: two threads give no stable ranking")
    if installed("torch"):
        import torch
        torch.set_num_threads(1)
    best = (float("inf"), 0.0, 0.0)
    for _ in range(3):
        times = compare(size, kind, seconds=4.0, only={ours, theirs})
        one, other = statistics.median(times[ours]), statistics.median(times[theirs])
        best = min(best, (one / other, one, other))
    ratio, one, other = best
    rows.append((f"{kind} {size}, {ours}", f"{one * 1e3:.2f} ms", f"{theirs} {other * 1e3:.2f} ms",
                 ratio, most[size]))
    assert ratio <= most[size]


def test_the_plot_has_a_mark_for_each():
    results = {size: {HAND: (1.0, 1.0), FUSED: (1.5, 1.2)} for size in SIZES}
    text = plot(results, [FUSED, HAND], "RNN")
    assert text.count("<circle") == len(SIZES) * 3
