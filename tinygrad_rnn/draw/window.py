"""The window: which steps are drawn, and where a gap stands for those that are not.

The question this file answers: *which of 100,000 steps are in view?*
"""

from __future__ import annotations

from bisect import bisect_left
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
    shown, columns, after = sorted(window.shown(steps)), list[Column](), 0
    for at in [*(bisect_left(steps, step) for step in shown), len(steps)]:
        hidden = at - after  # so many lie before this step and after the one before
        if hidden == 1:
            columns.append(Column(steps[after], stage=stage))
        elif hidden:
            columns.append(Column(None, hidden=(steps[after], steps[at - 1]), count=hidden,
                                  stage=stage))
        if at < len(steps):
            columns.append(Column(steps[at], stage=stage))
        after = at + 1
    return columns
