"""Three ways to one gradient: back through time, forward in real time, and by differences.

The question this file answers: *how else can a gradient through time be had?*

For a vanilla cell with H units, T steps and W weights (W about H²):

    BPTT          O(T H²) multiplications    O(T H) numbers kept    Rumelhart et al. 1986
    real time     O(T H⁴)                    O(H³), at any T        Williams and Zipser 1989
    differences   O(T H²) for each weight    O(H)                   two runs for each weight
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..core.backprop import contributions
from ..core.graph import Node
from ..core.inplace import LENT, settle
from ..core.place import here, no_grad
from ..core.totals import Totals
from ..core.walk import nodes
from ..errors import InputError
from ..nn.states import parts_of
from .costs import WAYS, Gradients, ThreeWays, Way
from .realtime import RealTime
from .task import Task
from .work import Counter, numbers


def three_ways(cell: Any, xs: Any, loss_at: Callable[[Any, int], Any], params: Any = None, *,
               initial_state: Any = None, mask: Any = None, lengths: Any = None,
               last: bool = False, steps: Iterable[int] | None = None,
               measure: bool = True) -> ThreeWays:
    """The gradient of L = Σ_t loss_at(output_t, t) by three ways, and what each of them takes.

    `cell` is a cell, a layer, a stack of layers that all go the same way, or a function `cell(x,
    state) -> (output, state)` (which needs an `initial_state` and `params`); `xs` is a sequence,
    `initial_state`, `mask` and `lengths` are those of a layer's call (nothing is dropped out).
    `loss_at` is called with the output of a step and its position, counted from 0, and returns a
    single number, or None for no loss there; with `last=True` it is called for the step that is
    taken last only. `params` are those of the cell if not given. `.grad` is left alone.

    `steps=(10, 20)` asks for the first 10 and 20 steps that are taken alone as well, to see what
    grows with T. With `measure=False` nothing is timed: the same program then prints the same.
    Raises `InputError` for a layer that needs the end of the sequence first (a bidirectional one),
    for steps that cannot be, for what is no loss, and where there is none.
    """
    if not here().recording:
        raise InputError("nothing is recorded in a no_grad() block", where="three_ways",
                         fix="Leave the block")
    task = Task(cell, xs, loss_at, params, initial_state, last, mask, lengths)
    rows: list[Way] = []
    for n in asked(steps, task.T):
        for name, way in zip(WAYS, (bptt, real_time, differences)):
            start = time.perf_counter()
            gradients, multiplications, kept = way(task, n)
            seconds = time.perf_counter() - start
            peak = peak_bytes(way, task, n) if measure else None
            rows.append(Way(n, name, gradients, multiplications, kept,
                            seconds if measure else None, peak))
    return ThreeWays(rows)


def asked(steps: Any, T: int) -> list[int]:
    """How many steps are asked for: all of them, and what else was named."""
    if T == 0:
        raise InputError("expected at least one step, got none", where="three_ways")
    found = [] if steps is None else list(steps) if isinstance(steps, Iterable) else [steps]
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and 0 < n <= T
               for n in found):
        raise InputError(f"expected steps from 1 to {T}, got {steps!r}", where="three_ways",
                         fix=f"steps=({max(1, T // 4)}, {max(1, T // 2)})")
    return sorted({*map(int, found), T})


# --- the three ways -----------------------------------------------------------------------------


def bptt(task: Task, T: int, only_once: bool = False) -> tuple[Gradients, int, int]:
    """Forward over all steps, then back: one graph for the whole sequence."""
    losses, counter = task.losses(T), Counter()
    arriving = Totals([(loss, 1.0 if loss.is_scalar else np.ones_like(loss.value))
                       for loss in losses], late=True)
    for _ in contributions(arriving, tell=False):
        pass
    if not any(p in arriving for p in task.params.values()):
        raise InputError("the losses depend on none of the parameters: "
                         f"{', '.join(task.params)}", where="three_ways",
                         fix="Was something detached?")
    found = {name: arriving.get(p, 0.0 * np.asarray(p.value)) for name, p in task.params.items()}
    if only_once:
        return found, 0, 0
    graph = nodes(*losses)
    counter.forward(graph)
    counter.backward(graph)
    return found, counter.total, numbers(graph)


def real_time(task: Task, T: int, only_once: bool = False) -> tuple[Gradients, int, int]:
    """Forward only: the derivative of the state by every weight goes along."""
    counter = Counter()
    running = RealTime(task.params, task.begin(), counter)
    for t in task.order(T):
        running.step(lambda state, t=t: task.step(t, state), task.first + t,
                     lambda output, t=t: task.loss(output, t, T))
    return running.gradients, counter.total, running.kept


def differences(task: Task, T: int, only_once: bool = False) -> tuple[Gradients, int, int]:
    """(L(w + h) - L(w - h)) / 2h for every weight, with h = |w| or 1 times the cube root of the
    machine's precision. Nothing is recorded."""
    counter = Counter()
    if not only_once:
        counter.forward(nodes(*task.losses(T)))
    found: Gradients = {}
    runs = 0
    for name, p in task.params.items():
        if p.params is LENT:
            settle(p)
        kept, slopes = p.value, np.zeros(np.shape(p.value))
        entries = np.array(kept)
        try:
            for i in range(1 if only_once else entries.size):
                h = float(np.finfo(entries.dtype).eps) ** (1 / 3) \
                    * max(1.0, abs(float(entries.flat[i])))
                sides = []
                for sign in (h, -h):
                    moved = entries.copy()
                    moved.flat[i] += sign
                    p.value = float(moved) if p.is_scalar else moved
                    with no_grad():
                        sides.append(sum(float(loss.value) for loss in task.losses(T)))
                    runs += 1
                slopes.flat[i] = (sides[0] - sides[1]) / (2.0 * h)
        finally:
            p.value = kept
        found[name] = slopes
    state = sum(int(np.size(x.value)) for x in parts_of(task.begin()) if isinstance(x, Node))
    return found, runs * counter.total, state


def peak_bytes(way: Callable[..., Any], task: Task, T: int) -> int:
    """The most memory that a run of one of the ways held at once, beyond what was there before.

    Python itself keeps up to 2,000 freed tuples of a size for later. That is not the run's memory,
    so this store is filled first.
    """
    for size in range(1, 4):
        freed = [(t,) * size for t in range(2000)]
        del freed
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        way(task, T, only_once=True)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not tracing:
            tracemalloc.stop()
