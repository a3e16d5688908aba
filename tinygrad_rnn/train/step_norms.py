"""How large the gradient of a state is at each time step, update by update.

The question this file answers: *how far back does the gradient reach, and since when?*

    watch = train.Watch(model, states="h")
    flow = tg.gradient_flow(loss, keep="norms")     in the place of loss.backward()
    watch.update(flow)
    watch.steps.table("h")                          one row per update, one column per time step
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from ..bptt.flow import GradientFlow
from ..errors import InputError

VANISHED = 1e-6  # of the largest: what is left of a gradient that is as good as none
COLUMNS = 7      # so many time steps are printed

Warn = Callable[[str, str, int | None], None]


class StepNorms:
    """The norms ‖∂L/∂h_t‖ of the states `names`, for the last `keep` updates: two numbers for each
    update and time step, whatever the size of the states."""

    def __init__(self, names: Sequence[str], keep: int) -> None:
        self.names = tuple(names)
        self.rows: dict[str, deque[tuple[int, Any, Any]]] = {
            name: deque(maxlen=keep) for name in self.names}  # update, steps, norms

    def note(self, update: int, flow: GradientFlow, warn: Warn) -> None:
        """Read the norms of one update off its flow, and warn of what is wrong with them."""
        for name in self.names:
            sizes = newest(flow, name)
            self.rows[name].append((update, np.array([*sizes]), np.array([*sizes.values()])))
            judge(name, sizes, warn)

    def steps(self, name: str) -> list[int]:
        """Every time step that occurs in what is remembered."""
        if name not in self.rows:
            raise InputError(f"no norms per step are kept of {name!r}; of these they are: "
                             f"{', '.join(self.names) or 'none'}", where="Watch.steps",
                             fix=f"train.Watch(model, states={name!r})")
        return sorted({int(t) for _, steps, _ in self.rows[name] for t in steps})

    def table(self, name: str) -> Any:
        """The norms, one row per remembered update and one column per step of `steps(name)`; NaN
        where an update had no such step."""
        column = {t: i for i, t in enumerate(self.steps(name))}
        found = np.full((len(self.rows[name]), len(column)), np.nan)
        for row, (_, steps, norms) in zip(found, self.rows[name]):
            row[[column[int(t)] for t in steps]] = norms
        return found

    def table_of(self, name: str, shown: Sequence[int]) -> tuple[str, list[list[str]]]:
        """The table as text, with its title: some of the updates, some of the steps."""
        steps, table = self.steps(name), self.table(name)
        n = len(steps)
        some = range(n) if n <= COLUMNS else [i * (n - 1) // (COLUMNS - 1) for i in range(COLUMNS)]
        short = name.rpartition("/")[2]
        body = [[str(self.rows[name][r][0]), *(size(table[r, i]) for i in some)] for r in shown]
        return (f"‖∂L/∂{short}_t‖" + (f" of {name}" if short != name else ""),
                [["update", *(f"{short}_{steps[i]}" for i in some)], *body])


def newest(flow: GradientFlow, name: str) -> dict[int, float]:
    """`flow.norms(name)`; of several windows in one graph (a history that was not cut), the last.

    Raises `InputError` as `flow.norms` does.
    """
    scope, _, short = name.rpartition("/")
    named = [n for n in flow.arrived
             if n.name == short and n.step is not None and (not scope or n.scope == scope)]
    if not named or len({n.scope for n in named}) > 1 or any(n.at.span for n in named):
        return flow.norms(name)
    named.sort(key=attrgetter("order"))
    at = {n.step: n for n in named if n.step is not None}
    return {t: flow.norm(at[t]) for t in sorted(at)}


def size(x: float) -> str:
    """A norm; nothing where there is none."""
    return "" if math.isnan(x) else f"{x:.3g}"


def judge(name: str, sizes: dict[int, float], warn: Warn) -> None:
    """Warn of a gradient that is not finite at some step, or as good as none.

    A step with a gradient of exactly 0 is padding, or has no part in the loss: it is left out.
    """
    lost = [t for t, x in sizes.items() if not math.isfinite(x)]
    if lost:
        warn(f"steps {name}", f"the gradient of {name} is not finite from step {max(lost)} back",
             max(lost))
        return
    some = {t: x for t, x in sizes.items() if x}
    if some:
        low, high = (f(some, key=lambda t: some[t]) for f in (min, max))
        if some[low] < VANISHED * some[high]:
            warn(f"vanishes {name}", f"the gradient of {name} vanishes: at step {low} it is "
                 f"{some[low] / some[high]:.0e} of what it is at step {high}", low)
