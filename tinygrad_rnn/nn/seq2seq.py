"""Sequence to sequence: an encoder reads, a decoder writes.

The question this file answers: *how does a sequence of one length become one of another length?*

    x_1 ... x_Te  ->  encoder  ->  context c  ->  decoder  ->  y_1 ... y_Td

The context is what is left of the whole input: the encoder's last output. All that the decoder
knows of the input, and all that the encoder hears of the loss, goes through it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.place import contained, scope
from ..errors import InputError, ShapeError
from .bridge import bridges, first_state
from .feedback import (
    Function,
    Heard,
    Input,
    as_layer,
    beside,
    how_many,
    known,
    onward,
    run_on,
    steady,
)
from .init import generator
from .masking import read_masks
from .module import Module
from .options import function, one_of, yes_or_no
from .sequence import Steps, given_step
from .stacked import merge_none
from .steps_joined import join, shape_of, untaken

CONTEXTS = ("state", "input", "both")


class EncoderDecoder(Module):
    """An encoder and a decoder (Cho et al. 2014; Sutskever et al. 2014). With the context c, the
    encoder's last output, and s_0 the decoder's first state:

        context="state"     s_0 = P c + p,  and x_t is the decoder's input at step t
        context="input"     s_0 = 0,        and [x_t; c] is
        context="both"      s_0 = P c + p,  and [x_t; c] is

    Called as `model(source, target_inputs=None, steps=None)`, with `source` (Te, B, I), it returns
    the decoder's outputs (Td, B, Hd), or with a `head` the y_t = head(h_t), (Td, B, O).

    `target_inputs` (Td, B, I') are the x_t: teacher forcing, if they are the targets one step
    later. Without them the decoder runs by itself for `steps` steps: x_1 = `start` (zeros if None),
    then x_{t+1} = feed(y_t), with `feed` and `feedback` as in `OutputFeedback`. If the decoder has
    inputs for c only, it reads c at every step and nothing else.

    `encoder` and `decoder` are recurrent layers, stacks or cells; what they return by themselves
    does not matter. `bridge=True` makes s_0 by an `nn.Linear`, which is `.bridge` (P is its W, p
    its b); the c of an LSTM has one of its own, `.bridge_c`, that maps the encoder's c. With
    `bridge=False` the encoder's state is taken as it is, and must fit. Stacks of equal depth are
    bridged layer by layer (`.bridge` is then a list), others from the encoder's top layer. A part
    that the encoder does not have is made from its h, or is 0 with `bridge=False`. `seed` is for
    the bridge; `mask` and `lengths` are those of the source. `rng` switches the encoder's dropout
    on; a decoder with dropout or a random first state is refused, as in `OutputFeedback`, and so is
    a learned first state where the encoder gives it.

    In the graph both have a scope, `encoder` and `decoder`, and steps of their own from 1.

    Raises `ShapeError` for sizes that do not fit, `InputError` for what is missing.
    """

    def __init__(self, encoder: Any, decoder: Any, context: str = "state", bridge: bool = True, *,
                 head: Function | None = None, feed: Function | None = None,
                 feedback: str = "free", seed: Any = None) -> None:
        self.encoder = as_layer(encoder)
        self.decoder = steady(onward(as_layer(decoder), "EncoderDecoder"), "EncoderDecoder")
        self.context = one_of(context, CONTEXTS, "context", "EncoderDecoder")
        self.head = function(head, "head", "EncoderDecoder")
        self.feed = function(feed, "feed", "EncoderDecoder")
        self.feedback = known(feedback, "EncoderDecoder")
        if context != "state":
            if merge_none(self.encoder):
                raise InputError("the encoder's last output is a pair, and no single context",
                                 where="EncoderDecoder", fix="Bidirectional(..., merge='concat')")
            self.room()
        if context != "input":
            not_learned(self.decoder)
        bridge = yes_or_no(bridge, "bridge", "EncoderDecoder")
        made = bridges(self.encoder, self.decoder, generator(seed, "EncoderDecoder"), bridge) \
            if context != "input" else {}
        for name, linears in made.items():
            stacked = hasattr(self.decoder, "layers")
            setattr(self, bridge_name(name), linears if stacked else linears[0])

    @contained
    def __call__(self, source: Any, target_inputs: Any = None, steps: int | None = None, *,
                 start: Any = None, mask: Any = None, lengths: Any = None,
                 feedback: str | None = None, rng: Any = None) -> Any:
        rng = None if rng is None else generator(rng, "EncoderDecoder", "rng")
        feedback = self.feedback if feedback is None else known(feedback, "EncoderDecoder")
        with scope("encoder"):
            xs = self.encoder.steps(untaken(source, start))
            batch = (xs.shape() or ())[:-1]
            masks = read_masks(len(xs), batch, mask, lengths, None, self.encoder.title())
            read = self.encoder.run(xs, None, masks, rng)
        with scope("decoder"):
            state = None if self.context == "input" else first_state(
                self.encoder, read.state, self.decoder, self.bridge_of)
            T, own_input = self.inputs(target_inputs, steps, start, batch, feedback)
            input_at = own_input if self.context == "state" else with_context(own_input, read.last)
            return join(run_on(self.decoder, self.head, T, state, input_at)[0])

    def inputs(self, target_inputs: Any, steps: int | None, start: Any, batch: tuple[int, ...],
               feedback: str) -> tuple[int, Input]:
        """How many steps the decoder takes, and its own input at each; None if there is none."""
        width, dtype = self.room(), self.decoder.dtype
        if target_inputs is not None:
            xs = Steps(untaken(target_inputs, start), dtype=dtype)
            T = how_many(len(xs), steps, "EncoderDecoder")
            if len(xs) < T:
                raise InputError(f"expected target_inputs for {T} steps, got {len(xs)}",
                                 where="EncoderDecoder")
            shape = xs.shape() or ()
            if len(shape) == len(batch):
                wanted = ", ".join(map(str, ("T", *batch, width or "I")))
                raise ShapeError(f"expected target_inputs of shape ({wanted}), got "
                                 f"{(len(xs), *shape)}", where="EncoderDecoder",
                                 fix=f"For class indices: nn.one_hot(targets, {width or 'I'})")
            same_batch("target_inputs", shape[:-1], batch)
            return T, lambda t, y: xs[t]
        T = how_many(None, steps, "EncoderDecoder")
        if width == 0:
            return T, lambda t, y: None
        if width is None and start is None:
            raise InputError("the size of the decoder's first input is unknown",
                             where="EncoderDecoder", fix="Give start=")
        first = np.zeros((*batch, width or 0)) if start is None else start
        same_batch("start", shape_of(first)[:-1], batch)
        heard = Heard(feedback, self.feed, target_inputs, shape_of(first), dtype,
                      open_ended=width is None)
        return T, lambda t, y: heard(t, y) if t else given_step(first, "x", dtype)

    def room(self) -> int | None:
        """The size of the decoder's own input x_t; None if a plain function does not tell it."""
        C, whole = self.encoder.output_size, self.decoder.input_size
        if self.context == "state" or whole is None:
            return whole
        if C is None:
            raise InputError("the size of the context is unknown for a plain function",
                             where="EncoderDecoder", fix="Use an nn.Cell as encoder")
        if whole < C:
            raise ShapeError(f"expected a decoder for [x; c], with inputs of at least {C}, the "
                             f"size of the context c, got {self.decoder.title()}",
                             where="EncoderDecoder")
        return whole - C

    def bridge_of(self, k: int, name: str) -> Function | None:
        """The bridge to part `name` of the decoder's layer k, if there is one."""
        found = vars(self).get(bridge_name(name))
        bridge: Function | None = found[k] if isinstance(found, list) else found
        return bridge

    def settings(self) -> str:
        return f"context={self.context}"


def same_batch(name: str, got: tuple[int, ...], batch: tuple[int, ...]) -> None:
    """Raise `ShapeError` unless the decoder's input has the batch of the source."""
    if got != batch:
        raise ShapeError(f"expected {name} with the batch of the source, {batch}, got {got}",
                         where="EncoderDecoder")


def not_learned(decoder: Any) -> None:
    """Raise `InputError` for a learned first state, which the encoder's would replace."""
    for layer in getattr(decoder, "layers", ()):
        not_learned(layer)
    if getattr(decoder, "start", "") == "learned":
        raise InputError("the decoder starts from the encoder's state: a learned one has no use",
                         where="EncoderDecoder", fix='context="input" leaves it its own')


def bridge_name(part: str) -> str:
    """The attribute under which the bridge to a part of the state is kept."""
    return "bridge" if part == "h" else f"bridge_{part}"


def with_context(own_input: Input, c: Any) -> Input:
    """[x_t; c] at every step, or c alone."""

    def input_at(t: int, y: Any) -> Any:
        x = own_input(t, y)
        return c if x is None else beside(x, c)

    return input_at
