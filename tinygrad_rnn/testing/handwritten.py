"""Somebody's own forward and backward, in NumPy: called with copies, and asked for slopes.

The question this file answers: *how are two functions of anybody's made into one number and its
gradient?*

The inputs may be a dict, a tuple, an array; what comes out is weighed with a random upstream. What
the functions do besides is looked at once, before any slope is compared: see `firstlook`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError
from . import firstlook
from .complexstep import complex_slope, lifted, watched
from .differences import EPS
from .firstlook import WHERE
from .problem import Arrays
from .structure import is_float, leaves, matched, outline, rebuilt


class Handwritten:
    """`forward` and `backward` as a function of the float arrays in `inputs`, and its gradient.

    What is differentiated is the sum of upstream times output, one number. For a forward that
    returns a single number that is the number itself.
    """

    who = "forward"
    unreached = "the output changes with it, and backward gives None for its gradient"

    def __init__(self, forward: Callable[..., Any], backward: Callable[..., Any], inputs: Any,
                 cached: bool, rng: np.random.Generator) -> None:
        self.forward, self.backward, self.inputs, self.cached = forward, backward, inputs, cached
        self.evaluations = self.gradients = 0
        self.noise, self.notes, self.extras = 0.0, list[str](), dict[str, Any]()
        self.broken = dict[str, tuple[str, str]]()
        self.spoilt, self.raised = "", set[str]()
        self.seen = self.weights = Arrays()  # the outputs, and what each is weighed with
        self.upstream: Any = None           # the weights as backward gets them; None for a loss
        self.graph: Any = None              # of the forward on tensors, once it was tried
        self.known: Arrays | None = None  # the gradient at the start, when it is known
        self.values = list[float]()       # and the function there
        self.plain = type(inputs) is dict and all(
            isinstance(n, str) and isinstance(x, np.ndarray) for n, x in inputs.items())
        given = {name: x for name, x in leaves(inputs).items() if is_float(x)}
        if not given:
            raise InputError(f"there are no float arrays in the inputs, {outline(inputs)}",
                             where=WHERE, fix="Whole numbers have no gradient: use x.astype(float)")
        self.start = {name: np.array(x, float) for name, x in given.items()}
        self.dtypes = {name: np.asarray(x).dtype for name, x in given.items()}
        self.eps = max(float(np.finfo(dtype).eps) for dtype in self.dtypes.values())
        firstlook.look(self, rng)

    def __enter__(self) -> Handwritten:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was changed: the functions were given copies."""

    # --- calls ------------------------------------------------------------------------------------

    def copies(self, arrays: Arrays, wide: bool) -> Any:
        """The inputs with these numbers, every array a fresh copy."""
        if self.plain and wide:  # what nearly everybody gives, without a detour
            return {n: np.array(arrays[n]) if n in arrays else np.copy(x)
                    for n, x in self.inputs.items()}

        def change(name: str, x: Any) -> Any:
            if name in arrays:
                dtype = float if wide else self.dtypes[name]
                return float(arrays[name]) if isinstance(x, float) else \
                    np.array(arrays[name], dtype)
            return x.copy() if isinstance(x, np.ndarray) else x

        return rebuilt(self.inputs, change)

    def run(self, inputs: Any) -> tuple[Any, Any]:
        """(outputs, cache) of the forward."""
        self.evaluations += 1
        out = self.forward(inputs)
        if not self.cached:
            return out, None
        if not isinstance(out, tuple) or len(out) != 2:
            raise InputError(f"with cached=True forward returns (out, cache), got {outline(out)}",
                             where=WHERE)
        return out[0], out[1]

    def total(self, out: Any) -> Any:
        """The one number that is differentiated."""
        if self.upstream is None and np.ndim(out) == 0:
            return out
        found = {name: x for name, x in leaves(out, "").items() if name in self.weights}
        if found.keys() != self.weights.keys() or any(
                np.shape(x) != self.weights[n].shape for n, x in found.items()):
            raise InputError("forward returned another structure or shape than the first time, "
                             f"{outline(out)}", where=WHERE)
        return sum(np.sum(x * self.weights[n]) for n, x in found.items())

    def value(self, arrays: Arrays) -> float:
        """Upstream times output there, in float64."""
        if arrays is self.start and self.values:
            return self.values.pop()  # the first look has been here
        with np.errstate(all="ignore"):
            return self.measured(self.run(self.copies(arrays, wide=True))[0])

    def measured(self, out: Any) -> float:
        """Upstream times output; the terms may be much larger than their sum, and so the
        rounding."""
        if self.upstream is None and np.ndim(out) == 0:
            return float(out)
        size = float(sum(np.abs(x * self.weights[n]).sum() for n, x in leaves(out).items()
                         if n in self.weights))
        if np.isfinite(size):
            self.noise = max(self.noise, EPS * size)
        return float(self.total(out))

    def complex_slope(self, v: Arrays, start: float) -> float | None:
        """The slope along `v` by the complex step, or None."""
        def change(name: str, x: Any) -> Any:
            if name in self.start:
                return lifted(self.start[name], v.get(name))
            return x.copy() if isinstance(x, np.ndarray) else x

        return complex_slope(lambda: self.total(self.run(rebuilt(self.inputs, change))[0]),
                             start, self.noise)

    def subnormal(self) -> bool:
        """Whether the forward computes numbers that are too small to keep their digits."""
        seen = list[str]()

        def change(name: str, x: Any) -> Any:
            return watched(self.start[name], seen) if name in self.start else x

        with np.errstate(all="ignore"), contextlib.suppress(Exception):  # it may not take them
            self.run(rebuilt(self.inputs, change))
            return bool(seen)
        return True

    def call_backward(self, inputs: Any, first: bool = False) -> Any:
        """What backward returns, after a forward with the same inputs."""
        with np.errstate(all="ignore"):
            out, cache = self.run(inputs)
            self.gradients += 1
            if self.eps == EPS and len(self.values) < 2 and first:
                self.values.append(self.measured(out))
            if self.cached:
                return self.backward(self.seed(), cache)
            return self.backward(inputs) if self.upstream is None else \
                self.backward(inputs, self.seed())

    def seed(self) -> Any:
        """The upstream gradient: a copy, since backward may write to it."""
        return 1.0 if self.upstream is None else rebuilt(
            self.upstream, lambda _, x: x.copy() if isinstance(x, np.ndarray) else x)

    def gradient(self, arrays: Arrays) -> tuple[Arrays, set[str]]:
        """What backward says, by name, and the names that it speaks of."""
        if arrays is self.start and self.known is not None:
            found, self.known = self.known, None  # the first look has just asked
        else:
            found, _ = self.read(self.call_backward(self.copies(arrays, wide=False)))
        zeros = {name: np.zeros(x.shape) for name, x in self.start.items()}
        return {**zeros, **found}, set(found) | set(self.broken)

    def as_upstream(self, name: str, x: Any) -> Any:
        """The weight of one output, in the output's own type."""
        if not is_float(x):
            return None
        return self.weights[name].astype(np.asarray(x).dtype) if np.ndim(x) \
            else float(self.weights[name])

    def read(self, given: Any) -> tuple[Arrays, bool]:
        """The gradients by the name of their input, those that can be used."""
        pairs = matched(self.inputs, self.start, given)
        if pairs is None:
            raise InputError("backward must return gradients in the structure of the inputs, "
                             f"{outline(self.inputs)}; got {outline(given)}", where=WHERE)
        found, self.extras, in_order = pairs
        return {name: np.array(g, float) for name, g in found.items()
                if g is not None and np.asarray(g).dtype.kind in "fiu"
                and np.shape(g) == self.start[name].shape}, in_order
