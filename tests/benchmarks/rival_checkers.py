"""The same planted bugs, given to other gradient checkers with their defaults.

    python tests/benchmarks/rival_checkers.py [seeds] [first seed] [file for the rows]

prints a table, in Markdown, with the versions. With a file, every answer is kept there, and the
table is of all that the file holds: a long comparison may be run in parts.

Each is asked about the same forward and the same hand-written backward, wrapped the way its manual
says. Those that are not installed are left out. Where a library returns a number and no verdict the
usual reading of it is applied: below 1e-6 of the gradient for scipy, a relative error of at most
1e-7 for CS231n (its notes: "1e-7 or less: happy").
"""

import importlib.metadata
import importlib.util
import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "testing"))

import matrix
import zoo

from tinygrad_rnn.testing import check_backward


def ours(m, bug, seed):
    """check_backward: true unless it is sure that something is wrong, or cannot tell."""
    return check_backward(m.forward, m.backward(bug), m.inputs, seed=seed, localise=False).verdict


def torch_slow(m, bug, seed, fast=False):
    """torch.autograd.gradcheck of a Function with a hand-written backward."""
    import torch

    names = list(m.inputs)

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *xs):
            ctx.save_for_backward(*xs)
            p = {n: x.detach().numpy() for n, x in zip(names, xs)}
            return torch.tensor(float(m.forward(p)), dtype=torch.float64)

        @staticmethod
        def backward(ctx, g):
            p = {n: x.detach().numpy() for n, x in zip(names, ctx.saved_tensors)}
            d = m.back(p, bug)
            return tuple(g * torch.tensor(d[n]) for n in names)

    xs = [torch.tensor(m.inputs[n], requires_grad=True) for n in names]
    return torch.autograd.gradcheck(Function.apply, xs, raise_exception=False, fast_mode=fast)


def torch_fast(m, bug, seed):
    """The same with fast_mode=True."""
    return torch_slow(m, bug, seed, fast=True)


def jax_check(m, bug, seed):
    """jax.test_util.check_grads of a custom_vjp, in float64."""
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    shapes = {n: jax.ShapeDtypeStruct(x.shape, x.dtype) for n, x in m.inputs.items()}
    plain = lambda p: {n: np.asarray(x) for n, x in p.items()}

    @jax.custom_vjp
    def f(p):
        return jax.pure_callback(lambda p: np.float64(m.forward(plain(p))),
                                 jax.ShapeDtypeStruct((), np.float64), p)

    def back(p, g):
        d = jax.pure_callback(lambda p: m.back(plain(p), bug), shapes, p)
        return (jax.tree.map(lambda x: g * x, d),)

    f.defvjp(lambda p: (f(p), p), back)
    try:
        check_grads(f, (m.inputs,), order=1, modes=["rev"])
    except AssertionError:
        return False
    return True


def hips(m, bug, seed):
    """autograd.test_util.check_grads of a primitive."""
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    names = list(m.inputs)
    f = primitive(lambda *xs: m.forward(dict(zip(names, xs))))
    defvjp(f, *(lambda y, *xs, n=n: lambda g: g * m.back(dict(zip(names, xs)), bug)[n]
                for n in names))
    np.random.seed(seed)  # noqa: NPY002  (it draws its direction from NumPy's global state)
    try:
        check_grads(f, tuple(range(len(names))), modes=["rev"], order=1)(*m.inputs.values())
    except AssertionError:
        return False
    return True


def flat(m, bug):
    """Forward and backward as functions of one vector."""
    names = list(m.inputs)
    ends = np.cumsum([m.inputs[n].size for n in names])[:-1]

    def parts(x):
        return {n: part.reshape(m.inputs[n].shape) for n, part in zip(names, np.split(x, ends))}

    return (lambda x: float(m.forward(parts(x))),
            lambda x: np.concatenate([m.back(parts(x), bug)[n].ravel() for n in names]),
            np.concatenate([m.inputs[n].ravel() for n in names]))


def scipy_check(m, bug, seed):
    """scipy.optimize.check_grad: the norm of the difference, read beside that of the gradient."""
    from scipy.optimize import check_grad

    f, g, x = flat(m, bug)
    return check_grad(f, g, x) <= 1e-6 * max(np.linalg.norm(g(x)), 1.0)


def cs231n(m, bug, seed):
    """The course's way: central differences with h = 1e-5, and the largest relative error."""
    f, g, x = flat(m, bug)
    numeric = np.empty_like(x)
    for i in range(x.size):
        e = np.zeros_like(x)
        e[i] = 1e-5
        numeric[i] = (f(x + e) - f(x - e)) / 2e-5
    analytic = g(x)
    scale = np.maximum(1e-8, np.abs(analytic) + np.abs(numeric))
    return np.max(np.abs(analytic - numeric) / scale) <= 1e-7


CHECKERS = {"tinygrad_rnn": (ours, "numpy"), "torch gradcheck": (torch_slow, "torch"),
            "torch gradcheck, fast": (torch_fast, "torch"), "jax check_grads": (jax_check, "jax"),
            "HIPS check_grads": (hips, "autograd"), "scipy check_grad": (scipy_check, "scipy"),
            "CS231n rel_error": (cs231n, "numpy")}


def rows(seeds, bugs=tuple(zoo.BUGS)):
    """(checker, regime, seed, bug or None, verdict, seconds) of every check."""
    present = {c: f for c, (f, needs) in CHECKERS.items() if importlib.util.find_spec(needs)}
    for seed in seeds:
        for regime in zoo.REGIMES:
            m = zoo.model(seed, regime)
            m.memory = {}
            right = m.back(m.inputs)
            for bug in (None, *bugs):
                effect = zoo.effect(right, m.back(m.inputs, bug)) if bug else 1.0
                for name, check in present.items() if effect >= matrix.VISIBLE else ():
                    begin = time.process_time()
                    verdict = check(m, bug, seed)
                    verdict = verdict if isinstance(verdict, str) else "pass" if verdict else "FAIL"
                    yield name, regime, seed, bug, verdict, time.process_time() - begin


def table(found):
    """In Markdown: false alarms and missed bugs in every regime."""
    lines = ["| checker | " + " | ".join(zoo.REGIMES) + " | ms a check |",
             "| --- |" + " --- |" * (len(zoo.REGIMES) + 1)]
    for name in [c for c in CHECKERS if any(r[0] == c for r in found)]:
        mine = [r for r in found if r[0] == name]
        cells = []
        for regime in zoo.REGIMES:
            good = Counter(r[4] for r in mine if r[1] == regime and r[3] is None)
            bad = Counter(r[4] for r in mine if r[1] == regime and r[3] is not None)
            n, N = good.total(), bad.total()
            unsure, unclear = (c.total() - c["pass"] - c["FAIL"] for c in (good, bad))
            more = f"; unsure {unsure}/{n}, {unclear}/{N}" if unsure + unclear else ""
            cells.append(f"{good['FAIL']}/{n}, {bad['pass']}/{N}{more}")
        lines.append(f"| {name} | " + " | ".join(cells)
                     + f" | {1e3 * np.mean([r[5] for r in mine]):.0f} |")
    return "\n".join(lines)


def versions():
    """What was asked."""
    names = ("numpy", "torch", "jax", "autograd", "scipy")
    return ", ".join(f"{n} {importlib.metadata.version(n)}" for n in names
                     if importlib.util.find_spec(n))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    kept = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    found = [json.loads(x) for x in kept.read_text().splitlines()] if kept and kept.exists() else []
    for row in rows(range(first, first + count)):
        found.append(row)
        if kept:
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    print(table(found))
    print(f"{len(found)} checks, {len({r[2] for r in found})} seeds; {versions()}")
