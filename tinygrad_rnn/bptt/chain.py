"""The chain of states: which nodes carry what is known from step to step, and in which order.

The question this file answers: *what is the state of this recurrence?*

    s_1 -> s_2 -> ... -> s_T          s_t is h_t, or (h_t, c_t), or whatever a cell carries

A chain is good for a product of Jacobians only if all of the past goes through it: if s_t depends
on nothing of s_{t-2} but by way of s_{t-1}. That is looked up in the graph. The outputs h_t of an
LSTM alone are no such chain (c_{t-1} goes past h_{t-1}); where the nodes have steps and names the
missing part is found, and elsewhere the error says what goes past what.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..core.graph import Node, constant, operands_of
from ..core.walk import edges, nodes
from ..core.words import describe
from ..errors import InputError, ShapeError
from ..nn.steps_joined import shape_of
from .given_states import Links

NOWHERE = 1 << 60


class Chain:
    """States in the order of the recurrence: `links[i]` are the nodes of one state.

    `steps` are their time steps (falling where the recurrence runs in reverse), `names` those of
    the parts. Each part is (B, ...) with `batch` (B,), or without a batch, or a number; `sizes` are
    the entries per sample of each part, `size` of all.
    """

    def __init__(self, links: Links, call: str) -> None:
        self.links = links
        self.names = unique(links[-1])
        self.steps = numbered([link[0] for link in links])
        first = [shape_of(x) for x in links[-1]]
        for link in links:
            if [shape_of(x) for x in link] != first:
                raise ShapeError(f"expected states of one shape, {first}, got "
                                 f"{[shape_of(x) for x in link]}", where=call)
        self.scalar = links[-1][0].is_scalar
        self.batch = first[0][:1] if len(first[0]) > 1 else ()
        if any(shape[:1] != self.batch for shape in first if self.batch):
            raise ShapeError(f"expected parts (B, ...) with the same B, got {first}", where=call)
        if self.batch == (0,):
            raise ShapeError(f"expected at least one sample, got states of shape {first[0]}",
                             where=call)
        self.sizes = [int(np.prod(shape[len(self.batch):], dtype=int)) for shape in first]
        self.size = sum(self.sizes)

    @property
    def samples(self) -> int:
        """B, or 1 where there is no batch."""
        return self.batch[0] if self.batch else 1

    def label(self, i: int, k: int = 0) -> str:
        """`h_3`: part k of the i-th state."""
        return f"{self.names[k]}_{self.steps[i]}"


def read_chain(links: Links, call: str) -> Chain:
    """The chain of these states. Raises `InputError` if they do not follow from each other."""
    if len(links) < 2:
        raise InputError(f"expected at least two states, got {len(links)}", where=call,
                         fix="A single step has none before it" if links else "")
    if len({len(link) for link in links}) > 1:
        raise InputError("expected states of the same number of parts", where=call)
    if links[0][0].order > links[-1][0].order:
        links = links[::-1]  # time runs in reverse: the last state was made first
    while len(links) > 2 and {x.op is constant for x in links[0]} == {True, False}:
        links = links[1:]  # (h_1, h_0) with an h_0 that wants no gradient: begin at (h_2, h_1)
    refuse_constants(links, call)
    refuse_twice(links, call)
    passing = past(links, call)
    if passing is not None:
        links = completed(links, call, passing)
    return Chain(links, call)


def refuse_constants(links: Links, call: str) -> None:
    """A state that records nothing has no derivative."""
    for link in links:
        for x in link:
            if x.op is constant:
                raise InputError(
                    f"{describe(x)} is a constant: nothing is known of how others depend on it",
                    where=call, fix="Leave it out, or make it a leaf: "
                    "tg.Tensor(np.zeros((B, H)), requires_grad=True), given as initial_state")


def refuse_twice(links: Links, call: str) -> None:
    """The same state in two places is no step."""
    for before, after in pairwise(links):
        if all(x is y for x, y in zip(before, after)):
            raise InputError(f"{describe(after[0])} is there twice in a row", where=call)


def past(links: Links, call: str) -> tuple[int, int] | None:
    """(t, k) if state t depends on state k not only by way of state t - 1; None if the chain is
    whole. Raises if no state depends on the one before, or if one depends on a later one."""
    linked = False
    for i, (first, last) in enumerate(reached(links)):
        if last > i:
            raise InputError(
                f"{describe(links[i][0])} depends on {describe(links[last][0])}, a later state: "
                "these are not the states of one recurrence", where=call,
                fix="Give those of one layer, and of one direction")
        if first < i - 1:
            return i, first
        linked = linked or first == i - 1
    if not linked:
        raise InputError(
            f"{describe(links[1][0])} does not depend on {describe(links[0][0])}, nor any later "
            "one on the one before: these are not the states of a recurrence", where=call,
            fix="With return_all_states=True a layer gives its states: of both directions, of "
                "every layer of a stack")
    return None


def reached(links: Links) -> list[tuple[int, int]]:
    """For every state, the first and the last state that it depends on directly: its own number
    where there is none. One sweep, from the oldest node on."""
    until = {x: i for i, link in enumerate(links) for x in link}  # the last state it is a part of
    since = {x: i for i, link in reversed([*enumerate(links)]) for x in link}
    first: dict[Node, int] = {}
    last: dict[Node, int] = {}
    for node in nodes(*until):
        used = [x for x in operands_of(node) if x is not None]
        first[node] = min((until.get(x, first.get(x, NOWHERE)) for x in used), default=NOWHERE)
        last[node] = max((since.get(x, last.get(x, -1)) for x in used), default=-1)
    found, before = [], set[Node]()
    for i, link in enumerate(links):
        new = [x for x in link if x not in before]
        found.append((min((first[x] for x in new if first[x] < NOWHERE), default=i),
                      max((last[x] for x in new), default=i)))
        before = set(link)
    return found


def completed(links: Links, call: str, passing: tuple[int, int]) -> Links:
    """The chain with the parts that were left out (c of an LSTM), found by step, scope and name."""
    t, k = passing
    head = links[-1][0]
    steps = [link[0].step for link in links]
    lag = dict(zip(steps[1:], steps))
    named: dict[tuple[str, int | None, str | None], Node] = {}
    carried = dict.fromkeys(x.name for x in links[-1])
    for x, _, node in edges(*(x for link in links for x in link)):
        if x.scope == head.scope and x.op is not constant:
            named[x.scope, x.step, x.name] = x
            if node.scope == head.scope and node.step in lag and x.step == lag[node.step] \
                    and x.step is not None and x.name and x.op.rules:
                carried[x.name] = None
    for link in links:
        named.update({(x.scope, x.step, x.name): x for x in link})
    found = [[named.get((head.scope, step, name)) for name in carried] for step in steps]
    whole = [[x for x in link if x is not None] for link in found]
    if None in steps or any(len(link) < len(carried) for link in whole) or past(whole, call):
        raise InputError(f"{describe(links[t][0])} depends on {describe(links[k][0])} past "
                         f"{describe(links[t - 1][0])}: this is not the whole state", where=call,
                         fix="Give every part of it: [(h_1, c_1), (h_2, c_2), ...]; of a layer, "
                             "the states that return_all_states=True gives")
    return whole


def unique(link: list[Node]) -> list[str]:
    """The names of the parts of a state; with their scopes, or numbers, where two are the same."""
    names = [x.name or "h" for x in link]
    if len(set(names)) < len(names):
        names = [f"{x.scope}/{name}" if x.scope else name for x, name in zip(link, names)]
    if len(set(names)) < len(names):
        names = [f"{name}({k + 1})" for k, name in enumerate(names)]
    return names


def numbered(states: list[Node]) -> list[int]:
    """The states' steps; where they have none, their numbers, from 0 if the first was given."""
    steps = [x.step for x in states]
    if steps[0] is None and steps[1] is not None:
        steps[0] = steps[1] - (-1 if len(steps) > 2 and (steps[2] or 0) < steps[1] else 1)
    known = [step for step in steps if step is not None]
    ordered = known in (sorted(known), sorted(known, reverse=True))
    if len(known) == len(steps) == len(set(known)) and ordered:
        return known
    start = 0 if states[0].is_leaf else 1
    return list(range(start, start + len(states)))
