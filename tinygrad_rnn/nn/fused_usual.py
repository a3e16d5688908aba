"""The usual call: a fused layer, called again as it was called before.

The question this file answers: *what may a layer remember from one call to the next?*

Which of its options matter, and which arrays it needs: nothing that a gradient hangs on. At size 3
reading the options again costs more than the arithmetic. So the first call leaves what it settled,
and with it everything that it looked at: the attributes of layer and cell, the shape, the place in
the program. The next call compares, object for object, and goes on only if all of it is the same;
a weight that was replaced, another `reverse`, another scope is a new call. The numbers in a weight
are read each time.
"""

from __future__ import annotations

from operator import is_
from typing import Any

from ..core.place import here
from ..core.timeline import column
from .cells import RNNCell
from .fused import SEQUENCE
from .fused_layer import FusedRun
from .fused_node import record
from .fused_pass import WEIGHTS, Pass, Settled
from .gated import GRUCell, LSTMCell
from .masking import Masks

CELLS = RNNCell, LSTMCell, GRUCell  # themselves: a class of a user's may compute its weights


class Usual:
    """What the first call settled, and what it looked at."""

    __slots__ = ("dtype", "held", "masks", "place", "sequence", "settled", "shape", "times",
                 "weights")

    def __init__(self, layer: Any, xs: Any) -> None:
        cell, held = layer.cell, vars(layer.cell)
        self.place, self.shape, self.dtype = here(), xs.value.shape, xs.value.dtype
        names = [name for name in WEIGHTS if held.get(name) is not None]
        self.weights = [held[name] for name in names]
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
    value, held = xs.value, [*vars(layer).values(), *vars(layer.cell).values()]
    if usual is None or value.shape != usual.shape or value.dtype is not usual.dtype \
            or here() is not usual.place or len(held) != len(usual.held) \
            or not all(map(is_, held, usual.held)):
        shape = value.shape
        plain = type(layer.cell) in CELLS and layer.start == "zeros" \
            and layer.checkpoint_every is None
        if not plain or len(shape) not in (2, 3) or shape[-1] != layer.input_size or not shape[0]:
            return None
        usual = Usual(layer, xs)
    operands, settled = [xs, *usual.weights], usual.settled
    run = Pass(settled, operands, usual.masks)
    if not usual.sequence:
        return layer.results(FusedRun(run, operands), None)
    params: dict[str, Any] = {"run": run}
    if run.kernel.loops is not None:  # for what stands on top of it
        params["loops"] = run.kernel.loops
    return record(SEQUENCE, run.value, operands, run.values, settled.span, params, "h",
                  usual.times)
