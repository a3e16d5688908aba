"""One run of a function whose derivatives are asked for: what it sees, and what it gives back.

The question this file answers: *what is x inside of f, and in which shape do the results come?*
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..errors import GradientError, InputError, ShapeError
from . import ops
from .graph import Node
from .inplace import plain
from .place import switch
from .values import Tensor, Value

INSIDE: ContextVar[bool] = ContextVar("tinygrad_rnn.inside_a_transform", default=False)


class Run:
    """`f`, run once at `x` for the transform `call`: its result `y`, and the copies `xs` it saw."""

    def __init__(self, call: str, f: Callable[[Any], Any], x: Any, graph: bool | None) -> None:
        self.call, self.x = call, x
        if not callable(f):
            got = "its result, a node" if isinstance(f, Node) else repr(f)
            raise InputError(f"expected a function f(x), got {got}", where=call,
                             fix=f"tg.{call}(lambda x: (x ** 2).sum(), x)" if not
                             isinstance(f, Node) else "Of a result there is tg.grad(y, x)")
        self.graph = INSIDE.get() if graph is None else graph
        token = INSIDE.set(True)
        try:
            with switch(recording=True):
                self.xs = [start(part, self.graph) for part in parts(x)]
                self.y = result(call, f(self.like_x(self.xs)))
        finally:
            INSIDE.reset(token)

    def number(self) -> Run:
        """Refuse an `f` that gives more than one number."""
        if np.size(self.y.value) != 1:
            raise GradientError(f"f must give a single number, got shape {self.y.value.shape}",
                                where=self.call, fix="Reduce it, for instance with .sum()")
        return self

    def direction(self, v: Any) -> list[Any]:
        """`v` as a list that fits `xs`, entry by entry."""
        if isinstance(self.x, dict):
            fits = isinstance(v, dict) and v.keys() == self.x.keys()
            vs = [v[key] for key in self.x] if fits else []
        elif isinstance(self.x, (list, tuple)):
            fits = isinstance(v, (list, tuple)) and len(v) == len(self.x)
            vs = list(v) if fits else []
        else:
            fits, vs = not isinstance(v, dict), [v]
        if not fits:
            raise InputError(f"v must have the structure of x, {outline(self.x)}; got {outline(v)}",
                             where=self.call)
        return [fitted(self.call, part, x, "x") for part, x in zip(vs, self.xs)]

    def like_x(self, items: list[Any]) -> Any:
        """`items`, one for each part of `x`, in the structure of `x`."""
        if isinstance(self.x, dict):
            return dict(zip(self.x, items))
        if hasattr(self.x, "_make"):
            return self.x._make(items)
        return type(self.x)(items) if isinstance(self.x, (list, tuple)) else items[0]

    def shown(self, g: Node) -> Any:
        """A derivative as the user gets it: the node, or a plain number or array of their own."""
        return g if self.graph else g.value if g.is_scalar else np.array(g.value)


def parts(x: Any) -> list[Any]:
    """The entries of a list, tuple or dict; anything else is its own only part."""
    return list(x.values()) if isinstance(x, dict) else list(x) if isinstance(x, (list, tuple)) \
        else [x]


def outline(x: Any) -> str:
    """How errors speak of a structure."""
    kind = type(x).__name__
    if isinstance(x, dict):
        return f"a {kind} with the keys {', '.join(map(str, x))}"
    return f"a {kind} of {len(x)}" if isinstance(x, (list, tuple)) else f"a {kind}"


def start(x: Any, graph: bool) -> Any:
    """The node that stands for `x` inside `f`: a leaf of its own, or a copy that leads to `x`."""
    if isinstance(x, Node):
        if graph and x.requires_grad:
            copy = ops.mul(x, 1.0)
            copy.name = x.name
            return copy
        return (Value if x.is_scalar else Tensor)(x.value, name=x.name, requires_grad=True)
    return Value(x) if isinstance(x, (int, float)) else Tensor(x, requires_grad=True)


def result(call: str, y: Any) -> Any:
    """What `f` returned, as a node: a plain number is a constant, and anything else is refused."""
    if isinstance(y, Node):
        return y
    if isinstance(y, (int, float)):
        return Value(y, requires_grad=False)
    if isinstance(y, (np.ndarray, np.generic)):
        return Tensor(y)
    raise InputError(f"f must return a Value, a Tensor or a number, got {outline(y)}", where=call,
                     fix="Return one of them; np.stack and np.concatenate join several")


def fitted(call: str, v: Any, x: Any, what: str) -> Any:
    """A given vector: a node or an array of the shape and dtype of `x`."""
    shape = np.shape(v.value if isinstance(v, Node) else v)
    if shape != np.shape(x.value):
        raise ShapeError(f"v must have the shape of {what}, {np.shape(x.value)}, got {shape}",
                         where=call)
    if isinstance(v, Node):
        return v
    v = plain(v)
    return float(v) if x.is_scalar else np.array(v, x.value.dtype)
