"""Sums are exact: 1,000 random networks. What a flow adds to `.grad` is the sum of its ledger's
rows, bit for bit (the signs of zeros too), arrays kept or norms, and a plain backward agrees to
1e-12."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt.pieces import Stacked

EPS = np.finfo(float).eps
CELLS = {"tanh": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def layer(rng, inputs, hidden, **options):
    kind = list(CELLS)[rng.integers(3)]
    if kind == "tanh" and rng.random() < 0.3:
        options["nonlinearity"] = "relu"
    if rng.random() < 0.15:
        options["checkpoint_every"] = int(rng.integers(1, 4))
    return CELLS[kind](inputs, hidden, seed=int(rng.integers(1 << 30)), return_sequences=True,
                       fused=bool(rng.random() < 0.15), **options)


def masks(rng, T, B):
    """Lengths, a mask, a reset mask, or nothing."""
    which = rng.integers(5)
    if which == 0:
        return {"lengths": rng.integers(0, T + 1, B).tolist()}
    if which == 1:
        return {"mask": rng.random((T, B)) < 0.7}
    if which == 2:
        return {"reset_mask": rng.random((T, B)) < 0.4}
    return {}


def recurrent(rng):
    """One to three layers, either direction or both, a read-out, a loss at every step."""
    T, B, I, H, O = rng.integers(1, 6), *rng.integers(1, 4, 4)
    x = tg.Tensor(rng.normal(size=(T, B, I)), requires_grad=bool(rng.random() < 0.5), name="x")
    net, size = layer(rng, I, H), H
    form = rng.integers(4)
    if form == 1:
        net = nn.Bidirectional(net)
        size = 2 * H
    elif form == 2:
        net = nn.Stacked([net, *(layer(rng, H, H) for _ in range(rng.integers(1, 3)))])
    head = nn.Linear(size, O, seed=0, name="hy")
    y = head(net(x, **masks(rng, T, B)))
    loss = nn.squared_error(y, rng.normal(size=y.shape))
    return [*net.parameters(), *head.parameters(), x], loss


def sequence_to_sequence(rng):
    T, B, I, H = rng.integers(1, 4), *rng.integers(1, 4, 3)
    encoder = nn.RNN(I, H, seed=1)
    decoder = nn.RNN(I + 1, H, seed=2, return_sequences=True)
    context = encoder(rng.normal(size=(T, B, I)))
    y = decoder(rng.normal(size=(T + 1, B, I + 1)), context)
    head = nn.Linear(H, 2, seed=0, name="hy")
    out = head(y)
    return ([*encoder.parameters(), *decoder.parameters(), *head.parameters()],
            nn.squared_error(out, rng.normal(size=out.shape)))


def classified(rng):
    """Vanilla layers, a head and classes at every step: a flow gets past all of them together
    (bptt/strides.py). Some of the layers run backwards, some networks use a state once more."""
    T, I, H, O = rng.integers(3, 7), *rng.integers(1, 6, 3)
    batch = ((), (int(rng.integers(1, 10)),))[rng.integers(2)]
    options = {"return_sequences": True, "bias": bool(rng.random() < 0.8),
               "nonlinearity": str(rng.choice(["tanh", "relu"])),
               "dtype": str(rng.choice(["float64", "float64", "float32"]))}
    layers = [nn.RNN(size, H, seed=k, reverse=bool(rng.random() < 0.3), **options)
              for k, size in enumerate([I, *[H] * rng.integers(0, 3)])]
    head = nn.Linear(H, O, seed=0, name="hy", dtype=options["dtype"])
    h = rng.normal(size=(T, *batch, I)).astype(options["dtype"])
    for each in layers:
        h = each(h)
    y = head(h)
    loss = nn.cross_entropy(y, rng.integers(0, O, y.shape[:-1]))
    which = rng.integers(5)
    loss = loss + (h[1].sum() if which == 0 else (h * h).sum() if which == 1 else 0.0)
    return [p for module in (*layers, head) for p in module.parameters()], loss


def by_hand(rng):
    """A loop of tensors, the weight given as itself, transposed, or in slices."""
    T, B, H = rng.integers(1, 6), *rng.integers(1, 4, 2)
    W, b, h0 = (tg.Tensor(rng.normal(size=n), requires_grad=True, name=k)
                for k, n in (("W", (H, H)), ("b", (H,)), ("h", (B, H))))
    h, loss, turned = h0, 0.0, W.T
    ways = [lambda h: h @ turned, lambda h: tg.linear(h, W), lambda h: h @ W.T,
            lambda h: h * W[0], lambda h: h + W.reshape(-1)[:H]]
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(ways[rng.integers(len(ways))](h) + b).named("h")
            loss = loss + (h * rng.normal(size=(B, H))).sum()
    return [W, b, h0], loss


def embedded(rng):
    """Classes as inputs, most of them more than once: a layer's embedding, or a table by hand."""
    T, B, V, I, H = rng.integers(1, 7), *rng.integers(1, 4, 4)
    ks = rng.integers(0, V, (T, B))
    table = nn.Embedding(V, I, seed=int(rng.integers(1 << 30)))
    if rng.random() < 0.6:
        net = layer(rng, I, H)
        y = net(table(ks), **masks(rng, T, B))
        return [*table.parameters(), *net.parameters()], nn.squared_error(
            y, rng.normal(size=y.shape))
    E, U, h0 = (tg.Tensor(rng.normal(size=n), requires_grad=True, name=k)
                for k, n in (("E", (V, H)), ("U", (H, H)), ("h", (B, H))))
    h, loss = h0, 0.0
    for t, k in enumerate(ks, 1):
        with tg.timestep(t):
            h = tg.tanh(E[k] + tg.linear(h, U)).named("h")
            loss = loss + (h * rng.normal(size=(B, H))).sum()
    return [E, U, h0], loss


def pieces(rng):
    """A loop in which a matrix, a vector and the inputs are used piece by piece: entries, rows and
    columns, repeated or not, of it or of a view of it, beside products with the whole."""
    T, H = rng.integers(1, 7), int(rng.integers(2, 5))
    W, v, x, s = (tg.Tensor(rng.normal(size=n), requires_grad=True, name=k, dtype=dtype)
                  for dtype in [rng.choice(["float64", "float64", "float32"])]
                  for k, n in (("W", (H, H)), ("v", (H,)), ("x", (T, H)), ("s", ())))
    some, mask = rng.integers(0, H, (2, H)), rng.random((H, H)) < 0.5
    ways = [lambda h: W[some[0]] @ h, lambda h: W[some[0], some[1]] * h, lambda h: W.T[some[1]] @ h,
            lambda h: W[1:][some[0] % (H - 1)] @ h, lambda h: W[:, ::-1] @ h, lambda h: W[-1] * h,
            lambda h: h * W[0, -1], lambda h: W[None, 0][0, some[0]] * h, lambda h: W @ h,
            lambda h: W.T.reshape(-1)[:H] * h, lambda h: W[mask].sum() * h,
            lambda h: tg.linear(h, W), lambda h: np.concatenate([W[0], v])[:H] * h,
            lambda h: np.stack([v, h])[some[0] % 2].sum(0), lambda h: v[some[0]] * h,
            lambda h: h[some[0]] * h[some[1]] - h, lambda h: h * v[0] - v,
            lambda h: -(h * v), lambda h: h - v[:1], lambda h: h * s + s,
            lambda h: np.stack([h[0] * s, s]).sum() - h]
    h, loss = v * 1.0, 0.0
    for t in range(1, T + 1):
        with tg.timestep(t):
            for _ in range(rng.integers(1, 4)):
                h = tg.tanh(ways[rng.integers(len(ways))](h) + x[t - 1]).named("h")
            loss = loss + (h * rng.normal(size=H).astype(h.dtype)).sum()
    return [W, v, x, s], loss


def scalars(rng):
    w, v, h = (tg.Value(float(x), name=n) for x, n in zip(rng.normal(size=3), ("w", "v", "x0")))
    leaves, loss = [w, v, h], 0.0
    for t in range(1, int(rng.integers(2, 9))):
        with tg.timestep(t):
            h = tg.tanh(w * h + v) if rng.random() < 0.5 else w * h - v * h * h * 0.1
            loss = loss + h * float(rng.normal())
    return leaves, loss


FORMS = [recurrent, embedded, sequence_to_sequence, by_hand, pieces, recurrent, classified, pieces,
         classified, scalars]


def same(a, b):
    """Equal to the last bit: the signs of zeros too."""
    return np.shape(a) == np.shape(b) and np.asarray(a).tobytes() == np.asarray(b).tobytes()


def cleared(leaves):
    grads = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.zero_grad()
    return grads


@pytest.mark.parametrize("block", range(10))
def test_a_hundred_random_networks(block):
    for seed in range(100 * block, 100 * block + 100):
        rng = np.random.default_rng(seed)
        leaves, loss = FORMS[seed % len(FORMS)](rng)
        if not loss.requires_grad:
            continue
        loss.backward()
        plain = cleared(leaves)
        flow = tg.gradient_flow(loss)
        ours = cleared(leaves)
        norms = tg.gradient_flow(loss, keep="norms")
        kept = cleared(leaves)
        for leaf, p, g, k in zip(leaves, plain, ours, kept):
            if g is None:
                assert p is None, (seed, leaf)
                continue
            ledger = flow.ledger(leaf)
            assert same(ledger.total, g), (seed, leaf)
            assert same(ledger[-1].running, g), (seed, leaf)
            last = next(ledger.rows_at([len(ledger) - 1]))  # the others at once
            assert same(last.running, g), (seed, leaf)
            assert same(k, g), (seed, leaf)
            assert same(norms.ledger(leaf).total, g), (seed, leaf)
            size, eps = sum(e.norm() for e in ledger.entries), np.finfo(np.asarray(g).dtype).eps
            assert np.linalg.norm(p - g) <= 1e-12 * size * eps / EPS, (seed, leaf)
            sizes = [e.norm() for e in norms.ledger(leaf).entries]
            np.testing.assert_allclose(sizes, [e.norm() for e in ledger.entries],
                                       rtol=1e-7 if eps == EPS else 1e-4,
                                       atol=1e-12 * (1 + size) * eps / EPS)


def test_the_random_networks_take_every_way():
    """Of a hundred of them, how many are recorded past all their steps, and how many in part."""
    counts = []
    for seed in range(100):
        _, loss = FORMS[seed % len(FORMS)](np.random.default_rng(seed))
        pieces = tg.gradient_flow(loss).incoming.pieces
        counts.append(sum(isinstance(piece, Stacked) for piece in pieces))
    assert sum(n >= 3 for n in counts) >= 12
    assert sum(n == 0 for n in counts) >= 60


def test_the_states_of_random_networks():
    """Of a computed node too the rows end at its gradient, bit for bit; only where the node of a
    whole sequence used it, whose steps are summed before they get there, to rounding."""
    for seed in range(0, 1000, 7):
        _, loss = FORMS[seed % len(FORMS)](np.random.default_rng(seed))
        if not loss.requires_grad:
            continue
        flow = tg.gradient_flow(loss)
        for x in flow.incoming:
            if x.is_leaf:
                continue
            ledger, whole = flow.ledger(x), flow.gradient(x)
            assert same(ledger[-1].running, ledger.total), (seed, x)
            if any(e.part for e in ledger.entries):
                size = sum(e.norm() for e in ledger.entries)
                assert np.linalg.norm(whole - ledger.total) <= 1e-12 * size, (seed, x)
            else:
                assert same(ledger.total, whole), (seed, x)


@pytest.mark.parametrize("block", range(3))
def test_rows_and_columns_of_random_tables(block):
    for seed in range(20 * block, 20 * block + 20):
        leaves, loss = FORMS[seed % 8](np.random.default_rng(seed))
        losses = [x for x in loss.operands if isinstance(x, tg.Node) and np.size(x.value) == 1]
        losses = [x for x in losses if x.requires_grad]
        if not loss.requires_grad:
            continue
        flow = tg.gradient_flow(loss)
        for W in leaves[:3]:
            if losses and W in flow.incoming:
                table = flow.attribution(W, losses)
                eps = np.finfo(np.asarray(W.data).dtype).eps
                assert table.error <= 1e-12 * eps / EPS, (seed, W)
