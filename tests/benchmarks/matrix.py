"""30 planted bugs x seeds x 5 regimes: who catches what, and who cries wolf.

    python tests/benchmarks/matrix.py [seeds] [first seed] [file for the rows]

prints the table for `check_backward`. Nothing here is tuned on seeds from 10,000 on.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "testing"))

import zoo

from tinygrad_rnn.testing import check_backward
from tinygrad_rnn.testing.screening import BUDGET

VISIBLE = 1e-8
GRAPH = 2  # the forward once more, on tensors, where it runs on them


def rows(seeds, regimes=zoo.REGIMES, bugs=tuple(zoo.BUGS), localise=False):
    """(regime, seed, bug or None, effect, verdict, evaluations to screen, all) of every check."""
    for seed in seeds:
        for regime in regimes:
            m = zoo.model(seed, regime)
            m.memory = {}
            right = m.back(m.inputs)
            for bug in (None, *bugs):
                effect = zoo.effect(right, m.back(m.inputs, bug)) if bug else 0.0
                if bug and effect < 1e-10:
                    continue
                report = check_backward(m.forward, m.backward(bug), m.inputs, seed=seed,
                                        localise=localise or bug is None)
                yield (regime, seed, bug, effect, report.verdict, report.screened,
                       report.evaluations)


def table(found):
    """The table, and whether it holds the bars."""
    lines = [f"{'regime':<14}{'models':>7}{'passed':>7}{'alarms':>7}{'unsure':>7}"
             f"{'bugs':>8}{'caught':>8}{'missed':>7}{'unsure':>7}{'screening':>10}{'more':>6}"]
    for regime in zoo.REGIMES:
        right = [r for r in found if r[0] == regime and r[2] is None]
        wrong = [r for r in found if r[0] == regime and r[2] and r[3] >= VISIBLE]
        good, bad = Counter(r[4] for r in right), Counter(r[4] for r in wrong)
        most, more = max(r[5] for r in right), sum(r[6] > BUDGET + GRAPH for r in right)
        lines.append(f"{regime:<14}{len(right):>7}{good['pass']:>7}{good['FAIL']:>7}"
                     f"{len(right) - good['pass'] - good['FAIL']:>7}{len(wrong):>8}"
                     f"{bad['FAIL']:>8}{bad['pass']:>7}{len(wrong) - bad['FAIL'] - bad['pass']:>7}"
                     f"{most:>10}{more:>6}")
    return "\n".join(lines)


def failures(found):
    """The checks that did not say what they should."""
    for regime, seed, bug, effect, verdict, *_ in found:
        if (bug is None and verdict != "pass") or (bug and effect >= VISIBLE and verdict != "FAIL"):
            yield f"{regime}, seed {seed}: {bug}, effect {effect:.2g}: {verdict}"


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    begin = time.time()
    found = []
    for row in rows(range(first, first + count)):
        found.append(row)
        if len(sys.argv) > 3:  # a file that keeps every row: what is done is done
            with open(sys.argv[3], "a", encoding="utf-8") as kept:
                kept.write(json.dumps(row) + "\n")
    print(table(found))
    print(*failures(found), sep="\n")
    print(f"{len(found)} checks in {time.time() - begin:.0f} s; seeds {first} to "
          f"{first + count - 1}; bugs with an effect of at least {VISIBLE:g} are counted")
