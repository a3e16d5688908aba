"""Watching the numbers: the first NaN or Inf, and arrays that change under the graph.

The question this file answers: *where did this NaN come from?*

Both switches put a watcher in force (`place.Watcher`): it is shown every node when it is made, and
every contribution of a backward walk. Backward commits last, so an error leaves all gradients as
they were.
"""

from __future__ import annotations

import linecache
import math
import zlib
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from ..errors import AnomalyError, GradientError
from .backprop import local
from .graph import Node, Op
from .place import HERE, here, switch
from .words import describe


class detect_anomaly(switch):
    """Raise `AnomalyError` at the first NaN or Inf, forward or backward (this thread only).

        with tg.detect_anomaly():
            loss = model(xs)
            loss.backward()

    The message names the op, the tensor, the time step, the scope and the line of the program, and
    says whether the number came in with an operand or was made there. `inf=False` looks for NaN
    only, for programs that use Inf on purpose (-inf in a mask). NumPy's own warnings are off
    inside. It looks at every number that is recorded: two to five times slower, for finding a fault
    and not for training.
    """

    def __init__(self, *, inf: bool = True) -> None:
        super().__init__(inf=inf)
        self.silences: list[np.errstate] = []

    def __enter__(self) -> None:
        watchers = (*here().watchers, Anomalies(self.changes["inf"]))
        self.tokens.append(HERE.set(here().but(sites=True, watchers=watchers)))
        self.silences.append(np.errstate(all="ignore"))
        self.silences[-1].__enter__()

    def __exit__(self, *_: object) -> None:
        self.silences.pop().__exit__(None, None, None)
        super().__exit__()


class strict(switch):
    """Raise `GradientError` if an array that a graph holds was written to behind its back.

    The ordinary guard already covers a leaf's `.data`, and what comes in as an array is copied.
    This one takes a checksum of every value and operand when a node is made in this block, and
    compares it when backward, in this block too, comes to the node: for ops of your own that keep
    an array, and for whatever writes to `node.value`.
    """

    def __enter__(self) -> None:
        watchers = (*here().watchers, Checksums())
        self.tokens.append(HERE.set(here().but(watchers=watchers)))


# --- NaN and Inf --------------------------------------------------------------------------------


class Anomalies:
    """The watcher behind `detect_anomaly`."""

    def __init__(self, inf: bool = True) -> None:
        self.inf = inf

    def node(self, node: Node, op: Op, operands: tuple[Any, ...]) -> None:
        """Forward: is the value that `op` has just made finite?"""
        if bad := self.fault(node.value):
            where = place_of(node, op)
            for i, x in enumerate(operands):
                if came := self.fault(x):
                    raise AnomalyError(f"{came} came in with {origin(x, i)}", where=where)
            raise AnomalyError(f"made {bad} from finite operands{there(operands, node.value)}",
                               where=where)

    def edges(self, edges: Iterator[Any], arriving: Any = None) -> Iterator[Any]:
        """Backward: is what arrives at a node finite, what leaves it, and what adds up at a
        leaf?"""
        sums = dict[Node, Any]()
        last = None
        for edge in edges:
            node, position, x, g, c = edge
            g, c = plain(g), plain(c)
            if node is not last and (bad := self.fault(g)):
                self.arrived(node, bad, last is None)
            last = node
            c = local(node, position, g) if c is None else c
            if bad := self.fault(c):
                name = origin(x, position)
                raise AnomalyError(f"backward made {bad} in the gradient through {name}, while "
                                   f"what arrived was finite{there(node.values, c)}",
                                   where=place_of(node))
            if not x.op.rules:
                sums[x] = sums[x] + c if x in sums else c
                if bad := self.fault(sums[x]):
                    raise AnomalyError(f"the contributions to the gradient of {describe(x)} are "
                                       f"finite, but their sum has {bad}", where=place_of(node))
            yield edge

    def arrived(self, node: Node, bad: str, first: bool) -> NoReturn:
        """The gradient of `node` is at fault although no contribution to it was."""
        if first:
            raise AnomalyError(f"backward was started with a seed that has {bad}",
                               where=place_of(node))
        why = "a hook on it made that" if node.hooks else "their sum is too large"
        raise AnomalyError(f"the gradient of {describe(node)} has {bad}: every contribution to it "
                           f"was finite, but {why}", where=place_of(node))

    def fault(self, x: Any) -> str:
        """What is wrong with a number or an array, in words; '' if nothing is."""
        x = plain(x)
        if isinstance(x, (float, int)):
            return spelled(x) if x != x or self.inf and math.isinf(x) else ""
        x = np.asarray(x)
        if x.dtype.kind != "f":
            return ""
        at_fault = ~np.isfinite(x) if self.inf else np.isnan(x)
        if not at_fault.any():
            return ""
        first = tuple(int(i) for i in np.argwhere(at_fault)[0])
        if x.size == 1:
            return spelled(x[first])
        return f"{spelled(x[first])} at {list(first)} ({at_fault.sum()} of {x.size} entries)"


def plain(x: Any) -> Any:
    """The numbers of a node; anything else as it is."""
    return x.value if isinstance(x, Node) else x


def spelled(x: Any) -> str:
    """NaN, Inf or -Inf."""
    return "NaN" if x != x else "Inf" if x > 0 else "-Inf"


def origin(x: Any, position: int) -> str:
    """How the message speaks of an operand: what it is called, and where it comes from."""
    if not isinstance(x, Node):
        return f"operand {position + 1}, a plain {'array' if np.ndim(x) else 'number'}"
    if not x.is_leaf:
        return f"{describe(x)}" if x.site else f"{describe(x)}, made outside detect_anomaly()"
    kind = "leaf" if x.requires_grad else "constant"
    called = f"the {kind} '{x.label}'" if x.name else f"operand {position + 1}, a {kind}"
    return called + (f" {x.value.shape}" if np.ndim(x.value) else "")


def there(operands: tuple[Any, ...], result: Any) -> str:
    """The operands' numbers at the first entry at fault, if all of them have such an entry."""
    result = np.asarray(result)
    first = tuple(np.argwhere(~np.isfinite(result))[0])
    values = [np.asarray(plain(x)) for x in operands]
    if not all(v.shape in ((), result.shape) for v in values):
        return ""
    shown = ", ".join(f"{v[first if v.ndim else ()]:.6g}" for v in values)
    return f"; the operand{'s' if len(values) > 1 else ''} there: {shown}"


def place_of(node: Node, op: Op | None = None) -> str:
    """Where: step, scope, op, tensor, and the user's line with its text."""
    op = op or node.op
    parts = [] if node.step is None else [f"step {node.step}"]
    parts += [f"scope '{node.scope}'"] if node.scope else []
    parts += [f"op '{op.name}'" + (f" of '{node.label}'" if node.name else "")]
    parts += ["in the graph of a gradient"] if node.phase == "backward" else []
    if node.site is None:
        return ", ".join(parts)
    file, _, line = node.site.rpartition(":")
    text = linecache.getline(file, int(line)).strip()
    return ", ".join(parts) + f", at {node.site}" + (f" [{text}]" if text else "")


# --- arrays that change under the graph ---------------------------------------------------------


class Checksums:
    """The watcher behind `strict`: by a node's place in the order of creation, its checksums."""

    def __init__(self) -> None:
        self.sums = dict[int, list[int]]()

    def node(self, node: Node, op: Op, operands: tuple[Any, ...]) -> None:
        """Note the checksums of what was just made, and of what it was made from."""
        if node.requires_grad:
            self.sums[node.order] = checksums(node)

    def edges(self, edges: Iterator[Any], arriving: Any = None) -> Iterator[Any]:
        """Compare, at every node that backward comes to."""
        last = None
        for edge in edges:
            node = edge[0]
            if node is not last and node.order in self.sums:
                now, then = checksums(node), self.sums[node.order]
                if now != then:
                    self.refuse(node, [a != b for a, b in zip(now, then)].index(True))
            last = node
            yield edge

    def refuse(self, node: Node, which: int) -> NoReturn:
        """Name the array that changed: the node's own (0), or that of an operand."""
        what = describe(node)
        if which:
            x = node.operands[which - 1]
            what = f"{describe(x) if isinstance(x, Node) else f'operand {which}'}, used by {what},"
        raise GradientError(f"the numbers of {what} were changed in place after they were recorded",
                            where="backward", fix="Work on a copy: .numpy()")


def checksums(node: Node) -> list[int]:
    """Of the value of a node and of each of its operands."""
    return [zlib.crc32(np.asarray(x).tobytes()) for x in (node.value, *node.values)]
