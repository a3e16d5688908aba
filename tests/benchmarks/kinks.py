"""Random points on kinks: right subgradients never fail, wrong ones always do.

    python tests/benchmarks/kinks.py [points] [first seed]

prints a row for every kind of kink. At each point some entries lie exactly on a kink, and the
gradient there is any number between the two slopes, or one outside of them.
"""

import sys
from collections import Counter

import numpy as np

from tinygrad_rnn.testing import check_backward

KINDS = {  # the function, its slope to the left of 0 and to the right
    "relu": (lambda x: np.maximum(x, 0.0), 0.0, 1.0),
    "abs": (np.abs, -1.0, 1.0),
    "hinge": (lambda x: np.maximum(0.0, -2.0 * x) + 0.5 * x, -1.5, 0.5),
}


def point(seed, kind):
    """(x, scales): a few entries or many, the first of them and about half of the others on a
    kink."""
    r = np.random.default_rng([seed, 9, list(KINDS).index(kind)])
    n = int(r.integers(1, 5)) if seed % 10 else int(r.integers(33, 60))
    x = np.where(r.random(n) < 0.5, 0.0, r.normal(size=n))
    x[0] = 0.0
    return x, r.uniform(0.5, 2.0, size=n), r


def checked(seed, kind, inside, localise=True):
    """The report on Σ a f(x) + sin x with a subgradient inside of its interval, or outside."""
    f, low, high = KINDS[kind]
    x, a, r = point(seed, kind)
    if inside:
        chosen = r.uniform(low, high, size=x.shape)
    else:  # every entry on a kink: above or below
        away = r.uniform(0.1, 3.0, size=x.shape)
        chosen = np.where(r.random(x.shape) < 0.5, high + away, low - away)

    def backward(p):
        slopes = np.where(p["x"] > 0.0, high, low)
        return {"x": a * np.where(p["x"] == 0.0, chosen, slopes) + np.cos(p["x"])}

    return check_backward(lambda p: (a * f(p["x"]) + np.sin(p["x"])).sum(), backward, {"x": x},
                          seed=seed, localise=localise)


def rows(seeds):
    """(kind, seed, inside, verdict, evaluations)."""
    for seed in seeds:
        for kind in KINDS:
            for inside in (True, False):
                report = checked(seed, kind, inside)
                yield kind, seed, inside, report.verdict, report.evaluations


def table(found):
    """Verdicts by kind, and how many evaluations a right point took."""
    lines = [f"{'':<8}{'right':>7}{'passed':>8}{'failed':>8}{'unsure':>8}"
             f"{'wrong':>9}{'caught':>8}{'missed':>8}{'unsure':>8}{'median':>9}{'most':>7}"]
    for kind in KINDS:
        good = [r for r in found if r[0] == kind and r[2]]
        one, two = Counter(r[3] for r in good), Counter(r[3] for r in found
                                                        if r[0] == kind and not r[2])
        right, cost = one["pass"] + one["kink"], sorted(r[4] for r in good)
        lines.append(f"{kind:<8}{len(good):>7}{right:>8}{one['FAIL']:>8}"
                     f"{len(good) - right - one['FAIL']:>8}{two.total():>9}{two['FAIL']:>8}"
                     f"{two['pass']:>8}{two.total() - two['FAIL'] - two['pass']:>8}"
                     f"{cost[len(cost) // 2]:>9}{cost[-1]:>7}")
    return "\n".join(lines)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 60_000
    found = list(rows(range(first, first + count)))
    print(table(found))
    for r in found:
        if r[3] != ("pass" if r[2] else "FAIL"):
            print(*r)
    print(f"{count} points of each kind; seeds {first} to {first + count - 1}")
