"""Reading a graph: which parts the picture has, for a window of its steps.

The question this file answers: *what plays which part: weight, input, state, output, total?*

Parts are told by structure and names, so that a loop written by hand, a layer and a scalar
recurrence all read alike: what two or more steps use is a rail, what crosses from step to step is a
state, what was given for one step is an input, and what has no step stands around the recurrence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from itertools import filterfalse, islice
from operator import attrgetter

import numpy as np

from ..core import walk
from ..core.graph import Node
from . import glyphs, looks, wording
from .gaps import Gaps
from .names import Names
from .parts import assign_roles
from .scene import Column, Glyph, Rail, Scene, Wire
from .structures import Structures, place_name
from .survey import Survey
from .totals import Total, running_total
from .users import MOST_AROUND

GATHERS = {"+", "Σ", "stack", "concat"}  # ops to which one step is like another


class Reader:
    """Collects the glyphs and wires of the visible steps, in the order of the graph."""

    def __init__(self, found: Survey) -> None:
        self.found, self.columns = found, found.columns
        self.at: dict[int | None, Column] = {c.when: c for c in self.columns if c.step is not None}
        self.total: Total | None = running_total(found)
        self.value: dict[Node, Glyph] = {}  # the glyph that stands for a node's value
        self.rails: dict[tuple[Node, int], Rail] = {}  # by node and stage
        self.wires: list[Wire] = []
        self.around: list[Glyph] = []
        self.totals: list[Glyph] = []
        self.initial: list[Glyph] = []
        self.structures = Structures(found)
        self.rows: dict[Hashable, Counter[Hashable]] = {}  # of inputs, by family: their places
        self.names = Names()
        self.gaps = Gaps(self)
        self.gap: Glyph | None = None  # what stands for hidden operations: see untimed.py

    def read(self) -> None:
        """All visible steps and what has no step, operands before what uses them."""
        found, total = self.found, self.total
        top = {total.node} if total is not None else set[Node]()
        adders = total.adders - top if total is not None else set[Node]()
        shown = [n for n in (*found.timed, *top) if n not in adders and not found.stands_for(n)]
        around = (n for n in filterfalse(adders.__contains__, reversed(found.untimed))
                  if not found.stands_for(n))
        chosen = dict.fromkeys([*shown, *islice(around, MOST_AROUND)])
        for node in sorted(chosen, key=attrgetter("order")):
            self.add(node)
        self.gaps.leave()
        looks.place_inputs(self)
        self.gaps.settle()
        looks.look_again(self)

    # --- glyphs ---------------------------------------------------------------------------------

    def add(self, node: Node) -> None:
        """A computed node: its op, the wires into it, and its variable if it has a name."""
        if self.gathers(node):
            self.add_total(node)
            return
        when = self.found.when(node)
        column = self.at.get(when)
        tails = [(position, self.operand(x, node, column)) for position, x in walk.parents(node)]
        key = self.structures.place_of(node, when, tails)
        op = glyphs.op_glyph(node, self.names)
        self.put(op, (*key, "op", node.op.name), node, column)
        op.passes = self.structures.passed(key)
        for position, tail in tails:
            self.connect(tail, op, node, position)
        self.value[node] = op
        nameless = node.name is None and node is self.found.root and (
            np.size(node.value) == 1 or node.phase == "backward")
        if node.name is not None or nameless:
            text = wording.unnamed_root(node, self.near()) if nameless else ()
            variable = glyphs.variable_glyph(node, self.names, self.found.called(node), text)
            self.put(variable, (*key, "var"), node, column)
            self.wires.append(Wire(op, variable, "result", node))
            self.value[node] = variable

    def near(self) -> list[Node]:
        """What could have the name that a nameless result is given: what is in view."""
        return [*self.found.seen, *self.found.uses] if self.columns else self.found.nodes

    def put(self, glyph: Glyph, key: Hashable, node: Node, column: Column | None) -> None:
        """A glyph in its column, or around the recurrence."""
        glyph.key, glyph.scope = key, place_name(node)
        glyph.when = None if column is None else column.when
        (self.around if column is None else column.glyphs).append(glyph)

    def operand(self, x: Node, node: Node, column: Column | None) -> Glyph | Rail | None:
        """What an operand is drawn as, made if it is new; None if it is hidden with its step."""
        found = self.found
        x = found.source(x)
        if column is not None and x in found.shared and (found.given(x) or x in self.value):
            before = found.stages and x.at.step is not None
            if not before or found.given(x) or found.stages[x] < found.stages[node]:
                return self.rail(x, found.stages.get(node, 0))
        glyph = self.value.get(x)
        if glyph is not None:
            return glyph
        if x in found.homes:
            home = self.at.get(found.when(x))
            return None if home is None else self.given_glyph(x, node, home)
        if found.given(x):
            return self.given_glyph(x, node, column)
        return None if x.at.step is not None else self.left_out(x, node)

    def rail(self, x: Node, stage: int) -> Rail:
        """The rail of a shared weight; one that several stages use has one in each."""
        if (x, stage) not in self.rails:
            rail = Rail(glyphs.rail_glyph(x, self.names), "", stage=stage)
            self.rails[x, stage] = rail
            if x in self.value:  # computed before the first step
                self.wires.append(Wire(self.value[x], rail.glyph, "free", None))
        return self.rails[x, stage]

    def given_glyph(self, x: Node, node: Node, column: Column | None) -> Glyph:
        """What was given for one step: an input, a target, a first state."""
        glyph = glyphs.given_glyph(x, self.names, None if column is None else column.step)
        self.put(glyph, None, node, column)
        self.value[x] = glyph
        return glyph

    def left_out(self, x: Node, node: Node) -> Glyph:
        """A stand-in for untimed history that is not drawn."""
        if self.gap is not None:
            return self.gap
        glyph = glyphs.left_out_glyph(self.names)
        self.put(glyph, None, node, None)
        self.value[x] = glyph
        return glyph

    # --- wires ----------------------------------------------------------------------------------

    def connect(self, tail: Glyph | Rail | None, head: Glyph, node: Node, position: int) -> None:
        """The wire of one use."""
        if isinstance(tail, Rail):
            tail.taps.append(Wire(tail.glyph, head, "tap", node, position))
            return
        if tail is None:
            x = self.found.source(node.operands[position])
            tail = self.gaps.dots(x, x)
            kind = self.between(x, node) if head.when is not None else "free"
        elif tail.when is None or head.when is None:
            kind = "inner" if tail.when == head.when else "free"
        else:
            same = tail.when == head.when
            kind = "inner" if same else self.between(node.operands[position], node)
        if tail.key is None:
            tail.key = (head.key, position)
        self.wires.append(Wire(tail, head, kind, node, position))

    def between(self, x: Node, user: Node) -> str:
        """The kind of a wire from step to step: an input that is read again is no state, nor is
        what a backward pass needs again."""
        if user.phase == "backward" and x.phase != "backward":
            return "needed"
        return "late" if self.found.source(x) in self.found.homes else "carried"

    # --- totals ---------------------------------------------------------------------------------

    def is_total(self, node: Node) -> bool:
        return self.total is not None and node is self.total.node

    def gathers(self, node: Node) -> bool:
        """Whether an untimed node collects from several steps. A product of two steps does not:
        which factor came from where must be seen. Nor does a pair, of which one goes into others
        too: an attention reads every state beside the last one."""
        if self.is_total(node):
            return True
        if node.at.step is not None or node.op.name not in GATHERS:
            return False
        parts = {x for _, x in walk.parents(node) if x.op.rules}
        if len({self.found.when(x) for x in parts} - {None}) < 2:
            return False
        return len(parts) > 2 or node.op.name == "stack" or not any(
            user is not node and user.at.step is None
            for x in parts for user in self.found.users(x))

    def add_total(self, node: Node) -> None:
        """A sum (or a stack) over the steps: one glyph at the end of a rail above all."""
        if self.total is not None and node is self.total.node:
            last = max(self.total.terms, key=attrgetter("order"))
            uses = self.total.uses(self.value)
        else:
            uses = [(x, position, node) for position, x in walk.parents(node)]
            last = uses[-1][0]
        glyph = glyphs.total_glyph(node, last, self.is_total(node), self.names)
        self.put(glyph, (-1, len(self.totals), "op"), node, None)
        self.totals.append(glyph)
        self.value[node] = glyph
        for x, position, user in [use for use in uses if use[0] in self.value]:
            kind = "term" if self.value[x].when is not None else "free"
            self.wires.append(Wire(self.value[x], glyph, kind, user, position))


def read(found: Survey, title: str) -> Scene:
    """The scene of the steps in view."""
    reader = Reader(found)
    reader.read()
    rails = [rail for rail in reader.rails.values() if rail.taps]
    scene = Scene(title, found.columns, found.steps, rails, reader.initial, reader.around,
                  reader.totals, reader.wires)
    assign_roles(scene)
    return scene
