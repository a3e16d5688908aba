"""The complex step: a slope without a difference, where the program lets complex numbers through.

The question this file answers: *can the derivative be read off one evaluation, to all its digits?*

    φ(x + i h v) = φ(x) + i h φ'(x)·v + O(h²)      so      φ'(x)·v = Im φ(x + i h v) / h

Nothing is subtracted, so h may be 1e-30: no truncation is left, and no rounding of a large loss.
(W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions", 1998.)
It is right only if every function on the way is analytic. `abs` is not: of x + i h v it gives
√(x² + h²v²), and the derivative is lost without a word. So the numbers go in as `Tracked` arrays,
which know the functions that are safe and refuse all others.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

H = 1e-30
ComplexWarning = np.exceptions.ComplexWarning

ANALYTIC = {
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.exp, np.expm1, np.log,
    np.log1p, np.log2, np.log10, np.sqrt, np.square, np.reciprocal, np.power, np.sin, np.cos,
    np.tan, np.sinh, np.cosh, np.tanh, np.arctan, np.arcsin, np.arcsinh, np.matmul,
    np.maximum, np.minimum,  # select one of two: complex numbers are ordered by their real parts
}
QUESTIONS = {np.greater, np.greater_equal, np.less, np.less_equal, np.isnan, np.isfinite, np.isinf}
FUNCTIONS = {
    np.dot, np.einsum, np.sum, np.mean, np.prod, np.cumsum, np.concatenate, np.stack, np.vstack,
    np.hstack, np.split, np.where, np.reshape, np.transpose, np.swapaxes, np.moveaxis, np.ravel,
    np.expand_dims, np.squeeze, np.broadcast_to, np.take, np.repeat, np.tile, np.flip, np.roll,
    np.outer, np.inner, np.tensordot, np.trace, np.diagonal, np.diag, np.max, np.amax, np.min,
    np.amin, np.argmax, np.argmin, np.zeros_like, np.ones_like, np.empty_like, np.full_like,
    np.copy, np.copyto, np.shape, np.ndim, np.size,
}


class Unsafe(Exception):
    """A function that is not analytic, or not known to be, met a complex number."""


class Watched(np.ndarray[Any, Any]):
    """An array that notes, in the list `seen`, results too small to keep their digits."""

    seen: list[str]

    def __array_finalize__(self, origin: Any) -> None:
        self.seen = getattr(origin, "seen", [])

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        kwargs = {k: tuple(map(unwatched, x)) if k == "out" else x for k, x in kwargs.items()}
        y = getattr(ufunc, method)(*map(unwatched, inputs), **kwargs)
        if not isinstance(y, (np.ndarray, np.generic)) or y.dtype.kind != "f":
            return y
        seen = next(x.seen for x in inputs if isinstance(x, Watched))
        if has_subnormals(y):
            seen.append(ufunc.__name__)
        return watched(y, seen)


def watched(x: Any, seen: list[str]) -> Any:
    """The array, noting in `seen`."""
    y = np.array(x, float).view(Watched)
    y.seen = seen
    return y


def unwatched(x: Any) -> Any:
    """The plain array behind a watched one."""
    return x.view(np.ndarray) if isinstance(x, Watched) else x


def has_subnormals(x: Any) -> bool:
    """Whether there are numbers in it between 0 and the smallest that has all its digits."""
    size = np.abs(np.asarray(x))
    return bool(np.any((size > 0.0) & (size < np.finfo(float).tiny)))


class Tracked(np.ndarray[Any, Any]):
    """A complex array that goes through analytic functions only."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if ufunc not in ANALYTIC and ufunc not in QUESTIONS:
            raise Unsafe(ufunc.__name__)
        if kwargs.get("out") is not None:
            if any(o is not None and o.dtype.kind != "c" for o in kwargs["out"]):
                raise Unsafe("out=")
            kwargs["out"] = tuple(bare(o) for o in kwargs["out"])
        return tracked(getattr(ufunc, method)(*map(bare, inputs), **kwargs))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func not in FUNCTIONS:
            raise Unsafe(func.__name__)
        return tracked(super().__array_function__(func, types, args, kwargs))

    def __getitem__(self, index: Any) -> Any:
        return tracked(super().__getitem__(index))  # a single number is a tracked array as well

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def refuse(self, *_: Any, **__: Any) -> Any:
        """What takes a complex number apart."""
        raise Unsafe("its real part was taken")

    real = imag = property(refuse)
    conj = conjugate = __float__ = __int__ = __complex__ = refuse
    round = var = std = clip = tolist = item = tobytes = refuse

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Only to another complex type."""
        return super().astype(dtype, *args, **kwargs) if np.dtype(dtype).kind == "c" \
            else self.refuse()


def bare(x: Any) -> Any:
    """The plain array behind a tracked one."""
    return x.view(np.ndarray) if isinstance(x, Tracked) else x


def tracked(x: Any) -> Any:
    """Complex results stay tracked; answers to questions are plain."""
    if isinstance(x, tuple):
        return tuple(map(tracked, x))
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "c":
        return np.asarray(x).view(Tracked)
    return x


def lifted(x: Any, v: Any | None) -> Any:
    """x + i h v as a tracked array."""
    z = np.asarray(x, complex)
    return (z if v is None else z + 1j * (H * np.asarray(v))).view(Tracked)


def complex_slope(run: Callable[[], Any], start: float, noise: float) -> float | None:
    """Im φ / h of what `run` gives for lifted parameters; None if the program is not complex-safe.

    The real part must be φ(0), the number that the program gives for real parameters.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", ComplexWarning)
            z = complex(bare(np.asarray(run())).reshape(()))
    except Exception:  # whatever a program does with numbers it was not written for
        return None
    same = abs(z.real - start) <= 1e-9 * abs(start) + 100.0 * noise
    return z.imag / H if same and np.isfinite(z.imag) else None
