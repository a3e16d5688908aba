"""After a hand-written backward has failed: at which lag, and at which intermediate of which step?

The question this file answers: *how far back in time is the gradient still right?*

Two ways to look. The lag map sends an impulse in at the output of one step t, and compares what
arrives at the input of every step s <= t with differences: a backward that forgets dh_next is right
at lag t - s = 0 and wrong at every other. And if the forward also runs on tensors, the engine gives
the gradient of everything in it, step by step, to all digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import ops
from ..core.gradients import grad
from ..core.graph import Node
from ..core.values import Tensor, Value
from .differences import Line, second
from .handwritten import Handwritten
from .report import Report
from .structure import is_float, leaves, rebuilt

LONGEST = 24   # steps that a lag map is made for
ROWS = 4       # differences for each of them
ALIKE = 1e-8   # two gradients of a step that differ by more, relative to the whole, are two


# --- the lag map ----------------------------------------------------------------------------------


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


# --- beside the engine ----------------------------------------------------------------------------


def beside_the_engine(problem: Handwritten, report: Report, axis: int) -> list[str]:
    """In words: where the backward and the engine part, if the forward runs on tensors."""
    run = on_tensors(problem)
    if run is None:
        return []
    total, inputs, between = run
    analytic, _ = problem.gradient(dict(problem.start))
    extras = {n: np.asarray(g, float) for n, g in problem.extras.items() if is_float(g)}
    pairs = {n: between[key] for n in extras for key in aliases(n) if key in between}
    targets = [*inputs.values(), *pairs.values()]
    exact = dict(zip([*inputs, *pairs], [np.asarray(g.value) for g in grad(total, targets)]))
    report.engine = {n: exact[n] for n in inputs}
    notes = parting({n: extras[n] for n in pairs}, exact, axis)
    for name in inputs:
        g, e = analytic[name], exact[name]
        block = report.blocks[name]
        if g.shape != e.shape or block.verdict != "FAIL" or name in problem.broken:
            continue
        apart = np.abs(g - e) > ALIKE * np.max(np.abs(e), initial=1e-300)
        block.tested, block.wrong = g.size, int(np.sum(apart)) or block.wrong
        if g.ndim > 2 and not notes:
            notes += steps_in_words(name, list(np.moveaxis(g, axis, 0)),
                                    list(np.moveaxis(e, axis, 0)))
    return notes[:2]


def on_tensors(problem: Handwritten) -> tuple[Any, dict[str, Node], dict[str, Node]] | None:
    """(the number, the inputs, what the cache holds) when the forward is given tensors; None if it
    does not take them."""
    inputs = dict[str, Node]()

    def change(name: str, x: Any) -> Any:
        if name not in problem.start:
            return x
        inputs[name] = Value(x, name=name) if isinstance(x, float) else \
            Tensor(problem.start[name], name=name, requires_grad=True)
        return inputs[name]

    try:
        with np.errstate(all="ignore"):
            out, cache = problem.run(rebuilt(problem.inputs, change))
            parts = {n: y for n, y in leaves(out).items() if n in problem.weights}
            total: Any = 0.0
            for n, y in parts.items():
                w = problem.weights[n]
                total = total + (y * float(w) if getattr(y, "is_scalar", False)
                                 else ops.sum_(y * w))
    except Exception:  # it writes into real arrays, or calls what has no rule
        return None
    if not isinstance(total, Node) or not total.requires_grad:
        return None
    between = {n: x for n, x in leaves(cache).items() if isinstance(x, Node) and x.requires_grad}
    return total, inputs, between


def aliases(name: str) -> list[str]:
    """The names in the cache that a gradient of this name may belong to: dh[3] to h[3]."""
    return [name.removeprefix(prefix) for prefix in ("d", "d_", "grad_") if name.startswith(prefix)]


def parting(given: dict[str, Any], exact: dict[str, Any], axis: int) -> list[str]:
    """Where the intermediates part, by name; members of one list (dh[0], dh[1], ...) are steps."""
    groups = dict[str, dict[int, str]]()
    notes = list[str]()
    for name in given:
        head, bracket, tail = name.rpartition("[")
        if bracket and tail[:-1].isdigit():
            groups.setdefault(head, {})[int(tail[:-1])] = name
        elif given[name].shape == exact[name].shape and given[name].ndim > 2:
            notes += steps_in_words(name, list(np.moveaxis(given[name], axis, 0)),
                                    list(np.moveaxis(exact[name], axis, 0)))
        elif not same(given[name], exact[name], exact[name]):
            notes.append(f"{name} is not what the engine has")
    for head, members in groups.items():
        order = sorted(members)
        notes += steps_in_words(head, [given[members[i]] for i in order],
                                [exact[members[i]] for i in order], order)
    return notes


def same(g: Any, e: Any, whole: Any) -> bool:
    """Whether two gradients agree, beside the largest entry there is."""
    scale = max(float(np.max(np.abs(x), initial=0.0)) for x in
                (whole if isinstance(whole, list) else [whole]))
    return np.shape(g) == np.shape(e) and bool(np.all(np.abs(g - e) <= ALIKE * scale))


def steps_in_words(name: str, given: list[Any], exact: list[Any],
                   order: list[int] | None = None) -> list[str]:
    """At which step, going back in time, the two part."""
    order = order or list(range(len(given)))
    right = [same(g, e, e) or same(g, e, exact) and not np.any(e) for g, e in zip(given, exact)]
    if all(right):
        return [f"{name} agrees with the engine at every step"]
    first = max(i for i in range(len(right)) if not right[i])
    after = order[first + 1:]
    if not after:
        return [f"{name} parts from the engine at its last step, [{order[first]}]"]
    span = f"[{after[0]}]" if len(after) == 1 else f"[{after[0]}] to [{after[-1]}]"
    return [f"{name} agrees with the engine at {span}; going back, it parts at [{order[first]}]"]
