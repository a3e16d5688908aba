"""Stacked layers: the outputs of one are the inputs of the next.

The question this file answers: *what does it mean that a network is deep in space, not in time?*
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Never

import numpy as np

from ..core.place import scope, switch
from ..errors import InputError, ShapeError
from .layer import Layer
from .masking import Masks, dropout_mask
from .options import known_options, rate, yes_or_no
from .sequence import Steps
from .steps_joined import Together, Whole, span_of
from .unrolling import Run


class Stacked(Layer):
    """Recurrent layers in a row: layer k reads the outputs of layer k - 1, at every step.

    All but the last need `return_sequences=True`; the last one's says what a call returns. The
    state is a list with one entry per layer, and so is a call's `initial_state` (None in it, or in
    its place: each layer's own). In the graph the layers are the scopes `layer 0`, `layer 1`, ...

    `residual=True` adds the input of every layer but the first to its output, h_t = a_t + s_t.
    `dropout=p` switches off a part p of what goes from layer to layer, anew at each step, when the
    call has an `rng`; nothing is drawn for padding. `return_state` and `return_all_states` are on
    if they are in any layer.

    Raises `ShapeError` if a layer does not fit the one before it, and `InputError` for
    `residual=True` without `return_sequences` where not all layers go the same way: their last
    steps are different ones then.
    """

    def __init__(self, layers: Iterable[Any], *, residual: bool = False, dropout: float = 0.0,
                 return_state: bool | None = None, return_states: bool | None = None,
                 return_all_states: bool | None = None, **unknown: Never) -> None:
        known_options(unknown, Stacked)
        if isinstance(layers, Layer) or not isinstance(layers, Iterable):
            raise InputError(f"expected a list of layers, got {type(layers).__name__}",
                             where="Stacked")
        self.layers = list(layers)
        self.residual = yes_or_no(residual, "residual", "Stacked")
        self.dropout = rate(dropout, "dropout", "Stacked")
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise InputError(f"expected recurrent layers, got {type(layer).__name__}",
                                 where="Stacked", fix="A cell becomes one by nn.Recurrent(cell)")
        if not self.layers:
            raise InputError("expected at least one layer, got none", where="Stacked")
        given = return_state if return_states is None else return_states
        self.return_state = any(x.return_state for x in self.layers) if given is None else \
            yes_or_no(given, "return_state", "Stacked")
        self.return_all_states = any(x.return_all_states for x in self.layers) \
            if return_all_states is None else \
            yes_or_no(return_all_states, "return_all_states", "Stacked")
        self.fit()

    def fit(self) -> None:
        """Refuse layers that do not fit each other; the ends say what the whole takes and
        gives."""
        first, last = self.layers[0], self.layers[-1]
        self.input_size, self.dtype = first.input_size, first.dtype
        self.output_size, self.return_sequences = last.output_size, last.return_sequences
        for k in range(1, len(self.layers)):
            below, layer = self.layers[k - 1], self.layers[k]
            size, got = layer.input_size, below.output_size
            if merge_none(below) or self.residual and merge_none(layer):
                pair = k - 1 if merge_none(below) else k
                raise InputError(f"layer {pair} gives a pair of sequences, which no layer can take",
                                 where="Stacked", fix="Bidirectional(..., merge='concat')")
            if not below.return_sequences:
                raise ShapeError(
                    f"stacked layer {k} expects a sequence (T, B, {size or 'I'}) but layer {k - 1} "
                    f"returns only its last step (B, {got or 'H'}): set return_sequences=True on "
                    f"layer {k - 1}")
            if size is not None and got is not None and size != got:
                raise ShapeError(f"stacked layer {k} expects a sequence (T, B, {size}) but layer "
                                 f"{k - 1} gives (T, B, {got})")
            if self.residual and got is not None and layer.output_size not in (None, got):
                raise ShapeError(f"with residual=True stacked layer {k} adds its input (T, B, "
                                 f"{got}) to its output (T, B, {layer.output_size})")
        if self.residual and len(self.layers) > 1 and not self.return_sequences \
                and len(self.directions()) > 1:
            raise InputError("with residual=True and only the last output, expected layers that "
                             "all go the same way; got forward and reverse ones, whose last steps "
                             "are not the same", where="Stacked",
                             fix="Set return_sequences=True on the last layer, and choose a step")

    def directions(self) -> set[str]:
        return set[str]().union(*(layer.directions() for layer in self.layers))

    def steps(self, xs: Any) -> Steps:
        self.fit()
        steps: Steps = self.layers[0].steps(xs)
        return steps

    def run(self, steps: Steps, initial_state: Any, masks: Masks, rng: Any,
            reverse: bool = False) -> Run:
        given = self.each(initial_state)
        runs: list[Run] = []
        for k, layer in enumerate(self.layers):
            with scope(f"layer {k}"):
                if k and self.dropout and rng is not None:
                    steps = self.thinned(steps, masks.window(), rng)
                run = layer.run(steps, given[k], masks, rng, reverse)
                if k and self.residual:
                    run = shortcut(steps, runs[-1].last, run)
            runs.append(run)
            joined = run.outputs or layer.no_steps(run, steps)
            steps = Steps(joined, dtype=layer.dtype)
        return Run(run.outputs, run.last, [r.state for r in runs],
                   Together([r.states for r in runs], list))

    def each(self, initial_state: Any) -> list[Any]:
        """The initial state of each layer."""
        if initial_state is None:
            return [None] * len(self.layers)
        if not isinstance(initial_state, (list, tuple)) or len(initial_state) != len(self.layers):
            got = f"{len(initial_state)} of them" if isinstance(initial_state, (list, tuple)) \
                else type(initial_state).__name__
            raise InputError(f"expected a list of {len(self.layers)} initial states, one for each "
                             f"layer, got {got}", where=self.title())
        return list(initial_state)

    def thinned(self, steps: Steps, window: range, rng: np.random.Generator) -> Steps:
        """The steps with dropout: one draw for the whole sequence, different at every step. Only
        for those at which something happens: what comes of a seed does not hang on the padding."""
        drawn = dropout_mask(rng, (len(window), *(steps.shape() or ())), self.dropout,
                             self.dtype or float)
        keep = np.ones((len(steps), *drawn.shape[1:]), drawn.dtype)
        keep[window.start:window.stop] = drawn
        span = span_of(steps.parts)
        if span is not None:
            with switch(step=None, span=span):
                return Steps(steps.parts * keep, dtype=steps.dtype)
        thin = []
        for t in range(len(steps)):
            step = steps[t]
            with switch(step=step.step):
                thin.append(step * keep[t])
        return Steps(thin, dtype=steps.dtype) if thin else steps

    def twin(self) -> Any:
        """The same stack with parameters of its own."""
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        other.layers = [layer.twin() for layer in self.layers]
        return other

    def settings(self) -> str:
        parts = [f"{len(self.layers)} layers"] + ["residual"] * self.residual
        parts += [f"dropout={self.dropout}"] * bool(self.dropout)
        return ", ".join(parts)


def merge_none(layer: Any) -> bool:
    """Is its output a pair, that of a bidirectional layer which merges nothing?"""
    while isinstance(layer, Stacked):
        layer = layer.layers[-1]
    return getattr(layer, "merge", None) == "none"


def shortcut(steps: Steps, last: Any, run: Run) -> Run:
    """The run with each step's input added to its output; `last` is the input of the last one."""
    outputs: Any = []
    if isinstance(run.outputs, Whole) and span_of(steps.parts) is not None:
        with switch(step=None, span=run.outputs.span):
            outputs = Whole(run.outputs.node + steps.parts, None)
    for t, output in enumerate([] if outputs else run.outputs):
        with switch(step=output.step):
            outputs.append(output + steps[t])
    if last is None or run.last is None:
        return run._replace(outputs=outputs)
    with switch(step=run.last.step):
        return run._replace(outputs=outputs, last=run.last + last)
