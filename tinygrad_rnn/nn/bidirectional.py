"""Bidirectional layers: two recurrences over the same sequence, one from each end.

The question this file answers: *how can an output know what comes after it?*
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Never

from ..core import ops
from ..core.graph import Node
from ..core.place import scope, switch
from ..errors import InputError, ShapeError
from .layer import Layer
from .masking import Masks
from .options import known_options, one_of, yes_or_no
from .sequence import Steps
from .steps_joined import Together, Whole, join
from .unrolling import Run

MERGES: dict[str, Callable[[Any, Any], Any]] = {
    "concat": lambda f, b: ops.concatenate(f, b, axis=-1),
    "sum": lambda f, b: f + b,
    "mul": lambda f, b: f * b,
    "ave": lambda f, b: (f + b) * 0.5,
}


class Bidirectional(Layer):
    """y_t = merge(h→_t, h←_t): one layer from left to right, one from right to left (Schuster and
    Paliwal 1997)

        h→_t = forward_layer(x_t, h→_{t-1})         h→_0 = 0
        h←_t = backward_layer(x_t, h←_{t+1})        h←_{T+1} = 0

    `Bidirectional(layer)` makes the backward layer as a twin of `layer`, with parameters of its own
    from a spawned seed; `Bidirectional(forward, backward)` (or a pair of them) takes both, and runs
    the second in reverse. With masks or lengths the backward layer starts at each sample's last
    valid step.

    `merge`: "concat" (B, 2H), "sum", "mul", "ave" (B, H), or "none", which returns a pair. Without
    `return_sequences` it is the output of each layer after its own last step: of the first for
    t = T, of the second for t = 1. The state is a pair (forward, backward), and so is a call's
    `initial_state`. `return_state` and `return_all_states` are on if they are in one of the
    layers. In the graph the layers are the scopes `forward` and `backward`.

    Raises `ShapeError` if the two layers do not fit each other, and `InputError` for a first layer
    that goes in reverse by itself.
    """

    def __init__(self, layer: Any, backward_layer: Any = None, *, merge: str = "concat",
                 return_state: bool | None = None, return_states: bool | None = None,
                 return_all_states: bool | None = None, **unknown: Never) -> None:
        known_options(unknown, Bidirectional)
        if isinstance(layer, (tuple, list)) and len(layer) == 2 and backward_layer is None:
            layer, backward_layer = layer
        for given in (layer, backward_layer):
            if not isinstance(given, Layer) and (given is layer or given is not None):
                raise InputError("expected one recurrent layer, or (forward, backward), got "
                                 f"{type(given).__name__}", where="Bidirectional")
            if isinstance(given, Bidirectional):
                raise InputError("a direction cannot be bidirectional itself",
                                 where="Bidirectional")
        self.merge = one_of(merge, (*MERGES, "none"), "merge", "Bidirectional")
        only_one_way(layer, backward_layer)
        self.forward_layer = layer
        self.backward_layer = layer.twin() if backward_layer is None else backward_layer
        both = self.forward_layer, self.backward_layer
        given = return_state if return_states is None else return_states
        self.return_state = any(x.return_state for x in both) if given is None else \
            yes_or_no(given, "return_state", "Bidirectional")
        self.return_all_states = any(x.return_all_states for x in both) \
            if return_all_states is None else \
            yes_or_no(return_all_states, "return_all_states", "Bidirectional")
        self.fit()

    def directions(self) -> set[str]:
        return {"forward", "reverse"}

    def fit(self) -> None:
        """Refuse layers that do not fit each other; together they say what the whole gives."""
        f, b = self.forward_layer, self.backward_layer
        self.input_size, self.dtype = f.input_size, f.dtype
        self.return_sequences, self.output_size = f.return_sequences, f.output_size
        if self.merge == "concat" and f.output_size is not None and b.output_size is not None:
            self.output_size = f.output_size + b.output_size
        if f.return_sequences != b.return_sequences:
            raise InputError(f"expected the same return_sequences in both layers, got "
                             f"{f.return_sequences} forward and {b.return_sequences} backward",
                             where="Bidirectional")
        pairs = [("input_size", f.input_size, b.input_size)]
        if self.merge not in ("concat", "none"):
            pairs.append(("output size", f.output_size, b.output_size))
        for name, one, other in pairs:
            if one is not None and other is not None and one != other:
                raise ShapeError(f"expected the same {name} in both layers, got {one} forward and "
                                 f"{other} backward", where=f"Bidirectional, merge={self.merge!r}")

    def steps(self, xs: Any) -> Steps:
        self.fit()
        steps: Steps = self.forward_layer.steps(xs)
        return steps

    def run(self, steps: Steps, initial_state: Any, masks: Masks, rng: Any,
            reverse: bool = False) -> Run:
        first, second = self.pair(initial_state)
        with scope("forward"):
            f: Run = self.forward_layer.run(steps, first, masks, rng)
        with scope("backward"):
            b: Run = self.backward_layer.run(steps, second, masks, rng, reverse=True)
        return Run(self.both(f.outputs, b.outputs), self.merged(f.last, b.last),
                   (f.state, b.state), Together([f.states, b.states], tuple))

    def both(self, f: Any, b: Any) -> Any:
        """The outputs of both layers, step by step or as a whole."""
        if self.merge == "none":
            return Together([f, b], tuple)
        if not isinstance(f, Whole) or not isinstance(b, Whole):
            return [self.merged(x, y) for x, y in zip(f, b)]
        with switch(step=None, span=f.span):
            return Whole(MERGES[self.merge](f.node, b.node), None)

    def merged(self, f: Any, b: Any) -> Any:
        """One output from the outputs of both layers, at the step of the forward one."""
        if self.merge == "none":
            return f, b
        if f is None:  # there was no step
            return None
        with switch(step=f.step if isinstance(f, Node) else None):
            return MERGES[self.merge](f, b)

    def sequence(self, run: Run, steps: Steps) -> Any:
        if self.merge != "none":
            return super().sequence(run, steps)
        if isinstance(run.outputs, Together) and run.outputs:
            return run.outputs.joined(join)
        layers = (self.forward_layer, self.backward_layer)
        return tuple(join([], layer.no_steps(run._replace(last=last), steps))
                     for layer, last in zip(layers, run.last))

    def pair(self, initial_state: Any) -> Any:
        """The initial states (of forward, of backward)."""
        if initial_state is None:
            return None, None
        if not isinstance(initial_state, (tuple, list)) or len(initial_state) != 2:
            raise InputError("expected an initial state (of forward, of backward), got "
                             f"{type(initial_state).__name__}", where=self.title())
        return initial_state

    def settings(self) -> str:
        return f"merge={self.merge}"


def only_one_way(forward: Layer, backward: Layer | None) -> None:
    """Refuse layers that choose another direction than the one they are here for."""
    if forward.directions() != {"forward"}:
        raise InputError("expected a layer that goes from left to right, and so does every layer "
                         f"in it, got {forward.title()}", where="Bidirectional",
                         fix="Leave out reverse=True: the backward layer is turned here")
    if backward is not None and len(backward.directions()) > 1:
        raise InputError("expected a backward layer in which all layers go the same way, got "
                         f"{backward.title()}", where="Bidirectional")
