"""Second looks: what a glyph is, once all the wires are known.

The question this file answers: *which output is fed back, which input is a weight, which rows does
a slice take?*
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ..core import ops
from ..core.graph import Node, leaf
from . import glyphs, wording
from .initial import find_initial
from .inputs import family, number_of
from .labels import Run, plain, symbol
from .parts import fed_back, weightlike
from .scene import Glyph, Rail, Wire

if TYPE_CHECKING:
    from .reading import Reader


def look_again(reader: Reader) -> None:
    """All of them, in their order."""
    fed = fed_back(reader.wires)
    for wire in reader.wires:
        if wire.kind == "carried" and wire.tail.key in fed:
            wire.kind = "fed"
    find_handed(reader)
    find_initial(reader)
    find_single_weights(reader, find_starts(reader))
    find_numbered(reader)
    name_apart(reader)
    name_slices(reader)


def find_handed(reader: Reader) -> None:
    """What one stage leaves to the next is handed over: no step repeats it."""
    stage = {column.when: column.stage for column in reader.at.values()}
    if len(set(stage.values())) < 2:
        return
    for wire in reader.wires:
        ends = [stage.get(glyph.when) for glyph in (wire.tail, wire.head)]
        if wire.kind == "carried" and None not in ends and ends[0] != ends[1]:
            wire.kind = "handed"


def find_starts(reader: Reader) -> set[Glyph]:
    """What comes in where other steps read what was made or given before: an input, though no other
    step has one. Of y it is called y_0 too; and a later step that reads it as well, reads it
    late."""
    found, late = reader.found, dict[Hashable, tuple[Node, int]]()  # what is read, and how late
    for wire in (wire for wire in reader.wires if wire.kind in ("fed", "carried", "late")):
        tail, when, node = wire.tail, wire.head.when, wire.node
        if node is not None and when is not None and tail.role != "initial" and (
                tail.role != "input" or tail.node in found.homes):
            made = found.source(node.operands[wire.position])
            late.setdefault((wire.head.key, wire.position), (made, when - (found.when(made) or 0)))
    starts = set[Glyph]()
    for wire in (wire for wire in reader.wires if late and wire.tail.role == "input"):
        x, again = wire.tail, late.get((wire.head.key, wire.position))
        column, node = reader.at.get(x.when), x.node
        if again is None or column is None or column.step is None or node is None \
                or node in found.homes:
            continue
        starts.add(x)
        if x.when == wire.head.when and node.name is not None and node.at.step is None \
                and node.name == found.called(again[0]) and x.age is None:
            x.age = again[1]
            glyphs.name_older(x, column.step - x.age)
    for wire in reader.wires if starts else ():
        if wire.tail in starts and wire.kind == "carried":
            wire.kind = "late"
    return starts


def name_apart(reader: Reader) -> None:
    """An input is no more than h, where its step makes h_1 of it."""
    named = {(g.when, reader.found.called(g.node)) for column in reader.at.values()
             for g in column.glyphs if g.node is not None and g.node.op.rules and g.node.name}
    alike = [g for column in reader.at.values() for g in column.glyphs
             if g.role == "input" and g.node is not None and g.node.name is not None
             and g.age is None and g.node.at.step is None and (g.when, g.node.name) in named]
    above: dict[Glyph, list[Glyph]] = {}
    for wire in reader.wires if alike else ():
        if wire.kind in ("inner", "result"):
            above.setdefault(wire.tail, []).append(wire.head)
    for x in alike:
        after, name = [x], "" if x.node is None else x.node.name or ""
        for glyph in after:
            after += [head for head in above.get(glyph, ()) if head not in after]
        if any(g.node is not None and reader.found.called(g.node) == name for g in after[1:]):
            before, x.text = plain(x.text), symbol(name)
            x.title = plain(x.text) + x.title.removeprefix(before)


def find_single_weights(reader: Reader, starts: set[Glyph]) -> None:
    """A weight that a single step uses is a rail too; one input per step is not, even if some steps
    do something else with theirs, nor is what `starts` an output that is read again."""
    places: dict[Hashable, int] = {}
    kin: dict[Hashable, set[int | None]] = {}  # the steps at which siblings come in
    for column in reader.at.values():
        for glyph in column.glyphs:
            places[glyph.key] = places.get(glyph.key, 0) + 1
            if glyph.role == "input" and glyph.node is not None and glyph.node.name is not None:
                kin.setdefault(family(reader.found, glyph.node), set()).add(column.when)
    made: dict[Glyph, Rail] = {}
    for wire in list(reader.wires):
        x, node = wire.tail, wire.tail.node
        if x.role != "input" or node is None or node.op is not leaf or node.at.step is not None \
                or node in reader.found.homes or x in starts:
            continue
        if x not in made or wire.head.when is None:  # w * w: its second use
            if x.when is None or places[x.key] > 1 or not weightlike(node) and (
                    len(reader.at) == 1 or len(kin.get(family(reader.found, node), ())) > 1):
                continue
            column = reader.at[x.when]
            if x in column.glyphs:
                column.glyphs.remove(x)
                made[x] = Rail(glyphs.as_rail(x), "", stage=column.stage)
                reader.rails[node, column.stage] = made[x]
        reader.wires.remove(wire)
        wire.kind = "tap"
        stage = reader.at[wire.head.when].stage if wire.head.when in reader.at else made[x].stage
        if (node, stage) not in reader.rails:  # another stage reads it too
            reader.rails[node, stage] = Rail(glyphs.rail_glyph(node, reader.names), "", stage=stage)
        reader.rails[node, stage].taps.append(wire)


def place_inputs(reader: Reader) -> None:
    """Give each input that other steps read too the place of its use in its own step. What comes in
    there where an input of an earlier step does elsewhere is older too, if it has no number of its
    own and its step has another input of its name: of a window, what was before the first step."""
    found, uses, lags = reader.found, dict[Glyph, list[Wire]](), dict[Hashable, list[int]]()
    for wire in reader.wires if found.homes else ():
        if wire.tail.node in found.homes and wire.tail.when is not None:
            uses.setdefault(wire.tail, []).append(wire)
        when, node = wire.head.when, wire.node
        if wire.kind == "late" and when is not None and node is not None:
            made = found.when(found.source(node.operands[wire.position]))
            lags.setdefault((wire.head.key, wire.position), []).append(when - (made or 0))
    names = Counter((x.when, x.text) for x in uses)
    enter: dict[Hashable, list[int | None]] = {}  # the steps at which one comes in, by its place
    for x, wires in uses.items():
        own = [wire for wire in wires if wire.head.when == x.when]
        port = (own or wires)[0].head.key, (own or wires)[0].position
        x.key = port if own else ("late", *port)
        enter.setdefault(x.key, []).append(x.when)
    for x in uses:
        step, number = reader.at[x.when].step, None if x.node is None else number_of(x.node)
        x.age, late = 0, max(lags.get(x.key, [0]), key=abs)
        if number is not None and step is not None:
            x.age = step - number
        elif names[x.when, x.text] > 1 and reader.at.keys().isdisjoint(
                (when or 0) - late for when in enter[x.key]):  # else that one would stand there
            x.age = late
            glyphs.name_older(x, (step or 0) - x.age)
    for x in uses:
        if x.node is not None:
            reader.rows.setdefault(family(found, x.node), Counter())[x.key] += 1


def find_numbered(reader: Reader) -> None:
    """Inputs that bring the number of their step, x1 and x2, are one thing at every step: x_t. And
    where steps take several parts of a sequence, how old each of these is: X[t] and X[t−1]."""
    kin: dict[Hashable, dict[Hashable, list[tuple[Glyph, int]]]] = {}  # by family, and by place
    for column in reader.at.values():
        for glyph in column.glyphs:
            x = glyph.node
            number = None if x is None or glyph.role != "input" or x.op.rules and \
                x not in reader.found.slices else number_of(x)
            if x is not None and number is not None and column.step is not None:
                places = kin.setdefault(family(reader.found, x), {})
                places.setdefault(glyph.key, []).append((glyph, column.step - number))
    for places in kin.values():
        ages = {key: {age for _, age in members} for key, members in places.items()}
        sliced = any(glyph.node in reader.found.slices for glyph, _ in next(iter(places.values())))
        if any(len(own) > 1 for own in ages.values()) or (
                len(places) == 1 if sliced else any(own != {0} for own in ages.values())):
            continue
        for glyph, age in (one for members in places.values() for one in members):
            glyph.age = age if glyph.age is None else glyph.age


def name_slices(reader: Reader) -> None:
    """Slices that become gates are called after them: [i] are the rows of the input gate."""
    slices = [g for column in reader.at.values() for g in column.glyphs
              if g.node is not None and g.node.op is ops.getitem and g.node.name is None]
    after: dict[Glyph, list[Glyph]] = {}
    for wire in reader.wires if slices else ():
        if wire.kind in ("inner", "result"):
            after.setdefault(wire.tail, []).append(wire.head)
    for glyph in slices:
        node = glyph.node
        if node is None or reader.found.given(node) \
                or not is_stretch((node.params or {}).get("index")):
            continue  # a step of a sequence, or a row that is looked up
        name = gate_of(glyph, after)
        if name:
            glyph.title = (f"rows {name}, {plain(glyph.text)} of all gates: "
                           f"{wording.worth(node.value)}")
            glyph.text = (Run("["), Run(name, "i"), Run("]"))


def is_stretch(index: Any) -> bool:
    """Whether an index picks some rows from one on to another: [:, 3:6]."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, slice) and part != slice(None) for part in parts)


def gate_of(glyph: Glyph, after: dict[Glyph, list[Glyph]]) -> str:
    """The name at the end of the only way on from a slice, if it is a short one."""
    for _ in range(6):
        heads = after.get(glyph, [])
        if len(heads) != 1:
            return ""
        glyph = heads[0]
        node = glyph.node
        if node is not None and node.name is not None and glyph.role not in ("op", "function"):
            return node.name if len(node.name) <= 2 else ""
    return ""
