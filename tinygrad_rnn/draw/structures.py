"""Structures: the place that an operation has within its step, the same at every step.

The question this file answers: *which node of one step is which of another?*

A node is told by its name, or by its op and the places of its operands; and by which one it is of
several alike. `core.keys` tells nodes of the whole graph by the same idea. Here only the steps in
view are looked at, and what counts is how an operand is drawn: all first states and inputs are
alike, an alias is what it shows, and the steps of two stages are apart.
"""

from __future__ import annotations

from collections.abc import Hashable, Set

from ..core import ops, walk
from ..core.graph import Node
from .scene import Glyph, Rail
from .survey import Survey

ELSEWHERE = "elsewhere"


class Structures:
    """The places that are known, each with a number."""

    def __init__(self, found: Survey) -> None:
        self.found = found
        self.numbers: dict[Hashable, int] = {}
        self.alike: dict[tuple[int | None, int], int] = {}  # how many have a place in a step
        self.masked: dict[tuple[int, int], Hashable] = {}  # what masks let pass, by their places
        self.read: dict[int | None, set[Node]] = {}  # what a step has read so far, masks aside

    def place_of(self, node: Node, when: int | None,
                 tails: list[tuple[int, Glyph | Rail | None]]) -> tuple[int, int]:
        """The number of a node's place, and which one it is there. What a backward pass made is
        told by what it needs of the forward one: gradients come to the last step from elsewhere
        than to others."""
        structure: Hashable = (node.at.scope, self.found.called(node))
        inner: tuple[Hashable, ...] = ()
        if node.name is None:
            inner = tuple([self.describe(tail, when) for _, tail in tails if not (
                isinstance(tail, Glyph) and tail.backward)])
            structure = (place_name(node), node.op.name, inner, self.of_state(node, when))
        key = self.numbers.setdefault(structure, len(self.numbers))
        count = self.alike.get((when, key), 0)
        self.alike[when, key] = count + 1
        if node.name is None and is_mask(node):
            new = made_new(node, self.found)
            passed = [self.describe(tail, when) for position, tail in tails
                      if self.found.source(node.operands[position]) in new]
            if len(new) < 2:
                self.masked[key, count] = passed[0] if passed else ELSEWHERE
        return key, count

    def of_state(self, node: Node, when: int | None) -> bool:
        """Whether a node is the mask of a state. The last output has a mask where the last state,
        which nothing needs, has none: it is in the place of the outputs before."""
        read = self.read.setdefault(when, set())
        if is_mask(node):
            return is_kept(node, read, self.found)
        read.update(self.found.source(x) for _, x in walk.parents(node))
        return False

    def describe(self, tail: Glyph | Rail | None, when: int | None) -> Hashable:
        """An operand's place: in the same step, on a rail, or from elsewhere. What a mask lets
        pass, or puts something else for, keeps its place: other steps have no mask."""
        if isinstance(tail, Rail):
            return tail.glyph.id
        if tail is None or tail.when != when or tail.role == "input":
            return ELSEWHERE
        place = tail.key[:2] if isinstance(tail.key, tuple) else ()
        return self.masked.get(place, tail.key)

    def passed(self, place: tuple[int, int]) -> Hashable | None:
        """What the mask at a place lets pass, if it is one: of this step, that is, else nothing."""
        inside = self.masked.get(place)
        return None if inside == ELSEWHERE else inside


def is_mask(node: Node) -> bool:
    """Whether a node lets pass one thing at some entries, and another at the others."""
    return node.op is ops.where and node.phase != "backward"


def made_new(mask: Node, found: Survey) -> set[Node]:
    """What a mask lets pass: what was made at its own step. What it keeps instead is older, or what
    another mask keeps: of a sample that starts anew there, its first state."""
    return {x for x in made_at(mask, found) if not is_mask(x) or made_at(x, found)}


def is_kept(mask: Node, read: Set[Node], found: Survey) -> bool:
    """Whether a mask keeps what its step had `read` before, the state that it came from; the mask
    of an output keeps an output, which nothing else looks at."""
    parts = {found.source(x) for _, x in walk.parents(mask)}
    return bool((parts - made_new(mask, found)) & read)


def let_pass(x: Node, found: Survey) -> Node:
    """What a nameless mask lets pass, or masks that follow each other; of anything else itself."""
    while x.name is None and is_mask(x) and len(new := made_new(x, found)) == 1:
        x, = new
    return x


def made_at(node: Node, found: Survey) -> set[Node]:
    """The operands of a node that were computed at its own step."""
    when, operands = found.when(node), {found.source(x) for _, x in walk.parents(node)}
    return {x for x in operands if not found.given(x) and found.when(x) == when}


def place_name(node: Node) -> str:
    """The scope in which a node is drawn: what a backward pass made stands in rows of its own."""
    scope = node.at.scope
    return scope if node.phase != "backward" else f"{scope}/gradient".lstrip("/")
