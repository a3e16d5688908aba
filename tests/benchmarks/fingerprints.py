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

from tinygrad_rnn.testing import check_backward


def rows(seeds, kinds=("rnn", "lstm", "gru"), bugs=None):
    """(kind, seed, bug, right / wrong / silent, what was said)."""
    for kind, seed in itertools.product(kinds, seeds):
        m = strangers.stranger(seed, kind)
        for bug, words in strangers.BUGS[kind].items():
            if bugs is None or bug in bugs:
                report = check_backward(m.forward, m.backward(bug), m.inputs, seed=seed)
                yield (kind, seed, bug, judged(report, words), report.diagnosis or report.notes)


def judged(report, words):
    """Whether the mistake is named; one that is the same at this point may be named beside it."""
    assert report.failed
    if words in report.diagnosis:
        return "right"
    return "wrong" if report.diagnosis else "silent"


def pairs(seeds, kinds=("rnn", "lstm", "gru")):
    """(kind, seed, two bugs, what was said) where two mistakes at once get a single name that does
    not give this gradient by itself."""
    for kind, seed in itertools.product(kinds, seeds):
        m = strangers.stranger(seed, kind)
        r = np.random.default_rng([seed, 9])
        two = tuple(str(b) for b in r.choice(list(strangers.BUGS[kind]), 2, replace=False))
        given = both(m, two)
        alone = [both(m, (bug,)) for bug in two]
        if any(all(np.allclose(given[n], g[n], rtol=1e-9, atol=1e-12) for n in given)
               for g in [*alone, both(m, ())]):
            continue  # one hides the other
        report = check_backward(m.forward, m.backward(two), m.inputs, seed=seed)
        yield kind, seed, two, report.diagnosis


def both(m, bugs):
    """The gradients with these mistakes, for an upstream of its own."""
    up = None if m.loss != "states" else np.cos(np.arange(m.forward(m.inputs).size)).reshape(
        m.forward(m.inputs).shape)
    return m.backward(bugs)(m.inputs, up)


if __name__ == "__main__":
    count, first = (int(n) for n in [*sys.argv[1:], "100", "20000"][:2]) if len(sys.argv) != 2 \
        else (int(sys.argv[1]), 20_000)
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
