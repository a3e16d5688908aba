"""Wording: the glyph for each kind of thing, what stands in it, its tooltip and its id.

The question this file answers: *how is a node called in the picture?*
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from ..core.graph import Node
from ..core.parts import norm
from . import style
from .labels import Run, Text, clean, number, plain, roman, symbol
from .scene import Column, Glyph

LINEAR = {
    "+",
    "-",
    "*",
    "/",
    "**",
    "power",
    "neg",
    "@",
    "linear",
    "sum",
    "Σ",
    "concat",
    "stack",
    "[]",
    "T",
    "reshape",
    "broadcast",
    "cast",
    "scatter",
    "outer",
    "where",
    "mean",
}


LONGEST_ID = 120


class Names:
    """Ids from the position in the graph: `t2.h`, `W_hh`, `t1.linear.2`; never twice the same."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    def give(self, name: str, step: int | None = None, scope: str = "", part: str = "") -> str:
        """An id of letters, digits and _, its parts joined by dots; one that is taken gets a
        number."""
        parts = ["" if step is None else f"t{step}", dotted(scope), safe(name), part]
        return self.unique(".".join(filter(None, parts))[:LONGEST_ID])

    def unique(self, wanted: str) -> str:
        """`wanted`, or `wanted.2` and so on if it is taken."""
        name, taken = wanted, self.taken
        while name in taken:
            taken[wanted] += 1
            name = f"{wanted}.{taken[wanted]}"
        taken[name] = 1
        return name


@lru_cache(1 << 12)
def dotted(scope: str) -> str:
    """A scope as part of an id: encoder.layer."""
    return ".".join(filter(None, map(safe, scope.split("/"))))


@lru_cache(1 << 12)
def safe(name: str) -> str:
    """A user's word as part of an id: what is not a letter or a digit becomes _."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name[:40])


# --- numbers in words ---------------------------------------------------------------------------


def worth(value: Any) -> str:
    """A value for a tooltip: the number, or shape and norm."""
    if type(value) is float or np.ndim(value) == 0:
        return number(value)
    return f"shape {shape(value)}, ‖·‖ = {number(norm(np.asarray(value, float)))}"


def shape(value: Any) -> str:
    """A shape as on paper: 3 × 4."""
    return " × ".join(map(str, np.shape(value))) or "a number"


def where(node: Node) -> str:
    """The step and scope, for a tooltip."""
    at = node.at
    step = "" if at.step is None else f"step {at.step}"
    scope = clean(at.scope, 60)
    return f"{step}, {scope}" if step and scope else step or scope


def name_of(node: Node, step: int | None = None, bold: bool = False) -> Text:
    """The name of a node with its step; what a nameless one is: its number, its op, or an array."""
    if node.name is not None:
        return symbol(node.name, node.step if step is None else step, bold)
    if node.is_leaf:
        return roman(number(node.value) if np.ndim(node.value) == 0 else shape(node.value))
    return roman(style.SYMBOLS.get(node.op.name, node.op.name))


# --- glyphs -------------------------------------------------------------------------------------


def op_glyph(node: Node, names: Names) -> Glyph:
    """The circle or pill of an operation; a plain number among its operands is written into it."""
    sign = style.SYMBOLS.get(node.op.name, node.op.name)
    numbers = [x for x in bare(node) if np.ndim(x) == 0]
    classes = [x for x in numbers if isinstance(x, np.ndarray) and x.dtype.kind in "iu"]
    text = clean(sign, 16)
    if node.op.name == "[]":
        text = clean(f"[{index_text((node.params or {}).get('index'))}]", 14)
    elif node.arity == 2 and len(numbers) == 1 and not classes:
        left = node.a is None
        text = f"{number(numbers[0])} {text}" if left else f"{text} {number(numbers[0])}"
    circle = len(text) == 1
    role = "op" if circle or node.op.name in LINEAR else "function"
    name, part = (clean_id(node.op.name), "") if node.name is None else (node.name, "op")
    place = where(node)
    title = f"{place}: " if place else ""
    title += f"op {clean(node.op.name, 60)}"
    title += f" of class {classes[0]}" if classes else ""
    return Glyph(
        names.give(name, node.step, node.scope, part),
        (Run(text),),
        role,
        "circle" if circle else "pill",
        node,
        title=f"{title}, gives {worth(node.value)}",
    )


def bare(node: Node) -> list[Any]:
    """The operands that are plain numbers or arrays, and no nodes."""
    if node.a is not None and (node.b is not None or node.v is None) and node.rest is None:
        return []
    return [x for x in node.operands if not isinstance(x, Node)]


def clean_id(name: str) -> str:
    """An op's name in letters: + is plus."""
    words = {
        "+": "plus",
        "-": "minus",
        "*": "times",
        "/": "over",
        "@": "matmul",
        "**": "power",
        "Σ": "sum",
        "[]": "slice",
    }
    return words.get(name, name)


def index_text(index: Any) -> str:
    """A slice as it is typed."""
    parts = index if isinstance(index, tuple) else (index,)
    words = []
    for part in parts:
        if isinstance(part, slice):
            ends = ["" if end is None else str(end) for end in (part.start, part.stop, part.step)]
            words.append(":".join(ends[:2] if part.step is None else ends))
        else:
            words.append("…" if part is ... or np.ndim(part) else str(part))
    return ", ".join(words)


def unnamed_root(node: Node, nodes: Iterable[Node]) -> Text:
    """What a root without a name is called: L, as in the ledger; if the user has an L already, the
    result."""
    taken = any(x.name == "L" and x.step is None for x in nodes if x is not node)
    return roman("result") if taken else (Run("L", "i"),)


def variable_glyph(node: Node, names: Names, text: Text = ()) -> Glyph:
    """The circle of a named result; a nameless one is called `text`."""
    text = text or name_of(node)
    name = node.name or "result"
    title = f"{plain(text)} = {worth(node.value)}"
    return Glyph(
        names.give(name, node.step, node.scope), text, "value", "circle", node, title=title
    )


def given_glyph(x: Node, names: Names, step: int | None) -> Glyph:
    """An input, a target, a constant."""
    if x.name is None and x.op.name == "[]" and x.a is not None and x.a.name is not None:
        part = f"{x.a.name}[{index_text((x.params or {}).get('index'))}]"  # a step of a sequence
        return Glyph(
            names.give(part, step),
            roman(clean(part)),
            "input",
            "circle",
            x,
            title=f"{clean(part)}: a part of {clean(x.a.name)}, {worth(x.value)}",
        )
    at = x.step if x.step is not None or has_digit(x.name) else step
    text = symbol(x.name, at) if x.name is not None else name_of(x)
    kind = "a leaf" if x.requires_grad else "given, no gradient"
    return Glyph(
        names.give(x.name or "given", step if x.step is None else x.step),
        text,
        "input",
        "circle",
        x,
        title=f"{plain(text)}: {kind}, {worth(x.value)}",
    )


def has_digit(name: str | None) -> bool:
    """Whether a name brings its own number: x0."""
    return name is not None and name[-1:].isdigit()


def rail_glyph(x: Node, names: Names) -> Glyph:
    """The box of a shared weight, at the end of its rail."""
    return as_rail(Glyph(names.give(x.name or "shared"), name_of(x, bold=True), "input", "box", x))


def as_rail(glyph: Glyph) -> Glyph:
    """Make a glyph the head of a rail."""
    x = glyph.node
    if x is not None:
        step = x.at.step if x.op.rules else None  # a context: the state of one step
        glyph.text = symbol(x.name, step, bold=True) if x.name else name_of(x)
        glyph.title = f"{plain(glyph.text)}: shared by all steps, {worth(x.value)}"
    glyph.shape, glyph.when = "box", None
    return glyph


def left_out_glyph(names: Names) -> Glyph:
    """Older history that is not drawn."""
    return Glyph(
        names.give("earlier"),
        (Run("…"),),
        "dim",
        "pill",
        title="older operations, not drawn",
        dashed=True,
    )


def hidden_glyph(count: int, names: Names) -> Glyph:
    """What stands for many operations."""
    return Glyph(
        names.give("hidden"),
        (Run(f"⋯ {count:,} operations ⋯"),),
        "gap",
        "pill",
        title=f"{count:,} operations are not drawn",
        dashed=True,
    )


def gap_glyph() -> Glyph:
    """The dots in place of many steps."""
    return Glyph("", (Run("⋯", "b"),), "gap", "pill", title="steps that are not drawn")


def make_initial(glyph: Glyph, state: Hashable, columns: list[Column]) -> None:
    """A state from before the first step: dashed, and called h₀ if it has no name of its own."""
    glyph.role, glyph.dashed, glyph.shape = "initial", True, "circle"
    node, step = glyph.node, glyph.when
    glyph.when = None
    if node is None:
        return
    if node.name is not None:
        before = node.step if node.step is not None or has_digit(node.name) else (step or 1) - 1
        glyph.text = symbol(node.name, before)
        return
    for column in columns:
        for other in column.glyphs:
            if other.key == state and other.node is not None and other.node.name:
                glyph.text = symbol(other.node.name, (step or 1) - 1)
                return


def total_glyph(node: Node, term: Node, is_sum: bool, names: Names) -> Glyph:
    """The end of a sum over steps: L = Σ Lₜ."""
    sums = is_sum or node.op.name == "Σ"
    head = symbol(node.name) if node.name else ()
    if not sums:
        sign = clean(style.SYMBOLS.get(node.op.name, node.op.name), 16)
        text = (*head, Run(" = " if head else ""), Run(sign))
    else:
        each = (Run(" "), *symbol(term.name, None), Run("t", "_")) if term.name else ()
        text = (*head, Run(" = Σ" if head else "Σ"), *each)
    return Glyph(
        names.give(node.name or "total", None, node.scope),
        tuple(r for r in text if r.text),
        "total",
        "round",
        node,
        title=f"{plain(text)}: {worth(node.value)}",
    )
