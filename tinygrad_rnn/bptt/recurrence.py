"""The losses of a sequence by their steps, and what is carried from each step to the next.

The question this file answers: *where can a gradient be cut, and which loss lies how far behind?*

Given states say it themselves. Else it is looked up in the time stamps: what a later step uses of
an earlier one is carried, and so is, against time, what an earlier step uses of a later one. Where
both are there, as in a bidirectional layer, and neither needs the other, they are two recurrences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import ops
from ..core.graph import Node, operands_of
from ..core.guards import refuse_released
from ..core.reductions import sum_of
from ..core.walk import edges, nodes
from ..core.words import describe
from ..errors import InputError
from .chain import Chain
from .directions import read_chains
from .given_states import as_step

Losses = list[tuple[Node, float]]  # each with its weight in the sum
Boundaries = dict[int, list[Node]]  # position t -> what is carried from there to later steps


class Recurrence(NamedTuple):
    """The losses with the positions of their steps, and what can be cut where.

    Positions are in the order of the recurrence: in reverse time the last step is the first.
    """

    losses: Losses
    steps: list[int]
    boundaries: Boundaries
    positions: list[int]

    @property
    def reverse(self) -> bool:
        """Whether it goes against time."""
        return self.steps[0] > self.steps[-1]

    def carried(self) -> list[Node]:
        """All that is carried."""
        return [x for some in self.boundaries.values() for x in some]


def recurrences(roots: Losses, states: Any, weights: Iterable[Node]) -> list[Recurrence]:
    """The recurrence behind these losses; two, if one goes with time and one against it."""
    found = [by_states(chain) for chain in read_chains(states, "truncation")] \
        if states is not None else by_steps(roots, set(weights))
    return [Recurrence(roots, steps, boundaries, latest(roots, at))
            for steps, boundaries, at in found]


def read_losses(losses: Any) -> Losses:
    """The losses, each with its weight in the sum. Raises `InputError` for what is none."""
    if not isinstance(losses, Node) and (not isinstance(losses, Sequence) or not losses):
        got = "an empty list" if losses == [] else type(losses).__name__
        raise InputError(f"expected a loss, or a list of the losses of the steps, got {got}",
                         where="truncation")
    roots = terms(losses) if isinstance(losses, Node) else [(loss, 1.0) for loss in losses]
    for loss, _ in roots:
        if isinstance(loss, Node) and loss.op.name == "released":
            refuse_released(loss)
        if not isinstance(loss, Node) or np.size(loss.value) != 1:
            raise InputError("expected losses that are single numbers, got "
                             + (describe(loss) if isinstance(loss, Node) else repr(loss)),
                             where="truncation", fix="A sequence is no list of losses: "
                             "[(y ** 2).sum() for y in outputs]" if isinstance(loss, Node) else "")
    return roots


def terms(total: Node) -> Losses:
    """The losses that a sum is made of, each with the factor before it: L = (L_1 + ... + L_T) / T.

    It ends at what has a name of its own, and at what is no sum.
    """
    found: Losses = []
    waiting = [(total, 1.0)]
    while waiting:
        node, factor = waiting.pop()
        used = operands_of(node)
        plain = [v for x, v in zip(used, node.values) if x is None or not x.requires_grad]
        parts = [x for x in used if x is not None and x.requires_grad]
        inner = node is total or node.name is None
        if inner and parts and node.op in (ops.add, sum_of) and \
                all(np.size(x.value) == 1 for x in parts):
            waiting += [(x, factor) for x in parts]
        elif inner and len(parts) == 1 and node.op is ops.mul and np.size(plain[0]) == 1 \
                and np.size(parts[0].value) == 1:
            waiting.append((parts[0], factor * float(np.reshape(plain[0], ()))))
        else:
            found.append((node, factor))
    return found[::-1]


# --- what is carried ------------------------------------------------------------------------------

Found = tuple[list[int], Boundaries, dict[Node, int]]  # steps, cuts, the position of each node


def by_states(chain: Chain) -> Found:
    """Steps, cuts and positions from states that were given. The first is where it all begins, if
    it was given and not computed."""
    first = 0 if all(x.is_leaf for x in chain.links[0]) else -1
    at = {x: i - first - 1 for i, link in enumerate(chain.links) for x in link}
    steps = chain.steps[first + 1:]
    return steps, {i - first - 1: link for i, link in enumerate(chain.links)}, at


def by_steps(roots: Losses, weights: set[Node]) -> list[Found]:
    """The same from the time stamps, for each way that time runs in."""
    graph = nodes(*(loss for loss, _ in roots))
    stamped = {n: n.step for n in graph if n.step is not None and n not in weights and n.op.rules}
    if not stamped:
        raise InputError("the graph has no time steps", where="truncation",
                         fix="Give the states: truncation(..., states=[h_0, h_1, ...]), or run the "
                             "loop under tg.timestep(t)")
    carried = [(x, node) for x, _, node in edges(*(loss for loss, _ in roots))
               if x in stamped and node.step is not None and node.step != stamped[x]]
    refuse_mixed(graph, carried)
    first, last = min(stamped.values()), max(stamped.values())
    with_time = [(x, node) for x, node in carried if stamped[x] < (node.step or 0)]
    against = [(x, node) for x, node in carried if stamped[x] > (node.step or 0)]
    found: list[Found] = []
    for some, steps in ((with_time, range(first, last + 1)), (against, range(last, first - 1, -1))):
        if some or some is with_time and not carried:
            found.append((list(steps), boundaries(some, stamped, steps),
                          {n: abs(step - steps[0]) for n, step in stamped.items()}))
    return found


def boundaries(carried: Iterable[tuple[Node, Node]], stamped: dict[Node, int],
               steps: range) -> Boundaries:
    """For every position, what is carried from there, or from before, to later ones."""
    found: dict[int, dict[Node, None]] = {}
    for x, node in carried:
        for s in range(abs(stamped[x] - steps[0]), abs((node.step or 0) - steps[0])):
            found.setdefault(s, {})[x] = None
    return {s: list(some) for s, some in found.items()}


def refuse_mixed(graph: list[Node], carried: list[tuple[Node, Node]]) -> None:
    """What is carried with time must not depend on what is carried against it, nor the other way
    round: a step has no lag then."""
    ways: dict[Node, set[bool]] = {}  # node -> whether it depends on what was carried, which way
    crossing: dict[Node, list[tuple[Node, bool]]] = {}
    for x, node in carried:
        crossing.setdefault(node, []).append((x, (x.step or 0) < (node.step or 0)))
    for node in graph:
        mine = crossing.get(node, [])
        for x, way in mine:
            if ways[x] - {way}:
                raise InputError(
                    f"{describe(node)} depends on {describe(x)}, "
                    f"{'an earlier' if way else 'a later'} step, and that on "
                    f"{'later' if way else 'earlier'} ones: time runs both ways, or starts anew",
                    where="truncation",
                    fix="Give the states of the part that is to be cut, of one layer and one "
                        "direction: states=[...], as return_all_states=True gives them")
        used = [ways.get(x, set()) for x in operands_of(node) if x is not None]
        ways[node] = {way for _, way in mine}.union(*used)


def latest(roots: Losses, at: dict[Node, int]) -> list[int]:
    """The last position that each loss looks at."""
    known = dict(at)
    for node in nodes(*(loss for loss, _ in roots)):
        if node in at:
            continue  # also where it depends on later ones, by way of another recurrence
        step = as_step(node)  # outputs[t] of a layer's sequence looks at step t only
        used = operands_of(node) if step is node else (step,)
        known[node] = max((known.get(x, -1) for x in used if x is not None), default=-1)
    for loss, _ in roots:
        if known[loss] < 0:
            raise InputError(f"{describe(loss)} depends on no state", where="truncation")
    return [known[loss] for loss, _ in roots]
