"""Hypothesis strategies for recurrent programs: sizes, sequences, lengths, masks.

The question this file answers: *does it hold for every shape, and for the empty ones too?*

    from tinygrad_rnn.testing import strategies

    @given(strategies.sizes(), strategies.seeds())
    def test_my_layer(size, seed):
        T, B, I, H = size
        ...

The edges are where programs break: 0 and 1 are among the sizes, and hypothesis shrinks to them.
Needs hypothesis, which only this file imports.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st


class Size(NamedTuple):
    """T steps, B samples, I inputs, H hidden units."""

    T: int
    B: int
    I: int
    H: int


@st.composite
def sizes(draw: Any, *, least: int = 0, T: int = 5, B: int = 3, I: int = 4, H: int = 4) -> Size:
    """A `Size` with T and B from `least` (0: no step, no sample) to the most that is given, and I
    and H from 1. `least=1` leaves out the empty ones."""
    return Size(draw(st.integers(least, T)), draw(st.integers(least, B)),
                draw(st.integers(1, I)), draw(st.integers(1, H)))


def seeds() -> Any:
    """A seed for a generator or a layer: small numbers, so that a failure can be run again."""
    return st.integers(0, 2**16 - 1)


@st.composite
def sequences(draw: Any, size: Size, dtype: Any = float) -> Any:
    """A sequence (T, B, I) of normal numbers, from a drawn seed."""
    rng = np.random.default_rng(draw(seeds()))
    return rng.normal(size=(size.T, size.B, size.I)).astype(dtype)


@st.composite
def lengths(draw: Any, size: Size) -> Any:
    """The lengths of the samples, (B,): each from 0 to T."""
    return np.array([draw(st.integers(0, size.T)) for _ in range(size.B)], int)


@st.composite
def masks(draw: Any, size: Size) -> Any:
    """A mask (T, B), True where valid: any pattern, all and none among them."""
    flat = draw(st.lists(st.booleans(), min_size=size.T * size.B, max_size=size.T * size.B))
    return np.array(flat, bool).reshape(size.T, size.B)
