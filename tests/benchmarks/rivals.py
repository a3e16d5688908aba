"""The same work, done by this package and by its peers, in forms that can be timed side by side."""

from __future__ import annotations

import gc
import math
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad as hips_value_and_grad
from micrograd.engine import Value as MicrogradValue

from tinygrad_rnn.core import ops
from tinygrad_rnn.core.values import Tensor, Value

Work = Callable[[], object]


def interleaved(works: dict[str, Work], repeats: int, in_a_row: int = 1) -> dict[str, float]:
    """The median seconds of each work; all of them run in turn, so that noise meets all alike.

    A step of a training loop follows another one: with `in_a_row`, so many of them are timed as
    one, and whoever leaves cycles behind pays for their collection.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            gc.collect()
            start = time.perf_counter()
            for _ in range(in_a_row):
                work()
            times[name].append((time.perf_counter() - start) / in_a_row)
    return {name: statistics.median(found) for name, found in times.items()}


# --- scalars --------------------------------------------------------------------------------------


def scalar_rnn(value: Callable[[float], Any], steps: int = 25, hidden: int = 4) -> Work:
    """A tanh RNN on scalars, forward and backward: 1,171 nodes."""
    rng = np.random.default_rng(0)
    numbers = rng.uniform(-0.5, 0.5, size=(hidden, hidden + 2)).tolist()
    xs, targets = rng.uniform(-1, 1, size=(2, steps)).tolist()

    def work() -> object:
        weights = [[value(w) for w in row] for row in numbers]
        h = [value(0.0) for _ in range(hidden)]
        loss = value(0.0)
        for x, target in zip(xs, targets):
            z = [sum((w * k for w, k in zip(row, h)), row[-2] * x + row[-1]) for row in weights]
            h = [tanh(k) for k in z]
            loss = loss + (h[0] - target) ** 2
        loss.backward()
        return loss, weights

    return work


def tanh(z: Any) -> Any:
    """tanh of a scalar: an op of ours; micrograd has none, so it gets one as it writes its own."""
    if isinstance(z, Value):
        return ops.tanh(z)
    t = math.tanh(z.data)
    out = MicrogradValue(t, (z,), "tanh")

    def backward() -> None:
        z.grad += (1 - t * t) * out.grad

    out._backward = backward
    return out


def mlp(value: Callable[[float], Any], samples: int = 100) -> Work:
    """micrograd's own demonstration, a relu network 2-16-16-1 with a hinge loss, forward and
    backward on a batch of samples: 64,738 nodes."""
    rng = np.random.default_rng(1)
    sizes = [2, 16, 16, 1]
    layers = [rng.uniform(-0.5, 0.5, size=(o, i + 1)).tolist() for i, o in pairwise(sizes)]
    inputs = rng.uniform(-1, 1, size=(samples, 2)).tolist()
    labels = rng.choice([-1.0, 1.0], size=samples).tolist()

    def work() -> object:
        weights = [[[value(w) for w in row] for row in layer] for layer in layers]
        loss = value(0.0)
        for x, label in zip(inputs, labels):
            h = x
            for layer in weights:
                h = [sum((w * k for w, k in zip(row, h)), row[-1]) for row in layer]
                h = h if layer is weights[-1] else [k.relu() for k in h]
            loss = loss + (1.0 - label * h[0]).relu()
        (loss * (1.0 / samples)).backward()
        return loss, weights

    return work


def bytes_a_node(steps: int = 20_000) -> float:
    """Memory held by a chain of scalar operations, each with a float of its own."""
    w = Value(0.999)
    tracemalloc.start()
    h = w
    for _ in range(steps):
        h = h * w
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / steps


# --- tensors --------------------------------------------------------------------------------------


def problem(dtype: str, T: int = 25, H: int = 100, V: int = 65) -> tuple[Any, Any, Any]:
    """Weights, one-hot inputs, targets: the sizes of a character RNN with a batch of one."""
    rng = np.random.default_rng(0)
    shapes = {"W_xh": (H, V), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    weights = {k: (rng.normal(size=s) * 0.1).astype(dtype) for k, s in shapes.items()}
    letters = rng.integers(V, size=T + 1)
    xs = np.eye(V, dtype=dtype)[letters[:-1]][:, None, :]
    targets = np.eye(V, dtype=dtype)[letters[1:]][:, None, :]
    return weights, xs, targets


def ours(dtype: str) -> Work:
    """One training step without the optimiser, an op at a time."""
    weights, xs, targets = problem(dtype)
    leaves = {k: Tensor(w, name=k, requires_grad=True) for k, w in weights.items()}
    W_xh, W_hh, b_h, W_hy, b_y = leaves.values()
    inputs, wanted = [Tensor(x) for x in xs], [Tensor(y) for y in targets]
    start = Tensor(np.zeros((1, W_hh.shape[0]), dtype))

    def work() -> object:
        for leaf in leaves.values():
            leaf.zero_grad()
        h, loss = start, 0.0
        for x, target in zip(inputs, wanted):
            h = ops.tanh(ops.linear(x, W_xh) + ops.linear(h, W_hh) + b_h)
            y = ops.linear(h, W_hy) + b_y
            loss = loss + ops.log(ops.sum_(ops.exp(y))) - ops.sum_(y * target)
        loss.backward()
        return {k: leaf.grad for k, leaf in leaves.items()}

    return work


def hips(dtype: str) -> Work:
    """The same step in HIPS autograd."""
    weights, xs, targets = problem(dtype)
    start = np.zeros((1, weights["W_hh"].shape[0]), dtype)

    def loss_of(w: Any) -> Any:
        h, loss = start, 0.0
        for x, target in zip(xs, targets):
            h = anp.tanh(anp.dot(x, w["W_xh"].T) + anp.dot(h, w["W_hh"].T) + w["b_h"])
            y = anp.dot(h, w["W_hy"].T) + w["b_y"]
            loss = loss + anp.log(anp.sum(anp.exp(y))) - anp.sum(y * target)
        return loss

    step = hips_value_and_grad(loss_of)
    return lambda: step(weights)[1]


# --- start-up -------------------------------------------------------------------------------------


def start_up(statement: str) -> Work:
    """A fresh interpreter that runs one statement and says how long that took."""
    program = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    # compiled once, as after an installation: what is measured is loading, not compiling
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def work() -> float:
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True,
                             env=env)
        return float(run.stdout)

    return work


def import_times(statements: list[str], repeats: int) -> dict[str, float]:
    """The median seconds of each import, in fresh interpreters that take turns."""
    works = {s: start_up(s) for s in statements}
    found: dict[str, list[float]] = {s: [] for s in statements}
    for work in works.values():
        work()  # writes the bytecode
    for _ in range(repeats):
        for s, work in works.items():
            found[s].append(work())
    return {s: statistics.median(times) for s, times in found.items()}
