"""The first journey, as data: a text goes in; unrolled graph, gradients, ledger and check come out.

The question this file answers: *what happens in the demo, in which order?* How it is told is the
business of `terminal` and `page`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import draw, optim
from ..bptt.flow import GradientFlow, Ledger, gradient_flow
from ..core import walk
from ..testing import check_gradients
from ..train import CharacterModel, Text, train

WINDOW = 25  # steps that are unrolled at once
Track = Callable[[Iterator[float], int], Iterable[float]]  # shows progress as it passes values on


@dataclass(frozen=True)
class Step:
    """What happened at one step: the character read, the one to predict, the loss, the gradient."""

    t: int
    reads: str
    target: str
    loss: float
    gradient: float  # ‖dL/dh_t‖

    @property
    def probability(self) -> float:
        """What the model gave to the right character."""
        return math.exp(-self.loss)


@dataclass
class Story:
    """All that the demo has to tell. The model is the untrained one until `learn` runs."""

    text: Text
    model: CharacterModel
    read: str
    following: str
    loss: Any
    flow: GradientFlow
    ledger: Ledger
    report: Any
    drawings: dict[str, draw.Picture]
    curve: list[float] = field(default_factory=list)
    start: str = ""
    written: str = ""

    @property
    def short(self) -> bool:
        """Whether the whole text is unrolled at once."""
        return len(self.text) <= WINDOW + 1

    @property
    def steps(self) -> list[Step]:
        """One row per step of the unrolled window."""
        losses = [node.item() for node in self.loss.operands]
        norms = self.flow.norms("h")
        return [Step(t, x, y, loss, norms.get(t, 0.0)) for t, x, y, loss
                in zip(range(1, len(losses) + 1), self.read, self.following, losses)]

    @property
    def nodes(self) -> int:
        """How many nodes the unrolled graph has."""
        return len(walk.nodes(self.loss))

    @property
    def exact(self) -> bool:
        """Whether the rows of the ledger add up to the weight's gradient, bit for bit."""
        return bool(np.array_equal(self.ledger.total, self.flow.gradient(self.ledger.node)))

    def learn(self, track: Track) -> None:
        """Train for a moment, then let the model write."""
        updates = training_steps(self.text)
        optimizer = optim.Adagrad(self.model, lr=0.1)
        self.model.zero_grad()
        losses = train(self.model, optimizer, steps=updates, window=WINDOW)
        self.curve = list(track(losses, updates))
        self.start = self.text.text[:1 if self.short else WINDOW]
        length = len(self.text) - 1 if self.short else 200
        self.written = self.model.generate(
            self.start, length, "greedy" if self.short else "sample", 0.7, seed=0)[len(self.start):]


def hidden_size(text: Text) -> int:
    """H: enough for the text to be learnt in a moment."""
    return 8 if len(text) <= 8 else 16 if len(text) <= WINDOW + 1 else 64


def training_steps(text: Text) -> int:
    """How many updates fit into a few seconds: fewer where a big vocabulary makes each one slow."""
    if len(text) <= WINDOW + 1:
        return 100 if len(text) <= 8 else 200
    return max(20, 800_000 // (1000 + text.size))


def begin(text: Text, seed: int) -> Story:
    """Build the model, unroll it, send the gradient back, check it, draw it: before any
    training."""
    read, following = next(text.windows(WINDOW))
    model = CharacterModel(text, hidden_size(text), seed)
    loss, _ = model.loss(read, following)
    flow = gradient_flow(loss)
    report = check_gradients(lambda: model.loss(read, following)[0], model)
    drawings = {"unrolled": draw.unrolled(loss), "gradient_flow": draw.gradient_flow(flow)}
    ledger = flow.ledger(model.rnn.cell.W_hh)
    return Story(text, model, read, following, loss, flow, ledger, report, drawings)


def shown(character: str) -> str:
    """A character as it can be printed: a space as ␣, a line end as ⏎, others that have no shape
    by their number."""
    if character.isprintable() and not character.isspace():
        return character
    return {" ": "␣", "\n": "⏎", "\t": "⇥"}.get(character, f"U+{ord(character):04X}")


def printable(text: str) -> str:
    """A text that is safe to print: line ends stay, other control characters are shown."""
    return "".join(c if c == "\n" or c == " " or c.isprintable() else shown(c) for c in text)


def quoted(text: str) -> str:
    """A short text in quotation marks, on one line."""
    return "'" + "".join(c if c == " " else shown(c) for c in text) + "'"


def first_use(story: Story) -> list[str]:
    """Why the use at step 1 gave nothing, if it did."""
    if story.ledger[-1].norm > 0:
        return []
    return ["The use at step 1 gave nothing: it multiplied h_0, which is 0."]


def guessing(story: Story) -> float:
    """The loss per character of somebody who knows the vocabulary and nothing else: log V."""
    return math.log(story.text.size)
