"""What the engine refuses: no seed, no history, a released graph, data changed after it was
used."""

from __future__ import annotations

import dis
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from types import CodeType
from typing import Any, NoReturn

import numpy as np

from ..errors import GradientError, InputError, ShapeError
from .graph import Node, Op, constant, operands_of, released
from .inplace import plain
from .totals import ones
from .words import describe

ORDER, OP = attrgetter("order"), attrgetter("op")


def check_ends(ends: Sequence[Node], history: Sequence[Node]) -> None:
    """Refuse a walk that ends at a released node, or at a leaf whose data was assigned in the
    meantime."""
    if not ends or max(map(ORDER, ends)) <= history[-1].order and released not in map(OP, ends):
        return
    for end in ends:
        if end.op is released:
            refuse_released(end)
        if end.order > history[-1].order:  # a leaf's order: when its data was last assigned
            refuse_changed(end, history)


def seeded(root: Node, seed: Any, call: str) -> Any:
    """The gradient that starts the walk: 1 for a single number, else what the caller gives."""
    if not isinstance(root, Node):
        raise GradientError(f"{call} needs a Value or a Tensor, got {type(root).__name__}")
    if root.op is released:
        refuse_released(root)
    if root.op is constant:
        raise GradientError(f"{describe(root)} needs no gradient: there is nothing to send back",
                            fix="Make a leaf with requires_grad=True, or leave the no_grad() block",
                            where=call)
    value = root.value
    if seed is None:
        if root.is_scalar:
            return 1.0
        if value.size != 1:
            raise GradientError(f"{describe(root)} is not a single number", where=call,
                                fix="Reduce it, for instance with .sum(), or give a seed of shape "
                                    f"{value.shape}")
        return np.ones(value.shape, value.dtype) if value.shape else ones((), value.dtype)
    shape = np.shape(seed.value if isinstance(seed, Node) else seed)
    if shape != np.shape(value):
        raise ShapeError(f"expected a seed of shape {np.shape(value)}, that of {describe(root)}, "
                         f"got {shape}", where=call)
    if isinstance(seed, Node):
        return seed
    seed = plain(seed)
    return float(seed) if root.is_scalar else np.array(seed, value.dtype)


def plain_seed(root: Node, seed: Any, call: str) -> Any:
    """The same, as a plain number or array."""
    start = seeded(root, seed, call)
    return start.value if seed is not None and isinstance(start, Node) else start


def check_targets(xs: Any, call: str) -> list[Any]:
    """A node, or several, as a list. Only one that wants a gradient can be asked for one."""
    if not isinstance(xs, Node) and (isinstance(xs, (str, bytes)) or not isinstance(xs, Iterable)):
        raise GradientError(f"expected a Value or a Tensor, or a list of them, got {xs!r}",
                            where=call)
    targets = [xs] if isinstance(xs, Node) else list(xs)
    for x in targets:
        if not isinstance(x, Node) or x.op is constant:
            what = describe(x) if isinstance(x, Node) else f"{x!r}"
            raise GradientError(f"{what} needs no gradient", where=call,
                                fix="Make it a leaf with requires_grad=True")
    return targets


def refuse_other(node: Any, call: str, fix: str) -> None:
    """Raise `InputError` for what is no node."""
    if not isinstance(node, Node):
        raise InputError(f"needs a Value or a Tensor, got {type(node).__name__}", where=call,
                         fix=fix)


def refuse_released(node: Node, call: str = "backward") -> NoReturn:
    """The history of `node` was freed, so no gradient can go through it."""
    raise GradientError(
        f"{describe(node)} belongs to a graph that was already released", where=call,
        fix="If its history is not wanted (a state carried into the next window), pass it on with "
            ".detach(); if it is, run the program again or do not release the graph")


def check_operands(node: Node) -> None:
    """On the way to a second derivative, a rule reads the nodes: they must still hold what they
    held when `node` was made (an array can be written to without being assigned)."""
    for x, then in zip(node.operands, node.values):
        if isinstance(x, Node) and x.value is not then and not np.array_equal(x.value, then):
            raise GradientError(
                f"the data of {describe(x)} was written to after {describe(node)} used it",
                where="grad(create_graph=True)",
                fix="Take the gradient before you change the data, or run the program again")


def refuse_changed(changed: Node, history: Sequence[Node]) -> None:
    """Raise if a rule that is about to run needs the value that `changed` had when it was used."""
    for node in history:
        if node.order > changed.order:
            continue
        operands = operands_of(node)
        for position, x in enumerate(operands):
            if x is None or not x.requires_grad:
                continue
            for place, other in enumerate(operands):
                if other is changed and needs(node.op, position, place):
                    at = "" if node.step is None else f" at step {node.step}"
                    raise GradientError(
                        f"the data of {describe(changed)} was assigned after op "
                        f"'{node.op.name}'{at} used it, and the gradient needs the value it had "
                        "then", where="backward",
                        fix="Call backward before you update the parameter, or run the program "
                            "again to build a new graph; a state carried on from before the update "
                            "is cut off with .detach()")


def needs(op: Op, position: int, operand: int) -> bool:
    """Whether the rule of `position` reads the value of `operand`, going by the names its code
    loads. To read no more than its shape is not to read its value."""
    rule = op.rules[0 if op.variadic or op.joint else position]
    code = getattr(rule, "__code__", None)
    if not isinstance(code, CodeType) or op.joint or code.co_argcount <= operand + 2:
        return True  # not a plain function, or the operand is behind a *star: assume the worst
    name = code.co_varnames[operand + 2]
    if name in code.co_cellvars:
        return True
    for load, after in pairwise(dis.get_instructions(code)):
        loaded = load.argval if isinstance(load.argval, tuple) else (load.argval,)
        if "LOAD_FAST" in load.opname and name in loaded:
            only_shape = after.opname == "LOAD_ATTR" and after.argval in ("shape", "ndim", "dtype")
            if not only_shape or name in loaded[:-1]:
                return True
    return False
