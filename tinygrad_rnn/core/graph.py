"""The graph: what was computed, from what, in which order and at which time step. No calculus here.

The question this file answers: *what does the program leave behind while it runs?*

A `Node` holds a value, the `Op` that made it and the operands it was made from. Nodes point to
their operands and never to their users, so a dropped result frees its history at once. An operand
always exists before what is made from it: the order of creation is already a topological order, and
nothing in this package ever has to search for one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from ..errors import InputError
from .freeing import free_in_a_loop
from .inplace import LENT, plain, settle
from .place import Place, caller, here
from .words import explain

Self = TypeVar("Self", bound="Node")
new: Callable[[Any], Any] = object.__new__
tick = itertools.count(1).__next__  # the order of creation, process-wide; never shown to a user


# --- nodes --------------------------------------------------------------------------------------


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
        return self.op is not constant

    @property
    def is_leaf(self) -> bool:
        """Whether this node was given, not computed."""
        return self.op is leaf or self.op is constant

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
         place: Place) -> Self:
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
    node.rest = node.params = node.grad = node.calls = node.name = node.hooks = None
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


# --- operations ---------------------------------------------------------------------------------


class Op:
    """One row of the table: a name, how to compute the value, and one gradient rule per operand.

    `scalar` and `array` are the two columns for the value: plain floats, and NumPy arrays. A rule
    is called as `rule(g, y, a, b, **params)`: `g` arrives, `y` is the value, then the operands, and
    it returns the gradient that leaves through its operand. The same rule is called with floats,
    with arrays and with nodes. A `variadic` op has a single rule, called with `position=` as well;
    a `joint` rule gives the gradients of all operands at once.

    Where a contribution is better not built, a row says what to do instead: `into(total, g,
    **params)` adds that of the first operand to an existing array (a slice of a long sequence), and
    `late([(g, a), ...])` is the sum over all uses of the second one (a weight). An `alias` only
    shows its operand in another way (a transpose, a slice). Where nobody looks on, `sums(node, g,
    arriving)` adds up by itself what leaves through all operands.

    `looks` says which numbers the rules look at: y, a, b. Of the others they need the shape at
    most, so where a value was left out (see together.py) it need not be computed again.

    An op that spans many steps (a sequence as one node) says what each step gave: `parts(g, y,
    *operands, **params)` is a list with, for every operand, either None (nothing to tell apart) or
    a list of `parts.Part`s, the last use first, whose sum is what the rule gives. The ledger of a
    weight then has a row for each. `parts` is only called for those who look.
    """

    def __init__(self, name: str, scalar: Callable[..., Any] | None = None,
                 array: Callable[..., Any] | None = None,
                 rules: tuple[Callable[..., Any], ...] = (),
                 *, variadic: bool = False, joint: bool = False, alias: bool = False,
                 into: Callable[..., None] | None = None,
                 late: Callable[..., Any] | None = None, sums: Callable[..., None] | None = None,
                 parts: Callable[..., Any] | None = None, looks: str = "yab", doc: str = ""
                 ) -> None:
        self.name, self.scalar, self.array, self.rules = name, scalar, array, rules
        self.variadic, self.joint, self.alias, self.into, self.late, self.sums, self.parts = (
            variadic, joint, alias, into, late, sums, parts)
        self.arity = None if variadic or joint else len(rules)  # operands it takes; None: any
        self.simple = len(rules) <= 2 and not (variadic or joint or into)
        self.looks = looks
        self.of = short_way(self)
        self.__doc__ = doc or f"The row {name!r} of the op table: for floats, arrays and nodes."

    def __repr__(self) -> str:
        return f"<op {self.name!r}>"

    def __call__(self, a: Any, b: Any = None, *rest: Any, **params: Any) -> Any:
        """Compute the value; if an operand is a node, record one. Plain operands give a plain
        result."""
        if rest or params:
            return self.record(here(), (a, b, *rest), params)
        return self.of(a, b)

    def record(self, place: Place, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """The general case: any number of operands, parameters, mixed kinds, switches, errors."""
        operands = tuple([o for o in operands if o is not None])
        nodes = [o if isinstance(o, Node) else None for o in operands]
        known = [n for n in nodes if n is not None]
        if not known:
            return self.compute(operands, params)
        timed = None
        for n in known:
            if n.params is LENT:  # the user may still hold its array: see inplace.py
                settle(n)
            if n.timed:
                timed = n
        values = [plain(o, self) if n is None else n.value for o, n in zip(operands, nodes)]
        if all(n.is_scalar for n in known):  # a NumPy number among plain ones
            values = [float(v) if isinstance(v, np.ndarray) and v.ndim == 0 else v for v in values]
        values = [v.copy() if n is None and isinstance(v, np.ndarray) else v  # it could change
                  for v, n in zip(values, nodes)]
        try:
            value = self.compute(values, params)
        except (ArithmeticError, ValueError, TypeError, IndexError) as problem:
            raise explain(self, place, operands, problem) from problem
        scalar = known[0].is_scalar and type(value) is float
        kind = type(known[0]) if scalar else known[0].array_kind
        node = self.note(kind, place, value, nodes, values, params)
        if timed is not None and place.span is None:  # what covers a span says so
            timed.follow(node, self, operands, params)
        for watch in place.watchers:
            watch.node(node, self, operands)
        return node

    def note(self, kind: type[Self], place: Place, value: Any, nodes: Sequence[Node | None],
             values: Sequence[Any], params: dict[str, Any]) -> Self:
        """The node of a value that was computed from these, or a constant if no gradient can go
        through it."""
        if place.sites and place.site is None:  # a gradient keeps the line of its node
            place = place.but(site=caller())
        for n in nodes if place.recording else ():
            if n is not None and n.op is not constant:
                break
        else:
            return given(kind, value, place, constant)
        node = make(kind, self, value, nodes[0], None, values[0], None, place)
        node.params = params or None
        if len(values) > 1:
            node.b, node.v = nodes[1], values[1]
        if len(values) > 2:
            node.rest = Rest(nodes[2:], values[2:])
        return node

    def compute(self, values: Sequence[Any], params: dict[str, Any]) -> Any:
        """The value from plain operands. Floats follow IEEE: where Python raises, NumPy answers."""
        if self.arity is not None and len(values) != self.arity:  # NumPy would write to a third
            raise TypeError(f"it takes {self.arity} operand{'s' * (self.arity != 1)}, "
                            f"got {len(values)} (None is no operand)")
        scalar = type(values[0]) in (float, int) and all(type(v) in (float, int) for v in values)
        if not scalar or self.scalar is None:
            if self.array is None or scalar and not params:
                kind = "numbers" if self.array is None else "tensors"
                raise TypeError(f"it needs {kind}, got {values}")
            return self.array(*values, **params)
        try:
            return self.scalar(*values, **params)
        except (ArithmeticError, ValueError):
            with np.errstate(all="ignore"):
                return float(self.array(*map(np.float64, values), **params))  # type: ignore[misc]


def short_way(op: Op) -> Callable[..., Any]:
    """What most calls need: one or two operands, no parameters. `Value.__mul__` is `mul.of`.

    A function that knows its op, since each call more costs as much as the arithmetic. Whatever is
    not simple it leaves to `Op.record`.
    """
    scalar, array, record, alone = op.scalar, op.array, op.record, op.arity == 1

    def of(a: Any, b: Any = None) -> Any:
        place = here()
        if isinstance(a, Node):
            kind, x, u, needs = type(a), a, a.value, a.op is not constant
            if b is None:
                y = v = None
            elif alone:
                return record(place, (a, b), {})  # refuses
            elif type(b) is kind and b.params is not LENT:
                y, v = b, b.value
                needs = needs or b.op is not constant
            elif type(b) is float or type(b) is int:
                y, v = None, b
            else:
                return record(place, (a, b), {})
        elif not isinstance(b, Node):
            return op.compute((a,) if b is None else (a, b), {})
        elif (type(a) is float or type(a) is int) and b.params is not LENT:
            kind, x, u, y, v, needs = type(b), None, a, b, b.value, b.op is not constant
        else:
            return record(place, (a, b), {})
        if not place.fast or x is not None and x.params is LENT:
            return record(place, (a, b), {})
        if kind.is_scalar:
            compute: Any = scalar
        elif kind is not kind.array_kind:  # a sequence, or numbers were left out
            return record(place, (a, b), {})
        else:
            compute = array
        try:
            value = compute(u) if v is None else compute(u, v)
        except (ArithmeticError, ValueError, TypeError):
            return record(place, (a, b), {})  # has the IEEE answer, or the words
        if needs:
            return make(kind, op, value, x, y, u, v, place)
        return given(kind, value, place, constant)

    return of


leaf = Op("leaf", doc="A given value that wants a gradient.")
constant = Op("constant", doc="A given value, or a result, that no gradient reaches.")
released = Op("released", doc="A node whose history was freed.")
