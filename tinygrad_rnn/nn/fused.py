"""Fused layers: a whole sequence as one node of the graph, forward and backward by hand.

The question this file answers: *what if I want the gradient only, and want it fast?*

By default a layer records every operation of every step. With `fused=True`, or inside
`tg.fused()`, it records one node: the states of all steps. Its rule is backpropagation through time
as one would write it by hand (`fused_rnn`, `fused_lstm`, `fused_gru`), to rounding (1e-12) what the
operations give. Nothing is lost: `open_fused(loss)` puts the operations back (`fused_open`), and a
second derivative goes through them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..core import ops
from ..core.gradients import pull
from ..core.graph import Node, Op, constant, given, make
from ..core.inplace import LENT, settle
from ..core.parts import Part
from ..core.place import caller, here, switch
from ..core.values import Tensor
from .cells import AffineCell, RNNCell
from .fused_gru import GRUKernel
from .fused_lstm import LSTMKernel
from .fused_rnn import RNNKernel
from .fused_slopes import Phi, phi_of
from .fused_way import Way
from .gated import GRUCell, LSTMCell
from .masking import Masks
from .sequence import Steps, Whole, first_step, join
from .unrolling import Unrolling, starting_state

KERNELS: dict[Callable[..., Any], tuple[str, ...]] = {  # by how a cell is called: its activations
    RNNCell.__call__: ("activation",),
    LSTMCell.__call__: ("activation", "gate_activation", "output_activation"),
    GRUCell.__call__: ("activation", "gate_activation"),
}
WEIGHTS = "W_xh", "W_hh", "W", "b_h", "b_hn", "p_i", "p_f", "p_o"


def obstacle(cell: Any) -> str:
    """Why a layer around this cell cannot be fused; '' if it can."""
    if not isinstance(cell, AffineCell) or type(cell).__call__ not in KERNELS:
        return f"{type(cell).__name__} is not an RNNCell, LSTMCell or GRUCell"
    for name in KERNELS[type(cell).__call__]:
        if phi_of(getattr(cell, name)) is None:
            return f"the slope of its {name} cannot be told from its value"
    return ""


class Pass:
    """One pass of a cell over a sequence: what is needed to go back through it, and to take it
    again op by op.

    `values` and `nodes` are its operands by name: x (T, B, I), the parts of the first state and of
    the state that samples start anew from (where they are not just zeros), and the weights. A
    sequence without a batch has B = 1 inside.
    """

    def __init__(self, cell: Any, operands: dict[str, Any], masks: Masks, reverse: bool,
                 mask: Any) -> None:
        self.cell, self.masks, self.reverse, self.mask = cell, masks, reverse, mask
        self.first = first_step()
        for x in operands.values():
            if isinstance(x, Node) and x.params is LENT:  # the user may still hold its array
                settle(x)
        self.names = list(operands)
        self.values = {name: x.value if isinstance(x, Node) else x for name, x in operands.items()}
        self.span = range(self.first, self.first + len(self.values["x"]))
        self.single = self.values["x"].ndim == 2
        self.wanted: list[bool] = []
        self.kernel = self.compute()

    def compute(self) -> Any:
        """Forward."""
        dtype = np.result_type(*self.values.values())
        batched = {name: np.asarray(v, dtype) for name, v in self.values.items()}
        x, weights = batched["x"], {k: batched[k] for k in WEIGHTS if k in batched}
        x = x[:, None] if self.single else x
        valid, reset = (None if m is None else m.reshape(*x.shape[:2], 1)
                        for m in (self.masks.valid, self.masks.reset))
        x = x if valid is None else np.where(valid, x, 0)  # whatever stands there
        if "W" in weights:
            W = weights.pop("W")
            weights |= {"W_xh": W[:, :self.cell.input_size], "W_hh": W[:, self.cell.input_size:]}
        zeros = np.zeros((x.shape[1], self.cell.hidden_size), dtype)
        first, fresh = ([batched[k + name].reshape(zeros.shape) if k + name in batched else zeros
                         for name in self.cell.state_names] for k in ("first ", "fresh "))
        mask = None if self.mask is None else np.asarray(self.mask, dtype).reshape(zeros.shape)
        way = Way(len(x), self.reverse, valid, reset, mask, fresh)
        return self.kernel_of()(x, first, weights, phis_of(self.cell), way)

    def kernel_of(self) -> Callable[..., Any]:
        """The kernel for this cell."""
        if isinstance(self.cell, GRUCell):
            return partial(GRUKernel, reset_after=self.cell.reset_after)
        return LSTMKernel if isinstance(self.cell, LSTMCell) else RNNKernel

    @property
    def value(self) -> Any:
        """The states of all steps: (T, B, H), or (2, T, B, H) for h and c of an LSTM."""
        value = self.kernel.value
        return value[..., 0, :] if self.single else value

    # --- backward -------------------------------------------------------------------------------

    def deltas(self, g: Any) -> Any:
        """The pass backwards, for what arrives at the states."""
        return self.kernel.backward(g[..., None, :] if self.single else g)

    def share(self, name: str, deltas: Any) -> Any:
        """What leaves through one operand."""
        if name == "x":
            found = self.kernel.input_gradient(deltas)
            return found[:, 0] if self.single else found
        kind, _, part = name.partition(" ")
        if part:
            found = (deltas.states if kind == "first" else deltas.fresh)[
                self.cell.state_names.index(part)]
            return found[0] if self.single else found
        if name == "W":
            return np.concatenate([self.kernel.gradient(half, deltas)
                                   for half in ("W_xh", "W_hh")], 1)
        return self.kernel.gradient(name, deltas)

    def parts(self, name: str, deltas: Any) -> list[Part] | None:
        """The same, step by step: the last use first."""
        if name == "x":
            found = self.share(name, deltas)
            return [Part(self.first + t, found[t], index=t, op="linear") for t in self.order()]
        if " " in name:
            return None
        if name == "W":
            return self.both_halves(deltas)
        uses = self.kernel.uses(name, deltas)
        op = "linear" if name.startswith("W") else "*" if name.startswith("p") else "+"
        return [Part(self.first + t, d[t], None if x is None else x[t], rows, op)
                for t in self.order() for d, x, rows in reversed(uses)]

    def both_halves(self, deltas: Any) -> list[Part]:
        """The parts of one matrix W = [W_xh W_hh]."""
        I = self.cell.input_size
        found = []
        for t in self.order():
            for name, columns in (("W_hh", slice(I, None)), ("W_xh", slice(0, I))):
                for d, x, rows in reversed(self.kernel.uses(name, deltas)):
                    index = (slice(None) if rows is None else rows, columns)
                    found.append(Part(self.first + t, d[t], x[t], index, "linear"))
        return found

    def order(self) -> list[int]:
        """The steps that were taken, the last one first; those masked for all are not among
        them."""
        T = len(self.values["x"])
        taken = [t for t in range(T) if self.masks.missing(t) is None or self.masks.valid[t].any()]
        return taken if self.reverse else taken[::-1]

    # --- op by op -------------------------------------------------------------------------------

    def again(self, operands: Any) -> Sequence[Any]:
        """The same pass as operations, each at its step: the states after each step, in the order
        of time. `operands` take the places of its own; x may be given step by step."""
        found = dict(zip(self.names, operands))
        cell = copy.copy(self.cell)
        for name in WEIGHTS:
            if name in found:
                setattr(cell, name, found[name])
        steps = Steps(found["x"], dtype=cell.dtype)
        with switch(step=self.first, span=None, fused=False):
            first, fresh = (starting_state(cell, steps, self.state(found, kind), self.reverse)
                            for kind in ("first ", "fresh "))
            extra = {} if self.mask is None else {"recurrent_mask": self.mask}
            return Unrolling(cell, reverse=self.reverse, masks=self.masks, fresh=fresh,
                             extra=extra).over(steps, first).states

    def state(self, operands: dict[str, Any], kind: str) -> Any:
        """The first or the fresh state among the operands; None for zeros."""
        names = [kind + name for name in self.cell.state_names]
        if names[0] not in operands:
            return None
        return self.cell.joined([operands[name] for name in names])


def phis_of(cell: Any) -> list[Phi]:
    """The activations of a cell that has no obstacle."""
    found = (phi_of(getattr(cell, name)) for name in KERNELS[type(cell).__call__])
    return [phi for phi in found if phi is not None]


def through_time(g: Any, y: Any, *operands: Any, run: Pass) -> list[Any]:
    """The rule: by hand; and where a graph of the gradient is wanted, through the operations."""
    if not isinstance(y, Node):
        deltas = run.deltas(g)
        return [run.share(name, deltas) if wanted else None
                for name, wanted in zip(run.names, run.wanted)]
    x = operands[0]
    sliced = Whole(x, "x", run.span) if isinstance(x, Node) else x  # slices, to end at x itself
    states = run.again([sliced, *operands[1:]])
    parts = [join([run.cell.split(s)[k] for s in states])
             for k in range(len(run.cell.state_names))]
    result = parts[0] if len(parts) == 1 else ops.stack(*parts, axis=0)
    targets = [x for x in operands if isinstance(x, Node) and x.requires_grad]
    totals = pull(result, targets, g, graph=True, until=set(targets))
    return [totals.get(x) if isinstance(x, Node) else None for x in operands]


def step_by_step(g: Any, y: Any, *operands: Any, run: Pass) -> list[list[Part] | None]:
    """What each step gave to each operand."""
    deltas = run.deltas(g)
    return [run.parts(name, deltas) if wanted else None
            for name, wanted in zip(run.names, run.wanted)]


SEQUENCE = Op("sequence", rules=(through_time,), joint=True, parts=step_by_step,
              doc="The states of a recurrent layer at all steps, as one node: see nn/fused.py.")


def record(run: Pass, operands: list[Any]) -> Any:
    """The node of a pass, covering its steps."""
    place = here().but(span=run.span, step=None)
    if place.sites:
        place = place.but(site=caller())
    nodes = [x if isinstance(x, Node) else None for x in operands]
    run.wanted = [x is not None and x.requires_grad for x in nodes]
    if place.recording and any(run.wanted):
        pairs = list(zip(nodes, run.values.values()))
        (a, u), (b, v) = pairs[:2]
        node = make(Tensor, SEQUENCE, run.value, a, b, u, v, place)
        node.rest, node.params = tuple(pairs[2:]), {"run": run}
    else:
        node = given(Tensor, run.value, place, constant)
    for watch in place.watchers:
        watch.node(node, SEQUENCE, tuple(operands))
    return node
