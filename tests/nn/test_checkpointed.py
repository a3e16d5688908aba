"""checkpoint_every: the same numbers, gradients and pictures, with the memory of a few steps."""

import gc
import itertools
import tracemalloc

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.core.checkpoint import CHECKPOINT
from tinygrad_rnn.nn.states import parts_of

from . import test_golden as golden
from .reference import family

T, B, I, H = 11, 3, 4, 5
RNG = np.random.default_rng(0)
XS = RNG.normal(size=(T, B, I))
SHORT = XS[:7]
VALID = RNG.random((T, B)) < 0.6
VALID[[0, 1, 2, 5, 9, 10]] = False  # nothing at either end, and nothing in the middle
RESET = RNG.random((T, B)) < 0.2
CALLS = {"plain": {}, "mask": {"mask": VALID}, "lengths": {"lengths": np.array([T, 0, 4])},
         "resets": {"reset_mask": RESET}, "both": {"mask": VALID, "reset_mask": RESET}}
OPTIONS = [dict(zip(("return_sequences", "return_state", "return_all_states"), flags))
           for flags in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 1))]


def outcome(kind, every, call, **options):
    """Everything returned, and the gradient of everything."""
    options = {k: v == 1 if type(v) is int else v for k, v in options.items()}
    layer = kind(I, H, seed=1, recurrent_dropout=0.3, checkpoint_every=every, **options)
    x = tg.Tensor(XS, requires_grad=True)
    found = parts_of(layer(x, rng=5, **call))
    draws = np.random.default_rng(1)
    loss = sum((part * draws.normal(size=part.shape)).sum() for part in found)
    loss.backward()
    grads = [x.grad, *(p.grad for p in layer.parameters())]
    return [p.value for p in found] + [0.0 if g is None else g for g in grads]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_chunks_change_nothing(kind, call):
    starts = itertools.cycle(["zeros", "learned", "random"])
    paddings = itertools.cycle(["repeat", "repeat", "zero", "zero", "repeat"])
    everies = itertools.cycle([1, 3, "sqrt", T, 50])
    for fused, reverse, flags in itertools.product((False, True), (False, True), OPTIONS):
        options = {**flags, "reverse": reverse, "fused": fused, "initial_state": next(starts),
                   "padding": next(paddings)}
        one = outcome(kind, None, CALLS[call], **options)
        for every in (next(everies), next(everies)):
            other = outcome(kind, every, CALLS[call], **options)
            for a, b in zip(one, other, strict=True):
                np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-13,
                                           err_msg=f"{every} {options}")


def model(every, kind=nn.RNN, fused=False):
    layers = [nn.Bidirectional(kind(I, H, seed=0, return_sequences=True, fused=fused,
                                    checkpoint_every=every)),
              kind(2 * H, H, seed=1, checkpoint_every=every, fused=fused)]
    return nn.Stacked(layers, return_state=True)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_stacked_and_in_both_directions(kind, fused):
    found = []
    for every in (None, 4):
        net = model(every, kind, fused)
        out = parts_of(net(XS, mask=VALID))
        sum((part * part).sum() for part in out).backward()
        found.append([p.value for p in out] + [p.grad for p in net.parameters()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-14)


def test_any_cell_and_a_list_of_steps():
    def cell(x, state):
        state = {"n": state["n"] + 1, "h": tg.tanh(x @ W + state["h"])}
        return state["h"] * 2.0, state

    W, found = tg.Tensor(RNG.normal(size=(I, I)), requires_grad=True), []
    for every in (None, 4):
        W.zero_grad()
        layer = nn.Recurrent(cell, checkpoint_every=every, return_sequences=True, return_state=True)
        out, state = layer([tg.Tensor(x) for x in XS],
                           {"n": 0, "h": tg.Tensor(np.zeros((B, I)))})
        (out * out).sum().backward()
        found.append([out.value, state["h"].value, W.grad])
        assert state["n"] == T
    for a, b in zip(*found):
        np.testing.assert_allclose(b, a, rtol=1e-12)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_fused_layer_called_in_the_usual_way_goes_in_chunks_too(kind):
    layer, x = kind(I, H, seed=0, fused=True, return_sequences=True), tg.Tensor(XS)
    assert CHECKPOINT not in {node.op for node in tg.nodes(layer(x))}
    layer.checkpoint_every = 4
    assert CHECKPOINT in {node.op for node in tg.nodes(layer(x))}


def test_states_of_single_steps_are_kept_where_they_are_asked_for():
    net = nn.Stacked([nn.RNN(I, H, seed=0, checkpoint_every=4)], return_all_states=True)
    with pytest.raises(tg.InputError, match="return_all_states=True on that layer"):
        net(XS)
    for wrong in (0, -1, True, 2.5, "root", np.zeros(2)):
        with pytest.raises(tg.InputError, match="expected checkpoint_every to be a whole number"):
            nn.RNN(I, H, checkpoint_every=wrong)


def test_nothing_is_checkpointed_where_nothing_is_recorded():
    layer = nn.RNN(I, H, seed=0, checkpoint_every=2)
    with tg.no_grad():
        assert not layer(XS).requires_grad


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_the_ledger_has_every_step_and_what_opens_is_the_same_graph(kind):
    losses, ledgers = [], []
    for every in (None, 3):
        layer = kind(I, H, seed=1, return_sequences=True, checkpoint_every=every)
        head = nn.Linear(H, 3, "hy", seed=2)
        y = head(layer(SHORT, lengths=np.array([7, 6, 4])))
        loss = nn.cross_entropy(y, np.zeros((7, B), int))
        flow = tg.gradient_flow(loss)
        for p in (layer.cell.W_hh, layer.cell.W_xh, layer.cell.b_h):
            np.testing.assert_array_equal(flow.ledger(p).total, p.grad)
            np.testing.assert_array_equal(flow.ledger(p)[-1].running, p.grad)
        ledgers.append(flow.ledger(layer.cell.W_hh))
        losses.append((loss, draw.gradient_flow(flow).svg()))
    assert [row.step for row in ledgers[0]] == [row.step for row in ledgers[1]]
    for one, other in zip(*ledgers):
        np.testing.assert_allclose(other.contribution, one.contribution, rtol=1e-10, atol=1e-14)
    (plain, one), (kept, other) = losses
    assert one == other
    assert draw.unrolled(plain).svg() == draw.unrolled(kept).svg()
    opened = tg.open_fused(kept)
    assert CHECKPOINT in [node.op for node in tg.nodes(kept)]
    assert [(n.label, n.op.name) for n in tg.nodes(opened)] == [(n.label, n.op.name)
                                                                 for n in tg.nodes(plain)]


@pytest.mark.parametrize(("kind", "start", "reverse"), [
    (nn.RNN, "zeros", False), (nn.LSTM, "zeros", True), (nn.GRU, "zeros", False),
    (nn.RNN, "learned", True)])
def test_where_samples_start_anew_fused_chunks_open_to_the_same_picture(kind, start, reverse):
    """All chunks start anew from one state, that of before the first step."""
    reset = np.ones((4, B), bool)
    reset[-1 if reverse else 0] = False
    pictures = set()
    for every in (None, 2, 3):
        layer = kind(I, H, seed=1, return_sequences=True, reverse=reverse, initial_state=start,
                     fused=every is not None, checkpoint_every=every)
        loss = (layer(XS[:4], reset_mask=reset) ** 2).sum()
        pictures.add(draw.unrolled(loss, level="cell").svg())
    assert len(pictures) == 1


def test_a_norm_that_is_only_a_part_is_not_given():
    layer = nn.RNN(I, H, seed=1, return_sequences=True, checkpoint_every=3)
    flow = tg.gradient_flow((layer(XS) ** 2).sum())
    with pytest.raises(tg.InputError, match="no node named 'h' got a gradient"):
        flow.norms("h")
    one, other = (tg.gradient_flow((nn.RNN(I, H, seed=1, checkpoint_every=every)(XS) ** 2).sum())
                  for every in (None, 3))
    for t, norm in other.norms("h").items():  # many to one: the states between two chunks
        np.testing.assert_allclose(norm, one.norms("h")[t], rtol=1e-12)


def test_the_hook_of_a_weight_sees_its_whole_gradient_once():
    layer, seen = nn.RNN(I, H, seed=1, checkpoint_every=3), []
    layer.cell.W_hh.register_hook(lambda g: seen.append(g.copy()))
    (layer(XS) ** 2).sum().backward()
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0], layer.cell.W_hh.grad)


def test_second_order_goes_through():
    found = []
    for every in (None, 4):
        layer = nn.RNN(I, H, seed=1, checkpoint_every=every)
        W = layer.cell.W_hh
        g = tg.grad((layer(XS) ** 2).sum(), W, create_graph=True)
        (g * g).sum().backward()
        found.append(W.grad)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10)


def test_the_memory_of_a_few_steps():
    def peak(every):
        layer, xs = nn.RNN(4, 32, seed=1, checkpoint_every=every), tg.Tensor(np.ones((400, 8, 4)))
        gc.collect()
        tracemalloc.start()
        (layer(xs) ** 2).sum().backward()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak("sqrt") < 0.15 * peak(None)


@pytest.mark.parametrize(("facts", "arrays"), family("whh_contrib"))
def test_against_numbers_computed_elsewhere(facts, arrays):
    layer = golden.single(facts, arrays, return_sequences=True, checkpoint_every=2)
    _, start = golden.states(facts, arrays)
    golden.loss_of(facts, arrays, golden.head(arrays)(layer(arrays["x"], start[0]))).backward()
    for p, name in ((layer.cell.W_hh, "weight_hh"), (layer.cell.W_xh, "weight_ih")):
        np.testing.assert_allclose(p.grad, arrays[f"contrib_{name}_l0"].sum(0), rtol=1e-9,
                                   atol=1e-12)


@pytest.mark.parametrize(("every", "sequences"), [(1, False), (2, True)])  # 1: some give nothing
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_second_derivative_goes_through_fused_chunks_that_are_masked(kind, reverse, every,
                                                                       sequences):
    found = []
    for options in ({}, {"fused": True, "checkpoint_every": every}):
        layer = kind(2, 3, seed=0, reverse=reverse, return_sequences=sequences, **options)
        xs = tg.Tensor(np.random.default_rng(0).normal(size=(5, 2, 2)), requires_grad=True)
        weights = list(layer.parameters())
        first = tg.grad((layer(xs, lengths=[3, 2]) ** 2).sum(), weights, create_graph=True)
        found.append(tg.grad(sum((g ** 2).sum() for g in first), weights))
    for a, b in zip(*found):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_second_derivative_goes_through_fused_chunks_in_which_nothing_starts_anew(kind):
    found, reset = [], np.zeros((5, 2), bool)
    reset[2, 1] = True  # the first chunk and the last have no use for the state to start anew from
    for options in ({}, {"fused": True, "checkpoint_every": 2}):
        layer = kind(2, 3, seed=0, initial_state="learned", **options)
        xs = tg.Tensor(np.random.default_rng(0).normal(size=(5, 2, 2)), requires_grad=True)
        weights = list(layer.parameters())
        loss = (layer(xs, reset_mask=reset) ** 2).sum()
        first = tg.grad(loss, weights, create_graph=True)
        found.append(tg.grad(sum((g ** 2).sum() for g in first), [xs, *weights]))
    for a, b in zip(*found):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-12)


def test_a_layer_says_that_it_goes_in_chunks():
    assert repr(nn.GRU(2, 3, checkpoint_every="sqrt")).startswith(
        "GRU(2, 3, checkpoint_every=sqrt): ")
    assert "checkpoint_every" not in repr(nn.GRU(2, 3))


SLICED = {  # layers that use their weights in parts, with their options and those of a call
    "reset before": (nn.GRU, {"reset_after": False}, {}),
    "starting anew": (nn.GRU, {"reset_after": False}, {"reset_mask": np.zeros((7, B), bool)}),
    "in one matrix": (nn.GRU, {"reset_after": False, "stacked": True}, {}),
    "a GRU in one matrix": (nn.GRU, {"stacked": True}, {"lengths": np.array([7, 6, 4])}),
    "dropped": (nn.GRU, {"reset_after": False, "recurrent_dropout": 0.3}, {"rng": 3}),
}


@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=["op by op", "fused"])
@pytest.mark.parametrize("name", SLICED)
def test_a_weight_that_is_used_in_parts_has_every_step_in_its_ledger(name, options):
    (kind, own, call), found = SLICED[name], []
    for how in ({}, {"checkpoint_every": 3, **options}):
        layer = kind(I, H, seed=1, **own, **how)
        flow = tg.gradient_flow((layer(SHORT, **call) ** 2).sum())
        W = layer.cell.W if own.get("stacked") else layer.cell.W_hh
        steps = {}
        for row in flow.ledger(W):
            steps[row.step] = steps.get(row.step, 0) + row.contribution
        np.testing.assert_allclose(W.grad, sum(steps.values()), rtol=1e-12, atol=1e-14)
        found.append(steps)
    assert found[0].keys() == found[1].keys()
    for t, given in found[0].items():
        np.testing.assert_allclose(found[1][t], given, rtol=1e-9, atol=1e-13)


def test_a_transposed_weight_has_every_step_in_its_ledger():
    found = []
    for every in (None, 3):
        W = tg.Tensor(np.random.default_rng(1).normal(size=(2 * H, max(I, H))), requires_grad=True)

        def cell(x, h, W=W):
            h = tg.tanh(x @ W.T[:I, :H] + h @ W[H:, :H].T)
            return h, h

        layer = nn.Recurrent(cell, checkpoint_every=every)
        flow = tg.gradient_flow((layer(SHORT, np.zeros((B, H))) ** 2).sum())
        found.append([(row.step, row.op, row.contribution) for row in flow.ledger(W)])
    assert [row[:2] for row in found[0]] == [row[:2] for row in found[1]]
    for (*_, one), (*_, other) in zip(*found):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-13)
