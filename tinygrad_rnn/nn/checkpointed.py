"""Layers in chunks: T steps with the memory of √T.

The question this file answers: *how does a layer learn from a sequence whose graph does not fit in
memory?*

With `checkpoint_every=k` a layer takes k steps at a time, each chunk a `checkpoint`: of its graph
only the state at its end is kept (and the outputs, if all are asked for). Backward computes a
chunk's graph again, sends the gradient through it, and drops it. With k = √T ("sqrt") there are
never more than √T steps and √T states in memory; the price is a second forward pass (Chen et al.
2016; for recurrences Gruslys et al. 2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..core import ops
from ..core.checkpoint import checkpoint
from ..core.graph import Node
from ..core.place import timestep
from ..errors import InputError
from .masking import Masks
from .sequence import Steps
from .states import mapped, parts_of
from .steps_joined import Together, Whole, first_step, join
from .unrolling import Run

Along = Callable[[Steps, Any, Masks, Any], Run]  # (steps, state, masks, the output before) -> a run


def interval(given: Any, where: str) -> Any:
    """The option `checkpoint_every`: a whole number of steps, "sqrt", or None."""
    if given is None or isinstance(given, str) and given == "sqrt":
        return given
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool) and given > 0:
        return int(given)
    raise InputError("expected checkpoint_every to be a whole number of at least 1, 'sqrt' or "
                     f"None, got {given!r}", where=where)


def in_chunks(along: Along, every: Any, steps: Steps, state: Any, masks: Masks, reverse: bool,
              outputs: bool, states: bool) -> Run:
    """The run of `along` over all steps, taken in chunks; `outputs` and `states` say whether those
    of single steps are wanted."""
    T, first, last = len(steps), first_step(), None
    size = every if every != "sqrt" else math.isqrt(T - 1) + 1
    ranges = [range(a, min(a + size, T)) for a in range(0, T, size)]
    found = dict[range, tuple[Any, Any]]()
    for taken in reversed(ranges) if reverse else ranges:
        chunk = Chunk(along, steps, masks.part(taken), taken, outputs, states)
        whole = isinstance(steps.parts, Node)
        part = steps.parts if whole else steps.parts[taken.start:taken.stop]
        with timestep(first + taken.start):
            returned = checkpoint(chunk)(part, state, last)
        state, last, *found[taken] = chunk.in_places(returned)
        if outputs or states:
            nameless(state, last)
    span = range(first, first + T)
    rows = [None if kind[0] is None else mapped(partial(end_to_end, span), *kind)
            for kind in zip(*(found[taken] for taken in ranges))]
    return Run(rows[0] or [], last, state, together(rows[1]) if states else NotKept(T))


def end_to_end(span: range, *parts: Any) -> Whole:
    """The chunks of a sequence as one."""
    name = parts[0].name
    nameless(*parts)  # they are no h_t
    return Whole(ops.concatenate(*parts, axis=0), name, span)


def nameless(*given: Any) -> None:
    """What carries only a part of the gradient of h_t is not to be taken for it."""
    for x in parts_of(given):
        if isinstance(x, Node) and x.op.rules:
            x.name = None


def together(rows: Any) -> Any:
    """The states of several parts, as one sequence of states."""
    if isinstance(rows, Whole):
        return rows
    return Together(list(rows), lambda parts: mapped(lambda _, part: part, rows, parts))


class Chunk:
    """A few steps of a layer: the function that is checkpointed.

    What it returns is listed once, whatever it is called: of a vanilla layer the last output is the
    state. `in_places` undoes that.
    """

    def __init__(self, along: Along, steps: Steps, masks: Masks, taken: range, outputs: bool,
                 states: bool) -> None:
        self.along, self.name, self.dtype = along, steps.name, steps.dtype
        self.masks, self.taken, self.outputs, self.states = masks, taken, outputs, states
        self.listed: Any = None  # of the first run: what it returned, in its places, and as a list
        self.__name__ = f"steps {taken.start + 1} to {taken.stop}"

    def __call__(self, given: Any, state: Any, last: Any) -> list[Any]:
        if isinstance(given, Node):
            given = ops.getitem(given, index=slice(self.taken.start, self.taken.stop))
        run = self.along(Steps(given, name=self.name, dtype=self.dtype), state, self.masks, last)
        states = run.states
        places = (run.state, run.last, joined(run.outputs) if self.outputs else None,
                  None if not self.states else joined_parts(states)
                  if not isinstance(states, Together) else states.joined(joined_parts))
        nodes = [x for x in parts_of(places) if isinstance(x, Node)]
        if self.listed is None:
            self.listed = places, list(dict.fromkeys(nodes))
        return list(dict.fromkeys(nodes))

    def in_places(self, returned: list[Any]) -> Any:
        """The state, the last output, the outputs and the states, as the checkpoint gave them."""
        places, nodes = self.listed
        outside = dict(zip(nodes, returned))
        self.listed = False  # of a second run nothing is to be kept
        return mapped(lambda x: outside.get(x, x) if isinstance(x, Node) else x, places)


def joined(steps: Sequence[Any]) -> Any:
    """The steps of a sequence in one node, with the name of a single one."""
    node = join(steps)
    name = steps.name if isinstance(steps, Whole) else getattr(steps[0], "name", None)
    return node if name is None else node.named(name)


def joined_parts(states: Sequence[Any]) -> Any:
    """The states of some steps, part by part."""
    if isinstance(states, Whole):
        return joined(states)
    return mapped(lambda *parts: joined(parts), *states)


class NotKept(Sequence[Any]):
    """The states of a run that was not asked for them."""

    def __init__(self, T: int) -> None:
        self.T = T

    def __len__(self) -> int:
        return self.T

    def __getitem__(self, t: Any) -> Any:
        raise InputError("a layer with checkpoint_every keeps the states of single steps only if "
                         "it is asked for them", fix="Set return_all_states=True on that layer")
