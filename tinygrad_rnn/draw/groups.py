"""Groups: which operations stand in one box.

The question this file answers: *what belongs to a cell, and what is made of its states?*
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from typing import Any

from ..errors import InputError
from .parts import Steps
from .scene import Glyph, Scene
from .sequences import is_op, sorted_by_use

GATES = (("LSTM", {"i", "f", "g", "o"}), ("GRU", {"r", "z", "n"}))
Group = tuple[Hashable, str]  # what belongs together, and what the box says


def scope_groups(scene: Scene, names: list[str]) -> dict[Glyph, Group]:
    """Everything in a scope, or in one of those inside it. Raises `InputError` for a scope that is
    not there."""
    found: dict[Glyph, Group] = {}
    for name in names:
        everything = [*(g for c in scene.columns for g in c.glyphs), *scene.around]
        inside = [g for g in everything if f"{g.scope}/".startswith(f"{name}/")
                  and (g.when is not None or g.node is not None and g.node.op.rules)]
        if not inside:
            known = sorted({g.scope for g in everything if g.scope})
            raise InputError(f"there is no scope {name!r} to collapse", where="collapse",
                             fix="The scopes in view: " + (", ".join(known) or "none"))
        found.update((glyph, (("scope", name), name)) for glyph in inside)
    return found


def cell_groups(scene: Scene) -> dict[Glyph, Group]:
    """The operations of each cell; and above it, those on the way from one variable to the next."""
    found: dict[Glyph, Group] = {}
    for stage in scene.stages():
        part = scene.part(stage)
        steps = Steps(part)
        glyphs = [g for c in part.columns if c.step is not None for g in c.glyphs]
        cells = {scope: cell_name([g for g in glyphs if g.scope == scope])
                 for scope in {g.scope for g in glyphs}}
        joined = joined_ops(part, steps)
        before = {g for c in part.columns if stage and c.step == 0 for g in c.glyphs}
        no_cell = made_first(part, [g for g in glyphs if is_op(g)])
        for glyph in glyphs:
            shown = glyph.key in steps.leaves and not is_op(glyph) or glyph.role == "input"
            if steps.kind[glyph.key] in ("spine", "lower"):
                rolled = isinstance(glyph.key, tuple) and glyph.key[0] == "bridge"
                if glyph in no_cell:
                    found[glyph] = (("first", glyph.scope), "")
                elif not shown:
                    name = "bridge" if glyph in before or rolled else cells[glyph.scope]
                    found[glyph] = (("bridge" if rolled else "cell", glyph.scope), name)
            elif is_op(glyph):
                found[glyph] = (("ops", joined[glyph.key]), "")
    return {**found, **groups_around(scene)}


def made_first(scene: Scene, ops: list[Glyph]) -> set[Glyph]:
    """Of the operations in steps, those that make a first state, of a learned one say: of a scope,
    all that a step has that takes nothing from other steps or from a weight, and does nothing that
    others do."""
    takes = {(w.head.scope, w.head.when) for w in scene.wires
             if w.tail.when is not None and w.tail.when != w.head.when}
    takes |= {(tap.head.scope, tap.head.when) for rail in scene.rails for tap in rail.taps}
    there: dict[tuple[str, Hashable], set[int | None]] = {}
    for op in ops:
        there.setdefault((op.scope, op.key), set()).add(op.when)
    takes |= {(scope, when) for (scope, _), whens in there.items() if len(whens) > 1
              for when in whens}
    several = {scope for scope, when in takes}
    return {op for op in ops if (op.scope, op.when) not in takes and op.scope in several}


def groups_around(scene: Scene) -> dict[Glyph, Group]:
    """Outside of time, every operation together with the only one that uses it: a head that hears
    of the last state is a linear map as one at every step is."""
    ops = {glyph for glyph in scene.around if is_op(glyph)}
    users: dict[Glyph, list[Glyph]] = {}
    below: dict[Glyph, list[Glyph]] = {}
    for wire in (wire for wire in scene.wires if wire.tail in ops):
        users.setdefault(wire.tail, []).append(wire.head)
        below.setdefault(wire.head, []).append(wire.tail)
    depth = depths(scene.around, below, weighted(scene))
    last: dict[Glyph, Glyph] = {}
    for glyph in reversed([glyph for glyph in scene.around if glyph in ops]):  # users first
        user = only[0] if len(only := users.get(glyph, [])) == 1 else None
        together = user in last and depth[user] == depth[glyph]
        last[glyph] = last[user] if user is not None and together else glyph
    return {glyph: (("ops", last[glyph].id), "") for glyph in scene.around if glyph in last}


def cell_name(glyphs: list[Glyph]) -> str:
    """What kind of cell these are, told by its gates."""
    names = {g.node.name for g in glyphs if g.node is not None and g.node.name is not None}
    return next((kind for kind, gates in GATES if gates <= names), "RNN")


def joined_ops(scene: Scene, steps: Steps) -> dict[Hashable, Hashable]:
    """For every operation above the states, one of those that it hangs together with, by whichever
    operand: where a mask kept a state, that is another than at other steps. What stands between two
    of them, the next layer say, must not be made of one and needed by the other."""
    glyphs = {g.key: g for c in scene.columns for g in c.glyphs if is_op(g)}
    own = {key: steps.below.get(key, {}) for key in steps.keys
           if key in glyphs and steps.kind[key] == "upper"}
    ops = sorted_by_use(own, ((k, key) for key, ks in own.items() for k in ks if k in own))
    place = {key: i for i, key in enumerate(ops)}
    below = {key: [k for k in own[key] if place.get(k, len(ops)) < i] for key, i in place.items()}
    depth = depths(ops, below, {glyph.key: kind for glyph, kind in weighted(scene).items()})
    group = {key: [key] for key in ops}
    needs = cache(lambda key: steps.reach([key], steps.below))

    def apart(together: set[Hashable]) -> bool:
        return any(k not in together and not together.isdisjoint(needs(k))
                   for key in together for k in own[key])

    for key in ops:
        for other in (k for k in below[key] if depth[k] == depth[key]):
            if group[other] is not group[key] and not apart({*group[other], *group[key]}):
                few, many = sorted((group[key], group[other]), key=len)
                many += few
                group.update(dict.fromkeys(few, many))
    return {key: group[key][0] for key in ops}


def weighted(scene: Scene) -> dict[Glyph, str]:
    """The products and sums that a weight enters, each with the name of its operation."""
    given = [tap.head for rail in scene.rails for tap in rail.taps
             if rail.glyph.node is not None and not rail.glyph.node.op.rules]
    given += [wire.head for wire in scene.wires if wire.tail.shape == "box"]
    names = {"linear": "@", "@": "@", "+": "+"}
    return {glyph: names[glyph.node.op.name] for glyph in given
            if glyph.node is not None and glyph.node.op.name in names}


def depths(ops: Iterable[Any], below: Mapping[Any, list[Any]],
           weights: Mapping[Any, str]) -> dict[Any, int]:
    """How many linear maps begin or end on the way to every operation.

    W h + b is a box of its own, also if its result has no name and goes straight into a loss:
    operations of one box have one depth, and so no box needs itself.
    """
    maps: set[Any] = set()
    depth: dict[Any, int] = {}
    for key in ops:
        before, kind = below.get(key, []), weights.get(key)
        if kind == "@" or kind == "+" and before and maps.issuperset(before):
            maps.add(key)
        depth[key] = max((depth[k] + (kind == "@" or k in maps and key not in maps)
                          for k in before), default=int(kind == "@"))
    return depth


def passed_by_masks(scene: Scene, groups: Mapping[Glyph, Group]) -> dict[Glyph, Glyph]:
    """The circle of what each mask in a box lets pass, if it was made there at this step: what goes
    on is called so at other steps, and a mask is no more to be seen than what made it."""
    made = {(w.head.when, w.head.key): (w.head, groups[w.tail]) for w in scene.wires
            if w.kind == "result" and w.tail in groups and w.head not in groups}
    passed = {mask: made.get((mask.when, mask.passes)) for mask in groups}
    return {mask: x[0] for mask, x in passed.items() if x is not None and x[1] == groups[mask]}
