"""Mistakes in code that the diagnosis has never seen: which of them does it name?

    python tests/benchmarks/fingerprints.py [seeds] [first seed]

prints a row for every kind of recurrence. Right is a cause with the words for that mistake; wrong
is one with other words; silent is no single mistake, or nothing said.
"""

import itertools
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "testing"))

import strangers

from tinygrad_rnn.testing.diagnosis import claimed, in_words, matches, recognised
from tinygrad_rnn.testing.handwritten import Handwritten
from tinygrad_rnn.testing.mistaken import all_of


def looked_up(m, seed):
    """All that the diagnosis computes of a model; it is the same for each of its mistakes."""
    problem = Handwritten(m.forward, m.backward(), m.inputs, False,
                          np.random.default_rng([seed, 1]))
    fit = recognised(problem, seed)
    return fit, list(all_of(fit, problem.start)) if fit else []


def said_of(m, seed, bug, fit, mistakes):
    """The diagnosis, and whether the gradient is wrong at all."""
    problem = Handwritten(m.forward, m.backward(bug), m.inputs, False,
                          np.random.default_rng([seed, 1]))
    theirs = claimed(problem)
    wrong = any(not np.allclose(theirs[n], g, rtol=1e-9, atol=1e-12)
                for n, g in mistakes[0][2].items()) if mistakes else True
    return (in_words(fit, matches(mistakes, theirs)) if fit else ""), wrong


def rows(seeds, kinds=("rnn", "lstm", "gru")):
    """(kind, seed, bug, right / wrong / silent, what was said)."""
    for kind, seed in itertools.product(kinds, seeds):
        m = strangers.stranger(seed, kind)
        fit, mistakes = looked_up(m, seed)
        for bug, words in strangers.BUGS[kind].items():
            said, wrong = said_of(m, seed, bug, fit, mistakes)
            assert wrong, (kind, seed, bug)
            yield kind, seed, bug, judged(said, words), said or f"fit: {fit}"[:60]


def judged(said, words):
    """Whether the mistake is named; one that is the same at this point may be named beside it."""
    return "right" if words in said else "wrong" if said else "silent"


def pairs(seeds, kinds=("rnn", "lstm", "gru")):
    """(kind, seed, two bugs, what was said) for two mistakes at once. Pairs in which one hides the
    other are no pairs, and are left out."""
    for kind, seed in itertools.product(kinds, seeds):
        m = strangers.stranger(seed, kind)
        fit, mistakes = looked_up(m, seed)
        r = np.random.default_rng([seed, 9])
        for _ in range(5):
            two = tuple(str(b) for b in r.choice(list(strangers.BUGS[kind]), 2, replace=False))
            given = gradients(m, two)
            alone = [gradients(m, bugs) for bugs in [(), two[:1], two[1:]]]
            if set(two) == {"forget the future", "forget the cell"}:
                continue  # together they have a name: both are forgotten
            if not any(all(np.allclose(given[n], g[n], rtol=1e-9, atol=1e-12) for n in given)
                       for g in alone):
                yield kind, seed, two, said_of(m, seed, two, fit, mistakes)[0]


def gradients(m, bugs):
    """The gradients with these mistakes, for an upstream of its own."""
    up = np.cos(np.arange(m.forward(m.inputs).size)).reshape(m.forward(m.inputs).shape) \
        if m.loss == "states" else None
    return m.backward(bugs)(m.inputs, up)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    begin = time.perf_counter()
    found = list(rows(range(first, first + count)))
    print(f"{'':<6}{'bugs':>6}{'checks':>8}{'right':>8}{'wrong':>7}{'silent':>8}")
    for kind in strangers.BUGS:
        mine = [r for r in found if r[0] == kind]
        said = Counter(r[3] for r in mine)
        print(f"{kind:<6}{len(strangers.BUGS[kind]):>6}{len(mine):>8}{said['right']:>8}"
              f"{said['wrong']:>7}{said['silent']:>8}")
    for r in found:
        if r[3] != "right":
            print(*r)
    two = list(pairs(range(first, first + count)))
    named = [r for r in two if r[3]]
    print(f"pairs of mistakes: {len(two)}, given a single name: {len(named)}")
    for r in named:
        print(*r)
    print(f"{time.perf_counter() - begin:.0f} s")
