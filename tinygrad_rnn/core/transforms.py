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
from functools import wraps
from typing import Any

import numpy as np

from . import ops
from .gradients import as_node, pull
from .one_run import Run, fitted, start
from .place import contained, switch
from .values import Tensor, Value

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
