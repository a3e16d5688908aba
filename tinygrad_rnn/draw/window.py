"""The window: which steps are drawn, and where a gap stands for those that are not.

The question this file answers: *which of 100,000 steps are in view?*
"""

from __future__ import annotations

from typing import NamedTuple

from .scene import Column

EVERY = 10**9  # more steps than there are


class Window(NamedTuple):
    """The steps in view, of each stage: the first and the last ones, a slice, or `these`."""

    first: int = 3
    last: int = 3
    steps: slice | None = None
    these: frozenset[int] | None = None

    def shown(self, steps: list[int]) -> set[int]:
        """The steps in view of all of a stage's; the slice counts step numbers, not places, and
        from the end where a number is below 0."""
        if self.these is not None:
            return {*self.these.intersection(steps)}
        if self.steps is not None:
            low, high = (from_end(bound, steps) for bound in (self.steps.start, self.steps.stop))
            by = self.steps.step or 1
            chosen = [s for s in steps if (low is None or s >= low) and (high is None or s < high)]
            return set(chosen[::by])
        first, last = steps[: self.first], steps[max(len(steps) - self.last, 0):]
        return {*first, *last}


def from_end(bound: int | None, steps: list[int]) -> int | None:
    """The step that a bound below 0 means: -1 is the last. Where steps have such numbers, they are
    meant."""
    if bound is None or bound >= 0 or not steps or steps[0] < 0:
        return bound
    return steps[max(bound, -len(steps))]


def columns_of(steps: list[int], window: Window, stage: int) -> list[Column]:
    """The columns for the steps in view of one stage, with a gap wherever two or more steps are
    hidden."""
    shown = window.shown(steps)
    columns: list[Column] = []
    hidden: list[int] = []

    def close() -> None:
        if len(hidden) == 1:
            columns.append(Column(hidden[0], stage=stage))
        elif hidden:
            columns.append(Column(None, hidden=(hidden[0], hidden[-1]), count=len(hidden),
                                  stage=stage))
        hidden.clear()

    for step in steps:
        if step not in shown:
            hidden.append(step)
            continue
        close()
        columns.append(Column(step, stage=stage))
    close()
    return columns
