"""A long sequence taken apart in time: what it gains, and what a try costs that fails.

    python -m pytest tests/benchmarks/test_apart.py

The loss takes every step; the same layer with and without it, in turn.
"""

import statistics
import time

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import fused_apart

T, H, V = 2000, 64, 16


def vanilla(cell, by):
    """Nothing: the layer is another one."""


def open_gates(cell, bias):
    cell.b_h.data[H:2 * H] = bias


def chaotic(cell, gain):
    cell.W_hh.data *= gain


@pytest.mark.parametrize(("change", "by", "only_last", "bar"), [
    (None, 0, False, 0.8), (vanilla, 1, False, 0.8), (open_gates, 1, False, 1.0),      # they forget
    (open_gates, 2, False, 1.1), (open_gates, 20, False, 1.1), (chaotic, 3, False, 1.1),
    (chaotic, 5, False, 1.1), (None, 0, True, 1.1)])
def test_a_sequence_taken_apart(change, by, only_last, bar, rows, monkeypatch):
    rng, lanes_of = np.random.default_rng(0), fused_apart.lanes_of
    kind = nn.RNN if change is vanilla else nn.LSTM
    layer = kind(V, H, seed=1, fused=True, return_sequences=True, dtype="float32")
    if change is not None:
        change(layer.cell, by)
    xs = tg.Tensor(np.eye(V, dtype="f4")[rng.integers(V, size=(T, 1))])
    g = rng.normal(size=(T, 1, H)).astype("f4")
    g[:-1] *= not only_last
    times = {True: [], False: []}
    for _ in range(60):
        for apart, found in times.items():
            monkeypatch.setattr(fused_apart, "lanes_of", lanes_of if apart else lambda T: 1)
            layer.zero_grad()
            start = time.perf_counter()
            (layer(xs) * g).sum().backward()
            found.append(time.perf_counter() - start)
    ratio = statistics.median(a / b for a, b in zip(*times.values()))
    name = f"e, {change.__name__} {by}" if change else "lstm e"
    ours, plain = (min(found) * 1e3 for found in times.values())
    rows.append((name + ", last step only" * only_last, f"{ours:.1f} ms",
                 f"step by step {plain:.1f} ms", ratio, bar))
    assert ratio <= bar
