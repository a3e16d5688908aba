"""First states: what was there before the first step, or is read again where a sample starts anew.

The question this file answers: *which leaf is a first state, and of which step?*

It is told by where it comes in (see `lookback`), or by its name, where nothing is carried yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..core import walk
from ..core.graph import Node
from . import glyphs
from .inputs import MOST, number_of, steps_of, unnumbered
from .lookback import Ends, Lookback, Port, Read, ends_of, look
from .parts import weightlike
from .presence import proper
from .scene import Column, Glyph, Wire
from .wording import has_digit

if TYPE_CHECKING:
    from .reading import Reader
    from .survey import Survey

# --- what several steps read: no weight ----------------------------------------------------------


def first_states(found: Survey) -> set[Node]:
    """First states among the leaves, if two or more steps read one that may be: those called like
    what the steps make, h0, and those that come in where states do."""
    leaves = {x for x in found.shared if found.given(x) and x not in found.slices}
    named = {x for x in leaves if x.name is not None and (
        x.at.step is not None or number_of(x) is not None)}
    made = {unnumbered(n.name) for n in found.computed if n.name} if named else set[str]()
    named = {x for x in named if unnumbered(x.name or "") in made}
    some = {x for x in leaves - named if x.at.step is None and not weightlike(x)
            and len(steps_of(found, x)) <= MOST}
    told = look(found, found.computed).before if some else {}
    return named | {x for x in told if x not in found.slices and x.at.step is None}


# --- what enters as a state ----------------------------------------------------------------------


def is_earlier(reader: Reader, x: Node, wire: Wire) -> bool:
    """Whether a given node is from before the first step: it is of another step than the one that
    uses it, and nothing tells that this is a later one. That would be an output that is fed back to
    the same place, or what was given there for other steps (a teacher tells every step the output
    of the one before), or a state that comes in from a hidden step."""
    head, position = wire.head, wire.position
    return reader.found.when(x) not in (None, head.when) and not any(
        w.head.key == head.key and w.position == position and (
            w.kind == "fed" or w.tail.role == "input" and w.head.when != head.when)
        or w.tail.role == "gap" and (w.head.when, w.head.scope) == (head.when, head.scope)
        for w in reader.wires)


def find_initial(reader: Reader) -> None:
    """What enters where later steps take a state is the state before the first; so is, at any step,
    what is called like a state and from before all steps: a sample starts anew."""
    states: dict[Port, Hashable] = {
        (w.head.key, w.position): w.tail.key if w.tail.passes is None else w.tail.passes
        for w in reader.wires if w.kind == "carried" and w.tail.role != "input"}
    ends = ends_of(proper_columns(reader))
    made = Made(reader)
    back = look_at(reader, states, ends)
    hidden = hidden_first(reader, back, made)
    back.before.update(hidden)
    either = {when for own in ends.values() for when in own}
    given = dict.fromkeys(
        g for column in reader.columns for g in column.glyphs
        if g.role == "input" and g.node is not None and g.node not in reader.found.homes
        and (g.when in either or g.node in back.before or made.first(g.node)))
    entries: dict[Glyph, dict[Hashable, list[Wire]]] = {}
    others: set[Glyph] = set()
    for wire in reader.wires:
        x = wire.tail
        if x in given and x.node is not None:
            state = states.get((wire.head.key, wire.position))
            earlier = state is None and is_earlier(reader, x.node, wire)
            again = wire.head.backward and x in entries
            if state is not None or earlier or again or x.node in hidden or made.first(x.node):
                named = x.node.name is not None and bool(entries.get(x))  # it stands there once
                state = next(iter(entries[x])) if named else state
                entries.setdefault(x, {}).setdefault(state, []).append(wire)
            else:
                others.add(x)
    names = Counter(x.node.name for x in entries if x.node is not None)
    for x, by_state in entries.items():
        apart = before(x.node, back, names) if x.node is not None else None
        numbered = x.node is not None and has_digit(x.node.name) and not (
            x.node in back.before and made.contradicts(x.node))
        step = None if numbered else step_of(reader, x, apart, ends)
        x.age = -apart if apart is not None and apart > 0 and step is not None else None
        for i, (state, wires) in enumerate(by_state.items()):
            one = i == 0 and x not in others  # zeros may start several states
            glyph = x if one else replace(x, id=reader.names.unique(x.id))
            first_state(reader, glyph, state, step)
            for wire in wires:
                wire.tail, wire.kind = glyph, "needed" if wire.head.backward else "carried"


def proper_columns(reader: Reader) -> list[Column]:
    """The columns of every stage without those that only make a first state."""
    stages: dict[int, list[Column]] = {}
    for column in reader.columns:
        stages.setdefault(column.stage, []).append(column)
    return [column for own in stages.values() for column in proper(own, reader.wires)]


def look_at(reader: Reader, states: dict[Port, Hashable], ends: Ends) -> Lookback:
    """How far back places look. Those that only first states tell are added to the `states`."""
    found, back = reader.found, Lookback(partial(taken, reader))
    for wire in reader.wires:
        given = wire.tail.role == "input"
        if not given and wire.kind != "carried":
            continue
        when, node, x = wire.head.when, wire.node, wire.tail.node
        if when is None or node is None or wire.head.backward:
            continue
        port: Port = wire.head.key, wire.position
        if given and x is not None:
            back.reads.setdefault(x, []).append(Read(when, port, ends[reader.at[when].stage]))
        elif not given:
            late = when - (found.when(found.source(node.operands[wire.position])) or 0)
            back.late.setdefault(port, Counter())[late] += 1
    back.tell()
    for port, other in back.like.items():
        states[port] = states[other]
    return back


def taken(reader: Reader) -> set[Port]:
    """The places where neither a leaf comes in nor a state."""
    return {(wire.head.key, wire.position) for wire in reader.wires if wire.node is not None
            and wire.tail.role != "input" and wire.kind != "carried"}


def hidden_first(reader: Reader, back: Lookback, made: Made) -> dict[Node, int]:
    """The leaves that only hidden steps tell to be first states, since none in view looks back
    where they come in, each with how far it is before the first step; those that are called like a
    state: the first input comes in where others read an output again."""
    unknown = [x for x, reads in back.reads.items() if x not in back.before and made.alike(x)
               and any(r.port not in back.lags and r.port not in back.taken for r in reads)]
    if not unknown or not any(column.hidden for column in reader.columns):
        return {}
    told = look(reader.found, near(reader)).before
    return {x: told[x] for x in unknown if x in told and x not in reader.found.homes}


def near(reader: Reader) -> Iterator[Node]:
    """The computed nodes of the steps in view and of some around them."""
    nodes, times = reader.found.computed, reader.found.times
    beside = np.zeros(len(nodes), bool)
    for when in reader.at:
        beside |= np.abs(times - (when or 0)) <= MOST
    return (nodes[i] for i in np.flatnonzero(beside).tolist())


class Made:
    """What steps make, and how it is called: where nothing else does, a name tells h0 from an
    input."""

    def __init__(self, reader: Reader) -> None:
        self.found, self.made = reader.found, [n for n in reader.value if n.op.rules]
        self.whole = {self.found.called(n) or "" for n in self.made}
        self.names = {unnumbered(name) for name in self.whole}

    def first(self, x: Node) -> bool:
        """Whether `x` is called like what steps make, and of none of the steps: h0, or h_-1; or h,
        where a single step makes an h of it."""
        if not self.alike(x):
            return False
        number, steps = number_of(x) if x.at.step is None else x.at.step, self.found.steps
        if number is None:
            return len(steps) == 1 and self.made_of(x)
        return number == 0 or number < min(steps) or x.at.step is not None and number not in steps

    def alike(self, x: Node) -> bool:
        """Whether `x` is called like what steps make."""
        return x.name is not None and unnumbered(x.name) in self.names

    def contradicts(self, x: Node) -> bool:
        """Whether the number of a first state is that of a step: in a loop from 0 on, h0 is made by
        the first one, and what is before that is h_-1."""
        number, steps = number_of(x), self.found.steps
        return self.alike(x) and x.at.step is None and x.name not in self.whole \
            and "-" not in (x.name or "") and number is not None \
            and min(steps) <= number <= max(steps)

    def made_of(self, x: Node) -> bool:
        """Whether what has the name of `x` is made of it."""
        after = {x}
        for node in self.made:
            if not after.isdisjoint(y for _, y in walk.parents(node)):
                after.add(node)
        return any(node.name == x.name for node in after - {x})


def before(x: Node, back: Lookback, names: Counter[str | None]) -> int | None:
    """How far a first state is before the first step (below 0), or after the last, as its places
    tell; else it is the one next to it, unless several have its name."""
    if x in back.before:
        return back.before[x]
    if x.name is not None and names[x.name] > 1:
        return None
    return -1 if back.forward(x) else 1


def step_of(reader: Reader, x: Glyph, apart: int | None, ends: Ends) -> int | None:
    """The step that is so far before the first of those of a stage, or after the last."""
    column = reader.at.get(x.when)
    if apart is None or column is None or column.step is None or x.when is None:
        return None
    return column.step - x.when + ends[column.stage][apart > 0] + apart


def first_state(reader: Reader, x: Glyph, state: Hashable, step: int | None) -> None:
    """Make an input the state of a step before the first or after the last."""
    for column in reader.columns:
        if x in column.glyphs:
            column.glyphs.remove(x)
    x.key = state if state is not None else x.key
    if x.node is not None and x.node.step is None:  # it was named after the step that uses it
        x.id = reader.names.give(x.node.name or "initial")
    glyphs.make_initial(x, state, reader.columns, step)
    reader.initial.append(x)
