"""A hand-written backward beside the engine: do they agree, and if not, at which step do they part?

The question this file answers: *at which intermediate, and at which step, does it go wrong?*

If the forward also runs on tensors, the engine gives the gradient of everything in it, step by
step, to all digits: of the inputs, and of what the cache holds under names that the backward
returns gradients for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.gradients import grad
from ..core.graph import Node
from ..core.values import Tensor, Value
from .handwritten import Handwritten
from .report import Report
from .structure import is_float, leaves, rebuilt

ALL = "at every step"
ALIKE = 1e-8   # two gradients of a step that differ by more, relative to the whole, are two


def beside_the_engine(problem: Handwritten, report: Report, axis: int) -> list[str]:
    """In words: where the backward and the engine part, if the forward runs on tensors. Of a check
    that has passed, only what the differences could not see."""
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
    notes = [note for note in parting({n: extras[n] for n in pairs}, exact, axis)
             if report.failed or not note.endswith(ALL)]
    for name in inputs:
        g, e = analytic[name], exact[name]
        block = report.blocks[name]
        if g.shape != e.shape or name in problem.broken:
            continue
        apart = np.abs(g - e) > ALIKE * np.max(np.abs(e), initial=1e-300)
        if block.verdict == "pass" and np.any(apart):
            notes.append(f"{int(np.sum(apart))} of {g.size} entries of the gradient of {name} are "
                         f"not the engine's: they differ by {relative(g, e):.0e} of its largest")
        if block.verdict != "FAIL":
            continue
        block.tested, block.wrong = g.size, int(np.sum(apart)) or block.wrong
        if g.ndim > 2 and not notes:
            notes += steps_in_words(name, list(np.moveaxis(g, axis, 0)),
                                    list(np.moveaxis(e, axis, 0)))
    return notes[:2]


def relative(g: Any, e: Any) -> float:
    """The largest distance, beside the largest entry."""
    return float(np.max(np.abs(g - e)) / np.max(np.abs(e), initial=1e-300))


def on_tensors(problem: Handwritten) -> tuple[Any, dict[str, Node], dict[str, Node]] | None:
    """(the number, the inputs, what the cache holds) when the forward is given tensors; None if it
    does not take them. It is computed once."""
    if problem.graph is None:
        problem.graph = built_on_tensors(problem) or ()
    return problem.graph or None


def built_on_tensors(problem: Handwritten) -> tuple[Any, dict[str, Node], dict[str, Node]] | None:
    """The forward pass on tensors."""
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
        return [f"{name} agrees with the engine {ALL}"]
    first = max(i for i in range(len(right)) if not right[i])
    after = order[first + 1:]
    if not after:
        return [f"{name} parts from the engine at its last step, [{order[first]}]"]
    span = f"[{after[0]}]" if len(after) == 1 else f"[{after[0]}] to [{after[-1]}]"
    return [f"{name} agrees with the engine at {span}; going back, it parts at [{order[first]}]"]
