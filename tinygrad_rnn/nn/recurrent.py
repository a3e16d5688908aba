"""Recurrent layers: a cell along a sequence.

The question this file answers: *what is the difference between a cell and a layer?* A cell is one
step; a layer starts a state, takes the cell along the whole sequence (`unrolling`), and returns
what was asked for (`layer`).
"""

from __future__ import annotations

import warnings
from typing import Any, Never

import numpy as np

from ..core import ops
from ..core.place import here, switch
from ..core.values import Tensor
from ..errors import InputError
from .cells import AffineCell, Cell
from .checkpointed import in_chunks, interval
from .fused import obstacle
from .fused_compiled import BACKENDS
from .fused_compiled import backend as backends
from .fused_layer import run_fused
from .fused_room import Room
from .fused_usual import usual_call
from .layer import Layer
from .masking import Masks, dropout_mask
from .module import Module, parameter, refuse_shared
from .options import cannot_take, known_options, one_of, rate, yes_or_no
from .sequence import Steps
from .steps_joined import shape_of
from .unrolling import AnyCell, Run, Unrolling, at_once, starting_state, unroll

__all__ = ["AnyCell", "Recurrent", "unroll"]

STARTS = ("zeros", "random", "learned")
PADDINGS = ("repeat", "zero")


class Recurrent(Layer):
    """A layer around a cell: any `cell(x, state) -> (output, state)`, a plain function as well.

    What a call takes and returns, and with it `return_sequences`, `return_state` (also spelt
    `return_states`) and `return_all_states`: see `Layer`. The other options:

        reverse=True           from the last step to the first; outputs stay in the order of time
        initial_state          where a call without one starts: "zeros"; "random", standard normal
                               numbers from the call's `rng`; or "learned", a parameter `h_0` (H,)
                               of this layer (and `c_0`)
        padding                the output of a masked step: "repeat" the one before (zeros before
                               the first), or "zero"
        recurrent_dropout=p    h_{t-1} loses a part p of its entries in W_hh h_{t-1}, the same ones
                               at every step of a sequence, when the call has an `rng`
        flatten=True           steps (B, ...), frames for instance, are taken as (B, I)
        fused=True             the whole sequence is one node of the graph, computed faster, with
                               the same gradients: see `tg.fused`
        backend="numba"        the loop of a fused sequence is compiled, which pays for long ones
                               and batches of one or a few: see `fused_compiled`
        checkpoint_every=k     of each k steps only what is asked for is kept, and backward computes
                               their graph again; "sqrt" is √T, and takes the memory of about √T
                               steps for a second forward pass. Exact: see `checkpointed`

    Raises `InputError` for options that cannot be.
    """

    def __init__(self, cell: AnyCell, *, return_sequences: bool = False, return_state: bool = False,
                 return_states: bool | None = None, return_all_states: bool = False,
                 reverse: bool = False, initial_state: str = "zeros", padding: str = "repeat",
                 recurrent_dropout: float = 0.0, flatten: bool = False, fused: bool = False,
                 backend: str = "numpy", checkpoint_every: int | str | None = None,
                 **unknown: Never) -> None:
        where = type(self).__name__
        known_options(unknown, type(self))
        if not callable(cell) or isinstance(cell, (Layer, type)):
            kind = f"the class {cell.__name__}" if isinstance(cell, type) else \
                f"{type(cell).__name__}, which is a layer" if isinstance(cell, Layer) else \
                type(cell).__name__
            raise InputError(f"expected a cell(x, state) -> (output, state), got {kind}",
                             where=where)
        known = isinstance(cell, Cell)
        wrong = "" if known else cannot_take(cell, 2)
        if wrong:
            raise InputError("expected a cell(x, state) -> (output, state), got a function that "
                             f"does not take these two: {wrong}", where=where)
        self.cell: Any = cell
        self.input_size = getattr(cell, "input_size", None)
        self.output_size = getattr(cell, "output_size", None)
        self.dtype = getattr(cell, "dtype", None)
        given = return_state if return_states is None else return_states
        self.return_sequences = yes_or_no(return_sequences, "return_sequences", where)
        self.return_state = yes_or_no(given, "return_state", where)
        self.return_all_states = yes_or_no(return_all_states, "return_all_states", where)
        self.reverse = yes_or_no(reverse, "reverse", where)
        self.flatten = yes_or_no(flatten, "flatten", where)
        self.start = one_of(initial_state, STARTS if known else STARTS[:1], "initial_state", where)
        self.padding = one_of(padding, PADDINGS, "padding", where)
        self.recurrent_dropout = rate(recurrent_dropout, "recurrent_dropout", where)
        if recurrent_dropout and not isinstance(cell, AffineCell):
            raise InputError("recurrent_dropout needs an RNNCell, LSTMCell or GRUCell, got "
                             f"{type(cell).__name__}", where=where)
        self.obstacle, self.room = obstacle(cell), Room()
        self.usual: Any = None
        self.usually = all(getattr(type(self), name) is getattr(Recurrent, name)
                           for name in ("steps", "check", "run", "own_state", "results",
                                        "sequence"))
        self.fused = yes_or_no(fused, "fused", where)
        if fused and self.obstacle:
            warnings.warn(f"{where}(fused=True) is computed op by op: {self.obstacle}",
                          stacklevel=3 if type(self) is not Recurrent else 2)
        self.backend = backends(backend, cell, self.obstacle, where)
        self.checkpoint_every = interval(checkpoint_every, where)
        self.draw()

    def draw(self) -> None:
        """The parameters of a learned initial state: zeros at first."""
        for name in self.cell.state_names if self.start == "learned" else ():
            first = np.zeros(self.cell.hidden_size, self.cell.dtype)
            setattr(self, f"{name}_0", parameter(first, f"{name}_0"))

    def __call__(self, xs: Any, initial_state: Any = None, *, mask: Any = None,
                 lengths: Any = None, reset_mask: Any = None, rng: Any = None) -> Any:
        if type(xs) is Tensor and (self.fused or here().fused) and self.usually \
                and initial_state is mask is lengths is reset_mask is rng is None \
                and not self.obstacle:
            found = usual_call(self, xs)
            if found is not None:
                return found
        return super().__call__(xs, initial_state, mask=mask, lengths=lengths,
                                reset_mask=reset_mask, rng=rng)

    def steps(self, xs: Any) -> Steps:
        steps = Steps(xs, dtype=self.dtype)
        steps = steps.flattened() if self.flatten else steps
        self.check(steps)
        return steps

    def run(self, steps: Steps, initial_state: Any, masks: Masks, rng: Any,
            reverse: bool = False) -> Run:
        reverse = reverse or self.reverse
        if initial_state is rng is masks.valid is masks.reset is self.checkpoint_every is None \
                and self.start == "zeros" and not (self.fused or here().fused):
            run = at_once(self.cell, steps, reverse)
            if run is not None:
                return run
        masks = masks.backwards() if reverse else masks
        batch = (steps.shape() or ())[:-1]

        def own(batch: tuple[int, ...]) -> Any:
            return self.own_state(batch, rng, -1 if reverse else 1)

        fused = (self.fused or here().fused) and not self.obstacle and len(steps) > 0
        zeros = fused and self.start == "zeros"  # need not be nodes
        state = initial_state if zeros and initial_state is None else \
            starting_state(self.cell, steps, initial_state, reverse, own)
        fresh = None
        if masks.reset is not None and not (zeros and self.checkpoint_every is None):
            same = initial_state is None and self.start != "random"  # one, also for all chunks
            fresh = state if same and state is not None else \
                starting_state(self.cell, steps, None, reverse, own)
            state = fresh if same else state
        mask = None
        if self.recurrent_dropout and rng is not None:
            mask = dropout_mask(rng, (*batch, self.cell.hidden_size), self.recurrent_dropout,
                                self.dtype)

        def along(steps: Steps, state: Any, masks: Masks, begin: Any = None) -> Any:
            if fused:
                return run_fused(self, steps, state, fresh, masks, reverse, mask, begin)
            if begin is None and not self.return_sequences:
                begin = self.shown(state)
            extra = {} if mask is None else {"recurrent_mask": mask}
            return Unrolling(self.cell, reverse=reverse, masks=masks, padding=self.padding,
                             begin=begin, fresh=fresh, extra=extra).over(steps, state)

        if self.checkpoint_every is not None and len(steps) and here().recording:
            return in_chunks(along, self.checkpoint_every, steps, state, masks, reverse,
                             self.return_sequences, self.return_all_states)
        found: Run = along(steps, state, masks)
        return found

    def directions(self) -> set[str]:
        return {"reverse" if self.reverse else "forward"}

    def own_state(self, batch: tuple[int, ...], rng: Any, sign: int) -> Any:
        """The state to start from where a call gives none."""
        cell = self.cell
        if self.start == "zeros":
            return cell.initial_state(batch, sign)
        shape = (*batch, cell.hidden_size)
        if self.start == "random":
            if rng is None:
                raise InputError("a random initial state needs a generator", where=self.title(),
                                 fix="layer(xs, rng=np.random.default_rng(0))")
            return cell.given_state(cell.joined([rng.standard_normal(shape)
                                                 for _ in cell.state_names]), batch, sign)
        now = here().step
        parts = []
        for k, name in enumerate(cell.state_names):
            with switch(step=None if now is None else now - sign * cell.lag(k)):
                learned = getattr(self, f"{name}_0")
                parts.append(ops.broadcast_to(learned, shape=shape).named(name))
        return cell.joined(parts)

    def shown(self, state: Any) -> Any:
        """What stands for the last output where there was no step: h of the initial state, or
        zeros where an output is no state."""
        if not isinstance(self.cell, Cell):
            return state
        first = self.cell.split(state)[0]
        if self.cell.output_size == self.cell.hidden_size:
            return first
        return Tensor(np.zeros((*shape_of(first)[:-1], self.cell.output_size)), dtype=self.dtype)

    def twin(self) -> Any:
        """A layer of the same settings with parameters of its own, from a spawned seed."""
        if not isinstance(self.cell, Cell):
            raise InputError(f"no twin can be made of a layer around {type(self.cell).__name__}",
                             where=self.title(), fix="Give both: (forward, backward)")
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        other.cell, other.room = self.cell.twin(), Room()
        other.draw()
        refuse_shared(other, self)
        return other

    def settings(self) -> str:
        parts = [self.cell.settings()] if isinstance(self.cell, Module) else []
        flags = ("return_sequences", "return_state", "return_all_states", "reverse", "flatten",
                 "fused")
        parts += [f"{name}=True" for name in flags if getattr(self, name)]
        parts += [f"backend={self.backend}"] * (self.backend != BACKENDS[0])
        parts += [f"initial_state={self.start}"] * (self.start != "zeros")
        parts += [f"padding={self.padding}"] * (self.padding != "repeat")
        parts += [f"recurrent_dropout={self.recurrent_dropout}"] * bool(self.recurrent_dropout)
        parts += [f"checkpoint_every={self.checkpoint_every}"] * (self.checkpoint_every is not None)
        return ", ".join(parts)
