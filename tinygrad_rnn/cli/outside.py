"""A program of the user's own: how it is found and run, and what is asked of what it returns.

The question this file answers: *what is `module:function`, and who is to blame when it fails?*

The current folder is looked at first. Whatever goes wrong in a user's code becomes one line that
names it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..core import walk
from ..core.graph import Node, leaf
from ..core.words import describe
from ..errors import InputError, TinygradRNNError


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
