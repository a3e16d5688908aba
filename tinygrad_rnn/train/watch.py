"""Watching a training run: what the gradient, the units and the graph do, update by update.

The question this file answers: *when did it go wrong, and at which step?*

    watch = train.Watch(model)
    for ...:
        loss.backward()
        watch.update(loss)               before the optimiser's step
        optimizer.step()
    print(watch)

It looks, and changes nothing. The history is bounded, and no graph is kept: of a node only numbers.
A fused layer is one node, and its units are inside: `watch.update(tg.open_fused(loss))` sees them.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from ..bptt.flow import GradientFlow
from ..bptt.targets import targets
from ..core import hooks, ops, walk
from ..core.graph import Node, released
from ..core.parts import norm
from ..core.words import describe
from ..errors import GradientError, InputError
from ..nn.fused_open import INSIDE
from . import watched
from .step_norms import StepNorms, newest

SATURATED = 0.99  # |h| above it: tanh' is below 0.02
SHARE = 0.5       # so many saturated entries are worth a warning
GATE = 0.01       # a gate this close to 0 or 1 is shut, or wide open
EXPLODES = 1.0    # an update larger than the weight itself
DEAD = 20         # so many updates in a row without being on once, and a unit counts as dead
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

    With `states="h"` (or several names, as in `flow.norms`) the norm of the state's gradient is
    kept for every time step, in `steps`: then `update` needs the flow, and not only the loss.

    A relu unit is called dead when it was off at every step and for every sample of 20 updates in
    a row, from whichever update on. Before update 20 none is. Of other data it says nothing: these
    were the samples seen, and another one may switch it on; then it counts as alive again.
    """

    fields = Seen._fields

    def __init__(self, params: Any, keep: int = 1000, states: Any = ()) -> None:
        if isinstance(keep, bool) or not isinstance(keep, (int, np.integer)) or keep < 1:
            raise InputError(f"expected keep to be a whole number of at least 1, got {keep!r}",
                             where="Watch")
        names = [states] if isinstance(states, str) else \
            list(states) if isinstance(states, (list, tuple)) else [states]
        if not all(isinstance(name, str) and name for name in names):
            raise InputError(f"expected names of states, got {states!r}", where="Watch",
                             fix='train.Watch(model, states="h")')
        self.params: dict[str, Any] = dict(targets(params, "Watch"))
        self.rows: deque[Seen] = deque(maxlen=int(keep))
        self.norms: dict[str, deque[float]] = {k: deque(maxlen=int(keep)) for k in self.params}
        self.steps = StepNorms(names, int(keep))
        self.warnings: dict[str, str] = {}
        self.before: dict[str, Any] = {}
        self.off: dict[str, Any] = {}  # for how many updates a unit has been off
        self.first_nodes = self.last_order = 0
        self.count = 0

    def update(self, loss: Node | GradientFlow) -> Seen:
        """Look at one update: after backward, before the optimiser's step. Takes the loss, or the
        flow in which its gradients were computed."""
        flow, loss = (loss, loss.root) if isinstance(loss, GradientFlow) else (None, loss)
        self.check(loss, flow)
        self.count += 1
        wrong = hooks.wrong() or (flow.wrong if flow is not None else "")
        if wrong:
            self.warn(f"wrong {wrong}", f"the gradients are WRONG on purpose: {wrong}")
        ratio = self.ratios()
        for name, p in self.params.items():
            size = 0.0 if p.grad is None else norm(p.grad)
            self.norms[name].append(size)
            if not math.isfinite(size):
                self.warn(f"gradient {name}", f"the gradient of {name} is not finite")
        if flow is not None:
            self.steps.note(self.count, flow, self.warn)
        graph = walk.nodes(loss)
        if any(n.op in INSIDE for n in graph):
            self.warn("inside", "the units of a layer that is one node are not looked at: "
                      "watch.update(tg.open_fused(loss)) sees them")
        saturated, gates = self.saturation(graph)
        dead = self.dead_units(graph)
        steps = {n.step for n in graph if n.op.rules and n.step is not None}
        self.growth(graph, loss)
        total = math.sqrt(sum(self.norms[k][-1] ** 2 for k in self.params))
        value = float(np.asarray(loss.value).reshape(()))
        seen = Seen(self.count, value, total, ratio, saturated, gates, dead, len(graph), len(steps))
        self.rows.append(seen)
        return seen

    def check(self, loss: Any, flow: GradientFlow | None) -> None:
        """Refuse what is no loss, and a loss alone where the norms per step were asked for."""
        if not isinstance(loss, Node) or np.size(loss.value) != 1:
            got = f"shape {loss.value.shape}" if isinstance(loss, Node) else type(loss).__name__
            raise InputError(f"expected a loss (a single number) or its flow, got {got}",
                             where="Watch.update", fix="watch.update(loss)")
        if loss.op is released:
            raise GradientError(f"the graph of {describe(loss)} was released: there is nothing to "
                                "look at", where="Watch.update",
                                fix="Call watch.update(loss) first, and release it then")
        if flow is None and self.steps.names:
            raise InputError("the norms per step were asked for, and a loss alone does not have "
                             "them", where="Watch.update", fix='Write flow = tg.gradient_flow(loss,'
                             ' keep="norms") for loss.backward(), then watch.update(flow)')
        for name in self.steps.names if flow else ():
            newest(flow, name)  # type: ignore[arg-type]  # raises before anything is noted

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

    def saturation(self, graph: list[Node]) -> tuple[float, float]:
        """The share of tanhs and of gates that are saturated."""
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
        for kind, (share, node) in worst.items():
            if share > SHARE:
                what = "states are beyond ±0.99" if kind == "tanh" else "gate is within 0.01 of 0/1"
                self.warn(f"{kind} {node.scope}/{node.name}",
                          f"{share:.0%} of {node.label}'s {what}: its slope is nearly 0", node.step)
        tanhs, gates = (a / b if b else 0.0 for a, b in counts.values())
        return tanhs, gates

    def dead_units(self, graph: list[Node]) -> int:
        """How many units of relus are dead: see `Watch`."""
        on: dict[str, Any] = {}
        for node in graph:
            if node.op is ops.relu and np.ndim(node.value) and np.size(node.value):
                place = "/".join(filter(None, (node.scope, node.name or "relu")))
                here = (np.asarray(node.value) > 0).reshape(-1, np.shape(node.value)[-1]).any(0)
                there = on.get(place, here)
                on[place] = here | there if here.shape == there.shape else here
        for place, lit in on.items():
            off = self.off.get(place, 0)
            self.off[place] = np.where(lit, 0, (off if np.shape(off) == lit.shape else 0) + 1)
            dead = int((self.off[place] >= DEAD).sum())
            if dead:
                units, have = ("unit", "has") if dead == 1 else ("units", "have")
                self.warn(f"dead {place}", f"{dead} relu {units} of {place} {have} not been on "
                                           f"once in {DEAD} updates in a row")
        return sum(int((off >= DEAD).sum()) for off in self.off.values())

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
        """The same as CSV text, with the norm of each parameter's gradient, and of each state's at
        each time step."""
        return watched.as_csv(self)

    def to_markdown(self) -> str:
        """The same as a table in Markdown."""
        return watched.as_markdown(self)

    def __str__(self) -> str:
        return watched.as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return watched.as_page(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}
