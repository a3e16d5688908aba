"""Three ways to one gradient: back through time, forward in real time, and by differences.

The question this file answers: *what does each way cost, and do they agree?*

For a vanilla cell with H units, T steps and W weights (W about H²):

    BPTT          O(T H²) multiplications    O(T H) numbers kept    Rumelhart et al. 1986
    real time     O(T H⁴)                    O(H³), at any T        Williams and Zipser 1989
    differences   O(T H²) for each weight    O(H)                   two runs for each weight
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.backprop import contributions
from ..core.graph import Node
from ..core.inplace import LENT, settle
from ..core.place import no_grad, timestep
from ..core.totals import Totals
from ..core.walk import nodes
from ..errors import InputError
from ..nn.recurrent import Recurrent
from ..nn.sequence import Steps, first_step
from ..nn.stacked import Stacked
from ..nn.states import parts_of
from ..nn.unrolling import starting_state
from .realtime import RealTime
from .table import Table
from .targets import targets
from .work import Counter, numbers

Gradients = dict[str, Any]
WAYS = ("BPTT", "real time", "differences")


def three_ways(cell: Any, xs: Any, loss_at: Callable[[Any, int], Any], params: Any = None, *,
               initial_state: Any = None, last: bool = False, lengths: Iterable[int] | None = None,
               measure: bool = True) -> ThreeWays:
    """The gradient of L = Σ_t loss_at(output_t, t) by three ways, and what each of them takes.

    `cell` is a cell, a layer, a stack of layers that go forward, or a function `cell(x, state) ->
    (output, state)` (which needs an `initial_state` and `params`); `xs` is a sequence. `loss_at` is
    called with the output of a step and its position, counted from 0, and returns a single number,
    or None for no loss there; with `last=True` it is called for the last step only. `params` are
    those of the cell if not given. `.grad` is left alone.

    `lengths` asks for the first n steps alone as well, for each n, to see what grows with T. With
    `measure=False` nothing is timed: the same program then prints the same. Raises `InputError` for
    layers that run in reverse, for lengths that cannot be, and where there is no loss.
    """
    task = Task(cell, xs, loss_at, params, initial_state, last)
    T = len(task.steps)
    if T == 0:
        raise InputError("expected at least one step, got none", where="three_ways")
    lengths = [T] if lengths is None else sorted({*lengths, T})
    if not all(isinstance(n, (int, np.integer)) and 0 < n <= T for n in lengths):
        raise InputError(f"expected lengths from 1 to {T}, got {lengths}", where="three_ways")
    rows: list[Way] = []
    for n in lengths:
        for name, way in zip(WAYS, (bptt, real_time, differences)):
            start = time.perf_counter()
            gradients, multiplications, kept = way(task, n)
            seconds = time.perf_counter() - start
            peak = peak_bytes(way, task, n) if measure else None
            rows.append(Way(n, name, gradients, multiplications, kept,
                            seconds if measure else None, peak))
    return ThreeWays(rows)


class Task:
    """What is differentiated: a cell over a sequence, with a loss."""

    def __init__(self, cell: Any, xs: Any, loss_at: Callable[[Any, int], Any], params: Any,
                 initial_state: Any, last: bool) -> None:
        self.layer, self.loss_at, self.last = cell, loss_at, last
        self.initial_state = initial_state
        if params is None and not hasattr(cell, "named_parameters"):
            raise InputError("expected the parameters of a function: params=[W, ...]",
                             where="three_ways")
        self.params = targets(cell if params is None else params, "three_ways")
        self.layers = unpacked(cell)
        self.steps = self.layers[0].steps(xs) if self.layers else \
            Steps(xs, dtype=getattr(cell, "dtype", None))
        self.first = first_step()

    def cell(self, x: Any, state: Any) -> tuple[Any, Any]:
        """One step of all layers."""
        if not self.layers:
            result: tuple[Any, Any] = self.layer(x, state)
            return result
        if not isinstance(self.layer, Stacked):
            result = self.layers[0].cell(x, state)
            return result
        after = []
        for layer, part in zip(self.layers, state):
            x, part = layer.cell(x, part)
            after.append(part)
        return x, after

    def begin(self) -> Any:
        """The first state; made anew, since it may depend on the parameters."""
        if not self.layers:
            return starting_state(self.layer, self.steps, self.initial_state)
        shape = self.steps.shape() or ()
        given = self.initial_state if isinstance(self.layer, Stacked) else [self.initial_state]
        given = [None] * len(self.layers) if given is None else given
        states = []
        for layer, state in zip(self.layers, given):
            with timestep(self.first):
                states.append(layer.own_state(shape[:-1], None, 1) if state is None
                              else layer.cell.given_state(state, shape[:-1]))
        return states if isinstance(self.layer, Stacked) else states[0]

    def loss(self, output: Any, t: int, T: int) -> Any:
        """The loss at position t of T, or None."""
        if self.last and t < T - 1:
            return None
        loss = self.loss_at(output, t)
        if loss is not None and (not isinstance(loss, Node) or np.size(loss.value) != 1):
            raise InputError(f"expected loss_at to return a single number or None, got {loss!r}",
                             where="three_ways")
        return loss

    def losses(self, T: int) -> list[Any]:
        """The losses of the first T steps, all in one graph."""
        state, found = self.begin(), []
        for t in range(T):
            with timestep(self.first + t):
                output, state = self.cell(self.steps[t], state)
                found.append(self.loss(output, t, T))
        found = [loss for loss in found if loss is not None]
        if not found:
            raise InputError(f"there is no loss in {T} steps", where="three_ways",
                             fix="last=True takes that of the last step, whatever their number")
        return found


def unpacked(cell: Any) -> list[Any]:
    """The layers of a stack, or the one layer; none for a cell or a function."""
    layers = list(cell.layers) if isinstance(cell, Stacked) else [cell]
    if not isinstance(cell, Stacked) and not hasattr(cell, "directions"):
        return []
    for layer in layers:
        if not isinstance(layer, Recurrent) or layer.reverse or getattr(cell, "residual", False):
            raise InputError(f"expected layers that go forward, one on the other, got {layer!r}",
                             where="three_ways", fix="Give its cell")
    return layers


# --- the three ways -----------------------------------------------------------------------------


def bptt(task: Task, T: int, only_once: bool = False) -> tuple[Gradients, int, int]:
    """Forward over all steps, then back: one graph for the whole sequence."""
    losses, counter = task.losses(T), Counter()
    arriving = Totals([(loss, 1.0 if loss.is_scalar else np.ones_like(loss.value))
                       for loss in losses], late=True)
    for _ in contributions(arriving, tell=False):
        pass
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
    for t in range(T):
        running.step(task.cell, task.steps[t], task.first + t,
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
    """The most memory that a run of one of the ways held at once, beyond what was there before."""
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


# --- the result ---------------------------------------------------------------------------------


class Way(NamedTuple):
    """One way over one length: gradients by name, multiplications and numbers kept from step to
    step as counted, seconds and peak bytes as measured (None if they were not)."""

    T: int
    name: str
    gradients: Gradients
    multiplications: int
    kept: int
    seconds: float | None
    bytes: int | None


class ThreeWays(Table):
    """What `three_ways` found: `rows`, a `Way` for every length and way; prints as a table."""

    title = "Three ways to one gradient"

    def __init__(self, rows: list[Way]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def way(self, name: str, T: int | None = None) -> Way:
        """The row of "BPTT", "real time" or "differences" for a length, the longest if not
        given."""
        T = self.rows[-1].T if T is None else T
        for row in self.rows:
            if row.name == name and row.T == T:
                return row
        raise InputError(f"expected one of {', '.join(WAYS)} and a T of "
                         f"{sorted({row.T for row in self.rows})}, got {name!r}, {T!r}",
                         where="three_ways")

    def difference(self, row: Way) -> float:
        """The largest difference of an entry from the gradient of BPTT, relative to the largest
        entry."""
        right = self.way("BPTT", row.T).gradients
        size = max(float(np.max(abs(np.asarray(g)), initial=0.0)) for g in right.values())
        off = max(float(np.max(abs(np.asarray(row.gradients[name]) - g), initial=0.0))
                  for name, g in right.items())
        return off / size if size else off

    @property
    def agreement(self) -> dict[str, float]:
        """The largest difference of each way from BPTT, over all lengths."""
        return {name: max(self.difference(row) for row in self.rows if row.name == name)
                for name in WAYS[1:]}

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> list[list[str]]:
        """The table as text, a line for each length and way."""
        timed = self.rows[0].seconds is not None
        head = ["T", "way", "difference", "multiplications", "numbers kept",
                *(["ms", "peak KB"] if timed else [])]
        lines = []
        for row in (self.rows if shown is None else [self.rows[i] for i in shown]):
            off = "" if row.name == "BPTT" else f"{self.difference(row):.0e}"
            measured = [] if row.seconds is None or row.bytes is None else \
                [f"{1e3 * row.seconds:,.1f}", f"{row.bytes / 1e3:,.0f}"]
            lines.append([str(row.T), row.name, off, f"{row.multiplications:,}", f"{row.kept:,}",
                          *measured])
        return [head, *lines]

    def notes(self) -> list[str]:
        """What the counts say."""
        back, forward = self.way("BPTT"), self.way("real time")
        weights = sum(int(np.size(g)) for g in back.gradients.values())
        return [f"{weights:,} weights. Real time takes "
                f"{forward.multiplications / back.multiplications:.3g} times the multiplications "
                f"of BPTT, and keeps {forward.kept:,} numbers at any T"]
