"""Models to be played, and what their pages are told."""

import json
import re

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def hello(T=4, seed=0, hidden=3):
    rnn = nn.RNN(4, hidden, return_sequences=True, seed=seed)
    head = nn.Linear(hidden, 4, name="hy", seed=1)
    inputs = np.eye(4)[np.arange(T) % 4]
    loss = nn.cross_entropy(head(rnn(inputs)), (np.arange(T) + 1) % 4)
    return loss, rnn, head


def scalar(T=3):
    w, h, total = tg.Value(0.2, name="w"), tg.Value(0.9, name="x0"), 0
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(w * h).named("h")
            total = total + ((h - 0.5) ** 2).named("L")
    return total, w


def told(page):
    text = re.search(r'<script id="film"[^>]*>(.*?)</script>', page.html(), re.S)[1]
    return json.loads(text.replace("1e999", "Infinity"))


def added(film, name, groups=None, step=None):
    """What a node receives in the end: the sum of its uses over the given groups of terms."""
    x = next(i for i, node in enumerate(film["nodes"])
             if node["name"] == name and (step is None or node["step"] == step))
    uses = [use for use in film["uses"] if use["x"] == x]
    parts = [np.array(v) for use in uses for group, v in use["parts"]
             if groups is None or group in groups or group < 0]
    return sum(parts), uses


def rows(steps=4, batch=2, size=4, seed=0):
    """A sequence (T, B, I)."""
    return np.random.default_rng(seed).normal(size=(steps, batch, size))


def priced(layer, T=4, **call):
    """A layer, a head and a loss at every step."""
    y = layer(rows(T), **call)
    classes = np.arange(2 * T).reshape(T, 2) % 3
    return nn.cross_entropy(nn.Linear(y.shape[-1], 3, name="hy", seed=1)(y), classes)


def rnn(size=4, seed=0):
    return nn.RNN(size, 3, return_sequences=True, seed=seed)


def both_ways(size=4, seed=0):
    return nn.Bidirectional(rnn(size, seed))


def encoder_decoder(T=4):
    model = nn.EncoderDecoder(nn.RNN(4, 3, seed=0), nn.RNN(2, 3, seed=0),
                              head=nn.Linear(3, 2, seed=0), seed=0)
    y = model(rows(T), rows(T, 2, 2))
    return nn.squared_error(y, np.zeros(y.shape))


def by_hand(T=4):
    """No step is marked."""
    w, u = tg.Value(0.5, name="w"), tg.Value(0.3, name="u")
    h, total = tg.Value(0.1, name="h0", requires_grad=False), 0
    for t in range(T):
        h = tg.tanh(w * h + u * (t + 1.0))
        total = total + (h - 0.5) ** 2
    return total


KINDS = {
    "vanilla": lambda T: priced(rnn(), T),
    "lstm": lambda T: priced(nn.LSTM(4, 3, return_sequences=True, seed=0), T),
    "gru": lambda T: priced(nn.GRU(4, 3, return_sequences=True, seed=0), T),
    "fused": lambda T: priced(nn.GRU(4, 3, return_sequences=True, seed=0, fused=True), T),
    "stacked": lambda T: priced(nn.Stacked([rnn(), rnn(3, 1)]), T),
    "both ways": lambda T: priced(both_ways(), T),
    "both ways, twice": lambda T: priced(nn.Stacked([both_ways(), both_ways(6, 1)]), T),
    "masked": lambda T: priced(rnn(), T, mask=np.arange(T)[:, None] < [T, T - 2]),
    "many to one": lambda T: nn.cross_entropy(
        nn.Linear(3, 3, name="hy", seed=1)(nn.RNN(4, 3, seed=0)(rows(T))), np.array([1, 2])),
    "encoder-decoder": encoder_decoder,
    "scalar": lambda T: scalar(T)[0],
    "by hand": by_hand,
}
