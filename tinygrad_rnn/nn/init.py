"""First values of weights. All randomness comes from a `numpy.random.Generator`, never from global
state.

The question this file answers: *which numbers does a weight start from?*
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError, ShapeError
from .options import number

Init = Callable[[np.random.Generator, tuple[int, ...], int], Any]


def uniform(rng: np.random.Generator, shape: tuple[int, ...], hidden: int) -> Any:
    """U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch's recurrent layers."""
    bound = 1.0 / np.sqrt(max(hidden, 1))
    return rng.uniform(-bound, bound, shape)


def glorot(rng: np.random.Generator, shape: tuple[int, ...], hidden: int) -> Any:
    """U(-a, a) with a = sqrt(6 / (rows + columns)) (Glorot and Bengio 2010); a bias starts at 0."""
    if len(shape) < 2:
        return np.zeros(shape)
    bound = np.sqrt(6.0 / max(sum(shape), 1))
    return rng.uniform(-bound, bound, shape)


def by_gate(make: Callable[[int, int], Any], shape: tuple[int, ...], hidden: int) -> Any:
    """A matrix of several gates (G H, n), made gate by gate: `make(H, n)` for each."""
    rows, columns = shape
    if hidden and rows > hidden and rows % hidden == 0:
        return np.concatenate([make(hidden, columns) for _ in range(rows // hidden)])
    return make(rows, columns)


def orthogonal(rng: np.random.Generator, shape: tuple[int, ...], hidden: int) -> Any:
    """Orthonormal rows or columns (Saxe et al. 2014): every singular value is 1. A bias starts at
    0.

    A gated cell's matrix is made orthogonal gate by gate.
    """
    if len(shape) < 2:
        return np.zeros(shape)

    def make(rows: int, columns: int) -> Any:
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diag(r))  # without this the draw would favour some directions
        return q if rows >= columns else q.T

    return by_gate(make, shape, hidden)


def identity(rng: np.random.Generator, shape: tuple[int, ...], hidden: int) -> Any:
    """Ones on the diagonal, gate by gate (Le et al. 2015, for W_hh with relu). A bias starts at
    0."""
    return np.zeros(shape) if len(shape) < 2 else by_gate(np.eye, shape, hidden)


def normal(rng: np.random.Generator, shape: tuple[int, ...], hidden: int) -> Any:
    """Standard normal numbers, as in PyTorch's embedding. A bias starts at 0."""
    return np.zeros(shape) if len(shape) < 2 else rng.standard_normal(shape)


def zeros(rng: np.random.Generator, shape: tuple[int, ...], hidden: int) -> Any:
    """0 everywhere."""
    return np.zeros(shape)


def spectral(radius: float, init: str | Init = "uniform") -> Init:
    """`init`, with every square matrix scaled so that its largest |eigenvalue| is `radius`, gate by
    gate.

        nn.RNN(4, 3, init_hh=nn.init.spectral(0.9))

    Over many steps a linear recurrence grows or dies like radius ** t (Jaeger 2001).
    """
    radius = number(radius, "a spectral radius", "init.spectral", least=0.0)
    base = find(init, "init.spectral")

    def scaled(rng: np.random.Generator, shape: tuple[int, ...], hidden: int) -> Any:
        values = base(rng, shape, hidden)
        if len(shape) < 2 or shape[1] != hidden:
            return values
        gates = values.reshape(-1, hidden, hidden)
        largest = np.abs(np.linalg.eigvals(gates)).max(-1)[:, None, None]
        return (gates * (radius / np.where(largest == 0, 1.0, largest))).reshape(shape)

    return scaled


INITS: dict[str, Init] = {"uniform": uniform, "glorot": glorot, "orthogonal": orthogonal,
                          "identity": identity, "normal": normal, "zeros": zeros}


def values(init: Init, rng: np.random.Generator, shape: tuple[int, ...], hidden: int, dtype: Any,
           name: str, where: str) -> Any:
    """The first values of the parameter `name`. Raises `ShapeError` if they have another shape, and
    `InputError` if they are no real numbers."""
    given = init(rng, shape, hidden) if takes_three(init) else None
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        got = f"a function that does not take these three: {init!r}" if given is None else \
            f"numbers that are not finite for {name}" if array.dtype.kind in "fiub" else \
            f"{type(given).__name__} for {name}"
        raise InputError(f"expected init(rng, shape, hidden) to return an array of numbers, got "
                         f"{got}", where=where)
    array = array.astype(dtype, copy=False)
    if array.shape != shape:
        raise ShapeError(f"expected {getattr(init, '__name__', 'init')}(rng, shape, hidden) to "
                         f"return {name} of shape {shape}, got {array.shape}", where=where)
    return array


def takes_three(init: Init) -> bool:
    """Whether it can be called as init(rng, shape, hidden); what does not say is taken to."""
    try:
        inspect.signature(init).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:  # a builtin
        return not isinstance(init, type)
    return True


def generator(seed: Any, where: str, argument: str = "seed") -> np.random.Generator:
    """The generator of a seed: a number, a generator itself, or None for fresh entropy."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise InputError(f"expected {argument} to be a whole number of at least 0, a numpy.random."
                         f"Generator or None, got {seed!r}", where=where) from None


def find(init: str | Init, where: str) -> Init:
    """The initialiser of that name, or the function itself: `init(rng, shape, hidden_size) ->
    array`."""
    if callable(init):
        return init
    if not isinstance(init, str) or init not in INITS:
        raise InputError(f"expected init to be one of {', '.join(INITS)} or a function, "
                         f"got {init!r}", where=where)
    return INITS[init]
