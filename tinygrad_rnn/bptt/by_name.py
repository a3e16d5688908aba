"""By name: the nodes of one name at which a gradient arrived, in the order of their steps.

The question this file answers: *which nodes are meant by "h"?*
"""

from __future__ import annotations

from collections.abc import Collection

from ..core.graph import Node
from ..errors import InputError
from ..nn.fused_open import INSIDE

OPEN = "Ask the graph of the operations: tg.gradient_flow(tg.open_fused(loss))"


def by_name(name: str, arrived: Collection[Node], passed: Collection[Node]) -> dict[int, Node]:
    """The nodes of this name among `arrived`, by step; where nothing was stamped they are counted:
    from 1, or from 0 with an initial state. `passed` are those that sent something on.

    `name` may be qualified by its scope (`encoder/h`). Raises `InputError` if there is none, if
    they are in several scopes, or several at one step.
    """
    if not isinstance(name, str):
        raise InputError(f"expected the name of a state, got {type(name).__name__}",
                         where="norms()", fix='flow.norms("h"); of one node, flow.norm(node)')
    scope, _, short = name.rpartition("/")
    named = [n for n in arrived if n.name == short and (not scope or n.scope == scope)]
    if any(n.at.span is not None for n in named):
        raise InputError(f"the {short!r} of all steps are one node here", where="norms()", fix=OPEN)
    named = [n for n in named if n.step is not None] or named  # L_t, and not their sum L
    scopes = sorted({n.scope for n in named})
    if len(scopes) > 1:
        raise InputError(f"{short!r} is in several scopes: "
                         + ", ".join(f"{s}/{short}" for s in scopes),
                         where="norms()", fix="Give the name with its scope")
    if not named:
        known = sorted({"/".join(filter(None, (n.scope, n.name))) for n in arrived if n.name})
        raise InputError(f"no node named {name!r} got a gradient; these did: " + ", ".join(known),
                         where="norms()", fix=OPEN if any(n.op in INSIDE for n in passed) else
                         'Name your states: h = tanh(z).named("h")')
    named.sort(key=lambda n: (n.step is not None, n.step or 0, n.order))
    found = {i if n.step is None else n.step: n for i, n in enumerate(named, not named[0].is_leaf)}
    if len(found) < len(named):
        raise InputError(f"several nodes are named {name!r} at the same step", where="norms()",
                         fix='Put them in scopes (with tg.scope("first"): ...), or ask for '
                             "flow.norm(node)")
    return found
