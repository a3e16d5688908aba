"""The point at which a gradient is checked: which mistakes it hides, and a better one.

The question this file answers: *would this check notice a mistake at all?*

With zeros everywhere most mistakes give the right gradient by accident; at T = 1 there is no step
after, and with one sample a sum is a mean. A check there is green and worth little. No verdict
changes; the report says so in a note.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import walk
from ..core.backprop import local, uses
from ..core.graph import Node, constant
from ..errors import InputError
from .beside import on_tensors
from .handwritten import Handwritten
from .report import Report
from .structure import ALONE, asked, is_float, leaves, outline, rebuilt

FLAT = 0.999   # tanh beyond ±3.8: the slope is a few thousandths
SEQUENCE = "sequence"  # the op of a fused layer
PRODUCTS = ("linear", "@", SEQUENCE)
BENT = ("tanh", "sigmoid", "relu")
REARRANGED = ("sum", "+", "-", "neg", "*", "/", "stack", "concat", "reshape", "T", "[]",
              "broadcast")
PLAIN_SUM = ("the loss is a plain sum of the outputs: the same number goes back into each of them, "
             "and one taken for another is not noticed; weigh them by random numbers")


def grade(inputs: Any, *, outputs: Any = None, time_axis: int = 0) -> list[str]:
    """What makes this a bad point to check at, in words; an empty list if nothing does.

        grade({"x": x, "W_hh": W_hh, "h0": h0})

    `inputs` are as for `check_backward`; the `outputs` of the forward pass at this point, if they
    are given, are looked at for saturated units and for units that are all off.
    `time_axis` is the axis of the steps in arrays of three dimensions.
    Raises `InputError` if there is no float array in the inputs.
    """
    asked("grade", axis=time_axis)
    arrays = {n: np.asarray(x, float) for n, x in leaves(inputs).items() if is_float(x)}
    if not arrays:
        raise InputError(f"there are no float arrays in {outline(inputs)}", where="grade")
    notes = list[str]()
    zero = [n for n, x in arrays.items() if x.size and not np.any(x)]
    if any(np.any(x) for x in arrays.values()):  # a bias of zeros alone hides nothing
        zero = [n for n in zero if arrays[n].ndim > 1]
    if zero:
        notes.append(f"{', '.join(zero)} {'is' if len(zero) == 1 else 'are'} zero: products with "
                     "zero hide mistakes")
    for name, x in arrays.items():
        notes += of_one(name, x, time_axis)
    return notes + (of_outputs(outputs) if outputs is not None else [])


def of_one(name: str, x: Any, axis: int) -> list[str]:
    """What is wrong with one array."""
    if not np.any(x):
        return []
    if x.ndim == 2 and x.shape[0] == x.shape[1] > 1 and np.allclose(x, x.T, rtol=1e-9, atol=0.0):
        return [f"{name} is symmetric: its transpose in its place would not be noticed"]
    if x.ndim != 3 or axis > 1:
        return []
    T, B = x.shape[axis], x.shape[1 - axis]
    notes = []
    if T == 1:
        notes.append(f"{name} has one step only: no mistake between two steps can be seen"
                     + (", and with one sample a sum is a mean" if B == 1 else ""))
    elif B == 1:
        notes.append(f"{name} has one sample only: a sum over the batch is a mean there")
    for n, of, along in ((T, "steps", axis), (B, "samples", 1 - axis)):
        first = np.take(x, [0], axis=along)
        if n > 1 and np.array_equal(np.broadcast_to(first, x.shape), x):
            notes.append(f"{name} is the same at all {of}: one taken for another is not noticed")
    return notes


def of_outputs(outputs: Any) -> list[str]:
    """What the outputs tell about the point."""
    notes = []
    for name, y in leaves(outputs).items():
        y = np.asarray(y, float) if is_float(y) else np.zeros(0)
        if y.size < 2:
            continue
        who = "the output" if name == ALONE else f"the output {name}"
        if not np.any(y):
            notes.append(f"{who} is all zero: are all units off?")
        elif np.max(np.abs(y)) <= 1.0 and np.mean(np.abs(y) > FLAT) > 0.5:
            notes.append(f"more than half of {who} is beyond ±{FLAT}: the units are "
                         "saturated, and hardly any gradient comes through")
    return notes


def better_point(inputs: Any, *, seed: int = 0) -> Any:
    """The same structure with other numbers in its float arrays: a point that hides little.

        inputs = better_point(inputs)

    Random numbers, of size 1 in vectors and sequences and 1/√n in matrices of n columns; shapes and
    dtypes stay, and so does what is no float. Take three steps and two samples at least, of your
    own: the shapes are not changed here.
    """
    rng = np.random.default_rng(seed)

    def change(_: str, x: Any) -> Any:
        if not is_float(x):
            return x
        size = np.shape(x)
        scale = 1.0 / np.sqrt(max(size)) if len(size) == 2 and min(size) else 1.0
        fresh = scale * rng.normal(size=size)
        return np.asarray(fresh).astype(np.asarray(x).dtype) if size else float(fresh)

    return rebuilt(inputs, change)


# --- a graph: the inputs it was made with, and what its loss sends back ---------------------------


def of_graph(loss: Any) -> list[str]:
    """What a graph tells about the point: inputs that nobody differentiates by, and a plain sum."""
    if not isinstance(loss, Node) or not loss.requires_grad:
        return []
    steps, notes = dict[Any, list[Any]](), list[str]()
    for node in walk.nodes(loss):
        if node.op is constant and node.step and node.name:  # an input, step by step
            steps.setdefault((node.at.scope, node.name), []).append(node.value)
        elif node.op.name == SEQUENCE and node.a is None:    # all steps at once
            notes += of_one("x", np.asarray(node.values[0]), 0)
    for (_, name), values in steps.items():
        if len({np.shape(v) for v in values}) == 1 and np.ndim(values[0]) == 2:
            notes += of_one(name, np.stack(values), 0)
    return list(dict.fromkeys(notes)) + ([PLAIN_SUM] if is_plain_sum(loss) else [])


def is_plain_sum(loss: Node) -> bool:
    """Whether the loss sends the same number into every entry of what the model gives.

    The way back from the loss is followed through sums, means, factors and rearrangements, to the
    first operations that are more than that: products with a weight, or steps of a recurrence.
    """
    arriving: dict[Node, Any] = {loss: np.ones(np.shape(loss.value))}
    listed = walk.nodes(loss)
    stamped = any(node.step for node in listed)
    for node in reversed(listed):
        g = arriving.pop(node, None)
        if g is None or not node.op.rules:
            continue
        ways = list(uses(node))
        if node.op.name in REARRANGED and (len(ways) == 1 or node.op.name not in ("*", "/")):
            shares = local(node, 0, g) if node.op.joint else None
            for i, x in ways:
                c = shares[i] if shares else local(node, i, g)
                arriving[x] = arriving.get(x, 0.0) + np.asarray(c)
        elif is_constant(g) and (node.op.name in PRODUCTS
                                 or (node.step if stamped else node.op.name in BENT)):
            return True
    return False


def is_constant(g: Any) -> bool:
    """Whether all entries of an array of several that are not zero are the same."""
    return np.ndim(g) > 1 and np.size(g) > 1 and bool(np.any(g) and np.ptp(g[g != 0.0]) == 0.0)


def noted(report: Report, problem: Any, axis: int = 0) -> None:
    """Add to the notes of a report what its point hides, and what to do."""
    found = grade(dict(problem.start), outputs=getattr(problem, "seen", None), time_axis=axis)
    with problem:
        found += [note for note in of_graph(graph_of(problem)) if note not in found]
    report.evaluations = max(report.evaluations, problem.evaluations)
    if not found:
        return
    more = f" (and {len(found) - 2} more)" if len(found) > 2 else ""
    fix = "" if found == [PLAIN_SUM] else \
        ". Check at random numbers, with 3 steps and 2 samples or more" + (
            ": better_point()" if isinstance(problem, Handwritten) else "")
    report.notes.append(f"a point that hides mistakes: {'; '.join(found[:2])}{more}{fix}")


def graph_of(problem: Any) -> Any:
    """The graph that is checked, or the one of a hand-written loss that runs on tensors."""
    if not isinstance(problem, Handwritten):
        return problem.run(problem.start, wide=True)[0]
    if problem.upstream is not None:  # it gets a random one
        return None
    run = on_tensors(problem)
    return run[0] if run else None
