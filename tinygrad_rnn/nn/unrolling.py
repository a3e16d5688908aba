"""Unrolling: one cell, the same weights, applied again at every step.

The question this file answers: *what does unrolling mean?*

    h_0 = 0
    h_1 = cell(x_1, h_0)
    h_2 = cell(x_2, h_1)      the same W_xh, W_hh, b_h each time
    ...

Each step's nodes are stamped with their step: 1..T, or from t on inside a user's `timestep(t)`. In
reverse it is h_T = cell(x_T, h_{T+1}) down to h_1, and h_{T+1} = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..core.graph import Node
from ..core.place import HERE, contained, here, timestep
from ..core.together import Bypass
from ..errors import InputError
from .cells import Cell, RNNCell
from .elman import elman, zero_state
from .masking import Masks, choose, select, stay, zeros
from .sequence import Steps
from .states import mapped, parts_of
from .steps_joined import first_step, untaken

AnyCell = Callable[[Any, Any], tuple[Any, Any]]


class Run(NamedTuple):
    """What a pass over a sequence leaves. Lists are in the order of time, in reverse as well."""

    outputs: Sequence[Any]  # the output of every step
    last: Any               # the output of the step that was taken last
    state: Any              # the state after it
    states: Sequence[Any]   # the state after every step
    past: Bypass | None = None  # a way back past all outputs (see core/together.py)


@contained
def unroll(cell: AnyCell, xs: Any, state: Any = None) -> tuple[list[Any], Any]:
    """Apply `cell` to each step of `xs`: ([output_1, ..., output_T], the state after the last
    step).

    `xs` is an array or Tensor (T, B, I) or (T, I), or a list of T steps; `cell` is any function
    `cell(x, state) -> (output, state)`. Without a `state` a `Cell` starts from its `initial_state`
    (zeros, h_0); a plain function gets None. Raises `InputError` if there is no step and no state.
    """
    if not callable(cell) or isinstance(cell, type):
        raise InputError(f"expected a cell(x, state) -> (output, state), got {cell!r}",
                         where="unroll", fix="nn.RNNCell(3, 4), or a function")
    steps = Steps(untaken(xs, state), dtype=getattr(cell, "dtype", None))
    run = Unrolling(cell).over(steps, starting_state(cell, steps, state))
    return list(run.outputs), run.state


def starting_state(cell: AnyCell, steps: Steps, state: Any, reverse: bool = False,
                   own: Callable[[tuple[int, ...]], Any] | None = None) -> Any:
    """The state before the first step taken: the one given, as nodes, or `own(batch)`, or the
    cell's."""
    if not isinstance(cell, Cell):
        return state
    shape, first = steps.shape(), first_step()
    if shape is None:
        if state is None:
            raise InputError("no steps and no initial state: the batch size is unknown",
                             where=cell.title(),
                             fix=f"Give an array (0, B, {cell.input_size}), or an initial state")
        return state
    with timestep(first + max(len(steps) - 1, 0) if reverse else first):
        sign = -1 if reverse else 1
        if state is not None:
            return cell.given_state(state, shape[:-1], sign)
        return cell.initial_state(shape[:-1], sign) if own is None else own(shape[:-1])


def at_once(cell: AnyCell, steps: Steps, reverse: bool, state: Any = None) -> Run | None:
    """The pass over a sequence where all of it can be done by one loop, from zeros without a
    state; None where the cell has to be called at every step."""
    if type(cell) is not RNNCell or not len(steps):
        return None
    state = zero_state(cell, steps, reverse) if state is None else state
    found = elman(cell, steps, state, reverse)
    if found is None:
        return None
    outputs, past = found
    last = outputs[0 if reverse else -1]
    return Run(outputs, last, last, outputs, past)


class Unrolling:
    """How a cell is applied along a sequence: the direction, the masks, and what else it is
    given at every step.

    `padding` says what the output of a masked step is: "repeat" the one before, or "zero". `begin`
    stands for the output before the first (zeros if None), `fresh` for the state of a sample that
    starts anew. `extra` are further arguments of the cell.
    """

    def __init__(self, cell: AnyCell, *, reverse: bool = False, masks: Masks | None = None,
                 padding: str = "repeat", begin: Any = None, fresh: Any = None,
                 extra: dict[str, Any] | None = None) -> None:
        self.cell, self.reverse, self.masks, self.padding = cell, reverse, masks, padding
        self.last, self.fresh, self.extra = begin, fresh, extra or {}

    @contained
    def over(self, steps: Steps, state: Any) -> Run:
        """Take all steps of a sequence, from this state."""
        T, first, start = len(steps), first_step(), here()
        window = range(T) if self.masks is None else self.masks.window()
        all_valid = self.masks is None or self.masks.valid is self.masks.reset is None
        quick = at_once(self.cell, steps, self.reverse, state) \
            if all_valid and not self.extra else None
        if quick is not None:
            return quick
        outputs, states = [None] * T, [None] * T
        for t in reversed(range(T)) if self.reverse else range(T):
            HERE.set(start.step_at(first + t))
            if all_valid:
                outputs[t], state = self.apply(steps[t], state)
            elif t in window:
                outputs[t], state = self.step(steps, t, state)
            states[t] = state
        if all_valid and T:
            self.last = outputs[0 if self.reverse else -1]
        for t in reversed(range(T)) if self.reverse else range(T):
            if t not in window:  # trimmed: only its place in the sequence is filled
                HERE.set(start.step_at(first + t))
                ended = t < window.start if self.reverse else t >= window.stop
                outputs[t] = self.filled(steps, ended)
        return Run(outputs, self.last, state, states)

    def step(self, steps: Steps, t: int, state: Any) -> tuple[Any, Any]:
        """The output shown at step t, and the state after it."""
        valid = anew = None
        if self.masks is not None:
            valid, anew = self.masks.missing(t), self.masks.anew(t)
        if anew is not None:
            state = mapped(lambda old, new: choose(~anew, old, new), state, self.fresh)
        if valid is None:
            self.last, state = self.apply(steps[t], state)
            return self.last, state
        if not valid.any():
            kept = mapped(stay, state)
            shown = counterpart(self.last, state, kept)
            if shown is None or self.padding == "zero":
                return self.filled(steps, self.last is not None), kept
            self.last = shown
            return shown, kept
        output, after = self.apply(steps.chosen(t, lambda x: select(x, valid)), state)
        kept = mapped(lambda new, old: choose(valid, new, old), after, state)
        before, shown = self.last, counterpart(output, after, kept)
        if shown is None or shown is not counterpart(self.last, state, kept):
            shown = choose(valid, output, before)
        self.last = shown
        if self.padding == "zero" and before is not None:
            return choose(valid, output, None), kept
        return shown, kept

    def apply(self, x: Any, state: Any) -> tuple[Any, Any]:
        """The cell, once."""
        result = self.cell(x, state, **self.extra)
        if not isinstance(result, tuple) or len(result) != 2:
            raise InputError("expected the cell to return (output, state), got "
                             f"{type(result).__name__}", where=f"step {here().step}, unroll")
        if result[0] is None:
            raise InputError("expected the cell to return (output, state), got None for the output",
                             where=f"step {here().step}, unroll", fix="A function has no state of "
                             "its own to start from: layer(xs, initial_state)" * (state is None))
        return result

    def filled(self, steps: Steps, repeat: bool) -> Any:
        """The output of a step at which nothing happens: the last one again, or zeros."""
        if repeat and self.padding == "repeat" and self.last is not None:
            return stay(self.last)
        shape = (steps.shape() or ())[:-1]
        if isinstance(self.cell, Cell):
            return zeros((*shape, self.cell.output_size), self.cell.dtype)
        if isinstance(self.last, Node):
            return zeros(self.last.value.shape, self.last.value.dtype)
        raise InputError("every step is masked, and the size of the cell's output is unknown",
                         where="unroll", fix="Use an nn.Cell, which has an output_size")


def counterpart(x: Any, state: Any, kept: Any) -> Any:
    """The part of the state `kept` that stands where `x` is a part of `state`; None if it is none:
    an output that is carried on need not be chosen, or repeated, once more."""
    return next((new for old, new in zip(parts_of(state), parts_of(kept)) if old is x), None)
