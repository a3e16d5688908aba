"""One small picture of every kind of view, each made anew when it is asked for."""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn

from . import graphs
from .models import MODELS


def windows(T=6, k1=2, k2=None, kind=nn.RNN):
    """The windows of a sequence, each after its backward, and their losses."""
    xs = np.random.default_rng(0).normal(size=(T, 2, 3))
    layer = kind(3, 2, return_sequences=True, seed=0)
    found, losses = [], []
    for window in tg.truncated_bptt(layer, xs, k1, k2):
        loss = nn.squared_error(window.outputs, np.zeros(window.outputs.shape))
        window.backward(loss)
        found.append(window)
        losses.append(loss.item())
    return found, losses


def truncated(*arguments):
    found, losses = windows(*arguments)
    return draw.truncated(found, losses=losses)


def wave(rows, columns):
    """A table of numbers that is the same on every machine."""
    return np.array([[round((7 * i + 3 * j) % 11 / 5 - 1, 3) for j in range(columns)]
                     for i in range(rows)])


def ledgers():
    flow = tg.gradient_flow(graphs.scalar_rnn(4))
    return [flow.ledger(x) for x in sorted((n for n in flow.incoming if n.is_leaf and n.name),
                                           key=lambda n: n.name)]


def opened():
    x = tg.Tensor([[1.0, -2.0]], name="x")
    W = tg.Tensor([[0.5, 1.0], [0.25, -1.0], [2.0, 0.0]], name="W", requires_grad=True)
    return tg.linear(x, W).named("z")


def slope():
    h = graphs.power(3)
    w = next(n for n in tg.nodes(h) if n.name == "w")
    return tg.grad(h, w, create_graph=True)


def odd(T):
    """A loop whose first step does something else."""
    w, h = tg.Value(0.5, name="w"), tg.Value(0.3, name="h0")
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = (tg.exp(w * h) if t == 1 else tg.tanh(w * h)).named("h")
    return h


SAID = 'He said "no (never)"\tand\n<b>&amp;</b> "yes".'

VIEWS = {
    "rolled": lambda: draw.rolled(graphs.layer(3)),
    "rolled_lstm": lambda: draw.rolled(graphs.layer(3, kind=nn.LSTM)),
    "rolled_both_ways": lambda: draw.rolled(graphs.both_ways(3)),
    "rolled_seq2seq": lambda: draw.rolled(graphs.seq2seq(3, "both")),
    "rolled_beside": lambda: draw.rolled(graphs.layer(2, many=False), unrolled=True),
    "cell_level": lambda: draw.unrolled(graphs.layer(3), level="cell"),
    "cell_level_deep": lambda: draw.unrolled(graphs.deep(3, nn.GRU), level="cell"),
    "layer_level": lambda: draw.unrolled(graphs.layer(3), level="layer"),
    "layer_level_seq2seq": lambda: draw.unrolled(graphs.seq2seq(3), level="layer"),
    "options": lambda: draw.unrolled(graphs.layer(2), theme="print", size=1.2, show=[
        "names", "shapes", "values", "gradients", "parameters"]),
    "api": lambda: draw.api(*MODELS["many to many"]()),
    "api_both_ways": lambda: draw.api(*MODELS["bidirectional"]()),
    "api_encoder_decoder": lambda: draw.api(*MODELS["both contexts"]()),
    "truncated": truncated,
    "truncated_again": lambda: truncated(6, 2, 3, nn.LSTM),
    "truncated_less": lambda: truncated(6, 3, 2),
    "truncated_plan": lambda: draw.truncated(7, k1=3, k2=4),
    "truncated_long": lambda: draw.truncated(600, k1=10),
    "heatmap": lambda: draw.heatmap(wave(3, 4), title="A table"),
    "heatmap_states": lambda: draw.heatmap(wave(20, 30).reshape(20, 1, 30), title="States"),
    "heatmap_binned": lambda: draw.heatmap(np.abs(wave(150, 400)), title="Large"),
    "heatmap_odd": lambda: draw.heatmap([[1, np.nan], [-np.inf, 0]], rows=["a", "b"]),
    "heatmap_ledgers": lambda: draw.heatmap(ledgers()),
    "text": lambda: draw.text(SAID, draw.inside_quotes(SAID) * 1.5 - 0.5, width=24),
    "text_cells": lambda: draw.text(SAID, {"quotes": draw.inside_quotes(SAID),
                                           "depth": draw.nesting(SAID) - 0.25}),
    "scalar": lambda: draw.scalar(graphs.neuron()),
    "scalar_rnn": lambda: draw.scalar(graphs.scalar_rnn(2)),
    "scalar_opened": lambda: draw.scalar(opened()),
    "backward_graph": lambda: draw.backward_graph(slope()),
}
