"""Switches belong to a thread or a task; an interrupt leaves all old gradients or all new ones."""

import asyncio
import gc
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import here, no_grad, scope, timestep
from tinygrad_rnn.core.values import Tensor, Value


def together(work, count=8):
    """Run `work(i)` in as many threads, which all start at once and take turns often."""
    barrier, interval = threading.Barrier(count), sys.getswitchinterval()

    def start(i):
        barrier.wait()
        return work(i)

    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(start, range(count)))
    finally:
        sys.setswitchinterval(interval)


def test_no_grad_in_one_thread_is_not_seen_in_another():
    def work(i):
        v, wrong = Value(1.0), 0
        for _ in range(1000):
            if i % 2:
                with no_grad():
                    wrong += (v * v).requires_grad
            else:
                wrong += not (v * v).requires_grad
        return wrong

    assert together(work) == [0] * 8
    assert here().recording


def test_fused_layers_and_wrong_gradients_of_a_thread_are_its_own():
    """One thread fuses, the next is wrong on purpose, the next is neither, and so on."""
    xs = np.random.default_rng(0).normal(size=(3, 2, 2))
    blocks = [tg.fused, lambda: tg.what_if("wrong sign"), lambda: scope("right")]

    def work(i):
        layer, fused, found = nn.RNN(2, 3, seed=0, return_sequences=True), set(), set()
        for _ in range(20):
            layer.zero_grad()
            with blocks[i % 3]():
                y = layer(xs)
                (y * y).sum().backward()
            fused.add(y.op.name == "sequence")
            found.add(tuple(layer.cell.W_hh.grad.ravel().round(12)))
        return fused, found

    results = together(work, 9)
    right = results[2][1]
    for i, (fused, found) in enumerate(results):
        assert fused == {i % 3 == 0}
        assert len(found) == 1
        assert (found == right) == (i % 3 != 1)


def test_steps_and_scopes_of_threads_do_not_mix():
    def work(i):
        wrong = 0
        for t in range(1000):
            with timestep(100 * i + t), scope(f"thread {i}"):
                v = Value(1.0) * 2.0
                wrong += (v.step, v.scope) != (100 * i + t, f"thread {i}")
        return wrong

    assert together(work) == [0] * 8
    assert (here().step, here().scope) == (None, "")


def test_one_decorated_function_in_many_threads():
    @no_grad()
    @timestep(7)
    @scope("shared")
    def f(v):
        y = v * v
        return (y.requires_grad, y.step, y.scope)

    def work(i):
        v = Value(1.0)
        inside = {f(v) for _ in range(300)}
        return inside == {(False, 7, "shared")} and (v * v).requires_grad

    assert together(work) == [True] * 8


def test_a_decorated_function_that_calls_itself():
    @timestep(3)
    def f(n):
        return f(n - 1) if n else (Value(1.0) * 1.0).step

    assert f(5) == 3
    assert here().step is None


def test_a_new_thread_starts_with_everything_on():
    with no_grad(), timestep(5):
        found = together(lambda i: ((Value(1.0) * 1.0).requires_grad, here().step), 2)
    assert found == [(True, None)] * 2


def test_async_tasks_do_not_leak():
    async def task(i):
        v, wrong = Value(1.0), 0
        for _ in range(50):
            if i % 2:
                with no_grad(), timestep(i):
                    await asyncio.sleep(0)
                    y = v * v
                    wrong += y.requires_grad or here().step != i
            else:
                await asyncio.sleep(0)
                wrong += not (v * v).requires_grad or here().step is not None
        return wrong

    async def main():
        return await asyncio.gather(*map(task, range(8)))

    assert asyncio.run(main()) == [0] * 8


def test_a_switch_is_left_by_an_exception():
    with pytest.raises(KeyError), no_grad(), scope("a"), timestep(1):
        raise KeyError
    assert (here().recording, here().scope, here().step) == (True, "", None)


def test_graphs_of_threads_give_the_right_gradients():
    def work(i):
        total = 0.0
        for _ in range(50):
            w = Value(1.0 + i)
            h = w
            for _ in range(20):
                h = h * w
            h.backward()
            total += abs(w.grad / (21 * (1.0 + i) ** 20) - 1.0) > 1e-12
        return total

    assert together(work) == [0.0] * 8


def network(kind, seed=0):
    """A fused layer, a head, and a loss of an input, with all that a thread can call its own."""
    layer = kind(4, 3, seed=seed, return_sequences=True, fused=True)
    head = nn.Linear(3, 5, "hy", seed=seed + 1)
    return layer, head, [*layer.parameters(), *head.parameters()]


def rounds(layer, head, i, train=None):
    """Some passes of thread i: what it sees, and what goes back to its inputs."""
    rng, found = np.random.default_rng(i), []
    for k in range(12):
        x = Tensor(rng.normal(size=(3 + k % 2, 2, 4)), requires_grad=True)
        h = layer(x)
        y = head(h)
        loss = nn.cross_entropy(y, rng.integers(5, size=y.shape[:-1]))
        loss.backward()
        found += [h.value.copy(), y.value.copy(), loss.value.copy(), x.grad]
        if train is None:
            found += [g.numpy() for g in tg.grad(loss, [*layer.parameters(), *head.parameters()])]
        else:
            train(found)
    return found


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_two_threads_with_a_fused_model_each(kind):
    def work(i):
        layer, head, parameters = network(kind, i)

        def train(found):
            found += [p.grad for p in parameters]  # held while the next pass goes on
            for p in parameters:
                p.data -= 0.1 * p.grad
                p.zero_grad()

        return rounds(layer, head, i, train)

    for found, alone in zip(together(work, 2), [work(i) for i in range(2)]):
        for a, b in zip(found, alone, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_two_threads_with_one_fused_model(kind):
    layer, head, _ = network(kind)
    alone = [rounds(layer, head, i) for i in range(2)]
    for found, expected in zip(together(lambda i: rounds(layer, head, i), 2), alone):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)


# --- interrupts -----------------------------------------------------------------------------------


def model():
    """A loss over several parameters, all of which already have a gradient."""
    rng = np.random.default_rng(0)
    W, V = (Tensor(rng.normal(size=(3, 3)), requires_grad=True) for _ in range(2))
    b, s = Tensor(np.zeros(3), requires_grad=True), Value(0.5)
    h = Tensor(np.ones((2, 3)))
    for _ in range(6):
        h = ops.tanh(ops.linear(h, W) + b) * s + ops.linear(h, V)
    parameters = [W, V, b, s]
    for p in parameters:
        p.grad = np.zeros(p.shape) if isinstance(p, Tensor) else 0.0
    return ops.sum_(h * h), parameters


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")
def test_interrupts_at_any_moment():
    """Real signals, which strike between any two instructions and not only at a new line."""
    loss, parameters = model()
    loss.backward()
    new = [np.array(p.grad) for p in parameters]

    def interrupt(number, frame):
        raise KeyboardInterrupt

    rng, outcomes = np.random.default_rng(0), set()
    old = signal.signal(signal.SIGALRM, interrupt)
    gc.disable()
    try:
        for _ in range(400):
            for p in parameters:
                p.grad = 0.0 * p.grad
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 1.2e-3))
                loss.backward()
                signal.setitimer(signal.ITIMER_REAL, 0.0)
            except KeyboardInterrupt:
                pass
            changed = [bool(np.any(p.grad != 0)) for p in parameters]
            assert len(set(changed)) == 1
            outcomes.add(changed[0])
            if changed[0]:
                assert all(np.array_equal(p.grad, g) for p, g in zip(parameters, new))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, old)
        gc.enable()
    assert outcomes


def test_a_hook_that_fails_leaves_the_old_gradients():
    loss, parameters = model()
    calls = []

    def hook(g):
        calls.append(g)
        raise RuntimeError("no")

    parameters[-1].register_hook(hook)  # a leaf's hook: it runs when all the rest is known
    with pytest.raises(RuntimeError, match="no"):
        loss.backward()
    assert len(calls) == 1
    assert all(not np.any(p.grad) for p in parameters)
