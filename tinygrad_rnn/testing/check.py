"""Checking a gradient: of a graph, of one op, or of anybody's hand-written backward.

The question this file answers: *are these gradients right?*

All are the same question: here is a function of some arrays, and here is what is claimed to be its
gradient. How it is answered is in `screening`; here it is put, and the answers are gathered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.graph import Node
from ..errors import InputError
from . import entries
from .beside import beside_the_engine
from .comparing import Comparison
from .diagnosis import diagnose
from .grading import noted
from .handwritten import Handwritten
from .lags import lags
from .local import local_check
from .model import Model, named
from .problem import Problem
from .report import Report, merged
from .screening import screen
from .structure import asked
from .sweep import Sweep, swept
from .twice import same_both_ways, second_order


def check_gradients(loss_fn: Callable[[], Any], params: Any, *, order: int = 1,
                    per_sample: bool = False, seed: int = 0, localise: bool = True) -> Report:
    """Compare the gradient of `loss_fn()` with respect to `params` with differences of the loss.

        report = check_gradients(lambda: model_loss(model, xs, targets), model)
        assert report, report

    `loss_fn` takes no arguments, uses the parameters, and returns one number; `params` is a module,
    a dict, or an iterable of leaves: weights, inputs, initial states. The report is true when the
    gradient is right; printed, it says what is wrong, and where. `seed` chooses the directions: the
    same seed, the same report.

    At most 30 evaluations of the loss, for any number of parameters, when all is well, and one to
    look at the graph (a loss that is rough wants a closer look). Where the graph is analytic the
    slope comes from the complex step, to all its digits; else from differences. After a failure the
    wrong entries are searched for, and the op whose rule is wrong; `localise=False` stops at the
    verdict. Parameters in float32 are given as float64 while the loss is differenced, so that its
    rounding does not hide what is looked for; the gradient is taken in their own type. Afterwards
    the parameters hold the arrays they held before, and `.grad` is as it was.

    With `order=2` the gradient itself is differentiated and compared in the same way: the slope of
    ∇L · u, for a random u; and `tg.grad(..., create_graph=True)` has to give what `backward()`
    gives. With `per_sample=True` loss_fn returns one loss for every sample, a
    vector, and the gradient of each of them is compared.
    Raises `InputError` if there are no parameters or the loss is not a single number.
    """
    asked("check_gradients", loss_fn, seed=seed)
    leaves = named(params)
    if order not in (1, 2):
        raise InputError(f"order must be 1 or 2, got {order!r}", where="check_gradients")
    if per_sample:
        return of_every_sample(loss_fn, leaves, order, seed, localise)
    report = examined(lambda: Model(loss_fn, leaves), seed, localise)
    if report.failed and localise:
        blame(report, loss_fn, seed)
        with Model(loss_fn, leaves) as problem:
            diagnose(problem, report, seed)
    noted(report, Model(loss_fn, leaves))
    if order == 2:
        same_both_ways(loss_fn, leaves, report)
        along = second_order(loss_fn, leaves, seed)
        report = merged({"": report, " (second order)": examined(lambda: Model(along, leaves), seed,
                                                                localise)})
    return report


def check_backward(forward: Callable[..., Any], backward: Callable[..., Any], inputs: Any, *,
                   cached: bool = False, time_axis: int = 0, seed: int = 0,
                   localise: bool = True) -> Report:
    """Compare what a hand-written `backward` returns with differences of `forward`.

        report = check_backward(forward, backward, {"x": x, "W_xh": W_xh, "W_hh": W_hh})

    Any NumPy code. Both functions get `inputs` as it is given here: a dict, a tuple or an array.
    If forward returns one number, backward is called as `backward(inputs)`, else as
    `backward(inputs, upstream)`, with a random upstream gradient of the shape of the outputs.
    With `cached=True` forward returns `(out, cache)`, and backward is called as
    `backward(upstream, cache)` (1.0 for a single number). The gradients come in the structure of
    the inputs; in a dict, that of W may be called W or dW. Whole numbers and None among the inputs
    have none.

    Before a slope is compared, what is no gradient bug is named: a random forward, inputs that are
    written to, gradients that share memory, that have another shape or dtype, or are missing, and
    arrays kept between calls. After a failure the entries are searched for, and, with outputs over
    time, the lags: dL_t/dx_s for every t and s. If forward also runs on tensors, the engine's
    gradient stands beside: of the inputs and, where the cache and the gradients are dicts that
    share a name (h and dh), of what lies between, with the step where the two part. `time_axis` is
    the axis of the steps in arrays of three dimensions.
    Raises `InputError` if the functions return what cannot be read.
    """
    asked("check_backward", forward, backward, seed=seed, axis=time_axis)
    problem = Handwritten(forward, backward, inputs, cached, np.random.default_rng([seed, 1]))
    report = examined(lambda: problem, seed, localise)
    if localise and not report.spoilt and report.verdict in ("FAIL", "pass"):
        report.notes += lags(problem, report, time_axis) if report.failed else []
        report.notes += beside_the_engine(problem, report, time_axis)
    if report.failed and localise:
        diagnose(problem, report, seed)
        report.evaluations, report.gradients = problem.evaluations, problem.gradients
    noted(report, problem, time_axis)
    return report


# --- the parts ------------------------------------------------------------------------------------


def examined(make: Callable[[], Problem], seed: int, localise: bool) -> Report:
    """All comparisons that are needed, from the whole to the parts."""
    with make() as problem:
        check = Comparison(problem, seed)
        notes = problem.notes
        if not np.isfinite(check.loss):
            check.all("non-finite")
            notes.append(f"the loss is {check.loss}")
        elif check.random:
            check.all("inconclusive")
            notes.append(f"{problem.who} is not deterministic: it gave {check.loss:.10g} and then "
                         f"{check.again:.10g} at the same parameters. Draw masks and noise outside")
        else:
            compared(check, localise)
    report = Report(check.blocks, seed, problem.evaluations, problem.gradients, notes,
                    problem.spoilt, check.screened)
    report.retry = lambda: sweep(make, seed)
    if report.verdict == "invisible":
        notes.append("every gradient is zero, or too small beside the loss to be seen: "
                     "check at another point")
    return report


def compared(check: Comparison, localise: bool) -> None:
    """Screen what can be compared, and look into what fails."""
    problem, blocks = check.problem, check.blocks
    usable = [n for n in blocks if n not in check.broken and n not in problem.broken]
    note = screen(check, usable, localise) if usable else ""
    problem.notes.extend([note] if note else [])
    for name in check.broken:
        blocks[name].verdict = "non-finite"
        blocks[name].cause = "its gradient has NaN or Inf: see tg.detect_anomaly()"
    for name, (verdict, cause) in problem.broken.items():
        blocks[name].verdict, blocks[name].cause = verdict, cause
    for name in usable:
        block = blocks[name]
        if block.verdict == "kink" and block.size > 1:
            entries.on_a_kink(check, block)
        if block.verdict == "FAIL" and name not in check.reached:
            block.cause = problem.unreached
    if localise and not note:
        entries.localise(check, [blocks[n] for n in usable if blocks[n].verdict == "FAIL"])


def sweep(make: Callable[[], Problem], seed: int) -> Sweep:
    """How far the difference is from the gradient, for steps of every size."""
    with make() as problem:
        check = Comparison(problem, seed)
        v = check.direction([n for n in check.blocks if n not in check.broken])
        return swept(check.line(v), float(sum(np.sum(check.g[n] * v[n]) for n in v)))


def blame(report: Report, loss_fn: Callable[[], Any], seed: int) -> None:
    """Name the op whose rule is wrong, if it is a rule."""
    if not isinstance(loss_fn(), Node):
        return
    wrong = [b for b in local_check(loss_fn, seed=seed, each=4).blocks.values()
             if b.verdict == "FAIL"]
    report.notes += [f"the rule of {b.name} is wrong {b.cause}" for b in wrong[:2]]


def of_every_sample(loss_fn: Callable[[], Any], leaves: dict[str, Node], order: int, seed: int,
                    localise: bool) -> Report:
    """A report of all samples' reports."""
    losses = loss_fn()
    count = len(losses) if np.ndim(getattr(losses, "value", losses)) == 1 else 1
    if not count:
        raise InputError("there are no samples", where="check_gradients")
    reports = dict[str, Report]()
    for b in range(count):
        report = examined(lambda b=b: Model(loss_fn, leaves, b), seed, localise)  # type: ignore[misc]
        reports[f" (sample {b})"] = report
        if order == 2:
            one = lambda b=b: loss_fn()[b]
            same_both_ways(one, leaves, report)
            along = second_order(one, leaves, seed)
            reports[f" (sample {b}, second order)"] = examined(
                lambda f=along: Model(f, leaves), seed, localise)  # type: ignore[misc]
    return merged(reports)
