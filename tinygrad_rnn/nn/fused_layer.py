"""How a layer runs fused: its first state and masks handed over, its results shown.

The question this file answers: *what does a layer return when its steps are one node?*

The node holds the states. The outputs are the same node, unless a mask makes them differ; a single
state is a slice, made when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node, constant
from ..core.inplace import plain, values_of
from ..core.place import switch
from ..errors import ShapeError
from .fused import SEQUENCE
from .fused_node import record
from .fused_pass import WEIGHTS, Pass, Settled
from .masking import Masks
from .sequence import Steps
from .steps_joined import Together, Whole, join, shape_of


def whole_input(steps: Steps) -> Any:
    """All steps of a sequence in one node or array: (T, B, I) or (T, I)."""
    parts = steps.parts
    if isinstance(parts, Node):
        return parts
    if isinstance(parts, list):
        if any(isinstance(part, Node) for part in parts):
            return join(list(steps))
        parts = np.stack([plain(part) for part in parts])
    return np.array(plain(parts), steps.dtype)  # a copy: the user's own may change


class FusedRun:
    """What a fused pass leaves: the fields of a `Run`, each made when it is asked for.

    `begin` stands for the output before the first (zeros if None); `starts` says that it is the
    first state.
    """

    past = None  # there is no more than one node to get past

    def __init__(self, run: Pass, nodes: Sequence[Node | None], padding: str = "repeat",
                 begin: Any = None, starts: bool = False) -> None:
        self.run, self.masks, self.padding, self.begin = run, run.masks, padding, begin
        self.settled, self.starts = run.settled, starts
        self.node = record(SEQUENCE, run.value, nodes, run.values, run.settled.span, {"run": run})
        self.names = run.settled.cell.state_names[:1 if run.settled.only_h else None]
        if len(self.names) == 1:
            self.parts = [self.node.named(self.names[0])]
        if run.masks.valid is None and len(self.names) == 1:
            self.outputs = self.states = self.as_steps(self.node)

    def as_steps(self, h: Any) -> Whole:
        """What has all steps, as the steps of h."""
        return Whole(h, self.names[0], self.settled.span)

    @cached_property
    def parts(self) -> list[Any]:
        """The parts of the states at all steps, each (T, B, H)."""
        with switch(step=None, span=self.settled.span):
            return [ops.getitem(self.node, index=k).named(name)
                    for k, name in enumerate(self.names)]

    @cached_property
    def states(self) -> Sequence[Any]:
        """The state after every step."""
        span = self.settled.span
        rows = [Whole(part, name, span) for part, name in zip(self.parts, self.names)]
        return Together(rows, self.settled.cell.joined) if len(rows) > 1 else rows[0]

    @cached_property
    def state(self) -> Any:
        """The state after the step that was taken last."""
        return self.states[self.end]

    @property
    def end(self) -> int:
        """Which step was taken last; steps that are masked for the whole batch are none."""
        taken = self.masks.window() or range(len(self.settled.span))
        return taken[0 if self.settled.reverse else -1]

    @cached_property
    def last(self) -> Any:
        """The output after the step that was taken last, if outputs are repeated."""
        if self.masks.valid is None:
            return self.outputs[self.end]
        return self.as_steps(self.repeated)[self.end]

    @cached_property
    def outputs(self) -> Whole:
        """The output of every step."""
        valid = self.masks.valid
        if valid is None:
            return self.as_steps(self.parts[0])
        if self.padding == "repeat":
            return self.as_steps(self.repeated)
        with switch(step=None, span=self.settled.span):
            shown = ops.where(self.parts[0], 0.0, condition=valid[..., None])
        return self.as_steps(shown.named(self.names[0]))

    @cached_property
    def repeated(self) -> Any:
        """The outputs where a masked step repeats the one before: the state does, too, unless it
        starts anew there."""
        valid, reset, h = self.masks.valid, self.masks.reset, self.parts[0]
        turn = slice(None, None, -1 if self.settled.reverse else 1)
        seen = np.logical_or.accumulate(valid[turn], 0)[turn]
        if reset is None and (self.starts or seen.all()):
            return h
        with switch(step=None, span=self.settled.span):
            if reset is not None:
                h = ops.getitem(h, index=(last_valid(valid[turn], self.settled.reverse)[turn],
                                          *np.indices(valid.shape)[1:]))
            begin = 0.0 if self.begin is None else self.begin
            return ops.where(h, begin, condition=seen[..., None]).named(self.names[0])

    def _replace(self, **changes: Any) -> FusedRun:
        """A run with other outputs."""
        vars(self).update(changes)
        return self


def last_valid(valid: Any, reverse: bool) -> Any:
    """For every entry of (T, B), in the order of the steps taken: the last valid step up to it."""
    T = len(valid)
    k = np.arange(T).reshape(T, *(1,) * (valid.ndim - 1))
    found = np.maximum.accumulate(np.where(valid, k, 0), 0)
    return T - 1 - found if reverse else found


def run_fused(layer: Any, steps: Steps, state: Any, fresh: Any, masks: Masks, reverse: bool,
              mask: Any, begin: Any = None) -> Any:
    """Take a layer that has no obstacle over a sequence of at least one step: a `FusedRun`. `state`
    and `fresh` are nodes, or None for zeros."""
    cell = layer.cell
    operands = {"x": whole_input(steps)}
    if state is not None:
        operands |= named_parts("first ", cell, state)
    if fresh is not None:
        operands |= named_parts("fresh ", cell, fresh)
    operands |= weights_of(cell)
    starts = begin is None and not layer.return_sequences and masks.valid is not None
    if starts:
        batch = (steps.shape() or ())[:-1]
        begin = np.zeros((*batch, cell.hidden_size), layer.dtype) if state is None else \
            cell.split(state)[0]
    given = list(operands.values())
    settled = Settled(cell, list(operands), shape_of(given[0]), reverse, layer.room,
                      backend=layer.backend)
    nodes = [x if isinstance(x, Node) else None for x in given]
    values = [x if node is None else values_of([node])[0] for x, node in zip(given, nodes)]
    wanted = [x is not None and x.op is not constant for x in nodes]
    run = Pass(settled, values, wanted, masks, mask)
    return FusedRun(run, nodes, layer.padding, begin, starts)


def weights_of(cell: Any) -> dict[str, Any]:
    """The weights that a cell has now. A kernel takes them as they come, so that one that was
    replaced has to be looked at: raises `ShapeError` if it does not fit."""
    I, H, rows = cell.input_size, cell.hidden_size, len(cell.gates) * cell.hidden_size
    shapes = {"W_xh": (rows, I), "W_hh": (rows, H), "W": (rows, I + H), "b_h": (rows,)}
    needed = {"W"} if cell.stacked else {"W_xh", "W_hh"}
    needed |= {"p_i", "p_f", "p_o"} if getattr(cell, "peepholes", False) else set()
    found = {}
    for name in WEIGHTS:
        weight, shape = getattr(cell, name, None), shapes.get(name, (H,))
        if weight is None and name not in needed:
            continue
        if weight is None or shape_of(weight) != shape:
            got = "None" if weight is None else f"{shape_of(weight)}"
            raise ShapeError(f"expected {name} of shape {shape}, got {got}", where=cell.place())
        found[name] = weight if isinstance(weight, Node) else np.asarray(weight, cell.dtype)
    return found


def named_parts(kind: str, cell: Any, state: Any) -> dict[str, Any]:
    """The parts of a state as operands."""
    return {kind + name: part for name, part in zip(cell.state_names, cell.split(state))}
