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

from typing import Any

from ..core.graph import Node, constant, make, rest_of
from ..core.inplace import values_of
from ..core.place import here
from ..core.timeline import Sequence, column
from .cells import RNNCell
from .fused import SEQUENCE
from .fused_layer import FusedRun, weights_of
from .fused_node import record
from .fused_pass import Pass, Settled
from .gated import GRUCell, LSTMCell
from .masking import Masks

CELLS = RNNCell, LSTMCell, GRUCell  # themselves: a class of a user's may compute its weights


class Usual:
    """What the first call settled, and what it looked at."""

    __slots__ = ("at", "dtype", "held", "masks", "names", "place", "sequence", "settled", "shape",
                 "times", "wanted", "weights")

    def __init__(self, layer: Any, xs: Any, weights: dict[str, Any]) -> None:
        cell, held = layer.cell, vars(layer.cell)
        self.place, self.shape, self.dtype = here(), xs.value.shape, xs.value.dtype
        self.names, self.weights = list(weights), list(weights.values())
        self.wanted = [w.op is not constant for w in self.weights]
        self.settled = Settled(cell, ["x", *weights], self.shape, layer.reverse, layer.room,
                               only_h=not (layer.return_state or layer.return_all_states),
                               backend=layer.backend,
                               dtype=self.dtype if all(w.value.dtype is self.dtype
                                                       for w in self.weights) else None)
        self.masks = Masks(self.settled.T)
        self.sequence = layer.return_sequences and not (
            layer.return_state or layer.return_all_states)
        self.times = column(self.settled.span, len(self.shape))
        learns = self.place.fast and any(self.wanted)  # nothing to do but record
        self.at = self.place.over(self.settled.span) if learns else None
        later = {**vars(layer), "usual": self}  # only what is complete may be found by a thread
        self.held = [*later.values(), *held.values()]
        layer.usual = self

    def fits(self, layer: Any, value: Any) -> bool:
        """Whether all that the first call looked at is the same: of weights it matters which they
        are, of options what they say."""
        held = vars(layer.cell)
        if value.shape != self.shape or value.dtype is not self.dtype or here() is not self.place:
            return False
        for name, weight in zip(self.names, self.weights):
            if held.get(name) is not weight:
                return False
        try:
            return [*vars(layer).values(), *held.values()] == self.held
        except ValueError:  # an array, which somebody keeps there, is another one than it was
            return False


def usual_call(layer: Any, xs: Any) -> Any:
    """What a fused layer returns for `xs` and nothing else; None if it has to be looked at."""
    usual: Usual | None = layer.usual
    value = xs.value
    if usual is None or not usual.fits(layer, value):
        shape = value.shape
        plain = type(layer.cell) in CELLS and layer.start == "zeros" \
            and layer.checkpoint_every is None
        if not plain or len(shape) not in (2, 3) or shape[-1] != layer.input_size or not shape[0]:
            return None
        weights = weights_of(layer.cell)
        if not all(isinstance(weight, Node) for weight in weights.values()):
            return None
        usual = Usual(layer, xs, weights)
    nodes = [xs, *usual.weights]
    values = values_of(nodes)
    run = Pass(usual.settled, values, [xs.op is not constant, *usual.wanted], usual.masks)
    if not usual.sequence:
        return layer.results(FusedRun(run, nodes), None)
    loops = run.kernel.loops
    params = {"run": run} if loops is None else {"run": run, "loops": loops}  # for what follows
    if usual.at is None:
        return record(SEQUENCE, run.value, nodes, values, usual.settled.span, params, "h",
                      usual.times)
    node = make(Sequence, SEQUENCE, run.value, xs, nodes[1], values[0], values[1], usual.at,
                rest_of(nodes, values), params, "h")
    node.times = usual.times
    return node
