"""Layers without time, and layers in a row: the multi-layer perceptron, embedding, normalisation,
dropout.

The question this file answers: *what does a network without a memory look like beside one?*

On a layer's sequence each of these works step by step, at that step.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from ..core import ops
from ..core.graph import Node
from ..core.place import here, timestep
from ..errors import DTypeError, InputError, ShapeError
from . import activations
from . import init as inits
from .activations import Activation
from .layer import Layer
from .linear import Linear
from .masking import dropout_mask
from .module import Module, parameter
from .options import float_type, number, rate, size, yes_or_no
from .sequence import given_step, no_pair, per_step
from .steps_joined import join


class Sequential(Module):
    """Layers in a row, each called with what the one before returned: modules, and functions such
    as `tg.tanh`. A function gets a layer's sequence as a whole, (T, B, H).

    A call may give an `rng`, which goes to those that need one (`Dropout`, recurrent layers).

    Raises `ShapeError` for a recurrent layer above one that returns only its last output.
    """

    def __init__(self, *layers: Any) -> None:
        for layer in layers:
            if not callable(layer):
                raise InputError(f"expected layers and functions, got {type(layer).__name__}",
                                 where="Sequential", fix="One after the other: Sequential(a, b)"
                                 if isinstance(layer, (list, tuple)) else "")
        self.layers = list(layers)
        only_last = None  # its (B, H) would be read as a sequence of B steps without a batch
        for k, layer in enumerate(layers):
            if only_last is not None and isinstance(layer, Layer):
                raise ShapeError(f"layer {k} expects a sequence (T, B, I) but layer {only_last} "
                                 "returns only its last step (B, H): set return_sequences=True on "
                                 f"layer {only_last}", where="Sequential")
            if isinstance(layer, Layer):
                only_last = None if layer.return_sequences else k
            elif not isinstance(layer, (Linear, LayerNorm, Dropout)):
                only_last = None  # a function may make a sequence of it

    def __call__(self, x: Any, rng: Any = None) -> Any:
        if rng is not None:  # one generator for all of them
            rng = inits.generator(rng, "Sequential", "rng")
        for k, layer in enumerate(self.layers):
            if k and isinstance(layer, Module):
                no_pair(x, f"layer {k - 1}")
            takes_rng = isinstance(layer, (Dropout, Sequential, Layer))
            x = layer(x, rng=rng) if takes_rng else layer(x)
        return x

    def settings(self) -> str:
        return f"{len(self.layers)} layers"


class MLP(Module):
    """A multi-layer perceptron:  y = W_K φ( ... φ(W_1 x + b_1) ... ) + b_K

    `sizes` are those of x, of each hidden layer and of y: `MLP([4, 16, 3])` has one hidden layer.
    φ is `nonlinearity`. (..., first of sizes) -> (..., last of sizes).

    `flatten=True` takes steps in a row as one input: (T, B, I) -> (B, T I), a network that sees a
    whole sequence at once, in places instead of in order.
    """

    def __init__(self, sizes: Iterable[int], nonlinearity: str | Activation = "tanh", *,
                 bias: bool = True, flatten: bool = False, init: str | inits.Init = "uniform",
                 seed: Any = None, dtype: Any = None) -> None:
        if not isinstance(sizes, Iterable) or isinstance(sizes, str):
            raise InputError(f"expected a list of sizes such as [4, 16, 3], got {sizes!r}",
                             where="MLP")
        rng, sizes = inits.generator(seed, "MLP"), list(sizes)
        if len(sizes) < 2:
            raise InputError(f"expected at least two sizes, of x and of y, got {sizes}",
                             where="MLP")
        self.nonlinearity = nonlinearity
        self.flatten = yes_or_no(flatten, "flatten", "MLP")
        self.activation = activations.activation(nonlinearity, "MLP", "nonlinearity")
        self.layers = [Linear(a, b, bias=bias, init=init, seed=rng, dtype=dtype)
                       for a, b in pairwise(sizes)]

    def __call__(self, x: Any) -> Any:
        if self.flatten:
            x = whole(x, self.layers[0].dtype)
        last = self.layers[-1]
        return per_step(self.one, x, lambda: np.zeros((0, last.out_size), last.dtype))

    def one(self, x: Any) -> Any:
        """The output for a single input."""
        for layer in self.layers[:-1]:
            x = self.activation(layer.one(x))
        return self.layers[-1].one(x)

    def settings(self) -> str:
        sizes = [self.layers[0].in_size, *(layer.out_size for layer in self.layers)]
        return f"{sizes}, {activations.title(self.nonlinearity)}{', flatten' * self.flatten}"


def whole(x: Any, dtype: Any) -> Any:
    """A sequence (T, B, I) or (T, I) as one input, (B, T I) or (T I,)."""
    x = x if isinstance(x, Node) else given_step(np.asarray(x), "x", dtype)
    if x.ndim not in (2, 3):
        raise ShapeError(f"expected a sequence (T, B, I) or (T, I), got {x.shape}", where="MLP")
    turned = ops.transpose(x, axes=(1, 0, 2)) if x.ndim == 3 else x
    return ops.reshape(turned, shape=(*x.shape[1:-1], x.shape[0] * x.shape[-1]))


class Embedding(Module):
    """x = W_e[k]: each class index k -> a row of `W_e` (V, E), to be learned. (...) -> (..., E)

    It is a product with a one-hot vector, x = one_hot(k) W_e, without the product. The first axis
    of the indices is time, (T, B) or (T,), and every x_t is a node of its step; within a
    `timestep(t)` they are those of a single step, (B,) or a number.

    Raises `DTypeError` for what are no whole numbers, `InputError` for a class that is not there.
    """

    def __init__(self, classes: int, size_: int, *, init: str | inits.Init = "normal",
                 seed: Any = None, dtype: Any = None) -> None:
        self.classes = size(classes, "classes", "Embedding")
        self.out_size = size(size_, "size", "Embedding")
        self.dtype = float_type(dtype, "Embedding")
        first = inits.find(init, "Embedding")
        W = inits.values(first, inits.generator(seed, "Embedding"), (self.classes, self.out_size),
                         self.out_size, self.dtype, "W_e", "Embedding")
        self.W_e = parameter(W, "W_e")

    def __call__(self, indices: Any) -> Any:
        indices = np.asarray(indices.value if isinstance(indices, Node) else indices)
        if indices.dtype.kind not in "iu" and indices.size:
            raise DTypeError(f"expected class indices, whole numbers, got {indices.dtype}",
                             where=self.title())
        if indices.size and not 0 <= indices.min() <= indices.max() < self.classes:
            raise InputError(f"expected classes from 0 to {self.classes - 1}, got "
                             f"{indices.min()} to {indices.max()}", where=self.title())
        if indices.ndim == 0 or here().step is not None:
            return self.rows(indices)
        found = []
        for t, at_t in enumerate(indices):
            with timestep(t + 1):
                found.append(self.rows(at_t))
        return join(found, np.zeros((*indices.shape, self.out_size), self.dtype))

    def rows(self, indices: Any) -> Any:
        """The rows of these indices, a use of W_e."""
        return ops.getitem(self.W_e, index=np.asarray(indices, np.intp)).named("x")

    def title(self) -> str:
        """How errors speak of this layer."""
        return f"Embedding({self.settings()})"

    def settings(self) -> str:
        return f"{self.classes}, {self.out_size}"


class LayerNorm(Module):
    """y = gain * (x - mean) / sqrt(variance + eps) + b, over the last axis (Ba et al. 2016)

    (..., n) -> (..., n), with n = `size`. Parameters: `gain` (n,), 1 at first, and `b` (n,), 0 at
    first. The variance is the mean squared deviation.
    """

    def __init__(self, size_: int, eps: float = 1e-5, *, dtype: Any = None) -> None:
        self.size = size(size_, "size", "LayerNorm")
        self.eps = number(eps, "eps", "LayerNorm", least=0.0)
        self.dtype = float_type(dtype, "LayerNorm")
        self.gain = parameter(np.ones(self.size, self.dtype), "gain")
        self.b = parameter(np.zeros(self.size, self.dtype), "b")

    def __call__(self, x: Any) -> Any:
        return per_step(self.one, x, lambda: np.zeros((0, self.size), self.dtype))

    def one(self, x: Any) -> Any:
        """The same for a single input."""
        x = given_step(x, "x", self.dtype)
        if x.shape[-1:] != (self.size,):
            raise ShapeError(f"expected x of shape (..., {self.size}), got {x.shape}",
                             where=f"LayerNorm({self.size})")
        away = x - ops.sum_(x, axis=-1, keepdims=True) * (1.0 / self.size)
        variance = ops.sum_(away * away, axis=-1, keepdims=True) * (1.0 / self.size)
        return self.gain * (away / ops.sqrt(variance + self.eps)) + self.b

    def settings(self) -> str:
        return str(self.size)


class Dropout(Module):
    """y = x * m / (1 - p), where an entry of m is 0 with probability p, else 1 (Srivastava et al.
    2014)

    The masks of a call come from its `rng`, a `numpy.random.Generator` or a seed; without one
    nothing is dropped, which is what prediction wants. The same seed, the same masks.
    """

    def __init__(self, p: float) -> None:
        self.p = rate(p, "p", "Dropout")

    def __call__(self, x: Any, rng: Any = None) -> Any:
        if rng is None or not self.p:
            return x
        draws = inits.generator(rng, "Dropout", "rng")

        def one(x: Any) -> Any:
            x = given_step(x, "x", None)
            return x * dropout_mask(draws, x.shape, self.p, x.dtype)

        return per_step(one, x, lambda: x)

    def settings(self) -> str:
        return str(self.p)
