"""The audit of a table of attributions: do its rows and columns add up to what a plain walk gives?

The question this file answers: *how far may two sums be apart that should be equal?*

Rounding is relative to what is added, not to what is left of it: so the measure of a row or a
column is the sum of its cells' norms, and the two walks have to agree to 1e-12 of that (float32: in
its own digits). One thing remains. A cell comes of gradients that are sums themselves, and where
large ones cancel on the way, to a millionth say, rounding is magnified a million times before it
gets to the table. That is not assumed but measured, and only where 1e-12 is not met: `condition` is
how many times a small relative change in everything that is added up on the way grows until it
arrives. (The walk is linear in what it carries, so any small change will do.) What is more than 100
roundings, so magnified, is an error after all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.backprop import contributions
from ..core.gradients import pull
from ..core.graph import Node
from ..core.hooks import retain
from ..core.parts import norm
from ..core.totals import Totals
from ..errors import GradientError
from .contribution import Contribution
from .rows import between
from .stacks import dtype, local_share, parts_by_step

if TYPE_CHECKING:
    from .attribution import Attribution

BAR, ROWS = 1e-12, 8
SHAKE, ROUNDINGS = 2.0 ** -20, 100  # the relative change; how many eps may be magnified


def audit(table: Attribution) -> tuple[float | None, float]:
    """Compare rows and columns with what plain walks give: the largest relative difference, None
    where hooks forbid to compare; and the condition, 1.0 if it did not have to be measured.

    The gradient of some losses by themselves (of eight rows, or of all); all losses together, use
    by use, as the flow of their sum gives it; and the same with random weights, which no mistake in
    a single cell survives. Raises `GradientError` for differences that rounding does not explain.
    """
    W, losses = table.W, table.losses
    if any(h is not retain for n in (W, *between([W], losses)) for h in n.hooks or ()):
        return None, 1.0
    worst, condition = max(error_of_rows(table), error_of_columns(table)), 1.0
    eps = float(np.finfo(dtype(W)).eps)
    bar = BAR * eps / np.finfo(float).eps
    if worst > bar:
        condition = magnified(table)
    if not worst <= max(bar, ROUNDINGS * eps * condition):
        raise GradientError(f"the sums of the table differ by {worst:.1g} from the gradients of "
                            "the losses", where="attribution()",
                            fix="Does a rule, or a checkpointed function, not repeat itself?")
    return worst, condition


def error_of_rows(table: Attribution) -> float:
    """Some rows, beside the gradients of their losses."""
    W, losses, worst = table.W, table.losses, 0.0
    for i in sorted({round(i) for i in np.linspace(0, len(losses) - 1, ROWS)} if losses else ()):
        seed = 1.0 if losses[i].is_scalar else np.ones_like(losses[i].value)
        row = pull(losses[i], [W], seed, graph=False).get(W, 0.0 * table.sums[i])
        worst = max(worst, apart(row, table.sums[i], table.norms[i].sum()))
    return worst


def error_of_columns(table: Attribution) -> float:
    """All columns, beside the gradient of the weighted sums of the losses."""
    worst = 0.0
    for weights, columns in zip(table.weights, table.column_sums):
        expected = in_columns(table, weights, Totals())
        for step, column, norms in zip(table.steps, columns, table.norms.T):
            worst = max(worst, apart(expected.pop(step, 0.0), column, float(weights @ norms)))
        worst = max([worst, *(np.inf for c in expected.values() if np.any(c))])
    return worst


def magnified(table: Attribution) -> float:
    """How many times a relative change of all that is added up on the way grows, until it arrives
    at a column: the largest of all columns."""
    found = 1.0
    for seed, weights in enumerate(table.weights):
        exact, shaken = (in_columns(table, weights, totals) for totals in (Totals(), Shaken(seed)))
        for step, norms in zip(table.steps, table.norms.T):
            if step in exact:
                moved = apart(exact[step], shaken[step], float(weights @ norms))
                found = max(found, moved / SHAKE)
    return found


class Shaken(Totals):
    """Totals of which every partial sum is off by a little, each entry for itself."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def __setitem__(self, x: Node, g: Any) -> None:
        factor = 1.0 - SHAKE + 2.0 * SHAKE * self.rng.integers(0, 2, np.shape(g))
        shaken = float(g * factor) if type(g) is float else np.asarray(g * factor, g.dtype)
        super().__setitem__(x, shaken)


def in_columns(table: Attribution, weights: Any, totals: Totals) -> dict[Any, Any]:
    """What a plain walk from all losses gives to each column."""
    seeds = [(x, float(s) if x.is_scalar else np.full_like(x.value, s))
             for x, s in zip(table.losses, weights)]
    found = dict[Any, Any]()
    for loss, seed in seeds:
        if loss.requires_grad:
            totals.add(loss, seed)
    used = {(use.node, use.position): (number, use) for number, use in enumerate(table.uses, 1)}
    numbered = not any(s is not None for use in table.uses for s in [use.node.step]) and not any(
        use.node.op.parts for use in table.uses)
    for node, position, _, g, c in contributions(totals):
        if (node, position) in used:
            number, use = used[node, position]
            shares = ({node.step: local_share(node, position, g) if c is None else c}
                      if node.op.parts is None else parts_by_step(node, position, g))
            for step, share in shares.items():
                share = Contribution(node, position, g, share, use.way).array()
                step = number if numbered else step
                found[step] = found[step] + share if step in found else share
    return found


def apart(a: Any, b: Any, size: float) -> float:
    """How far two sums are apart, relative to the sizes of what was added; 0 for two zeros."""
    off = norm(np.asarray(a - b, float))
    return off / size if size and np.isfinite(size) else 0.0 if off == 0 else float(off)
