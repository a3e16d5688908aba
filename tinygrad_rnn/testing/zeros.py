"""Zero gradients: disconnected, zero by structure, or zero by number.

The question this file answers: *why is this gradient zero?*

    disconnected      no way leads from the loss to the node
    structural zero   every way is closed by a given value that is zero: at T = 1, W_hh is only
                      multiplied by h_0 = 0. Another point would give the same
    numeric zero      at this point every way is closed by a number: a relu that is off, a state
                      that happens to be 0. Another point may open it
    not zero          a gradient arrives
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import walk
from ..core.backprop import contributions, local, uses
from ..core.graph import Node
from ..core.guards import plain_seed
from ..core.totals import Totals
from ..core.words import describe
from .assertions import check, near
from .model import named

MOST = 4  # closed ways that are named


@dataclass(frozen=True)
class Zero:
    """Why a gradient is zero, or that it is not: `kind` and, in words, `why`. False if it is not
    zero."""

    kind: str
    why: str

    def __bool__(self) -> bool:
        return self.kind != "not zero"

    def __str__(self) -> str:
        return f"{self.kind}: {self.why}" if self.why else self.kind


def why_zero(loss: Any, x: Node) -> Zero:
    """Why the gradient of `loss` with respect to `x` is zero: see the table above."""
    check("why_zero", loss, x)
    if not walk.path(x, loss) or not x.requires_grad:
        return Zero("disconnected", f"{describe(loss)} does not depend on {describe(x)}"
                    + near(loss, x))
    toward = {x}
    for node in walk.nodes(loss):  # operands first: what depends on x
        if node.op.rules and any(operand in toward for _, operand in uses(node)):
            toward.add(node)
    arriving = Totals([(loss, plain_seed(loss, None, "why_zero()"))])
    total: Any = None
    closed: dict[tuple[Node, int], bool] = {}
    for node, position, operand, g, c in contributions(arriving, wanted=toward):
        c = local(node, position, g) if c is None else c
        if operand is x and np.any(c):
            total = c if total is None else total + c
        if np.any(g) and not np.any(c):
            closed[node, position] = given_zero(node, position)
    if total is not None and np.any(total):
        return Zero("not zero", "")
    if total is not None:
        return Zero("numeric zero", "the contributions of its uses cancel")
    if not closed:
        return Zero("numeric zero", "the gradient is lost on the way: it is too small for its "
                    "number type")
    kind = "structural zero" if all(closed.values()) else "numeric zero"
    words = list(dict.fromkeys(words_of(node, position, given)
                               for (node, position), given in closed.items()))
    more = f"; and {len(words) - MOST} more" if len(words) > MOST else ""
    return Zero(kind, "; ".join(words[:MOST]) + more)


def given_zero(node: Node, position: int) -> bool:
    """Whether a factor beside this operand was given as zero, and not computed."""
    return any(i != position and not np.any(v) and (not isinstance(o, Node) or o.is_leaf)
               for i, (o, v) in enumerate(zip(node.operands, node.values)))


def words_of(node: Node, position: int, given: bool) -> str:
    """W_hh is multiplied by h_0, which is 0 (op 'linear', step 1)."""
    where = f"op {node.op.name!r}" + ("" if node.step is None else f", step {node.step}")
    x = node.operands[position]
    name = name_of(x)
    zeros = [o for i, (o, v) in enumerate(zip(node.operands, node.values))
             if i != position and not np.any(v)]
    if zeros:
        return f"{name} is multiplied by {name_of(zeros[0])}, which is 0 ({where})"
    state = "is off" if node.op.name == "relu" else "is flat here"
    return f"{node.op.name} of {name} {state} ({where})"


def name_of(x: Any) -> str:
    """A node's name with its step, or what it is."""
    return (x.label if x.name else describe(x)) if isinstance(x, Node) else "a given value"


def assert_gets_gradient(loss: Any, params: Any, *, structural: bool = True) -> None:
    """Every one of `params` (a module, a dict, or leaves) gets a gradient from `loss`.

    A structural zero passes unless `structural=False`: at T = 1 the gradient of W_hh is zero
    because h_0 is, and nothing is wrong. Raises `AssertionError` that says of each other one why it
    is zero.
    """
    failed = []
    for name, x in named(params).items():
        zero = why_zero(loss, x)
        if zero and not (structural and zero.kind == "structural zero"):
            failed.append(f"  {name}: {zero}")
    if failed:
        raise AssertionError("expected a gradient for every parameter, got none for\n"
                             + "\n".join(failed))
