"""Ops of your own: a value and one gradient rule per operand make a row like those of the library.

The question this file answers: *how do I add a function that the table does not have?*

A function of plain numbers or arrays gives the value; the rules read `(g, y, a, b)` as in `ops.py`.
Written with operators, NumPy functions and other ops, a rule serves floats, arrays and nodes, and
so gives gradients of any order.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DTypeError, GradientError, InputError, ShapeError, UnsupportedError
from .graph import Node, Op

Rule = Callable[..., Any]


def op(*rules: Rule | None, name: str | None = None,
       scalar: Callable[..., Any] | None = None) -> Callable[[Callable[..., Any]], Op]:
    """A decorator that makes an op of a function, given one gradient rule for each of its operands.

    The function gets plain numbers or arrays; its parameters without a default are the operands,
    and those with one are given by keyword. A rule gets `g` (the gradient that arrives), `y` (the
    value), the operands, and the keywords as the function does; it returns what leaves through its
    operand. Broadcasting is the engine's: the rule of an addition is `g`. `None` in place of a
    rule means that this operand never gets a gradient. A function of `*xs` has a single rule, which
    is told by `position=` for which operand it is.

    `scalar` is another function for plain floats (a `Value`), where one does not serve both; `name`
    is what drawings and errors call the op, by default the function's name.

    >>> @op(lambda g, y, x: g * 3 * x ** 2)
    ... def cube(x):
    ...     "x to the third."
    ...     return x ** 3
    >>> cube
    <op 'cube'>
    >>> cube(2.0)
    8.0

    Raises InputError if the rules do not go with the function, at once; ShapeError and
    GradientError when a rule returns what cannot be the gradient of its operand.
    """

    def decorate(function: Callable[..., Any]) -> Op:
        if not callable(function):
            raise InputError(f"needs a function, got {type(function).__name__}", where="tg.op",
                             fix="Give the rules first: @tg.op(lambda g, y, x: ...) above the def")
        return build(function, rules, name or str(getattr(function, "__name__", "op")), scalar)

    return decorate


def build(function: Callable[..., Any], rules: tuple[Rule | None, ...], name: str,
          scalar: Callable[..., Any] | None) -> Op:
    """The row, its rules checked against the function's parameters."""
    operands, options, variadic = parameters(function, name)
    expected = 1 if variadic else len(operands)
    if len(rules) != expected:
        these = "*" + operands[0] if variadic else ", ".join(operands)
        raise InputError(f"{name}({these}) needs {expected} rule{'s' * (expected != 1)}, one for "
                         f"each operand, got {len(rules)}", where="tg.op",
                         fix="A parameter with a default is no operand and has no rule")
    for rule in rules:
        check_signature(rule, name, operands, [*options, *(["position"] if variadic else [])])
    made = Op(name, number(scalar or function, name, operands, variadic),
              array(function, name, operands, variadic),
              tuple(checked(rule, name, i, variadic) for i, rule in enumerate(rules)),
              variadic=variadic, doc=function.__doc__ or "")
    made.arity = None  # check_call counts, and knows the names of the operands
    functools.update_wrapper(made, function)
    return made


def parameters(function: Callable[..., Any], name: str) -> tuple[list[str], list[str], bool]:
    """The names of the operands, the names of the options, and whether there is a `*xs`."""
    kinds = inspect.signature(function).parameters.values()
    stars = [p.name for p in kinds if p.kind is p.VAR_POSITIONAL]
    operands = [p.name for p in kinds if p.default is p.empty
                and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    options = [p.name for p in kinds if p.kind is p.KEYWORD_ONLY or p.default is not p.empty]
    if bool(stars) == bool(operands):
        raise InputError(f"{name} needs operands: either named ones or a *xs", where="tg.op")
    return stars or operands, options, bool(stars)


def check_signature(rule: Rule | None, name: str, operands: list[str], options: list[str]) -> None:
    """A rule must take g, y and the operands, and every option by its name."""
    if rule is None:
        return
    if not callable(rule):
        raise InputError(f"a rule of {name} must be a function, got {type(rule).__name__}",
                         where="tg.op")
    try:
        inspect.signature(rule).bind("g", "y", *operands, **dict.fromkeys(options))
    except TypeError as problem:
        wanted = ", ".join(["g", "y", *operands, *(f"{o}=..." for o in options)])
        raise InputError(f"a rule of {name} must take ({wanted}): {problem}",
                         where="tg.op") from None


# --- what the function may return -----------------------------------------------------------------


def check_call(name: str, operands: list[str], variadic: bool, xs: Any, params: Any) -> None:
    """The right number of operands, and no node among the options: its gradient would be lost."""
    if not variadic and len(xs) != len(operands):
        raise InputError(f"takes {len(operands)} operand(s) ({', '.join(operands)}), got {len(xs)}",
                         where=f"op '{name}'", fix="Give everything else by keyword")
    for option, value in params.items():
        if isinstance(value, Node):
            raise UnsupportedError(f"{option} is an option and gets no gradient, got a node",
                                   where=f"op '{name}'",
                                   fix="Make it an operand, with its own rule")


def number(function: Callable[..., Any], name: str, operands: list[str],
           variadic: bool) -> Callable[..., float]:
    """The function as the column for plain floats."""

    def compute(*xs: float, **params: Any) -> float:
        check_call(name, operands, variadic, xs, params)
        y = function(*xs, **params)
        if np.ndim(y) != 0:
            raise ShapeError(f"must give a number for numbers, got shape {np.shape(y)}",
                             where=f"op '{name}'", fix="Use a Tensor")
        return float(y)

    return compute


def array(function: Callable[..., Any], name: str, operands: list[str],
          variadic: bool) -> Callable[..., Any]:
    """The function as the column for arrays, which it may read but not write to."""

    def compute(*xs: Any, **params: Any) -> Any:
        check_call(name, operands, variadic, xs, params)
        y = np.asarray(function(*map(locked, xs), **params))
        if y.dtype.kind not in "fiub":
            raise DTypeError(f"must give real numbers, got dtype {y.dtype}", where=f"op '{name}'")
        return y if y.dtype.kind == "f" else y.astype(float)

    return compute


def locked(x: Any) -> Any:
    """A view of an array that cannot be written to: the graph keeps what is behind it."""
    if isinstance(x, np.ndarray):
        x = x.view()
        x.flags.writeable = False
    return x


# --- what a rule may return -----------------------------------------------------------------------


def checked(rule: Rule | None, name: str, place: int, variadic: bool) -> Rule:
    """The rule, with errors that name it."""
    if rule is None:
        return functools.partial(refused, name, place)

    @functools.wraps(rule)
    def call(g: Any, y: Any, *xs: Any, **params: Any) -> Any:
        position = params["position"] if variadic else place
        c = rule(locked(g), locked(y), *map(locked, xs), **params)
        where = f"rule of operand {position} of op '{name}'"
        if isinstance(g, Node) and not isinstance(c, Node):
            raise GradientError("gave a plain result when nodes came in: higher derivatives would "
                                "be lost", where=where, fix="Write it with operators, NumPy "
                                "functions and tg's, without .numpy() or .item()")
        got, expected = shape(c), shape(xs[position])
        if not fits(got, expected):
            raise ShapeError(f"expected the shape of its operand, {expected} (or what broadcasts "
                             f"from it), got {got}", where=where)
        return c

    return call


def refused(name: str, place: int, *_: Any, **__: Any) -> Any:
    """What stands in for a rule that is None."""
    raise UnsupportedError("has no rule, and a gradient was asked for",
                           where=f"operand {place} of op '{name}'",
                           fix="Give that operand as plain numbers, or .detach() it")


def shape(x: Any) -> tuple[int, ...]:
    """The shape of a number, array or node."""
    return np.shape(x.value if isinstance(x, Node) else x)


def fits(got: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Whether summing over broadcast axes leads from one shape to the other."""
    tail = got[len(got) - len(expected):]
    return len(got) >= len(expected) and all(m in (n, 1) for n, m in zip(tail, expected))
