"""Glyphs: what stands for each kind of thing, with its words, its tooltip and its id.

The question this file answers: *what does an op look like, a weight, an input, a gap?*
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any

import numpy as np

from ..core.graph import Node
from . import style
from .inputs import unnumbered
from .labels import Run, Text, clean, number, plain, roman, symbol
from .names import WORDS, Names
from .scene import Column, Glyph
from .wording import has_digit, index_text, name_of, part_of, where, worth

LINEAR = frozenset(("+", "-", "*", "/", "**", "power", "neg", "@", "linear", "sum", "Σ", "concat",
                    "stack", "[]", "T", "reshape", "broadcast", "cast", "scatter", "outer", "where",
                    "mean"))


def op_glyph(node: Node, names: Names) -> Glyph:
    """The circle or pill of an operation; a plain number among its operands is written into it."""
    name, text, kind = node.op.name, "", ""
    if name == "[]":
        text = clean(f"[{index_text((node.params or {}).get('index'))}]", 14)
    elif numbers := [x for x in bare(node) if np.ndim(x) == 0]:
        classes = [x for x in numbers if isinstance(x, np.ndarray) and x.dtype.kind in "iu"]
        kind = f" of class {classes[0]}" if classes else ""
        if node.arity == 2 and len(numbers) == 1 and not classes:
            said = (number(numbers[0]), sign(name))
            text = " ".join(said if node.a is None else said[::-1])
    face, role, shape = op_face(name, text or sign(name))
    own, part = (node.name, "op") if node.name is not None else (WORDS.get(name, name), "")
    place = where(node)
    title = f"{place}: op " if place else "op "
    title += f"{clean(name, 60)}{kind}, gives {worth(node.value)}"
    at = node.at
    return Glyph(names.give(own, at.step, at.scope, part), face, role, shape, node, title=title)


def sign(op: str) -> str:
    """How an op is written."""
    return clean(style.SYMBOLS.get(op, op), 16)


@lru_cache(1 << 10)
def op_face(op: str, text: str) -> tuple[Text, str, str]:
    """The words of an op's glyph, its role and its shape: steps that do the same look the same."""
    circle = len(text) == 1
    role = "op" if circle or op in LINEAR else "function"
    return (Run(text),), role, "circle" if circle else "pill"


def vary(glyph: Glyph, node: Node) -> None:
    """What has a number or an index in its words that is another at other steps is drawn without
    it; what has a name, keeps that."""
    sliced = node.op.name == "[]"
    if glyph.role in ("op", "function"):
        first = not sliced and node.a is None
        said = "[…]" if sliced else f"{sign(node.op.name)} …"
        glyph.text = roman(" ".join(reversed(said.split(" "))) if first else said)
    elif glyph.role == "input" and node.name is None and not (
            sliced and node.a is not None and node.a.name is not None):
        glyph.text = roman("given")


def bare(node: Node) -> list[Any]:
    """The operands that are plain numbers or arrays, and no nodes."""
    if node.a is not None and (node.b is not None or node.v is None) and node.rest is None:
        return []
    return [x for x in node.operands if not isinstance(x, Node)]


def variable_glyph(node: Node, names: Names, name: str | None, text: Text = ()) -> Glyph:
    """The circle of a result, whose `name` is that of its node, or this without its step; a
    nameless one is called `text`."""
    age = None if name == node.name else 0
    text = text or (name_of(node) if name is None or age is None else symbol(name, node.step))
    id = names.give(node.name or "result", node.step, node.scope)
    title = f"{plain(text)} = {worth(node.value)}"
    return Glyph(id, text, "value", "circle", node, title=title, age=age)


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


def name_older(glyph: Glyph, step: int) -> None:
    """Call an input after the step that it is of, where it stands at another."""
    if glyph.node is not None and glyph.node.name is not None:
        before, glyph.text = plain(glyph.text), symbol(glyph.node.name, step)
        glyph.title = plain(glyph.text) + glyph.title.removeprefix(before)


def rail_glyph(x: Node, names: Names) -> Glyph:
    """The box of a shared weight, at the end of its rail."""
    name = x.name or part_of(x) or "shared"
    return as_rail(Glyph(names.give(name), name_of(x, bold=True), "input", "box", x))


def as_rail(glyph: Glyph) -> Glyph:
    """Make a glyph the head of a rail."""
    x = glyph.node
    if x is not None:
        step = x.at.step if x.op.rules else None  # a context: the state of one step
        part = part_of(x)
        glyph.text = symbol(x.name, step, bold=True) if x.name else \
            (Run(part, "b"),) if part else name_of(x)
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


def hidden_glyph(count: int, inputs: int, names: Names) -> Glyph:
    """What stands for many operations, and for the inputs that nothing else uses."""
    words = f"{count:,} operations"
    if inputs:
        words += f", {inputs:,} input{'s' if inputs > 1 else ''}"
    return Glyph(
        names.give("hidden"),
        (Run(f"⋯ {words} ⋯"),),
        "gap",
        "pill",
        title=f"{words} are not drawn",
        dashed=True,
    )


def gap_glyph() -> Glyph:
    """The dots in place of many steps."""
    return Glyph("", (Run("⋯", "b"),), "gap", "pill", title="steps that are not drawn")


def make_initial(glyph: Glyph, state: Hashable, columns: list[Column], step: int | None) -> None:
    """A state from before the first step, or from after the last: dashed, and called h₀ after its
    `step`; if that is None, it has a number of its own."""
    glyph.role, glyph.dashed, glyph.shape = "initial", True, "circle"
    node, before = glyph.node, plain(glyph.text)
    glyph.when = None
    if node is None:
        return
    if node.name is not None:
        name = node.name if step is None else unnumbered(node.name)
        glyph.text = symbol(name, node.step if node.step is not None else step)
    else:
        named = (other.node.name for column in columns for other in column.glyphs
                 if other.key == state and other.node is not None and other.node.name)
        glyph.text = next((symbol(name, step) for name in named), glyph.text)
    glyph.title = plain(glyph.text) + glyph.title.removeprefix(before)


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
