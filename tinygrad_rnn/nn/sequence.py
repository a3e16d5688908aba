"""Sequences: one step at a time, from whatever a user has, and the steps of a result joined again.

The question this file answers: *what is a sequence here?*

A sequence is an array or Tensor (T, B, I) or (T, I), or a list of T steps. What a layer returns for
one is a Tensor (T, B, H), the op `stack` over the T nodes h_t, that knows its steps: a `Sequence`
(see `core.timeline`). Whoever gets it (`Linear`, `cross_entropy`, another layer) steps back through
the stacking to these nodes, so that the graph has an arrow from each h_t and the backward pass
never slices a long array T times. What was made of it since (`y * 2.0`, `y.detach()`, `y[1:]`) is
still a sequence, and is taken apart at the steps it has.

A fused layer returns all steps in one node, without T nodes behind it (`span_of`); whoever gets
that goes on with the whole, or takes the steps out of it one by one (`Whole`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node, constant, given
from ..core.inplace import LENT, plain
from ..core.place import contained, here, switch
from ..core.together import way_past
from ..core.values import Tensor
from ..errors import InputError, ShapeError
from .steps_joined import Whole, join, shape_of, span_of, taken_steps, timed_steps


def given_step(x: Any, name: str, dtype: Any) -> Any:
    """One step as a node: nodes as they are, numbers as a constant of that name at the current
    step."""
    if isinstance(x, Node):
        return x
    return Tensor(plain(x), name=name, dtype=dtype)


class Steps:
    """The steps of a sequence `xs`; `steps[t]` makes (or finds) the node of step t where it is
    asked for.

    `shape` is that of the first step: (B, I) or (I,). Plain numbers become constants `name` of
    `dtype`.
    """

    def __init__(self, xs: Any, *, name: str = "x", dtype: Any = None) -> None:
        self.name, self.dtype = name, dtype
        self.parts: Any = xs
        self.past: Any = None
        if type(xs) is not Tensor and type(xs) is not np.ndarray:  # not just all steps in one
            no_pair(xs)
            xs = xs.node if isinstance(xs, Whole) and span_of(xs.node) else xs
            self.parts = xs.parts if isinstance(xs, Steps) else taken_steps(xs)
            self.past = None if self.parts is None else way_past(xs)
            if self.parts is None:
                self.parts = xs if isinstance(xs, (Node, np.ndarray)) else list(as_list(xs, name))
        if not isinstance(self.parts, list) and not self.parts_shape():
            raise ShapeError("expected a sequence (T, ...), got a single number")

    def parts_shape(self) -> tuple[int, ...]:
        """The shape of the array that holds all steps."""
        return shape_of(self.parts)

    def __len__(self) -> int:
        return len(self.parts) if isinstance(self.parts, list) else self.parts_shape()[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[t] for t in range(len(self)))

    def shape(self, t: int = 0) -> tuple[int, ...] | None:
        """The shape of step t; None if there is no step to tell it."""
        if not isinstance(self.parts, list):
            return self.parts_shape()[1:]
        return shape_of(self.parts[t]) if self.parts else None

    def __getitem__(self, t: int) -> Any:
        whole, place = self.parts, here()
        if type(whole) is Tensor and whole.op is constant and whole.params is not LENT \
                and place.fast:  # what is said below, without its detours
            step = given(Tensor, whole.value[t], place, constant)
            step.name = self.name
            return step
        return self.chosen(t, lambda part: part)

    def chosen(self, t: int, choose: Callable[[Any], Any]) -> Any:
        """The node of step t, of what `choose` makes of the step."""
        part = choose(self.parts[t])
        if isinstance(part, Node) and not isinstance(self.parts, list):
            return part.named(self.name)  # the slice of a tensor: a new node, ours to name
        return given_step(part, self.name, self.dtype)

    def flattened(self) -> Steps:
        """Each step (B, ...) as (B, I): a frame, say, as the row of its pixels."""
        if isinstance(self.parts, list):
            parts: Any = [flat(part, 1) for part in self.parts]
        else:
            parts = flat(self.parts, 2)
        return Steps(parts, name=self.name, dtype=self.dtype)


def flat(x: Any, axes: int) -> Any:
    """x with all axes after the first `axes` in one."""
    shape = shape_of(x)
    if len(shape) <= axes + 1:
        return x
    shape = (*shape[:axes], math.prod(shape[axes:]))
    return ops.reshape(x, shape=shape) if isinstance(x, Node) else np.reshape(x, shape)


@contained
def per_step(function: Callable[[Any], Any], x: Any, empty: Callable[[], Any]) -> Any:
    """`function` of each step of a layer's sequence or a list, at that step: the results joined.
    Of anything else, `function` of the whole."""
    no_pair(x)
    steps: Any = timed_steps(x) if isinstance(x, Node) and len(shape_of(x)) > 1 else None
    if not steps:  # none, or no sequence
        if not isinstance(x, (list, tuple)) or len(x) > 0 and shape_of(x[0]) == ():
            return function(x)  # a list of numbers is a single input as well
        steps = [(step.step, step) for step in Steps(x)]
    results = []
    for t, step in steps:
        with switch(step=t):  # y_t belongs to the step of h_t
            results.append(function(step))
    return join(results, empty())


def no_pair(x: Any, giver: str = "a layer") -> None:
    """Refuse what a layer with `return_state=True` gives: its two parts are not two steps."""
    if isinstance(x, tuple) and any(isinstance(part, (Node, tuple, list)) for part in x):
        raise InputError(f"expected an input or a sequence, got a tuple of {len(x)}: {giver} "
                         "returns (output, state), or a pair",
                         fix="Set return_state=False, or pass its first part; a sequence of steps "
                             "is a list")


def as_list(xs: Any, name: str) -> Any:
    """A list of steps, or an error that says what a sequence is."""
    if isinstance(xs, (str, bytes, dict, set)) or not hasattr(xs, "__iter__"):
        raise InputError(f"expected a sequence: an array (T, B, I) or (T, I), or a list of steps, "
                         f"got {name} of type {type(xs).__name__}")
    return xs
