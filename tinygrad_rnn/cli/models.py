"""What a command works on: a built-in pattern, or a function of the user's own.

The question this file answers: *what can be named on the command line, and what comes of it?*

Every command that needs a graph (`flow`, `draw`, `check`) takes the name of a pattern, or
`module:function` (or `file.py:function`). The function takes no arguments and returns a loss, or a
pair (loss, weights) with the weights as a module, a dict or a list.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..core import walk
from ..core.graph import Node, leaf
from ..core.place import timestep
from ..core.values import Value
from ..core.words import describe
from ..errors import InputError, TinygradRNNError

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
B, I, H, O = 2, 3, 4, 3  # small enough to be read


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
            recurrent = [w for k, w in self.weights.items() if k.rpartition(".")[2] == "W_hh"]
            return recurrent[0] if recurrent else self.most_used()
        short = [k for k in self.weights if k == name] or [
            k for k in self.weights if k.rpartition(".")[2] == name]
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


@dataclass(frozen=True)
class Pattern:
    """A row of the table: its name, what it shows, and what builds it."""

    name: str
    summary: str
    build: Callable[[int, str, int], tuple[Callable[[], Any], Any]]


# --- built in -----------------------------------------------------------------------------------


def scalar(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """h_t = w h_{t-1}, the smallest recurrence: the loss is h_T = w^T x_0."""
    w, x0 = Value(0.2, name="w"), Value(0.9, name="x0")

    def loss() -> Any:
        h: Any = x0
        for t in range(1, T + 1):
            with timestep(t):
                h = (w * h).named("h")
        return h

    return loss, {"w": w, "x0": x0}


def many_to_one(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """The last output is read."""
    layer, head, draws = parts(cell, seed, return_sequences=False)
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(B, O))
    return lambda: named(nn.squared_error(head(layer(xs)), target)), weights_of(layer, head)


def many_to_many(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """Every output is read."""
    layer, head, draws = parts(cell, seed)
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(head(layer(xs)), target)), weights_of(layer, head)


def one_to_many(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """One input; then y_t becomes x_{t+1}."""
    layer, head, draws = parts(cell, seed)
    model = nn.OutputFeedback(layer, head)
    x, target = draws.normal(size=(B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(model(x, steps=T), target)), weights_of(layer, head)


def encoder_decoder(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """A sequence is read, another one is written."""
    layer, head, draws = parts(cell, seed, return_sequences=False)
    writer = CELLS[cell](O, H, return_sequences=True, seed=draws)
    model = nn.EncoderDecoder(layer, writer, head=head, seed=draws)
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(model(xs, steps=T), target)), model


def stacked(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """Two layers, one above the other."""
    below, head, draws = parts(cell, seed)
    layer = nn.Stacked([below, CELLS[cell](H, H, return_sequences=True, seed=draws)])
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(head(layer(xs)), target)), weights_of(layer, head)


def bidirectional(T: int, cell: str, seed: int) -> tuple[Callable[[], Any], Any]:
    """One layer from left to right, and its twin from right to left."""
    below, _, draws = parts(cell, seed)
    layer, head = nn.Bidirectional(below), nn.Linear(2 * H, O, name="hy", seed=draws)
    xs, target = draws.normal(size=(T, B, I)), draws.normal(size=(T, B, O))
    return lambda: named(nn.squared_error(head(layer(xs)), target)), weights_of(layer, head)


def parts(cell: str, seed: int, return_sequences: bool = True) -> tuple[Any, Any, Any]:
    """A layer, a head, and what the rest is drawn from."""
    draws = np.random.default_rng(seed)
    layer = CELLS[cell](I, H, return_sequences=return_sequences, seed=draws)
    return layer, nn.Linear(H, O, name="hy", seed=draws), draws


def named(loss: Any) -> Any:
    """The loss, called L."""
    return loss.named("L")


def weights_of(*modules: Any) -> dict[str, Any]:
    """The parameters of several modules, each under its own name."""
    return named_leaves([p for m in modules for p in m.parameters()])


PATTERNS = {row.name: row for row in (
    Pattern("scalar", "h_t = w h_{t-1}, one number at each step", scalar),
    Pattern("many-to-one", "a sequence is read, its last output counts", many_to_one),
    Pattern("many-to-many", "an output at every step, a loss at each", many_to_many),
    Pattern("one-to-many", "one input, then each output is the next input", one_to_many),
    Pattern("encoder-decoder", "a sequence is read, another one is written", encoder_decoder),
    Pattern("stacked", "two layers, one above the other", stacked),
    Pattern("bidirectional", "from left to right, and from right to left", bidirectional),
    Pattern("lstm", "many to many, with an LSTM", lambda T, _, seed: many_to_many(T, "lstm", seed)),
    Pattern("gru", "many to many, with a GRU", lambda T, _, seed: many_to_many(T, "gru", seed)),
)}


# --- what a user names --------------------------------------------------------------------------


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
        return Model(name, loss_fn, loss_fn(), pairs)
    if ":" not in name:
        raise InputError(f"there is no pattern {name!r}; there are {', '.join(PATTERNS)}",
                         fix="Or name a function of your own: module:function")
    return from_user(name)


def from_user(name: str) -> Model:
    """The model of `module:function` or `file.py:function`."""
    function = attribute(name)
    with blamed(name):
        result = function()
    loss, weights = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
    check_loss(loss, name)
    return Model(name, lambda: first(function()), loss, leaves(loss, weights, name))


def attribute(name: str) -> Any:
    """The function that `module:function` or `file.py:function` names."""
    where, _, short = name.rpartition(":")
    if not where or not short:
        raise InputError(f"expected module:function, got {name!r}")
    with blamed(where):
        module = load(where)
    function = getattr(module, short, None)
    if not callable(function):
        known = [k for k, v in vars(module).items()
                 if inspect.isfunction(v) and v.__module__ == module.__name__ and k[0] != "_"]
        there = f"; there are {', '.join(known)}" if known else ""
        raise InputError(f"{where} has no function {short!r}{there}")
    return function


def first(result: Any) -> Any:
    """The loss of what a user's function returned."""
    return result[0] if isinstance(result, tuple) else result


@contextlib.contextmanager
def blamed(what: str) -> Iterator[None]:
    """Turn whatever a user's code raises into one line that names it."""
    try:
        yield
    except (Exception, SystemExit) as problem:
        said = " ".join(str(problem).split()) or "no message"
        kind = "" if isinstance(problem, TinygradRNNError) else f"{type(problem).__name__}: "
        raise InputError(f"{kind}{said}", where=what) from problem


def load(where: str) -> Any:
    """A module by its name, or from a file; the current folder is looked at first."""
    sys.path.insert(0, "")
    try:
        if not where.endswith(".py"):
            return importlib.import_module(where)
        path = Path(where)
        if not path.is_file():
            raise FileNotFoundError("there is no such file")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove("")


def check_loss(loss: Any, name: str) -> None:
    """A loss is a single number that depends on something."""
    if not isinstance(loss, Node):
        raise InputError(f"expected a loss (a Value or a Tensor), got {type(loss).__name__}",
                         where=name, fix="Return the loss, or (loss, weights)")
    if np.size(loss.value) != 1:
        raise InputError(f"expected a loss of one number, got {describe(loss)}", where=name,
                         fix="Reduce it, for instance with .sum()")
    if not loss.requires_grad:
        raise InputError("the loss depends on nothing that wants a gradient", where=name,
                         fix="Make the weights with requires_grad=True")


def leaves(loss: Any, weights: Any, name: str) -> dict[str, Any]:
    """The weights by name: those that were returned, else every leaf that the loss reaches."""
    if weights is None:
        return named_leaves([n for n in walk.nodes(loss) if n.op is leaf])
    if hasattr(weights, "named_parameters"):
        pairs = dict(weights.named_parameters())
    elif isinstance(weights, dict):
        pairs = {str(k): w for k, w in weights.items()}
    else:
        with blamed(name):
            pairs = named_leaves(list(weights))
    for key, w in pairs.items():
        if not isinstance(w, Node) or w.op is not leaf:
            raise InputError(f"the weight {key!r} is no leaf that wants a gradient", where=name)
    return pairs


def named_leaves(found: list[Any]) -> dict[str, Any]:
    """Leaves by name; a name that comes again gets a number."""
    pairs: dict[str, Any] = {}
    for w in dict.fromkeys(found):
        base = getattr(w, "label", "") if getattr(w, "name", None) else f"parameter {len(pairs)}"
        name, k = base, 2
        while name in pairs:
            name, k = f"{base} ({k})", k + 1
        pairs[name] = w
    return pairs
