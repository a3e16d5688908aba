"""Fused layers: a whole sequence as one node of the graph, forward and backward by hand.

The question this file answers: *what if I want the gradient only, and want it fast?*

By default a layer records every operation of every step. With `fused=True`, or inside
`tg.fused()`, it records one node: the states of all steps. Its rule is backpropagation through time
as one would write it by hand (`fused_rnn`, `fused_lstm`, `fused_gru`), to rounding (1e-12) what the
operations give. Nothing is lost: `open_fused(loss)` puts the operations back (`fused_open`), and a
second derivative goes through them.
"""

from __future__ import annotations

from typing import Any

from ..core import ops
from ..core.gradients import pull
from ..core.graph import Node, Op
from ..core.parts import Part
from ..core.totals import Totals
from .cells import AffineCell
from .fused_pass import KERNELS, Pass
from .fused_slopes import phi_of
from .steps_joined import Whole, join


def obstacle(cell: Any) -> str:
    """Why a layer around this cell cannot be fused; '' if it can."""
    if not isinstance(cell, AffineCell) or type(cell).__call__ not in KERNELS:
        return f"{type(cell).__name__} is not an RNNCell, LSTMCell or GRUCell"
    for name in KERNELS[type(cell).__call__][1]:
        if phi_of(getattr(cell, name)) is None:
            return f"the slope of its {name} cannot be told from its value"
    return ""


def through_time(g: Any, y: Any, *operands: Any, run: Pass, loops: Any = None) -> list[Any]:
    """The rule: by hand; and where a graph of the gradient is wanted, through the operations."""
    if not isinstance(y, Node):
        return run.shares(g)
    x = operands[0]
    cell, span = run.settled.cell, run.settled.span
    sliced = Whole(x, "x", span) if isinstance(x, Node) else x  # slices, to end at x itself
    states = run.again([sliced, *operands[1:]])
    parts = [join([cell.split(s)[k] for s in states]) for k in range(len(cell.state_names))]
    alone = run.settled.only_h or len(parts) == 1
    result = parts[0] if alone else ops.stack(*parts, axis=0)
    targets = [x for x in operands if isinstance(x, Node) and x.requires_grad]
    totals = pull(result, targets, g, graph=True, until=set(targets))
    return [totals.pop(x, None) if isinstance(x, Node) else None for x in operands]  # each once


def step_by_step(g: Any, y: Any, *operands: Any, run: Pass,
                 loops: Any = None) -> list[list[Part] | None]:
    """What each step gave to each operand."""
    deltas = run.deltas(g)
    return [run.parts(name, deltas) if wanted else None
            for name, wanted in zip(run.settled.names, run.wanted)]


def add_up(node: Any, g: Any, arriving: Totals) -> None:
    """By hand, where nobody looks on."""
    run = node.params["run"]
    arriving.give_all(node, run.shares(g), g.dtype is run.settled.dtype)


SEQUENCE = Op("sequence", rules=(through_time,), joint=True, sums=add_up, parts=step_by_step,
              doc="The states of a recurrent layer at all steps, as one node: see nn/fused.py. "
              "`loops` are the compiled functions for a head and a loss, if there are few numbers.")
