"""How large matrices are, and products of many of them: singular values, radii, norms by lag.

The question this file answers: *how large is a product of a thousand Jacobians?*
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def powers(matrices: Array) -> tuple[Array, Array]:
    """log10 of the norms of J_S ... J_{S-d+1} for d = 0 ... S factors, spectral and Frobenius:
    (S + 1, B) each, of matrices (S, B, N, N).

    The product is kept between 1/2 and 1 by powers of two, which are exact, so that nothing is lost
    to overflow and underflow.
    """
    P = np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape[1:])
    exponent = np.zeros(len(P), int)
    logs = []
    for J in (None, *matrices[::-1]):
        P = P if J is None else P @ J
        top = abs(P).max((1, 2), initial=0.0)
        e = np.where(np.isfinite(top), np.frexp(top)[1], 0)
        P, exponent = np.ldexp(P, -e[:, None, None]), exponent + e
        sizes = singular(P)[:, 0], np.sqrt((P ** 2).sum((1, 2)))
        with np.errstate(divide="ignore", invalid="ignore"):
            logs.append([np.log10(s) + exponent * np.log10(2.0) for s in sizes])
    spectral, frobenius = (np.array(column) for column in zip(*logs))
    return spectral, frobenius


def radii(J: Array) -> Array:
    """The largest |eigenvalue| of matrices (..., N, N); NaN for one that is not finite."""
    found = np.full(J.shape[:-2], np.nan)
    finite = np.isfinite(J).all((-2, -1))
    found[finite] = abs(np.linalg.eigvals(J[finite])).max(-1, initial=0.0)
    return found


def singular(J: Array) -> Array:
    """The singular values of matrices (..., N, N); NaN for one that is not finite."""
    found = np.full(J.shape[:-1], np.nan)
    finite = np.isfinite(J).all((-2, -1))
    found[finite] = np.linalg.svd(J[finite], compute_uv=False)
    return found
