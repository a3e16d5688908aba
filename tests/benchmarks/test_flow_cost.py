"""What it costs to keep every contribution: a flow beside a plain backward, and a table of
attributions beside T backward passes."""

import numpy as np
from rivals import interleaved

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def program(T=100, B=8, H=32):
    rng = np.random.default_rng(0)
    layer = nn.RNN(16, H, seed=0, return_sequences=True)
    head = nn.Linear(H, 16, name="hy", seed=0)
    loss = nn.cross_entropy(head(layer(rng.normal(size=(T, B, 16)))), rng.integers(0, 16, (T, B)))
    return layer.cell.W_hh, loss


def test_a_flow_of_norms_costs_at_most_two_backward_passes(rows):
    """Passes that go through every node, as a flow does: a plain one gets past most of them."""
    _, loss = program()
    loss.operands[0].retain_grad()
    times = interleaved({"plain": loss.backward, "arrays": lambda: tg.gradient_flow(loss),
                         "norms": lambda: tg.gradient_flow(loss, keep="norms")}, 15)
    for keep in ("arrays", "norms"):
        ratio = times[keep] / times["plain"]
        rows.append((f"flow, {keep}, T=100, B=8, H=32", f"{times[keep] * 1e3:.1f} ms",
                     f"backward {times['plain'] * 1e3:.1f} ms", ratio, 2.0))
        assert ratio <= 2.0


def test_a_table_of_attributions_costs_less_than_a_backward_for_each_loss(rows):
    W, loss = program()
    losses, flow = list(loss.operands), tg.gradient_flow(loss)
    times = interleaved({"table": lambda: flow.attribution(W, losses),
                         "each": lambda: [tg.grad(x, W) for x in losses]}, 3)
    ratio = times["table"] / times["each"]
    rows.append(("attribution, T=100, B=8, H=32", f"{times['table'] * 1e3:.0f} ms",
                 f"100 gradients {times['each'] * 1e3:.0f} ms", ratio, 1.0))
    assert ratio <= 1.0
