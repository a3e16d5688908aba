"""Nodes: what was computed, from what, in which order and at which time step. No calculus here.

The question this file answers: *what does the program leave behind while it runs?*

A `Node` holds a value, the `Op` that made it and the operands it was made from. Nodes point to
their operands and never to their users, so a dropped result frees its history at once. An operand
always exists before what is made from it: the order of creation is already a topological order, and
nothing in this package ever has to search for one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..errors import InputError
from .freeing import free_in_a_loop
from .place import Place

if TYPE_CHECKING:
    from .graph import Op

Self = TypeVar("Self", bound="Node")
new: Callable[[Any], Any] = object.__new__
tick = itertools.count(1).__next__  # the order of creation, process-wide; never shown to a user


class Rest:
    """The operands of a node after the second: the nodes (or None), and the values they had. A
    loop over it gets (node, value) pairs, which are not kept: a stack has one for every step.
    `past` is a way back past what is behind all of them (see together.py), if there is one."""

    __slots__ = ("nodes", "past", "values")

    def __init__(self, nodes: Iterable[Node | None], values: Iterable[Any],
                 past: Any = None) -> None:
        self.nodes, self.values, self.past = tuple(nodes), tuple(values), past

    def __iter__(self) -> Iterator[tuple[Node | None, Any]]:
        return zip(self.nodes, self.values)


def rest_of(nodes: Sequence[Node | None], values: Sequence[Any]) -> Rest | None:
    """The operands after the second among all of them; None if there are none. (Filled slot by
    slot, as in `make`.)"""
    if len(nodes) < 3:
        return None
    rest: Rest = new(Rest)
    rest.nodes, rest.values, rest.past = tuple(nodes[2:]), tuple(values[2:]), None
    return rest


class Node:
    """One value in the graph. `a` and `b` are its operands; `u` and `v` are the values they had.

    An operand that is a plain number or array leaves its place (`a`, `b`) empty and is kept in `u`
    or `v` only. Operations with more than two operands keep the others in `rest`. There is no tuple
    and no dict per node otherwise: the garbage collector has to look at every one. A value that no
    rule needs may be left out until somebody looks (see together.py). `calls` is the number of
    backward calls that `grad` holds.
    """

    __slots__ = ("op", "value", "a", "b", "u", "v", "rest", "params",
                 "grad", "calls", "name", "at", "order", "hooks", "__weakref__")
    is_scalar: ClassVar[bool]  # plain floats inside, or arrays
    timed: ClassVar[bool] = False  # a sequence: what is made of it may be one (see timeline.py)
    array_kind: ClassVar[type[Node]]
    lean_kind: ClassVar[type[Node]]  # of an array, with numbers left out (see together.py)
    op: Op
    value: Any
    a: Node | None
    b: Node | None
    u: Any
    v: Any
    rest: Rest | None
    params: dict[str, Any] | None
    grad: Any
    calls: int | None
    name: str | None
    at: Place
    order: int
    hooks: list[Callable[[Any], Any]] | None

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient can arrive here."""
        return self.op.wanted

    @property
    def is_leaf(self) -> bool:
        """Whether this node was given, not computed."""
        return self.op.given

    @property
    def step(self) -> int | None:
        """The time step under which the node was made, or None."""
        return self.at.step

    @property
    def scope(self) -> str:
        """The part of the model under which the node was made, or ''."""
        return self.at.scope

    @property
    def phase(self) -> str:
        """'forward', or 'backward' for a node of a gradient (create_graph=True)."""
        return self.at.phase

    @property
    def site(self) -> str | None:
        """The user's source line, `file:line`, if it was recorded (`record_sites`)."""
        return self.at.site

    @property
    def operands(self) -> tuple[Any, ...]:
        """What this node was made from: nodes, and the plain numbers and arrays among them."""
        pairs = [(self.a, self.u), (self.b, self.v), *(self.rest or ())]
        return tuple(value if node is None else node for node, value in pairs[: self.arity])

    @property
    def values(self) -> tuple[Any, ...]:
        """The operands' plain values, as they were when this node was made."""
        if self.rest is not None:
            return (self.u, self.v, *self.rest.values)
        return (self.u, self.v)[: self.arity]

    @property
    def arity(self) -> int:
        """How many operands this node was made from."""
        if self.rest is not None:
            return 2 + len(self.rest.nodes)
        if self.b is not None:  # a node is asked before a value, which may have been left out
            return 2
        return 0 if self.a is None and self.u is None else 1 if self.v is None else 2

    @property
    def label(self) -> str:
        """The name with its step, `h_3`; for a node without a name, its op."""
        if self.name is None:
            return self.op.name
        if self.at.step is None or self.name.endswith(f"_{self.at.step}"):
            return self.name
        return f"{self.name}_{self.at.step}"

    def follow(self, node: Node, op: Op, operands: tuple[Any, ...], params: dict[str, Any]) -> None:
        """What a sequence does for a result of an operation on it. Others do nothing."""

    def fill(self) -> None:
        """Keep what was left out, the value or an operand's: from now on this is an ordinary
        node."""
        if type(self) is self.lean_kind:
            self.value, self.u, self.v = self.value, self.u, self.v
            self.__class__ = self.array_kind

    def named(self: Self, name: str) -> Self:
        """Give this node a name and return it: `h = tanh(z).named("h")` is `h_3` at step 3."""
        if not isinstance(name, str) or not name:
            raise InputError(f"named(name) needs a name, got {name!r}")
        self.name = name
        return self


free_in_a_loop(Node)


def make(kind: type[Self], op: Op, value: Any, a: Node | None, b: Node | None, u: Any, v: Any,
         place: Place, rest: Rest | None = None, params: dict[str, Any] | None = None,
         name: str | None = None) -> Self:
    """A new node. Slots are filled one by one because this line of code is the engine's floor."""
    node: Self = new(kind)
    node.op = op
    node.value = value
    node.a = a
    node.b = b
    node.u = u
    node.v = v
    node.at = place
    node.order = tick()
    node.rest = rest
    node.params = params
    node.name = name
    node.grad = node.calls = node.hooks = None
    return node


def given(kind: type[Self], value: Any, place: Place, op: Op) -> Self:
    """A leaf or a constant: no operands. Its `order` is 0 until data is assigned to it."""
    node = make(kind, op, value, None, None, None, None, place)
    node.order = 0
    return node


def operands_of(node: Node) -> tuple[Node | None, ...]:
    """The nodes in the operands' places; None for a plain number or array."""
    if node.rest is None:
        return node.a, node.b
    return node.a, node.b, *node.rest.nodes
