"""Watching a training run: what the gradient, the units and the graph do, update by update.

The question this file answers: *when did it go wrong, and at which step?*

    watch = train.Watch(model)
    for ...:
        loss.backward()
        watch.update(loss, state)        before the optimiser's step
        optimizer.step()
    print(watch)

It looks, and changes nothing. The history is bounded, and no graph is kept: of a node only numbers.
"""

from __future__ import annotations

import csv
import io
import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from ..core import ops, walk
from ..core.graph import Node
from ..core.parts import norm
from ..errors import InputError

SATURATED = 0.99  # |h| above it: tanh' is below 0.02
SHARE = 0.5       # so many saturated entries are worth a warning
GATE = 0.01       # a gate this close to 0 or 1 is shut, or wide open
EXPLODES = 1.0    # an update larger than the weight itself
LONG = 1.5        # a graph that grew by this factor over the first ones


class Seen(NamedTuple):
    """One update: its number, the loss, the norm of the whole gradient, the largest |update| /
    |weight|, the share of saturated states and gates, dead units, nodes and steps of the graph."""

    update: int
    loss: float
    gradient: float
    ratio: float
    saturated: float
    gates: float
    dead: int
    nodes: int
    steps: int


class Watch:
    """Watches the updates of a model: see the top of the file. `keep` is how many are remembered.

    Warnings are kept in `warnings`, one for each kind and place, with the update it was first seen
    at, and the time step where there is one.
    """

    def __init__(self, params: Any, keep: int = 1000) -> None:
        if isinstance(keep, bool) or not isinstance(keep, (int, np.integer)) or keep < 1:
            raise InputError(f"expected keep to be a whole number of at least 1, got {keep!r}",
                             where="Watch")
        pairs = params.named_parameters() if hasattr(params, "named_parameters") else \
            [(p.name or f"parameter {i}", p) for i, p in enumerate(params)]
        self.params: dict[str, Any] = dict(pairs)
        self.rows: deque[Seen] = deque(maxlen=int(keep))
        self.norms: dict[str, deque[float]] = {k: deque(maxlen=int(keep)) for k in self.params}
        self.warnings: dict[str, str] = {}
        self.before: dict[str, Any] = {}
        self.alive: dict[str, Any] = {}
        self.first_nodes = self.last_order = 0
        self.count = 0

    def update(self, loss: Node) -> Seen:
        """Look at one update: after backward, before the optimiser's step."""
        self.count += 1
        ratio = self.ratios()
        for name, p in self.params.items():
            size = 0.0 if p.grad is None else norm(p.grad)
            self.norms[name].append(size)
            if not math.isfinite(size):
                self.warn(f"gradient {name}", f"the gradient of {name} is not finite")
        graph = walk.nodes(loss)
        saturated, gates, dead = self.units(graph)
        steps = {n.step for n in graph if n.op.rules and n.step is not None}
        self.growth(graph, loss)
        total = math.sqrt(sum(self.norms[k][-1] ** 2 for k in self.params))
        value = float(np.asarray(loss.value).reshape(()))
        seen = Seen(self.count, value, total, ratio, saturated, gates, dead, len(graph), len(steps))
        self.rows.append(seen)
        return seen

    def ratios(self) -> float:
        """The largest |update| / |weight| of the optimiser's last step."""
        largest = 0.0
        for name, p in self.params.items():
            now = np.array(p.value, float)
            if name in self.before and norm(self.before[name]) > 0:
                ratio = norm(now - self.before[name]) / norm(self.before[name])
                largest = max(largest, ratio)
                if not ratio <= EXPLODES:
                    self.warn(f"update {name}", f"the last step changed {name} by {ratio:.0%} of "
                                                "its size: a smaller lr, or clipping")
            self.before[name] = now
        return largest

    def units(self, graph: list[Node]) -> tuple[float, float, int]:
        """The share of saturated tanhs and gates, and the units of a relu that were never on."""
        counts = {"tanh": [0, 0], "sigmoid": [0, 0]}
        worst: dict[str, tuple[float, Node]] = {}
        for node in graph:
            if node.op in (ops.tanh, ops.sigmoid):
                kind = node.op.name
                x = np.asarray(node.value)
                far = np.abs(x) > SATURATED if kind == "tanh" else (x < GATE) | (x > 1 - GATE)
                counts[kind][0] += int(far.sum())
                counts[kind][1] += far.size
                share = float(far.mean()) if far.size else 0.0
                if share > worst.get(kind, (0.0, node))[0]:
                    worst[kind] = share, node
            elif node.op is ops.relu and np.ndim(node.value):
                place = f"{node.scope}/{node.name or 'relu'}"
                on = (np.asarray(node.value) > 0).reshape(-1, np.shape(node.value)[-1]).any(0)
                there = self.alive.get(place)
                self.alive[place] = on if there is None or there.shape != on.shape else there | on
        for kind, (share, node) in worst.items():
            if share > SHARE:
                what = "states are beyond ±0.99" if kind == "tanh" else "gate is within 0.01 of 0/1"
                self.warn(f"{kind} {node.scope}/{node.name}",
                          f"{share:.0%} of {node.label}'s {what}: its slope is nearly 0", node.step)
        dead = sum(int((~on).sum()) for on in self.alive.values())
        if dead and self.count == 20:
            self.warn("dead", f"{dead} relu units have never been on in 20 updates")
        tanhs, gates = (a / b if b else 0.0 for a, b in counts.values())
        return tanhs, gates, dead

    def growth(self, graph: list[Node], loss: Node) -> None:
        """A graph that grows from window to window drags its whole history along."""
        if self.count == 1:
            self.first_nodes = len(graph)
        old = [n for n in graph if n.op.rules and n.order <= self.last_order]
        if self.count > 1 and old and len(graph) > LONG * self.first_nodes:
            known = set(old)
            edge = next(((x, n) for x, _, n in walk.edges(loss)
                         if x in known and n not in known), None)
            if edge is not None:
                x, n = edge
                self.warn("growth", f"the graph has {len(graph)} nodes, after {self.first_nodes} "
                          f"at first: {n.label} still uses {x.label} of an earlier update. Cut it: "
                          f"{x.name or 'state'}.detach()", x.step)
        self.last_order = max(n.order for n in graph)

    def warn(self, kind: str, text: str, step: int | None = None) -> None:
        """Keep the first warning of a kind."""
        where = f"update {self.count}" + ("" if step is None else f", step {step}")
        self.warnings.setdefault(kind, f"{where}: {text}")

    # --- reading ----------------------------------------------------------------------------

    def to_numpy(self) -> Any:
        """What is remembered: one row per update, the columns of `Seen`."""
        return np.array(self.rows, float).reshape(-1, len(Seen._fields))

    def to_csv(self) -> str:
        """The same as CSV text, with the norm of each parameter's gradient."""
        out = io.StringIO()
        write = csv.writer(out, lineterminator="\n")
        write.writerow([*Seen._fields, *(f"|d{name}|" for name in self.norms)])
        for i, row in enumerate(self.rows):
            write.writerow([*row, *(sizes[i] for sizes in self.norms.values())])
        return out.getvalue()

    def __str__(self) -> str:
        head = f"{'update':>7}{'loss':>11}{'‖gradient‖':>12}{'update/w':>10}{'|h|>.99':>9}" \
               f"{'gates':>7}{'dead':>6}{'nodes':>8}"
        lines = [head, "─" * len(head)]
        rows = list(self.rows)
        if len(rows) > 12:
            rows = [rows[i * (len(rows) - 1) // 11] for i in range(12)]
        for r in rows:
            lines.append(f"{r.update:7}{r.loss:11.4g}{r.gradient:12.4g}{r.ratio:10.3g}"
                         f"{r.saturated:9.0%}{r.gates:7.0%}{r.dead:6}{r.nodes:8}")
        return "\n".join([*lines, *(self.warnings.values() or ["no warnings"])])

    __repr__ = __str__

