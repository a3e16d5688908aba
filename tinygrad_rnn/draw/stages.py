"""Stages: a decoder's steps come after the encoder's, and not below them.

The question this file answers: *which step 1 comes first, if there are two?*

An encoder and a decoder both count their steps from 1. What tells them apart from two layers of a
stack: a layer reads the layer below at its own step, a decoder reads the end of the encoder at its
beginning. Where one scope hears of later steps of another, or at many steps of a single one, its
own steps are a later stage; also through what has no step, such as all states of an encoder as one
matrix. `when` counts through all stages: encoder 1, 2, 3, decoder 4, 5.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core import ops, walk
from ..core.graph import Node, operands_of

Pair = tuple[str, str]


@dataclass(slots=True)
class Leap:
    """How one scope reads another: from which steps, with which differences to its own."""

    sources: set[int] = field(default_factory=set)
    lags: set[int] = field(default_factory=set)
    users: set[int] = field(default_factory=set)

    @property
    def afterwards(self) -> bool:
        """Whether the reader begins where the other has ended."""
        ahead = [lag for lag in self.lags if lag > 0]
        if ahead and not (len(self.lags) == 1 and len(self.sources) > 1):
            return True
        return len(self.sources) == 1 and len(self.users) > 1


def find_leaps(nodes: list[Node]) -> dict[Pair, Leap]:
    """Every pair of scopes of which one reads the other; the loop runs over every use."""
    found: dict[Pair, Leap] = {}
    known: dict[Node, dict[str, set[int]]] = {}
    for node in nodes:
        at = node.at
        if at.step is None or not node.op.rules:
            continue
        operands = (node.a, node.b) if node.rest is None else operands_of(node)
        for x in operands:
            if x is None or x.at is at or not x.op.rules:
                continue
            if x.at.step is None:
                heard = heard_of(taken_from(node, x), known)
            elif x.at.scope != at.scope:
                heard = {x.at.scope: {x.at.step}}
            else:
                continue
            for scope, steps in heard.items():
                if scope != at.scope:
                    leap = found.setdefault((scope, at.scope), Leap())
                    leap.sources |= steps
                    leap.lags |= {step - at.step for step in steps}
                    leap.users.add(at.step)
    return found


def taken_from(node: Node, x: Node) -> Node:
    """What `node` takes from its operand: of steps in a row, one of which it picks, that one."""
    index = (node.params or {}).get("index")
    index = index[0] if isinstance(index, tuple) and index else index
    if node.op is ops.getitem and type(index) is int and x.op is ops.stack \
            and (x.params or {}).get("axis") == 0:
        picked = operands_of(x)[index]
        return x if picked is None else picked
    return x


def heard_of(x: Node, known: dict[Node, dict[str, set[int]]]) -> dict[str, set[int]]:
    """For each scope, the first and the last of its steps that a node is made from, with nothing
    but what has no step in between. Those found are kept in `known`."""
    waiting = [x]
    while waiting:
        node = waiting[-1]
        behind = [taken_from(node, y) for y in operands_of(node) if y is not None and y.op.rules]
        further = [y for y in behind if y.at.step is None and y not in known]
        if node.at.step is not None:
            known[node] = {node.at.scope: {node.at.step}}
        elif node.at.span is not None:  # many steps, which are told apart where they are taken
            known[node] = {}
        elif further and node not in known:
            waiting += further
            continue
        elif node not in known:
            found: dict[str, set[int]] = {}
            for y in behind:
                heard = known[y] if y.at.step is None else {y.at.scope: {y.at.step}}
                for scope, steps in heard.items():
                    all_steps = found.get(scope, steps) | steps
                    found[scope] = {min(all_steps), max(all_steps)}
            known[node] = found
        waiting.pop()
    return known[x]


def find_order(leaps: dict[Pair, Leap]) -> dict[str, int]:
    """The stage of every scope that has one of its own, 1 or later."""
    after = {p for p, leap in leaps.items() if leap.afterwards and p[::-1] not in leaps}
    pairs = {(a, b) for a, b in (branches(*p) for p in after) if a != b and b}
    order = {b: 1 for _, b in pairs}
    for _ in pairs:  # the longest way
        for a, b in sorted(pairs):
            order[b] = max(order[b], order.get(a, 0) + 1)
    return order


def branches(a: str, b: str) -> Pair:
    """Where two scopes part: of `model/encoder/layer 0` and `model/decoder`, the encoder and the
    decoder as a whole."""
    if not a or not b or a.startswith(f"{b}/") or b.startswith(f"{a}/"):
        return a, b
    p, q = a.split("/"), b.split("/")
    same = next((i for i, (x, y) in enumerate(zip(p, q)) if x != y), min(len(p), len(q)))
    return "/".join(p[: same + 1]), "/".join(q[: same + 1])


def find_stages(nodes: list[Node], order: dict[str, int]) -> dict[Node, int]:
    """The stage of every node: that of its scope, or a later one that it hears of."""
    own: dict[str, int] = {}
    stage: dict[Node, int] = {}
    for node in nodes:
        scope = node.at.scope
        if scope not in own:
            inside = [n for name, n in order.items() if f"{scope}/".startswith(f"{name}/")]
            own[scope] = max(inside, default=0)
        if node.op.rules:
            heard = (stage.get(x, 0) for _, x in walk.parents(node))
            stage[node] = max(own[scope], *heard, 0)
        elif node.at.step is not None:
            stage[node] = own[scope]
    return stage


def find_whens(nodes: list[Node], stage: dict[Node, int]) -> dict[Node, int]:
    """The place of every timed node in the whole of time: the steps of all stages, one after the
    other."""
    steps: dict[int, set[int]] = {}
    for node in nodes:
        if node.op.rules and node.at.step is not None:
            steps.setdefault(stage.get(node, 0), set()).add(node.at.step)
    offset, end = {}, None
    for number in sorted(steps):
        first, last = min(steps[number]), max(steps[number])
        offset[number] = 0 if end is None else end + 1 - first
        end = last + offset[number]
    return {node: node.at.step + offset.get(stage.get(node, 0), 0)
            for node in nodes if node.at.step is not None}
