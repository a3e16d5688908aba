"""One pass of a fused layer over a sequence: computed by a kernel, or again by the operations.

The question this file answers: *what has the node of a whole sequence to know?*

Its operands' numbers, the masks, and what its kernel left on its desk. From that it gives what
leaves through each operand, what each step gave, and, where somebody asks for the graph, the same
pass op by op.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.parts import Part
from ..core.place import switch
from .cells import RNNCell
from .fused_compiled import COMPILED
from .fused_gru import GRUKernel
from .fused_lstm import LSTMKernel
from .fused_rnn import RNNKernel
from .fused_room import Room
from .fused_slopes import PHI_OF
from .fused_trim import Trimmed
from .fused_way import Way
from .gated import GRUCell, LSTMCell
from .masking import Masks
from .sequence import Steps
from .steps_joined import first_step
from .unrolling import Unrolling, starting_state

KERNELS: dict[Callable[..., Any], tuple[type[Any], tuple[str, ...]]] = {
    # by how a cell is called: the kernel, and the activations of the cell
    RNNCell.__call__: (RNNKernel, ("activation",)),
    LSTMCell.__call__: (LSTMKernel, ("activation", "gate_activation", "output_activation")),
    GRUCell.__call__: (GRUKernel, ("activation", "gate_activation")),
}
WEIGHTS = "W_xh", "W_hh", "W", "b_h", "b_hn", "p_i", "p_f", "p_o"
ALONE = frozenset(WEIGHTS) - {"W"}


class Settled:
    """What is the same for every pass of a layer over sequences of one shape, from one place in the
    program: names of operands, kernel, direction, the steps. `only_h`: of a state of several parts
    the graph gets the first one alone, since nobody asks for another. `dtype` is that of all
    operands, if it is known to be the same. `ready` says that a kernel can take them as they are:
    of one type, each weight by itself, and the state before the first step 0."""

    __slots__ = ("B", "T", "cell", "dtype", "first", "given", "kernel", "names", "nothing",
                 "only_h", "phis", "ready", "reverse", "room", "single", "span", "way")

    def __init__(self, cell: Any, names: Sequence[str], shape: tuple[int, ...], reverse: bool,
                 room: Room, only_h: bool = False, backend: str = "numpy",
                 dtype: Any = None) -> None:
        self.only_h = only_h and len(cell.state_names) > 1
        self.cell, self.names, self.reverse, self.room = cell, tuple(names), reverse, room
        self.dtype = dtype
        self.T, self.single, self.first = shape[0], len(shape) == 2, first_step()
        self.B = 1 if self.single else shape[1]
        self.span = range(self.first, self.first + self.T)
        kernel, phis = KERNELS[type(cell).__call__]
        self.kernel = kernel if backend == "numpy" else COMPILED[kernel]
        self.phis = [PHI_OF[getattr(cell, name)] for name in phis]
        self.given, self.nothing = f"first {cell.state_names[0]}" in names, list[Any]()
        self.way = Way(self.T, reverse, room, zero=not self.given, only_h=self.only_h)
        self.ready = dtype is not None and not self.given and "W" not in names
        if self.ready:
            self.zeros(dtype)

    def zeros(self, dtype: Any) -> list[Any]:
        """The parts of a state of zeros, nobody's to write to."""
        found = self.nothing
        if not found or found[0].dtype is not dtype:
            zero = np.zeros((self.B, self.cell.hidden_size), dtype)
            zero.flags.writeable = False
            self.nothing = found = [zero] * len(self.cell.state_names)
        return found


class Pass:
    """One pass of a cell over a sequence: what is needed to go back through it, and to take it
    again op by op.

    Its operands, with the names of `settled`: x (T, B, I), the parts of the first state and of the
    state that samples start anew from (where they are not just zeros), and the weights. `values`
    are their numbers, `wanted` says which of them want a gradient. A sequence without a batch has
    B = 1 inside.
    """

    __slots__ = ("kernel", "mask", "masks", "settled", "values", "wanted")

    def __init__(self, settled: Settled, values: list[Any], wanted: list[bool], masks: Masks,
                 mask: Any = None) -> None:
        self.settled, self.values, self.wanted = settled, values, wanted
        self.masks, self.mask = masks, mask
        self.kernel: Any
        if settled.ready and masks.valid is masks.reset is mask is None:
            found = {}
            for name, value in zip(settled.names, values):  # faster than dict(zip(..)) of so few
                found[name] = value
            self.kernel = settled.kernel(values[0][:, None] if settled.single else values[0],
                                         settled.nothing, found, settled.phis, settled.way,
                                         settled.cell)
        else:
            self.kernel = self.compute(values)

    def compute(self, values: list[Any]) -> Any:
        """Forward, whatever there is to see to."""
        settled, masks, dtype = self.settled, self.masks, values[0].dtype
        for v in values:
            if v.dtype is not dtype:
                dtype = np.result_type(*values)
                values = [np.asarray(v, dtype) for v in values]
                break
        cell, found = settled.cell, dict(zip(settled.names, values))
        x = values[0][:, None] if settled.single else values[0]
        if "W" in found:
            W, I = found["W"], cell.input_size
            found |= {"W_xh": W[:, :I], "W_hh": W[:, I:]}
        shape = settled.B, cell.hidden_size
        first = self.parts_of("first ", found, shape, dtype) if settled.given else \
            settled.zeros(dtype)
        if masks.valid is masks.reset is self.mask is None:
            return settled.kernel(x, first, found, settled.phis, settled.way, cell)
        window = masks.window()
        part = slice(window.start, window.stop)
        valid, reset = (None if m is None else m.reshape(*x.shape[:2], 1)[part]
                        for m in (masks.valid, masks.reset))
        x = x[part]
        x = x if valid is None else np.where(valid, x, 0)  # whatever stands there
        mask = None if self.mask is None else np.asarray(self.mask, dtype).reshape(shape)
        way = Way(len(x), settled.reverse, settled.room, valid, reset, mask,
                  self.parts_of("fresh ", found, shape, dtype))
        run = settled.kernel(x, first, found, settled.phis, way, cell)
        return run if len(window) == settled.T else \
            Trimmed(run, window, settled.T, settled.reverse, first)

    def parts_of(self, kind: str, found: dict[str, Any], shape: tuple[int, int],
                 dtype: Any) -> list[Any]:
        """The parts of the first state, or of the one to start anew from: zeros if not given."""
        names = self.settled.cell.state_names
        if kind + names[0] not in found:
            return self.settled.zeros(dtype)
        return [found[kind + name].reshape(shape) for name in names]

    @property
    def value(self) -> Any:
        """The states of all steps: (T, B, H), or (2, T, B, H) for h and c of an LSTM."""
        value = self.kernel.value[0] if self.settled.only_h else self.kernel.value
        return value[..., 0, :] if self.settled.single else value

    # --- backward -------------------------------------------------------------------------------

    def deltas(self, g: Any) -> Any:
        """The pass backwards, for what arrives at the states."""
        return self.kernel.backward(g[..., None, :] if self.settled.single else g)

    def shares(self, g: Any) -> list[Any]:
        """What leaves through each operand, if it wants a gradient."""
        kernel, deltas, found = self.kernel, self.deltas(g), []
        for name, wanted in zip(self.settled.names, self.wanted):
            found.append(None if not wanted else kernel.gradient(name, deltas) if name in ALONE
                         else self.share(name, deltas))
        kernel.desk.back(deltas.lent)  # none of them is a view of it
        return found

    def share(self, name: str, deltas: Any) -> Any:
        """What leaves through one operand."""
        if name in ALONE:
            return self.kernel.gradient(name, deltas)
        if name == "x":
            found = self.kernel.input_gradient(deltas)
            return found[:, 0] if self.settled.single else found
        if name != "W":
            kind, _, part = name.partition(" ")
            found = (deltas.states if kind == "first" else deltas.fresh)[
                self.settled.cell.state_names.index(part)]
            # of pieces that went side by side it is a column
            return np.ascontiguousarray(found[0] if self.settled.single else found)
        return np.concatenate([self.kernel.gradient(half, deltas)
                               for half in ("W_xh", "W_hh")], 1)

    def parts(self, name: str, deltas: Any) -> list[Part] | None:
        """The same, step by step: the last use first."""
        if name == "x":
            found = self.share(name, deltas)
            first = self.settled.first
            return [Part(first + t, found[t], index=t, op="linear") for t in self.order()]
        if " " in name:
            return None
        if name == "W":
            return self.both_halves(deltas)
        uses = self.kernel.uses(name, deltas)
        op = "linear" if name.startswith("W") else "*" if name.startswith("p") else "+"
        return [Part(self.settled.first + t, d[t], None if x is None else x[t], rows, op)
                for t in self.order() for d, x, rows in reversed(uses)]

    def both_halves(self, deltas: Any) -> list[Part]:
        """The parts of one matrix W = [W_xh W_hh]."""
        I = self.settled.cell.input_size
        found = []
        for t in self.order():
            for name, columns in (("W_hh", slice(I, None)), ("W_xh", slice(0, I))):
                for d, x, rows in reversed(self.kernel.uses(name, deltas)):
                    index = (slice(None) if rows is None else rows, columns)
                    found.append(Part(self.settled.first + t, d[t], x[t], index, "linear"))
        return found

    def order(self) -> list[int]:
        """The steps that were taken, the last one first; those masked for all are not among
        them."""
        valid = self.masks.valid
        taken = [t for t in range(self.settled.T) if valid is None or valid[t].any()]
        return taken if self.settled.reverse else taken[::-1]

    # --- op by op -------------------------------------------------------------------------------

    def again(self, operands: Any) -> Sequence[Any]:
        """The same pass as operations, each at its step: the states after each step, in the order
        of time. `operands` take the places of its own; x may be given step by step."""
        found = dict(zip(self.settled.names, operands))
        cell = copy.copy(self.settled.cell)
        for name in WEIGHTS:
            if name in found:
                setattr(cell, name, found[name])
        steps = Steps(found["x"], dtype=cell.dtype)
        with switch(step=self.settled.first, span=None, fused=False):
            reverse = self.settled.reverse
            own, fresh = self.state(found, "first "), self.state(found, "fresh ")
            first = starting_state(cell, steps, own, reverse)
            if fresh is None:  # else it is of the step before the layer's first, not ours
                fresh = first if own is None else starting_state(cell, steps, None, reverse)
            extra = {} if self.mask is None else {"recurrent_mask": self.mask}
            return Unrolling(cell, reverse=reverse, masks=self.masks, fresh=fresh,
                             extra=extra).over(steps, first).states

    def state(self, operands: dict[str, Any], kind: str) -> Any:
        """The first or the fresh state among the operands; None for zeros."""
        names = [kind + name for name in self.settled.cell.state_names]
        if names[0] not in operands:
            return None
        return self.settled.cell.joined([operands[name] for name in names])
