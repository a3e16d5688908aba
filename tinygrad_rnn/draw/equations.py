"""Equations: what an operation is called on the player's page, and how it is written.

The question this file answers: *what is i₃ the sigmoid of?*

    i₃ = sigmoid((W_hh · h₂ + W_xh · x₃ + b_h)[i])

What has a name is called by it; where two scopes have the same name, and an equation of neither is
read, with its scope: forward/h₃. What has none is written out in the place where it is used, as
long as there is room; beyond that its op stands for it, in brackets: ‹+›.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node
from ..core.over_time import result_step
from . import style
from .labels import clean, number, plain, symbol
from .survey import Survey
from .wording import index_text, unnamed_root, worth

FEW = 12              # an array of so many entries is written out
LONG, SHORT = 60, 34  # characters of an expression in an equation, and in the place of a name
INFIX = {"+": "+", "-": "−", "*": "×", "/": "÷", "@": "@", "**": "^", "power": "^"}
BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "@": 2, "linear": 2, "neg": 2, "**": 3, "power": 3}
NEEDS = {"+": (1, 1), "-": (1, 2), "*": (2, 2), "/": (2, 3), "@": (3, 3), "linear": (3, 3),
         "neg": (2,), "**": (4, 4), "power": (4, 4), "[]": (4,)}  # else an operand is bracketed


class Words:
    """The names and equations of the nodes of a graph. `texts` is what stands on their glyphs.

    While words are put together, a name that several scopes have carries its scope between two
    marks (`MARKED`), which are no characters of any name; `seen` takes them out.
    """

    def __init__(self, found: Survey, texts: dict[Node, list[str]]) -> None:
        self.root, self.texts, self.own_name = found.root, texts, found.called
        name = found.called(self.root)
        self.root_name = plain(symbol(name, result_step(self.root)) if name
                               else unnamed_root(self.root, found.nodes))
        self.scopes = ambiguous(found)
        self.said: dict[Node, str] = {}
        for node in found.nodes:  # operands first
            self.said[node] = self.expression(node)

    def name(self, node: Node, within: str | None = None) -> str:
        """What a node is called, as seen from a scope: its name, or in brackets what it was made
        of, or just its op."""
        return seen(self.called(node), within)

    def called(self, node: Node) -> str:
        """The name with its marks."""
        if node is self.root:
            return self.root_name
        own = self.own_name(node)
        if own is not None:
            name = plain(symbol(own, node.step))
            if node.is_leaf and len(drawn := {*self.texts.get(node, ())}) == 1:
                name, = drawn  # an input has its step there
            return f"\0{self.scopes[node]}/\1{name}" if node in self.scopes else name
        if node.is_leaf:
            return written(node.value)
        said = seen(self.said.get(node, "").strip("‹›"), node.scope, only=True)
        brief = self.part(node) if node.op.name == "[]" else sign(node)
        return f"‹{said if 0 < len(seen(said)) <= SHORT else brief}›"

    def title(self, node: Node) -> str:
        """What an operation is called above a moment."""
        if node.op.name == "[]":
            return f"the part {self.part(node)}"
        return clean(INFIX.get(node.op.name, node.op.name), 40)

    def equation(self, node: Node) -> str:
        """The operation as it is written: h₂ = tanh(W_hh · h₁ + b_h)."""
        text = seen(self.made_of(node), node.scope)
        if len(text) > 2 * LONG:
            words = (self.name(x, node.scope) if isinstance(x, Node) else written(x)
                     for x in node.operands)
            text = f"{clean(node.op.name, 24)}({', '.join(words)})"
        return f"{self.name(node, node.scope)} = {text}" if node.name is not None else text

    def expression(self, node: Node) -> str:
        """A node in the place of an operand."""
        if node is self.root or node.name is not None or node.is_leaf:
            return self.called(node)
        text = self.made_of(node)
        return text if len(seen(text, node.scope)) <= LONG else f"‹{sign(node)}›"

    def made_of(self, node: Node) -> str:
        """The right side of a node's equation."""
        name, words = node.op.name, list[str]()
        for i, x in enumerate(node.operands):
            word = (self.said.get(x) or self.called(x)) if isinstance(x, Node) else written(x)
            plainly = not isinstance(x, Node) or x.name is not None or word.startswith("‹")
            binds = 9 if plainly else BINDS.get(x.op.name, 9)
            needs = NEEDS.get(name, ())
            words.append(f"({word})" if i < len(needs) and binds < needs[i] else word)
        if name in INFIX and len(words) == 2:
            return f" {INFIX[name]} ".join(words)
        if name == "linear" and len(words) == 2:
            return f"{words[1]} · {words[0]}"
        if name == "neg":
            return f"−{words[0]}"
        if name == "[]":
            return f"{words[0]}{self.part(node)}"
        return f"{clean(name, 24)}({', '.join(words)})"

    def part(self, node: Node) -> str:
        """Which part a slice is: [f] as on its glyph, or its index."""
        known = [text for text in self.texts.get(node, ()) if text.startswith("[")]
        return known[0] if known else f"[{clean(index_text((node.params or {}).get('index')), 24)}]"


MARKED = re.compile("\0([^\1]*)/\1")


def seen(text: str, within: str | None = None, only: bool = False) -> str:
    """Words as they are read in an equation of the scope `within`: other scopes are named. With
    `only`, their marks stay."""
    return MARKED.sub(lambda mark: "" if mark[1] == within else mark[0] if only else f"{mark[1]}/",
                      text)


def ambiguous(found: Survey) -> dict[Node, str]:
    """The nodes whose name somebody else has too, with the scope that tells them apart. A weight
    belongs to the scope that uses it."""
    named: dict[str, list[Node]] = {}
    for node in found.nodes:
        name = found.called(node)
        if name is not None and node is not found.root:
            named.setdefault(plain(symbol(name, node.step)), []).append(node)
    several = {x: x.scope for nodes in named.values() if len(nodes) > 1 for x in nodes}
    users: dict[Node, set[str]] = {}
    for user in found.nodes:
        for _, x in walk.parents(user) if user not in found.shown else ():
            x = found.source(x)
            if x in several and not x.scope and user.scope:
                users.setdefault(x, set()).add(user.scope)
    for x, scopes in users.items():
        levels = zip(*(scope.split("/") for scope in scopes))
        several[x] = "/".join(a for a, *_ in takewhile(lambda a: len(set(a)) == 1, levels))
    return {x: clean(scope, 60) for x, scope in several.items() if scope}


def sign(node: Node) -> str:
    """The sign of an operation, as in the drawing."""
    return clean(style.SYMBOLS.get(node.op.name, node.op.name), 16)


def written(value: Any) -> str:
    """A value in a line: a number, a few entries in brackets, or shape and norm."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return clean(str(value), 40)
    if array.ndim == 0:
        return number(array)
    if array.size > FEW:
        return worth(array)
    return brackets(array.tolist())


def brackets(rows: Any) -> str:
    """Nested lists of numbers, a space between neighbours."""
    if not isinstance(rows, list):
        return number(rows)
    return f"[{' '.join(map(brackets, rows))}]"
