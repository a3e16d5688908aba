"""Truncated backpropagation through time: the state is carried on, the gradient is cut.

The question this file answers: *how does one learn from a sequence that is too long to go back
through?*

    x_1 ... x_k1 | x_{k1+1} ... x_{2 k1} | ...       windows of k1 steps
    h_0 -------> h_k1 - - - - - - - - - > ...        forward: h_k1 goes on as a number
        <-------  ✂      <--------------             backward: at most k2 steps, then it is cut

What is lost is what the cut gradient would have done: every dependency longer than k2 steps. The
cut is not silent. In its place stands a leaf of the same name, step and value, whose gradient is
what would have gone further back (`window.cut`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import backprop, walk
from ..core.graph import Node, constant, given, leaf, tick
from ..core.parts import norm
from ..core.place import contained, here, switch, timestep
from ..errors import GradientError, InputError
from ..nn.feedback import as_layer, onward
from ..nn.init import generator
from ..nn.layer import Layer
from ..nn.masking import Masks, read_masks
from ..nn.sequence import Steps
from ..nn.states import mapped, parts_of
from ..nn.steps_joined import first_step, join, untaken
from ..nn.unrolling import Run
from .flow import GradientFlow, gradient_flow


@contained
def truncated_bptt(layer: Any, xs: Any, k1: int, k2: int | None = None, initial_state: Any = None,
                   *, mask: Any = None, lengths: Any = None, reset_mask: Any = None,
                   rng: Any = None) -> Iterator[Window]:
    """Go through a sequence in windows of `k1` steps, with gradients that go back `k2` steps
    (Williams and Peng 1990). k2 = k1 if it is not given.

        for window in tg.truncated_bptt(layer, xs, k1=25):
            loss = nn.cross_entropy(head(window.outputs), targets[window.steps])
            window.backward(loss)
            optimizer.step()            # or after the last window: gradients accumulate
            optimizer.zero_grad()

    `layer` is a recurrent layer, a stack of them, or a cell; `xs` is a sequence (T, B, I), (T, I)
    or a list of T steps. Each `Window` holds the outputs of its k1 new steps (fewer in the last
    one, if k1 does not divide T), whatever the layer itself returns. `initial_state`, `mask`,
    `lengths`, `reset_mask` and `rng` (drawn from anew in each window) are those of a layer's call,
    for the whole sequence. A gradient does reach an initial state that wants one. (Where a sample
    is masked from the start of a window on, its outputs there are 0: nothing of it is repeated.)

    k2 = k1: a window's gradient ends where the window begins.

    k2 > k1: it goes on for k2 - k1 steps before that. These steps are run again, from the state
    that was stored there, with the weights as they are now: updates between windows are no harm.

    k2 < k1: only the last k2 steps of a window are recorded; the outputs before are constants.

    When the next window is asked for, the graph of this one is released, and a backward through it
    (a second one, or one through a state carried on without `detach()`) is an error that says so.
    Read `window.flow(loss)` to keep it.

    Raises `InputError` for k1, k2 that are no whole numbers of at least 1, and for a layer that
    runs in reverse: it would need the end of the sequence first.
    """
    k2 = k1 if k2 is None else k2
    for name, k in (("k1", k1), ("k2", k2)):
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise InputError(f"expected {name} to be a whole number of at least 1, got {k!r}",
                             where="truncated_bptt")
    layer = all_outputs(onward(as_layer(layer), "truncated_bptt"))
    steps = layer.steps(untaken(xs, initial_state))
    batch = (steps.shape() or ())[:-1]
    masks = read_masks(len(steps), batch, mask, lengths, reset_mask, layer.title())
    rng = None if rng is None else generator(rng, "truncated_bptt", "rng")
    return windows(Runner(layer, steps, masks, rng, first_step()), int(k1), int(k2), initial_state)


def windows(runner: Runner, k1: int, k2: int, initial_state: Any) -> Iterator[Window]:
    """The windows of a sequence, one after the other; each is released before the next."""
    known = {0: initial_state}  # position -> the state before that step
    for begin in range(0, runner.T, k1):
        end = min(begin + k1, runner.T)
        start = max(0, begin + k1 - k2) if k2 >= k1 else max(begin, end - k2)
        made_before = tick()
        outputs: Any = []
        if start > begin:
            run = runner.run(begin, start, known[begin], recording=False)
            outputs, known[start] = run.outputs, run.state
        state, cuts = cut(known[start]) if start else (known[0], [])
        run = runner.run(start, end, state)
        outputs = [*outputs, *run.outputs][begin - end:] if end - begin < end - start or outputs \
            else run.outputs
        known = {0: initial_state, **dict(enumerate(run.states, start + 1))}
        window = Window(range(begin, end), runner.first, join(outputs), run.state, cuts)
        yield window
        if not window.kept:
            window.release(made_before)


def all_outputs(layer: Any) -> Any:
    """The layer, with the same cells and parameters, as one that returns sequences: what a masked
    step shows must not hang on what the layer itself returns."""
    shown = copy.copy(layer)
    shown.return_sequences = True
    if hasattr(layer, "layers"):
        shown.layers = [*layer.layers[:-1], all_outputs(layer.layers[-1])]
    return shown


class Runner:
    """A layer and its sequence: `run` takes it over some of the steps."""

    def __init__(self, layer: Layer, steps: Steps, masks: Masks, rng: Any, first: int) -> None:
        self.layer, self.steps, self.masks, self.rng = layer, steps, masks, rng
        self.first, self.T = first, len(steps)
        self.taking = here().taking  # if they are those of a sequence: see core/taken.py

    @contained
    def run(self, a: int, b: int, state: Any, *, recording: bool = True) -> Run:
        """The steps at positions a .. b - 1, from this state; if not `recording`, as constants."""
        valid, reset = (None if m is None else m[a:b] for m in (self.masks.valid, self.masks.reset))
        part = self.part(a, b)
        with switch(step=self.first + a, recording=recording and here().recording,
                    taking=self.taking):
            return self.layer.run(part, state, Masks(b - a, valid, reset), self.rng)

    def part(self, a: int, b: int) -> Steps:
        """Some of the steps, as a sequence of their own."""
        if not isinstance(self.steps.parts, Node):
            return Steps(self.steps.parts[a:b], name=self.steps.name, dtype=self.steps.dtype)
        found = []
        for t in range(a, b):
            with timestep(self.first + t):  # the slice x_t is made at its step
                found.append(self.steps[t])
        return Steps(found, name=self.steps.name, dtype=self.steps.dtype)


@dataclass(frozen=True)
class Cut:
    """A place where the gradient was cut: the state `label` ("h_4") of step `step`.

    `node` is the leaf that stands for it in the window. After a backward, `gradient` is what would
    have gone further back, dL/dh_4 with L the loss of the window, and `norm` its size; None before.
    """

    node: Any

    @property
    def label(self) -> str:
        """The name of the state with its step."""
        return str(self.node.label)

    @property
    def step(self) -> int | None:
        """The step after which it was cut."""
        step: int | None = self.node.step
        return step

    @property
    def gradient(self) -> Any:
        """What arrived at the cut and went no further."""
        return self.node.grad

    @property
    def norm(self) -> float | None:
        """The norm of what arrived at the cut."""
        return None if self.gradient is None else norm(self.gradient)

    def __str__(self) -> str:
        size = "" if self.norm is None else f", |dL/d{self.label}| = {self.norm:.3g}"
        return f"{self.label}{size}"


@dataclass
class Window:
    """One window of truncated backpropagation.

    `steps`         its positions in the sequence, counted from 0: `targets[window.steps]`
    `outputs`       the outputs of these steps, (k, B, H) or (k, H)
    `state`         the state after them
    `cut`           a `Cut` for every part of the state at which its gradient ends
    `times`         its time steps in the graph, as in h_5 ... h_8: counted from 1
    """

    steps: range
    first: int
    outputs: Any
    state: Any
    cut: list[Cut]
    losses: list[Any] = field(default_factory=list)
    kept: bool = False
    over: bool = False

    @property
    def times(self) -> range:
        """The time steps of the window, as they are stamped on its nodes."""
        return range(self.first + self.steps.start, self.first + self.steps.stop)

    def backward(self, loss: Any, seed: Any = None) -> None:
        """Add the gradients of `loss` to `.grad`, as `loss.backward()` does."""
        self.check()
        backprop.backward(loss, seed)
        self.losses.append(loss)

    def flow(self, loss: Any, seed: Any = None, *, keep: str = "arrays") -> GradientFlow:
        """The same, with every contribution kept, or with `keep="norms"` its norm: see
        `gradient_flow`. The graph of this window then lives as long as the flow."""
        self.check()
        found = gradient_flow(loss, seed, keep=keep)
        self.kept = True
        return found

    def release(self, after: int = 0) -> None:
        """Free the graph of this window: what was made later than `after`."""
        roots = (self.outputs, *parts_of(self.state), *self.losses)
        walk.release(*(x for x in roots if isinstance(x, Node)), after=after)
        self.losses, self.over = [], True

    def check(self) -> None:
        """Refuse to go back through a window that was released."""
        if self.over:
            raise GradientError(f"{self} is over: its graph was released", where="truncated_bptt",
                                fix="Go backward inside of the loop, and keep no list of windows")

    def __repr__(self) -> str:
        cuts = f", the gradient is cut at {'; '.join(map(str, self.cut))}" if self.cut else ""
        return f"Window(steps {self.times[0]} to {self.times[-1]}{cuts})"


def cut(state: Any) -> tuple[Any, list[Cut]]:
    """The state without its history: a leaf in the place of every node, and the record of it."""
    cuts = []

    def carried(part: Any) -> Any:
        if not isinstance(part, Node):
            return part  # a count, a word: no gradient goes there
        real = part.is_scalar or part.value.dtype.kind == "f"
        node = given(type(part), part.value, part.at, leaf if real else constant)
        node.name = part.name
        if real:
            cuts.append(Cut(node))
        return node

    return mapped(carried, state), cuts
