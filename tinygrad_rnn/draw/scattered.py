"""Scattered steps: which they are, where they are not all of those between two.

The question this file answers: *how is it said in few words that a step has a loss at t = 2, 4, 6?*

A few are listed, or the few that are missing; many at equal distances are told by the first of them
and the distance; others are counted, and the tooltip lists them. Two different sets never have the
same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .labels import Run, Text, minus, roman

FEW = 4  # so many are listed
MOST_LISTED = 12  # stretches of steps in a tooltip


class Scattered:
    """Words for sets of steps, and in `lists` all steps of each: by what was said of them."""

    def __init__(self) -> None:
        self.said: dict[str, list[frozenset[int]]] = {}  # the sets that were only counted
        self.lists: dict[Text, str] = {}

    def words(self, there: Sequence[int], steps: Sequence[int], count: int,
              name: Callable[[int], str]) -> Text:
        """Which of `steps` are `there`, each called by its `name`, of a stage that has `count`."""
        missing = sorted({*steps} - {*there})
        if list(there) == [steps[0], steps[-1]]:
            return timed("", f" = {there[0]}, {name(steps[-1])}")
        if len(there) <= FEW and (len(there) <= len(missing) or at_equal_distances(there, steps)):
            return timed("", f" = {', '.join(map(name, there))}")
        if len(missing) <= FEW:
            return timed("", f" ≠ {', '.join(map(name, missing))}")
        if rhythm := at_equal_distances(there, steps):
            return timed(f"every {rhythm} ", f" from {there[0]}")
        if rhythm := at_equal_distances(missing, steps):
            return timed("all ", f" but every {rhythm} from {missing[0]}")
        said = self.counted(frozenset(there), count)
        self.lists[said] = listed(there)
        return said

    def counted(self, there: frozenset[int], count: int) -> Text:
        """How many they are; of several sets of as many, also a step that tells which one it is."""
        words = f"{len(there)} of {count} steps"
        others = self.said.setdefault(words, [])
        if there not in others:
            others.append(there)
        others = others[:others.index(there)]
        apart = []
        while others:
            step = min(there - others[0])
            apart.append(str(step))
            others = [other for other in others if step in other]
        if apart:
            return timed(f"{words}, with ", f" = {', '.join(apart)}")
        return roman(words)


def timed(before: str, after: str) -> Text:
    """Words around a t; the T in them is a number too."""
    return (*lettered(before), Run("t", "i"), *lettered(after))


def lettered(words: str) -> Text:
    """Words with every T slanted, and its primes; a - is the sign of a step."""
    parts = re.split("(T′*)", minus(words))
    return tuple(Run(part, "i" if part[0] == "T" else "") for part in parts if part)


def at_equal_distances(some: Sequence[int], steps: Sequence[int]) -> str:
    """2nd, if these are every second step up to the last one; nothing if there is no such rule."""
    far = some[1] - some[0]
    if list(some) != [*range(some[0], steps[-1] + 1, far)]:
        return ""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(far % 10, "th") if far % 100 not in (11, 12, 13) \
        else "th"
    return f"{far}{ending}"


def listed(there: Sequence[int]) -> str:
    """All of them, in stretches: t = 1–3, 7; of many stretches the first and the last."""
    stretches: list[list[int]] = []
    for step in there:
        if stretches and step == stretches[-1][1] + 1:
            stretches[-1][1] = step
        else:
            stretches.append([step, step])
    parts = [str(a) if a == b else f"{a}–{b}" for a, b in stretches]
    if len(parts) > MOST_LISTED:
        parts[MOST_LISTED - 1:-1] = ["…"]
    return minus(f"t = {', '.join(parts)}")
