"""The linear layer, step by step on a sequence.

The question this file answers: *how does a state become an output?*
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node
from ..core.timeline import Sequence
from ..errors import InputError, ShapeError
from . import init as inits
from .fused_head import affine
from .module import Module, parameter
from .options import float_type, size, yes_or_no
from .sequence import given_step, per_step
from .steps_joined import shape_of, span_of
from .together import heads


class Linear(Module):
    """y = W x + b, for each row of x: (..., in) -> (..., out).

    Parameters: `W` (out, in), `b` (out,). With a `name` of two letters, "hy", they are called W_hy
    and b_y as in the equations, and the result is y; any other name is put behind both. They are
    attributes under these names, and always `.W` and `.b`. Two weights are
    tied by `head.W = embedding.W_e`.

    On a layer's sequence, or a list of steps, it is applied to each h_t at that step: y_t = W_hy
    h_t + b_y are nodes of their own. (On the sequence of a fused layer it is one node for all
    steps.) Raises `ShapeError` for an x whose last axis is not `in`.
    """

    def __init__(self, in_size: int, out_size: int, name: str | None = None, bias: bool = True, *,
                 init: str | inits.Init = "uniform", seed: Any = None, dtype: Any = None) -> None:
        self.in_size = size(in_size, "in_size", "Linear")
        self.out_size = size(out_size, "out_size", "Linear")
        self.name, self.dtype = name, float_type(dtype, "Linear")
        self.W_name, self.b_name, self.output = names(name)
        rng, first = inits.generator(seed, "Linear"), inits.find(init, "Linear")
        shapes: dict[str, tuple[int, ...]] = {self.W_name: (self.out_size, self.in_size)}
        if yes_or_no(bias, "bias", "Linear"):
            shapes[self.b_name] = (self.out_size,)
        for key, shape in shapes.items():
            values = inits.values(first, rng, shape, self.in_size, self.dtype, key, "Linear")
            vars(self)[key] = parameter(values, key)

    @property
    def W(self) -> Any:
        """The weight, whatever its name."""
        return vars(self)[self.W_name]

    @W.setter
    def W(self, weight: Any) -> None:
        expected = (self.out_size, self.in_size)
        if not isinstance(weight, Node) or shape_of(weight) != expected:
            got = shape_of(weight) if isinstance(weight, Node) else type(weight).__name__
            raise ShapeError(f"expected W, a Tensor of shape {expected}, got {got}",
                             where=f"Linear({self.settings()})")
        vars(self)[self.W_name] = weight

    @property
    def b(self) -> Any:
        """The bias, whatever its name; None without one."""
        return vars(self).get(self.b_name)

    def __call__(self, x: Any) -> Any:
        span = span_of(x)
        if span is not None:  # of a fused layer: one product for all steps
            if x.value.shape[-1] != self.in_size:
                self.check(x)
            held = vars(self)
            return affine(x, held[self.W_name], held.get(self.b_name), span, self.output)
        if type(x) is Sequence and x.shape[-1] == self.in_size:
            y = heads(x, self.W, self.b, self.output)
            if y is not None:
                return y
        return per_step(self.one, x, lambda: np.zeros((0, self.out_size), self.dtype))

    def one(self, x: Any) -> Any:
        """The output for a single input."""
        x = given_step(x, "x", self.dtype)
        self.check(x)
        y = ops.linear(x, self.W)
        y = y if self.b is None else y + self.b
        return y if self.output is None else y.named(self.output)

    def check(self, x: Any) -> None:
        """Refuse an input that does not fit."""
        if x.shape[-1:] != (self.in_size,):
            raise ShapeError(f"expected x of shape (..., {self.in_size}), got {x.shape}",
                             where=f"Linear({self.settings()})")

    def settings(self) -> str:
        return f"{self.in_size}, {self.out_size}{', bias=False' if self.b is None else ''}"


def names(name: str | None) -> tuple[str, str, str | None]:
    """The names of weight, bias and result."""
    if name is None:
        return "W", "b", None
    if not isinstance(name, str) or not name:
        raise InputError(f"expected a name such as 'hy', got {name!r}", where="Linear")
    to = name[1] if len(name) == 2 else name
    return f"W_{name}", f"b_{to}", to
