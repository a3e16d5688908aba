"""The graph as it grows: operations, and how a call of one computes a value and leaves a node.

The question this file answers: *what happens when an operation is called?*

With plain numbers, nothing but the arithmetic. With a node among its operands, an `Op` leaves a
node behind: by a short way if there is nothing to see to, which is nearly always; else by
`Op.record`. What else the graph consists of, the nodes, is in `nodes`; both are imported from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .inplace import LENT, plain, settle
from .nodes import Node, Rest, Self, given, make, new, operands_of, rest_of, tick
from .place import Place, caller, here
from .words import explain

__all__ = ["Node", "Op", "Rest", "Self", "constant", "given", "leaf", "make", "new", "operands_of",
           "released", "rest_of", "tick"]


NUMBERS = (np.ndarray, np.generic, float, int, complex)  # what is computed with as it is


class Op:
    """One row of the table: a name, how to compute the value, and one gradient rule per operand.

    `scalar` and `array` are the two columns for the value: plain floats, and NumPy arrays. A rule
    is called as `rule(g, y, a, b, **params)`: `g` arrives, `y` is the value, then the operands, and
    it returns the gradient that leaves through its operand. The same rule is called with floats,
    with arrays and with nodes. A `variadic` op has a single rule, called with `position=` as well;
    a `joint` rule gives the gradients of all operands at once.

    Where a contribution is better not built, a row says what to do instead: `into(total, g,
    **params)` adds that of the first operand to an existing array (a slice of a long sequence), and
    `late(gs, xs)` is the sum over all uses of the second one (a weight): what arrived at each, and
    its first operand. An `alias` only shows its operand in another way (a transpose, a slice).
    Where nobody looks on, `sums(node, g, arriving)` adds up by itself what leaves through all
    operands.

    `looks` says which numbers the rules look at: y, a, b. Of the others they need the shape at
    most, so where a value was left out (see together.py) it need not be computed again.

    An op that spans many steps (a sequence as one node) says what each step gave: `parts(g, y,
    *operands, **params)` is a list with, for every operand, either None (nothing to tell apart) or
    a list of `parts.Part`s, the last use first, whose sum is what the rule gives. The ledger of a
    weight then has a row for each. `parts` is only called for those who look.
    """

    given = False  # a leaf or a constant: a node of it was not computed
    wanted = True  # whether a gradient can arrive at a node of it

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

    def __deepcopy__(self, memo: Any) -> Op:
        """A row of the table is one thing: a copied layer calls the same tanh."""
        return self

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
            return self.without_nodes(operands, params)
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
        except (ArithmeticError, ValueError, TypeError, IndexError, AttributeError) as problem:
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
        b, v = (nodes[1], values[1]) if len(values) > 1 else (None, None)
        return make(kind, self, value, nodes[0], b, values[0], v, place, rest_of(nodes, values),
                    params or None)

    def without_nodes(self, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """The value of plain numbers and arrays. A list is an array here; what is no number is
        refused, in words."""
        operands = [o if isinstance(o, NUMBERS) else plain(o, self) for o in operands]
        try:
            return self.compute(operands, params)
        except (ValueError, TypeError, IndexError, AttributeError) as problem:
            for o in operands:
                if np.asarray(o).dtype.kind != "c":  # of a check by complex steps
                    plain(o, self)
            raise explain(self, here(), tuple(operands), problem) from problem

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
            return op.without_nodes((a,) if b is None else (a, b), {})
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
        except (ArithmeticError, ValueError, TypeError, AttributeError):
            return record(place, (a, b), {})  # has the IEEE answer, or the words
        if needs:
            return make(kind, op, value, x, y, u, v, place)
        return given(kind, value, place, constant)

    return of


leaf = Op("leaf", doc="A given value that wants a gradient.")
constant = Op("constant", doc="A given value, or a result, that no gradient reaches.")
leaf.given = constant.given = True
constant.wanted = False
released = Op("released", doc="A node whose history was freed.")
