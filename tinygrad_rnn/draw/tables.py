"""Tables of numbers over time, from whatever holds them: arrays, sequences, ledgers, attributions.

The question this file answers: *what is a row here, and what a column?*
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..bptt.contribution import accumulate
from ..bptt.ledger import Ledger
from ..core.graph import Node
from ..core.parts import norm
from ..errors import InputError, ShapeError
from .labels import minus

WHERE, NUMBERS = "draw.heatmap()", "a table of numbers"


class Table(NamedTuple):
    """What is drawn: numbers, the names of rows and columns, and of the axes. Places in `blank`
    hold no number: they stay empty."""

    numbers: Any
    rows: list[str]
    columns: list[str]
    across: str
    down: str
    blank: frozenset[tuple[int, int]] = frozenset()


def warning(data: Any) -> str:
    """What stands before the title of a wrong pass."""
    some = data.values() if isinstance(data, Mapping) else \
        data if isinstance(data, (list, tuple)) else [data]
    wrong = dict.fromkeys(x.wrong for x in some if isinstance(x, Ledger) and x.wrong)
    return f"WRONG on purpose ({', '.join(wrong)}): " if wrong else ""


def table_of(data: Any, sample: Any) -> Table:
    """Whatever was given, as a table; of a sequence with a batch, the one of a `sample`."""
    if isinstance(data, Ledger):
        data = [data]
    some = data.values() if isinstance(data, Mapping) else \
        data if isinstance(data, (list, tuple)) else ()
    if some and all(isinstance(x, Ledger) for x in some):
        sample_of(sample, 1)
        return of_ledgers(data)
    if hasattr(data, "norms") and hasattr(data, "loss_steps"):
        sample_of(sample, 1)
        return Table(numbers_of(data.norms, NUMBERS, WHERE),
                     [minus(f"L {t}") for t in data.loss_steps],
                     [minus(str(t)) for t in data.steps], "step of the use", "loss",
                     future(data))
    array = numbers_of(data, NUMBERS, WHERE)
    unknown = np.ma.getmaskarray(data if isinstance(data, np.ma.MaskedArray) else array)
    if array.ndim not in (1, 2, 3) or not array.size:
        raise ShapeError(f"expected a table, or a sequence (T, B, H), got shape {array.shape}",
                         where=WHERE)
    which = sample_of(sample, array.shape[1] if array.ndim == 3 else 1)
    unit = "unit" if array.ndim == 3 else "row"
    array, unknown = (x[:, which].T if x.ndim == 3 else np.atleast_2d(x) for x in (array, unknown))
    first = 1  # time is counted from 1, units from 0
    return Table(np.where(unknown, 0.0, array), [str(k) for k in range(array.shape[0])],
                 [str(t) for t in range(first, array.shape[1] + first)], "step", unit,
                 frozenset((i, j) for i, j in np.argwhere(unknown).tolist()))


def sample_of(given: Any, count: int) -> int:
    """Which of so many samples is drawn."""
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)) or \
            not 0 <= given < count:
        there = f"from 0 to {count - 1}" if count > 1 else \
            "0, for there is one: only a sequence (T, B, H) has several"
        raise InputError(f"expected sample to be {there}, got {given!r}", where=WHERE)
    return int(given)


def future(data: Any) -> frozenset[tuple[int, int]]:
    """The cells of an attribution that cannot be: a loss is no function of a later use. (Only such
    as are 0: where a sequence is read from its end, later uses come first.)"""
    return frozenset((i, j) for i, t in enumerate(data.loss_steps)
                     for j, k in enumerate(data.steps)
                     if isinstance(t, int) and isinstance(k, int) and k > t
                     and data.norms[i][j] == 0)


def numbers_of(data: Any, what: str, where: str) -> Any:
    """Plain real numbers, as an array; those that a mask of NumPy's hides are NaN. Raises
    `InputError` for anything else; `what` says what is expected."""
    found = array_of(data)
    if found is None:
        empty = "an empty " if isinstance(data, Mapping) and not data else ""
        long = lengths(data)
        if min(long, default=0) < max(long, default=0):
            raise InputError(f"expected {what}, got rows of {min(long)} to {max(long)} numbers",
                             where=where, fix="All rows are of one length: np.nan fills them up")
        raise InputError(f"expected {what}, got {empty}{type(data).__name__}", where=where)
    if found.dtype.kind == "c":
        raise InputError(f"expected {what}, got complex numbers", where=where,
                         fix="Choose a part: np.abs(z), z.real or z.imag")
    found = found.astype(float)
    if isinstance(data, np.ma.MaskedArray):
        found[np.ma.getmaskarray(data)] = np.nan
    return found


def lengths(data: Any) -> list[int]:
    """How long the rows are of what seems to be a table."""
    rows = [x.value if isinstance(x, Node) else x for x in data] \
        if isinstance(data, (list, tuple)) else []
    return [len(row) for row in rows if isinstance(row, (list, tuple)) or
            isinstance(row, np.ndarray) and row.ndim]


def array_of(data: Any) -> Any:
    """Numbers, real or complex ones, as an array; None for anything else."""
    value = data.value if isinstance(data, Node) else data
    try:
        array = np.asarray([x.value if isinstance(x, Node) else x for x in value]
                           if isinstance(value, (list, tuple)) else value)
        if array.dtype.kind == "O" and not any(x is None for x in array.flat):
            array = array.astype(float)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.dtype.kind in "biufc" else None


def of_ledgers(data: Any) -> Table:
    """One row for each ledger: the norm of what every step contributed, all its uses together; a
    scalar's contributions keep their sign. A step that does not use a weight is empty there. What
    was used outside of time has a column of its own, the last."""
    ledgers = dict(data) if isinstance(data, Mapping) else \
        {ledger.node.name or f"weight {i}": ledger for i, ledger in enumerate(data)}
    parts: list[dict[int | None, float]] = []
    for ledger in ledgers.values():
        uses: dict[int | None, list[Any]] = {}
        for entry in ledger.entries:
            uses.setdefault(entry.step, []).append(entry)
        scalar = ledger.node.is_scalar
        parts.append({t: some[0].norm() if len(some) == 1 and not scalar  # also if kept as norms
                      else size_of(accumulate(ledger.node, some)) for t, some in uses.items()})
    every = {step for part in parts for step in part}
    steps: list[int | None] = [*sorted(t for t in every if t is not None)]
    if not steps:
        raise InputError("the uses in this ledger have no time steps", where=WHERE,
                         fix="Compute under tg.timestep(t)")
    steps += [None] * (None in every)
    table = np.array([[part.get(t, 0.0) for t in steps] for part in parts])
    unused = frozenset((i, j) for i, part in enumerate(parts) for j, t in enumerate(steps)
                       if t not in part)
    named = ["no step" if t is None else minus(str(t)) for t in steps]
    return Table(table, list(ledgers), named, "step", "contribution", unused)


def size_of(x: Any) -> float:
    """A number as it is; of an array, its norm."""
    return float(x) if np.ndim(x) == 0 else norm(np.asarray(x))
