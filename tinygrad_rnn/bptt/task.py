"""What is differentiated in three ways: a recurrence that can be taken one step at a time.

The question this file answers: *what is one step of a whole stack of layers, with masks?*

    output_t, state = step(t, state)          L = Σ_t loss_at(output_t, t)

A layer takes a whole sequence. Here it is taken apart: whatever goes from one step to the next is
in `state`, also the output that a masked step repeats, so that a single step is all that there need
be of the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.graph import Node
from ..core.place import contained, no_grad, timestep
from ..errors import InputError
from ..nn.bidirectional import Bidirectional
from ..nn.cells import Cell
from ..nn.feedback import as_layer
from ..nn.layer import Layer
from ..nn.masking import choose, read_masks, select, zeros
from ..nn.options import cannot_take
from ..nn.stacked import Stacked
from ..nn.states import mapped
from ..nn.steps_joined import first_step, shape_of
from .targets import targets


class Task:
    """A cell, a layer, a stack or a function over a sequence, with a loss.

    Its steps are taken in `order`: with time, or against it for a layer in reverse.
    """

    @contained
    def __init__(self, cell: Any, xs: Any, loss_at: Callable[[Any, int], Any], params: Any,
                 initial_state: Any, last: bool, mask: Any = None, lengths: Any = None) -> None:
        if not callable(loss_at):
            raise InputError(f"expected loss_at to be a function of an output and its position, "
                             f"got {type(loss_at).__name__}", where="three_ways",
                             fix="lambda y, t: ((y - target[t]) ** 2).sum()")
        takes_both(loss_at)
        self.layer = one_way(cell)
        if params is None and not hasattr(cell, "named_parameters"):
            raise InputError("expected the parameters of a function: params=[W, ...]",
                             where="three_ways")
        self.params = targets(cell if params is None else params, "three_ways")
        self.steps = self.layer.steps(xs)
        self.T, self.first = len(self.steps), first_step()
        self.batch = (self.steps.shape() or ())[:-1]
        if 0 in self.batch:
            raise InputError("expected at least one sample, got none", where="three_ways")
        self.masks = read_masks(self.T, self.batch, mask, lengths, None, "three_ways")
        self.loss_at, self.last, self.given = loss_at, last, initial_state
        self.reverse = self.layer.directions() == {"reverse"}
        self.top: Any = self.layer
        while isinstance(self.top, Stacked):
            self.top = self.top.layers[-1]

    def order(self, n: int) -> range:
        """The positions of the first n steps, as they are taken."""
        return range(self.T - 1, self.T - 1 - n, -1) if self.reverse else range(n)

    # --- the state ------------------------------------------------------------------------------

    def begin(self) -> Any:
        """The first state; made anew, since it may depend on the parameters."""
        with timestep(self.first + self.order(1)[0]):
            return self.first_state(self.layer, self.given)

    def first_state(self, layer: Any, given: Any) -> Any:
        """That of one layer, or a list for a stack."""
        if isinstance(layer, Stacked):
            return [self.first_state(inner, state)
                    for inner, state in zip(layer.layers, layer.each(given))]
        sign, cell = -1 if self.reverse else 1, layer.cell
        if not isinstance(cell, Cell):
            state = given
        elif given is None:
            state = layer.own_state(self.batch, None, sign)
        else:
            state = cell.given_state(given, self.batch, sign)
        return state if self.masks.valid is None else (state, self.no_output(layer, state))

    def no_output(self, layer: Any, state: Any) -> Any:
        """The output before the first, which a masked step repeats: zeros. (Where only the last
        output counts, it is the first state, as in a layer's call.)"""
        if layer.padding == "zero" and not self.last:
            return None
        if self.last and layer is self.top and isinstance(layer.cell, Cell):
            return layer.shown(state)
        if layer.output_size is not None:
            return zeros((*self.batch, layer.output_size), layer.dtype)
        t = self.order(1)[0]
        with no_grad():  # a function: its output tells its shape
            output = self.apply(layer.cell, self.steps[t], state)[0]
        return zeros(shape_of(output), output.value.dtype)

    # --- a step ---------------------------------------------------------------------------------

    def step(self, t: int, state: Any) -> tuple[Any, Any]:
        """The output shown at position t, and the state after it."""
        valid = self.masks.missing(t)
        x = self.steps[t] if valid is None else \
            self.steps.chosen(t, lambda part: select(part, valid))
        return self.through(self.layer, x, state, valid)

    def through(self, layer: Any, x: Any, state: Any, valid: Any) -> tuple[Any, Any]:
        """One step of a layer; of a stack, of one layer after the other."""
        if not isinstance(layer, Stacked):
            return self.masked(layer, x, state, valid)
        after = []
        for k, (inner, part) in enumerate(zip(layer.layers, state)):
            below = x
            x = x if valid is None or not k else select(x, valid)
            x, part = self.through(inner, x, part, valid)
            x = x + below if k and layer.residual else x
            after.append(part)
        return x, after

    def masked(self, layer: Any, x: Any, state: Any, valid: Any) -> tuple[Any, Any]:
        """One step of a cell; a masked sample keeps its state, and shows its output again."""
        if self.masks.valid is None:
            return self.apply(layer.cell, x, state)
        before, shown = state
        output, after = self.apply(layer.cell, x, before)
        if valid is not None:
            after = mapped(lambda new, old: choose(valid, new, old), after, before)
            output = choose(valid, output, shown)
        return output, (after, None if shown is None else output)

    def apply(self, cell: Any, x: Any, state: Any) -> tuple[Any, Any]:
        """The cell, once."""
        if state is None:
            raise InputError("a function needs a state to start from", where="three_ways",
                             fix="initial_state=tg.Tensor(np.zeros((B, H)))")
        result = cell(x, state)
        if not isinstance(result, tuple) or len(result) != 2:
            raise InputError("expected the cell to return (output, state), got "
                             f"{type(result).__name__}", where="three_ways")
        return result

    # --- the losses -----------------------------------------------------------------------------

    def loss(self, output: Any, t: int, T: int) -> Any:
        """The loss at position t of the first T steps, or None."""
        if self.last and t != self.order(T)[-1]:
            return None
        loss = self.loss_at(output, t)
        if loss is not None and (not isinstance(loss, Node) or np.size(loss.value) != 1):
            raise InputError(f"expected loss_at to return a single number or None, got {loss!r}",
                             where="three_ways")
        return loss

    def losses(self, T: int) -> list[Any]:
        """The losses of the first T steps, all in one graph."""
        state, found = self.begin(), []
        for t in self.order(T):
            with timestep(self.first + t):
                output, state = self.step(t, state)
                found.append(self.loss(output, t, T))
        found = [loss for loss in found if loss is not None]
        if not found:
            raise InputError(f"there is no loss in {T} steps", where="three_ways",
                             fix="last=True takes that of the last step, whatever their number")
        return found


def takes_both(loss_at: Callable[[Any, int], Any]) -> None:
    """Refuse a loss that does not take an output and its position."""
    problem = cannot_take(loss_at, 2)
    if problem:
        raise InputError(f"expected loss_at to take an output and its position: {problem}",
                         where="three_ways", fix="lambda y, t: ((y - target[t]) ** 2).sum()")


def one_way(cell: Any) -> Layer:
    """The layer; a cell, or a function, as a layer around it. Raises `InputError` for what needs
    the end of the sequence before it can begin."""
    layer = as_layer(cell)
    if len(layer.directions()) == 1:
        return layer
    if isinstance(layer, Bidirectional):
        raise InputError(
            f"{layer.title()} needs the end of the sequence for its first output: in real time "
            "there is none", where="three_ways",
            fix="Each direction by itself: tg.three_ways(layer.forward_layer, xs, loss_at) and "
                "tg.three_ways(layer.backward_layer, xs[::-1], loss_at)")
    raise InputError(f"expected layers that all go the same way, got {layer.title()}, with "
                     "forward and reverse ones", where="three_ways",
                     fix="Each layer by itself: tg.three_ways(stack.layers[0], xs, loss_at)")
