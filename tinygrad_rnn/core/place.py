"""Where the program is: time step, scope, phase, and the switches of this thread.

The question this file answers: *how does a node know its time step?*

One context variable holds one frozen `Place`, and every node keeps the `Place` it was made at. A
context variable belongs to a thread (or an async task), so `no_grad()` in one never leaks into
another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from contextvars import ContextVar, Token, copy_context
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from .graph import Node, Op


P = ParamSpec("P")
R = TypeVar("R")
FURTHEST = 2**62  # steps, and how far they are apart, are counted in 64 bits


class Watcher(Protocol):
    """Sees every node as it is made (`op` and `operands` too: a constant result forgets them), and
    every contribution as it passes. `arriving` is where they add up, if they go to `.grad`: what is
    returned may be another walk that fills it (`bptt.whatif` makes mistakes on purpose)."""

    def node(self, node: Node, op: Op, operands: tuple[Any, ...]) -> None: ...
    def edges(self, edges: Iterator[Any], arriving: Any = None) -> Iterator[Any]: ...


class Place:
    """Where a node was made: `step`, `scope`, `phase`; and the switches in force while it was made.

    `fast` is True when there is nothing to do but record. `watchers` see every new node, and `site`
    is the user's source line, kept only while something asks for it. `span` are the steps of a node
    that holds a whole sequence, one behind the other on its first axis, and `fused` asks layers for
    such nodes. `taking` are the sequences (their `order`) whose steps are used here in place of the
    sequence: see `taken.py`. A `Place` is never changed: `but` makes another one. (A plain class:
    one is made for every time step.)
    """

    __slots__ = ("step", "scope", "phase", "recording", "sites", "watchers", "site", "span",
                 "fused", "taking", "fast", "known")
    known: Place  # what `over` gave last

    def __init__(self, step: int | None = None, scope: str = "", phase: str = "forward",
                 recording: bool = True, sites: bool = False,
                 watchers: tuple[Watcher, ...] = (), site: str | None = None,
                 span: range | None = None, fused: bool = False,
                 taking: tuple[int, ...] = ()) -> None:
        self.step, self.scope, self.phase, self.span, self.fused = step, scope, phase, span, fused
        self.taking = taking
        self.recording, self.sites, self.watchers, self.site = recording, sites, watchers, site
        self.fast = recording and not sites and not watchers

    def but(self, **changes: Any) -> Place:
        """This place with some of its fields changed."""
        place = self.step_at(self.step)
        for field, value in changes.items():
            setattr(place, field, value)
        place.fast = place.recording and not place.sites and not place.watchers
        return place

    def step_at(self, step: int | None) -> Place:
        """This place at another step. (Copied slot by slot: every layer makes one for every
        step.)"""
        place: Place = new(Place)
        place.step = step
        place.scope = self.scope
        place.phase = self.phase
        place.recording = self.recording
        place.sites = self.sites
        place.watchers = self.watchers
        place.site = self.site
        place.span = self.span
        place.fused = self.fused
        place.taking = self.taking
        place.fast = self.fast
        return place

    def on_behalf(self, taking: tuple[int, ...]) -> Place:
        """This place, where the steps of these sequences are used."""
        place = self.step_at(self.step)
        place.taking = taking
        return place

    def over(self, span: range) -> Place:
        """This place, for a node that covers the steps of a span; asked for again, the same."""
        known = getattr(self, "known", None)
        if known is None or known.span is not span and known.span != span:
            known = self.known = self.but(span=span, step=None)
        return known


new: Callable[[Any], Any] = object.__new__
NOWHERE = Place()
HERE: ContextVar[Place] = ContextVar("tinygrad_rnn", default=NOWHERE)
here = HERE.get


class switch(ContextDecorator):
    """A context manager (or decorator) that changes the current `Place`, in this thread or task
    only."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes
        self.tokens: list[Token[Place]] = []  # `list[Token[Place]]()` would take five times as long

    def _recreate_cm(self) -> switch:
        """As a decorator: a fresh one for every call, so that threads do not share the tokens."""
        return type(self)(**self.changes)

    def __enter__(self) -> None:
        self.tokens.append(HERE.set(here().but(**self.changes)))

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


def contained(f: Callable[P, R]) -> Callable[P, R]:
    """Run `f` in a copy of the context: its own switches end with it, whatever happens.

    A block is left by Python code, and an interrupt (Ctrl-C) may strike just before that code has
    put the old place back. A context is left by the interpreter, where no interrupt gets in.
    """

    @wraps(f)
    def inside(*args: P.args, **options: P.kwargs) -> R:
        return copy_context().run(f, *args, **options)

    return inside


def timestep(t: int) -> switch:
    """Stamp everything made in this block with time step `t`; entering a step again continues
    it."""
    if type(t) is not int and (isinstance(t, bool) or not isinstance(t, (int, np.integer))):
        raise InputError(f"timestep(t) needs a whole number, got {t!r}")
    if not -FURTHEST < t < FURTHEST:
        raise InputError(f"timestep(t) needs a step between -2^62 and 2^62, got one of "
                         f"{int(t).bit_length()} bits")
    return switch(step=int(t))


class scope(switch):
    """Name the part of the model that is being built; scopes nest as `encoder/layer 0`."""

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise InputError(f"scope(name) needs a name, got {name!r}")
        super().__init__(name=name)

    def __enter__(self) -> None:
        outer, name = here().scope, self.changes["name"]
        self.tokens.append(HERE.set(here().but(scope=f"{outer}/{name}" if outer else name)))


def no_grad() -> switch:
    """Record nothing in this block (this thread only): results are constants."""
    return switch(recording=False)


def fused() -> switch:
    """In this block, recurrent layers compute a whole sequence as one node (this thread only).

    The numbers and gradients are those of the operations, to rounding; `tg.open_fused` puts the
    operations back. It is the same as `fused=True` for every layer that can do it.
    """
    return switch(fused=True)


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
