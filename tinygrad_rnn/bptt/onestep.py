"""The Jacobian of one step, for every sample, from one walk through its graph.

The question this file answers: *how is dh_t/dh_{t-1} read off the graph?*
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.graph import Node
from ..errors import InputError
from .chain import Chain
from .rows import rows

Array = Any


def matrix(chain: Chain, i: int) -> Array:
    """ds_i/ds_{i-1}, (B, N, N): seeds for all rows of all samples, in one walk.

    Row n is seeded at once in all samples, since they do not depend on each other. Whether that is
    so is looked at with one row more: random weights, for which J must say what comes.
    """
    before, after = chain.links[i - 1], chain.links[i]
    B, N = chain.samples, chain.size
    dtype = np.result_type(*(np.asarray(x.value).dtype for x in after))
    seed = np.zeros((N + 1, B, N), dtype)
    seed[:N] = np.eye(N, dtype=dtype)[:, None]
    seed[N] = np.random.default_rng(0).normal(size=(B, N))
    seeds: dict[Node, Array] = {}
    for x, part in zip(after, split(seed, chain)):
        part = part.reshape(N + 1, *np.shape(x.value))
        seeds[x] = seeds[x] + part if x in seeds else part
    found = rows(seeds, before)
    parts = [np.reshape(found[x], (N + 1, B, -1)) if x in found else np.zeros((N + 1, B, n), dtype)
             for x, n in zip(before, chain.sizes)]
    whole = np.concatenate(parts, -1)
    J = whole[:N].transpose(1, 0, 2)
    if B > 1 and not agrees(whole[N], np.einsum("bi,bij->bj", seed[N], J)):
        raise InputError(f"{chain.label(i)} of one sample depends on {chain.label(i - 1)} of "
                         "another: there is no Jacobian for each sample", where="step_jacobians",
                         fix="Take the samples one by one")
    return J


def split(seed: Array, chain: Chain) -> list[Array]:
    """An array (..., N) in the parts of the state, (..., n) each."""
    return np.split(seed, np.cumsum(chain.sizes)[:-1], axis=-1)


def agrees(a: Array, b: Array) -> bool:
    """Equal up to rounding; NaN equals NaN."""
    near = 1e-3 if a.dtype == np.float32 else 1e-8
    with np.errstate(invalid="ignore"):
        return bool(np.allclose(a, b, near, near * max(1.0, float(np.nan_to_num(abs(a)).max())),
                                equal_nan=True))
