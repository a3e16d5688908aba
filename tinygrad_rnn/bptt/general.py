"""The general line of a derivation: what differs from step to step stands as a symbol.

The question this file answers: *which factor is the same number at every step, and which is x_t?*

    h = tanh(w * h + u * xs[t])      dL/du = Σ_t δ_t · x_t, and not δ_t · 0.3
    h = tanh(w * h + u * 2.0)        dL/du = Σ_t δ_t · 2

What has a name keeps it. What has none is x for what the program put in and v for what it computed,
or another letter where these are taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from functools import cached_property
from itertools import chain, count
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node
from ..core.keys import base_name
from .explanation import Line
from .formula import Formula, shown_index
from .symbols import symbol_of

INPUT = "what the program put in at step t, without a name"
RESULT = "a result of step t, without a name"
PICKED = "what step t picks"
LETTERS = {INPUT: "xzabc", RESULT: "v", PICKED: "ijk"}


class General:
    """The symbols of the general line of one derivation. `notes` has a symbol for each letter that
    was given out here, and what it stands for."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.names: dict[Hashable, str] = {}
        self.notes: dict[str, tuple[Formula, str]] = {}

    def factor(self, node: Node, position: int, t: int) -> Formula | None:
        """What stands at step `t` for a given operand of `node` that is another one at each step;
        None for all others."""
        x: Any = node.operands[position] if position >= 0 else node
        if node.step is None or isinstance(x, Node) and (x.op.rules or x.name and x.step):
            return None
        if isinstance(x, Node) and len(self.steps.get(x, ())) > 1:
            return None
        plain = not isinstance(x, Node) or x.name is None and not x.requires_grad
        values = [np.asarray(n.values[position]) for n in self.alike(node)
                  if position < n.arity and not computed(n.operands[position])]
        if plain and all(np.array_equal(v, values[0], equal_nan=True) for v in values):
            return None
        stem = x.name.rstrip("0123456789_") if isinstance(x, Node) and x.name else ""
        if stem:  # x_1, x_2, x_3, made before the loop
            return symbol_of(stem, None, t - node.step)
        what = x if isinstance(x, Node) else tuple((v.shape, v.tobytes()) for v in values)
        return self.symbol(what, INPUT, t - node.step)

    def result(self, x: Node, t: int) -> Formula:
        """What an unnamed result of a step is called at step `t`."""
        return self.symbol(self.places[x], RESULT, t - (x.step or 0))

    def index(self, node: Node, t: int) -> Formula | None:
        """What stands at step `t` for an index that is another one at each step: [i_t]."""
        if node.step is None or "index" not in (node.params or {}):
            return None
        if len({shown_index((n.params or {})["index"]) for n in self.alike(node)}) == 1:
            return None
        made = self.symbol(self.places[node], PICKED, t - node.step)
        return Formula(f"[{made.text}]", f"[{made.latex}]")

    def symbol(self, what: Hashable, kind: str, before: int) -> Formula:
        """A letter for `what`, that nothing else has."""
        if what not in self.names:
            more = (LETTERS[kind][0] + "'" * n for n in count(1))
            taken = {*self.taken, *self.names.values()}
            name = next(c for c in chain(LETTERS[kind], more) if c not in taken)
            self.names[what] = name
            self.notes[name] = symbol_of(name, None, 0), kind
        return symbol_of(self.names[what], None, before)

    def told(self, text: str) -> list[Line]:
        """What the letters in a text stand for, a line for each."""
        return [Line(symbol, note=what) for name, (symbol, what) in self.notes.items()
                if re.search(rf"(?<![\w']){re.escape(name)}_(t|\{{)", text)]

    def alike(self, node: Node) -> list[Node]:
        """The nodes at the same place in their steps."""
        return self.rows[self.places[node]]

    @cached_property
    def places(self) -> dict[Node, Hashable]:
        """The place of a result in its step: how many of its name, or its op, came before it."""
        found: dict[Node, Hashable] = {}
        counts = Counter[Hashable]()
        for n in walk.computed(self.root):
            what = n.op, base_name(n), n.scope
            counts[what, n.step] += 1
            found[n] = (*what, counts[what, n.step])
        return found

    @cached_property
    def rows(self) -> dict[Hashable, list[Node]]:
        """The results at each place, one of every step."""
        found: dict[Hashable, list[Node]] = {}
        for n, place in self.places.items():
            if n.step is not None:
                found.setdefault(place, []).append(n)
        return found

    @cached_property
    def steps(self) -> dict[Node, set[int | None]]:
        """The steps at which what is given is used."""
        found: dict[Node, set[int | None]] = {}
        for x, _, user in walk.edges(self.root):
            if not x.op.rules:
                found.setdefault(x, set()).add(user.step)
        return found

    @cached_property
    def taken(self) -> set[str]:
        """The names of the program."""
        return {base_name(n) for n in walk.nodes(self.root) if n.name is not None}


def computed(x: Any) -> bool:
    """Whether an operand is the result of an operation."""
    return isinstance(x, Node) and bool(x.op.rules)
