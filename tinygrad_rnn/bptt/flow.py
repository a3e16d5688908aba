"""The gradient flow: one backward pass with every contribution kept.

The question this file answers: *which use of the weight, at which step, gave which part of its
gradient?*

An ordinary backward adds the contributions up and forgets them. Here they stay: `flow.ledger(W)`
has a row for each, and its running sum ends, bit for bit, at what this flow added to `W.grad`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import hooks
from ..core.backprop import commit, contributions
from ..core.graph import Node, released
from ..core.guards import plain_seed, refuse_other
from ..core.over_time import called
from ..core.parts import norm
from ..core.place import contained
from ..core.totals import Totals
from ..core.words import describe
from ..errors import GradientError, InputError
from ..nn.fused_open import INSIDE, open_fused
from .attribution import Attribution, attribute
from .by_name import by_name
from .by_way import by_way
from .contribution import KEEP, accumulate
from .ledger import Ledger
from .recording import Recording
from .strides import record
from .writing import write_as_is

NEAR = 50  # how many nodes are looked at to say where a gradient came from

if TYPE_CHECKING:
    from .explanation import Explanation


class GradientFlow:
    """A backward pass from `root` with every contribution kept. Made by `gradient_flow`.

    `incoming[x]` are the contributions to a node, `totals` the gradients of the leaves, and
    `carried` what their `.grad` held before. `calls` says of each leaf which backward call this was
    since its `.grad` was last None.
    """

    def __init__(self, root: Node, incoming: Recording, totals: dict[Node, Any],
                 carried: dict[Node, Any]) -> None:
        self.root, self.incoming, self.totals, self.carried = root, incoming, totals, carried
        self.calls = {x: x.calls or 1 for x in totals}
        self.keep = "norms" if incoming.norms else "arrays"
        self.wrong = ""  # the mistake that was made on purpose: see whatif.py

    @property
    def arrived(self) -> Mapping[Node, Any]:
        """The whole gradient of every node that this flow reached (kept as norms: its norm)."""
        return self.incoming.arrived

    def __repr__(self) -> str:
        count = len(self.incoming.uses)
        wrong = f"WRONG on purpose ({self.wrong}): " if self.wrong else ""
        return f"<{wrong}gradient flow from {describe(self.root)}: {count} contributions>"

    def ledger(self, node: Node) -> Ledger:
        """One row for every use of `node`: a shared weight, a bias, an input, a state.

        Raises `GradientError` if no gradient of this flow reached it.
        """
        taken = by_way(node, self.incoming)
        self.check(node, self.incoming, taken)
        return Ledger(node, self.root_name, taken.get(node) or self.incoming[node],
                      self.carried.get(node), self.wrong, flow=self)

    def check(self, node: Node, *recorded: Mapping[Node, Any]) -> None:
        """Refuse what has no ledger: no row in any of these recordings."""
        refuse_other(node, "ledger()", "Of a layer, give one of its parameters: rnn.cell.W_hh")
        if self.root.op is released:
            raise GradientError(f"the graph of {describe(self.root)} was released, and its uses "
                                "are gone", where="ledger()",
                                fix="Read the ledger first, to_numpy() or to_csv() of it stay")
        if node is self.root:
            raise GradientError(f"the flow starts at {describe(node)}: its gradient is the seed, "
                                "and no use gave it", where="ledger()")
        if not any(node in one for one in recorded):
            raise GradientError(f"no contribution reached {describe(node)}", where="ledger()",
                                fix=f"It needs no gradient, or {describe(self.root)} does not "
                                    "depend on it")

    def attribution(self, W: Node, losses: Any, *, keep: str = "arrays") -> Attribution:
        """The table of dL_t/dW through its use at step k, for a list of losses L_t.

        Rows add up to each loss's gradient, columns to each use's contribution to the sum of the
        losses; both are checked. With `keep="norms"` only the sizes of the cells are kept.
        """
        if self.wrong:  # the table is made by a walk of its own, and that one is right
            raise InputError(f"this flow is wrong on purpose ({self.wrong}), and the table would "
                             "be right", where="attribution()",
                             fix="Ask a flow without the mistake: that of what_if has one, .right")
        return attribute(W, losses, keep)

    def origin(self, x: Node, user: Node) -> str:
        """Where what `user` sends to `x` came from: the node of the same name it was used for (h_4
        for h_3), or else the first that has a name (y_3), or else the root."""
        found, seen, named = [user], {user}, None
        for node in islice(found, NEAR):  # the list grows while we read it
            if node.name is not None:
                named = node if named is None else named
                if node.name == x.name:
                    return whereabouts(node, x)
            fresh = [n for n in self.incoming.users(node) if n not in seen
                     and (named is None or n.step == user.step)]
            found += fresh
            seen.update(fresh)
        if named is None or named is self.root and named.scope in ("", x.scope):
            return self.root_name
        return whereabouts(named, x)

    @cached_property
    def root_name(self) -> str:
        """What the result is called in titles: its name, or L."""
        return called(self.root)

    def explain(self, node: Node, keep: int = 3) -> Explanation:
        """The derivation of the gradient of `node`, generated from the graph: one term for every
        use, with its numbers, and where what arrived there came from. Of more uses than 2 `keep`
        + 1, the first and last `keep`. Fused layers are opened. It has `.text`, `.markdown` and
        `.latex`."""
        from .explain import explain  # read only when it is asked for

        inside = opened(self)
        return explain(inside if node in inside.incoming else self, node, keep)

    def gradient(self, node: Node) -> Any:
        """The whole gradient that arrived at `node` in this flow; zeros if none did. At a sequence
        arrives what goes through it, also where a head or a layer used its steps instead."""
        refuse_other(node, "gradient()", 'By name there are the norms: flow.norms("h")')
        if node in self.totals:
            return self.totals[node]
        if (taken := by_way(node, self.incoming)):
            return accumulate(node, taken[node])
        if node not in self.arrived:
            return 0.0 if node.is_scalar else np.zeros_like(node.value)
        if self.incoming.norms and not node.is_scalar:
            raise GradientError(f"of the gradient of {describe(node)} only the norm was kept",
                                where="gradient()", fix=KEEP)
        return self.arrived[node]

    def norm(self, node: Node) -> float:
        """|dL/d(node)|."""
        refuse_other(node, "norm()", 'By name: flow.norms("h")')
        if self.incoming.norms and node in self.arrived and node not in self.totals:
            return float(abs(self.arrived[node]))
        return norm(self.gradient(node))

    def norms(self, name: str) -> dict[int, float]:
        """|dL/d(name)_t| for every step t at which a node of that name got a gradient, in order of
        steps. Where nothing was stamped they are counted: from 1, or from 0 with an initial state.

        `name` may be qualified by its scope (`encoder/h`); an ambiguous one raises and lists them.
        """
        named = by_name(name, self.arrived, self.incoming.passed)
        return {step: self.norm(node) for step, node in named.items()}


def whereabouts(node: Node, x: Node) -> str:
    """The name and step of a node, and its scope if it is another than that of `x`."""
    return node.label if node.scope in ("", x.scope) else f"{node.scope}/{node.label}"


@contained
def gradient_flow(root: Node, seed: Any = None, *, keep: str = "arrays") -> GradientFlow:
    """Backward from `root`, adding to `.grad` as `backward()` does, with every contribution kept.

    Each leaf's gradient is the sum of its ledger's rows, in their order, to the bit. With
    `keep="norms"` the sums are the same, and of each contribution only the norm is kept: one number
    a use, whatever the size of the arrays. (Those of a `Value` are numbers anyway, and stay.)
    Raises as `backward()` does.
    """
    if not isinstance(keep, str) or keep not in ("arrays", "norms"):
        raise InputError(f"keep is 'arrays' or 'norms', got {keep!r}", where="gradient_flow()")
    totals, recording = recorded(root, plain_seed(root, seed, "gradient_flow()"), keep)
    carried = {x: x.grad for x in totals if x.grad is not None}
    totals.owned.clear()  # the totals stay here: a leaf's .grad is an array of its own
    commit(totals)
    flow = GradientFlow(root, recording, dict(totals), carried)
    flow.wrong = hooks.wrong()
    return flow


def recorded(root: Node, seed: Any, keep: str) -> tuple[Totals, Recording]:
    """The walk back from `root`: the sums to commit, and every use. The rows of a wrong pass
    (`what_if`) are what it made of each use."""
    if hooks.wrong():
        totals, recording = Totals([(root, seed)]), Recording(root, seed, as_is=True)
        write_as_is(recording, hooks.watched(contributions(totals), totals), totals)
        return totals, recording
    recording = Recording(root, seed, keep == "norms")
    return record(recording), recording


def opened(flow: GradientFlow) -> GradientFlow:
    """The same flow through the operations inside of fused layers (`open_fused`); `.grad` is left
    alone. A flow without fused layers is returned as it is."""
    if not set(map(attrgetter("op"), flow.incoming.passed)).intersection(INSIDE):
        return flow  # without another walk through a long graph
    root = open_fused(flow.root)
    if flow.wrong:  # as wrong as it was
        from .whatif import what_if

        return what_if(root, flow.wrong, seed=flow.incoming.seed)
    totals, recording = recorded(root, flow.incoming.seed, flow.keep)
    return GradientFlow(root, recording, dict(totals), flow.carried)


def whole(flow: GradientFlow) -> GradientFlow:
    """The same flow with its arrays; `.grad` is left alone. One that was kept as norms is recorded
    again, so hooks on the way run once more."""
    if flow.keep == "arrays":
        return flow
    totals, recording = recorded(flow.root, flow.incoming.seed, "arrays")
    found = GradientFlow(flow.root, recording, dict(totals), flow.carried)
    found.calls = flow.calls
    return found
