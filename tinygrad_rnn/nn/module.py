"""Modules: things with parameters, found by walking their attributes.

The question this file answers: *where are the weights, and what are they called?*

A parameter is a leaf that is stored on a module, or on a module stored on it, and so on; its dotted
name is the way there: `rnn.cell.W_hh`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..core.graph import Node, leaf, tick
from ..core.inplace import assign_all
from ..core.values import Tensor
from ..errors import DTypeError, InputError, ShapeError, UnsupportedError


def parameter(array: Any, name: str) -> Tensor:
    """A leaf that wants a gradient, under the name that it has in the equations."""
    return Tensor(array, name=name, requires_grad=True)


class Module:
    """The base of cells, layers and models. Store parameters and other modules as attributes: that
    is all. A subclass says in `__call__` what it computes."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        called = any("__call__" in vars(base) for base in cls.__mro__)
        if callable(vars(cls).get("forward")) and not called:  # as PyTorch has it
            raise UnsupportedError("expected a method __call__, got one that is called forward",
                                   where=cls.__name__, fix="Rename it: a module is a function")

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """(dotted name, parameter), in the order of the attributes. A shared one comes once."""
        listed, named = set[Node](), dict[str, Node]()
        for name, node in walk(self, "", set()):
            if node not in listed:
                if name in named:
                    raise InputError(
                        f"two parameters are called '{name}': {labelled(named[name])} and "
                        f"{labelled(node)}", where=type(self).__name__,
                        fix="Keys of a dict are compared as text, and a '.' in one looks like "
                            "a way: choose other keys")
                listed.add(node)
                named[name] = node
                yield name, node

    def parameters(self) -> list[Any]:
        """Every parameter once."""
        return [p for _, p in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget all gradients: each `.grad` is None again."""
        for p in self.parameters():
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Dotted name -> a copy of the numbers."""
        return {name: p.numpy() for name, p in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the numbers of `state`. All names and shapes must fit, or nothing is changed.

        Raises `InputError` for missing or unknown names, `ShapeError` for a shape that differs and
        `DTypeError` for what are not real numbers.
        """
        if not isinstance(state, Mapping):
            raise InputError("expected a dict from names to arrays, as state_dict() gives, got "
                             f"{type(state).__name__}", where=f"{type(self).__name__}"
                             ".load_state_dict")
        own = dict(self.named_parameters())
        missing, unknown = [n for n in own if n not in state], [n for n in state if n not in own]
        if missing or unknown:
            raise InputError(
                f"expected the parameters {', '.join(own)}; "
                f"got {', '.join(map(str, state)) or 'none'} (missing: "
                f"{', '.join(missing) or 'none'}; "
                f"unknown: {', '.join(map(str, unknown)) or 'none'})",
                where=f"{type(self).__name__}.load_state_dict")
        arrays = {}
        for name, p in own.items():
            where = f"{type(self).__name__}.load_state_dict, parameter '{name}'"
            arrays[name] = numbers(state[name], where)
            if arrays[name].shape != np.shape(p.value):
                raise ShapeError(f"expected shape {np.shape(p.value)}, got {arrays[name].shape}",
                                 where=where)
            if arrays[name].dtype.kind not in "fiub":
                raise DTypeError(f"expected real numbers, got dtype {arrays[name].dtype}",
                                 where=where)
        assign_all(list(own.values()), list(arrays.values()), tick())

    def settings(self) -> str:
        """What the repr shows in brackets: sizes and options."""
        return ""

    def __repr__(self) -> str:
        return "\n".join(tree(self, type(self).__name__, 0))


def children(thing: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a module, a list or a dict that may hold parameters, with their names."""
    if isinstance(thing, Module):
        yield from vars(thing).items()
    elif isinstance(thing, (list, tuple)):
        yield from ((str(i), part) for i, part in enumerate(thing))
    elif isinstance(thing, dict):
        yield from ((str(key), part) for key, part in thing.items())


def walk(thing: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Node]]:
    """Every parameter below `thing`, with its dotted name; a module that holds itself is no
    trap."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    for name, part in children(thing):
        dotted = f"{prefix}.{name}" if prefix else name
        if isinstance(part, Node):
            if part.op is leaf:
                yield dotted, part
        elif isinstance(part, (Module, list, tuple, dict)):
            yield from walk(part, dotted, seen)


def numbers(given: Any, where: str) -> Any:
    """The array of an array, a Tensor or a list."""
    try:
        return np.asarray(given.value if isinstance(given, Node) else given)
    except ValueError:
        raise ShapeError("expected an array, got rows of different lengths", where=where) from None


def labelled(node: Node) -> str:
    """A parameter in an error: its own name, if it has one, and its shape."""
    return f"{node.name or 'one'} {np.shape(node.value)}"


def refuse_shared(twin: Module, original: Module) -> None:
    """Refuse a twin that holds a parameter of its original: two layers would train one weight."""
    own = {node for _, node in walk(original, "", set())}
    shared = [name for name, node in walk(twin, "", set()) if node in own]
    if shared:
        raise UnsupportedError(
            f"the twin of {type(original).__name__} would share {', '.join(shared)} with it",
            fix="Draw it in draw(rng), after super().draw(rng); or make both layers yourself: "
                "nn.Bidirectional(forward, backward)")


def count(thing: Any) -> int:
    """How many numbers the parameters below `thing` hold, shared ones once."""
    return sum(int(np.size(p.value)) for p in dict.fromkeys(p for _, p in walk(thing, "", set())))


def tree(module: Module, title: str, depth: int) -> Iterator[str]:
    """The lines of a repr: each module with its settings and count, each parameter with its
    shape."""
    settings = f"({module.settings()})" if module.settings() else ""
    yield f"{'  ' * depth}{title}{settings}: {count(module):,} parameters"
    for label, part in members(module, "", 0):
        if isinstance(part, Module) and depth < 20:
            yield from tree(part, f"{label}: {type(part).__name__}", depth + 1)
        elif isinstance(part, Node) and part.op is leaf:
            shape = np.shape(part.value)
            yield f"{'  ' * (depth + 1)}{label} {shape}: {np.size(part.value):,}"


def members(thing: Any, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """The nodes and modules stored on a module, also in lists and dicts, with their names."""
    for name, part in children(thing):
        if isinstance(part, (Node, Module)):
            yield prefix + name, part
        elif depth < 20:
            yield from members(part, f"{prefix}{name}.", depth + 1)
