"""Graphs of many kinds to draw: recurrences by hand and by the layers, scalars, no time at all."""

import itertools

import numpy as np

from tinygrad_rnn import nn
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import scope, timestep
from tinygrad_rnn.core.values import Tensor, Value


def maker(seed=1):
    """A function that makes parameters of a name and shape, and the generator behind it."""
    rng = np.random.default_rng(seed)

    def make(name, *shape):
        return Tensor(rng.normal(size=shape) / np.sqrt(shape[-1]), name=name, requires_grad=True)

    return make, rng


def vanilla(T=4, losses="each", total="chain", bias=True, gain=1.0, H=3, steady=False):
    """h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h), y_t = W_hy h_t + b_y, a loss at each step or the
    last; the total a chain of + without steps ("chain") or made step by step ("timed"). With
    `steady` inputs soon all steps have the same numbers."""
    make, rng = maker(0)
    W_xh, W_hh, W_hy = make("W_xh", H, 2), make("W_hh", H, H), make("W_hy", 2, H)
    W_hh.data *= gain
    b_h, b_y = make("b_h", H), make("b_y", 2)
    h, terms, running = Tensor(np.zeros((1, H)), name="h0"), [], None
    for t in range(1, T + 1):
        with timestep(t):
            x = Tensor(np.ones((1, 2)) if steady else rng.normal(size=(1, 2)), name="x")
            z = ops.linear(x, W_xh) + ops.linear(h, W_hh)
            h = ops.tanh(z + b_h if bias else z).named("h")
            if losses == "each" or t == T:
                y = ops.linear(h, W_hy)
                y = (y + b_y if bias else y).named("y")
                terms.append(ops.sum_(y * y).named("L"))
                running = terms[-1] if running is None else running + terms[-1]
    if total == "timed":
        return running
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def layer(T=4, many=True, kind=nn.RNN):
    """The layers: a recurrent one, nn.Linear, cross-entropy."""
    rng = np.random.default_rng(0)
    rnn, head = kind(5, 3, seed=0, return_sequences=many), nn.Linear(3, 5, name="hy", seed=1)
    classes = rng.integers(0, 5, size=(T, 2))
    y = head(rnn(rng.normal(size=(T, 2, 5))))
    return nn.cross_entropy(y, classes if many else classes[-1])


def power(T=3):
    """x_T = w^T x_0: one weight, used T times."""
    w, h = Value(0.2, name="w"), Value(0.9, name="x0")
    for t in range(1, T + 1):
        with timestep(t):
            h = (w * h).named("h")
    return h


def scalar_rnn(T=3):
    """An RNN of single numbers, its loss added up as it goes."""
    w, u, b = Value(0.5, name="w"), Value(0.3, name="u"), Value(0.1, name="b")
    h, total = Value(0.0, name="h0", requires_grad=False), 0
    for t in range(1, T + 1):
        with timestep(t):
            x = Value(float(t), name="x", requires_grad=False)
            h = ops.tanh(w * h + u * x + b).named("h")
            total = total + ((h - 0.5) ** 2).named("L")
    return total


def neuron():
    """No time: o = tanh(x1 w1 + x2 w2 + b)."""
    given = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.88}
    x1, x2, w1, w2, b = (Value(v, name=n) for n, v in given.items())
    return ops.tanh(x1 * w1 + x2 * w2 + b).named("o")


def transposed(T=3):
    """x_t are slices of a sequence that wants a gradient; the weights are used as W.T."""
    make, _ = maker()
    W, U, X = make("W", 3, 3), make("U", 3, 2), make("X", T, 1, 2)
    h = Tensor(np.zeros((1, 3)))
    for t in range(T):
        with timestep(t + 1):
            h = np.tanh(X[t] @ U.T + h @ W.T).named("h")
    return ((h - 1) ** 2).sum().named("L")


def stacked(T=3):
    """Two layers, in scopes."""
    make, rng = maker()
    lower, upper = (
        (make("W_xh", 3, 2), make("W_hh", 3, 3)),
        (make("W_xh", 3, 3), make("W_hh", 3, 3)),
    )
    g = h = Tensor(np.zeros((1, 3)), name="h0")
    for t in range(1, T + 1):
        with timestep(t):
            x = Tensor(rng.normal(size=(1, 2)), name="x")
            with scope("layer 0"):
                g = np.tanh(ops.linear(x, lower[0]) + ops.linear(g, lower[1])).named("h")
            with scope("layer 1"):
                h = np.tanh(ops.linear(g, upper[0]) + ops.linear(h, upper[1])).named("h")
    return (h**2).sum().named("L")


def lstm(T=3, H=3):
    """An LSTM by hand, its gates slices."""
    make, rng = maker()
    W, U, b = make("W_xh", 4 * H, 2), make("W_hh", 4 * H, H), make("b_h", 4 * H)
    h, c = Tensor(np.zeros((1, H)), name="h0"), Tensor(np.zeros((1, H)), name="c0")
    for t in range(1, T + 1):
        with timestep(t):
            x = Tensor(rng.normal(size=(1, 2)), name="x")
            z = ops.linear(x, W) + ops.linear(h, U) + b
            i, f, g, o = (z[:, k * H : (k + 1) * H] for k in range(4))
            i, f = ops.sigmoid(i).named("i"), ops.sigmoid(f).named("f")
            g, o = np.tanh(g).named("g"), ops.sigmoid(o).named("o")
            c = (f * c + i * g).named("c")
            h = (o * np.tanh(c)).named("h")
    return (h**2).sum().named("L")


def gru(T=3, H=2):
    """A GRU by hand, with a weight for each gate."""
    make, rng = maker()
    weights = {n: make(n, H, H) for n in ("U_r", "U_z", "U_n", "W_r", "W_z", "W_n")}
    h = Tensor(np.zeros((1, H)), name="h0")
    for t in range(1, T + 1):
        with timestep(t):
            x = Tensor(rng.normal(size=(1, H)), name="x")
            r, z = (
                ops.sigmoid(
                    ops.linear(x, weights[f"W_{k}"]) + ops.linear(h, weights[f"U_{k}"])
                ).named(k)
                for k in "rz"
            )
            n = np.tanh(ops.linear(x, weights["W_n"]) + r * ops.linear(h, weights["U_n"])).named(
                "n"
            )
            h = ((1.0 - z) * n + z * h).named("h")
    return (h**2).sum().named("L")


def bidirectional(T=3, H=2):
    """A second layer that reads from the end."""
    make, rng = maker()
    there, back = (make("W_xh", H, 2), make("W_hh", H, H)), (make("W_xh", H, 2), make("W_hh", H, H))
    xs, f, b = (
        [],
        {0: Tensor(np.zeros((1, H)), name="h0")},
        {T + 1: Tensor(np.zeros((1, H)), name="h0")},
    )
    for t in range(1, T + 1):
        with timestep(t):
            xs.append(Tensor(rng.normal(size=(1, 2)), name="x", requires_grad=True))
    for t in range(1, T + 1):
        with timestep(t), scope("forward"):
            f[t] = np.tanh(ops.linear(xs[t - 1], there[0]) + ops.linear(f[t - 1], there[1])).named(
                "h"
            )
    for t in range(T, 0, -1):
        with timestep(t), scope("backward"):
            b[t] = np.tanh(ops.linear(xs[t - 1], back[0]) + ops.linear(b[t + 1], back[1])).named(
                "h"
            )
    total = 0
    for t in range(1, T + 1):
        with timestep(t):
            y = np.concatenate([f[t], b[t]], axis=1).named("y")
            total = (y**2).sum().named("L") + total
    return total.named("L")


def skipping(T=5):
    """A state that is used two steps later as well, and a first step that does something else."""
    w, v = Value(0.5, name="w"), Value(0.25, name="v")
    hs = [Value(1.0, name="h0"), None]
    for t in range(1, T + 1):
        with timestep(t):
            z = w * hs[-1] if hs[-1] is not None else ops.exp(hs[0] * w)
            if t > 2:
                z = z + v * hs[-2]
            hs.append(ops.tanh(z).named("h"))
    return hs[-1]


def window(T=5, back=1, order=None, name="x", ahead=0):
    """Inputs that were made before the loop, each read by two steps: x_t and x_{t-back}; `name` may
    take a number."""
    v, s = Value(0.5, name="v"), Value(0.0, name="s0")
    xs = [Value(0.1 * i, name=None if name is None else name.format(i)) for i in range(T + 9)]
    for t in order or range(1, T + 1):
        with timestep(t):
            s = ops.tanh(v * s + xs[t + ahead] * xs[t + ahead - back]).named("s")
    return s


def kept(T=3):
    """A loop that keeps the input of the step before."""
    w, h, before = Value(0.5, name="w"), Value(0.3, name="h0"), Value(0.1, name="x0")
    for t in range(1, T + 1):
        with timestep(t):
            x = Value(0.1 * t, name="x")
            h = ops.tanh(w * h + x * before).named("h")
            before = x
    return h


def prepared(T=3):
    """A weight computed before the first step, and two results joined after the last."""
    make, _ = maker()
    W, mask = make("W_hh", 2, 2), Tensor(np.eye(2), name="mask")
    masked = (W * mask).named("W_m")
    h, outputs = make("h0", 1, 2), []
    for t in range(1, T + 1):
        with timestep(t):
            h = np.tanh(ops.linear(h, masked)).named("h")
            outputs.append(h)
    return (ops.stack(*outputs, axis=0) * 0.5).sum().named("L")


def used_twice(T=4):
    """h_t = w tanh(w h_{t-1}) + w: three uses of one weight in every step."""
    w, h = Value(0.5, name="w"), Value(0.3, name="h0")
    for t in range(1, T + 1):
        with timestep(t):
            h = (w * ops.tanh(w * h) + w).named("h")
    return h


def squared(T=1):
    """w * w in a single step, once as both operands; then steps that use another weight."""
    w, v = Value(0.5, name="w"), Value(0.3, name="v")
    with timestep(1):
        h = ops.tanh(w * w)
    for t in range(2, T + 1):
        with timestep(t):
            h = ops.tanh(h * v)
    return h * (w * w)


def entered_again(T=3):
    """Every step is entered twice: the second pass goes on from where the first one ended."""
    w, h = Value(0.5, name="w"), Value(0.3, name="h0")
    for t in [*range(1, T + 1), *range(1, T + 1)]:
        with timestep(t):
            h = ops.tanh(w * h).named("h")
    return h


def tied(T=3):
    """A weight that serves the state and the output, between others that serve one of them."""
    w, u, b, v = (Value(x, name=n) for n, x in {"w": 0.5, "u": 0.3, "b": 0.1, "v": 0.7}.items())
    h, total = Value(0.1, name="h0"), 0
    for t in range(1, T + 1):
        with timestep(t):
            x = Value(float(t), name="x", requires_grad=False)
            h = ops.tanh(w * h + u * (w * x) + b).named("h")
            y = (w * (v * h) + b).named("y")
            total = total + ((y - 0.5 * v) ** 2).named("L")
    return total


def around_all(T=3):
    """What is made before the first step, and used there, along all steps and after the last."""
    q, h = Value(1.0, name="q"), Value(0.5, name="h0")
    s = ops.exp(q)
    w = s * 2.0
    for t in range(1, T + 1):
        with timestep(t):
            h = ops.tanh(w * h).named("h")
    return (h * s).named("L")


def embedded(T=3):
    """One matrix that gives the input vectors, and scores the outputs."""
    make, _ = maker()
    vectors, layer = make("E", 5, 3), nn.RNN(3, 3, return_sequences=True, seed=0)
    words = np.arange(T)[:, None] % 5
    return nn.cross_entropy(layer(vectors[words]) @ vectors.T, words)


def unstamped(T=6):
    """A recurrence whose steps nobody marked."""
    w, h = Value(0.5, name="w"), Value(0.3, name="h0")
    for _ in range(T):
        h = ops.tanh(w * h)
    return h


def sequence(T, size, seed=0):
    """An input (T, 2, size)."""
    return np.random.default_rng(seed).normal(size=(T, 2, size))


def priced(y, last=False, mask=None):
    """The cross-entropy of outputs over 5 classes."""
    classes = np.random.default_rng(0).integers(0, 5, size=(2,) if last else (len(y), 2))
    return nn.cross_entropy(y, classes, **({} if mask is None else {"mask": mask}))


def head(size=3):
    return nn.Linear(size, 5, name="hy", seed=9)


def deep(T=3, kind=nn.RNN, depth=2):
    """Layers on top of each other."""
    layers = [kind(3 if i else 4, 3, seed=i, return_sequences=True) for i in range(depth)]
    return priced(head()(nn.Stacked(layers)(sequence(T, 4))))


def both_ways(T=3, kind=nn.RNN, many=True):
    """A bidirectional layer."""
    layer = nn.Bidirectional(kind(4, 3, seed=0, return_sequences=many))
    return priced(head(6)(layer(sequence(T, 4))), last=not many)


def seq2seq(T=3, context="state", kind=nn.RNN, S=3, free=False):
    """An encoder over T steps and a decoder over S, which hears the targets or itself."""
    width = 5 + (0 if context == "state" else 3)
    model = nn.EncoderDecoder(kind(4, 3, seed=0), kind(width, 3, seed=1), context=context,
                              head=head(), seed=2)
    given = {"steps": S} if free else {"target_inputs": sequence(S, 5, 1)}
    return priced(model(sequence(T, 4), **given))


def written(T=3):
    """One to many: y_t is read at t + 1."""
    model = nn.OutputFeedback(nn.RNN(5, 3, seed=0, return_sequences=True), head())
    return priced(model(np.ones((2, 5)), steps=T))


def steered(T=3):
    """A vector that steers every step."""
    model = nn.VectorToSequence(nn.RNNCell(5, 3, seed=0), 4, seed=0)
    return priced(head()(model(np.ones((2, 4)), steps=T)))


def padded(T=3, kind=nn.RNN):
    """One sequence of two is a step shorter."""
    mask = np.ones((T, 2), bool)
    mask[-1, 0] = False
    layer = kind(4, 3, seed=0, return_sequences=True)
    return priced(head()(layer(sequence(T, 4), mask=mask)), mask=mask)


MASKED = [  # kind of layer, its options, what masks it, how many sequences
    *itertools.product(("RNN", "LSTM", "GRU"), (False, True), ("zeros", "learned"),
                       ("mask", "reset", "both", "lengths"), (1, 2), ("zero", "repeat"))]


def masked(kind, reverse, initial_state, what, B, padding, T=6):
    """A layer whose sequences have gaps, or ends before the last step, or begin anew in between."""
    layer = getattr(nn, kind)(2, 3, return_sequences=True, reverse=reverse, seed=0, padding=padding,
                              initial_state=initial_state)
    mask, reset = np.ones((T, B), bool), np.zeros((T, B), bool)
    mask[-2:, 0], mask[2, -1], reset[3, 0], reset[1, -1] = False, False, True, True
    told = {"mask": mask} if what in ("mask", "both") else {}
    told |= {"reset_mask": reset} if what in ("reset", "both") else {}
    told |= {"lengths": [4, 6][:B]} if what == "lengths" else {}
    y = layer(Tensor(np.linspace(-1, 1, 2 * T * B).reshape(T, B, 2), name="X"), **told)
    return (y * y).sum().named("L")


GRAPHS = {
    "vanilla": vanilla,
    "many to one": lambda: vanilla(losses="last"),
    "timed total": lambda: vanilla(total="timed"),
    "no bias": lambda: vanilla(bias=False),
    "one step": lambda: vanilla(1),
    "two steps": lambda: vanilla(2),
    "elided": lambda: vanilla(40),
    "layer": layer,
    "layer, last": lambda: layer(many=False),
    "layer, long": lambda: layer(30),
    "LSTM": lambda: layer(3, kind=nn.LSTM),
    "GRU": lambda: layer(3, kind=nn.GRU),
    "power": power,
    "power, long": lambda: power(50),
    "scalar rnn": scalar_rnn,
    "neuron": neuron,
    "transposed": transposed,
    "stacked": stacked,
    "stacked, long": lambda: stacked(20),
    "lstm": lstm,
    "lstm, long": lambda: lstm(20),
    "gru": gru,
    "bidirectional": bidirectional,
    "skipping": skipping,
    "bidirectional, long": lambda: bidirectional(20),
    "window": window,
    "window, backwards": lambda: window(9, 2, range(9, 0, -1), ahead=2),
    "window, long": lambda: window(20, 2, ahead=2),
    "kept": kept,
    "prepared": prepared,
    "used twice": used_twice,
    "used twice, long": lambda: used_twice(30),
    "squared": squared,
    "squared, then others": lambda: squared(3),
    "entered again": entered_again,
    "tied": tied,
    "around all": around_all,
    "around all, long": lambda: around_all(20),
    "embedded": embedded,
    "unstamped": unstamped,
    "unstamped, long": lambda: unstamped(14),
    "LSTM, stacked": lambda: deep(kind=nn.LSTM),
    "three layers, long": lambda: deep(9, depth=3),
    "LSTM, both ways": lambda: both_ways(kind=nn.LSTM),
    "both ways, last": lambda: both_ways(many=False),
    "encoder, decoder": seq2seq,
    "encoder, decoder, context as input": lambda: seq2seq(context="input"),
    "encoder, decoder, both": lambda: seq2seq(context="both", S=2),
    "encoder, decoder, long": lambda: seq2seq(9, S=8),
    "encoder, decoder, LSTM": lambda: seq2seq(2, kind=nn.LSTM, S=2),
    "encoder, decoder, fed back": lambda: seq2seq(2, S=3, free=True),
    "fed back": written,
    "steered": steered,
    "padded": padded,
    "masked, learned state": lambda: masked("GRU", False, "learned", "mask", 2, "repeat"),
    "resets, from the end": lambda: masked("LSTM", True, "zeros", "both", 2, "zero"),
}
