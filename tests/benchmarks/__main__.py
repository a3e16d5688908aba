"""The comparison with the peers, in one command:

    python -m tests.benchmarks                       RNN, LSTM, GRU; float32; one thread; 6 minutes
    python -m tests.benchmarks --sizes ad --kinds rnn --seconds 5
    python -m tests.benchmarks --dtypes float32 float64 --threads 1 2 --keep

Every rival that is installed takes its turn, all gradients are compared, and the ratios to NumPy by
hand go to `benchmarks.md` and `benchmarks.svg` in the folder `--out`; the seconds to
`benchmarks.json`. The number of threads is set before anything is loaded, so each combination runs
in a process of its own. With `--keep` what stands in that file is not measured again, so that a
long comparison may be stopped and gone on with.
"""

import argparse
import itertools
import json
import platform
import sys
from datetime import date
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]


def table(results, kind, dtype, threads):
    """The rows of one kind of layer: ratios to NumPy by hand, median (least)."""
    from comparison import HAND, SIZES

    found = {size: r for (size, *rest), r in results.items() if rest == [kind, dtype, threads]}
    names = list(dict.fromkeys(name for r in found.values() for name in r))
    lines = [f"### {kind.upper()}, {dtype}, {threads} thread{'s' * (threads > 1)}", "",
             "| | " + " | ".join(found) + " |", "| --- " + "| ---: " * len(found) + "|"]
    shown = ", ".join(f"{size}: B={B} T={T} H={H} V={V}" for size, (B, T, H, V) in SIZES.items()
                      if size in found)
    for name in names:
        cells = []
        for r in found.values():
            (median, least), (m, q) = r.get(name, (0, 0)), r[HAND]
            cells.append(f"1 = {m * 1e3:.3g} ms" if name == HAND else
                         f"{median / m:.2f} ({least / q:.2f})" if name in r else "")
        bold = "**" * name.startswith("ours")
        lines.append(f"| {bold}{name}{bold} | " + " | ".join(cells) + " |")
    return [*lines, "", shown, ""]


def main():
    from alone import measure
    from comparison import SIZES, rivals
    from plot import plot

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="".join(SIZES))
    parser.add_argument("--kinds", nargs="+", default=["rnn", "lstm", "gru"])
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--seconds", type=float, default=15.0, help="for each size")
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--keep", action="store_true", help="go on with what is there")
    given = parser.parse_args()
    combinations = list(itertools.product(given.kinds, given.dtypes, given.threads))
    results, lines = {}, [f"{date.today()}, {platform.machine()}, Python "
                          f"{platform.python_version()}. Ratios to NumPy by hand: median (least).",
                          ""]
    given.out.mkdir(parents=True, exist_ok=True)
    store = given.out / "benchmarks.json"
    known = json.loads(store.read_text(encoding="utf-8")) if given.keep and store.exists() else {}
    for kind, dtype, threads in combinations:
        for size in given.sizes:
            cell = f"{kind} {size} {dtype} {threads}"
            if cell not in known:
                known[cell] = measure(size, kind, dtype, threads, given.seconds)
                store.write_text(json.dumps(known, indent=1), encoding="utf-8")
            results[size, kind, dtype, threads] = known[cell]
        lines += table(results, kind, dtype, threads)
        print("\n".join(table(results, kind, dtype, threads)), flush=True)
    (given.out / "benchmarks.md").write_text("\n".join(lines), encoding="utf-8")
    first = {size: r for (size, *rest), r in results.items() if rest == list(combinations[0])}
    kind, dtype, threads = combinations[0]
    title = f"{kind.upper()}, {dtype}, {threads} thread{'s' * (threads > 1)}"
    (given.out / "benchmarks.svg").write_text(plot(first, list(rivals(kind)), title),
                                              encoding="utf-8")


if __name__ == "__main__":
    main()
