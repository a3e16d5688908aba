"""The first look at a hand-written pair of functions: both are called, and watched.

The question this file answers: *what can be wrong with a backward function that is no gradient
bug?*

A backward that writes to its inputs, adds up in arrays that it keeps between calls, forgets a name
or returns the wrong shape gives wrong numbers too, and no derivative is to blame. So the functions
are looked at first: what they return, and what they do to what they were given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .differences import EPS
from .problem import Arrays
from .structure import is_float, leaves, matched, outline, rebuilt

if TYPE_CHECKING:
    from .handwritten import Handwritten

WHERE = "check_backward"
NOTHING = object()  # no gradient of this name


def look(problem: Handwritten, rng: np.random.Generator) -> None:
    """Call both once, and note what is wrong before any slope is compared."""
    inputs = problem.copies(problem.start, wide=False)
    with np.errstate(all="call", call=lambda kind, _: problem.raised.add(kind)):
        out, _ = problem.run(inputs)
    problem.seen = outputs = {name: x for name, x in leaves(out).items() if is_float(x)}
    if not outputs:
        hint = "; does it return (out, cache)? Then say cached=True" \
            if isinstance(out, tuple) else ""
        raise InputError("forward must return a float or float arrays, got "
                         f"{outline(out)}{hint}", where=WHERE)
    problem.weights = {name: np.asarray(rng.choice([-1.0, 1.0], np.shape(x))
                                        * rng.uniform(0.5, 1.5, np.shape(x)))
                       for name, x in outputs.items()}
    problem.upstream = rebuilt(out, problem.as_upstream)
    if not isinstance(out, (dict, list, tuple)) and np.ndim(out) == 0:
        problem.weights, problem.upstream = {next(iter(outputs)): np.ones(np.shape(out))}, None
    changed(problem, "forward", inputs)
    narrow = [np.asarray(x).dtype for x in outputs.values()]
    if any(d.itemsize < 8 for d in narrow) and problem.eps == EPS:
        problem.notes.append(f"forward returns {narrow[0]} for float64 inputs: it computes with "
                             "half the digits")
    fresh = problem.copies(problem.start, wide=False)
    try:
        given = problem.call_backward(fresh, first=True)
    except Exception as raised:
        if not problem.cached and isinstance(out, tuple) and len(out) == 2:
            raised.add_note("check_backward: forward returned two things. If they are (out, cache),"
                            " say cached=True")
        raise
    changed(problem, "backward", fresh)
    first = inspect(problem, given, fresh)
    fresh = problem.copies(problem.start, wide=False)
    again, _ = problem.read(problem.call_backward(fresh, first=True))
    repeated(problem, first, again)
    problem.known = again


def changed(problem: Handwritten, who: str, inputs: Any) -> None:
    """Note which inputs are not what they were."""
    before = leaves(problem.copies(problem.start, wide=False))
    for name, x in leaves(inputs).items():
        if not problem.spoilt and isinstance(x, np.ndarray) and not np.array_equal(
                x, before[name], equal_nan=x.dtype.kind == "f"):
            entries = int(np.sum(x != before[name]))
            problem.spoilt = (f"{who} writes to its input {name} ({entries} of {x.size} entries "
                              "changed): work on a copy, x = x.copy(), or write x = x + ...")


def repeated(problem: Handwritten, first: Arrays, again: Arrays) -> None:
    """Note a backward that gives something else the second time."""
    for name, g in first.items():
        h = again.get(name)
        if problem.spoilt or h is None or np.array_equal(g, h, equal_nan=True):
            continue
        if np.all(np.isfinite(g)) and np.allclose(h, 2.0 * g, rtol=1e-9, atol=0.0):
            problem.spoilt = (f"the gradient of {name} doubles when backward is called again: it "
                              "is added to an array that is kept between calls; start from zeros")
        elif np.all(np.isfinite(g)):
            problem.spoilt = (f"backward is not deterministic: the gradient of {name} is another "
                              "one when it is called again with the same inputs")


def inspect(problem: Handwritten, given: Any, inputs: Any) -> Arrays:
    """Note names, shapes, dtypes and aliases that are not as they should be."""
    usable, in_order = problem.read(given)
    if in_order:
        problem.notes.append("the gradients came without names: they are read in the order of "
                             f"the inputs, {', '.join(problem.start)}")
    found = matched(problem.inputs, problem.start, given)
    for name in problem.start:
        g = found[0].get(name, NOTHING) if found else NOTHING
        words = misfit(problem, name, g)
        if words:
            problem.broken[name] = ("FAIL", words)
    aliases(problem, {n: g for n, g in (found[0] if found else {}).items() if n in usable}, inputs)
    return usable


def misfit(problem: Handwritten, name: str, g: Any) -> str:
    """Why this cannot be the gradient of `name`, or ''."""
    shape = problem.start[name].shape
    if g is NOTHING:
        others = f"; it returned {', '.join(problem.extras)} besides" if problem.extras else ""
        if "[" in name and name.partition("[")[0] in problem.extras:
            others = (f": the input {name.partition('[')[0]} is a list, and each of its members "
                      "wants one. Give an array")
        return f"backward returned no gradient of this name{others}"
    if g is None:
        return ""  # a gradient that is claimed to be zero
    kind = np.asarray(g).dtype
    if kind.kind not in "fiu":
        return f"its gradient is {outline(g)} of dtype {kind}: real numbers are expected"
    if np.shape(g) != shape:
        size, hint = np.shape(g), ""
        if size == shape[::-1]:
            hint = ": is it transposed?"
        elif len(size) > len(shape) and size[len(size) - len(shape):] == shape:
            hint = ": is it not summed over the batch (or the steps)?"
        elif np.size(g) == np.prod(shape):
            hint = ": the same entries in another shape"
        return f"its gradient has shape {size}, expected {shape}{hint}"
    if kind.kind in "iu":
        problem.notes.append(f"the gradient of {name} is {kind}: whole numbers lose the rest")
    elif kind.itemsize < problem.dtypes[name].itemsize:
        problem.eps = max(problem.eps, float(np.finfo(kind).eps))
        problem.notes.append(f"the gradient of {name} is {kind}, the input {problem.dtypes[name]}: "
                             "half of its digits are lost")
    return ""


def aliases(problem: Handwritten, found: dict[str, Any], inputs: Any) -> None:
    """Note gradients that share their memory with an input or with each other."""
    arrays = {n: g for n, g in found.items() if isinstance(g, np.ndarray) and g.size}
    given = {n: x for n, x in leaves(inputs).items() if isinstance(x, np.ndarray)}
    names = list(arrays)
    for i, name in enumerate(names):
        shared = [f"the input {n}" for n, x in given.items()
                  if np.may_share_memory(arrays[name], x)]
        shared += [f"the gradient of {n}" for n in names[:i]
                   if np.may_share_memory(arrays[name], arrays[n])]
        if shared:
            problem.notes.append(f"the gradient of {name} shares its memory with {shared[0]}: "
                                 "writing to one changes the other; return a copy")
