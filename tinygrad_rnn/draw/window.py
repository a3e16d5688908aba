"""The window: which steps are drawn, and where a gap stands for those that are not.

The question this file answers: *which of 100,000 steps are in view?*
"""

from __future__ import annotations

from typing import NamedTuple

from .scene import Column

EVERY = 10**9  # more steps than there are


class Window(NamedTuple):
    """The steps in view, of each stage: the first and the last ones, or those of a slice."""

    first: int = 3
    last: int = 3
    steps: slice | None = None

    def shown(self, steps: list[int]) -> set[int]:
        """The steps in view of all of a stage's; the slice counts step numbers, not places."""
        if self.steps is not None:
            low, high, by = self.steps.start, self.steps.stop, self.steps.step or 1
            chosen = [s for s in steps if (low is None or s >= low) and (high is None or s < high)]
            return set(chosen[::by])
        first, last = steps[: self.first], steps[max(len(steps) - self.last, 0):]
        return {*first, *last}


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
