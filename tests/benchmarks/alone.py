"""One measurement in a process of its own: the number of threads is set before anything is loaded.

    python tests/benchmarks/alone.py '{"size": "a", "kind": "rnn", ...}'

prints the median and the least seconds of each rival in each run, as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]


def environment(threads):
    """The variables of a process in which nothing uses more threads, JAX included."""
    counts = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
                           str(threads))
    eigen = "true" if threads > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
    return {**os.environ, **counts, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


def measure(size, kind, dtype, threads, seconds, only=None):
    """Name -> (median, least) seconds of a training step, of all rivals or of those in `only`."""
    return measure_again(1, size, kind, dtype, threads, seconds, only)[0]


def measure_again(runs, size, kind, dtype, threads, seconds, only=None):
    """The same several times, in one process: a list."""
    settings = {"size": size, "kind": kind, "dtype": dtype, "threads": threads, "seconds": seconds,
                "only": only, "runs": runs}
    run = subprocess.run([sys.executable, __file__, json.dumps(settings)],
                         env=environment(threads), capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{kind} {size}, {dtype}:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def main(settings):
    """The measurement itself."""
    threads, runs = settings.pop("threads"), settings.pop("runs")
    if threads == 1 and hasattr(os, "sched_setaffinity"):  # JAX has a second thread whatever it is
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # told: one core for everyone
    from comparison import compare, installed

    if installed("torch"):
        import torch
        torch.set_num_threads(threads)
    found = [{name: [statistics.median(t), min(t)]
              for name, t in compare(**settings, check=run == 0).items()} for run in range(runs)]
    print(json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
