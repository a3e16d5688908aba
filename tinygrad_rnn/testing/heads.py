"""What is done with the states of a recurrence: the outputs that are returned, or the loss.

The question this file answers: *which loss is this, and what does it send back to every step?*

    k Σ u v            an upstream, or a sum            k Σ (v - u)²       a squared error
    -k Σ u log p       softmax cross-entropy            k is 1, 1/2, 1/B, 1/T, ...

v are the states h, the cells c, or y = W_y h + b_y; of all steps, or of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .fingerprints import Arrays, Trace, sigmoid

CLOSE = 1e-9  # by how much two ways to compute the same number differ


def softmax(v: Any) -> Any:
    """e^v / Σ e^v over the last axis."""
    e = np.exp(v - v.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(v: Any) -> Any:
    """v - log Σ e^v."""
    v = v - v.max(axis=-1, keepdims=True)
    return v - np.log(np.exp(v).sum(axis=-1, keepdims=True))


# kind of loss -> (its value, its gradient) at v, with the upstream or target u
KINDS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "sum": (lambda v, u: np.sum(u * v), lambda v, u: u),
    "squared error": (lambda v, u: np.sum((v - u) ** 2), lambda v, u: 2.0 * (v - u)),
    "cross-entropy": (lambda v, u: -np.sum(u * log_softmax(v)),
                      lambda v, u: softmax(v) * u.sum(axis=-1, keepdims=True) - u),
    "binary cross-entropy": (lambda v, u: np.sum(np.logaddexp(0.0, v) - u * v),
                             lambda v, u: sigmoid(v) - u),
}
WITH_TARGET = {"squared error": 2.0, "binary cross-entropy": 1.0}  # v - target: times what


@dataclass
class Term:
    """`k` times one kind of loss of `what` ("h", "c" or "y"), at step `t`, or at all for None."""

    kind: str
    what: str
    t: int | None
    u: Any
    k: float = 1.0


def quantities(trace: Trace, p: Arrays) -> Arrays:
    """h, c and y of all steps, (T, B, ·)."""
    found = {"h": np.stack(trace.states[1:])}
    if trace.cells[-1] is not trace.cells[0]:
        found["c"] = np.stack(trace.cells[1:])
    if "Wy" in p:
        found["y"] = found["h"] @ p["Wy"].T + p["by"]
    return found


def total(terms: list[Term], q: Arrays) -> float:
    """The number that is differentiated."""
    return float(sum(e.k * KINDS[e.kind][0](q[e.what] if e.t is None else q[e.what][e.t], e.u)
                     for e in terms))


def upstream(terms: list[Term], q: Arrays, wrong: str = "") -> Arrays:
    """What arrives at h, c and y of every step from there: arrays like those of `quantities`."""
    found = {what: np.zeros_like(v) for what, v in q.items()}
    for e in terms:
        v = q[e.what] if e.t is None else q[e.what][e.t]
        d = e.k * KINDS[e.kind][1](v, e.u)
        if wrong == "p without - 1" and e.kind == "cross-entropy":
            d = d + e.k * e.u
        elif wrong == "target left out" and e.kind in WITH_TARGET:
            d = d + WITH_TARGET[e.kind] * e.k * e.u
        elif wrong == "sigmoid' again" and e.kind == "binary cross-entropy":
            d = d * sigmoid(v) * (1.0 - sigmoid(v))
        found[e.what][slice(None) if e.t is None else e.t] += d
    return found


def laid(x: Any, shape: tuple[int, ...]) -> Iterator[Any]:
    """The ways to read `x` as an array (T, B, N) or (B, N): as it is, batch first, axes of length
    1 left out or added."""
    if x.shape == shape:
        yield x
    if x.ndim == 3 and len(shape) == 3 and x.shape == (shape[1], shape[0], shape[2]):
        yield x.swapaxes(0, 1)
    small, wanted = np.squeeze(x), tuple(n for n in shape if n != 1)
    if x.shape != shape and small.shape == wanted:
        yield small.reshape(shape)
    if x.ndim == 2 and len(shape) == 2 and x.shape == shape[::-1] and x.shape != shape:
        yield x.T


def of_outputs(q: Arrays, outs: Arrays, weights: Arrays) -> list[Term] | None:
    """Where each output is found among the quantities; None if one is not."""
    terms = []
    for name, out in outs.items():
        term = next(places(q, np.asarray(out, float), weights[name]), None)
        if term is None:
            return None
        terms.append(term)
    return terms


def places(q: Arrays, out: Any, weight: Any) -> Iterator[Term]:
    """Every quantity that equals this output."""
    for what, v in q.items():
        for t, part in [(None, v), *((t, v[t]) for t in reversed(range(len(v))))]:
            for x, w in zip(laid(out, part.shape), laid(weight, part.shape)):
                if np.allclose(x, part, rtol=CLOSE, atol=CLOSE * np.max(np.abs(part))):
                    yield Term("sum", what, t, w)


def of_loss(q: Arrays, loss: float, pool: list[Any]) -> list[Term] | None:
    """The loss among those that people use, with upstream or targets from the pool."""
    for what in [w for w in ("y", "h", "c") if w in q]:
        for t in (None, -1):
            v = q[what] if t is None else q[what][t]
            for kind, u in candidates(v, pool):
                with np.errstate(all="ignore"):
                    base = KINDS[kind][0](v, u)
                    k = loss / base
                for factor in factors(v.shape):
                    if abs(k - factor) <= CLOSE * factor:
                        return [Term(kind, what, t, u, factor)]
    return None


def candidates(v: Any, pool: list[Any]) -> Iterator[tuple[str, Any]]:
    """Kinds of loss with what they need, for this shape."""
    yield "sum", np.ones_like(v)
    yield "squared error", np.zeros_like(v)
    for x in pool:
        if x.dtype.kind in "iu" and x.size == v[..., 0].size and x.min() >= 0 \
                and x.max() < v.shape[-1]:
            for rows in laid(x[..., None], (*v.shape[:-1], 1)):
                yield "cross-entropy", np.eye(v.shape[-1])[rows[..., 0]]
        for u in laid(np.asarray(x, float), v.shape) if x.size == v.size else ():
            yield "squared error", u
            yield "sum", u
            yield "cross-entropy", u
            yield "binary cross-entropy", u


def factors(shape: tuple[int, ...]) -> list[float]:
    """1, 1/2, and one over what a mean may be taken of."""
    counts = {1, *shape, int(np.prod(shape)), int(np.prod(shape[:-1])),
              int(np.prod(shape[1:]))}
    return sorted({1.0 / n for n in counts if n} | {0.5 / n for n in counts if n}, reverse=True)
