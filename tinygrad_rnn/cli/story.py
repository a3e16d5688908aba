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
from ..bptt.flow import GradientFlow, gradient_flow
from ..bptt.ledger import Ledger
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
    exact: bool  # whether the rows of the ledger add up to W_hh.grad, bit for bit
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

    def learn(self, track: Track) -> None:
        """Train for a moment, then let the model write."""
        updates = training_steps(self.text)
        optimizer = optim.Adagrad(self.model, lr=0.1 if self.short else 0.05)
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
    return max(20, 600_000 // (1000 + text.size))


def begin(text: Text, seed: int) -> Story:
    """Build the model, unroll it, send the gradient back, check it, draw it: before any
    training."""
    read, following = next(text.windows(WINDOW))
    model = CharacterModel(text, hidden_size(text), seed)
    loss, _ = model.loss(read, following)
    flow = gradient_flow(loss)
    weight = model.rnn.cell.W_hh
    ledger = flow.ledger(weight)
    exact = bool(np.array_equal(ledger[-1].running, weight.grad))
    report = check_gradients(lambda: model.loss(read, following)[0], model)
    drawings = {"unrolled": draw.unrolled(loss), "gradient_flow": draw.gradient_flow(flow)}
    return Story(text, model, read, following, loss, flow, ledger, exact, report, drawings)


def ledger_table(story: Story) -> tuple[list[str], list[list[str]], list[str]]:
    """Head, rows and foot of the ledger of W_hh."""
    rows = [[str(row.step), row.op, digits(row.norm), f"{row.share:.1%}",
             digits(float(np.linalg.norm(row.running)))] for row in story.ledger]
    head = ["step", "op", "‖contribution‖", "share", "‖running sum‖"]
    return head, rows, ["Σ", "", "", "", rows[-1][-1]]


def ledger_sum(story: Story) -> str:
    """What the rows add up to."""
    n, name = len(story.ledger), story.ledger.node.label
    rows = "the only row" if n == 1 else f"the sum of the {n} rows"
    return f"{rows} = {name}.grad, {'bit for bit' if story.exact else 'NOT equal'}"


def steps_table(story: Story) -> tuple[list[str], list[list[str]], list[float]]:
    """Head and rows of what happened at each step, and each gradient relative to the largest."""
    largest = max((s.gradient for s in story.steps), default=0.0) or 1.0
    rows = [[str(s.t), shown(s.reads), shown(s.target), f"{s.probability:.3f}", f"{s.loss:.4f}",
             digits(s.gradient)] for s in story.steps]
    head = ["t", "reads", "next", "p(next)", "L_t", "‖∂L/∂h_t‖"]
    return head, rows, [s.gradient / largest for s in story.steps]


def digits(x: float) -> str:
    """A number with four digits, so that columns of numbers of one size line up."""
    return "0" if x == 0 else f"{x:#.4g}"


def counted(n: int, thing: str) -> str:
    """`1 step`, `4 steps`."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


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
