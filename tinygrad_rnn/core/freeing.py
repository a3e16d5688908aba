"""Freeing a long history without recursion, on the one Python version that cannot do it by itself.

The question this file answers: *what happens to a million nodes when the last one is dropped?*

A node that goes away drops its operands, which drop theirs. Python interrupts such a chain before
it runs out of stack: after 50 objects, in most versions. CPython 3.13 goes on to a depth that a
thread with a small stack does not have, and the process crashes. There, and only there, a node
takes its history apart itself, in a loop.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from .graph import Node

P = ParamSpec("P")
R = TypeVar("R")
RECURSES = sys.implementation.name == "cpython" and sys.version_info[:2] == (3, 13)


def free_in_a_loop(kind: type[Node]) -> None:
    """Give nodes of this kind a `__del__` that takes a history apart, where Python needs one."""
    if RECURSES:
        kind.__del__ = dismantle  # type: ignore[attr-defined]


def dismantle(node: Node) -> None:
    """Cut a dying node off from its operands, theirs from them, and so on, as far as nobody else
    holds them."""
    dying = take_operands(node)
    while dying:
        operand = dying.pop()
        if sys.getrefcount(operand) == 2:  # the name `operand` and the call's argument
            dying += take_operands(operand)


def take_operands(node: Node) -> list[Any]:
    """The operands of a node, which lets go of them."""
    try:
        operands = [x for x in (node.a, node.b) if x is not None]
        if node.rest is not None:
            operands += [x for x in node.rest.nodes if x is not None]
    except AttributeError:  # an interrupt came while the node was being made
        return []
    if operands:
        node.a = node.b = node.rest = None
    return operands


def unsearched(f: Callable[P, R]) -> Callable[P, R]:
    """Run `f`, which makes many objects and no cycle, without the search for cycles: at T=100,000
    it would look at every node again and again, and take as long as all the rest. A drawing of
    2,000 steps is half a million small objects that are no garbage either. They are freed as they
    are let go of: a part that needs the whole which has it, holds that weakly (`weakref.proxy`).

    Who has switched the collector off finds it off; no interrupt comes between `finally` and
    `enable`, since Python looks for one only when a call is over.
    """

    @wraps(f)
    def inside(*args: P.args, **options: P.kwargs) -> R:
        on = gc.isenabled()
        try:
            if on:
                gc.disable()
            return f(*args, **options)
        finally:
            if on:
                gc.enable()

    return inside
