"""Mistakes planted in a backward that is right: which of them do your tests catch?

The question this file answers: *would my tests notice?*

A test that passes says little until it has been seen to fail. So the gradients are bent, one
mistake at a time, and the test is run again: a mistake that it lets through has survived. Where the
program is recognised as an RNN, an LSTM or a GRU the mistakes are those that people make in it.
Where the gradients come from this package, its own backward pass makes them (`tg.what_if`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError
from .diagnosis import CLEAR, recognised
from .handwritten import Handwritten
from .mistaken import all_of
from .structure import asked, matched, outline, rebuilt

Change = Callable[[dict[str, Any]], dict[str, Any]]
WIDTH = 21      # of the first column of the table
VISIBLE = 1e-6  # a mistake that changes less than this part of the gradient is no mutant here


@dataclass(frozen=True)
class MutationScore:
    """What was planted, and whether it was caught: `.rows` is [(mistake, caught)], in order.

    `.score` is the part that was caught, `.survived` are the others; true if there are none.
    `.absent` are mistakes that changed no gradient here, so that nobody can notice them.
    """

    rows: list[tuple[str, bool]]
    absent: list[str] = field(default_factory=list)

    @property
    def score(self) -> float:
        """The part that was caught, 0 to 1."""
        return sum(caught for _, caught in self.rows) / max(len(self.rows), 1)

    @property
    def survived(self) -> list[str]:
        """The mistakes that the tests did not notice."""
        return [name for name, caught in self.rows if not caught]

    def __bool__(self) -> bool:
        return bool(self.rows) and not self.survived

    def __str__(self) -> str:
        caught = [name for name, found in self.rows if found]
        head = f"{len(caught)} of {len(self.rows)} planted mistakes are caught: {self.score:.0%}"
        parts = (("survived", self.survived), ("caught", caught),
                 ("no gradient changed", self.absent))
        return "\n".join([head, *(f"  {what:{WIDTH}}{name}" for what, names in parts
                                  for name in names)])

    __repr__ = __str__


def mutation_score(forward: Callable[..., Any], backward: Callable[..., Any], inputs: Any,
                   test: Callable[[Callable[..., Any]], Any], *, cached: bool = False,
                   most: int = 40, seed: int = 0) -> MutationScore:
    """Run `test(wrong_backward)` for one wrong backward after the other, and see which it catches.

        def test(backward):
            assert check_backward(forward, backward, inputs)
        print(mutation_score(forward, backward, inputs, test))

    `test` is your own: it raises AssertionError, or returns something false, when a gradient is
    wrong. `forward`, `backward`, `inputs` and `cached` are as for `check_backward`. The mistakes
    are multiples, zeros, transposes, clips and shifts of each gradient, at any inputs; where the
    forward is an RNN, an LSTM or a GRU, those of its own kind as well, at the inputs given here.
    At most `most` of them, spread over the list.
    Raises `InputError` if the test fails with the right backward, or if nothing can be planted.
    """
    asked("mutation_score", forward, backward, test, seed=seed)
    if not passes(test, backward):
        raise InputError("the test fails with the backward as it is: there is nothing to plant in",
                         where="mutation_score", fix="Make the test pass first: check_backward "
                                                     "says what is wrong")
    problem = Handwritten(forward, backward, inputs, cached, np.random.default_rng([seed, 1]))
    plants = list(of_any(problem)) + list(of_cells(problem, seed))
    if not plants:
        raise InputError("every gradient is zero: no mistake changes it", where="mutation_score")
    step = max(1, -(-len(plants) // most))
    return MutationScore([(name, not passes(test, bent(backward, problem, change)))
                          for name, change in plants[::step]])


def planted_score(test: Callable[[], Any], mistakes: Iterable[Any]) -> MutationScore:
    """Run `test()` in a block of wrong gradients, for one mistake after the other: which of them
    does it catch?

        print(planted_score(test, map(tg.what_if, tg.MISTAKES)))

    `test` is your own, takes nothing and uses gradients of this package; it raises AssertionError,
    or returns something false, when one is wrong. `mistakes` are the blocks, each entered once. A
    mistake that changed no gradient (a truncation, at one step) is no test of the test: it is
    listed, and does not count.
    Raises `InputError` if the test fails without a mistake, or if no mistake changed a gradient.
    """
    asked("planted_score", test)
    right = lambda _: test()
    if not passes(right, test):
        raise InputError("the test fails with the gradients as they are", where="planted_score",
                         fix="Make it pass first")
    rows, absent = list[tuple[str, bool]](), list[str]()
    for block in mistakes:
        if not hasattr(block, "seen"):
            raise InputError(f"mistakes are blocks, got {outline(block)}", where="planted_score",
                             fix="map(tg.what_if, tg.MISTAKES)")
        with block as plant:
            caught = not passes(right, test)
        if plant.seen or caught:
            rows.append((plant.name, caught))
        else:
            absent.append(plant.name)
    if not rows:
        raise InputError("no mistake changed a gradient: the test takes none by backward()",
                         where="planted_score")
    return MutationScore(rows, absent)


def passes(test: Callable[[Callable[..., Any]], Any], backward: Callable[..., Any]) -> bool:
    """Whether the test lets this backward through; one that returns nothing has passed."""
    try:
        result = test(backward)
    except AssertionError:
        return False
    return result is None or bool(result)


def bent(backward: Callable[..., Any], problem: Handwritten, change: Change) -> Callable[..., Any]:
    """The backward with this mistake: its gradients, bent, in the structure it returns."""
    def wrong(*args: Any) -> Any:
        given = backward(*args)
        pairs = matched(problem.inputs, problem.start, given)
        found = pairs[0] if pairs else {}
        new = change({n: np.array(g, float) for n, g in found.items() if g is not None})
        known = {id(found[n]): n for n in new}
        return rebuilt(given, lambda _, g: new[known[id(g)]] if id(g) in known else g)

    return wrong


def of_any(problem: Handwritten) -> Iterator[tuple[str, Change]]:
    """Mistakes that need no knowledge of the program."""
    ways: dict[str, Callable[[Any], Any]] = {
        "wrong sign": lambda g: -g, "twice": lambda g: 2.0 * g, "zero": lambda g: 0.0 * g,
        "a thousandth off": lambda g: 1.001 * g, "one entry wrong": one_entry,
        "clipped": lambda g: np.clip(g, -0.5 * np.abs(g).max(), 0.5 * np.abs(g).max()),
        "shifted by one": lambda g: np.roll(g, 1, axis=-1), "transposed": lambda g: g.T}
    gradient = problem.gradient(dict(problem.start))[0]
    for name, g in gradient.items():
        for words, way in ways.items():
            w = way(g) if g.size else g
            if w.shape == g.shape and g.size and \
                    np.max(np.abs(w - g)) > VISIBLE * np.max(np.abs(g)):
                yield f"{name}: {words}", changed(name, way)


def one_entry(g: Any) -> Any:
    """The largest entry is half as large again."""
    g = np.array(g)
    g.flat[np.argmax(np.abs(g))] *= 1.5
    return g


def of_cells(problem: Handwritten, seed: int) -> Iterator[tuple[str, Change]]:
    """The mistakes that people make in this recurrence, if it is one of the known. What the mistake
    adds to the gradient at the given inputs is added."""
    fit = recognised(problem, seed)
    if fit is None:
        return
    with np.errstate(all="ignore"):
        found = list(all_of(fit, problem.start))
    _, _, right = found[0]
    for words, _, d in found[1:]:
        off = {n: d[n] - right[n] for n in d}
        if any(np.max(np.abs(off[n]), initial=0.0) > VISIBLE * CLEAR
               + VISIBLE * np.max(np.abs(right[n]), initial=0.0) for n in off):
            yield words, added(off)


def changed(name: str, way: Callable[[Any], Any]) -> Change:
    """One gradient bent in this way."""
    return lambda d: {n: way(g) if n == name else g for n, g in d.items()}


def added(off: dict[str, Any]) -> Change:
    """What a mistake adds, added."""
    return lambda d: {n: g + off[n] if n in off and off[n].shape == g.shape else g
                      for n, g in d.items()}
