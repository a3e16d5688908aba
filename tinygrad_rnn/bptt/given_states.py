"""What a user gives as the states of a recurrence: a list of them, or what a layer returns.

The question this file answers: *which nodes are meant?*
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node, constant
from ..core.guards import refuse_released
from ..core.walk import nodes
from ..core.words import describe
from ..errors import InputError
from ..nn.fused_open import INSIDE, Opening
from ..nn.layer import Layer
from ..nn.states import mapped, parts_of
from ..nn.steps_joined import stacked_steps

Links = list[list[Node]]  # the parts of each state


def opened(things: Any) -> Any:
    """States, losses, or both, with every fused sequence as operations: all of them in one
    graph."""
    roots = [x for x in parts_of(things) if isinstance(x, Node)]
    listed = nodes(*roots)
    if not any(node.op in INSIDE for node in listed):
        return things
    opening = Opening()
    for node in listed:  # operands first
        opening.visit(node)
    return mapped(lambda x: opening.of(x) if isinstance(x, Node) else x, things)


def as_links(states: Any, call: str) -> Links:
    """The parts of each state, as nodes."""
    parts = parts_of(states)
    for x in parts:
        if isinstance(x, Node) and x.op.name == "released":
            refuse_released(x)
    sequences = [stacked_steps(part) for part in parts]
    if parts and None not in sequences:
        return [list(link) for link in zip(*sequences)]
    if isinstance(states, Node) or not isinstance(states, Sequence) or isinstance(states, str):
        raise InputError("expected a list of states or a layer's sequence, got "
                         + (describe(states) if isinstance(states, Node) else
                            type(states).__name__), where=call, fix=instead_of(states, call))
    if any(sequences):
        raise InputError("expected a layer's sequence, got one and something else beside it",
                         where=call, fix="What a layer gives with return_state=True is a pair: "
                                         f"outputs, state = layer(xs); tg.{call}(outputs)")
    links = [[as_step(part) for part in parts_of(state)] for state in states]
    for link in links:
        for x in link:
            if not isinstance(x, Node):
                raise InputError(f"expected states that are Values or Tensors, got {x!r}",
                                 where=call)
    return links


def instead_of(given: Any, call: str) -> str:
    """What to pass in the place of something that has states, and is none."""
    if isinstance(given, Layer):
        return f"Of what it returns: tg.{call}(layer(xs)), with return_sequences=True"
    root = getattr(given, "root", given)
    if isinstance(root, Node) and root.op is constant:
        return "It records nothing: it was detached, or made in a no_grad() block"
    if isinstance(root, Node) and np.size(root.value) == 1:
        return ("Take them out of its graph: [n for n in tg.nodes(loss) if n.name == 'h' and "
                "n.op.rules]")
    return "Set return_sequences=True, or keep the states of your loop in a list"


def as_step(x: Any) -> Any:
    """A slice `outputs[t]` of a layer's sequence stands for the step itself."""
    if isinstance(x, Node) and x.op is ops.getitem and x.a is not None:
        steps, index = stacked_steps(x.a), (x.params or {}).get("index")
        index = index[0] if isinstance(index, tuple) and len(index) == 1 else index
        if steps is not None and isinstance(index, (int, np.integer)):
            return steps[index]
    return x
