"""Step Jacobians: what a small change of h_{t-1} does to h_t, at every step, and over many steps.

The question this file answers: *why does a gradient vanish or explode on its way back through
time?*

    dL/dh_k = (dh_T/dh_k)ᵀ dL/dh_T        dh_T/dh_k = J_T J_{T-1} ... J_{k+1},   J_t = dh_t/dh_{t-1}

The gradient meets one Jacobian after the other. If each shrinks it by 0.66, little is left after
33: the norms of the products say so before any training does (Bengio et al. 1994; Pascanu et al.
2013).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from . import jacobian_words as words
from .chain import Chain
from .closed import ClosedForm, vanilla
from .directions import Directions, read_chains
from .onestep import matrix
from .paths import Paths, paths
from .sizes import powers, radii, singular
from .table import Table
from .verdict import lag_of, rate

Array = Any
LEVELS = (0.5, 0.1, 1e-2, 1e-3, 1e-6, 1e1, 1e3, 1e6)


def step_jacobians(states: Any) -> StepJacobians | Directions:
    """J_t = ds_t/ds_{t-1} for every step of a recurrence, from its graph.

    `states` is a list of states s_0 (if it wants a gradient), s_1, ..., s_T, each a Value, a Tensor
    (H,) or (B, H), or a tuple of such parts, like the (h, c) of an LSTM; or a layer's sequence
    (return_sequences=True); or the states of all its steps (return_all_states=True). Where c_t goes
    past h_t it is looked up in the graph. In reverse time it is dh_t/dh_{t+1}; of a bidirectional
    layer there are two recurrences, and the result is a pair, `Directions`: each by itself.

    Each J_t holds every way through its step and nothing else; samples of a batch are kept apart.
    One walk for all rows of a step. Raises `InputError` if the states do not follow from each
    other, or if samples of a batch are mixed; `GradientError` for a released graph.
    """
    found = [StepJacobians(chain, np.stack([matrix(chain, i) for i in range(1, len(chain.links))]))
             for chain in read_chains(states, "step_jacobians")]
    return found[0] if len(found) == 1 else Directions(*found)


class StepJacobians(Table):
    """The Jacobians of a chain of states. Made by `step_jacobians`; prints as a table.

    `matrices` is (S, B, N, N): S steps, B samples (1 without a batch), N entries of a state.
    `names` and `sizes` are those of its parts, `steps` the S + 1 time steps of its states. What is
    said of several samples at once is said of the one with the largest norm.
    """

    def __init__(self, chain: Chain, matrices: Array) -> None:
        self.chain, self.matrices = chain, matrices
        self.names, self.sizes, self.steps = chain.names, chain.sizes, chain.steps

    def __len__(self) -> int:
        return len(self.matrices)

    # --- matrices -------------------------------------------------------------------------------

    def to_numpy(self) -> Array:
        """All J_t: (S, B, N, N), (S, N, N) without a batch, (S,) for numbers."""
        return self.plain(self.matrices)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.to_numpy(), dtype)

    def plain(self, found: Array) -> Array:
        """Without the axes that the states do not have; a float where numbers meet."""
        if self.chain.scalar and self.chain.size == 1:
            found = found[..., 0, 0, 0]
            return found if found.ndim else float(found)
        return found if self.chain.batch else found[..., 0, :, :]

    def position(self, t: int) -> int:
        """Where the state of step t stands in the chain."""
        if not isinstance(t, (int, np.integer)) or t not in self.steps:
            raise InputError(f"expected a step from {self.steps[0]} to {self.steps[-1]}, got {t!r}",
                             where="step_jacobians")
        return self.steps.index(t)

    def jacobian(self, t: int) -> Array:
        """dh_t/dh_{t-1}: (B, N, N), (N, N) without a batch, a float for numbers. Row i: output
        i."""
        if self.position(t) == 0:
            raise InputError(f"step {t} is the first: there is no state before it",
                             where="step_jacobians")
        return self.plain(self.matrices[self.position(t) - 1])

    def __getitem__(self, t: int) -> Array:
        """`jacobian(t)`."""
        return self.jacobian(t)

    def product(self, t: int, k: int) -> Array:
        """dh_t/dh_k = J_t J_{t-1} ... J_{k+1}; the identity for t = k. Raises `InputError` if k is
        later than t."""
        last, first = self.position(t), self.position(k)
        if first > last:
            s = words.symbol(self)
            raise InputError(f"{s}_{t} comes before {s}_{k}: it does not depend on it",
                             where="step_jacobians", fix=f"product({k}, {t})")
        found = np.broadcast_to(np.eye(self.chain.size), self.matrices.shape[1:])
        for J in self.matrices[first:last][::-1]:
            found = found @ J
        return self.plain(np.array(found))

    def block(self, of: str, by: str) -> Array:
        """The part d(of)_t/d(by)_{t-1} of every J_t, such as block("h", "c"): (S, B, n, m)."""
        ends = [0, *np.cumsum(self.sizes)]
        at = [slice(ends[k], ends[k + 1]) for k in map(self.part, (of, by))]
        found = self.matrices[:, :, at[0], at[1]]
        return found if self.chain.batch else found[:, 0]

    def part(self, name: str) -> int:
        """The number of a part of the state."""
        if name not in self.names:
            raise InputError(f"expected a part of the state, {', '.join(self.names)}; got {name!r}",
                             where="step_jacobians")
        return self.names.index(name)

    # --- sizes ----------------------------------------------------------------------------------

    @cached_property
    def singular_values(self) -> Array:
        """Of every J_t, the largest first: (S, B, N); NaN where J_t is not finite."""
        return self.per_sample(singular(self.matrices))

    @cached_property
    def spectral_norms(self) -> Array:
        """‖J_t‖₂, the most that a gradient can grow at the step: (S, B)."""
        return self.singular_values[..., 0]

    @property
    def norms(self) -> Array:
        """`spectral_norms`: those that the table shows."""
        return self.spectral_norms

    @cached_property
    def frobenius_norms(self) -> Array:
        """‖J_t‖_F: (S, B)."""
        return self.per_sample(np.sqrt((self.matrices ** 2).sum((2, 3))))

    @cached_property
    def spectral_radii(self) -> Array:
        """The largest |eigenvalue| of every J_t: (S, B). If all J_t were the same, the growth a
        step in the long run."""
        return self.per_sample(radii(self.matrices))

    def per_sample(self, found: Array) -> Array:
        """(S, B, ...), without the axis of a batch where there is none."""
        return found if self.chain.batch else found[:, 0]

    @cached_property
    def powers(self) -> tuple[Array, Array]:
        """log10 of ‖dh_T/dh_{T-d}‖, spectral and Frobenius, for d = 0 ... S: (S + 1, B) each."""
        return powers(self.matrices)

    def growth(self, kind: str = "spectral") -> Array:
        """‖dh_T/dh_{T-d}‖ for the lags d = 0 ... S: (S + 1, B). `kind` is "spectral" (the most
        that a gradient can be, per its size at h_T) or "frobenius"."""
        if kind not in ("spectral", "frobenius"):
            raise InputError(f"expected 'spectral' or 'frobenius', got {kind!r}", where="growth")
        with np.errstate(over="ignore", under="ignore"):
            return self.per_sample(10.0 ** self.powers[kind == "frobenius"])

    # --- what it means --------------------------------------------------------------------------

    @cached_property
    def largest(self) -> Array:
        """log10 of the spectral growth, of the sample where it is largest: (S + 1,)."""
        return self.powers[0].max(1)

    @property
    def rate(self) -> float:
        """The factor by which the gradient of h_T shrinks or grows a step, on the average."""
        return rate(self.largest)

    def lag(self, level: float) -> int | None:
        """How many steps back the gradient of h_T is first below `level` times its size; above it,
        for a level over 1. None if it never is. `lag(1e-6)`, `lag(1e3)`."""
        number = isinstance(level, (int, float, np.number)) and not isinstance(level, bool)
        if not number or not level > 0.0 or level == 1.0:
            raise InputError(f"expected a level above 0 and not 1, got {level!r}", where="lag",
                             fix="lags([1e-3, 1e-6]) is for several" if not number else "")
        return lag_of(self.largest, float(level))

    def lags(self, levels: Iterable[float] = LEVELS) -> dict[float, int | None]:
        """The same for several levels: `lags([0.1, 1e-3, 1e3])` is {0.1: 5, 0.001: 14, 1e3: None}.
        """
        if isinstance(levels, str) or not isinstance(levels, Iterable):
            raise InputError(f"expected a list of levels, got {levels!r}", where="lags")
        return {level: self.lag(level) for level in levels}

    @property
    def verdict(self) -> str:
        """In plain words: "The gradient vanishes: it shrinks by 0.66 a step, below 1e-6 of its size
        after 33 steps"."""
        return words.verdict(self)

    @cached_property
    def closed_forms(self) -> list[ClosedForm] | str:
        """diag(φ') W for every step, (φ', W) each; or why the formula does not apply."""
        found = []
        for before, after in zip(self.chain.links, self.chain.links[1:]):
            form = vanilla(before, after)
            if isinstance(form, str):
                return form
            found.append(form)
        return found

    @cached_property
    def closed_difference(self) -> float | None:
        """The largest difference of an entry of a J_t from diag(φ'_t) W; None if there is no closed
        form."""
        if isinstance(self.closed_forms, str):
            return None
        formula = np.stack([form.matrix() for form in self.closed_forms])
        return float(abs(self.matrices - formula).max(initial=0.0))

    @cached_property
    def paths(self) -> Paths | None:
        """The direct path (c of an LSTM past all weights, z * h of a GRU) beside the rest; None if
        the recurrence has none."""
        return None if isinstance(self.closed_forms, list) else paths(self.chain, self.matrices)

    # --- how it looks ---------------------------------------------------------------------------

    @property
    def title(self) -> str:  # type: ignore[override]
        return words.title(self)

    def cells(self, digits: int = 4, shown: Sequence[int] | None = None) -> list[list[str]]:
        """The table as text: for every step the sizes of J_t, and of dh_T/dh_{t-1}."""
        return words.cells(self, digits, shown)

    def notes(self) -> list[str]:
        """The verdict, the closed form, and the direct path."""
        return words.notes(self)
