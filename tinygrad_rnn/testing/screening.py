"""Is this gradient right, and if not, in which parameters is it wrong?

The question this file answers: *how is a gradient of any size checked in thirty evaluations?*

One random direction v over all parameters screens them at once: g · v must be the slope along v,
whatever the number of parameters. A gradient that passes is asked a second time, along another
direction; one that passes only because the bar is high, or that fails, is asked block by block.
"""

from __future__ import annotations

from .comparing import Comparison, Slopes
from .differences import second
from .report import Block

SURE = 1e-9  # a bar below this part of the gradient leaves an error of 1e-8 no room
BUDGET = 30  # evaluations for a screening, whatever the number of parameters


def screen(check: Comparison, names: list[str], localise: bool = True) -> str:
    """One direction over all blocks; each block on its own where that says too little.

    Returns a note for what belongs to no block.
    """
    check.floor = check.jitter()
    whole = check.compare(check.direction(names))
    for _ in range(2):  # not sharp: perhaps along another direction
        if whole.verdict == "inconclusive" and whole.bar < check.scale:
            whole = check.compare(check.direction(names))
    if whole.verdict == "FAIL" and not localise and confirm(check, names):
        return ""
    check.screened = check.screened or check.problem.evaluations
    if whole.verdict == "pass":
        whole = look_twice(check, names, whole)
    if whole.verdict == "pass" and whole.bar > SURE * check.scale:
        whole = look_again(check, names, whole)
    blurred = whole.bar / check.eps ** 0.25  # a gradient that small wants a closer look
    suspects = [n for n in names if whole.verdict != "pass" or 0 < check.size[n] <= blurred]
    for name in names:
        if name in suspects:
            look_at(check, check.blocks[name], whole.verdict == "pass")
        else:
            seen = check.size[name] > 0.0
            check.blocks[name].verdict = "pass" if seen else silent(check, name)
    if whole.verdict == "FAIL" and not any(b.verdict == "FAIL" for b in check.blocks.values()):
        return confirm(check, names)
    return ""


def look_twice(check: Comparison, names: list[str], first: Slopes) -> Slopes:
    """Another direction: an error may lie across the first one, and be as small as the bar.

    It costs one complex evaluation, or ten, with the steps that have served the first.
    """
    v = check.direction(names)
    if check.analytic_forward:
        again = check.compare(v, quick=True)
        count(check)
        return again
    line, rows = check.line(v), min(5, (BUDGET - check.problem.evaluations) // 2)
    again = check.judge(line, v, second(line, first.level, rows) if rows > 2 else None)
    count(check)
    return first if again.verdict == "pass" else check.compare(v)  # not sharp: a closer look


def look_again(check: Comparison, names: list[str], first: Slopes) -> Slopes:
    """Two more directions, where the bar is so high that an error of 1e-8 may lie below it in two
    directions out of two."""
    for _ in range(2):
        again = check.compare(check.direction(names))
        if again.verdict == "FAIL":
            return again
    return first


def count(check: Comparison) -> None:
    """The second direction belongs to the screening, unless a closer look came before it."""
    if check.problem.evaluations <= BUDGET:
        check.screened = check.problem.evaluations


def silent(check: Comparison, name: str) -> str:
    """The verdict of a block whose slope and gradient are both zero."""
    return "invisible" if name in check.reached else "structural zero"


def confirm(check: Comparison, names: list[str]) -> str:
    """All together failed, and no block does: believe it if another direction fails too."""
    if check.compare(check.direction(names)).verdict != "FAIL":
        return ""
    check.all("FAIL")
    return "the slope along all parameters together is wrong, by too little to say in which"


def look_at(check: Comparison, block: Block, passed: bool) -> None:
    """One block along a direction of its own. What is not sharp enough here may have `passed`
    together with the others."""
    found = check.compare(check.direction([block.name]))
    if found.verdict == "FAIL" and found.rough:  # kinks may play a trick, but hardly two
        found = check.compare(check.direction([block.name]))
    block.verdict, block.analytic, block.numeric = found.verdict, found.analytic, found.numeric
    block.error, block.bar, block.level = found.error, found.bar, found.level
    if block.verdict == "invisible":
        block.verdict = silent(check, block.name)
    elif block.verdict == "inconclusive" and passed and found.bar < check.size[block.name]:
        block.verdict = "pass"
    elif block.verdict == "inconclusive":
        block.cause = check.why(found, block.name)
