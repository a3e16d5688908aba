"""What all recurrent layers share: what a call takes, and what it returns.

The question this file answers: *output or state, all of them or the last?*
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np

from ..core.place import contained
from ..errors import ShapeError
from . import describe
from .init import generator
from .masking import Masks, read_masks
from .module import Module
from .sequence import Steps
from .states import mapped, parts_of
from .steps_joined import Together, Whole, join, shape_of, untaken
from .unrolling import Run


class LayerOptions(TypedDict, total=False):
    """The options of every recurrent layer; `Recurrent` says what they mean."""

    return_sequences: bool
    return_state: bool
    return_states: bool | None
    return_all_states: bool
    reverse: bool
    initial_state: str
    padding: str
    recurrent_dropout: float
    flatten: bool
    fused: bool
    backend: str
    checkpoint_every: int | str | None


class Layer(Module):
    """A recurrent layer. Called as

        layer(xs, initial_state=None, mask=None, lengths=None, reset_mask=None, rng=None)

    with `xs` an array or Tensor (T, B, I) or (T, I), or a list of T steps, it returns

        by default                 the last output                       (B, H)
        return_sequences=True      all outputs, joined                   (T, B, H)
        return_state=True          (either of these, the state after the last step)
        return_all_states=True     (these, the states after every step, each part (T, B, H))

    T = 0 gives the initial state, or a sequence (0, B, H).

    `mask` (T, B) is True where a step of a sample is valid, in any pattern; `lengths` (B,) says the
    same of samples that are padded at the end. At a masked step nothing happens to the sample: its
    state stays, and x, which may hold anything there, even NaN, is not looked at. Where
    `reset_mask` (T, B) is True another sequence begins in the row of a sample: its state starts
    anew there, from the layer's own initial state. `rng` (a `numpy.random.Generator` or a seed)
    switches dropout on, for this call.

    Raises `ShapeError` where shapes do not fit, naming both.
    """

    input_size: int | None
    output_size: int | None
    dtype: Any
    return_sequences: bool
    return_state: bool
    return_all_states: bool

    @contained
    def __call__(self, xs: Any, initial_state: Any = None, *, mask: Any = None,
                 lengths: Any = None, reset_mask: Any = None, rng: Any = None) -> Any:
        steps = self.steps(untaken(xs, initial_state))
        masks = Masks(len(steps))
        if len(steps) and not (mask is lengths is reset_mask is None):
            batch = (steps.shape() or ())[:-1]
            masks = read_masks(len(steps), batch, mask, lengths, reset_mask, self.title())
        rng = None if rng is None else generator(rng, self.title(), "rng")
        run = self.run(steps, initial_state, masks, rng)
        return self.results(run, steps)

    def steps(self, xs: Any) -> Steps:
        """The steps of `xs`, if this layer can take them."""
        steps = Steps(xs, dtype=self.dtype)
        self.check(steps)
        return steps

    def run(self, steps: Steps, initial_state: Any, masks: Masks, rng: Any,
            reverse: bool = False) -> Run:
        """Go over a sequence once; in reverse if asked, whatever the layer does by itself."""
        raise NotImplementedError

    def results(self, run: Run, steps: Steps) -> Any:
        """What a call returns of a run."""
        found = [self.sequence(run, steps) if self.return_sequences else run.last]
        if self.return_state:
            found.append(run.state)
        if self.return_all_states:
            found.append(joined_states(run, self.dtype))
        return found[0] if len(found) == 1 else tuple(found)

    def sequence(self, run: Run, steps: Steps) -> Any:
        """All outputs, joined: (T, B, H)."""
        return join(run.outputs, None if run.outputs else self.no_steps(run, steps), run.past)

    def no_steps(self, run: Run, steps: Steps) -> Any:
        """The sequence of no outputs, (0, B, H)."""
        state = shape_of(parts_of(run.state)[0])
        shape = steps.shape()
        batch = state[:-1] if shape is None else shape[:-1]
        size = state[-1:] if self.output_size is None else (self.output_size,)
        return np.zeros((0, *batch, *size), self.dtype)

    def check(self, steps: Steps) -> None:
        """Refuse, before anything is computed, what the layer cannot take."""
        expected = self.input_size
        if expected is None:
            return
        whole = steps.parts_shape() if not isinstance(steps.parts, list) else None
        if whole is not None and whole[1:][-1:] == (expected,) and len(whole) < 4:
            return
        if whole is not None and (len(whole) not in (2, 3) or whole[-1] != expected):
            fix = f"For class indices: nn.one_hot(xs, {expected})" if len(whole) == 1 else ""
            fix = "Frames are flattened with flatten=True" if len(whole) > 3 else fix
            raise ShapeError(f"expected xs of shape (T, B, {expected}) or (T, {expected}), "
                             f"got {whole}", where=self.title(), fix=fix)
        for t in range(len(steps)) if whole is None else ():
            got = steps.shape(t) or ()
            if len(got) not in (1, 2) or got[-1] != expected or got != steps.shape():
                wanted = f"(B, {expected}) or ({expected},)" if t == 0 else \
                    f"{steps.shape()} as the first"
                fix = "Sequences of different lengths: pad them, and give lengths=" \
                    if t and got[1:] == (steps.shape() or ())[1:] else ""
                raise ShapeError(f"expected every step of xs to have shape {wanted}, got {got} at "
                                 f"xs[{t}]", where=self.title(), fix=fix)

    def describe(self, xs: Any) -> None:
        """Print the table of shapes for this input: outputs and states, how to get them here, and
        what PyTorch and Keras call them."""
        print(describe.text(self, xs))

    def directions(self) -> set[str]:
        """Which ways it goes over a sequence: "forward", "reverse" or both."""
        return {"forward"}

    def title(self) -> str:
        """How errors speak of this layer."""
        return f"{type(self).__name__}({self.settings()})"


def joined_states(run: Run, dtype: Any) -> Any:
    """The states of all steps, part by part: (T, B, H) each."""
    if not run.states:
        return mapped(lambda part: join([], np.zeros((0, *shape_of(part)), dtype)), run.state)
    return run.states.joined(joined) if isinstance(run.states, Together) else joined(run.states)


def joined(states: Sequence[Any]) -> Any:
    """The states of all steps of one layer, part by part."""
    if isinstance(states, Whole):
        return join(states)
    return mapped(lambda *parts: join(parts), *states)
