"""The usual call: a fused layer, called again as it was called before.

The question this file answers: *what may a layer remember from one call to the next?*

Which of its options matter, and which arrays it needs: nothing that a gradient hangs on. At size 3
reading the options again costs more than the arithmetic. So the first call leaves what it settled,
and with it everything that it looked at: the attributes of layer and cell, the shape, the place in
the program. The next call compares, and goes on only if all of it is the same; a weight that was
replaced, another `reverse`, another scope is a new call. The numbers in a weight are read each
time.
"""

from __future__ import annotations

from operator import is_
from typing import Any

from ..core.graph import constant
from ..core.place import here
from ..core.timeline import column
from .cells import RNNCell
from .fused import SEQUENCE
from .fused_layer import FusedRun
from .fused_node import record, values_of
from .fused_pass import WEIGHTS, Pass, Settled
from .gated import GRUCell, LSTMCell
from .masking import Masks

CELLS = RNNCell, LSTMCell, GRUCell  # themselves: a class of a user's may compute its weights


class Usual:
    """What the first call settled, and what it looked at."""

    __slots__ = ("dtype", "held", "masks", "names", "place", "sequence", "settled", "shape",
                 "times", "wanted", "weights")

    def __init__(self, layer: Any, xs: Any) -> None:
        cell, held = layer.cell, vars(layer.cell)
        self.place, self.shape, self.dtype = here(), xs.value.shape, xs.value.dtype
        self.names = names = [name for name in WEIGHTS if held.get(name) is not None]
        self.weights = [held[name] for name in names]
        self.wanted = [w.op is not constant for w in self.weights]
        self.settled = Settled(cell, ["x", *names], self.shape, layer.reverse, layer.room,
                               only_h=not (layer.return_state or layer.return_all_states),
                               backend=layer.backend,
                               dtype=self.dtype if all(w.value.dtype is self.dtype
                                                       for w in self.weights) else None)
        self.masks = Masks(self.settled.T)
        self.sequence = layer.return_sequences and not (
            layer.return_state or layer.return_all_states)
        self.times = column(self.settled.span, len(self.shape))
        layer.usual = self
        self.held = [*vars(layer).values(), *held.values()]


def usual_call(layer: Any, xs: Any) -> Any:
    """What a fused layer returns for `xs` and nothing else; None if it has to be looked at."""
    usual: Usual | None = layer.usual
    value, held = xs.value, vars(layer.cell)
    shape = value.shape
    try:  # of weights it matters which they are, of options what they say
        known = usual is not None and shape == usual.shape and value.dtype is usual.dtype \
            and here() is usual.place \
            and all(map(is_, usual.weights, map(held.get, usual.names))) \
            and [*vars(layer).values(), *held.values()] == usual.held
    except ValueError:  # an array, which somebody keeps there, is another one than it was
        known = False
    if usual is None or not known:
        plain = type(layer.cell) in CELLS and layer.start == "zeros" \
            and layer.checkpoint_every is None
        if not plain or len(shape) not in (2, 3) or shape[-1] != layer.input_size or not shape[0]:
            return None
        usual = Usual(layer, xs)
    nodes = [xs, *usual.weights]
    values = values_of(nodes)
    run = Pass(usual.settled, values, [xs.op is not constant, *usual.wanted], usual.masks)
    if not usual.sequence:
        return layer.results(FusedRun(run, nodes), None)
    loops = run.kernel.loops
    params = {"run": run} if loops is None else {"run": run, "loops": loops}  # for what follows
    return record(SEQUENCE, run.value, nodes, values, usual.settled.span, params, "h", usual.times)
