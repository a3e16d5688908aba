"""Users: who uses what is in view, in view or not.

The question this file answers: *what do all steps share, and what do hidden steps take?*
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core import walk
from ..core.graph import Node
from .initial import first_states
from .inputs import find_inputs

if TYPE_CHECKING:
    from .survey import Survey

MOST_AROUND = 60  # untimed nodes drawn beside a recurrence; older ones are left out


def find_uses(found: Survey) -> None:
    """Fill `uses` for what is in view and what it is made from, and `named` for the names of
    what one step in view reads of another."""
    shown, slices, uses, view = found.shown, found.slices, found.uses, found.view
    stages = found.stages

    def out_of_view(x: Node) -> bool:
        """Whether `x` is the result of a hidden step: a loss may read those of all steps."""
        when = x.at.step
        return when is not None and when not in view and not stages and bool(x.op.rules)

    for node in [*found.timed, *found.untimed[-MOST_AROUND:]]:
        if not found.stands_for(node):
            uses.setdefault(node, array("q"))
            for x in [shown.get(x, x) for _, x in walk.parents(node)]:
                if x not in uses and not (node.at.step is None and out_of_view(x)):
                    uses[x] = array("q")
    for alias, x in shown.items():
        if x in uses:
            uses[alias] = uses[x]  # to use one is to use the other
    found.named = {x.name: array("q") for node in found.timed for _, x in walk.parents(node)
                   if x.name is not None and x.op.rules and x.at.step not in (None, node.at.step)}
    if found.outline.given is not None:
        found.outline.add_uses(uses)
        found.named = {name: found.outline.named[name] for name in found.named}
    else:
        search(found)
    if shown or slices:  # to show is not to use
        for users in {id(users): users for users in uses.values()}.values():
            nodes = found.computed
            users[:] = array("q", [i for i in users
                                   if nodes[i] not in shown and nodes[i] not in slices])


def search(found: Survey) -> None:
    """Look at every use in the graph, and at every name."""
    note: dict[Node | None, Callable[[int], None]] = {x: at.append for x, at in found.uses.items()}
    named = {name: at.append for name, at in found.named.items()}
    for i, node in enumerate(found.computed):
        if node.name is not None and node.name in named:
            named[node.name](i)
        if node.a in note:
            note[node.a](i)
        if node.b in note:
            note[node.b](i)
        if node.rest is not None:
            for other in node.rest.nodes:
                if other in note:
                    note[other](i)


def find_shared(found: Survey) -> None:
    """Fill `shared` and `leaving`, by who uses what is in view."""
    leaving: dict[Node, Node] = {}
    view = {*found.view, None}
    known = [x for x in found.uses if x not in found.shown]
    found.shared.update(x for x in known if in_two_steps(
        found, x, found.when(x) is not None and not found.given(x)))
    find_inputs(found, first_states(found))
    all_in_view = not found.stages and not any(column.hidden for column in found.columns)
    for x in () if all_in_view else known:
        inside = found.when(x) is not None and (x in found.homes or not found.given(x))
        if inside and (user := hidden_user(found, x, view)) is not None:
            leaving[x] = user

    def place(x: Node) -> tuple[int, int]:
        """Where a walk over all uses would come upon the first that is out of view."""
        user = leaving[x]
        return user.order, next(i for i, y in walk.parents(user) if found.source(y) is x)

    found.leaving = {x: leaving[x] for x in sorted(leaving, key=place)}


def hidden_user(found: Survey, x: Node, view: set[int | None]) -> Node | None:
    """The first node of a step out of view that uses a node in view."""
    if found.when(x) not in view:
        return None
    return next((user for user in found.users(x) if found.when(user) not in view), None)


def in_two_steps(found: Survey, x: Node, inside: bool) -> bool:
    """Whether two steps use `x`; of what is computed `inside` of a step, two steps of a later stage
    (a context: what one stage leaves is read all along the next)."""
    stages = found.stages
    if inside and not stages:
        return False
    whens = (found.when(user) for user in found.users(x)
             if not inside or stages[x] < stages[user])
    known = (when for when in whens if when is not None)
    first = next(known, None)
    return any(when != first for when in known)
