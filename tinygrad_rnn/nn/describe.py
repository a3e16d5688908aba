"""A table of shapes: what goes into a layer, what comes out, and what others call it.

The question this file answers: *output or state?*
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..core.place import contained, no_grad
from .masking import Masks
from .steps_joined import shape_of


class Row(NamedTuple):
    """One thing: what it is, its shape, and how to get it: here, in PyTorch, in Keras."""

    what: str
    shape: str
    here: str
    pytorch: str
    keras: str


@contained
def rows(layer: Any, xs: Any) -> list[Row]:
    """The table of `layer.describe(xs)`: a dry run over xs, and what it left."""
    steps = layer.steps(xs)
    with no_grad():
        run = layer.run(steps, None, Masks(len(steps)), np.random.default_rng(0))
    T = len(steps)
    x: tuple[int, ...] = steps.shape() or ()
    output = run.outputs[0] if run.outputs else run.last
    keras_xs = shown((x[0], T, *x[1:]) if len(x) > 1 else (T, *x))
    found = [
        Row("input", shown((T, *x)), "xs", "input", f"inputs {keras_xs}"),
        Row("output of every step", each(output, (T,)), "return_sequences=True", "output",
            "return_sequences=True"),
        Row("last output", each(run.last if run.last is not None else output, ()), "by default",
            "output[-1, :, :H] and output[0, :, H:]" if two_ends(layer) else "output[-1]",
            "by default"),
    ]
    seen = {"h": 0, "c": 0}
    for name, access, part in leaves(run.state, ""):
        found.append(Row(f"last state {name}", shown(shape_of(part)),
                         f"return_state=True: state{access}", f"{name}_n[{seen[name]}]",
                         f"return_state=True: [{1 + sum(seen.values())}]"))
        seen[name] += 1
    for name, access, part in leaves(run.state, ""):
        found.append(Row(f"state {name} of every step", shown((T, *shape_of(part))),
                         f"return_all_states=True: states{access}", "a loop over the cell",
                         "a loop over the cell"))
    return found


def leaves(state: Any, access: str) -> Iterator[tuple[str, str, Any]]:
    """(h or c, the way to it, the part) for every part of a state."""
    if isinstance(state, (tuple, list)):
        names = getattr(state, "_fields", None)
        for i, part in enumerate(state):
            yield from leaves(part, access + (f".{names[i]}" if names else f"[{i}]"))
    elif state is not None:
        yield ("c" if access.endswith(".c") else "h"), access, state


def two_ends(layer: Any) -> bool:
    """Whether the outputs come from a bidirectional layer."""
    top = layer.layers[-1] if hasattr(layer, "layers") else layer
    return hasattr(top, "backward_layer")


def each(output: Any, before: tuple[int, ...]) -> str:
    """The shape of an output, or of both (merge="none"), with the axis of time before it."""
    parts = output if isinstance(output, tuple) else (output,)
    return " and ".join(shown((*before, *shape_of(part))) for part in parts)


def shown(shape: tuple[Any, ...]) -> str:
    """A shape as text."""
    return str(tuple(map(int, shape)))


def text(layer: Any, xs: Any) -> str:
    """The table as text, with what a call of this layer returns."""
    table = [Row("", "shape", "here", "PyTorch", "Keras, batch first"), *rows(layer, xs)]
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in table]
    lines.insert(1, "─" * max(map(len, lines)))
    returns = ["the output of every step" if layer.return_sequences else "the last output"]
    returns += ["the last state"] * bool(layer.return_state)
    returns += ["the states of every step"] * bool(layer.return_all_states)
    return "\n".join([f"{layer.title()} returns {' and '.join(returns)}", *lines])
