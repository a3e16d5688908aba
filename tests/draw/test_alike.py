"""Of a long sequence a rolled view reads a few steps, and draws what it would if it read all."""

import importlib

import numpy as np
import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Value
from tinygrad_rnn.draw.alike import steps_to_read
from tinygrad_rnn.draw.options import window
from tinygrad_rnn.draw.unrolled import look

from . import graphs


def loop(T, odd=(), every=0, back=(), lag=1, late=()):
    """h_t = f(w h_{t-1}), and h_{t-lag}: at `odd` steps by another function, with a loss at every
    `every`-th step; at some steps, `back`, it also looks back to one of long ago. What `late` steps
    leave is used after the last one."""
    w, start, total = Value(0.5, name="w"), Value(0.3, name="h0"), 0
    states, after = [start] * lag, []
    for t in range(1, T + 1):
        with timestep(t):
            z = w * states[-1]
            if lag > 1:
                z = z + states[-lag]
            if t in dict(back):
                z = z + states[dict(back)[t]]
            states.append((ops.exp(z) if t in odd else ops.tanh(z)).named("h"))
            if every and t % every == 0:
                total = total + (states[-1] * states[-1]).named("L")
            if t in late:
                after.append(states[-1])
    for x in after:
        total = ops.tanh(x) * 2.0 + total
    return states[-1] + total


LONG = {
    "vanilla": graphs.vanilla, "many to one": lambda T: graphs.vanilla(T, losses="last"),
    "timed total": lambda T: graphs.vanilla(T, total="timed"), "LSTM": graphs.lstm,
    "GRU layer": lambda T: graphs.layer(T, kind=nn.GRU), "skipping": graphs.skipping,
    "both ways": graphs.both_ways, "both ways, last": lambda T: graphs.both_ways(T, many=False),
    "stacked": graphs.stacked, "deep": graphs.deep, "fed back": graphs.written,
    "steered": graphs.steered, "padded": graphs.padded, "transposed": graphs.transposed,
    "prepared": graphs.prepared, "around all": graphs.around_all, "scalars": graphs.scalar_rnn,
    "one odd step": lambda T: loop(T, odd={T // 2}), "two odd steps": lambda T: loop(T, {60, 160}),
    "every third step": lambda T: loop(T, every=3), "lag of 3": lambda T: loop(T, lag=3),
    "far back": lambda T: loop(T, back={T // 2: 5, T - 1: 100}),
    "used at the end": lambda T: loop(T, late=(40, T // 2)),
}


@pytest.mark.parametrize("name", LONG)
def test_a_few_steps_tell_the_same_as_all(name, monkeypatch):
    root = LONG[name](200)
    alike = steps_to_read(look(root, window("test"), "test"))
    assert alike is not None
    assert len(alike.seen) < 100
    few = draw.rolled(root)
    view = importlib.import_module("tinygrad_rnn.draw.rolled")
    monkeypatch.setattr(view, "steps_to_read", lambda found: None)
    assert few.svg() == draw.rolled(root).svg()


def test_where_every_step_is_another_all_are_read():
    random = np.random.default_rng(0)
    root = loop(300, odd={t for t in range(300) if random.random() < 0.5})
    assert steps_to_read(look(root, window("test"), "test")) is None
    assert draw.rolled(root)
