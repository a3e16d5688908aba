"""Checking the rules of one op: its value is a function of its operands like any other.

The question this file answers: *is the op that I wrote right?*
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node, Op
from ..core.values import Tensor, Value
from ..errors import GradientError, InputError
from .check import check_gradients
from .local import operand_names
from .report import Report, merged
from .structure import asked, is_float, outline


def check_op(op: Op, *samples: Any, order: int = 2, seed: int = 0, **params: Any) -> Report:
    """Compare the rules of an op with differences of its value, at these operands.

        check_op(cube, np.array([-1.0, 0.5, 2.0]))

    The samples are the operands, arrays or numbers; `params` are the op's keywords. Every operand
    with a rule is checked, to the second `order` (a rule that is written with plain numbers has
    none: the report says so), and, where all operands are arrays and the op takes floats as well,
    with floats.
    """
    if not isinstance(op, Op):
        raise InputError(f"needs an op, got {type(op).__name__}", where="check_op",
                         fix="Make one with tg.op, or use check_backward for two functions")
    asked("check_op", seed=seed)
    if not any(is_float(x) for x in samples):
        raise InputError("needs operands, one of them at least with floats in it; got "
                         f"{', '.join(outline(x) for x in samples) or 'none'}", where="check_op",
                         fix="check_op(cube, np.array([-1.0, 0.5, 2.0]))")
    reports = {"": of_op(op, samples, order, seed, params)}
    if all(np.ndim(x) > 0 for x in samples) and op.scalar is not None:
        floats = [float(np.ravel(x)[0]) if is_float(np.asarray(x)) and np.size(x) else x
                  for x in samples]
        try:
            reports[" (floats)"] = of_op(op, tuple(floats), order, seed, params)
        except Exception:  # an op for arrays only
            reports[""].notes.append("it was checked with arrays: floats it does not take")
    return merged(reports)


def of_op(op: Op, samples: tuple[Any, ...], order: int, seed: int,
          params: dict[str, Any]) -> Report:
    """The check of an op at one kind of operands."""
    names = operand_names(op, len(samples))
    operands: list[Any] = []
    for i, (name, x) in enumerate(zip(names, samples)):
        rule = op.rules[i] if len(op.rules) == len(samples) else op.rules[0]
        wanted = is_float(x) and getattr(rule, "func", None) is None
        operands.append(x if not wanted else Value(x, name=name) if isinstance(x, float)
                        else Tensor(x, name=name, requires_grad=True))
    leaves = {x.name or "x": x for x in operands if isinstance(x, Node)}
    y = op(*operands, **params)
    rng = np.random.default_rng([seed, 1])
    u = rng.choice([-1.0, 1.0], np.shape(y.value)) * rng.uniform(0.5, 1.5, np.shape(y.value))

    def loss() -> Any:
        y = op(*operands, **params)
        return y * float(u) if y.is_scalar else ops.sum_(y * u)

    report = check_gradients(loss, leaves, seed=seed)
    if order == 2 and report:
        try:
            return check_gradients(loss, leaves, order=2, seed=seed)
        except GradientError as problem:
            report.notes.append(f"no second order: {problem}")
    return report
