"""Truncated backpropagation: against numbers computed elsewhere, against windows unrolled by hand,
and what is cut, released and refused."""

import gc
import weakref
from itertools import pairwise

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.bptt.truncated import truncated_bptt
from tinygrad_rnn.core import walk
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import GradientError, InputError, ShapeError

from ..nn.reference import close, family, head, last_states, single

LSTMState = nn.LSTMState


# --- numbers computed elsewhere -----------------------------------------------------------------


class TwoBiases:
    """The reference has two biases where we have one: under SGD our one moves twice as far."""

    def __init__(self, layer, top, lr):
        self.parameters = [*layer.parameters(), *top.parameters()]
        cell = layer.cell
        self.twice = [] if lr is None else [(cell.b_h, slice(None))]
        if getattr(cell, "b_hn", None) is not None:
            self.twice = [(cell.b_h, slice(0, 2 * cell.hidden_size))]
        self.lr = lr

    def step(self):
        for p in self.parameters:
            factor = np.ones(p.shape)
            for q, rows in self.twice:
                if q is p:
                    factor[rows] = 2.0
            p.data = p.numpy() - self.lr * factor * p.grad
            p.grad = None


def start(arrays):
    h = arrays["h0"][0]
    return LSTMState(h, arrays["c0"][0]) if "c0" in arrays else h


def grads(layer, top):
    return {name: p.grad.copy() for name, p in
            [*layer.cell.named_parameters(), *top.named_parameters()]}


def check(found, arrays, prefix, j=None):
    """Our gradients against those of the reference, under its names."""
    H = arrays["W_hy"].shape[1]
    names = {"W_xh": "weight_ih_l0", "W_hh": "weight_hh_l0", "b_h": "bias_ih_l0",
             "b_hn": "bias_hh_l0", "W_hy": "W_hy", "b_y": "b_hy"}
    for name, g in found.items():
        expected = arrays[f"{prefix}_{names[name]}"]
        expected = expected if j is None else expected[j]
        close(g, expected[2 * H:] if name == "b_hn" else expected)


@pytest.mark.parametrize(("facts", "arrays"),
                         family("tbptt", lambda case, f: f["mode"] == "accumulate"))
def test_windows_that_accumulate(facts, arrays):
    layer, top = single(facts, arrays), head(arrays)
    before, total = None, 0.0
    outputs = []
    for j, window in enumerate(truncated_bptt(layer, arrays["x"], facts["k"],
                                              initial_state=start(arrays))):
        if j:
            close(window.cut[0].node, arrays["state_in"][j][0])
        loss = nn.cross_entropy(top(window.outputs), arrays["target"][window.steps])
        close(loss.item(), arrays["chunk_loss"][j])
        window.backward(loss)
        now = grads(layer, top)
        check({n: g - (0 if before is None else before[n]) for n, g in now.items()}, arrays,
              "chunk_grad", j)
        before, total = now, total + loss.item()
        outputs.extend(window.outputs.numpy())
    assert j == len(arrays["chunk_loss"]) - 1
    close(total, arrays["loss"])
    close(np.array(outputs), arrays["output"])
    check(before, arrays, "grad")
    h, c = last_states([window.state], 1)
    close(h[0], arrays["h_n"][0])
    if c:
        close(c[0], arrays["c_n"][0])


@pytest.mark.parametrize(("facts", "arrays"),
                         family("tbptt", lambda case, f: f["mode"] == "accumulate"))
def test_one_long_window_is_the_full_gradient(facts, arrays):
    layer, top = single(facts, arrays), head(arrays)
    for window in truncated_bptt(layer, arrays["x"], 100, initial_state=start(arrays)):
        window.backward(nn.cross_entropy(top(window.outputs), arrays["target"][window.steps]))
    check(grads(layer, top), arrays, "grad_full")


@pytest.mark.parametrize(("facts", "arrays"),
                         family("tbptt", lambda case, f: f["mode"] == "accumulate"))
def test_short_windows_that_reach_all_the_way_back_are_the_full_gradient(facts, arrays):
    layer, top = single(facts, arrays), head(arrays)
    for window in truncated_bptt(layer, arrays["x"], facts["k"], k2=100,
                                 initial_state=start(arrays)):
        assert window.cut == []
        window.backward(nn.cross_entropy(top(window.outputs), arrays["target"][window.steps]))
    check(grads(layer, top), arrays, "grad_full")


@pytest.mark.parametrize(("facts", "arrays"),
                         family("tbptt", lambda case, f: f["mode"] == "update"))
def test_windows_with_an_update_after_each(facts, arrays):
    layer, top = single(facts, arrays), head(arrays)
    optimizer = TwoBiases(layer, top, facts["lr"])
    outputs, total = [], 0.0
    for j, window in enumerate(truncated_bptt(layer, arrays["x"], facts["k"],
                                              initial_state=start(arrays))):
        loss = nn.cross_entropy(top(window.outputs), arrays["target"][window.steps])
        close(loss.item(), arrays["chunk_loss"][j])
        if j:
            close(window.cut[0].node, arrays["state_in"][j][0])
        window.backward(loss)
        optimizer.step()
        outputs.extend(window.outputs.numpy())
        total += loss.item()
    close(np.array(outputs), arrays["output"])
    close(total, arrays["loss"])
    for parts, name in zip(last_states([window.state], 1), ("h_n", "c_n")):
        if parts:
            close(parts[0], arrays[name][0])
    arrays = {**arrays, "final_bias_ih_l0": arrays["final_bias_ih_l0"] + arrays["final_bias_hh_l0"]}
    H = arrays["W_hy"].shape[1]
    if facts["kind"] == "gru":
        arrays["final_bias_ih_l0"][2 * H:] -= arrays["final_bias_hh_l0"][2 * H:]
    check({n: p.numpy() for n, p in [*layer.cell.named_parameters(), *top.named_parameters()]},
          arrays, "final")


# --- the example everybody knows ----------------------------------------------------------------


@pytest.mark.parametrize(("k2", "expected", "label", "size"), [
    (3, 0.108, None, None), (2, 0.072, "h_1", 0.04), (1, 0.036, "h_2", 0.2)])
def test_three_uses_of_one_weight(k2, expected, label, size):
    """x_3 = w³ x_0 with x_0 = 0.9, w = 0.2: each use gives w² x_0 = 0.036."""
    w, x0 = tg.Value(0.2, name="w"), tg.Value(0.9, name="h")

    def cell(x, h):
        h = (w * h).named("h")
        return h, h

    for window in truncated_bptt(cell, np.zeros((3, 1)), 3, k2, initial_state=x0):
        window.backward(window.state)
        assert window.state.item() == pytest.approx(0.0072)
        assert w.grad == pytest.approx(expected)
        assert [c.label for c in window.cut] == [label] * (label is not None)
        if label:
            assert window.cut[0].norm == pytest.approx(size)
            assert x0.grad is None
            assert f"cut at {label}, |dL/d{label}| = {size}" in repr(window)
        else:
            assert x0.grad == pytest.approx(0.008)


# --- windows by hand ----------------------------------------------------------------------------

T, B, I, H = 11, 2, 3, 4
rng = np.random.default_rng(0)
XS, TARGETS = rng.normal(size=(T, B, I)), rng.normal(size=(T, B, H))


def by_hand(cell, k1, k2, optimizer=None):
    """The same with cell calls and detach() only: losses, gradients or final weights."""
    stored, losses = {0: cell.initial_state((B,))}, []
    for begin in range(0, T, k1):
        end = min(begin + k1, T)
        start = max(0, begin - (k2 - k1)) if k2 >= k1 else max(begin, end - k2)
        state = nn.LSTMState(*(s.detach() for s in stored[min(start, begin)])) \
            if isinstance(cell, nn.LSTMCell) else stored[min(start, begin)].detach()
        loss = 0.0
        for t in range(min(start, begin), end):
            output, state = cell(XS[t], state)
            if t < start:
                output = output.detach()
                state = nn.LSTMState(*(s.detach() for s in state)) \
                    if isinstance(cell, nn.LSTMCell) else state.detach()
            stored[t + 1] = state
            if t >= begin:
                loss = loss + ((output - TARGETS[t]) ** 2).sum() / (B * H)
        losses.append(loss.item())
        loss.backward()
        if optimizer:
            optimizer.step()
            optimizer.zero_grad()
    return losses, {n: p.numpy() if optimizer else p.grad for n, p in cell.named_parameters()}


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize(("k1", "k2"), [
    (1, 1), (4, 4), (11, 11), (1, 3), (2, 5), (3, 4), (4, 20), (4, 2), (5, 1), (4, 3)])
@pytest.mark.parametrize("update", [False, True])
def test_against_windows_by_hand(kind, k1, k2, update):
    layer, twin = kind(I, H, seed=1), kind(I, H, seed=1)
    make = (lambda m: optim.SGD(m, lr=0.3)) if update else (lambda m: None)
    losses, expected = by_hand(twin.cell, k1, k2, make(twin))
    optimizer, found = make(layer), []
    for window in truncated_bptt(layer, XS, k1, k2):
        loss = nn.squared_error(window.outputs, TARGETS[window.steps])
        window.backward(loss)
        found.append(loss.item())
        if update:
            optimizer.step()
            optimizer.zero_grad()
    np.testing.assert_allclose(found, losses, rtol=1e-12)
    for name, p in layer.cell.named_parameters():
        np.testing.assert_allclose(p.numpy() if update else p.grad, expected[name], rtol=1e-10,
                                   atol=1e-14)


def test_truncation_changes_the_gradient():
    """Otherwise the tests above could not tell a cut from none."""
    found = []
    for k2 in (1, 2, 4, 8, 11):
        layer = nn.RNN(I, H, seed=1)
        for window in truncated_bptt(layer, XS, 1, k2):
            window.backward(nn.squared_error(window.outputs, TARGETS[window.steps]))
        found.append(layer.cell.W_hh.grad)
    distances = [np.linalg.norm(g - found[-1]) for g in found]
    assert all(a > b for a, b in pairwise(distances))
    assert distances[0] > 1e-3


# --- stamps, cuts and forms ---------------------------------------------------------------------


def test_steps_and_names():
    layer = nn.LSTM(I, H, seed=0)
    found = []
    for window in truncated_bptt(layer, XS, 4):
        found.append((list(window.steps), list(window.times), [c.label for c in window.cut],
                      [n.label for n in window.outputs.operands]))
    assert found == [
        ([0, 1, 2, 3], [1, 2, 3, 4], [], ["h_1", "h_2", "h_3", "h_4"]),
        ([4, 5, 6, 7], [5, 6, 7, 8], ["h_4", "c_4"], ["h_5", "h_6", "h_7", "h_8"]),
        ([8, 9, 10], [9, 10, 11], ["h_8", "c_8"], ["h_9", "h_10", "h_11"])]


def test_inside_a_timestep_it_counts_from_there():
    with tg.timestep(10):
        windows = truncated_bptt(nn.RNN(I, H, seed=0), XS, 4)
    labels = [[n.label for n in window.outputs.operands] for window in windows]
    assert labels[1] == ["h_14", "h_15", "h_16", "h_17"]


@pytest.mark.parametrize("k2", [4, 6])
def test_the_cut_gradient_is_what_would_have_flowed(k2):
    layer = nn.RNN(I, H, seed=0)
    states, h = [], layer.cell.initial_state((B,))
    for x in XS:
        _, h = layer.cell(x, h)
        states.append(h)
    for window in truncated_bptt(layer, XS, 4, k2):
        assert all(c.norm is None for c in window.cut)
        window.backward(nn.squared_error(window.outputs, TARGETS[window.steps]))
        loss = sum(((states[t] - TARGETS[t]) ** 2).sum() / (B * H) for t in window.steps)
        for c in window.cut:
            expected = grad(loss, states[c.step - 1]).numpy()
            np.testing.assert_allclose(c.gradient, expected, rtol=1e-10)
            assert c.norm == pytest.approx(np.linalg.norm(expected))
            assert c.node.is_leaf
    assert len(window.cut) == 1


def test_the_flow_of_a_window_has_its_rows_and_lives_on():
    layer = nn.RNN(I, H, seed=0)
    flows = []
    for window in truncated_bptt(layer, XS, 4):
        flows.append(window.flow(nn.squared_error(window.outputs, TARGETS[window.steps])))
    rows = list(flows[1].ledger(layer.cell.W_hh))
    assert [(row.step, row.root) for row in rows] == \
        [(None, "carried in"), *((t, "L") for t in (8, 7, 6, 5))]
    assert list(flows[1].norms("h")) == [4, 5, 6, 7, 8]  # 4 is where it was cut
    total = sum(flow.ledger(layer.cell.W_hh).total for flow in flows)
    np.testing.assert_allclose(total, layer.cell.W_hh.grad, rtol=1e-12)


@pytest.mark.parametrize("form", ["array", "tensor", "list", "leaf", "unbatched"])
def test_forms_of_a_sequence(form):
    layer = nn.RNN(I, H, seed=0)
    xs, targets = XS, TARGETS
    if form == "unbatched":
        xs, targets = XS[:, 0], TARGETS[:, 0]
    given = {"tensor": Tensor(XS), "list": list(XS),
             "leaf": Tensor(XS, requires_grad=True)}.get(form, xs)
    for window in truncated_bptt(layer, given, 4):
        window.backward(nn.squared_error(window.outputs, targets[window.steps]))
    twin = nn.RNN(I, H, seed=0)
    for window in truncated_bptt(twin, xs, 4):
        window.backward(nn.squared_error(window.outputs, targets[window.steps]))
    np.testing.assert_array_equal(layer.cell.W_hh.grad, twin.cell.W_hh.grad)
    if form == "leaf":
        assert given.grad.shape == XS.shape
        assert (given.grad != 0).all()


def test_inputs_that_were_computed_keep_their_graph():
    """A layer below the truncated one, over the whole sequence: the windows must not release it."""
    below, layer = nn.Linear(I, I, seed=0), nn.RNN(I, H, seed=1)
    for xs in (below(list(XS)), below(XS)):
        for window in truncated_bptt(layer, xs, 4):
            window.backward(nn.squared_error(window.outputs, TARGETS[window.steps]))
    first = below.W.grad / 2
    below.zero_grad()
    by_hand, state = nn.RNN(I, H, return_sequences=True, return_state=True, seed=1), None
    for begin in range(0, T, 4):
        out, state = by_hand([below(x) for x in XS[begin:begin + 4]], state)
        nn.squared_error(out, TARGETS[begin:begin + 4]).backward()
        state = state.detach()
    np.testing.assert_allclose(below.W.grad, first, rtol=1e-10)


def test_a_learned_initial_state_gets_its_gradient_from_the_first_window():
    h0 = Tensor(rng.normal(size=(B, H)), requires_grad=True, name="h")
    layer = nn.RNN(I, H, seed=0)
    for j, window in enumerate(truncated_bptt(layer, XS, 4, initial_state=h0)):
        window.backward(nn.squared_error(window.outputs, TARGETS[window.steps]))
        if j == 0:
            first = h0.grad.copy()
            assert (first != 0).all()
    np.testing.assert_array_equal(h0.grad, first)
    learned = nn.RNN(I, H, seed=0, initial_state="learned")
    for window in truncated_bptt(learned, XS, 4):
        window.backward(nn.squared_error(window.outputs, TARGETS[window.steps]))
    assert (learned.h_0.grad != 0).all()


def test_stacked_layers_and_what_a_layer_returns_by_itself():
    model = nn.Stacked([nn.LSTM(I, H, seed=0, return_sequences=True), nn.RNN(H, H, seed=1)])
    labels = []
    for window in truncated_bptt(model, XS, 4):
        assert window.outputs.shape == (len(window.steps), B, H)
        labels.append([(c.node.scope, c.label) for c in window.cut])
        window.backward(nn.squared_error(window.outputs, TARGETS[window.steps]))
    assert labels[1] == [("layer 0", "h_4"), ("layer 0", "c_4"), ("layer 1", "h_4")]
    assert all((p.grad != 0).any() for p in model.parameters())


@pytest.mark.parametrize("k2", [4, 7, 2])
def test_masks_and_lengths(k2):
    """Padding of any content, cut into windows: the same as each sample alone."""
    lengths = np.array([T, 6])
    xs, mask = XS.copy(), np.arange(T)[:, None] < lengths
    xs[~mask] = np.nan
    layer = nn.GRU(I, H, seed=0)
    for window in truncated_bptt(layer, xs, 4, k2, lengths=lengths):
        window.backward(nn.squared_error(window.outputs, TARGETS[window.steps], "sum",
                                         mask[window.steps]))
    together = {n: p.grad for n, p in layer.named_parameters()}
    np.testing.assert_allclose(window.state.numpy()[1], layer(XS[:6, 1]).numpy(), rtol=1e-12)
    if k2 == 2:  # its last window is shorter than that of the batch, and would be cut elsewhere
        return
    layer.zero_grad()
    for b, n in enumerate(lengths):
        for window in truncated_bptt(layer, XS[:n, b], 4, k2):
            window.backward(nn.squared_error(window.outputs, TARGETS[window.steps, b], "sum"))
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(p.grad, together[name], rtol=1e-10)


def test_reset_masks():
    reset = np.zeros((T, B), bool)
    reset[5] = True
    layer = nn.RNN(I, H, seed=0)
    outputs = [h for window in truncated_bptt(layer, XS, 4, reset_mask=reset)
               for h in window.outputs.numpy()]
    np.testing.assert_array_equal(outputs[:5], layer_outputs(layer, XS[:5]))
    np.testing.assert_array_equal(outputs[5:], layer_outputs(layer, XS[5:]))


def layer_outputs(layer, xs):
    return nn.Recurrent(layer.cell, return_sequences=True)(xs).numpy()


def test_no_steps_are_no_windows():
    assert list(truncated_bptt(nn.RNN(I, H), np.zeros((0, B, I)), 3)) == []


# --- what is freed, and what is refused ---------------------------------------------------------


def test_a_finished_window_is_released():
    layer = nn.RNN(I, H, seed=0)
    kept = []
    for window in truncated_bptt(layer, XS, 4):
        loss = nn.squared_error(window.outputs, TARGETS[window.steps])
        window.backward(loss)
        kept.append((window, loss))
    for window, loss in kept:
        for call in (window.backward, window.flow):
            with pytest.raises(GradientError, match=r"^truncated_bptt: Window\(steps .*\) is over: "
                                                    r"its graph was released\. Go backward inside"):
                call(loss)
        with pytest.raises(GradientError, match=r"released.*detach\(\)"):
            (window.state * 2.0).sum().backward()
    assert [w.outputs.shape[0] for w, _ in kept] == [4, 4, 3]  # values stay
    assert kept[1][0].cut[0].norm > 0


def test_twice_within_a_window_is_allowed():
    layer = nn.RNN(I, H, seed=0)
    for window in truncated_bptt(layer, XS, 4):
        loss = nn.squared_error(window.outputs, TARGETS[window.steps])
        window.backward(loss)
        once = layer.cell.W_hh.grad.copy()
        window.backward(loss)
        np.testing.assert_allclose(layer.cell.W_hh.grad, 2 * once)
        layer.zero_grad()


def test_a_state_carried_by_hand_names_the_cure():
    layer = nn.RNN(I, H, seed=0)
    for window in truncated_bptt(layer, XS[:4], 4):
        window.backward(nn.squared_error(window.outputs, TARGETS[:4]))
    with pytest.raises(GradientError, match=r"'h_4'.*pass it on with \.detach\(\)"):
        layer(XS[4:], window.state).sum().backward()
    layer(XS[4:], window.state.detach()).sum().backward()
    for later in truncated_bptt(layer, XS[4:8], 4, initial_state=window.state.detach()):
        later.backward(later.outputs.sum())


def test_memory_does_not_grow_with_the_sequence():
    layer = nn.RNN(I, H, seed=0)
    refs, alive = [], []
    for window in truncated_bptt(layer, np.concatenate([XS] * 5), 4, 8):
        window.backward(window.outputs.sum())
        refs += [weakref.ref(n) for n in walk.nodes(window.outputs) if n.op.rules]
        gc.collect()
        alive.append(sum(r() is not None for r in refs))
    assert max(alive[4:]) == max(alive[:4])


def test_stopping_early_leaves_the_last_window_whole():
    layer = nn.RNN(I, H, seed=0)
    for window in truncated_bptt(layer, XS, 4):
        loss = nn.squared_error(window.outputs, TARGETS[window.steps])
        if window.steps.start == 4:
            break
    loss.backward()
    assert layer.cell.W_hh.grad is not None


def test_the_place_is_as_it_was_at_every_window():
    """A generator that yields inside a `with` would leak its step into the loop's body."""
    for k2 in (4, 2, 8):
        for _ in truncated_bptt(nn.RNN(I, H, seed=0), XS, 4, k2):
            made = tg.Value(1.0) * 2.0
            assert made.step is None
            assert made.requires_grad


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "4"])
def test_windows_that_cannot_be(k):
    with pytest.raises(InputError, match="k1"):
        truncated_bptt(nn.RNN(I, H), XS, k)
    with pytest.raises(InputError, match="k2"):
        truncated_bptt(nn.RNN(I, H), XS, 4, k)


@pytest.mark.parametrize("layer", [
    nn.RNN(I, H, reverse=True), nn.Bidirectional(nn.RNN(I, H)),
    nn.Stacked([nn.RNN(I, H, return_sequences=True), nn.RNN(H, H, reverse=True)])])
def test_layers_that_need_the_end_first(layer):
    with pytest.raises(InputError, match="reverse"):
        truncated_bptt(layer, XS, 4)


def test_shapes_are_refused_at_once():
    with pytest.raises(ShapeError, match=r"\(T, B, 3\)"):
        truncated_bptt(nn.RNN(I, H), np.zeros((T, B, I + 1)), 4)


@pytest.mark.parametrize("wrapped", [False, True])
def test_masked_outputs_do_not_hang_on_what_the_layer_returns(wrapped):
    xs, mask = np.random.default_rng(0).normal(size=(6, 2, 3)), np.ones((6, 2), bool)
    mask[2, 0] = mask[4, 1] = False  # each at the beginning of a window
    found = []
    for return_sequences in True, False:
        layer = nn.RNN(3, 4, seed=0, return_sequences=return_sequences)
        layer = nn.Stacked([nn.Stacked([layer])]) if wrapped else layer
        windows = truncated_bptt(layer, xs, 2, mask=mask)
        found.append(np.concatenate([window.outputs.numpy() for window in windows]))
        assert layer.return_sequences is return_sequences
    np.testing.assert_array_equal(found[0], found[1])
    assert not found[0][2, 0].any()
    assert not found[0][4, 1].any()


def test_the_flow_of_a_window_may_keep_norms():
    layer = nn.RNN(2, 3, seed=0)
    for window in tg.truncated_bptt(layer, np.ones((4, 1, 2)), k1=2):
        flow = window.flow((window.outputs ** 2).sum(), keep="norms")
        assert flow.keep == "norms"
        assert [row.step for row in flow.ledger(layer.cell.W_hh)] == list(window.times)[::-1]
        layer.zero_grad()
    with pytest.raises(ValueError, match="'arrays' or 'norms', got 'x'"):
        window.flow((window.outputs ** 2).sum(), keep="x")
