"""A sequence whose steps a head, a loss or a layer has taken: what is asked of it is answered as of
a fused layer's, and never silently 0."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.core.place import here
from tinygrad_rnn.core.timeline import mark

CELLS = [nn.RNN, nn.LSTM, nn.GRU]
LOSSES = {"cross_entropy": lambda o: nn.cross_entropy(o, np.zeros(o.shape[:-1], int)),
          "squared_error": lambda o: nn.squared_error(o, np.ones(o.shape))}
RNG = np.random.default_rng(0)
XS = RNG.normal(size=(4, 2, 3))
MASK = RNG.random((4, 2)) < 0.6
TARGETS = RNG.normal(size=(4, 2, 2))


def model(cell, fused, loss="cross_entropy", before=None, second=False):
    """A layer, its sequence y, the head's o and the loss; `before` y is used, it is shown."""
    rnn = cell(3, 4, return_sequences=True, seed=0, fused=fused)
    y = z = rnn(XS)
    if before is not None:
        before(y)
    if second:
        z = cell(4, 4, return_sequences=True, seed=2, fused=fused)(y)
    o = nn.Linear(4, 2, seed=1)(z)
    return rnn, y, o, LOSSES[loss](o)


# --- whatever uses a sequence -------------------------------------------------------------------


def head(cell, y, state, **o):
    return nn.cross_entropy(nn.Linear(4, 2, seed=1)(y), np.zeros(y.shape[:-1], int))


def loss_alone(cell, y, state, **o):
    return nn.squared_error(y, np.ones(y.shape))


def layer(cell, y, state, **o):
    return (cell(4, 3, seed=2, return_sequences=True, **o)(y) ** 2).sum()


def layer_that_goes_on(cell, y, state, **o):
    """The last state of the first layer is the first of the next, which reads y as well."""
    return (cell(4, 4, seed=2, return_sequences=True, **o)(y, state) ** 2).sum()


def layer_in_reverse(cell, y, state, **o):
    return (cell(4, 4, seed=2, return_sequences=True, reverse=True, **o)(y, state) ** 2).sum()


def both_ways(cell, y, state, **o):
    two = nn.Bidirectional(cell(4, 3, seed=2, return_sequences=True, **o))
    return (nn.Linear(6, 2, seed=1)(two(y)) ** 2).sum()


def masked(cell, y, state, **o):
    z = cell(4, 3, seed=2, return_sequences=True, **o)(y, mask=MASK[:len(y)])
    return nn.squared_error(z, np.ones(z.shape), mask=MASK[:len(y)])


def stack_of_two(cell, y, state, **o):
    layers = [cell(4, 4, seed=k, return_sequences=True, **o) for k in (3, 4)]
    return (nn.Stacked(layers, residual=True)(y) ** 2).sum()


def parts_of_it(cell, y, state, **o):
    return (nn.Linear(4, 2, seed=1)(y[-1]) ** 2).sum() + head(cell, y * y, state)


def state_too(cell, y, state, **o):
    h = state[0] if isinstance(state, tuple) else state
    return head(cell, y, state) + (h ** 3).sum()


def in_chunks(cell, y, state, **o):
    return (cell(4, 3, seed=2, return_sequences=True, checkpoint_every=2)(y) ** 2).sum()


def norm_and_dropout(cell, y, state, **o):
    return head(cell, nn.Dropout(0.4)(nn.LayerNorm(4)(y), rng=0), state)


def encoder(cell, y, state, **o):
    two = nn.EncoderDecoder(nn.RNN(4, 3, seed=2), nn.RNN(4, 3, seed=3), seed=4)
    return (two(y, y) ** 2).sum()


def user(cell, y, state, **o):
    """A cell that is a plain function, and uses its input twice."""
    def step(x, h):
        h = np.tanh(x * x if h is None else x * h + x)
        return h, h
    return (nn.Recurrent(step, return_sequences=True)(y) ** 2).sum()


USERS = [head, loss_alone, layer, both_ways, masked, stack_of_two, parts_of_it, in_chunks,
         norm_and_dropout, encoder, user]
WITH_STATE = [layer_that_goes_on, layer_in_reverse, state_too]


def first(cell, T, fused, reverse=False):
    made = cell(3, 4, return_sequences=True, return_state=True, seed=0, fused=fused,
                reverse=reverse)
    y, state = made(XS[:T])
    return made, y, state


@pytest.mark.parametrize("T", [1, 2, 4])
@pytest.mark.parametrize("use", USERS)
@pytest.mark.parametrize("cell", CELLS)
def test_as_fused_whatever_uses_it(cell, use, T):
    """The gradient, the flow's, one of order 2, and that of a weight beside it."""
    found = []
    for fused in (False, True):
        made, y, state = first(cell, T, fused)
        L = use(cell, y, state, fused=fused)
        W = made.cell.W_hh if T > 1 else made.cell.W_xh
        g, g_W = tg.grad(L, [y, W], create_graph=True)
        second = tg.grad((g ** 2).sum(), [y, W])
        flow = tg.gradient_flow(L)
        found.append([g.value, g_W.value, *(x.value for x in second), flow.gradient(y),
                      tg.grad(L, y).value])
    for op_by_op, expected in zip(*found):
        np.testing.assert_allclose(op_by_op, expected, rtol=1e-9, atol=1e-13)
    assert abs(found[0][0]).max() > 1e-4


def alone(y):
    """A leaf, and a sequence like y made of it."""
    leaf = tg.Tensor(y.value, requires_grad=True)
    return leaf, mark(leaf * 1.0, y.times)


def mapped(function, state):
    return tuple(map(function, state)) if isinstance(state, tuple) else function(state)


@pytest.mark.parametrize("T", [1, 2, 4])
@pytest.mark.parametrize("use", [*USERS, *WITH_STATE])
@pytest.mark.parametrize("cell", CELLS)
def test_what_comes_by_way_of_it_alone(cell, use, T):
    """Neither the recurrence nor a state that was returned: y and the state are leaves here."""
    _, y, state = first(cell, T, False)
    g = tg.grad(use(cell, y, state), y).value
    leaf, sequence = alone(y)
    expected = tg.grad(use(cell, sequence, mapped(lambda x: x.detach(), state)), leaf).value
    np.testing.assert_allclose(g, expected, rtol=1e-10, atol=1e-14)
    assert abs(g).max() > 1e-4


@pytest.mark.parametrize("use", USERS)
@pytest.mark.parametrize("cell", CELLS)
def test_late_hooks_as_fused(cell, use):
    """retain_grad, and a hook that changes what goes on, after the sequence was used."""
    found = []
    for fused in (False, True):
        made, y, state = first(cell, 4, fused)
        L = use(cell, y, state, fused=fused)
        y.retain_grad()
        y.register_hook(lambda g: 3 * g)
        L.backward()
        found.append([y.grad, made.cell.W_hh.grad, made.cell.W_xh.grad,
                      tg.grad(L, made.cell.W_hh).value])
    for op_by_op, expected in zip(*found):
        np.testing.assert_allclose(op_by_op, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("cell", CELLS)
def test_by_differences(cell):
    """L as a function of y alone: what the head and the next layer make of it."""
    for use in (head, layer, both_ways, masked, user):
        _, y, state = first(cell, 4, False)
        g = tg.grad(use(cell, y, state), y).value
        leaf = tg.Tensor(y.value)
        for index in [(0, 0, 0), (1, 1, 2), (3, 0, 3)]:
            ends = []
            for d in (1e-6, -1e-6):
                leaf.data = y.value + d * (index == np.indices(y.shape).T).all(-1).T
                ends.append(use(cell, mark(leaf * 1.0, y.times), None).item())
            assert abs((ends[0] - ends[1]) / 2e-6 - g[index]) < 1e-7, use.__name__


def test_a_layer_in_reverse_and_its_own_two_ways():
    for reverse in (False, True):
        found = []
        for fused in (False, True):
            _, y, _ = first(nn.RNN, 4, fused, reverse)
            found.append(tg.grad(head(None, y, None), y).value)
        np.testing.assert_allclose(*found, rtol=1e-12)
    found = []
    for fused in (False, True):
        y = nn.Bidirectional(nn.GRU(3, 2, return_sequences=True, seed=0, fused=fused))(XS)
        found.append(tg.grad(head(None, y, None), y).value)
    np.testing.assert_allclose(*found, rtol=1e-12)


# --- loops by hand ------------------------------------------------------------------------------


def loop(arrays=()):
    """h_t of a loop, and their sequence; in the places `arrays` stands a plain array."""
    W, h, steps = tg.Tensor(np.eye(4) * 0.5, requires_grad=True), tg.Tensor(np.ones((2, 4))), []
    for t in range(1, 5):
        with tg.timestep(t):
            h = np.tanh(h @ W + XS[t - 1] @ np.ones((3, 4)))
            steps.append(np.ones((2, 4)) if t in arrays else h)
    return steps, nn.sequence.join(steps) if arrays else np.stack(steps)


def test_a_loop_by_hand_whose_steps_are_used_by_themselves_too():
    steps, y = loop()
    L = nn.squared_error(nn.Linear(4, 2, seed=1)(y), TARGETS)
    for t in range(4):
        L = L + (steps[t] ** 3).sum()  # no use of y
    leaf, sequence = alone(y)
    expected = tg.grad(nn.squared_error(nn.Linear(4, 2, seed=1)(sequence), TARGETS), leaf).value
    np.testing.assert_allclose(tg.grad(L, y).value, expected, rtol=1e-12)
    whole = tg.grad(L, steps)
    assert abs(whole[3].value - expected[3] - 3 * steps[3].value ** 2).max() < 1e-12


@pytest.mark.parametrize("graph", [False, True])
def test_plain_arrays_among_the_steps_keep_their_rows(graph):
    steps, y = loop(arrays=(2, 3))
    L = nn.squared_error(nn.Linear(4, 2, seed=1)(y), TARGETS)
    g = tg.grad(L, y, create_graph=graph)
    assert g.shape == y.shape
    assert (g.value[[1, 2]] == 0).all()
    for t in (0, 3):
        assert abs(g.value[t]).min() > 0
    np.testing.assert_allclose(g.value[3], tg.grad(L, steps[3]).value, rtol=1e-12)


def test_two_sequences_of_the_same_steps():
    """Each has what comes by way of it."""
    steps, y = loop()
    z = np.stack(steps)
    L = nn.squared_error(nn.Linear(4, 2, seed=1)(y), TARGETS) \
        + 2 * nn.Linear(4, 1, seed=2)(z).sum()
    both = [g.value for g in tg.grad(L, [y, z])]
    np.testing.assert_allclose(both[0], tg.grad(L, y).value, rtol=1e-14)
    np.testing.assert_allclose(both[1][0] / both[1][3], np.ones((2, 4)), rtol=1e-12)
    total = tg.grad(L, steps[3]).value
    np.testing.assert_allclose(both[0][3] + both[1][3], total, rtol=1e-12)


def test_the_same_step_twice():
    """Which of the two is meant, a use of it would not tell: they are taken out of y."""
    with tg.timestep(1):
        h = tg.Tensor(np.ones((2, 4)), requires_grad=True) * 2.0
    y = nn.sequence.join([h, h])
    L = nn.squared_error(y, np.stack([np.zeros((2, 4)), np.ones((2, 4))]), reduction="sum")
    np.testing.assert_allclose(tg.grad(L, y).value[:, 0, 0], [4.0, 2.0], rtol=1e-14)


def test_what_is_passed_on_as_it_is():
    """A cell that returns its input: the steps of both sequences are the same nodes."""
    _, y, _ = first(nn.RNN, 4, False)
    z = nn.Recurrent(lambda x, h: (x, x), return_sequences=True)(y)
    L = head(None, z, None)
    np.testing.assert_allclose(tg.grad(L, y).value, tg.grad(L, z).value, rtol=1e-14)
    both = tg.grad(L, [y, z])
    np.testing.assert_allclose(both[0].value, both[1].value, rtol=1e-14)
    assert abs(both[0].value).max() > 0


def test_a_sequence_read_at_every_step_of_another():
    """x_t of the one is used while the steps of the other are gone through."""
    _, y, _ = first(nn.RNN, 4, False)
    _, memory, _ = first(nn.GRU, 3, False)

    def use(y, memory):
        def step(x, h):
            each = nn.Recurrent(lambda m, s: (np.tanh(m * x), s), return_sequences=True)
            c = each(memory).sum(0)
            return c, c
        return (nn.Recurrent(step, return_sequences=True)(y) ** 2).sum()

    found = [g.value for g in tg.grad(use(y, memory), [y, memory])]
    (leaf, sequence), (other, remembered) = alone(y), alone(memory)
    expected = [g.value for g in tg.grad(use(sequence, remembered), [leaf, other])]
    for g, right in zip(found, expected):
        np.testing.assert_allclose(g, right, rtol=1e-12)


def test_a_long_row_of_layers_carries_no_long_row_of_numbers():
    y = nn.RNN(3, 4, return_sequences=True, seed=0)(XS)
    for _ in range(20):
        y = nn.Linear(4, 4, seed=1)(nn.LayerNorm(4)(y))
    assert len(y.operands[0].at.taking) == 1
    assert len(y.at.taking) <= 1


# --- the engine around it -----------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_the_logits(cell, loss):
    (_, _, o, L), (_, _, fused_o, fused_L) = (model(cell, fused, loss) for fused in (False, True))
    expected = tg.grad(fused_L, fused_o).value
    assert abs(expected).max() > 0.01
    np.testing.assert_allclose(tg.grad(L, o).value, expected, rtol=1e-12)
    np.testing.assert_allclose(tg.gradient_flow(L).gradient(o), expected, rtol=1e-12)
    if loss == "cross_entropy":  # p - onehot, over the batch
        p = np.exp(o.value) / np.exp(o.value).sum(-1, keepdims=True)
        np.testing.assert_allclose(expected, (p - np.eye(2)[0]) / 2, rtol=1e-12)


@pytest.mark.parametrize("second", [False, True], ids=["head", "layer"])
@pytest.mark.parametrize("cell", CELLS)
def test_who_looks_before_it_is_used_sees_what_comes_by_way_of_it(cell, second):
    """`retain_grad`, and a hook that changes what goes on."""
    for before in (lambda y: y.retain_grad(), lambda y: y.register_hook(lambda g: 3 * g) and None):
        (rnn, y, _, L), (other, fused_y, _, fused_L) = (
            model(cell, fused, before=before, second=second) for fused in (False, True))
        L.backward()
        fused_L.backward()
        np.testing.assert_allclose(rnn.cell.W_hh.grad, other.cell.W_hh.grad, rtol=1e-11)
        if fused_y.grad is not None:
            np.testing.assert_allclose(y.grad, fused_y.grad, rtol=1e-11)


def test_a_late_hook_that_is_removed_leaves_the_gradients_as_they_were():
    rnn, y, _, L = model(nn.RNN, False)
    expected = tg.grad(L, rnn.cell.W_hh).value
    remove, seen = y.register_hook(lambda g: 2 * g), []
    y.register_hook(seen.append)
    assert abs(tg.grad(L, rnn.cell.W_hh).value - 2 * expected).max() < 1e-12
    assert len(seen) == 1
    assert seen[0].shape == y.shape
    remove()
    L.backward()
    np.testing.assert_allclose(rnn.cell.W_hh.grad, expected, rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_its_ledger_has_a_row_for_every_use(cell):
    """Of y as a whole, and of a step by who took it apart; they end at its gradient."""
    _, y, state = first(cell, 4, False)
    L = head(cell, y, state) + layer(cell, y, state) + (y ** 2).sum()
    flow = tg.gradient_flow(L)
    ledger, steps = flow.ledger(y), [flow.ledger(h) for h in y.operands]
    inside = len(cell(4, 3, seed=2).cell.gates)  # uses of x_t by the next layer
    assert len(ledger) in (4 * (1 + inside) + 1, 4 * 2 + 1)
    assert all(len(rows) > 1 for rows in steps)
    assert (ledger[-1].running == ledger.total).all()
    assert (ledger.total == flow.gradient(y)).all()
    np.testing.assert_allclose(ledger.total, tg.grad(L, y).value, rtol=1e-12)
    norms = tg.gradient_flow(L, keep="norms").ledger(y)
    np.testing.assert_allclose([e.norm() for e in norms.entries],
                               [e.norm() for e in ledger.entries], rtol=1e-12)
    assert str(ledger)


def test_who_records_a_flow_is_told_of_a_late_hook():
    """A flow lists the uses of the steps, and would pass it over."""
    _, y, _, L = model(nn.RNN, False)
    assert tg.gradient_flow(L)
    y.retain_grad()
    with pytest.raises(tg.errors.GradientError, match="before the sequence is used"):
        tg.gradient_flow(L)


def test_what_was_used_as_a_whole_is_not_in_doubt():
    _, y, _, _ = model(nn.RNN, False)  # its head is no part of this
    np.testing.assert_allclose(tg.grad((y ** 2).sum(), y).value, 2 * y.value, rtol=1e-14)


def test_both_ways_add_up():
    _, _, o, L = model(nn.GRU, False)
    once = tg.grad(L, o).value
    for graph in (False, True):
        g = tg.grad(L + (o ** 2).sum(), o, create_graph=graph)
        np.testing.assert_allclose(g.value, once + 2 * o.value, rtol=1e-12)


def test_it_ends_with_the_call():
    """What the user does afterwards is done on no sequence's behalf."""
    _, y, state = first(nn.RNN, 4, False)
    for use in [*USERS, *WITH_STATE]:
        use(nn.RNN, y, state)
        assert here().taking == ()
    list(tg.truncated_bptt(nn.RNN(4, 3, seed=0), y, 2))
    nn.RNN(4, 3, seed=0).describe(y)
    nn.unroll(nn.RNNCell(4, 3, seed=0), y)
    assert here().taking == ()
