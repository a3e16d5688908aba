"""Two ways for a gradient through a gated cell: straight on through a gate, or around through the
weights.

The question this file answers: *why LSTM?*

    dc_T/dc_k  =  diag(f_T f_{T-1} ... f_{k+1})  +  the rest, through h, the gates and W_hh

The first term meets no weight and no tanh': with forget gates near 1 it hardly shrinks, whatever
W_hh does to the second (Hochreiter and Schmidhuber 1997, where f is 1; Gers et al. 2000). A GRU has
the same with z_t on h.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .chain import Chain
from .closed import direct
from .sizes import singular
from .table import Table
from .verdict import steps

Array = Any


class Paths(Table):
    """dc_T/dc_{T-d} over the lags d: in `whole`, on the `direct` path alone, and the `rest`, as
    spectral norms (S + 1, B), of the part `name` of the state.

    `factors` (S, B, n) are those of the direct path at every step, and `gate` is their name.
    """

    def __init__(self, chain: Chain, name: str, gate: str, factors: Array,
                 norms: tuple[Array, Array, Array]) -> None:
        self.chain, self.name, self.gate, self.factors = chain, name, gate, factors
        self.whole, self.direct, self.rest = norms

    @property
    def title(self) -> str:  # type: ignore[override]
        c, last = self.name, self.chain.steps[-1]
        batch = f", the largest of {self.chain.samples} samples" if self.chain.samples > 1 else ""
        return (f"d{c}_{last}/d{c}_{{{last}-lag}}: straight on through {self.gate}, and the rest"
                f"{batch}")

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> list[list[str]]:
        """The table as text: lag, whole, direct, rest."""
        head = ["lag", "‖whole‖₂", f"{self.name}-path ‖Π {self.gate}‖₂", "the rest ‖·‖₂"]
        columns = [x.max(1) for x in (self.whole, self.direct, self.rest)]
        return [head, *([str(d), *(f"{x[d]:.{digits}g}" for x in columns)]
                        for d in (range(len(self)) if shown is None else shown))]

    def __len__(self) -> int:
        return len(self.whole)

    def notes(self) -> list[str]:
        return [self.verdict]

    @property
    def verdict(self) -> str:
        """How much of the gradient is left on each path, at the largest lag."""
        a, b = float(self.direct[-1].max()), float(self.rest[-1].max())
        return (f"Straight on through {self.gate}, past every weight, {a:.3g} of the gradient of "
                f"{self.name} is left after {steps(len(self.factors))}; on all other ways {b:.3g}")


def paths(chain: Chain, matrices: Array) -> Paths | None:
    """The direct path of the part of the state that has one at every step; None if none has."""
    for k in reversed(range(len(chain.names))):
        found = [direct(before, after[k], k)
                 for before, after in zip(chain.links, chain.links[1:])]
        if None in found:
            continue
        factors = np.array([f.reshape(chain.samples, -1) for f, _ in found])  # type: ignore[misc]
        return Paths(chain, chain.names[k], found[-1][1], factors,  # type: ignore[index]
                     measured(chain, k, factors, matrices))
    return None


def measured(chain: Chain, k: int, factors: Array, matrices: Array) -> tuple[Array, Array, Array]:
    """The spectral norms of the whole block, the direct product and their difference, by lag."""
    ends = [0, *np.cumsum(chain.sizes)]
    at = slice(ends[k], ends[k + 1])
    P = np.broadcast_to(np.eye(chain.size), matrices.shape[1:])
    D = np.ones(factors.shape[1:])
    norms = [(np.ones(len(D)), np.ones(len(D)), np.zeros(len(D)))]
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        for J, f in zip(matrices[::-1], factors[::-1]):
            P, D = P @ J, D * f
            block = P[:, at, at]
            rest = block - D[:, :, None] * np.eye(D.shape[1])
            norms.append((singular(block)[:, 0], abs(D).max(1), singular(rest)[:, 0]))
    whole, straight, rest = (np.array(column) for column in zip(*norms))
    return whole, straight, rest
