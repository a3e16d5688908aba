"""After a hand-written backward has failed: how far back in time is its gradient still right?

The question this file answers: *at which lag does the gradient go wrong?*

An impulse goes in at the output of one step t; what arrives at the input of every step s <= t is
compared with differences: a backward that forgets dh_next is right at lag t - s = 0 and wrong at
every other; one that is truncated after k steps is wrong from lag k on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .differences import Line, second
from .handwritten import Handwritten
from .report import Report
from .structure import leaves, rebuilt

LONGEST = 24   # steps that a lag map is made for
ROWS = 4       # differences for each of them
ALIKE = 1e-8   # two slopes that differ by more, relative to the largest, are two


def lags(problem: Handwritten, report: Report, axis: int) -> list[str]:
    """In words: the lags t - s at which dL_t/dx_s is wrong, or the steps where the way back is."""
    found = lag_map(problem, report, axis)
    if found is None or len(found[1]) < 2:
        return []
    name, wrong, alone = found
    if alone:
        return [f"nothing goes from one index of axis {axis} of {name} to another: is it the "
                f"batch? Then say time_axis={1 - axis if axis < 2 else 0}"]
    if not np.any(wrong):
        return []
    return [f"through {name}: {lag_words(wrong)}"]


def lag_words(wrong: Any) -> str:
    """What wrong[t, s] (s <= t) has in common."""
    t, s = np.tril_indices(len(wrong))
    is_wrong = wrong[t, s]
    first = int(np.min((t - s)[is_wrong]))
    if np.array_equal(is_wrong, t - s >= first):
        return ["wrong at every lag, from the step itself on",
                "right at lag 0, wrong at every lag >= 1: what comes from the step after is lost "
                "or wrong (dh_next)",
                f"right up to lag {first - 1}, wrong from lag {first} on: the gradient is cut "
                f"after {first} steps"][min(first, 2)]
    bad = [k for k in range(len(wrong)) if wrong[k, k]]
    if bad and np.array_equal(is_wrong, np.any([(s <= k) & (k <= t) for k in bad], axis=0)):
        return f"wrong on every way through step {shown(bad)} (from 0), right on all others"
    cut = [k for k in range(len(wrong) - 1) if wrong[k + 1, k]]
    if cut and np.array_equal(is_wrong, np.any([(s <= k) & (k < t) for k in cut], axis=0)):
        return (f"wrong wherever it goes back from step {shown([k + 1 for k in cut])} (from 0) to "
                "the one before, right within: the gradient is cut there")
    return f"wrong for {int(np.sum(is_wrong))} of {len(t)} pairs of steps, at lag {first} first"


def shown(steps: list[int]) -> str:
    """Some numbers, the first of many."""
    return ", ".join(map(str, steps[:6])) + (" ..." if len(steps) > 6 else "")


def lag_map(problem: Handwritten, report: Report, axis: int) -> tuple[str, Any, bool] | None:
    """(the input, wrong[t, s], whether t and s > t have nothing to do with each other): whether the
    gradient from output t to input s is wrong. None if no gradient of an input over time is."""
    over_time = {n: w.shape[axis] for n, w in problem.weights.items() if w.ndim > 2}
    if problem.upstream is None or len(over_time) != 1:
        return None
    ((out, T),) = over_time.items()
    names = [n for n, x in problem.start.items()
             if x.ndim > 2 and x.shape[axis] == T and n not in problem.broken
             and report.blocks[n].verdict == "FAIL"]
    if not names or T > LONGEST:
        return None
    name, rng = names[0], np.random.default_rng([report.seed, 4])
    x, level = problem.start[name], report.blocks[names[0]].level
    v = rng.choice([-1.0, 1.0], x.shape) * rng.uniform(0.5, 1.5, x.shape)
    rest = tuple(i for i in range(x.ndim) if i != axis)
    analytic = np.array([np.sum(impulse(problem, out, t, axis)[name] * v, axis=rest)
                         for t in range(T)])
    numeric = np.array([slopes_of_outputs(problem, name, out, s, axis, v, level)
                        for s in range(T)])
    value, error = numeric[..., 0].T, numeric[..., 1].T
    bar = 10.0 * error + ALIKE * np.max(np.abs(value)) * 1e-2
    alone = not np.any(np.abs(value - np.diag(np.diag(value))) > error)
    return name, np.abs(analytic - value) > bar, alone


def step_only(x: Any, t: int, axis: int) -> Any:
    """The array with zeros at every other step."""
    kept = np.zeros_like(x)
    at = (slice(None),) * axis + (t,)
    kept[at] = x[at]
    return kept


def impulse(problem: Handwritten, out: str, t: int, axis: int) -> Any:
    """The gradients when the upstream is zero but at one step."""
    whole, many = problem.upstream, isinstance(problem.upstream, (dict, list, tuple))
    problem.upstream = rebuilt(whole, lambda n, u: step_only(u, t, axis) if n == out
                               else None if u is None else 0.0 * u) \
        if many else step_only(whole, t, axis)
    try:
        return problem.gradient(dict(problem.start))[0]
    finally:
        problem.upstream = whole


def slopes_of_outputs(problem: Handwritten, name: str, out: str, s: int, axis: int, v: Any,
                      level: int) -> list[tuple[float, float]]:
    """For every t, the slope of u_t · y_t along the input of step s, and its error; with steps
    around 2^-level, the same evaluations for every t."""
    direction, known = step_only(v, s, axis), dict[float, Any]()
    u = problem.weights[out]
    rest = tuple(i for i in range(u.ndim) if i != axis)

    def outputs(h: float) -> Any:
        if h not in known:
            moved = {**problem.start, name: problem.start[name] + h * direction}
            with np.errstate(all="ignore"):
                y = leaves(problem.run(problem.copies(moved, wide=True))[0])[out]
            known[h] = np.sum(y * u, axis=rest)
        return known[h]

    found = []
    for t in range(u.shape[axis]):
        phi: Callable[[float], float] = lambda h, t=t: float(outputs(h)[t])  # type: ignore[misc]
        numeric = second(Line(phi, phi(0.0), problem.noise), level, ROWS)
        found.append((numeric.value, numeric.error) if numeric else (0.0, np.inf))
    return found
