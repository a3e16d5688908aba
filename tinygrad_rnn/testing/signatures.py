"""What a wrong gradient looks like when nothing is known about the program.

The question this file answers: *can one see from the numbers alone what was done to them?*

The right gradient comes from the engine or from differences. The given one may be a multiple of it
(-1, 2, 1/B, 1/T: a mean for a sum), its transpose, zero, clipped, shifted, or, where the program
runs on tensors, the part of some of the steps in which a shared weight is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.backprop import contributions
from ..core.totals import Totals
from .beside import on_tensors
from .differences import Line, second
from .handwritten import Handwritten
from .report import Block, Report

Arrays = dict[str, Any]
SEARCH = 400   # evaluations for the right gradients, all blocks together
ROWS = 4       # differences for an entry, where there is no complex step
ALIKE = 1e-6   # of the largest entry; differences are not sharper than that


def signature(problem: Any, report: Report, theirs: Arrays) -> list[str]:
    """In words, what the wrong gradients have in common with the right ones (at most two)."""
    wrong = {n: b for n, b in report.blocks.items() if b.verdict == "FAIL" and n in theirs}
    right, left = dict[str, Any](), SEARCH
    for name, block in sorted(wrong.items(), key=lambda item: item[1].size):
        before = problem.evaluations
        if (found := exact(problem, report, block, left)) is not None:
            right[name] = found
        left -= problem.evaluations - before
    right = {name: right[name] for name in wrong if name in right}
    if not right:
        return []
    same = everywhere(problem, {n: theirs[n] for n in right}, right)
    if same and len(right) > 1:
        names = "every gradient that is wrong" if len(right) > 3 else \
            "the gradient of " + ", ".join(right)
        return [f"{names} is {same}"]
    parts = by_use(problem, {n: theirs[n] for n in right}, right)
    said = []
    for name, e in right.items():
        words = parts.get(name) or of_one(problem, theirs[name], e)
        said += [f"the gradient of {name} is {words}"] if words else []
    return said[:2]


def exact(problem: Any, report: Report, block: Block, allowed: int) -> Any:
    """The right gradient of a block: the engine's, or by differences if these are affordable."""
    if block.name in report.engine:
        return np.asarray(report.engine[block.name], float)
    found, start = np.zeros(block.shape), dict(problem.start)
    here, smooth = problem.value(start), True
    for index in np.ndindex(*block.shape):
        v = np.zeros(block.shape)
        v[index] = 1.0
        if block.size * (1 if smooth else 2 * ROWS) > allowed:
            return None
        value = problem.complex_slope({block.name: v}, here) if smooth else None
        smooth = value is not None
        if value is None:
            line = Line(lambda h, v=v: problem.value(  # type: ignore[misc]
                {**start, block.name: start[block.name] + h * v}), here, problem.noise)
            numeric = second(line, block.level, ROWS)
            value = None if numeric is None else numeric.value
        if value is None:
            return None
        found[index] = value
    return found


def alike(a: Any, b: Any) -> bool:
    """Whether two arrays agree, beside their largest entry."""
    scale = max(float(np.max(np.abs(a), initial=0.0)), float(np.max(np.abs(b), initial=0.0)))
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= ALIKE * scale))


def everywhere(problem: Any, given: Arrays, right: Arrays) -> str:
    """A factor that all the wrong gradients have, or ''."""
    words = {multiple(problem, given[n], right[n]) for n in right}
    return words.pop() if len(words) == 1 else ""


def multiple(problem: Any, g: Any, e: Any) -> str:
    """Which known multiple of `e` this is, or ''."""
    size = float(np.sum(e * e))
    if not size:
        return ""
    c = float(np.sum(g * e)) / size
    if not alike(g, c * e) or abs(c - 1.0) < ALIKE or c == 0.0:
        return ""
    for factor, words in known_factors(problem):
        if abs(c - factor) <= ALIKE * abs(factor):
            return words
    return f"{c:.6g} times the right one"


def known_factors(problem: Any) -> list[tuple[float, str]]:
    """Factors that are more than numbers."""
    found = [(-1.0, "the right one with the wrong sign"),
             (2.0, "twice the right one: is a ½ forgotten?"),
             (0.5, "half the right one: is a 2 forgotten?")]
    lengths: dict[int, str] = {}
    for name, x in sorted(problem.start.items(), key=lambda item: -item[1].ndim):
        for axis, n in enumerate(x.shape):
            if n > 1:
                lengths.setdefault(n, f"axis {axis} of {name}")
    pairs = {n * m: f"{a} and {b}" for n, a in lengths.items() for m, b in lengths.items()
             if a < b}
    for n, where in [*lengths.items(), *((n, w) for n, w in pairs.items() if n not in lengths)]:
        found.append((1.0 / n, f"the right one divided by {n} (a mean for a sum over {where}?)"))
        found.append((float(n), f"{n} times the right one (a sum for a mean over {where}?)"))
    return found


def of_one(problem: Any, g: Any, e: Any) -> str:
    """What one array has to do with the right one, or ''."""
    if not np.any(g):
        return "zero, and should not be"
    words = multiple(problem, g, e)
    if words:
        return words
    if g.ndim == 2 and g.shape == e.shape[::-1] and alike(g, e.T):
        return "the right one, transposed"
    off = np.abs(g - e) > ALIKE * float(np.max(np.abs(e)))
    limit = float(np.max(np.abs(g)))
    if off.any() and np.all(np.abs(e[off]) > limit * (1 - ALIKE)) \
            and alike(np.clip(e, -limit, limit), g):
        return f"the right one, clipped to ±{limit:.6g}: clip after the check"
    for axis in range(g.ndim):
        for shift in (1, -1):
            if g.shape[axis] > 2 and alike(np.roll(e, shift, axis), g):
                return f"the right one, shifted by one along axis {axis}"
    if g.ndim > 2:
        return along_the_steps(g, off)
    return ""


def along_the_steps(g: Any, off: Any) -> str:
    """Whole steps that are zero, the rest right."""
    for axis in (0, 1):
        rest = tuple(i for i in range(g.ndim) if i != axis)
        zero, bad = ~np.any(g, axis=rest), np.any(off, axis=rest)
        if bad.any() and np.array_equal(bad, bad & zero):
            steps = np.flatnonzero(bad)
            if list(steps) == list(range(len(steps))):
                return f"missing before step {len(steps)} (counted from 0 along axis {axis})"
            return f"missing at {', '.join(map(str, steps[:6]))} along axis {axis}"
    return ""


def by_use(problem: Any, given: Arrays, right: Arrays) -> dict[str, str]:
    """Of weights that are used many times: whether only some of the uses were counted."""
    run = on_tensors(problem) if isinstance(problem, Handwritten) else None
    if run is None:
        return {}
    loss, inputs, _ = run
    nodes = {x: n for n, x in inputs.items() if n in right}
    parts: dict[str, list[Any]] = {n: [] for n in right}
    arriving = Totals()
    arriving.add(loss, 1.0 if loss.is_scalar else np.ones(np.shape(loss.value)))
    for _, _, x, _, c in contributions(arriving):
        if x in nodes and c is not None:
            parts[nodes[x]].append(np.asarray(c, float))
    return {n: words for n, p in parts.items()
            if len(p) > 2 and all(c.shape == right[n].shape for c in p)
            and (words := some_of(given[n], p[::-1]))}


def some_of(g: Any, parts: list[Any]) -> str:
    """Which of the parts, in the order of time, add up to `g`."""
    T = len(parts)
    for words, t in (("first", 0), ("last", T - 1)):
        if alike(g, parts[t]) and np.any(g):
            return f"the {words} step's contribution alone, of {T} (`=` for `+=`?)"
    total, behind = np.sum(parts, axis=0), np.zeros_like(g)
    for k in range(1, T):
        behind = behind + parts[k - 1]
        if alike(g, total - behind) and not alike(g, total):
            return f"without the contributions of the first {k} of its {T} uses"
        if alike(g, behind) and not alike(g, total):
            return f"without the contributions of the last {T - k} of its {T} uses"
    return ""
