"""What a command works on: a built-in pattern, or a function of the user's own.

The question this file answers: *what can be named on the command line, and what comes of it?*

Every command that needs a graph (`flow`, `draw`, `check`) takes the name of a pattern, or
`module:function` (or `file.py:function`). The function takes no arguments and returns a loss, or a
pair (loss, weights) with the weights as a module, a dict or a list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..core import walk
from ..core.graph import leaf
from ..errors import InputError
from .outside import attribute, blamed, check_loss, leaves
from .patterns import PATTERNS


@dataclass
class Model:
    """A program with a loss: `loss_fn()` builds its graph anew, `loss` is one of them; `weights` by
    name. A pattern uses the same weights each time; a user's function may make new ones."""

    title: str
    loss_fn: Callable[[], Any]
    loss: Any
    weights: dict[str, Any]

    def weight(self, name: str | None = None) -> Any:
        """The weight of that name; without one W_hh, or the weight with the most uses.

        Raises `InputError` for a name that is not there, or that several weights have.
        """
        if name is None:
            recurrent = [w for k, w in self.weights.items() if own_name(k) == "W_hh"]
            return recurrent[0] if recurrent else self.most_used()
        short = [k for k in self.weights if k == name] or [
            k for k in self.weights if own_name(k) == name]
        if len(short) == 1:
            return self.weights[short[0]]
        problem = f"several weights are called {name!r}: {', '.join(short)}" if short else \
            f"there is no weight {name!r}; there are {', '.join(self.weights)}"
        raise InputError(problem, where=self.title)

    def most_used(self) -> Any:
        """The weight with the most uses; of several, the first."""
        counts = dict.fromkeys(self.weights.values(), 0)
        for x, _, _ in walk.edges(self.loss):
            if x in counts:
                counts[x] += 1
        return max(counts, key=lambda w: counts[w])


def model(name: str, steps: int = 4, cell: str = "rnn", seed: int = 0) -> Model:
    """The model that a name on the command line stands for.

    Raises `InputError`, in one line, for a name that is none, and for whatever goes wrong in the
    user's module or function.
    """
    if name in PATTERNS:
        if steps < 1:
            raise InputError(f"expected at least 1 step, got {steps}", where=name)
        loss_fn, weights = PATTERNS[name].build(steps, cell, seed)
        pairs = dict(weights.named_parameters()) if hasattr(weights, "named_parameters") else \
            weights
        loss = loss_fn()
        return Model(name, loss_fn, loss, by_scope(pairs, loss))
    if ":" not in name:
        own = f"name a function of {name}: {name}:function" if name.endswith(".py") else \
            "name a function of your own: module:function"
        raise InputError(f"there is no pattern {name!r}; there are {', '.join(PATTERNS)}",
                         fix=f"Or {own}")
    return from_user(name)


def from_user(name: str) -> Model:
    """The model of `module:function` or `file.py:function`."""
    function = attribute(name)
    with blamed(name):
        result = function()
    loss, weights = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
    check_loss(loss, name)
    return Model(name, lambda: first(function()), loss,
                 by_scope(leaves(loss, weights, name), loss))


def own_name(name: str) -> str:
    """W_hh, of cell.W_hh or layer 1/W_hh."""
    return name.replace("/", ".").rpartition(".")[2]


def by_scope(weights: dict[str, Any], loss: Any) -> dict[str, Any]:
    """The same weights; those that only a number tells apart are called by the scope of their first
    use, as in the drawings: layer 1/W_hh for W_hh (2)."""
    scopes: dict[Any, str] = {}
    for x, _, node in walk.edges(loss):
        if x.op is leaf and node.at.scope:
            scopes.setdefault(x, node.at.scope)
    labels = Counter(re.sub(r" \(\d+\)\Z", "", name) for name in weights)
    found: dict[str, Any] = {}
    for name, w in weights.items():
        label = re.sub(r" \(\d+\)\Z", "", name)
        scoped = f"{scopes[w]}/{label}" if labels[label] > 1 and w in scopes else name
        found[name if scoped in found else scoped] = w
    return found


def first(result: Any) -> Any:
    """The loss of what a user's function returned."""
    return result[0] if isinstance(result, tuple) else result
