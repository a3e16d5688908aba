"""First states: what was there before the first step, or is read again where a sample starts anew.

The question this file answers: *which input is a first state?*
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.graph import Node
from . import glyphs
from .inputs import number_of, unnumbered
from .presence import lag
from .scene import Column, Glyph, Wire

if TYPE_CHECKING:
    from .reading import Reader


def ends_of(columns: list[Column]) -> list[Column]:
    """The first and the last column of every stage."""
    found = []
    for stage in dict.fromkeys(column.stage for column in columns):
        own = [column for column in columns if column.stage == stage]
        found += [own[0], own[-1]] if len(own) > 1 else own
    return found


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
    """What enters the first step where later steps take a state is the state before the first; so
    is, at any step, what is called like a state and from before all steps: a sample starts anew."""
    ports = {(w.head.key, w.position): w.tail.key for w in sorted(
        (w for w in reader.wires if w.kind == "carried"),
        key=lambda w: w.tail.role not in ("op", "function"))}  # a state, not its mask
    ends, made = ends_of(reader.columns), names_made(reader)
    given = dict.fromkeys(
        g for column in reader.columns for g in column.glyphs
        if g.role == "input" and g.node is not None and g.node not in reader.found.homes
        and (column in ends or called_first(reader, g.node, made)))
    entries: dict[Glyph, dict[Hashable, list[Wire]]] = {}
    others: set[Glyph] = set()
    for wire in reader.wires:
        x = wire.tail
        if x in given and x.node is not None:
            state = ports.get((wire.head.key, wire.position))
            earlier = state is None and is_earlier(reader, x.node, wire)
            again = wire.head.backward and x in entries
            if state is not None or earlier or again or called_first(reader, x.node, made):
                named = x.node.name is not None and bool(entries.get(x))  # it stands there once
                state = next(iter(entries[x])) if named else state
                entries.setdefault(x, {}).setdefault(state, []).append(wire)
            else:
                others.add(x)
    for x, by_state in entries.items():
        for i, (state, wires) in enumerate(by_state.items()):
            own = i == 0 and x not in others  # zeros may start several states
            glyph = x if own else replace(x, id=reader.names.unique(x.id))
            first_state(reader, glyph, state)
            for wire in wires:
                wire.tail, wire.kind = glyph, "needed" if wire.head.backward else "carried"


def names_made(reader: Reader) -> set[str]:
    """What steps make is called so: nothing but its name may tell h0 from an input."""
    return {unnumbered(reader.found.called(n) or "") for n in reader.value if n.op.rules}


def called_first(reader: Reader, x: Node, made: set[str]) -> bool:
    """Whether `x` is called like what steps make, and of none of the steps: h0, or h_-1."""
    number, steps = number_of(x) if x.at.step is None else x.at.step, reader.found.steps
    before = number == 0 or number is not None and (
        number < min(steps) or x.at.step is not None and number not in steps)
    return before and x.name is not None and unnumbered(x.name) in made


def first_state(reader: Reader, x: Glyph, state: Hashable) -> None:
    """Make an input the state from before the first step."""
    for column in reader.columns:
        if x in column.glyphs:
            column.glyphs.remove(x)
    x.key = state if state is not None else x.key
    if x.node is not None and x.node.step is None:  # it was named after the step that uses it
        x.id = reader.names.give(x.node.name or "initial")
    back = sum(lag(wire) for wire in reader.wires if wire.head.scope == x.scope) < 0
    glyphs.make_initial(x, state, reader.columns, -1 if back else 1)
    reader.initial.append(x)
