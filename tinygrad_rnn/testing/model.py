"""The loss as a function of its parameters: moved along a direction, evaluated, and put back.

The question this file answers: *how is a program that takes no arguments evaluated elsewhere?*

The parameters get arrays of the check's own while it runs. Afterwards they hold the very arrays
that they held before, and every `.grad` in sight is what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..core import backprop, ops, walk
from ..core.graph import Node, leaf, operands_of, tick
from ..core.words import describe
from ..errors import InputError
from .complexstep import bare, complex_slope, has_subnormals, lifted, tracked
from .problem import Arrays


def named(params: Any) -> dict[str, Node]:
    """Parameters by name, from a module, a dict, or an iterable of leaves; each listed once."""
    if isinstance(params, Node):
        params = [params]
    if hasattr(params, "named_parameters"):
        pairs = list(dict(params.named_parameters()).items())
    elif isinstance(params, Mapping):
        pairs = [(str(name), p) for name, p in params.items()]
    elif not isinstance(params, Iterable):
        raise InputError(f"params are a module, a dict or leaves, got a {type(params).__name__}",
                         where="check_gradients")
    else:
        pairs = [(getattr(p, "name", None) or f"parameter {i}", p) for i, p in enumerate(params)]
    found = dict[str, Node]()
    for name, p in pairs:
        if not isinstance(p, Node) or p.op is not leaf:
            what = describe(p) if isinstance(p, Node) else f"a {type(p).__name__}"
            raise InputError(f"'{name}' is {what}", where="check_gradients",
                             fix="Parameters are leaves with requires_grad=True")
        if p not in set(found.values()):
            found[name if name not in found else f"{name} ({len(found)})"] = p
    if not found:
        raise InputError("there are no parameters to check", where="check_gradients",
                         fix="Give a module, a dict or a list of leaves (an iterator that was "
                             "used up is empty)")
    return found


class Model:
    """A loss and its parameters. Use it in a `with` block: leaving it puts everything back."""

    who = "loss_fn"
    unreached = ("the loss changes with it, but its graph does not reach it: was it used through "
                 ".numpy(), .detach(), .item() or no_grad()?")

    def __init__(self, loss_fn: Callable[[], Any], leaves: dict[str, Node],
                 sample: int | None = None) -> None:
        self.loss_fn, self.leaves, self.sample = loss_fn, leaves, sample
        self.noise, self.notes, self.spoilt = 0.0, list[str](), ""
        self.raised = set[str]()
        self.broken = dict[str, tuple[str, str]]()
        self.start = {name: np.array(p.value, float) for name, p in leaves.items()}
        self.evaluations = self.gradients = 0
        self.dtypes = {name: np.asarray(p.value).dtype for name, p in leaves.items()}
        self.eps = max(float(np.finfo(dtype).eps) for dtype in self.dtypes.values())

    def __enter__(self) -> Model:
        self.before = [(p, p.value, p.order, p.params) for p in self.leaves.values()]
        return self

    def __exit__(self, *_: object) -> None:
        for p, value, order, params in self.before:
            p.value, p.order, p.params = value, order, params

    def put(self, arrays: Arrays, wide: bool) -> None:
        """Give every parameter these numbers, in a fresh array of its own dtype, or in float64."""
        for name, p in self.leaves.items():
            dtype = np.dtype(float) if wide else self.dtypes[name]
            p.value = float(arrays[name]) if p.is_scalar else np.array(arrays[name], dtype)
            p.params = None

    def run(self, arrays: Arrays, wide: bool) -> tuple[Any, float]:
        """The loss there: what loss_fn returned, and its number."""
        self.put(arrays, wide)
        begin = tick()
        with np.errstate(all="ignore"):
            loss = self.loss_fn()
        self.evaluations += 1
        number = loss.value if isinstance(loss, Node) else loss
        if self.sample is not None:
            number = self.one(number)
        if np.size(number) != 1 or np.asarray(number).dtype.kind not in "fiu":
            what = describe(loss) if isinstance(loss, Node) else f"a {type(loss).__name__}"
            raise InputError(f"loss_fn must return a single number, got {what}",
                             where="check_gradients", fix="Reduce it, for instance with .sum()")
        if isinstance(loss, Node) and loss.op.rules and loss.order < begin:
            raise InputError(f"loss_fn returned {describe(loss)}, made before the call",
                             where="check_gradients",
                             fix="Compute the loss inside it, from the parameters, at every call")
        return loss, float(np.asarray(number).reshape(()))

    def one(self, losses: Any) -> Any:
        """The loss of one sample, of a vector of them."""
        if np.ndim(losses) != 1 or self.sample is None or self.sample >= len(losses):
            raise InputError("with per_sample=True loss_fn must return one loss for every sample, "
                             f"a vector; got shape {np.shape(losses)}", where="check_gradients")
        return losses[self.sample]

    def value(self, arrays: Arrays) -> float:
        """The loss there, as a number: in float64, also for parameters that are float32."""
        return self.run(arrays, wide=True)[1]

    def gradient(self, arrays: Arrays) -> tuple[Arrays, set[str]]:
        """The gradient that `backward()` gives, and the parameters that its graph reaches."""
        loss, _ = self.run(arrays, wide=False)
        self.gradients += 1
        zeros = {name: np.zeros(np.shape(p.value)) for name, p in self.leaves.items()}
        if not isinstance(loss, Node) or not loss.requires_grad:
            return zeros, set()
        graph = set(walk.nodes(loss))
        before = [(node, node.grad) for node in graph]
        try:
            for node in graph:
                node.grad = None
            with np.errstate(all="ignore"):
                backprop.backward(loss, self.seed(loss))
            reached = {name: p for name, p in self.leaves.items() if p in graph}
            found = {name: np.array(p.grad, float) for name, p in reached.items()
                     if p.grad is not None}
        finally:
            for node, grad in before:
                node.grad = grad
        return {**zeros, **found}, set(reached)

    def seed(self, loss: Any) -> Any:
        """None for a single number; of a vector of losses, the sample that is looked at."""
        if self.sample is None:
            return None if np.ndim(loss.value) == 0 else np.ones_like(loss.value)
        return np.eye(1, len(loss.value), self.sample, dtype=loss.value.dtype)[0]

    def complex_slope(self, v: Arrays, start: float) -> float | None:
        """The slope along `v` by the complex step, or None: the recorded graph, computed again."""
        loss, _ = self.run(self.start, wide=True)
        if not isinstance(loss, Node):
            return None
        known = {p: lifted(self.start[n], v.get(n)) for n, p in self.leaves.items()}

        def run() -> Any:
            total = replayed(loss, known)
            return total if self.sample is None else total[self.sample]

        return complex_slope(run, start, 0.0)

    def subnormal(self) -> bool:
        """Whether the graph holds numbers that are too small to keep their digits."""
        loss, _ = self.run(self.start, wide=True)
        return isinstance(loss, Node) and any(has_subnormals(x.value) for x in walk.nodes(loss))


def replayed(loss: Node, known: dict[Node, Any]) -> Any:
    """The value of `loss` when the nodes in `known` have these complex values."""
    values = dict(known)
    for node in walk.nodes(loss):
        if node in values or not node.op.rules:
            continue
        if any(x in values for x in operands_of(node) if x is not None):
            nodes = operands_of(node)[: node.arity]
            operands = [u if x is None else values.get(x, u) for x, u in zip(nodes, node.values)]
            compute: Any = ANALYTIC.get(node.op, node.op.array)
            values[node] = tracked(np.asarray(bare(compute(*operands, **(node.params or {})))))
    return values.get(loss, loss.value)


def _sigmoid(x: Any) -> Any:
    z = bare(x)
    small = np.exp(np.where(z.real >= 0, -z, z))
    return np.where(z.real >= 0, 1.0, small) / (1.0 + small)


# rows whose way to compute is not analytic, though what they compute is
ANALYTIC = {
    ops.sigmoid: _sigmoid,
    ops.absolute: lambda x: np.where(bare(x).real >= 0, bare(x), -bare(x)),
    ops.sign: lambda x: np.sign(bare(x).real) + 0j,
}
