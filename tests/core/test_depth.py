"""Long programs: nothing recurses, time per node stays flat, histories are freed on any Python."""

import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops, walk
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Tensor, Value

ROOT = Path(__file__).parents[2]


def chain(n):
    """w used n times in a row, one multiplication a step."""
    w = Value(1.0, name="w")
    h = w
    for _ in range(n):
        h = h * w
    return w, h


def recurrence(steps, hidden=2, batch=1):
    """An unrolled tanh RNN with an input at every step."""
    rng = np.random.default_rng(0)
    W = Tensor(rng.normal(size=(hidden, hidden)) * 0.5, name="W_hh", requires_grad=True)
    b = Tensor(np.zeros(hidden), name="b_h", requires_grad=True)
    x = Tensor(rng.normal(size=(batch, hidden)), name="x")
    h = Tensor(np.zeros((batch, hidden)))
    for t in range(1, steps + 1):
        with timestep(t):
            h = ops.tanh(ops.linear(h, W) + x + b).named("h")
    return W, h


def test_a_chain_of_a_million_scalars():
    w, h = chain(1_000_000)
    h.backward()
    assert w.grad == 1_000_001.0
    gone = weakref.ref(h)
    del h
    assert gone() is None


def test_a_recurrence_of_a_hundred_thousand_steps():
    W, h = recurrence(100_000)
    loss = ops.sum_(h * h)
    loss.backward()
    assert np.isfinite(W.grad).all()
    assert np.any(W.grad != 0)
    gone = weakref.ref(h)
    del h, loss
    assert gone() is None


@pytest.fixture
def shallow():
    """A stack that has room for very few more calls."""
    limit, depth, frame = sys.getrecursionlimit(), 0, sys._getframe()
    while frame := frame.f_back:
        depth += 1
    sys.setrecursionlimit(depth + 60)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("shallow")
def test_nothing_recurses_over_scalars():
    w, h = chain(3000)
    h.backward()
    assert grad(h, w, create_graph=True).item() == 3001.0
    assert len(gradient_flow(h).ledger(w).rows) == 3002  # and what was carried in
    assert len(walk.nodes(h)) == 3001
    assert len(walk.edges(h)) == 6000
    assert len(walk.uses(h, w)) == 3001
    assert len(walk.path(w, h)) >= 2
    assert "Value" in repr(h)
    walk.release(h)


@pytest.mark.usefixtures("shallow")
def test_nothing_recurses_over_tensors():
    W, h = recurrence(1000)
    loss = ops.sum_(h * h)
    loss.backward()
    g = grad(loss, W, create_graph=True)
    ops.sum_(g * g).backward()
    flow = gradient_flow(loss)
    assert len(flow.norms("h")) == 1000
    assert len(flow.ledger(W)) == 1001  # and what was carried in
    joined = h
    for _ in range(500):
        joined = ops.concatenate(h, h, joined)
    joined.backward(np.ones(joined.shape))
    walk.release(loss, joined)


def seconds_per_node(make, size):
    """The best of three: building, backward and freeing, divided by the size."""
    best = []
    for _ in range(3):
        start = time.perf_counter()
        _, h = make(size)
        h.backward(np.ones(np.shape(h.value)))
        del h
        best.append((time.perf_counter() - start) / size)
    return min(best)


@pytest.mark.parametrize(("make", "small", "large"),
                         [(chain, 2000, 80_000), (recurrence, 300, 10_000)])
def test_time_per_node_is_flat(make, small, large):
    """A quadratic step anywhere would make it 30 to 50; the collector's share makes it 1.2 to 2."""
    ratios = []
    for _ in range(3):
        ratios.append(seconds_per_node(make, large) / seconds_per_node(make, small))
        if ratios[-1] < 2.5:
            return
    pytest.fail(f"a node in a long program takes {min(ratios):.1f} times as long as in a short one")


def test_a_flow_is_flat_too():
    def run(steps):
        start = time.perf_counter()
        W, h = recurrence(steps)
        flow = gradient_flow(ops.sum_(h))
        total = flow.ledger(W).total
        assert total.shape == (2, 2)
        return (time.perf_counter() - start) / steps
    assert min(run(8000) for _ in range(2)) < 4 * min(run(500) for _ in range(4))


# --- freeing --------------------------------------------------------------------------------------

PROGRAMS = """
    import sys, threading
    import numpy as np
    from tinygrad_rnn.core import ops
    from tinygrad_rnn.core.gradients import grad
    from tinygrad_rnn.core.values import Tensor, Value
    import weakref
    from tinygrad_rnn.bptt.flow import gradient_flow

    N = 10_000

    def scalars():
        h = Value(1.0)
        for _ in range(N):
            h = h * 1.0
        return h

    def tensors():
        h = Tensor(np.ones(2), requires_grad=True)
        for _ in range(N):
            h = h + 1.0
        return h

    def variadic():
        h, x = Tensor(np.ones(1), requires_grad=True), np.zeros(0)
        for _ in range(N // 5):
            h = ops.concatenate(x, x, h)
        return h

    def diamonds():
        h = Value(0.0)
        for _ in range(N // 3):
            h = h * h + h
        return h

    def second_order():
        x = Value(1.0)
        h = x
        for _ in range(N // 10):
            h = h * x
        return grad(h, x, create_graph=True)

    def dropped(make):
        h = make()
        ref = weakref.ref(h)
        del h
        assert ref() is None

    def used(make):
        h = make()
        h.backward(np.ones(np.shape(h.value)))
        ref = weakref.ref(h)
        del h
        assert ref() is None

    def kept_flow(make):
        h = make()
        flow = gradient_flow(h, np.ones(np.shape(h.value)))
        del h, flow

    def interrupted(make):
        try:
            h = make()
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass

    def everything():
        for make in (scalars, tensors, variadic, diamonds, second_order):
            for way in (dropped, used, kept_flow, interrupted):
                way(make)
        done.append(True)

    def chain(n):
        w = Value(1.0)
        h = w
        for _ in range(n):
            h = h * w
        h.backward()
        assert w.grad == n + 1
        ref = weakref.ref(h)
        del h
        assert ref() is None

    chain(LONG)
    done = []
    for stack in STACKS:
        threading.stack_size(stack * 1024)
        thread = threading.Thread(target=everything)
        thread.start()
        thread.join()
    everything()
    assert len(done) == len(STACKS) + 1
    print("freed", sys.version_info[:3])
"""


def pythons():
    """This interpreter, and the others there are: on PATH, or listed in TINYGRAD_RNN_PYTHONS."""
    named = os.environ.get("TINYGRAD_RNN_PYTHONS", "").split(os.pathsep)
    others = [f"python3.{minor}" for minor in range(11, 16) if minor != sys.version_info.minor]
    found = [shutil.which(name) for name in (*named, *others) if name]
    return [sys.executable, *(path for path in found if path)]


def version_with_numpy(python):
    """What `python` calls itself, or '' if it cannot import numpy."""
    probe = "import numpy, sys; print(sys.version_info[:2])"
    return subprocess.run([python, "-c", probe], capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("python", pythons(), ids=lambda path: Path(path).name)
def test_a_long_history_is_freed(python):
    """In the main thread and in one with a stack of 256 KB, where CPython 3.13 would overflow."""
    if not version_with_numpy(python):
        pytest.skip(f"{Path(python).name} has no numpy")
    longest = 1000 if python == sys.executable else 1_000_000  # here, the test at the top
    program = f"STACKS, LONG = [256], {longest}\n" + textwrap.dedent(PROGRAMS)
    run = subprocess.run([python, "-W", "error", "-c", program], capture_output=True, text=True,
                         cwd=ROOT, timeout=120)
    assert run.returncode == 0, f"exit code {run.returncode}\n{run.stderr[-2000:]}"
    assert run.stdout.startswith("freed")
    assert run.stderr == ""


def test_taking_a_history_apart_in_a_loop():
    """The cure for 3.13, tried on every version: it frees what nobody else holds, and only that."""
    from tinygrad_rnn.core.freeing import dismantle

    w, h = chain(1000)
    middle = h
    for _ in range(500):
        middle = middle.a
    below = weakref.ref(middle.a.a)
    above = weakref.ref(h.a.a)
    top = h
    dismantle(top)
    assert (top.a, top.b) == (None, None)
    assert above() is None  # gone: only the chain held it
    assert below() is not None  # held by `middle`, whose history is whole
    middle.backward()
    assert w.grad == 501.0


def test_taking_a_half_made_node_apart():
    from tinygrad_rnn.core.freeing import dismantle

    dismantle(object.__new__(Value))


def test_a_history_in_a_thread_of_its_own():
    result = []

    def run():
        w, h = chain(20_000)
        h.backward()
        del h
        result.append(w.grad)

    threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)
    assert result == [20_001.0]
