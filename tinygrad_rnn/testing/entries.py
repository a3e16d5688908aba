"""After a failure: which entries of a gradient are wrong, and at which step of time?

The question this file answers: *where is it wrong?*

All entries of a small block are tested one by one; of a big one, one that is found by halving, and
a sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .report import Block, Entry

if TYPE_CHECKING:
    from .model import Arrays
    from .screening import Screening, Slopes

ALL_ENTRIES = 32  # up to so many entries of a wrong block are tested one by one


def on_a_kink(check: Screening, block: Block) -> None:
    """A block that passed as a kink: along one direction the errors of two entries may cancel."""
    every = range(block.size) if block.size <= ALL_ENTRIES else \
        check.rng.choice(block.size, ALL_ENTRIES, replace=False)
    if any(check.compare(cut(check, block, int(i), int(i) + 1)).verdict == "FAIL" for i in every):
        block.verdict = "FAIL"


def localise(check: Screening, block: Block) -> None:
    """Find the wrong entries of a block that failed, the worst of them, and what they share."""
    every = list(range(block.size))
    if block.size > ALL_ENTRIES:
        sample = check.rng.choice(block.size, ALL_ENTRIES - 1, replace=False)
        every = list(dict.fromkeys([halve(check, block), *map(int, sample)]))
    found = {i: check.compare(cut(check, block, i, i + 1), quick=True) for i in every}
    wrong = {i: s for i, s in found.items() if s.verdict == "FAIL"}
    block.tested, block.wrong = len(found), len(wrong)
    if wrong:
        worst = max(wrong, key=lambda i: abs(wrong[i].analytic - wrong[i].numeric))
        s = wrong[worst]
        block.worst = Entry(position(block, worst), s.analytic, s.numeric, s.error)
        block.cause = block.cause or pattern(list(wrong.values()))
        block.entries = [Entry(position(block, i), s.analytic, s.numeric, s.error)
                         for i, s in wrong.items()]
    elif any(s.verdict == "kink" for s in found.values()):
        block.verdict = "kink" if block.tested == block.size else "inconclusive"
        block.cause = "the parameters are on kinks of the loss: check at another point"
    else:
        block.cause = block.cause or "the error is spread: no single entry shows it"


def position(block: Block, i: int) -> tuple[int, ...]:
    """The index of the i-th entry."""
    return tuple(int(k) for k in np.unravel_index(i, block.shape))


def halve(check: Screening, block: Block) -> int:
    """The position of a wrong entry, by halving the block while a half of it is wrong."""
    low, high = 0, block.size
    while high - low > 1:
        middle = (low + high) // 2
        if check.compare(cut(check, block, low, middle), quick=True).verdict == "FAIL":
            high = middle
        else:
            low = middle
    return low


def cut(check: Screening, block: Block, low: int, high: int) -> Arrays:
    """A direction in these entries of a block; of length 1 for a single one."""
    v = check.direction([block.name])[block.name] if high - low > 1 else np.ones(block.shape)
    flat = np.zeros(block.size)
    flat[low:high] = v.reshape(-1)[low:high]
    return {block.name: flat.reshape(block.shape)}


def pattern(wrong: list[Slopes]) -> str:
    """What all the wrong entries have in common, if it is as simple as a factor."""
    sharp = [s for s in wrong if abs(s.numeric) > 1e6 * s.error]
    if not sharp:
        return ""
    ratios = np.array([s.analytic / s.numeric for s in sharp])
    if np.all(ratios == 0.0):
        return "the gradient of every wrong entry is zero"
    if len(ratios) > 1 and np.ptp(ratios) <= 1e-6 * np.max(np.abs(ratios)):
        return f"every wrong entry is {ratios[0]:.9g} times what it should be"
    return ""


def steps(check: Screening, block: Block, axis: int) -> list[str]:
    """The verdict of every slice of a block along its time axis, at the first step first."""
    verdicts = []
    for t in range(block.shape[axis]):
        v = np.zeros(block.shape)
        at = (slice(None),) * axis + (t,)
        v[at] = check.direction([block.name])[block.name][at]
        verdicts.append(check.compare({block.name: v}, quick=True).verdict)
    return verdicts
