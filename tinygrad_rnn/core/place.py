"""Where the program is: time step, scope, phase, and the switches of this thread.

The question this file answers: *how does a node know its time step?*

One context variable holds one frozen `Place`, and every node keeps the `Place` it was made at. A
context variable belongs to a thread (or an async task), so `no_grad()` in one never leaks into
another.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from .graph import Node


class Watcher(Protocol):
    """Sees every node as it is made, and every contribution as it passes."""

    def node(self, node: Node) -> None: ...
    def edges(self, edges: Iterator[Any]) -> Iterator[Any]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node was made: `step`, `scope`, `phase`; and the switches in force while it was made.

    `fast` is True when there is nothing to do but record. `watchers` see every new node, and `site`
    is the user's source line, kept only while something asks for it.
    """

    step: int | None = None
    scope: str = ""
    phase: str = "forward"
    recording: bool = True
    sites: bool = False
    watchers: tuple[Watcher, ...] = ()
    site: str | None = None
    fast: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fast", self.recording and not self.sites and not self.watchers)


NOWHERE = Place()
HERE: ContextVar[Place] = ContextVar("tinygrad_rnn", default=NOWHERE)
here = HERE.get


class switch(ContextDecorator):
    """A context manager (or decorator) that changes the current `Place`, in this thread or task
    only."""

    def __init__(self, **changes: Any) -> None:
        self.changes, self.tokens = changes, list[Token[Place]]()

    def __enter__(self) -> None:
        self.tokens.append(HERE.set(replace(here(), **self.changes)))

    def __exit__(self, *_: object) -> None:
        HERE.reset(self.tokens.pop())


class at:
    """A context manager that goes to a given `Place` as a whole: a gradient is made where its node
    was."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def __enter__(self) -> None:
        self.token = HERE.set(self.place)

    def __exit__(self, *_: object) -> None:
        HERE.reset(self.token)


def timestep(t: int) -> switch:
    """Stamp everything made in this block with time step `t`; entering a step again continues
    it."""
    if isinstance(t, bool) or not isinstance(t, (int, np.integer)):
        raise InputError(f"timestep(t) needs a whole number, got {t!r}")
    return switch(step=int(t))


def scope(name: str) -> switch:
    """Name the part of the model that is being built; scopes nest as `encoder/layer 0`."""
    if not isinstance(name, str) or not name:
        raise InputError(f"scope(name) needs a name, got {name!r}")
    outer = here().scope
    return switch(scope=f"{outer}/{name}" if outer else name)


def no_grad() -> switch:
    """Record nothing in this block (this thread only): results are constants."""
    return switch(recording=False)


def record_sites() -> switch:
    """Keep, for every node made in this block, the user's source line that made it
    (`node.site`)."""
    return switch(sites=True)


def caller() -> str:
    """`file:line` of the innermost frame outside this package."""
    frame = sys._getframe()
    package = __name__.partition(".")[0] + "."
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(package):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
