"""Feedback: what a network said at one step is what it hears at the next.

The question this file answers: *where does y_{t-1} come from in training, and does the gradient go
back through it?*

    feedback="teacher"          y_{t-1} is the target of the step before: teacher forcing (Williams
                                and Zipser 1989). Nothing goes back through it.
    feedback="free"             y_{t-1} is the network's own output, and the gradient goes back
                                through it, a second way from step to step beside h.
    feedback="free_detached"    its own output as a number: heard, but not held responsible.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from ..core import ops, per_sample
from ..core.graph import Node
from ..core.place import contained, switch, timestep
from ..core.values import Tensor
from ..errors import InputError, ShapeError
from .bidirectional import Bidirectional
from .layer import Layer
from .masking import Masks
from .module import Module
from .options import cannot_take, function, yes_or_no
from .recurrent import Recurrent
from .sequence import Steps, given_step
from .steps_joined import first_step, join, shape_of, untaken

FEEDBACKS = ("teacher", "free", "free_detached")
Function = Callable[[Any], Any]
Input = Callable[[int, Any], Any]  # (position, y before it) -> x


class OutputFeedback(Module):
    """A layer whose output is part of its next input:

        y_t = head(h_t)
        x_{t+1} = feed(y_t)                   one to many: one input, many outputs
        x_{t+1} = [x_{t+1}; feed(y_t)]        with append=True; y_0 = 0

    Called as `model(x, targets=None, steps=None, initial_state=None)`, it returns the outputs y_t,
    (T, B, O). `x` is the first input, (B, I) or (I,), and `steps` says how many outputs there are;
    with `append=True` it is the sequence of inputs, (T, B, I).

    `layer` is a recurrent layer or a cell, `head` maps its output to y (None: as it is), and `feed`
    maps y to what is read (None: as it is; for instance `tg.softmax`, or `nn.sampled(...)`).
    `feedback` is one of the words of `nn.FEEDBACKS`, and a call may give another one: with the same
    weights, a network can be trained with a teacher and run freely. "teacher" needs `targets`, in
    the form in which y is read, (T, B, O), or as class indices (T, B), which are read one-hot.

    A layer with dropout, or with a random initial state, is refused: it is taken one step at a
    time, without a generator.

    Raises `InputError` for what is missing, `ShapeError` for what does not fit.
    """

    def __init__(self, layer: Any, head: Function | None = None, feedback: str = "free", *,
                 feed: Function | None = None, append: bool = False) -> None:
        self.layer = steady(onward(as_layer(layer), "OutputFeedback"), "OutputFeedback")
        self.head = function(head, "head", "OutputFeedback")
        self.feed = function(feed, "feed", "OutputFeedback")
        self.append = yes_or_no(append, "append", "OutputFeedback")
        self.feedback = known(feedback, "OutputFeedback")

    @contained
    def __call__(self, x: Any, targets: Any = None, steps: int | None = None,
                 initial_state: Any = None, feedback: str | None = None) -> Any:
        feedback = self.feedback if feedback is None else known(feedback, "OutputFeedback")
        if self.append:
            xs = Steps(untaken(x, initial_state), dtype=self.layer.dtype)
            length, shape = len(xs), xs.shape() or (0,)
            heard = Heard(feedback, self.feed, targets, (*shape[:-1], rest(self.layer, shape)),
                          self.layer.dtype)
            if steps is not None and steps > length:
                raise InputError(f"expected inputs for {steps} steps, got {length}",
                                 where="OutputFeedback")
            input_at: Input = lambda t, y: beside(xs[t], heard(t, y))
        else:
            first = given_step(x, "x", self.layer.dtype)
            heard = Heard(feedback, self.feed, targets, shape_of(first), self.layer.dtype,
                          open_ended=self.layer.input_size is None)
            length = 0 if targets is None else length_of(targets)
            input_at = lambda t, y: heard(t, y) if t else first
        T = how_many(length or None, steps, "OutputFeedback")
        heard.enough(T)
        return join(run_on(self.layer, self.head, T, initial_state, input_at)[0])

    def settings(self) -> str:
        return f"feedback={self.feedback}" + ", append" * self.append


class Heard:
    """What is read of the output before: the target, the output, or the output as a number.

    `shape` is that of what is read, (B, width) or (width,). With `open_ended` an output may have
    another width: a plain function as a cell does not say what it takes.
    """

    def __init__(self, feedback: str, feed: Function | None, targets: Any,
                 shape: tuple[int, ...], dtype: Any, open_ended: bool = False) -> None:
        self.feedback, self.feed, self.targets = feedback, feed, targets
        self.shape, self.dtype, self.open_ended = shape, dtype, open_ended
        if feedback == "teacher" and targets is None:
            raise InputError('feedback="teacher" needs the targets', where="feedback",
                             fix='Without a teacher: feedback="free" or "free_detached"')

    def __call__(self, t: int, y: Any) -> Any:
        """What is read at position t, after y: at the first, zeros."""
        if t and self.feedback != "teacher":
            x = self.fitting(y if self.feed is None else self.feed(y))
            if self.feedback == "free" or not hasattr(x, "detach"):
                return x
        with switch(step=first_step() - 1):  # a constant of the step before: y_{t-1}
            if t == 0:
                return Tensor(np.zeros(self.shape), name="y", dtype=self.dtype)
            return self.target(t - 1) if self.feedback == "teacher" else x.detach()

    def fitting(self, x: Any) -> Any:
        """What is read of an output, or `ShapeError` if the network does not read that width."""
        if not self.open_ended and shape_of(x)[-1:] != self.shape[-1:]:
            what = "an output y" if self.feed is None else "feed(y)"
            raise ShapeError(f"expected {what} of shape {self.shape}, to be read at the next step, "
                             f"got {shape_of(x)}", where="feedback",
                             fix="head= makes outputs of that size, or feed= what is read of them")
        return x

    def enough(self, T: int) -> None:
        """Raise `ShapeError` unless there is a target to read before each of T steps but the
        first."""
        if self.feedback == "teacher" and length_of(self.targets) < T - 1:
            raise ShapeError(f"expected targets for at least {T - 1} of {T} steps, got "
                             f"{length_of(self.targets)}", where="feedback")

    def target(self, t: int) -> Any:
        """The target of position t as it is read: class indices as one-hot rows."""
        target = self.targets[t]
        if not isinstance(target, Node):
            target = np.asarray(target)
            if target.dtype.kind in "iu" and target.ndim < len(self.shape):
                target = per_sample.one_hot(target, self.shape[-1])
        if shape_of(target) != self.shape:
            raise ShapeError(f"expected each target in the shape in which y is read, {self.shape}, "
                             f"got {shape_of(target)} at position {t}", where="feedback")
        return given_step(target, "y", self.dtype)


def length_of(targets: Any) -> int:
    """The number of targets, or `ShapeError` for a single number."""
    if not isinstance(targets, (list, tuple)) and not shape_of(targets):
        raise ShapeError("expected a sequence of targets, got a single number", where="feedback")
    return len(targets)


def run_on(layer: Layer, head: Function | None, T: int, state: Any,
           input_at: Input) -> tuple[list[Any], Any]:
    """T steps, one at a time, each at its time step: the outputs y_t, and the state after them."""
    first, y, ys = first_step(), None, []
    for t in range(T):
        with timestep(first + t):
            x = input_at(t, y)
            run = layer.run(layer.steps([x]), state, Masks(1), None)
            y, state = run.outputs[0], run.state
            y = y if head is None else head(y)
        ys.append(y)
    return ys, state


def beside(x: Any, y: Any) -> Any:
    """[x; y], along the last axis: what the cell reads at this step."""
    joined = ops.concatenate(x, y, axis=-1)
    return joined if joined.requires_grad else joined.named("x")


# --- what can be fed back -----------------------------------------------------------------------


def as_layer(layer: Any) -> Layer:
    """A recurrent layer as it is; a cell as a layer around it."""
    if isinstance(layer, Layer):
        return layer
    if isinstance(layer, Module) and cannot_take(layer, 2):
        raise InputError(f"expected a recurrent layer or a cell, got {type(layer).__name__}, which "
                         "takes no state", fix="A feedforward module has no step before")
    if isinstance(layer, Module) and "steps" in signature(type(layer).__call__).parameters:
        raise InputError(f"expected a recurrent layer or a cell, got {type(layer).__name__}, which "
                         "makes a whole sequence", fix="Give one of its layers, or its cell")
    return Recurrent(layer, return_sequences=True)


def onward(layer: Layer, where: str) -> Layer:
    """The layer, if it goes forward in time: one that runs in reverse needs the end first."""
    if isinstance(layer, Bidirectional) or getattr(layer, "reverse", False):
        raise InputError(f"{layer.title()} runs in reverse: it needs the end of the sequence first",
                         where=where, fix="Give it whole sequences")
    for inner in getattr(layer, "layers", ()):
        onward(inner, where)  # a stack in a stack, however deep
    return layer


def steady(layer: Layer, where: str) -> Layer:
    """The layer, if nothing in it is drawn: a step at a time, without a generator, dropout would
    silently do nothing."""
    drawn = [name for name in ("dropout", "recurrent_dropout") if getattr(layer, name, 0)]
    drawn += ['initial_state="random"'] * (getattr(layer, "start", "") == "random")
    if drawn:
        raise InputError(f"{layer.title()} has {drawn[0]}, which does not act one step at a time",
                         where=where, fix="Leave it out here")
    for inner in getattr(layer, "layers", ()):
        steady(inner, where)
    return layer


def known(feedback: str, where: str) -> str:
    """One of the words of `FEEDBACKS`."""
    if not isinstance(feedback, str) or feedback not in FEEDBACKS:
        raise InputError(f"expected feedback to be one of {', '.join(FEEDBACKS)}, "
                         f"got {feedback!r}", where=where)
    return feedback


def rest(layer: Layer, shape: tuple[int, ...]) -> int:
    """How much of a layer's input is left for y beside an x of this shape."""
    if layer.input_size is None:
        raise InputError("the size of what is appended is unknown for a plain function",
                         where="feedback", fix="Use an nn.Cell, which has an input_size")
    if layer.input_size <= shape[-1]:
        raise ShapeError(f"expected a layer for [x; y], with inputs larger than the {shape[-1]} of "
                         f"x, got {layer.title()}", where="feedback")
    return layer.input_size - shape[-1]


def how_many(length: int | None, steps: int | None, where: str) -> int:
    """The number of steps: what is asked for, or as many as there are inputs or targets."""
    T = length if steps is None else steps
    if T is None:
        raise InputError("nothing says how many steps", where=where,
                         fix="Give steps=, or the targets")
    if isinstance(T, bool) or not isinstance(T, (int, np.integer)) or T < 1:
        raise InputError(f"expected at least one step, got {T!r}", where=where)
    return int(T)
