"""Leaving the graph: `float(v)`, `np.array(v)`, `item()`, copies. Never without saying so.

The question this file answers: *why does `math.tanh(v)` raise?* Because it would turn the node into
a number, and the gradient would be lost without a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import GradientError, InputError, UnsupportedError
from .graph import Self, given
from .protocol import Method, NumpyProtocol, bare
from .words import describe


class Conversions(NumpyProtocol):
    """What a node becomes outside the graph."""

    __slots__ = ()
    __hash__ = object.__hash__  # identity: two nodes with equal values are two nodes
    __lt__: Method = lambda self, other: self.value < bare(other)
    __le__: Method = lambda self, other: self.value <= bare(other)
    __gt__: Method = lambda self, other: self.value > bare(other)
    __ge__: Method = lambda self, other: self.value >= bare(other)
    __eq__: Method = lambda self, other: self.value == bare(other)
    __ne__: Method = lambda self, other: self.value != bare(other)

    def __bool__(self) -> bool:
        return bool(self.single("a condition"))

    def single(self, what: str) -> Any:
        """The value, where there is one number only; else there is no `what` of it."""
        if not self.is_scalar and self.value.size != 1:
            raise InputError(f"{describe(self)} has {self.value.size} entries, and {what} is "
                             "made of a single number",
                             fix="Choose one, y[0, 1], or reduce them: (y.data > 0).all(), y.sum()")
        return self.value if self.is_scalar else self.value.item()

    def __float__(self) -> float:
        if self.requires_grad:
            raise GradientError(f"float() of {describe(self)} would lose its gradient",
                                fix="Use .item() for the number alone, or tg.tanh, np.tanh, ... "
                                    "for the function: those of math know no gradients")
        return float(self.single("a float"))

    def __int__(self) -> int:
        return int(float(self))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.requires_grad:
            raise GradientError(f"making an array of {describe(self)} would lose its gradient",
                                fix="Use .numpy() for the numbers, np.stack([...]) to join nodes")
        return np.array(self.value, dtype)

    def numpy(self) -> Any:
        """The numbers as an array of your own."""
        return np.array(self.value)

    def item(self) -> float:
        """The single number, as a plain Python number."""
        number: float = self.single("a plain number")
        return number

    def __format__(self, spec: str) -> str:
        return format(self.single(f"the format {spec!r}") if spec else repr(self), spec)

    def __reduce__(self) -> Any:
        raise UnsupportedError("a node cannot be pickled", fix="Save the arrays instead: .numpy()")

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        if not self.is_leaf:
            raise UnsupportedError(f"{describe(self)} is computed: no copy without its graph",
                                   fix="Copy .detach() of it")
        value = self.value if self.is_scalar else np.array(self.value)
        twin = given(type(self), value, self.at, self.op)
        twin.name = self.name
        return twin
