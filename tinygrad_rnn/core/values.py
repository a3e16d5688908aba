"""Value and Tensor: how a program meets the graph. Operators, data, gradients.

The question this file answers: *what happens when I write `a * b`?* The operator is looked up in
the table (`ops`), computed, and recorded. NumPy's own functions come in through `protocol`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DTypeError, InputError, UnsupportedError
from . import backprop, hooks, ops
from .conversions import Conversions
from .graph import Node, Self, constant, given, leaf, tick
from .inplace import LENT, assign, known_type, lend, plain, settle
from .place import here
from .protocol import ArrayMethods, as_index, bare
from .together import LEFT_OUT, look_up
from .words import tail

Method = Callable[..., Any]


class Operators(Conversions):
    """What scalars and tensors have in common."""

    __slots__ = ()
    __hash__ = object.__hash__  # identity: two nodes with equal values are two nodes
    __neg__ = ops.neg.of
    __pos__: Method = lambda self: self
    __abs__ = ops.absolute.of
    __add__ = ops.add.of
    __radd__: Method = lambda self, other: ops.add.of(other, self)
    __sub__ = ops.sub.of
    __rsub__: Method = lambda self, other: ops.sub.of(other, self)
    __mul__ = ops.mul.of
    __rmul__: Method = lambda self, other: ops.mul.of(other, self)
    __truediv__ = ops.div.of
    __rtruediv__: Method = lambda self, other: ops.div.of(other, self)
    __pow__ = ops.power.of
    __rpow__: Method = lambda self, other: ops.power.of(other, self)
    __matmul__ = ops.matmul.of
    __rmatmul__: Method = lambda self, other: ops.matmul.of(other, self)
    __floordiv__: Method = lambda self, other: np.floor_divide(self, other)
    __rfloordiv__: Method = lambda self, other: np.floor_divide(other, self)
    __mod__: Method = lambda self, other: np.remainder(self, other)
    __rmod__: Method = lambda self, other: np.remainder(other, self)
    exp = ops.exp.of
    log = ops.log.of
    sqrt = ops.sqrt.of
    sin = ops.sin.of
    cos = ops.cos.of
    tanh = ops.tanh.of
    sigmoid = ops.sigmoid.of
    relu = ops.relu.of
    register_hook = hooks.register

    def backward(self, seed: Any = None) -> None:
        """Add the gradient of this node to the `.grad` of every leaf it depends on."""
        backprop.backward(self, seed)

    def zero_grad(self) -> None:
        """Forget the gradient: `.grad` is None again."""
        self.grad = None

    def retain_grad(self) -> None:
        """Keep this computed node's gradient in `.grad` too."""
        if not self.is_leaf and hooks.retain not in (self.hooks or ()):
            hooks.register(self, hooks.retain)

    def detach(self: Self) -> Self:
        """The same value as a constant: no gradient goes back from it. It keeps its step."""
        if self.params is LENT:
            settle(self)
        node = given(type(self), self.value, self.at, constant)
        node.name = self.name
        return node


def yes_or_no(requires_grad: Any, where: str) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(requires_grad, (bool, np.bool_)):
        raise InputError(f"expected requires_grad to be True or False, got {requires_grad!r}",
                         where=where)


class Value(Operators):
    """A scalar with a plain Python float inside, as on paper. It requires a gradient by default."""

    __slots__ = ()
    is_scalar = True

    def __new__(cls, data: Any, *, name: str | None = None, requires_grad: bool = True) -> Value:
        if isinstance(data, Node) or np.ndim(data) != 0:
            raise DTypeError(f"Value(...) needs a single number, got {type(data).__name__}",
                             fix="Use Tensor for arrays")
        yes_or_no(requires_grad, "Value")
        node = given(cls, float(plain(data)), here(), leaf if requires_grad else constant)
        return node if name is None else node.named(name)

    data = property(lambda self: self.value, lambda self, new: assign(self, plain(new), tick()),
                    doc="The number. A leaf's may be assigned between graphs.")

    def __repr__(self) -> str:
        return f"Value({self.value:.6g}{tail(self)})"


class Tensor(Operators, ArrayMethods):
    """A NumPy array in the graph. It requires a gradient only if asked (`requires_grad=True`)."""

    __slots__ = ("times",)  # of a sequence only: the step of each entry (timeline.py)
    times: Any
    is_scalar = False

    def __new__(cls, data: Any, *, name: str | None = None, requires_grad: bool = False,
                dtype: Any = None) -> Tensor:
        if isinstance(data, Node):
            raise DTypeError("Tensor(...) needs numbers, got a node",
                             fix="Use it as it is, or .detach() it")
        array = np.asarray(plain(data))
        if dtype is None and array.dtype.kind in "iub" and not hasattr(data, "dtype"):
            dtype = np.float64  # Python numbers; an array keeps its own type
        yes_or_no(requires_grad, "Tensor")
        array = np.array(array, None if dtype is None else known_type(dtype, "Tensor"),
                         order="C")  # always our own copy
        if requires_grad and array.dtype.kind != "f":
            raise DTypeError(f"a {array.dtype} tensor cannot require a gradient: "
                             "whole numbers have none",
                             where=f"Tensor {name!r}" if name else "Tensor",
                             fix="Convert the data first: data.astype(float)")
        node = given(cls, array, here(), leaf if requires_grad else constant)
        return node if name is None else node.named(name)

    data = property(lend, lambda self, new: assign(self, np.asarray(plain(bare(new))), tick()),
                    doc="The array. A leaf's may be assigned or written to between graphs.")
    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    T = property(lambda self: ops.transpose(self))

    def __len__(self) -> int:
        if not self.shape:
            raise InputError("a 0-d tensor has no length")
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        return ops.getitem(self, index=as_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise UnsupportedError("a tensor cannot be written to in place",
                               fix="Use np.where(mask, new, x), or assign a leaf's .data")

    def __repr__(self) -> str:
        numbers = np.array2string(self.value, precision=4, separator=", ", prefix="Tensor(",
                                  threshold=50)
        dtype = "" if self.dtype == np.float64 else f", dtype={self.dtype}"
        return f"Tensor({numbers}{dtype}{tail(self)})"


class Lean(Tensor):
    """A Tensor some of whose numbers were left out, and are there as soon as they are asked for:
    see together.py. (A class of its own, since one with `__getattr__` reads every slot slowly.)"""

    __slots__ = ()
    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any:
            if name in LEFT_OUT:
                return look_up(self, name)
            raise AttributeError(f"'Tensor' object has no attribute {name!r}", name=name, obj=self)


Value.array_kind = Tensor.array_kind = Tensor
Value.lean_kind = Tensor.lean_kind = Lean
