"""Every cell and layer against backpropagation through time that was derived by hand (`by_hand`),
and against the same network on plain floats."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.states import parts_of

from .by_hand import (
    DEEP,
    GRU,
    LSTM,
    SKIP,
    back_through,
    forward_through,
    inner,
    one_matrix,
    readout,
    vanilla,
)
from .fused_cases import randomised

T, B, I, H = 5, 2, 3, 4
TIGHT = {"rtol": 1e-12, "atol": 1e-14}


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


# ours, and the same by hand
CELLS = {
    "rnn": (nn.RNNCell, {}, vanilla()),
    "rnn relu": (nn.RNNCell, {"nonlinearity": "relu"}, vanilla("relu")),
    "rnn identity": (nn.RNNCell, {"nonlinearity": "identity"}, vanilla("identity")),
    "rnn stacked": (nn.RNNCell, {"stacked": True}, one_matrix(vanilla())),
    "lstm": (nn.LSTMCell, {}, LSTM),
    "lstm peepholes": (nn.LSTMCell, {"peepholes": True, "forget_bias": 1.0}, LSTM),
    "gru": (nn.GRUCell, {}, GRU),
    "gru before": (nn.GRUCell, {"reset_after": False}, GRU),
    "deep": (nn.DeepRNNCell, {"deep_input": [2], "deep_transition": [3], "deep_output": [5],
                              "shortcut": True}, DEEP),
    "skip": (nn.SkipRNNCell, {"skips": (2, 3)}, SKIP),
    "readout": (lambda I, H, seed: nn.ReadoutCell(nn.GRUCell(I, H, seed=seed), 2, skip=True,
                                                  seed=seed), {}, readout(GRU)),
}


def made(name, width=I, seed=0):
    make, options, by_hand = CELLS[name]
    return randomised(make(width, H, seed=seed, **options)), by_hand


def weights(module):
    return {name: p.numpy() for name, p in module.named_parameters()}


def backward(layer, xs, parts, ups, **call):
    """(values, gradients by name) for the upstream gradients `ups` of all that is returned;
    `parts` are those of the first state, none for zeros."""
    x = tg.Tensor(xs, requires_grad=True)
    firsts = [tg.Tensor(s, requires_grad=True) for s in parts]
    start = (firsts[0] if len(firsts) == 1 else firsts) if firsts else None
    found = parts_of(layer(x, start, **call))
    sum((part * up).sum() for part, up in zip(found, ups, strict=True)).backward()
    return [part.numpy() for part in found], {
        "x": x.grad, **{f"state {k}": s.grad for k, s in enumerate(firsts)},
        **{name: p.grad for name, p in layer.named_parameters()}}


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, g in expected.items():
        np.testing.assert_allclose(found[name], g, err_msg=name, **TIGHT)


def first_state(cell, batch=B):
    return [numbers(batch, H, seed=3 + k) for k in range(len(cell.state_names))]


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, T])
@pytest.mark.parametrize("name", CELLS)
def test_cells(name, steps, reverse, fused):
    """A gradient arrives at every output and at every part of the last state."""
    cell, by_hand = made(name)
    turn = slice(None, None, -1 if reverse else 1)
    xs, parts = numbers(steps, B, I), first_state(cell)
    p = weights(cell)
    ys, last, kept = forward_through(by_hand, p, xs[turn], parts)
    ups = [numbers(*ys.shape, seed=6), *(numbers(B, H, seed=7 + k) for k in range(len(last)))]
    dxs, firsts, grads = back_through(by_hand, p, kept, ups[0][turn], ups[1:])
    layer = nn.Recurrent(cell, return_sequences=True, return_state=True, reverse=reverse)
    with tg.fused() if fused else tg.timestep(1):
        values, found = backward(layer, xs, parts, ups)
    for got, expected in zip(values, [ys[turn], *last], strict=True):
        np.testing.assert_allclose(got, expected, **TIGHT)
    same(found, {"x": dxs[turn], **{f"state {k}": s for k, s in enumerate(firsts)},
                 **{f"cell.{key}": g for key, g in grads.items()}})


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_padded_steps_are_as_if_each_sample_were_alone(name, fused):
    """By hand there is no mask: each sample on its own, and the sum over the samples."""
    cell, by_hand = made(name)
    lengths, p = [3, T], weights(cell)
    xs, parts = numbers(T, B, I), first_state(cell)
    width = cell.output_size
    ups = [numbers(T, B, width, seed=6)]
    ups += [numbers(B, H, seed=7 + k) for k in range(len(parts))]
    expected = {"x": np.zeros_like(xs)}
    firsts = [np.zeros((B, H)) for _ in parts]
    for b, n in enumerate(lengths):
        one = slice(b, b + 1)
        _, _, kept = forward_through(by_hand, p, xs[:n, one], [s[one] for s in parts])
        dxs, ds, grads = back_through(by_hand, p, kept, ups[0][:n, one], [u[one] for u in ups[1:]])
        expected["x"][:n, one] = dxs
        for whole, alone in zip(firsts, ds):
            whole[one] = alone
        for key, g in grads.items():
            expected[f"cell.{key}"] = expected.get(f"cell.{key}", 0.0) + g
    expected |= {f"state {k}": s for k, s in enumerate(firsts)}
    layer = nn.Recurrent(cell, return_sequences=True, return_state=True, padding="zero")
    padded = xs.copy()
    padded[3:, 0] = np.nan
    with tg.fused() if fused else tg.timestep(1):
        _, found = backward(layer, padded, parts, ups, lengths=lengths)
    same(found, expected)


MERGES = {
    "concat": (lambda f, b: np.concatenate([f, b], -1), lambda g, f, b: np.split(g, 2, -1)),
    "sum": (lambda f, b: f + b, lambda g, f, b: (g, g)),
    "mul": (lambda f, b: f * b, lambda g, f, b: (g * b, g * f)),
    "ave": (lambda f, b: (f + b) / 2, lambda g, f, b: (g / 2, g / 2)),
}


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_bidirectional(name, merge):
    (forth, by_hand), (back, _) = made(name, seed=1), made(name, seed=2)
    xs, join, split = numbers(T, B, I), *MERGES[merge]
    zeros = [np.zeros((B, H)) for _ in forth.state_names]
    f, _, kept_f = forward_through(by_hand, weights(forth), xs, zeros)
    b, _, kept_b = forward_through(by_hand, weights(back), xs[::-1], zeros)
    y = join(f, b[::-1])
    up = numbers(*y.shape, seed=6)
    df, db = split(up, f, b[::-1])
    dx_f, _, grads_f = back_through(by_hand, weights(forth), kept_f, df, zeros)
    dx_b, _, grads_b = back_through(by_hand, weights(back), kept_b, db[::-1], zeros)
    layer = nn.Bidirectional(*(nn.Recurrent(c, return_sequences=True) for c in (forth, back)),
                             merge=merge)
    values, found = backward(layer, xs, (), [up])
    np.testing.assert_allclose(values[0], y, **TIGHT)
    same(found, {"x": dx_f + dx_b[::-1],
                 **{f"forward_layer.cell.{key}": g for key, g in grads_f.items()},
                 **{f"backward_layer.cell.{key}": g for key, g in grads_b.items()}})


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("below", "above"), [("rnn", "lstm"), ("gru", "skip"), ("lstm", "gru")])
def test_stacked(below, above, residual):
    (one, hand_1), (two, hand_2) = made(below, H), made(above, H, seed=1)
    xs = numbers(T, B, H)
    zeros_1, zeros_2 = ([np.zeros((B, H)) for _ in c.state_names] for c in (one, two))
    h, _, kept_1 = forward_through(hand_1, weights(one), xs, zeros_1)
    y, _, kept_2 = forward_through(hand_2, weights(two), h, zeros_2)
    up = numbers(T, B, H, seed=6)
    dh, _, grads_2 = back_through(hand_2, weights(two), kept_2, up, zeros_2)
    dh = dh + up if residual else dh
    dx, _, grads_1 = back_through(hand_1, weights(one), kept_1, dh, zeros_1)
    layer = nn.Stacked([nn.Recurrent(c, return_sequences=True) for c in (one, two)],
                       residual=residual)
    values, found = backward(layer, xs, (), [up])
    np.testing.assert_allclose(values[0], y + h if residual else y, **TIGHT)
    same(found, {"x": dx,
                 **{f"layers.0.cell.{key}": g for key, g in grads_1.items()},
                 **{f"layers.1.cell.{key}": g for key, g in grads_2.items()}})


def test_a_learned_first_state():
    layer = nn.LSTM(I, H, initial_state="learned", return_sequences=True, seed=0)
    layer.h_0.data, layer.c_0.data = numbers(H, seed=1), numbers(H, seed=2)
    xs, up, p = numbers(T, B, I), numbers(T, B, H, seed=6), inner(weights(layer), "cell.")
    start = [np.tile(s.numpy(), (B, 1)) for s in (layer.h_0, layer.c_0)]
    _, _, kept = forward_through(LSTM, p, xs, start)
    dxs, (dh, dc), grads = back_through(LSTM, p, kept, up, [np.zeros((B, H))] * 2)
    _, found = backward(layer, xs, (), [up])
    same(found, {"x": dxs, **{f"cell.{key}": g for key, g in grads.items()}, "h_0": dh.sum(0),
                 "c_0": dc.sum(0)})


def test_recurrent_dropout_is_a_factor_of_what_the_cell_sees():
    layer = nn.RNN(I, H, recurrent_dropout=0.5, return_sequences=True, seed=0)
    m = (np.random.default_rng(9).random((B, H)) >= 0.5) / 0.5
    xs, up, p = numbers(T, B, I), numbers(T, B, H, seed=6), inner(weights(layer), "cell.")
    forward, back = vanilla()
    hand = (lambda p, x, s: forward(p, x, [s[0] * m])), (
        lambda p, kept, dy, ds: (lambda dx, before, grads: (dx, [before[0] * m], grads))(
            *back(p, kept, dy, ds)))
    ys, _, kept = forward_through(hand, p, xs, [np.zeros((B, H))])
    dxs, _, grads = back_through(hand, p, kept, up, [np.zeros((B, H))])
    values, found = backward(layer, xs, (), [up], rng=9)
    np.testing.assert_allclose(values[0], ys, **TIGHT)
    same(found, {"x": dxs, **{f"cell.{key}": g for key, g in grads.items()}})


def test_layers_without_a_state():
    x, up = numbers(T, B, I), numbers(T, B, I, seed=6)
    norm = randomised(nn.LayerNorm(I))
    spread = np.sqrt(x.var(-1, keepdims=True) + norm.eps)
    z = (x - x.mean(-1, keepdims=True)) / spread
    d = up * norm.gain.numpy()
    dx = (d - d.mean(-1, keepdims=True) - z * (d * z).mean(-1, keepdims=True)) / spread
    leaf = tg.Tensor(x, requires_grad=True)
    (norm(leaf) * up).sum().backward()
    same({"x": leaf.grad, "gain": norm.gain.grad, "b": norm.b.grad},
         {"x": dx, "gain": (up * z).sum((0, 1)), "b": up.sum((0, 1))})

    mlp, leaf = nn.MLP([I, H, I], seed=0), tg.Tensor(x, requires_grad=True)
    W_1, b_1, W_2, b_2 = (p.numpy() for p in mlp.parameters())
    h = np.tanh(x @ W_1.T + b_1)
    np.testing.assert_allclose(mlp(x).numpy(), h @ W_2.T + b_2, **TIGHT)
    (mlp(leaf) * up).sum().backward()
    d = up @ W_2 * (1 - h * h)
    expected = [np.einsum("tbo,tbi->oi", d, x), d.sum((0, 1)), np.einsum("tbo,tbi->oi", up, h),
                up.sum((0, 1))]
    same(dict(enumerate([leaf.grad, *(p.grad for p in mlp.parameters())])),
         dict(enumerate([d @ W_1, *expected])))

    indices, embed = np.array([[0, 2], [2, 2]]), nn.Embedding(3, I, seed=0)
    (embed(indices) * up[:2]).sum().backward()
    rows = np.zeros((3, I))
    np.add.at(rows, indices, up[:2])
    np.testing.assert_allclose(embed.W_e.grad, rows, **TIGHT)


# --- on plain floats ----------------------------------------------------------------------------


def values(array):
    """An array of Values: NumPy goes through it one number at a time."""
    found = np.empty(array.shape, object)
    for index, x in np.ndenumerate(array):
        found[index] = tg.Value(float(x))
    return found


def plain(array):
    return np.vectorize(lambda v: v.item(), otypes=[float])(array)


def grads_of(array):
    return np.array([0.0 if v.grad is None else v.grad for v in array.ravel()]).reshape(array.shape)


@pytest.mark.parametrize("name", CELLS)
def test_the_same_network_on_plain_floats(name):
    cell, (forward, _) = made(name)
    xs, parts = numbers(3, 1, I), first_state(cell, 1)
    ups = [numbers(3, 1, cell.output_size, seed=6),
           *(numbers(1, H, seed=7 + k) for k in range(len(parts)))]
    p = {key: values(w) for key, w in weights(cell).items()}
    leaves = {"x": values(xs), **{f"state {k}": values(s) for k, s in enumerate(parts)}}
    ys, last, _ = forward_through((forward, None), p, leaves["x"],
                                  [leaves[f"state {k}"] for k in range(len(parts))])
    sum((np.asarray(part) * up).sum() for part, up in zip([ys, *last], ups)).backward()
    layer = nn.Recurrent(cell, return_sequences=True, return_state=True)
    outputs, found = backward(layer, xs, parts, ups)
    for got, expected in zip(outputs, [ys, *last], strict=True):
        np.testing.assert_allclose(got, plain(expected), **TIGHT)
    same(found, {key: grads_of(v) for key, v in
                 {**leaves, **{f"cell.{k}": w for k, w in p.items()}}.items()})
