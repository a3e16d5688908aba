"""Memory, long sequences, large states and start-up, op by op: the bars.

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
from comparison import CELLS, OPS, installed
from costs import bytes_a_step, child
from frameworks import OursByOps
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


def test_a_long_sequence_costs_no_more_a_step(rows):
    """Forward and backward, collector on, T=100,000 beside T=1,000."""
    assert gc.isenabled()
    long, short = (OursByOps(Problem(1, T, 64, 16, "rnn", "float32")) for T in (100_000, 1000))
    short.step()
    times = {id(long): [], id(short): []}
    for _ in range(2):
        for one, turns in ((short, 20), (long, 1), (short, 20)):
            for _ in range(turns):
                start = time.perf_counter()
                one.step()
                times[id(one)].append((time.perf_counter() - start) / one.p.T)
    a, b = min(times[id(long)]), statistics.median(times[id(short)])
    rows.append(("time a step at T=100,000, H=64", f"{a * 1e6:.1f} us", f"T=1,000 {b * 1e6:.1f} us",
                 a / b, 1.3))
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


@pytest.mark.parametrize(("rival", "bar"), [("torch", 1 / 5), ("jax", 1 / 4)])
def test_process_start_to_the_first_gradient(rival, bar, rows):
    needs(rival)
    times = {"ours": [], rival: []}
    for turn in range(6):
        for name, found in times.items():
            _, seconds = child("first", name)
            if turn:  # the first run compiles the modules
                found.append(seconds)
    ours, theirs = (statistics.median(t) for t in times.values())
    rows.append(("start to the first gradient", f"{ours * 1e3:.0f} ms",
                 f"{rival} {theirs * 1e3:.0f} ms", ours / theirs, bar))
    assert ours / theirs <= bar
