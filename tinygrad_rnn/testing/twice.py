"""The second order: the gradient as a function of its own, with a gradient to be checked.

The question this file answers: *is the gradient of the gradient right?*

∇L · u, for a random u, is one number that depends on the parameters. Its gradient (the Hessian
times u) is compared with differences of it, as that of any loss; and the gradient it is made of,
the one with `create_graph=True`, has to be the one that `backward()` gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import ops
from ..core.gradients import grad
from ..core.graph import Node
from ..core.values import Value
from .comparing import FINE, Comparison
from .entries import position
from .model import Model
from .report import Entry, Report

OTHER = "tg.grad(..., create_graph=True) gives another gradient than backward()"


def second_order(loss_fn: Callable[[], Any], leaves: dict[str, Node],
                 seed: int) -> Callable[[], Any]:
    """∇L · u for a fixed random u, as a loss."""
    rng = np.random.default_rng([seed, 3])
    us = [rng.choice([-1.0, 1.0], np.shape(p.value)) * rng.uniform(0.5, 1.5, np.shape(p.value))
          for p in leaves.values()]

    def along() -> Any:
        slopes = as_nodes(loss_fn(), leaves)
        total: Any = 0.0
        for g, u in zip(slopes, us):
            total = total + (g * float(u) if g.is_scalar else ops.sum_(g * u))
        return total if slopes else Value(0.0)

    return along


def as_nodes(loss: Any, leaves: dict[str, Node]) -> list[Any]:
    """The gradients with a graph of their own; none for a loss that has no gradient."""
    if not isinstance(loss, Node) or not loss.requires_grad:
        return []
    ones = None if np.ndim(loss.value) == 0 else np.ones_like(loss.value)
    return list(grad(loss, list(leaves.values()), ones, create_graph=True))


def same_both_ways(loss_fn: Callable[[], Any], leaves: dict[str, Node], report: Report) -> None:
    """Compare the gradient that has a graph with that of `backward()`, entry by entry. They are
    computed in another order, and so they may differ by rounding: by as much as they move when the
    parameters do, by one ulp."""
    with Model(loss_fn, leaves) as problem:
        check = Comparison(problem, report.seed)
        floor = check.jitter()
        loss, _ = problem.run(problem.start, wide=False)
        for (name, block), g in zip(report.blocks.items(), as_nodes(loss, leaves)):
            a, b = check.g[name], np.array(g.value, float)
            size = float(np.max(np.abs(a), initial=0.0))
            off = np.abs(a - b)
            if name in check.broken or np.all(
                    off <= 10.0 * floor[name] + max(FINE, 1e3 * check.eps) * size):
                continue
            i = int(np.argmax(off))
            block.verdict, block.cause = "FAIL", OTHER
            block.worst = Entry(position(block, i), float(a.flat[i]), float(b.flat[i]),
                                floor[name])
        report.evaluations += problem.evaluations
        report.gradients += problem.gradients + 1
