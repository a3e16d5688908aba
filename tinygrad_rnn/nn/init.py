"""First values of weights. All randomness comes from a `numpy.random.Generator`, never from global
state.

The question this file answers: *which numbers does a weight start from?*
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError

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


def orthogonal(rng: np.random.Generator, shape: tuple[int, ...], hidden: int) -> Any:
    """Orthonormal rows or columns (Saxe et al. 2014): every singular value is 1; a bias starts at
    0.

    A taller matrix of several (H, H) blocks, a gated cell's W_hh, is made orthogonal block by
    block.
    """
    if len(shape) < 2:
        return np.zeros(shape)
    rows, columns = shape
    if hidden and rows > hidden and rows % hidden == 0:
        blocks = rows // hidden
        return np.concatenate([orthogonal(rng, (hidden, columns), 0) for _ in range(blocks)])
    q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
    q = q * np.sign(np.diag(r))  # without this the draw would favour some directions
    return q if rows >= columns else q.T


INITS: dict[str, Init] = {"uniform": uniform, "glorot": glorot, "orthogonal": orthogonal}


def find(init: str | Init, where: str) -> Init:
    """The initialiser of that name, or the function itself: `init(rng, shape, hidden_size) ->
    array`."""
    if callable(init):
        return init
    if init not in INITS:
        raise InputError(f"expected init to be one of {', '.join(INITS)} or a function, "
                         f"got {init!r}", where=where)
    return INITS[init]
