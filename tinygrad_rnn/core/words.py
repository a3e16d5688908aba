"""How errors and reprs speak of nodes: name, shape, step, scope; expected, got, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DTypeError, InputError, ShapeError, TinygradRNNError

if TYPE_CHECKING:
    from .graph import Node, Op
    from .place import Place

WITHOUT_OP = {"leaf": "an unnamed leaf", "constant": "an unnamed constant",
              "released": "an unnamed result"}


SHAPES = re.compile("shape|dimension|broadcast|ax[ei]s|size|mismatch|square|align|ind[ei]|element")


def describe(node: Node) -> str:
    """How errors speak of a node: name, shape, step and scope."""
    unnamed = WITHOUT_OP.get(node.op.name, f"the result of '{node.op.name}'")
    what = f"'{node.label}'" if node.name else unnamed
    shape = f" {node.value.shape}" if hasattr(node.value, "shape") else ""
    step = "" if node.step is None else f" at step {node.step}"
    return f"{what}{shape}{step}" + (f" in scope '{node.scope}'" if node.scope else "")


def explain(op: Op, place: Place, operands: tuple[Any, ...],
            problem: Exception) -> TinygradRNNError:
    """The error of an op's value in the user's words: step, op, and each operand's name and
    shape."""
    if isinstance(problem, TinygradRNNError):
        return problem
    where = f"op '{op.name}'" if place.step is None else f"step {place.step}, op '{op.name}'"
    where += f" in scope '{place.scope}'" if place.scope else ""
    shapes = [np.shape(getattr(o, "value", o)) for o in operands]
    names = [getattr(o, "name", None) or ("array" if shape else "number")
             for o, shape in zip(operands, shapes)]
    parts = [f"{name} {shape}" for name, shape in zip(names, shapes)]
    taken = " and ".join(parts) or "no operand"
    if isinstance(problem, AttributeError):  # it looked for what only an array has
        return DTypeError(f"needs arrays or tensors, got {taken}", where=where)
    if isinstance(problem, TypeError):
        return DTypeError(f"cannot take {taken}: {problem}", where=where)
    if op.name in ("@", "linear") and all(shapes):
        inner = shapes[1][-1] if op.name == "linear" else shapes[1][-2:][0]
        if shapes[0][-1] != inner:
            by = " transposed" if op.name == "linear" else ""
            return ShapeError(f"cannot multiply {parts[0]} by {parts[1]}{by}: "
                              f"inner sizes {shapes[0][-1]} and {inner} differ", where=where)
    if isinstance(problem, ArithmeticError) or not SHAPES.search(str(problem)):
        return InputError(f"cannot take {' and '.join(parts)}: {problem}", where=where)
    if "broadcast" in str(problem):
        return ShapeError(f"{' and '.join(parts)} do not fit: sizes must be equal, or 1, "
                          "counted from the last axis", where=where)
    return ShapeError(f"cannot take {' and '.join(parts)}: {problem}", where=where)


def tail(node: Node) -> str:
    """What a repr says besides the numbers: name, op, step, gradient."""
    parts = [f"name={node.label!r}"] if node.name else []
    parts += [] if node.is_leaf else [f"op={node.op.name!r}"]
    parts += [] if node.step is None else [f"step={node.step}"]
    parts += ["requires_grad=True"] if node.op.name == "leaf" and not node.is_scalar else []
    return "".join(", " + part for part in parts)
