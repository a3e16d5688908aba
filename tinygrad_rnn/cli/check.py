"""`check`: a gradient check from the command line, for people without pytest.

The question this file answers: *is this gradient right, yes or no?*

A function of the user's own, without arguments, says what is to be checked by what it returns:

    (loss_fn, params)               a graph: loss_fn() builds it anew, params are its leaves
    loss, or (loss, weights)        the same, where the function itself builds it anew
    (forward, backward, inputs)     anybody's NumPy; a dict of options may follow
    (op, sample, ...)               an op of one's own, at these operands
    a Report                        a check that was already made
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.graph import Node, Op
from ..draw.render import write
from ..errors import InputError
from ..testing import Report, check_backward, check_gradients, check_op
from .models import model
from .outside import attribute, blamed, leaves

RETURNS = ("(loss_fn, params), a loss, (loss, weights), (forward, backward, inputs), "
           "(op, sample, ...) or a Report")


def check(name: str, *, order: int = 1, seed: int = 0, steps: int = 4, cell: str = "rnn",
          junit: str | None = None) -> Report:
    """The report on a built-in pattern, or on what a function of the user's own returns; with
    `junit` it is written to that file as well.

    Raises `InputError` for a name that is none, and for what cannot be checked.
    """
    if ":" not in name:
        found = model(name, steps, cell, seed)
        report = check_gradients(found.loss_fn, found.weights, order=order, seed=seed)
    else:
        report = from_user(name, order, seed)
    if junit is not None:
        write(Path(junit), report.to_junit().encode())
    return report


def from_user(name: str, order: int, seed: int) -> Report:
    """The check that `module:function` stands for."""
    function = attribute(name)
    with blamed(name):
        result = function()
    if isinstance(result, Report):
        return result
    head = result[0] if isinstance(result, tuple) and result else result
    if isinstance(head, Node):
        return rebuilt(name, function, result, order, seed)
    with blamed(name):
        match result:
            case (forward, backward, inputs, *more) if callable(forward) and callable(backward):
                options = {"seed": seed, **(more[0] if more else {})}
                return check_backward(forward, backward, inputs, **options)
            case (Op() as op, *samples):
                return check_op(op, *samples, order=order, seed=seed)
            case (loss_fn, params) if callable(loss_fn):
                return check_gradients(loss_fn, params, order=order, seed=seed)
    raise InputError(f"expected {RETURNS}, got {type(result).__name__}", where=name)


def rebuilt(name: str, function: Any, result: Any, order: int, seed: int) -> Report:
    """A function that builds a loss at every call. It has to use the same weights each time."""
    loss, weights = result if isinstance(result, tuple) else (result, None)
    known = leaves(loss, weights, name)
    with blamed(name):
        again = function()
    loss, weights = again if isinstance(again, tuple) else (again, None)
    if {id(w) for w in known.values()} != {id(w) for w in leaves(loss, weights, name).values()}:
        raise InputError("it makes new weights at every call, so they cannot be moved", where=name,
                         fix="Return (loss_fn, params): params made once, loss_fn() using them")

    def loss_fn() -> Any:
        made = function()
        return made[0] if isinstance(made, tuple) else made

    with blamed(name):
        return check_gradients(loss_fn, known, order=order, seed=seed)
