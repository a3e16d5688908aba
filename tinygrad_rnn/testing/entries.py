"""After a failure: which entries of a gradient are wrong?

The question this file answers: *where is it wrong?*

All entries of a small block are tested one by one; of a big one, one that is found by halving, and
a sample. An entry costs one complex step, or six evaluations; all blocks together share what is
there for the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .report import Block, Entry

if TYPE_CHECKING:
    from .comparing import Comparison, Slopes
    from .problem import Arrays

ALL_ENTRIES = 32  # up to so many entries of a wrong block are tested one by one
SEARCH = 360      # evaluations for the entries of all wrong blocks together
COST = 6          # evaluations for an entry, without the complex step


def on_a_kink(check: Comparison, block: Block) -> None:
    """A block that passed as a kink: along one direction the errors of two entries may cancel."""
    every = range(block.size) if block.size <= ALL_ENTRIES else \
        check.rng.choice(block.size, ALL_ENTRIES, replace=False)
    for i in map(int, every):
        v = cut(check, block, i, i + 1)
        found = check.glance(v, block.level)
        if found.verdict not in ("pass", "kink", "invisible"):
            found = check.compare(v)
        if found.verdict == "FAIL":
            block.verdict = "FAIL"
            return


def localise(check: Comparison, wrong: list[Block]) -> None:
    """Look into every wrong block, the small ones first: what they leave is for the others."""
    left = SEARCH
    for i, block in enumerate(sorted(wrong, key=lambda b: b.size)):
        before = check.problem.evaluations
        into(check, block, left // (len(wrong) - i))
        left -= check.problem.evaluations - before


def into(check: Comparison, block: Block, allowed: int) -> None:
    """Find the wrong entries of a block that failed, the worst of them, and what they share, in
    about so many evaluations."""
    affordable = allowed if check.analytic_forward else allowed // COST
    every, first = list(range(block.size)), -1
    if block.size > min(ALL_ENTRIES, affordable):
        first = halve(check, block)
        more = min(ALL_ENTRIES, max(2, affordable - block.size.bit_length())) - 1
        sample = check.rng.choice(block.size, more, replace=False)
        every = list(dict.fromkeys([first, *map(int, sample)]))
    found = {i: check.glance(cut(check, block, i, i + 1), block.level) for i in every}
    if first >= 0 and found[first].verdict != "FAIL":
        found[first] = check.compare(cut(check, block, first, first + 1))
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
    elif not block.cause:
        block.cause = "the error is spread: no single entry shows it" \
            if block.tested == block.size else \
            f"none of the {block.tested} entries that were tested shows it"


def position(block: Block, i: int) -> tuple[int, ...]:
    """The index of the i-th entry."""
    return tuple(int(k) for k in np.unravel_index(i, block.shape))


def halve(check: Comparison, block: Block) -> int:
    """The position of a wrong entry, by halving the block while a half of it is wrong."""
    low, high = 0, block.size
    while high - low > 1:
        middle = (low + high) // 2
        if check.glance(cut(check, block, low, middle), block.level).verdict == "FAIL":
            high = middle
        else:
            low = middle
    return low


def cut(check: Comparison, block: Block, low: int, high: int) -> Arrays:
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
        digits = 9 if all(abs(s.numeric) > 1e10 * s.error for s in sharp) else 6
        return f"every wrong entry is {ratios[0]:.{digits}g} times what it should be"
    return ""
