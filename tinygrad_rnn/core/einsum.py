"""Products of arrays over any axes, in one row: einsum.

The question this file answers: *what is the gradient of a product of arrays, written as einsum?*

An einsum sends back an einsum: swap the letters of the operand with those of the result.

    y_bj = Σ_i h_bi W_ij   "bi,ij->bj"            ∂L/∂W_ij = Σ_b g_bj h_bi   "bj,bi->ij"
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError, UnsupportedError
from .ops import Array, primitive
from .protocol import bare

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

def _einsum(*xs: Array, subscripts: str) -> Array:
    # optimize: by NumPy's matrix product where it can be, and by pairs where there are many
    return np.einsum(subscripts, *xs, optimize=len(xs) > 1)


def _einsum_rule(g: Array, y: Array, *xs: Array, position: int, subscripts: str) -> Array:
    terms, wanted = sent_back(subscripts, position)
    sizes = dict(zip(subscripts.split("->")[0].split(",")[position], xs[position].shape))
    factors = [np.ones(sizes[t]) if len(t) == 1 else np.eye(sizes[t[0]]) for t in terms[len(xs):]]
    operands = (g, *xs[:position], *xs[position + 1:], *factors)
    return einsum_(*operands, subscripts=f"{','.join(terms)}->{wanted}")


def sent_back(subscripts: str, position: int) -> tuple[list[str], str]:
    """The einsum that goes back through one operand: its terms (of g, of the other operands, and of
    what fills in), and its result.

    Letters that stand nowhere else are brought back by ones, `i`; letters that stand twice (they
    pick a diagonal) by a unit matrix, `ij`.
    """
    inputs, result = subscripts.split("->")
    terms = inputs.split(",")
    mine, others = terms[position], [*terms[:position], *terms[position + 1:]]
    wanted, fillings = "", []
    free = iter(c for c in LETTERS if c not in subscripts)
    for letter in mine:
        if letter in wanted:
            twin = next(free)
            fillings.append(letter + twin)
            letter = twin
        elif letter not in result and not any(letter in term for term in others):
            fillings.append(letter)
        wanted += letter
    return [result, *others, *fillings], wanted


einsum_ = primitive("einsum", _einsum, _einsum_rule, variadic=True)


def einsum(subscripts: str, *xs: Array, optimize: Any = None) -> Array:
    """The sum of products that `subscripts` describes, as in `ij,jk->ik`. Repeated letters, `...`
    and leaving out the result are as in NumPy. `optimize` is accepted, and NumPy decides."""
    if not isinstance(subscripts, str):
        raise UnsupportedError("np.einsum with lists of axes is not supported here",
                               fix='Write the axes as letters: "ij,jk->ik"')
    return einsum_(*xs, subscripts=spelled_out(subscripts, [np.ndim(bare(x)) for x in xs]))


def spelled_out(subscripts: str, ndims: Sequence[int]) -> str:
    """The same subscripts with letters for `...` and with the result written out."""
    inputs, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ShapeError(f"{subscripts!r} speaks of {len(terms)} operands, got {len(ndims)}",
                         where="einsum")
    hidden = [n - len(term.replace("...", "")) if "..." in term else 0
              for term, n in zip(terms, ndims)]
    spare = "".join(c for c in LETTERS if c not in subscripts)[: max([0, *hidden])]
    terms = [term.replace("...", spare[len(spare) - n:]) for term, n in zip(terms, hidden)]
    if arrow and spare and "..." not in result:
        raise ShapeError(f"{subscripts!r} leaves the axes of '...' out of the result",
                         where="einsum", fix="Give them letters to sum over them")
    if not arrow:
        letters = inputs.replace("...", "").replace(",", "")
        result = "..." + "".join(c for c in sorted(set(letters)) if letters.count(c) == 1)
    return f"{','.join(terms)}->{result.replace('...', spare)}"
