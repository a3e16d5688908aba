"""Two recurrences over one sequence, one from each end: what is asked of both is answered for each.

The question this file answers: *what is the step Jacobian of a layer that reads from both ends?*

    h→_t depends on h→_{t-1}        h←_t depends on h←_{t+1}        y_t = [h→_t ; h←_t]

Neither depends on the other, and y_t not on y_{t-1}: there is no Jacobian from step to step of
both, and no lag that counts for both. There are two recurrences, and each has its own.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from ..core import ops
from ..core.graph import Node, operands_of
from .chain import Chain, reached, read_chain
from .given_states import Links, as_links, opened

WAYS = ("forward", "backward")  # the scopes of a bidirectional layer
MERGES = {ops.concatenate, ops.add, ops.mul}


class Directions:
    """What was found for the recurrence from left to right, `.forward`, and for that from right to
    left, `.backward`. A pair: `f, b = tg.step_jacobians(outputs)`."""

    def __init__(self, forward: Any, backward: Any) -> None:
        self.forward, self.backward = forward, backward

    def __iter__(self) -> Iterator[Any]:
        return iter((self.forward, self.backward))

    def __getitem__(self, i: int) -> Any:
        return (self.forward, self.backward)[i]

    def __len__(self) -> int:
        return 2

    def __getattr__(self, name: str) -> Any:
        if name[:1] == "_" or not hasattr(self.forward, name):
            raise AttributeError(f"no attribute {name!r}")
        raise AttributeError(f"each direction has its own: .forward.{name}, .backward.{name}")

    @property
    def verdict(self) -> str:
        """What is said of each."""
        return "\n".join(f"{way}: {found.verdict}" for way, found in zip(WAYS, self))

    title = "Two recurrences, one from each end: no state of one depends on the other"

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"\n{way}\n{found}" for way, found in zip(WAYS, self))])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = (f"<p><b>{way}</b></p>{found._repr_html_()}" for way, found in zip(WAYS, self))
        return f"<p>{html.escape(self.title)}</p>{''.join(parts)}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}


def read_chains(states: Any, call: str) -> list[Chain]:
    """The chain that a user means: a list of states, a layer's sequence, or a tuple of sequences
    that are the parts of a state. Two chains, if they are those of both directions."""
    links = as_links(opened(states), call)
    return [read_chain(each, call) for each in each_way(links)]


def each_way(links: Links) -> list[Links]:
    """The states of the recurrence that goes with time and of the one that goes against it; all of
    them together where there is one."""
    if len(links) < 2 or len({len(link) for link in links}) > 1:
        return [links]
    if len(links[0]) == 1 and all(first == i for i, (first, _) in enumerate(reached(links))):
        links = [merged_from(link[0]) or link for link in links]  # no y_t depends on a y_{t-1}
    if len({len(link) for link in links}) > 1:
        return [links]
    rising = [a.order < b.order for a, b in zip(links[0], links[-1])]
    if all(rising) or not any(rising):
        return [links]
    return [[[x for x, up in zip(link, rising) if up is way] for link in links]
            for way in (True, False)]


def merged_from(y: Node) -> list[Node] | None:
    """h→_t and h←_t, of which a bidirectional layer made y_t."""
    found: dict[Node, None] = {}
    waiting = [y]
    while waiting:
        x = waiting.pop(0)
        if x.scope.rpartition("/")[2] in WAYS:
            found[x] = None
        elif x.op in MERGES and x.scope == y.scope and x.step == y.step:
            waiting += [o for o in operands_of(x) if o is not None and o.requires_grad]
    ways = {x.scope.rpartition("/")[2] for x in found}
    return list(found) if len(found) == len(ways) == 2 else None
