"""What it costs to keep every contribution: a flow beside a plain backward, and a table of
attributions beside T backward passes."""

import math
import time

import numpy as np
import pytest
from rivals import interleaved

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def program(T=100, B=8, H=32, cell=nn.RNN):
    rng = np.random.default_rng(0)
    layer = cell(16, H, seed=0, return_sequences=True)
    head = nn.Linear(H, 16, name="hy", seed=0)
    loss = nn.cross_entropy(head(layer(rng.normal(size=(T, B, 16)))), rng.integers(0, 16, (T, B)))
    return layer.cell.W_hh, loss


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_flow_costs_at_most_two_backward_passes(rows, cell):
    """Beside a plain backward, which gets past most of the nodes, as a flow does
    (`bptt/strides.py`); what one costs that goes through every node, since of each y_t the gradient
    is wanted, stands beside it. No work is put off until somebody looks: with the ledger of W_hh
    printed and the norms of all h_t it costs less than what was spent on the flow alone before."""
    layer_W, loss = program(cell=cell)
    _, other = program(cell=cell)
    other.operands[0].retain_grad()

    def looked():
        flow = tg.gradient_flow(loss, keep="norms")
        return str(flow.ledger(layer_W)), flow.norms("h")

    times = interleaved({"every node": other.backward, "plain": loss.backward,
                         "arrays": lambda: tg.gradient_flow(loss),
                         "norms": lambda: tg.gradient_flow(loss, keep="norms"),
                         "norms, ledger printed, all h_t": looked}, 31)
    for keep in ("arrays", "norms", "norms, ledger printed, all h_t"):
        title = f"flow, {keep}, {cell.__name__}, T=100, B=8, H=32"
        for beside in ("every node", "plain"):
            ratio = times[keep] / times[beside]
            bar = 2.0 if keep in ("arrays", "norms") else math.inf
            rows.append((title, f"{times[keep] * 1e3:.1f} ms",
                         f"backward, {beside} {times[beside] * 1e3:.1f} ms", ratio, bar))
    assert max(times["arrays"], times["norms"]) <= 2.0 * times["plain"]


def loop(T=100, B=8, I=16, H=32):
    """The same network, written as a loop: its plain backward goes through every node as well."""
    rng = np.random.default_rng(0)
    W_xh, W_hh, b, W_hy = (tg.Tensor(rng.normal(size=size) * 0.2, name=name, requires_grad=True)
                           for name, size in (("W_xh", (H, I)), ("W_hh", (H, H)), ("b_h", (H,)),
                                              ("W_hy", (I, H))))
    h, losses = tg.Tensor(np.zeros((B, H))), []
    for t in range(1, T + 1):
        with tg.timestep(t):
            x = tg.Tensor(rng.normal(size=(B, I)))
            h = np.tanh(tg.linear(x, W_xh) + tg.linear(h, W_hh) + b).named("h")
            losses.append(nn.cross_entropy(tg.linear(h, W_hy), rng.integers(0, I, B)))
    return sum(losses[1:], losses[0])


@pytest.mark.parametrize("keep", ["arrays", "norms"])
def test_a_flow_of_a_loop_costs_at_most_two_plain_backward_passes(rows, keep):
    loss = loop()
    times = interleaved({"plain": loss.backward, keep: lambda: tg.gradient_flow(loss, keep=keep)},
                        15)
    rows.append((f"flow, {keep}, loop by hand, T=100, B=8, H=32", f"{times[keep] * 1e3:.1f} ms",
                 f"backward {times['plain'] * 1e3:.1f} ms", times[keep] / times["plain"], 2.0))
    assert times[keep] <= 2.0 * times["plain"]


@pytest.mark.parametrize("keep", ["arrays", "norms"])
def test_recording_is_linear_in_the_number_of_steps(rows, keep):
    """Ten times the steps in at most thirteen times the time; CPU, since it takes seconds."""
    took = []
    for T in (2_000, 20_000):
        _, loss = program(T, B=1, H=8)
        start = time.process_time()
        flow = tg.gradient_flow(loss, keep=keep)
        took.append(time.process_time() - start)
        del flow
    ratio = took[1] / took[0] / 10
    rows.append((f"flow, {keep}, T=20,000, a step", f"{took[1] / 20_000 * 1e6:.0f} us",
                 f"T=2,000 {took[0] / 2_000 * 1e6:.0f} us", ratio, 1.3))
    assert ratio <= 1.3


def test_a_table_of_attributions_costs_less_than_a_backward_for_each_loss(rows):
    W, loss = program()
    losses, flow = list(loss.operands), tg.gradient_flow(loss)
    times = interleaved({"table": lambda: flow.attribution(W, losses),
                         "each": lambda: [tg.grad(x, W) for x in losses]}, 3)
    ratio = times["table"] / times["each"]
    rows.append(("attribution, T=100, B=8, H=32", f"{times['table'] * 1e3:.0f} ms",
                 f"100 gradients {times['each'] * 1e3:.0f} ms", ratio, 1.0))
    assert ratio <= 1.0
