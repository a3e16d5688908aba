"""Sums over indices: an einsum, and what it sends back, as they are written on paper.

The question this file answers: *what does `bi,ij->bj` send back to W?*

    y_bj = Σ_i h_bi W_ij            ∂L/∂W = [Σ_b (∂L/∂y)_bj h_bi]_ij

The letters are those of the program. What stands in brackets is an array, and the letters behind
them are its axes. A letter that stands twice picks a diagonal: on the way back it is [i = a], 1 on
the diagonal and 0 elsewhere. A letter that was summed over in this operand alone has no factor on
the way back: the same goes to all of its entries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..core.einsum import sent_back
from ..core.graph import Node
from .formula import PLUS, TIMES, Formula


def product_of(node: Node, operands: Sequence[Formula]) -> Formula:
    """How an einsum was computed."""
    inputs, result = subscripts(node).split("->")
    return summed([*zip(operands, inputs.split(","))], result)


def sent(node: Node, position: int, g: Formula, symbol: Callable[[int], Formula]) -> Formula:
    """What an einsum sends back through one operand when `g` arrives."""
    terms, wanted = sent_back(subscripts(node), position)
    known = [g, *(symbol(i) for i in range(node.arity) if i != position)]
    factors = [*zip(known, terms)]
    factors += [(equal(term), "") for term in terms[len(known):] if len(term) == 2]
    return summed(factors, wanted)


def subscripts(node: Node) -> str:
    """`bi,ij->bj`."""
    return str((node.params or {})["subscripts"])


def summed(factors: Sequence[tuple[Formula, str]], result: str) -> Formula:
    """[Σ_i a_bi b_ij]_bj: the product of factors with their letters, summed over all that are not
    in the result."""
    used = "".join(letters for _, letters in factors)
    over = "".join(dict.fromkeys(c for c in used if c not in result))
    parts = [indexed(*factor) for factor in factors]
    text, latex = " ".join(p.text for p in parts), r" \, ".join(p.latex for p in parts)
    if over:
        text, latex = f"Σ_{over} {text}", rf"\sum_{{{over}}} {latex}"
    if not result:
        return Formula(text, latex, PLUS if over else TIMES)
    return Formula(f"[{text}]_{result}", rf"\left[{latex}\right]_{{{result}}}")


def indexed(a: Formula, letters: str) -> Formula:
    """a_ij; (W_hh)_ij where the name is longer than a letter."""
    if not letters:
        return a.inside(TIMES)
    if len(a.text) > 1:
        a = Formula(f"({a.text})", rf"\left({a.latex}\right)")
    return Formula(f"{a.text}_{letters}", rf"{a.latex}_{{{letters}}}")


def equal(pair: str) -> Formula:
    """[i = a]: 1 where two indices are the same."""
    return Formula(f"[{pair[0]} = {pair[1]}]", f"[{pair[0]} = {pair[1]}]")
