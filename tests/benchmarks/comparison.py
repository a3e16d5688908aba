"""The comparison: which rivals there are, all of them in turn, their ratios and whether they agree.

A run takes one size in one precision: every rival does a step, again and again, in turn, so that
what else the machine does meets all alike. Before each step the weights change a little. Read the
ratios, not the milliseconds.
"""

from __future__ import annotations

import gc
import statistics
import time

import numpy as np
from frameworks import Hips, Jax, Ours, OursByOps, OursCompiled, Torch, TorchCell, installed
from handwritten import GRUByHand, LSTMByHand, Problem, RNNByHand, RNNMinimal

SIZES = {  # B, T, H, V
    "a": (1, 25, 100, 65),     # min-char-rnn's
    "b": (32, 50, 128, 65),
    "c": (64, 100, 512, 128),
    "d": (1, 4, 3, 4),         # teaching
    "e": (1, 2000, 64, 16),    # long
}
BY_HAND = {"rnn": RNNByHand, "lstm": LSTMByHand, "gru": GRUByHand}
FUSED, OPS, COMPILED = "ours, fused", "ours, op by op", "ours, compiled"
HAND, MINIMAL = "NumPy by hand", "NumPy, minimal"
TORCH, CELLS, JAX, HIPS = "torch layer", "torch cells", "jax scan", "HIPS autograd"


def rivals(kind):
    """Name -> class, of everything that is installed."""
    found = {FUSED: Ours, OPS: OursByOps}
    if installed("numba"):
        found[COMPILED] = OursCompiled
    found[HAND] = BY_HAND[kind]
    if kind == "rnn":
        found[MINIMAL] = RNNMinimal
    if installed("torch"):
        found |= {TORCH: Torch, CELLS: TorchCell}
    if installed("jax"):
        found[JAX] = Jax
    if installed("autograd") and kind == "rnn":
        found[HIPS] = Hips
    return found


def compare(size, kind="rnn", dtype="float32", seconds=10.0, only=None, most=2000, check=True):
    """Name -> seconds of each step, the rivals taking turns until `seconds` are over. The compiled
    loop, which is not made for large batches, is left out at size c.

    Who is slow takes fewer turns, three at least; a fast one does not wait for it. Raises
    `AssertionError` if a loss or a gradient differs from that by hand, unless that was checked.
    """
    problem = Problem(*SIZES[size], kind, dtype)
    runners = {name: make(problem) for name, make in rivals(kind).items()
               if (name in only or name == HAND if only else (size, name) != ("c", COMPILED))}
    if check:
        agree(runners, dtype)
    else:
        for runner in runners.values():
            runner.step()
    times = {name: [] for name in runners}
    share = seconds / len(runners)
    rng = np.random.default_rng(0)
    gc.collect()
    for turn in range(most):
        waiting = [name for name, t in times.items() if len(t) < 3 or sum(t) < share]
        if not waiting:
            break
        factor = 1 + 1e-5 * rng.uniform(-1, 1)
        for name in waiting if turn % 2 else reversed(waiting):
            runner = runners[name]
            runner.nudge(factor)
            start = time.perf_counter()
            runner.step()
            times[name].append(time.perf_counter() - start)
    return times


def agree(runners, dtype):
    """All losses and gradients are those by hand."""
    tolerance = 1e-9 if dtype == "float64" else 2e-3
    loss, grads = runners[HAND].step()
    grads = {k: g.copy() for k, g in grads.items()}
    for name, runner in runners.items():
        for _ in range(1 if name == HIPS else 3):  # compiled, buffers warm
            other, found = runner.step()
        assert abs(other - loss) <= tolerance * abs(loss), f"{name}: loss {other}, by hand {loss}"
        assert found.keys() == grads.keys(), f"{name}: {sorted(found)}"
        for key, g in grads.items():
            far = np.abs(found[key] - g).max() / np.abs(g).max()
            assert far <= tolerance, f"{name}: {key} differs by {far:.1e} of its largest entry"


def ratio(times, name, to, of=statistics.median):
    """How many times as long as another one takes."""
    return of(times[name]) / of(times[to])
