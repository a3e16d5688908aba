"""Bridges: how the last state of an encoder becomes the first state of a decoder.

The question this file answers: *what if they do not have the same size, the same parts, or the same
depth?*
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from ..core import ops
from ..core.graph import Node
from ..core.place import switch
from ..errors import InputError, ShapeError
from .bidirectional import Bidirectional
from .cells import Cell
from .layer import Layer
from .linear import Linear
from .steps_joined import first_step

P = TypeVar("P")
Sizes = dict[str, int]  # the name of a part of a state, h or c -> its size
Parts = dict[str, list[Any]]  # the same for nodes; a cell with skips has several h, the last first


def bridges(encoder: Layer, decoder: Layer, rng: np.random.Generator,
            wanted: bool) -> dict[str, list[Linear]]:
    """For each part's name, one `Linear` for every layer of the decoder. Without bridges, nothing:
    but then the sizes must be the same."""
    made: dict[str, list[Linear]] = {}
    for cell, source in zip(cells(decoder), sources(decoder, sizes(encoder))):
        for name in dict.fromkeys(getattr(cell, "state_names", ())):
            if wanted:
                if not source:
                    raise InputError("a bridge needs to know the size of the encoder's state",
                                     where="EncoderDecoder", fix="bridge=False, or an nn.Cell")
                width = source.get(name, next(iter(source.values())))
                linear = Linear(width, cell.hidden_size, seed=rng, dtype=cell.dtype)
                linear.W.named("P" if name == "h" else f"P_{name}")
                linear.b.named("p" if name == "h" else f"p_{name}")
                made.setdefault(name, []).append(linear)
            elif source.get(name, cell.hidden_size) != cell.hidden_size:
                raise ShapeError(f"the encoder's {name} has size {source[name]}, the decoder's "
                                 f"{cell.hidden_size}", where="EncoderDecoder, bridge=False",
                                 fix="bridge=True maps one to the other")
    return made


def first_state(encoder: Layer, state: Any, decoder: Layer,
                bridge_of: Callable[[int, str], Callable[[Any], Any] | None]) -> Any:
    """The decoder's first state, one step before its first, from the encoder's last one."""
    found = []
    for k, (cell, source) in enumerate(zip(cells(decoder), sources(decoder,
                                                                   parts(encoder, state)))):
        if not isinstance(cell, Cell):
            return state  # a plain function's state is its own affair
        made: list[Any] = []
        for i, name in enumerate(cell.state_names):
            bridge, place = bridge_of(k, name), cell.state_names[:i].count(name)
            given = source.get(name, next(iter(source.values())) if bridge else [None])
            value = given[min(place, len(given) - 1)]
            if bridge is None:
                made.append(value)
                continue
            with switch(step=first_step() - 1):
                made.append(bridge(value).named(name))
        found.append(cell.joined(made))
    return nested(decoder, iter(found))


def nested(layer: Any, states: Iterator[Any]) -> Any:
    """One state for each cell, in lists like the layers of the stack."""
    if hasattr(layer, "layers"):
        return [nested(x, states) for x in layer.layers]
    return next(states)


def cells(layer: Any) -> list[Any]:
    """The cell of every layer of a stack, or of the one layer that it is."""
    if hasattr(layer, "layers"):
        return [cell for x in layer.layers for cell in cells(x)]
    return [layer.cell]


def sources(decoder: Layer, encoder: list[P]) -> list[P]:
    """For each layer of the decoder the encoder layer it starts from: its like, or the top one."""
    depth = len(cells(decoder))
    return encoder if len(encoder) == depth else [encoder[-1]] * depth


def sizes(layer: Any) -> list[Sizes]:
    """For each layer of an encoder: the sizes of the parts of its state."""
    if isinstance(layer, Bidirectional):
        pairs = zip(sizes(layer.forward_layer), sizes(layer.backward_layer))
        return [{name: f[name] + b[name] for name in f if name in b} for f, b in pairs]
    if hasattr(layer, "layers"):
        return [size for x in layer.layers for size in sizes(x)]
    cell = layer.cell
    return [dict.fromkeys(cell.state_names, cell.hidden_size) if isinstance(cell, Cell) else {}]


def parts(layer: Any, state: Any) -> list[Parts]:
    """For each layer of an encoder: the parts of its state. Those of two directions are joined,
    [h→; h←]."""
    if isinstance(layer, Bidirectional):
        pairs = zip(parts(layer.forward_layer, state[0]), parts(layer.backward_layer, state[1]))
        return [{name: list(map(both, f[name], b[name])) for name in f if name in b}
                for f, b in pairs]
    if hasattr(layer, "layers"):
        return [part for x, s in zip(layer.layers, state) for part in parts(x, s)]
    cell, found = layer.cell, Parts()
    if isinstance(cell, Cell):
        for name, part in zip(cell.state_names, cell.split(state)):
            found.setdefault(name, []).append(part)
    return [found]


def both(forward: Any, backward: Any) -> Any:
    """The states of two directions as one, before the first step."""
    with switch(step=first_step() - 1):
        joined = ops.concatenate(forward, backward, axis=-1)
    return joined.named(forward.name) if isinstance(joined, Node) and forward.name else joined
