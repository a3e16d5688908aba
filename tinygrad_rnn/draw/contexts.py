"""Contexts: what has no step, by the steps that it is made from and those that use it.

The question this file answers: *does it come before the recurrence, after it, or in between?*

The states of an encoder, stacked after its loop and read by a decoder's steps, are no result: they
stand between the two stages, and so does a first state that is computed there.
"""

from __future__ import annotations

from .scene import Glyph, Scene


def afterwards(scene: Scene) -> set[Glyph]:
    """What is made of the steps, outside of time; also of hidden ones (a total)."""
    found, around = set(scene.totals), set(scene.around)
    steps = {glyph for column in scene.columns for glyph in column.glyphs}
    for wire in scene.wires:  # in the order of the program
        if wire.head in around and (wire.tail in steps or wire.tail in found):
            found.add(wire.head)
    return found


def with_given(scene: Scene, made: set[Glyph]) -> set[Glyph]:
    """Some of what stands around, with what is given only to it."""
    found, heads = set(made), dict[Glyph, list[Glyph]]()
    for wire in scene.wires:
        heads.setdefault(wire.tail, []).append(wire.head)
    for glyph in reversed(scene.around):
        if glyph in heads and found.issuperset(heads[glyph]):
            found.add(glyph)
    return found


def used_again(scene: Scene) -> set[Glyph]:
    """What the steps are made from, around them: no result."""
    found = {glyph for column in scene.columns for glyph in column.glyphs}
    found |= {rail.glyph for rail in scene.rails}
    for wire in reversed(scene.wires):
        if wire.head in found:
            found.add(wire.tail)
    return found.intersection(scene.around)


def between(scene: Scene) -> dict[Glyph, int]:
    """What is made of the steps of one stage and used by those of a later one, with this stage."""
    if len(scene.stages()) < 2:
        return {}
    stage = {glyph: c.stage for c in scene.columns for glyph in c.glyphs}
    used = {**stage, **{rail.glyph: rail.stage for rail in scene.rails}}
    made: dict[Glyph, int] = {}  # the last stage that something is made from
    around = set(scene.around)
    for wire in scene.wires:
        before = stage.get(wire.tail, made.get(wire.tail))
        if wire.head in around and before is not None:
            made[wire.head] = max(before, made.get(wire.head, before))
    found: dict[Glyph, int] = {}
    for wire in reversed(scene.wires):
        user = found.get(wire.head, used.get(wire.head))
        if wire.tail in made and user is not None and user > made[wire.tail]:
            found[wire.tail] = min(user, found.get(wire.tail, user))
    with_them = with_given(scene, set(found))
    for glyph in reversed(scene.around):  # what it is given to comes first
        if glyph in with_them and glyph not in found:
            found[glyph] = min(found[w.head] for w in scene.wires if w.tail is glyph)
    return found
