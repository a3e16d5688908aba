"""Derivatives of a function: jacobian, hessian, hvp, vjp, jvp, value_and_grad.

The question this file answers: *I have a function and a point: what are its derivatives there?*

    y_i = f(x)_i        J_ij = ∂y_i / ∂x_j        H_jk = ∂²y / ∂x_j ∂x_k

`f` takes one argument, `x`: a number, an array, a `Value`, a `Tensor`, or a list, tuple or dict of
these, handed to `f` as it is. Inside, `f` works on copies of `x`, so what it reaches in another way
(a weight, `x` itself by its outer name) counts as fixed. `f` returns one node or number.

Results are plain: a float where numbers meet, else an array that NumPy can go on with; for a list,
tuple or dict they come in the same structure. With `create_graph=True` they are nodes that can be
differentiated again, with respect to `x` and to whatever `f` uses. Inside the `f` of another
transform that is the default, so that transforms nest. They also work inside `no_grad()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import wraps
from typing import Any

import numpy as np

from ..errors import GradientError, InputError, ShapeError
from . import ops
from .gradients import as_node, pull
from .graph import Node
from .inplace import plain
from .place import contained, switch
from .values import Tensor, Value

INSIDE: ContextVar[bool] = ContextVar("tinygrad_rnn.inside_a_transform", default=False)


# --- what users call ----------------------------------------------------------------------------


@contained
def jacobian(f: Callable[[Any], Any], x: Any, *, create_graph: bool | None = None) -> Any:
    """All first derivatives of `f` at `x`: J = ∂f/∂x, of shape `f(x).shape + x.shape`.

    One backward pass for each entry of `f(x)`. Raises `InputError` if `f` returns something else
    than a node or a number.

    >>> jacobian(lambda x: x * x, np.array([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    run = Run("jacobian", f, x, create_graph)
    return run.like_x(jacobians(run.y, run.xs, run.graph))


@contained
def hessian(f: Callable[[Any], Any], x: Any, *, create_graph: bool | None = None) -> Any:
    """All second derivatives of a single number `f(x)`: H = ∂²f/∂x∂x, of shape `x.shape + x.shape`.

    For several inputs `result[i][j]` is the block ∂²f/∂x_i∂x_j, of shape `x_i.shape + x_j.shape`.

    >>> hessian(lambda x: x[0] ** 2 * x[1], np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    run = Run("hessian", f, x, create_graph).number()
    slopes = gradients(run.y, run.xs, None, graph=True)
    return run.like_x([run.like_x(jacobians(slope, run.xs, run.graph)) for slope in slopes])


@contained
def hvp(f: Callable[[Any], Any], x: Any, v: Any, *, create_graph: bool | None = None) -> Any:
    """The Hessian of `f(x)`, a single number, times `v`: H v, of the shape of `x`.

    H is never built: H v is the gradient of ∇f · v, two passes for any size of `x`.

    >>> hvp(lambda x: x[0] ** 2 * x[1], np.array([3.0, 5.0]), np.array([1.0, 0.0]))
    array([10.,  6.])
    """
    run = Run("hvp", f, x, create_graph).number()
    along = dot(gradients(run.y, run.xs, None, graph=True), run.direction(v))
    return run.like_x([run.shown(g) for g in gradients(along, run.xs, None, run.graph)])


@contained
def vjp(f: Callable[[Any], Any], x: Any, v: Any, *, create_graph: bool | None = None) -> Any:
    """`v` times the Jacobian of `f` at `x`: vᵀ J, of the shape of `x`; `v` has the shape of `f(x)`.

    This is what one backward pass with the seed `v` computes.

    >>> vjp(lambda x: x * x, np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    array([2., 6.])
    """
    run = Run("vjp", f, x, create_graph)
    v = fitted("vjp", v, run.y, "f(x)")
    return run.like_x([run.shown(g) for g in gradients(run.y, run.xs, v, run.graph)])


@contained
def jvp(f: Callable[[Any], Any], x: Any, v: Any, *, create_graph: bool | None = None) -> Any:
    """The Jacobian of `f` at `x` times `v`: J v, of the shape of `f(x)`; `v` has the shape of `x`.

    The slope of `f` along `v`, from two backward passes: uᵀ J is linear in u, and its derivative
    with respect to u, times v, is J v (J. Townsend, "A new trick for calculating Jacobian vector
    products", 2017).

    >>> jvp(lambda x: x * x, np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    array([2., 6.])
    """
    run = Run("jvp", f, x, create_graph)
    u = start(zeros(run.y), False)
    along = dot(gradients(run.y, run.xs, u, graph=True), run.direction(v))
    return run.shown(gradients(along, [u], None, run.graph)[0])


def value_and_grad(f: Callable[..., Any], *, create_graph: bool | None = None
                   ) -> Callable[..., tuple[Any, Any]]:
    """The function `(x, *others) -> (f(x, *others), ∂f/∂x)`, for an `f` that gives a single number.

    The gradient is with respect to the first argument, which may be a list, tuple or dict; the
    others are passed on as they are.

    >>> value_and_grad(lambda x, scale: scale * (x * x).sum())(np.array([1.0, 3.0]), 2.0)
    (20.0, array([ 4., 12.]))
    """

    @contained
    @wraps(f)
    def with_gradient(x: Any, *others: Any, **options: Any) -> tuple[Any, Any]:
        run = Run("value_and_grad", lambda x: f(x, *others, **options), x, create_graph).number()
        slopes = gradients(run.y, run.xs, None, run.graph)
        value = run.y if run.graph else run.y.value if run.y.is_scalar else run.y.value.item()
        return value, run.like_x([run.shown(g) for g in slopes])

    return with_gradient


# --- one run of f -------------------------------------------------------------------------------


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


# --- the calculus -------------------------------------------------------------------------------


def gradients(y: Any, xs: Sequence[Any], seed: Any, graph: bool) -> list[Any]:
    """seedᵀ ∂y/∂x for every x, as nodes; zeros for an x that `y` does not depend on."""
    if seed is None:
        seed = 1.0 if y.is_scalar else np.ones_like(y.value)
    totals = pull(y, xs, seed, graph=graph, until=set(xs))
    return [as_node(x, totals[x]) if x in totals else zeros(x) for x in xs]


def jacobians(y: Any, xs: Sequence[Any], graph: bool) -> list[Any]:
    """∂y/∂x for every x, of shape y.shape + x.shape: nodes with `graph`, else plain."""
    if y.is_scalar:
        slopes = gradients(y, xs, None, graph)
        return slopes if graph else [g.value if g.is_scalar else np.array(g.value) for g in slopes]
    rows = [gradients(y, xs, unit(y.value, i), graph) for i in range(y.value.size)]
    return [stacked([row[k] for row in rows], y, x, graph) for k, x in enumerate(xs)]


def zeros(x: Any) -> Any:
    """A constant of the kind and shape of `x`."""
    if x.is_scalar:
        return Value(0.0, requires_grad=False)
    return Tensor(np.zeros(x.value.shape, x.value.dtype if x.value.dtype.kind == "f" else float))


def unit(like: Any, i: int) -> Any:
    """Zeros with a single 1, at the i-th entry."""
    e = np.zeros_like(like)
    e.flat[i] = 1.0
    return e


def stacked(rows: list[Any], y: Any, x: Any, graph: bool) -> Any:
    """The rows of a Jacobian as one array, or node, of shape y.shape + x.shape."""
    shape = y.value.shape + np.shape(x.value)
    if graph and rows:
        with switch(recording=True):
            return ops.reshape(ops.stack(*rows, axis=0), shape=shape)
    block = np.array([row.value for row in rows], np.asarray(x.value).dtype).reshape(shape)
    return Tensor(block) if graph else block


def dot(gs: list[Any], vs: list[Any]) -> Any:
    """The sum over all entries of g times v: one number, as a node."""
    total: Any = Value(0.0, requires_grad=False)
    with switch(recording=True):
        for g, v in zip(gs, vs):
            total = total + (g * v if g.is_scalar else ops.sum_(g * v))
    return total
