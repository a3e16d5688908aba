"""Value and Tensor: how a program meets the graph. Operators, the NumPy protocol, data and gradients.

The question this file answers: *what happens when I write `a * b`, or `np.tanh(x)`?*

Every operator is a row of the table. NumPy's own functions come in through its two protocols and find
their row in `UFUNCS` and `FUNCTIONS`; what has no row is refused by name, so nothing silently becomes an
object array or loses its gradient.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import DTypeError, GradientError, InputError, UnsupportedError
from . import backprop, ops
from .graph import LENT, Node, Self, constant, given, leaf, plain, settle, tick
from .place import here
from .protocol import NumpyProtocol, as_index, bare, numpy_method
from .words import describe, tail

Method = Callable[..., Any]


class Operators(NumpyProtocol):
    """What scalars and tensors have in common."""

    __slots__ = ()
    __hash__ = object.__hash__  # identity: two nodes with equal values are two nodes
    __neg__: Method = lambda self: ops.neg(self)
    __pos__: Method = lambda self: self
    __abs__: Method = lambda self: ops.absolute(self)
    __add__: Method = lambda self, other: ops.add(self, other)
    __radd__: Method = lambda self, other: ops.add(other, self)
    __sub__: Method = lambda self, other: ops.sub(self, other)
    __rsub__: Method = lambda self, other: ops.sub(other, self)
    __mul__: Method = lambda self, other: ops.mul(self, other)
    __rmul__: Method = lambda self, other: ops.mul(other, self)
    __truediv__: Method = lambda self, other: ops.div(self, other)
    __rtruediv__: Method = lambda self, other: ops.div(other, self)
    __pow__: Method = lambda self, other: ops.power(self, other)
    __rpow__: Method = lambda self, other: ops.power(other, self)
    __matmul__: Method = lambda self, other: ops.matmul(self, other)
    __rmatmul__: Method = lambda self, other: ops.matmul(other, self)
    __floordiv__: Method = lambda self, other: np.floor_divide(self, other)
    __rfloordiv__: Method = lambda self, other: np.floor_divide(other, self)
    __mod__: Method = lambda self, other: np.remainder(self, other)
    __rmod__: Method = lambda self, other: np.remainder(other, self)
    __lt__: Method = lambda self, other: self.value < bare(other)
    __le__: Method = lambda self, other: self.value <= bare(other)
    __gt__: Method = lambda self, other: self.value > bare(other)
    __ge__: Method = lambda self, other: self.value >= bare(other)
    __eq__: Method = lambda self, other: self.value == bare(other)
    __ne__: Method = lambda self, other: self.value != bare(other)
    exp: Method = lambda self: ops.exp(self)
    log: Method = lambda self: ops.log(self)
    sqrt: Method = lambda self: ops.sqrt(self)
    sin: Method = lambda self: ops.sin(self)
    cos: Method = lambda self: ops.cos(self)
    tanh: Method = lambda self: ops.tanh(self)
    sigmoid: Method = lambda self: ops.sigmoid(self)
    relu: Method = lambda self: ops.relu(self)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        if self.requires_grad:
            raise GradientError(f"float() of {describe(self)} would lose its gradient",
                                fix="Use .item() for the number alone, or tg.tanh, np.tanh, ... for the "
                                    "function: those of the math module know no gradients")
        return float(self.value)

    __int__: Method = lambda self: int(float(self))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.requires_grad:
            raise GradientError(f"making an array of {describe(self)} would lose its gradient",
                                fix="Use .numpy() for the numbers alone, or np.stack([...]) to join nodes")
        return np.array(self.value, dtype)

    def __format__(self, spec: str) -> str:
        return format(self.value if spec else repr(self), spec)

    def __reduce__(self) -> Any:
        raise UnsupportedError("a node cannot be pickled", fix="Save the arrays instead: .numpy()")

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        if not self.is_leaf:
            raise UnsupportedError(f"{describe(self)} is computed and cannot be copied without its graph",
                                   fix="Copy .detach() of it")
        twin = given(type(self), np.array(self.value) if not self.is_scalar else self.value, self.at, self.op)
        twin.name = self.name
        return twin

    def backward(self, seed: Any = None) -> None:
        """Add the gradient of this node to the `.grad` of every leaf it depends on."""
        backprop.backward(self, seed)

    def zero_grad(self) -> None:
        """Forget the gradient: `.grad` is None again."""
        self.grad = None

    def retain_grad(self) -> None:
        """Keep this computed node's gradient in `.grad` too."""
        if not self.is_leaf and backprop.RETAIN not in (self.hooks or ()):
            self.register_hook(backprop.RETAIN)

    def register_hook(self, hook: Callable[[Any], Any]) -> Callable[[], None]:
        """Call `hook(gradient)` when this node's whole gradient is known; what it returns, if not None,
        goes on in its place. The result of `register_hook` removes the hook."""
        if not self.requires_grad:
            raise InputError(f"{describe(self)} needs no gradient, so a hook on it would never run")
        hooks = self.hooks = [*(self.hooks or ()), hook]

        def remove() -> None:
            self.hooks = [h for h in hooks if h is not hook] or None

        return remove

    def detach(self: Self) -> Self:
        """The same value as a constant: no gradient goes back from it."""
        if self.params is LENT:
            settle(self)
        node = given(type(self), self.value, here(), constant)
        node.name = self.name
        return node

    def item(self) -> float:
        """The single number, as a plain Python number."""
        number: float = self.value.item() if not self.is_scalar else self.value
        return number


class Value(Operators):
    """A scalar with a plain Python float inside, as on paper. It requires a gradient by default."""

    __slots__ = ()
    is_scalar = True

    def __new__(cls, data: Any, *, name: str | None = None, requires_grad: bool = True) -> Value:
        if isinstance(data, Node) or np.ndim(data) != 0:
            raise DTypeError(f"Value(...) needs a single number, got {type(data).__name__}", fix="Use Tensor")
        node = given(cls, float(plain(data)), here(), leaf if requires_grad else constant)
        return node if name is None else node.named(name)

    @property
    def data(self) -> float:
        """The number. Assign to it between graphs; only a leaf's can be assigned."""
        number: float = self.value
        return number

    @data.setter
    def data(self, new: Any) -> None:
        assignable(self)
        self.value, self.order = float(plain(new)), tick()

    def numpy(self) -> Any:
        """The number as a 0-d array."""
        return np.array(self.value)

    def __repr__(self) -> str:
        return f"Value({self.value:.6g}{tail(self)})"


class Tensor(Operators):
    """A NumPy array in the graph. It requires a gradient only if asked (`requires_grad=True`)."""

    __slots__ = ()
    is_scalar = False

    def __new__(cls, data: Any, *, name: str | None = None, requires_grad: bool = False,
                dtype: Any = None) -> Tensor:
        if isinstance(data, Node):
            raise DTypeError("Tensor(...) needs numbers, got a node", fix="Use it as it is, or .detach() it")
        array = plain(np.asarray(data))
        if dtype is None and array.dtype.kind in "iub" and not isinstance(data, (np.ndarray, np.generic)):
            dtype = np.float64  # Python numbers; an array keeps its own type
        array = np.array(array, dtype, order="C")  # always our own copy
        if requires_grad and array.dtype.kind != "f":
            raise DTypeError(f"a {array.dtype} tensor cannot require a gradient: whole numbers have none",
                             where=f"Tensor {name!r}" if name else "Tensor",
                             fix="Convert the data first: data.astype(float)")
        node = given(cls, array, here(), leaf if requires_grad else constant)
        return node if name is None else node.named(name)

    @property
    def data(self) -> Any:
        """The array. A leaf's may be assigned, or written to, between graphs; a computed one is read-only.

        While a graph still holds a leaf's array, the leaf moves to a copy first: what was recorded stays
        as it was. After an assignment (`w.data -= step`) a backward that needs the old value is refused.
        """
        if self.is_leaf:
            if self.params is not LENT and sys.getrefcount(self.value) > 2:
                self.value = np.array(self.value)
            self.params = LENT
            return self.value
        view = np.asarray(self.value).view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, new: Any) -> None:
        assignable(self)
        array = plain(np.asarray(bare(new)))
        if array.shape != self.shape:
            raise InputError(f"{describe(self)} holds shape {self.shape}, got data of shape {array.shape}")
        if array is not self.value:
            self.value, self.params = np.array(array, self.value.dtype, order="C"), None
        self.order = tick()

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    T = property(lambda self: ops.transpose(self))

    def numpy(self) -> Any:
        """The numbers as an array of your own."""
        return np.array(self.value)

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
                               fix="Use np.where(mask, new, x), or assign a leaf's .data between graphs")

    def reshape(self, *shape: Any) -> Any:
        """The same entries in another shape."""
        return ops.reshape(self, shape=shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """Permute the axes (reverse them if none are given)."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def astype(self, dtype: Any) -> Any:
        """Convert to another float type; the gradient comes back in this one's."""
        return ops.cast(self, dtype=np.dtype(dtype))

    sum, mean, max, min = map(numpy_method, ("sum", "mean", "max", "min"))
    var, std, prod, cumsum = map(numpy_method, ("var", "std", "prod", "cumsum"))
    cumprod, ravel, squeeze, swapaxes = map(numpy_method, ("cumprod", "ravel", "squeeze", "swapaxes"))
    repeat, take, trace, diagonal = map(numpy_method, ("repeat", "take", "trace", "diagonal"))
    clip, round, sort, dot = map(numpy_method, ("clip", "round", "sort", "dot"))
    all, any, argmax, argmin, argsort = map(numpy_method, ("all", "any", "argmax", "argmin", "argsort"))

    def __repr__(self) -> str:
        numbers = np.array2string(self.value, precision=4, separator=", ", prefix="Tensor(", threshold=50)
        dtype = "" if self.dtype == np.float64 else f", dtype={self.dtype}"
        return f"Tensor({numbers}{dtype}{tail(self)})"


Value.array_kind = Tensor.array_kind = Tensor


def assignable(node: Node) -> None:
    """Only what was given can be given anew; a computed value follows from its operands."""
    if not node.is_leaf:
        raise GradientError(f"{describe(node)} is computed: its data cannot be assigned",
                            fix="Assign the data of a leaf, or make a new one from .detach()")
