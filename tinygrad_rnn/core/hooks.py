"""Hooks on nodes and watchers of a whole walk: who else sees a gradient as it passes.

The question this file answers: *how do I look at, or change, the gradient of one node?*
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..errors import GradientError, InputError, ShapeError
from .graph import Node, constant, operands_of
from .inplace import plain
from .place import here
from .words import describe


def register(node: Node, hook: Callable[[Any], Any]) -> Callable[[], None]:
    """Call `hook(gradient)` when the node's whole gradient is known; the result removes the hook
    again.

    What a hook returns, if not None, goes on in the gradient's place.
    """
    if not callable(hook):
        raise InputError(f"expected a hook(gradient), got {hook!r}", where="register_hook()",
                         fix="y.register_hook(print) shows the gradient; y.retain_grad() keeps it")
    if not node.requires_grad:
        raise InputError(f"{describe(node)} needs no gradient, so a hook on it would never run")
    put(node, hook)
    steps = operands_of(node) if node.order in node.at.taking else ()  # was taken apart
    for step in steps:
        if step is not None and step.op is not constant and node not in ways([step]):
            put(step, Way(node))

    def remove() -> None:
        node.hooks = [h for h in node.hooks or () if h is not hook] or None

    return remove


def put(node: Node, hook: Callable[[Any], Any]) -> None:
    """One hook more, behind the others."""
    node.fill()
    node.hooks = [*(node.hooks or ()), hook]


class Way:
    """Stands among the hooks of a step where its sequence has hooks, and was taken apart before:
    the sequence is not in the graph of those who took its steps, and is found by this."""

    __slots__ = ("sequence",)

    def __init__(self, sequence: Node) -> None:
        self.sequence = sequence

    def __call__(self, g: Any) -> None:
        """It does nothing to the gradient of the step."""

    def check(self, totals: Any) -> None:
        """Refuse a walk that knows nothing of the sequence: its hooks would be passed over."""
        if self.sequence not in totals.taken:
            raise GradientError(f"a hook was put on {describe(self.sequence)} after a head, a loss "
                                "or a layer had taken its steps, and only backward() and grad() "
                                "find it then", fix="Put it there before the sequence is used")


def ways(nodes: Iterable[Node]) -> list[Node]:
    """The sequences that have left a `Way` at one of these nodes."""
    hooked = [n for n in nodes if n.hooks is not None]
    return list(dict.fromkeys(h.sequence for n in hooked for h in n.hooks or ()
                              if type(h) is Way))


def retain(g: Any) -> None:
    """The hook of `retain_grad()`: a computed node's gradient is committed like a leaf's."""


def run(node: Node, g: Any, totals: Any) -> Any:
    """Show the whole gradient of a node to its hooks, in the order in which they were
    registered."""
    for hook in node.hooks or ():
        if hook is retain:
            totals[node] = g
        elif type(hook) is Way:
            hook.check(totals)
        else:
            changed = hook(look(g))
            g = g if changed is None else fitting(node, changed, g)
    return g


def fitting(node: Node, changed: Any, g: Any) -> Any:
    """What a hook gave in place of `g`: a gradient of the same shape and kind, or an error."""
    if isinstance(changed, Node) and isinstance(g, Node) and changed.is_scalar == g.is_scalar:
        got, expected = np.shape(changed.value), np.shape(g.value)
    elif isinstance(changed, Node) or isinstance(g, Node):
        raise GradientError(f"a hook on {describe(node)} got {kind(g)} and gave {kind(changed)}",
                            fix="Give back what came: compute with the gradient itself")
    else:
        changed = plain(changed)
        got, expected = np.shape(changed), np.shape(g)
    if got != expected:
        raise ShapeError(f"a hook on {describe(node)} gave a gradient of shape {got}, "
                         f"expected {expected}")
    if isinstance(changed, Node):
        return changed
    return np.array(changed, g.dtype) if isinstance(g, (np.ndarray, np.generic)) else float(changed)


def kind(g: Any) -> str:
    """A node, or plain numbers."""
    return "a node" if isinstance(g, Node) else "plain numbers"


def look(g: Any) -> Any:
    """A gradient to be looked at: arrays as a read-only view, since others may hold the same
    one."""
    if not isinstance(g, np.ndarray):
        return g
    view = g.view()
    view.flags.writeable = False
    return view


def watched(edges: Iterator[Any], arriving: Any = None) -> Iterator[Any]:
    """Let the watchers in force (an anomaly detector, say) see every contribution as it passes.
    `arriving` holds the totals of a walk whose gradients go to `.grad`."""
    for watcher in here().watchers:
        edges = watcher.edges(edges, arriving)
    return edges


def wrong() -> str:
    """The mistake that backward makes on purpose here (`what_if`); '' if it makes none."""
    return " + ".join(w.wrong for w in here().watchers if hasattr(w, "wrong"))
