"""A gradient is wrong: which single mistake gives exactly this one?

The question this file answers: *what did I do wrong?*

The program is recognised by its numbers (`fitting`), the gradient of every classic mistake is
computed on paper (`mistaken`), and one of them equals the user's to 1e-7, or none does. Then it is
no single mistake of the list, and nothing is guessed. Where the program is not recognised, what can
be seen without knowing it is looked for (`signatures`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .differences import EPS
from .fingerprints import Arrays
from .fitting import fitted
from .handwritten import Handwritten
from .layouts import Fit
from .mistaken import all_of
from .report import Report
from .seen import arrays_seen_by, constants_of, numbers_in
from .signatures import signature
from .structure import is_float, leaves

SAME = 1e-7    # of the largest entry of an array
CLEAR = 1e-2   # and of what the mistake changes
LARGEST = 5000  # entries of gradients, above which nothing is tried


def diagnose(problem: Any, report: Report, seed: int) -> None:
    """Put what the mistake is into the report, if one mistake explains the whole gradient."""
    if report.spoilt or sum(x.size for x in problem.start.values()) > LARGEST * 20:
        return
    theirs = claimed(problem)
    if theirs is None:
        return
    fit = recognised(problem, seed)
    if fit is None:
        report.notes[:0] = signature(problem, report, theirs)
        return
    tolerance = max(SAME, 100.0 * problem.eps) if problem.eps > EPS else SAME
    with np.errstate(all="ignore"):
        found = matches(all_of(fit, problem.start), theirs, tolerance)
    report.diagnosis = in_words(fit, found)
    if not found:
        article = "an" if fit.cell.kind == "LSTM" else "a"
        report.notes.insert(0, f"this is {article} {fit.cell.name}, and no single mistake "
                            "reproduces this gradient: look for two, or an unusual one")


def in_words(fit: Fit, found: list[tuple[str, str]]) -> str:
    """The cause and what to do about it; '' if nothing was found."""
    if not found:
        return ""
    (words, fix), *others = found
    article = "an" if fit.cell.kind == "LSTM" else "a"
    article = "an" if fit.cell.kind == "LSTM" else "a"
    either = f" (the same here as one that {others[0][0]})" if others else ""
    return (f"the gradient equals that of {article} {fit.cell.name} whose backward {words}"
            f"{either}; fix: {fix}")


def claimed(problem: Any) -> Arrays | None:
    """The gradients that were given and can be compared."""
    try:
        given, _ = problem.gradient(dict(problem.start))
    except Exception:  # the functions have been called before; what they raise now is their affair
        return None
    return {n: np.asarray(g, float) for n, g in given.items()
            if n in problem.start and n not in problem.broken and np.all(np.isfinite(g))}


def recognised(problem: Any, seed: int) -> Fit | None:
    """The recurrence that the forward pass computes, if it is one of the three."""
    outs, weights = None, dict[str, Any]()
    try:
        if isinstance(problem, Handwritten):
            pool = [a for n, x in leaves(problem.inputs).items() if n not in problem.start
                    for a in numbers_in(x)] + arrays_seen_by(problem.forward)
            for part in (problem.inputs.values() if isinstance(problem.inputs, dict)
                         else problem.inputs if isinstance(problem.inputs, (list, tuple)) else ()):
                pool += numbers_in(part) if isinstance(part, (list, tuple)) else []
            if problem.upstream is not None:
                out = problem.run(problem.copies(problem.start, wide=True))[0]
                outs = {n: y for n, y in leaves(out).items() if is_float(y)}
                weights = problem.weights
        else:
            pool = constants_of(problem.run(problem.start, wide=True)[0]) \
                + arrays_seen_by(problem.loss_fn)
        return fitted(problem.start, different(pool), problem.value, outs, weights,
                      np.random.default_rng([seed, 5]))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None  # a program that can only be evaluated where it was given


def different(pool: list[Any]) -> list[Any]:
    """Each array once."""
    kept: list[Any] = []
    for x in pool:
        if not any(x.shape == y.shape and np.array_equal(x, y) for y in kept):
            kept.append(x)
    return kept


def matches(mistakes: Iterable[tuple[str, str, Arrays]], theirs: Arrays, tolerance: float = SAME
            ) -> list[tuple[str, str]]:
    """Words and fix of every mistake whose gradient is the given one; the right one comes first."""
    found = list[tuple[str, str]]()
    right: Arrays | None = None
    for words, fix, d in mistakes:
        if right is None:
            right = d
        elif equal(theirs, d, right, tolerance) and words not in [w for w, _ in found]:
            found.append((words, fix))
    return found


def equal(theirs: Arrays, wrong: Arrays, right: Arrays, tolerance: float) -> bool:
    """Whether these are the wrong gradients, and clearly not the right ones."""
    changed = False
    for name, g in theirs.items():
        if name not in wrong:
            continue
        apart = float(np.max(np.abs(g - wrong[name]), initial=0.0))
        effect = float(np.max(np.abs(right[name] - wrong[name]), initial=0.0))
        scale = max(float(np.max(np.abs(right[name]), initial=0.0)),
                    float(np.max(np.abs(wrong[name]), initial=0.0)))
        if apart > tolerance * scale or effect > 1e-12 * scale and apart > CLEAR * effect:
            return False
        changed = changed or effect > 10.0 * apart and effect > 1e-9 * scale
    return changed
