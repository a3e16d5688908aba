"""A training step beside the peers: everybody's gradients agree, and the bars.

    python -m pytest tests/benchmarks/test_steps.py -k size_a
    python -m pytest tests/benchmarks/test_steps.py -k "size_c and lstm"

Ratios of medians in one interleaved run, the best of three runs, in a process of its own with one
thread; all bars of a size and a kind of layer look at the same three. A size takes one to two
minutes (c: each kind). On a machine that does other work the small sizes say little: what is
measured there is mostly Python, and whoever shares the core.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from alone import environment, measure_again
from comparison import (
    BY_HAND,
    CELLS,
    COMPILED,
    FUSED,
    HAND,
    HIPS,
    JAX,
    OPS,
    SIZES,
    TORCH,
    agree,
    installed,
    rivals,
)
from handwritten import Problem
from plot import plot

FIVE_TIMES = {"a": 0.2, "b": 1.0, "c": 1.0, "d": 0.2, "e": 0.2}
BARS = [  # ours, whom beside, size -> the most that our time may be of theirs
    ("rnn", FUSED, HAND, {"a": 1.4, "b": 1.15, "c": 1.15, "d": 2.0, "e": 1.15}),
    ("rnn", FUSED, TORCH, FIVE_TIMES),
    ("rnn", FUSED, JAX, {"a": 1.2, "b": 1.2, "c": 1.2, "d": 1.6}),
    ("rnn", COMPILED, JAX, {"a": 1.0, "d": 1.0, "e": 1.0}),
    ("lstm", COMPILED, TORCH, {"e": 1.0}),
    ("lstm", FUSED, TORCH, {"a": 1.0, "b": 1.1, "c": 1.1, "d": 1.0, "e": 1.0}),
    ("gru", FUSED, TORCH, {"a": 1.0, "b": 1.1, "c": 1.1, "d": 1.0, "e": 1.0}),
    ("rnn", OPS, CELLS, {"a": 0.6, "b": 0.8, "c": 1.05, "d": 0.6, "e": 0.6}),
    ("rnn", OPS, HIPS, {"a": 0.2, "d": 0.2, "e": 0.2}),
]
NEEDS = {TORCH: "torch", CELLS: "torch", JAX: "jax", HIPS: "autograd", COMPILED: "numba"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", BY_HAND)
def test_all_gradients_agree(kind, dtype):
    for B, T, H, V in (SIZES["a"], SIZES["d"], (5, 7, 6, 4)):
        problem = Problem(B, T, H, V, kind, dtype)
        agree({name: make(problem) for name, make in rivals(kind).items()}, dtype)


@pytest.fixture(scope="module")
def three_runs():
    """(kind, size) -> three runs of all that the bars of that size compare."""
    known = {}

    def runs(kind, size):
        if (kind, size) not in known:
            names = {name for k, ours, theirs, most in BARS if k == kind and size in most
                     for name in (ours, theirs) if installed(NEEDS.get(name, "numpy"))}
            known[kind, size] = measure_again(3, size, kind, "float32", 1, len(names) / 2,
                                              sorted(names))
        return known[kind, size]

    return runs


@pytest.mark.parametrize(("bar", "size"), [
    pytest.param(bar, size, id=f"size_{size}, {bar[0]}, {bar[1]} : {bar[2]}")
    for size in SIZES for bar in BARS if size in bar[3]])
def test_bars(bar, size, three_runs, rows):
    kind, ours, theirs, most = bar
    for name in (ours, theirs):
        if not installed(NEEDS.get(name, "numpy")):
            pytest.skip(f"{NEEDS[name]} is not installed")
    ratio, one, other = min((run[ours][0] / run[theirs][0], run[ours][0], run[theirs][0])
                            for run in three_runs(kind, size))
    rows.append((f"{kind} {size}, {ours}", f"{one * 1e3:.2f} ms", f"{theirs} {other * 1e3:.2f} ms",
                 ratio, most[size]))
    assert ratio <= most[size]


CHUNKS = """
import gc, json, sys, time, tracemalloc
import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import nn

xs = tg.Tensor(np.random.default_rng(0).normal(size=(10_000, 8, 32)).astype("f4"))
layers = {every: nn.RNN(32, 128, seed=1, dtype="float32", checkpoint_every=every)
          for every in (None, "sqrt")}

def step(layer):
    (layer(xs) ** 2).sum().backward()

def seconds(layer):
    gc.collect()
    start = time.perf_counter()
    step(layer)
    return time.perf_counter() - start

def peak(layer):
    gc.collect()
    tracemalloc.start()
    step(layer)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found

times = [[seconds(layer) for layer in layers.values()] for _ in range(4)][1:]
print(json.dumps([[min(t) for t in zip(*times)], [peak(layer) for layer in layers.values()]]))
"""


def test_many_to_one_in_chunks(rows):
    """T=10,000, B=8, H=128: a tenth of the memory at no more than 1.5 times the time."""
    runs = [subprocess.run([sys.executable, "-c", CHUNKS], env=environment(1), check=True,
                           cwd=Path(__file__).parents[2], capture_output=True, text=True)
            for _ in range(3)]  # as for all bars, the best of three counts
    (plain, chunks), (much, little) = min(
        (json.loads(run.stdout) for run in runs), key=lambda found: found[0][1] / found[0][0])
    rows.append(("checkpoint_every, time", f"{chunks:.2f} s", f"plain {plain:.2f} s",
                 chunks / plain, 1.5))
    rows.append(("checkpoint_every, memory", f"{little / 1e6:.1f} MB", f"plain {much / 1e6:.1f} MB",
                 little / much, 0.1))
    assert little <= 0.1 * much
    assert chunks <= 1.5 * plain


def test_the_plot_has_a_mark_for_each():
    results = {size: {HAND: (1.0, 1.0), FUSED: (1.5, 1.2)} for size in SIZES}
    text = plot(results, [FUSED, HAND], "RNN")
    assert text.count("<circle") == len(SIZES) * 3
