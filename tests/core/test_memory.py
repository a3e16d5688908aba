"""No reference cycles: with the collector off, nothing of a graph outlives its last user."""

import gc
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops, walk
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.graph import Node
from tinygrad_rnn.core.place import no_grad, record_sites, scope, timestep
from tinygrad_rnn.core.values import Tensor, Value


@pytest.fixture(autouse=True)
def collector_off():
    gc.collect()
    gc.disable()
    before = {id(x) for x in gc.get_objects() if isinstance(x, Node)}
    yield
    left = [x for x in gc.get_objects() if isinstance(x, Node) and id(x) not in before]
    gc.enable()
    assert left == []


def scalars():
    w, h = Value(0.7, name="w"), Value(0.1)
    for t in range(20):
        with timestep(t), scope("cell"):
            h = ops.tanh(w * h + h * h).named("h")
    return w, h


def tensors():
    W = Tensor(np.full((3, 3), 0.2), name="W", requires_grad=True)
    x = Tensor(np.ones((2, 3)))
    h = x
    for t in range(20):
        with timestep(t):
            h = ops.concatenate(ops.tanh(ops.linear(h, W.T) + x)[0:1], x[[1]], axis=0)
    return W, ops.sum_(h * h)


def alive(*references):
    return [r() for r in references if r() is not None]


@pytest.mark.parametrize("program", [scalars, tensors])
def test_dropped_at_once(program):
    w, loss = program()
    watch = [weakref.ref(n) for n in walk.nodes(loss) if n is not w]
    assert len(watch) > 40
    del loss
    assert alive(*watch) == []


@pytest.mark.parametrize("program", [scalars, tensors])
def test_dropped_after_backward(program):
    w, loss = program()
    loss.backward()
    loss.backward()
    watch = [weakref.ref(n) for n in walk.nodes(loss) if n is not w]
    del loss
    assert alive(*watch) == []


@pytest.mark.parametrize("program", [scalars, tensors])
def test_a_flow_keeps_the_graph_and_lets_it_go(program):
    w, loss = program()
    watch = [weakref.ref(n) for n in walk.nodes(loss) if n is not w]
    flow = gradient_flow(loss)
    ledger = flow.ledger(w)
    str(ledger), flow.norm(w)
    del loss
    assert len(alive(*watch)) == len(watch)
    del flow, ledger
    assert alive(*watch) == []


@pytest.mark.parametrize("program", [scalars, tensors])
def test_dropped_after_second_order(program):
    w, loss = program()
    g = grad(loss, w, create_graph=True)
    gg = grad(g if g.is_scalar else ops.sum_(g * g), w, create_graph=True)
    watch = [weakref.ref(n) for n in walk.nodes(gg) if n is not w]
    del loss, g, gg
    assert alive(*watch) == []


def test_dropped_after_hooks_and_retained_gradients():
    _, loss = scalars()
    for node in walk.nodes(loss):
        node.retain_grad()
        node.register_hook(lambda g: None)
    del node
    loss.backward()


def failing_shapes():
    W, loss = tensors()
    ops.linear(loss * np.ones((2, 7)), W)


def failing_scalar():
    w, h = scalars()
    ops.matmul(h * w, 2.0)


def failing_hook():
    _, loss = scalars()

    def hook(g):
        raise RuntimeError("a hook that fails")

    walk.nodes(loss)[20].register_hook(hook)
    loss.backward()


def failing_backward():
    _, loss = tensors()
    walk.release(loss)
    (loss * 2.0).backward()


def failing_stale():
    w, loss = scalars()
    w.data = 2.0
    gradient_flow(loss)


@pytest.mark.parametrize("program", [
    failing_shapes, failing_scalar, failing_hook, failing_backward, failing_stale])
def test_dropped_by_an_exception(program):
    with pytest.raises((ValueError, TypeError, RuntimeError)) as info:
        program()
    assert str(info.value)
    del info


def test_an_unfinished_walk_is_dropped():
    from tinygrad_rnn.core.backprop import Totals, contributions

    _, loss = scalars()
    edges = contributions(Totals([(loss, 1.0)]))
    next(edges)
    watch = weakref.ref(loss)
    del edges, loss
    assert watch() is None


def test_no_grad_and_detach_hold_no_history():
    _, loss = scalars()
    watch = weakref.ref(loss)
    kept = loss.detach()
    with no_grad():
        other = loss * 2.0
    del loss
    assert watch() is None
    assert (kept.operands, other.operands) == ((), ())


def test_released_nodes_hold_no_history():
    w, loss = scalars()
    watch = [weakref.ref(n) for n in walk.nodes(loss) if n is not w and n is not loss]
    walk.release(loss)
    assert alive(*watch) == []
    assert loss.operands == ()


def test_sites_are_text_and_not_frames():
    with record_sites():
        _, loss = scalars()
    assert isinstance(loss.site, str)


def bytes_a_node(program, count):
    """What `program()` leaves allocated, divided by a number of nodes."""
    program()
    tracemalloc.start()
    try:
        kept = program()
        size = tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
    del kept
    return size


def test_a_scalar_node_is_small():
    """Slots only: a tuple or a dict per node would be seen here (and by the collector)."""
    def program():
        w = h = Value(0.5)
        for _ in range(1000):
            h = h * w
        return h

    assert bytes_a_node(program, 1000) <= 230
    assert len(gc.get_referents(program())) > 0
    assert not hasattr(program(), "__dict__")


def test_many_nodes_leave_nothing_in_the_allocator():
    def program():
        h = Value(0.5)
        for _ in range(100_000):
            h = h * 1.0
        h.backward()

    program()
    before = sys.getallocatedblocks()
    program()
    assert sys.getallocatedblocks() - before < 100


def joined_steps(T):
    w = Tensor(np.ones(2), name="w", requires_grad=True)
    return w, ops.stack(*[w * 1.0 for _ in range(T)])


def test_a_node_of_many_operands_has_no_object_for_each():
    """Two tuples, of nodes and of arrays: the collector looks at all nodes anyway."""
    T = 400
    _, joined = joined_steps(T)
    before = len(gc.get_objects())
    again = ops.stack(*joined.operands)
    assert len(gc.get_objects()) - before < 20
    assert [x for x, _ in again.rest] == list(joined.operands[2:])
    assert (again.arity, len(again.values)) == (T, T)


def loop_by_hand(T):
    w, h = Tensor(np.full((2, 2), 0.3), requires_grad=True), Tensor(np.ones((1, 2)))
    for _ in range(T):
        h = ops.tanh(ops.linear(h, w) + h)
    return h


@pytest.mark.parametrize("program", [
    lambda T: joined_steps(T)[1], lambda T: ops.sum_(joined_steps(T)[1]), loop_by_hand])
def test_the_way_back_makes_no_object_for_each_operand(program):
    """What the collector counts: objects of its own made and not yet gone, at any moment."""
    T, most = 3000, []
    root = program(T)

    def watch(phase, info):
        most.append(info["generation"])

    threshold = gc.get_threshold()
    gc.collect()
    gc.callbacks.append(watch)
    try:
        gc.set_threshold(T // 2, 1000, 1000)
        gc.enable()
        root.backward(np.ones(root.shape))
    finally:
        gc.disable()
        gc.callbacks.remove(watch)
        gc.set_threshold(*threshold)
    assert most == []
