"""What differs between two graphs: a part that is new, a part that is gone, a number that changed.

The question this file answers: *what did my edit do to the graph?*

Nodes are matched by their keys (`core.keys`): step, scope, name or op, and what they are made from.
Nothing depends on which objects they are, so two runs of one program do not differ. What is left
over on both sides is matched a second time, by step, scope, name or op, and count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node, released
from ..core.guards import refuse_released
from ..core.keys import Key, keys
from ..core.parts import norm
from ..errors import InputError
from .flow import GradientFlow
from .naming import told_apart
from .table import wrapped

SHOWN = 8  # so many of a kind are listed


@dataclass(frozen=True)
class Change:
    """One node in both graphs, and what is different about it, in words."""

    id: str
    before: Node
    after: Node
    what: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.id}: {'; '.join(self.what)}"


@dataclass(frozen=True)
class Diff:
    """What two graphs do not have in common: `added`, `removed` (by their ids) and `changed`.
    False if there is no difference. `wrong` names the mistakes of flows that are wrong on
    purpose."""

    added: dict[str, Node]
    removed: dict[str, Node]
    changed: list[Change]
    wrong: str = ""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        mark = [f"WRONG on purpose: {self.wrong}"] if self.wrong else []
        if not self:
            return "\n".join([*mark, "no difference"])
        lines = [*mark, f"{len(self.added)} added, {len(self.removed)} removed, "
                 f"{len(self.changed)} changed"]
        for sign, some in (("+", list(self.added)), ("-", list(self.removed)),
                           ("~", [str(c) for c in self.changed])):
            lines += [f"  {sign} {x}" for x in some[:SHOWN]]
            if len(some) > SHOWN:
                lines.append(f"  {sign} … {len(some) - SHOWN} more")
        return "\n".join(wrapped(lines))

    __repr__ = __str__


def diff(before: Any, after: Any, *, rtol: float = 1e-9, atol: float = 1e-12) -> Diff:
    """What differs between two graphs, given by their results; of two flows, the gradients too.

        print(tg.diff(loss, loss_after_the_edit))
        print(tg.diff(tg.gradient_flow(full), tg.gradient_flow(truncated)))

    A value counts as changed when an entry differs by more than atol + rtol |before|. Raises
    `InputError` for what is neither a node nor a flow.
    """
    for x in (before, after):
        if not isinstance(x, (Node, GradientFlow)):
            raise InputError(f"expected two results or two flows, got {type(x).__name__}",
                             where="diff()", fix="tg.diff(loss, other_loss)")
    for name, x in (("rtol", rtol), ("atol", atol)):
        if not isinstance(x, (int, float)) or not x >= 0.0:
            raise InputError(f"expected {name} to be a number, 0 or more, got {x!r}",
                             where="diff()")
    flows = [x if isinstance(x, GradientFlow) else None for x in (before, after)]
    roots = [x.root if isinstance(x, GradientFlow) else x for x in (before, after)]
    for root in roots:
        if root.op is released:
            refuse_released(root, "diff()")
    found = keys(*roots)
    sides = [{found[n]: n for n in walk.nodes(root)} for root in roots]
    names = leaf_names(roots)
    pairs = [(sides[0][k], sides[1][k], k) for k in sides[0] if k in sides[1]]
    rest = [[(k, n) for k, n in mine.items() if k not in other]
            for mine, other in (sides, sides[::-1])]
    again, removed, added = second_look(*rest)
    changed = [Change(names.get(a, str(k)), a, b, what) for a, b, k in [*pairs, *again]
               if (what := differences(a, b, found, flows, rtol, atol))]
    wrong = [f"{flow.wrong} ({side})" for flow, side in zip(flows, ("before", "after"))
             if flow is not None and flow.wrong]
    return Diff(added, removed, changed, ", ".join(wrong))


def leaf_names(roots: list[Node]) -> dict[Node, str]:
    """The leaves of a name that another one has as well, with the scope of what uses them."""
    found = dict[Node, str]()
    for root in roots:
        scopes: dict[Node, set[str]] = {}
        for x, _, node in walk.edges(root):
            if x.is_leaf and x.name is not None and x.at.step is None:
                scopes.setdefault(x, set()).add(node.scope)
        found |= {x: name for x, name in told_apart(scopes).items() if name != x.label}
    return found


Found = tuple[Node, Node, Key]


def second_look(before: list[tuple[Key, Node]],
                after: list[tuple[Key, Node]]) -> tuple[list[Found], dict[str, Node],
                                                         dict[str, Node]]:
    """Match what is left by step, scope and name or op; the rest was removed, or added."""
    waiting: dict[tuple[int | None, str, str], list[tuple[Key, Node]]] = {}
    for key, node in after:
        waiting.setdefault(key[:3], []).append((key, node))
    for some in waiting.values():
        some.reverse()  # the first one is taken from the end
    pairs, removed = list[Found](), list[tuple[Key, Node]]()
    for key, node in before:
        if waiting.get(key[:3]):
            pairs.append((node, waiting[key[:3]].pop()[1], key))
        else:
            removed.append((key, node))
    added = [pair for pair in after if any(pair[1] is n for _, n in waiting[pair[0][:3]])]
    return pairs, numbered(removed), numbered(added)


def numbered(some: list[tuple[Key, Node]]) -> dict[str, Node]:
    """By their ids; one that comes again gets a number."""
    found: dict[str, Node] = {}
    for key, node in some:
        name, k = str(key), 2
        while name in found:
            name, k = f"{key} ({k})", k + 1
        found[name] = node
    return found


def differences(a: Node, b: Node, found: dict[Node, Key], flows: list[GradientFlow | None],
                rtol: float, atol: float) -> tuple[str, ...]:
    """What is different about one node, in words: op, shape, value, operands, gradient."""
    what = []
    if a.op is not b.op and a.op.name != b.op.name:
        what.append(f"op {a.op.name} → {b.op.name}")
    if np.shape(a.value) != np.shape(b.value):
        what.append(f"shape {np.shape(a.value)} → {np.shape(b.value)}")
    elif off := apart(a.value, b.value, rtol, atol):
        what.append(f"value {off}")
    of_a, of_b = ([str(found[x]) for _, x in walk.parents(n)] for n in (a, b))
    if of_a != of_b:
        what.append(f"operands {', '.join(of_a) or 'none'} → {', '.join(of_b) or 'none'}")
    if flows[0] is not None and flows[1] is not None and a.requires_grad and b.requires_grad:
        g, h = flows[0].gradient(a), flows[1].gradient(b)
        if np.shape(g) == np.shape(h) and (off := apart(g, h, rtol, atol)):
            what.append(f"gradient {off}")
    return tuple(what)


def apart(a: Any, b: Any, rtol: float, atol: float) -> str:
    """By how much two values differ, in words; '' if they do not."""
    if np.size(a) == 0 or np.allclose(b, a, rtol=rtol, atol=atol, equal_nan=True):
        return ""
    if np.ndim(a) == 0:
        return f"{float(a):.6g} → {float(b):.6g}"
    x, y = np.asarray(a, float), np.asarray(b, float)
    return f"‖·‖ {norm(x):.4g} → {norm(y):.4g}, up to {float(np.max(np.abs(y - x))):.2g} apart"
