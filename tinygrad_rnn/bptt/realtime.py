"""Real-time recurrent learning: the gradient forward in time, along with the states.

The question this file answers: *can a gradient through time do without going back?*

    P_t = ds_t/dW = J_t P_{t-1} + ∂s_t/∂W         J_t = ∂s_t/∂s_{t-1}, both within one step
    dL_t/dW = ∂L_t/∂W + ∂L_t/∂s_{t-1} P_{t-1}

(Williams and Zipser 1989, "A learning algorithm for continually running fully recurrent neural
networks".) Nothing of the past is kept but P, so that memory does not grow with T, and the gradient
of each loss is there at once. The price: P has H entries for every weight, H³ for a vanilla cell,
and J P takes O(H⁴) a step, where backpropagation takes O(H²).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.backprop import contributions
from ..core.graph import Node, given, leaf
from ..core.place import timestep
from ..core.totals import Totals
from ..core.walk import nodes
from ..nn.states import mapped, parts_of
from .rows import rows
from .work import Counter

Array = Any


class RealTime:
    """P, and the gradients so far, for the parameters `params` (name -> leaf).

    `state` is the first state: what of it depends on a parameter (a learned h_0) begins in P.
    """

    def __init__(self, params: dict[str, Node], state: Any, counter: Counter) -> None:
        self.params, self.counter = params, counter
        self.gradients = {name: 0.0 * np.asarray(p.value) for name, p in params.items()}
        self.state = mapped(fresh, state)
        first = [x for x in parts_of(state) if isinstance(x, Node)]
        self.batch = batch_of(first)
        self.P: dict[str, Array] = self.jacobian(first, [])[0]

    @property
    def kept(self) -> int:
        """How many numbers are carried from step to step: P, and the state."""
        state = sum(int(np.size(x.value)) for x in self.parts(self.state))
        return state + sum(int(P.size) for P in self.P.values())

    def parts(self, state: Any) -> list[Node]:
        """The nodes of a state."""
        return [x for x in parts_of(state) if isinstance(x, Node)]

    def step(self, advance: Any, t: int, loss_of: Any) -> float:
        """One step, `advance(state)` -> (output, state): its loss (0 if there is none), and P for
        the next."""
        before = self.parts(self.state)
        with timestep(t):
            output, after = advance(self.state)
            loss = loss_of(output)
        graph = nodes(*self.parts(after), *([] if loss is None else [loss]))
        self.counter.forward(graph)
        if loss is not None:
            self.learn(loss, before)
        immediate, J = self.jacobian(self.parts(after), before)
        self.P = {name: direct + self.times(J, self.P[name]) for name, direct in immediate.items()}
        self.state = mapped(fresh, after)  # leaves of the same values: the step's graph is freed
        return 0.0 if loss is None else float(loss.value)

    def learn(self, loss: Node, before: list[Node]) -> None:
        """Add dL_t/dW: directly, and through the state before."""
        self.counter.backward(nodes(loss))
        arriving = Totals([(loss, 1.0 if loss.is_scalar else np.ones_like(loss.value))])
        for _ in contributions(arriving):
            pass
        for name, p in self.params.items():
            found = self.gradients[name]
            found = found + arriving[p] if p in arriving else found
            if any(x in arriving for x in before):
                g = self.joined([arriving.get(x, np.zeros(np.shape(x.value))) for x in before])
                found = found + (g.reshape(-1) @ self.P[name]).reshape(found.shape)
                self.counter.total += self.P[name].size
            self.gradients[name] = found

    def joined(self, parts: list[Array]) -> Array:
        """The parts of states as one array (..., B, N), sample by sample."""
        B = self.batch
        return np.concatenate([np.reshape(x, (B, -1)) for x in parts], -1)

    def jacobian(self, after: list[Node], before: list[Node]) -> tuple[dict[str, Array], Array]:
        """∂s_t/∂W (M, size of W) by name and ∂s_t/∂s_{t-1} (M, M) of one step, for the M = B N
        entries of the state: one walk."""
        B, sizes = self.batch, [int(np.size(x.value)) // self.batch for x in after]
        M = B * sum(sizes)
        identity = np.eye(M).reshape(M, B, -1)
        seeds: dict[Node, Array] = {}
        for x, part in zip(after, np.split(identity, np.cumsum(sizes)[:-1], -1)):
            part = part.reshape(M, *np.shape(x.value))
            seeds[x] = seeds[x] + part if x in seeds else part
        found = rows(seeds, [*self.params.values(), *before], self.counter)
        immediate = {name: found[p].reshape(M, -1) if p in found
                     else np.zeros((M, int(np.size(p.value)))) for name, p in self.params.items()}
        blocks = [found[x].reshape(M, B, -1) if x in found
                  else np.zeros((M, B, int(np.size(x.value)) // B)) for x in before]
        return immediate, np.concatenate(blocks, -1).reshape(M, M) if blocks else None

    def times(self, J: Array, P: Array) -> Array:
        """J P; sample by sample where no sample depends on another."""
        B, N = self.batch, len(J) // self.batch
        blocks = J.reshape(B, N, B, N)
        apart = B > 1 and not any(blocks[a, :, b].any() for a in range(B) for b in range(B)
                                  if a != b)
        self.counter.total += (B * N * N if apart else J.size) * P.shape[1]
        if not apart:
            return J @ P
        own = blocks[range(B), :, range(B)]
        return (own @ P.reshape(B, N, -1)).reshape(P.shape)


def fresh(part: Any) -> Any:
    """A leaf of the same value: what comes next begins here."""
    if not isinstance(part, Node) or not part.is_scalar and part.value.dtype.kind != "f":
        return part
    node = given(type(part), part.value, part.at, leaf)
    node.name = part.name
    return node


def batch_of(state: list[Node]) -> int:
    """B of parts (B, ...), 1 where there is no batch."""
    shapes = [np.shape(x.value) for x in state]
    return int(shapes[0][0]) if shapes and all(len(s) > 1 for s in shapes) else 1
