"""Memory, long sequences, large states and start-up: the bars.

    python -m pytest tests/benchmarks/test_costs.py

Memory is the peak of a process of its own, per time step, so that every framework's counts.
"""

import gc
import statistics
import sys
import time
import tracemalloc

import numpy as np
import pytest
from comparison import BY_HAND, CELLS, FUSED, HAND, OPS, installed
from costs import bytes_a_step, child
from frameworks import Ours, OursByOps
from handwritten import Problem

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")


def needs(module):
    if not installed(module):
        pytest.skip(f"{module} is not installed")


@linux
@pytest.mark.parametrize(("B", "H", "few", "many", "bar"), [(1, 64, 4000, 20_000, 0.6),
                                                            (32, 128, 100, 600, 4.0)])
def test_peak_memory_of_a_step(B, H, few, many, bar, rows):
    needs("torch")
    ours, theirs = (bytes_a_step(name, B, H, 16, few, many) for name in (OPS, CELLS))
    rows.append((f"peak memory a step, B={B} H={H}", f"{ours:.0f} B", f"torch cells {theirs:.0f} B",
                 ours / theirs, bar))
    assert ours / theirs <= bar


@linux
@pytest.mark.parametrize("kind", BY_HAND)
@pytest.mark.parametrize(("B", "H", "few", "many"), [(1, 64, 4000, 20_000), (32, 128, 100, 600)])
def test_peak_memory_of_the_sequence_node(kind, B, H, few, many, rows):
    """Beside the careful NumPy program, which keeps each of its arrays for the next step."""
    ours, theirs = (bytes_a_step(name, B, H, 16, few, many, kind) for name in (FUSED, HAND))
    rows.append((f"peak memory a step, {kind} fused, B={B} H={H}", f"{ours:.0f} B",
                 f"by hand {theirs:.0f} B", ours / theirs, 1.1))
    assert ours / theirs <= 1.1


@pytest.mark.parametrize(("kind", "make"), [
    ("rnn", OursByOps), ("rnn", Ours), ("lstm", Ours), ("gru", Ours)])
def test_a_long_sequence_costs_no_more_a_step(kind, make, rows):
    """Forward and backward, collector on, T=100,000 beside T=1,000, H=64."""
    assert gc.isenabled()
    long, short = (make(Problem(1, T, 64, 16, kind, "float32")) for T in (100_000, 1000))
    short.step()
    times = {id(long): [], id(short): []}
    for _ in range(3):
        for one, turns in ((short, 20), (long, 1), (short, 20)):
            for _ in range(turns):
                start = time.perf_counter()
                one.step()
                times[id(one)].append((time.perf_counter() - start) / one.p.T)
    a, b = (statistics.median(times[id(one)]) for one in (long, short))
    what = f"time a step at T=100,000, {kind}" + ", fused" * (make is Ours)
    rows.append((what, f"{a * 1e6:.1f} us", f"T=1,000 {b * 1e6:.1f} us", a / b, 1.3))
    assert a / b <= 1.3


def test_a_large_state_has_no_hidden_copies(rows):
    """B=256, H=1,024: what a step keeps, in arrays (B, H). h_t, and its row of the sequence;
    backward in addition what arrives at h_t, and δ_t."""
    B, T, H = 256, 12, 1024
    ours = OursByOps(Problem(B, T, H, 4, "rnn", "float32"))
    unit = B * H * 4 * T
    ours.step()
    for leaf in ours.params.values():
        leaf.zero_grad()
    gc.collect()
    tracemalloc.start()
    try:
        from tinygrad_rnn import nn
        loss = nn.cross_entropy(ours.head(ours.layer(ours.xs)), ours.targets)
        kept = tracemalloc.get_traced_memory()[0] / unit
        tracemalloc.reset_peak()
        loss.backward()
        peak = tracemalloc.get_traced_memory()[1] / unit
    finally:
        tracemalloc.stop()
    rows.append(("(B, H) arrays a step, B=256 H=1024", f"{kept:.2f}", "after forward", kept, 2.5))
    rows.append(("the same, peak of backward", f"{peak:.2f}", "", peak, 5.5))
    assert kept <= 2.5
    assert peak <= 5.5
    assert {x.dtype for x in (loss, *ours.params.values())} == {np.dtype("float32")}


def peak_of_a_first_step(kind, B, T, H):
    """The peak of a training step of a new layer, in bytes."""
    ours = Ours(Problem(B, T, H, 4, kind, "float32"))
    gc.collect()
    tracemalloc.start()
    try:
        ours.step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("kind", "arrays"), [
    ("rnn", 3),    # h_t, δ_t, and what arrives at h_t
    ("lstm", 12),  # h_t, c_t, φ(c_t), four gates and the δ of each, and what arrives at h_t
    ("gru", 10)])  # h_t, q_t, three gates, four δ, and what arrives at h_t
def test_a_fused_layer_of_a_large_state_has_no_hidden_copies(kind, arrays, rows):
    """B=256, H=1,024: how many arrays (B, H) a further step costs, at the peak."""
    B, H, few, many = 256, 1024, 6, 14
    low, high = (peak_of_a_first_step(kind, B, T, H) for T in (few, many))
    each = (high - low) / (many - few) / (B * H * 4)
    rows.append((f"(B, H) arrays a step, {kind} fused, B=256 H=1024", f"{each:.2f}", "", each,
                 arrays + 0.1))
    assert each <= arrays + 0.1


@pytest.mark.parametrize(("rival", "bar"), [("torch", 1 / 5), ("jax", 1 / 4)])
def test_process_start_to_the_first_gradient(rival, bar, rows, tmp_path):
    needs(rival)
    times = {"ours": [], rival: []}
    for turn in range(6):
        for name, found in times.items():
            _, seconds = child("first", name, compiled=tmp_path)
            if turn:  # the first run compiles the modules, everybody's
                found.append(seconds)
    ours, theirs = (statistics.median(t) for t in times.values())
    rows.append(("start to the first gradient", f"{ours * 1e3:.0f} ms",
                 f"{rival} {theirs * 1e3:.0f} ms", ours / theirs, bar))
    assert ours / theirs <= bar
