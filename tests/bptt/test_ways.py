"""Three ways to one gradient: they agree, and what they take is what it is said to be."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt.realtime import RealTime
from tinygrad_rnn.bptt.task import Task
from tinygrad_rnn.bptt.ways import bptt, peak_bytes, real_time
from tinygrad_rnn.bptt.work import Counter
from tinygrad_rnn.core import walk
from tinygrad_rnn.errors import InputError, ShapeError

from ..nn.reference import close, family, single

T, B, I, H = 5, 2, 2, 2
rng = np.random.default_rng(0)
XS, TARGETS = rng.normal(size=(T, B, I)), rng.normal(size=(T, B, H))

CELLS = {
    "rnn": lambda: nn.RNNCell(I, H, seed=0),
    "stacked form": lambda: nn.RNNCell(I, H, stacked=True, seed=0),
    "lstm": lambda: nn.LSTMCell(I, H, peepholes=True, seed=0),
    "gru": lambda: nn.GRUCell(I, H, seed=0),
    "gru, reset before": lambda: nn.GRUCell(I, H, reset_after=False, seed=0),
    "skip": lambda: nn.SkipRNNCell(I, H, skips=(3,), seed=0),
    "deep": lambda: nn.DeepRNNCell(I, H, deep_transition=[4], deep_output=[H], seed=0),
    "readout": lambda: nn.ReadoutCell(nn.LSTMCell(I, 2, seed=0), H, skip=True, seed=1),
    "layer": lambda: nn.LSTM(I, H, seed=0, initial_state="learned"),
    "stack": lambda: nn.Stacked([nn.LSTM(I, 2, seed=0, return_sequences=True),
                                 nn.GRU(2, H, seed=1)]),
}


def error(y, t):
    return ((y - TARGETS[t]) ** 2).sum()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_they_agree(name, last):
    cell = CELLS[name]()
    found = tg.three_ways(cell, XS, error, last=last, steps=[2], measure=False)
    assert found.agreement["real time"] < 1e-13
    assert found.agreement["differences"] < 1e-8
    assert all(p.grad is None for p in cell.parameters())
    layer = cell if isinstance(cell, nn.layer.Layer) else nn.Recurrent(cell)
    layer.return_sequences = True
    if isinstance(layer, nn.Stacked):
        layer.layers[-1].return_sequences = True
    outputs = layer(XS)
    loss = error(outputs[T - 1], T - 1) if last else sum(error(outputs[t], t) for t in range(T))
    loss.backward()
    for param, p in cell.named_parameters():  # and with the backward pass of a layer
        np.testing.assert_allclose(found.way("BPTT").gradients[param], p.grad, rtol=1e-11,
                                   atol=1e-13)


@pytest.mark.parametrize(("facts", "arrays"), family(
    "whh_contrib", lambda case, facts: facts["loss"] == "mse"))
def test_real_time_against_published_gradients(facts, arrays):
    layer = single(facts, arrays)
    W_hy, b_hy = arrays["W_hy"], arrays["b_hy"]
    start = arrays["h0"]
    start = nn.LSTMState(start, arrays["c0"]) if "c0" in arrays else start
    target = arrays["target"]

    def loss(h, t):
        y = tg.linear(h, W_hy) + b_hy
        return nn.squared_error(y, target[t]).named("L")

    found = tg.three_ways(layer, arrays["x"], loss, initial_state=start, measure=False)
    for way in ("BPTT", "real time"):
        close(found.way(way).gradients["cell.W_hh"], arrays["grad_weight_hh_l0"])
        close(found.way(way).gradients["cell.W_xh"], arrays["grad_weight_ih_l0"])


def test_numbers_and_a_function():
    w, x0 = tg.Value(0.2, name="w"), tg.Value(0.9, name="x0")
    found = tg.three_ways(lambda x, s: (s * w, s * w), np.zeros(3), lambda y, t: y, [w, x0],
                          initial_state=x0, last=True, measure=False)
    for way in ("BPTT", "real time"):
        assert found.way(way).gradients["w"] == pytest.approx(0.108, rel=1e-14)
        assert found.way(way).gradients["x0"] == pytest.approx(0.008, rel=1e-14)  # through P_0
    assert found.agreement["differences"] < 1e-9
    assert (w.value, x0.value) == (0.2, 0.9)


def test_samples_that_depend_on_each_other():
    W = tg.Tensor(rng.normal(size=(H, H)), requires_grad=True, name="W")

    def cell(x, h):
        h = np.tanh(tg.linear(h - 0.5 * np.mean(h, 0), W) + x)
        return h, h

    xs = rng.normal(size=(T, B, H))
    found = tg.three_ways(cell, xs, error, [W], initial_state=tg.Tensor(np.zeros((B, H))),
                          measure=False)
    assert found.agreement["real time"] < 1e-13


# --- masks, and layers in reverse -----------------------------------------------------------------

MASK = np.array([[1, 1], [0, 1], [1, 0], [1, 0], [0, 0]], bool)
WHOLE = {
    "rnn": lambda **o: nn.RNN(I, H, seed=0, **o),
    "lstm, learned start": lambda **o: nn.LSTM(I, H, seed=0, initial_state="learned", **o),
    "zeros where masked": lambda **o: nn.GRU(I, H, seed=0, padding="zero", **o),
    "reverse": lambda **o: nn.LSTM(I, H, seed=0, reverse=True, **o),
    "residual stack": lambda **o: nn.Stacked([
        nn.LSTM(I, H, seed=0, return_sequences=True),
        nn.Stacked([nn.RNN(H, H, seed=1, return_sequences=True), nn.GRU(H, H, seed=2, **o)],
                   residual=True)], residual=True),
    "reverse stack": lambda **o: nn.Stacked([
        nn.RNN(I, H, seed=0, reverse=True, return_sequences=True),
        nn.RNN(H, H, seed=1, reverse=True, **o)]),
}


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("masks", [{}, {"mask": MASK}, {"lengths": [5, 3]}, {"lengths": [2, 0]}])
@pytest.mark.parametrize("name", WHOLE)
def test_a_masked_layer_and_one_in_reverse(name, masks, last):
    """A step at a time they are what a call of the layer is, also where nothing happens."""
    layer = WHOLE[name](return_sequences=not last)
    taken_last = 0 if "reverse" in name else T - 1
    outputs = layer(XS, **masks)
    loss = error(outputs, taken_last) if last else sum(error(outputs[t], t) for t in range(T))
    loss.backward()
    xs = XS.copy()
    if "lengths" in masks:  # what is padding is never looked at
        xs[np.arange(T)[:, None] >= np.array(masks["lengths"])] = np.nan
    task = Task(layer, xs, error, None, None, last, **masks)
    for way in (bptt, real_time):
        for param, g in way(task, T)[0].items():
            np.testing.assert_allclose(g, dict(layer.named_parameters())[param].grad, rtol=1e-11,
                                       atol=1e-13)


def test_a_masked_function():
    W = tg.Tensor(rng.normal(size=(H, H)), requires_grad=True, name="W")

    def cell(x, h):
        h = np.tanh(tg.linear(h, W) + x)
        return h, h

    start = tg.Tensor(np.zeros((B, H)))
    found = tg.three_ways(cell, XS, error, [W], initial_state=start, mask=MASK, measure=False)
    assert found.agreement["real time"] < 1e-13
    assert found.agreement["differences"] < 1e-8


def test_masks_cost_real_time_no_memory_in_time():
    layer, mask = nn.RNN(I, 4, seed=0), np.arange(40)[:, None] % 3 > 0
    task = Task(layer, np.zeros((40, 1, I)), lambda y, t: (y * y).sum(), None, None, False, mask)
    assert real_time(task, 10)[2] == real_time(task, 40)[2]  # the numbers that are carried
    assert peak_bytes(real_time, task, 40) < 1.25 * peak_bytes(real_time, task, 10)


def test_one_direction_after_the_other():
    """What the error says to do."""
    both = nn.Bidirectional(nn.RNN(I, H, seed=0, return_sequences=True))
    with pytest.raises(InputError, match=r"backward_layer, xs\[::-1\], loss_at\)"):
        tg.three_ways(both, XS, error)
    for layer, xs in ((both.forward_layer, XS), (both.backward_layer, XS[::-1])):
        assert tg.three_ways(layer, xs, error, measure=False).agreement["real time"] < 1e-13
    mixed = nn.Stacked([nn.RNN(I, H, return_sequences=True), nn.RNN(H, H, reverse=True)])
    with pytest.raises(InputError, match="all go the same way"):
        tg.three_ways(mixed, XS, error)


# --- what they take -------------------------------------------------------------------------------


def test_multiplications_by_the_formulas():
    """Four times H, no input: BPTT grows as H², real time as H⁴."""
    for size in (6, 24):
        W = tg.Tensor(np.eye(size) * 0.5, requires_grad=True, name="W")

        def cell(x, h, W=W):
            h = tg.tanh(tg.linear(h, W))
            return h, h

        found = tg.three_ways(cell, np.zeros((3, 1, 1)), lambda y, t: y.sum(), [W], last=True,
                              initial_state=tg.Tensor(np.ones((1, size)), requires_grad=True),
                              measure=False, steps=[1])
        steps = found.way("BPTT").multiplications, found.way("real time").multiplications
        ones = found.way("BPTT", 1).multiplications, found.way("real time", 1).multiplications
        back, forward = ((a - b) / 2 for a, b in zip(steps, ones))  # of one step
        # forward and two gradients, tanh and its gradient; J P of H x H with H x H²
        assert back == 3 * size**2 + 2 * size
        assert forward == pytest.approx(size**4 + 2 * size**3 + 2 * size**2, abs=2 * size)
        assert found.way("real time").kept == size**3 + size == found.way("real time", 1).kept
        assert found.way("BPTT").kept == 3 * 2 * size + 1


def test_memory_of_real_time_does_not_grow():
    xs = np.random.default_rng(0).normal(size=(80, 1, I))
    cell = nn.RNNCell(I, 8, seed=0)
    found = tg.three_ways(cell, xs, lambda y, t: (y * y).sum(), {"b": cell.b_h}, steps=[10])
    short, long = (found.way("real time", n).bytes for n in (10, 80))
    assert long < 1.25 * short
    short, long = (found.way("BPTT", n).bytes for n in (10, 80))
    assert long > 5 * short
    assert "ms" in str(found)


def test_each_step_is_freed():
    cell, refs, alive = nn.LSTMCell(I, H, seed=0), [], []
    running = RealTime(dict(cell.named_parameters()), cell.initial_state((B,)), Counter())
    gc.disable()
    try:
        for t in range(T):
            def loss(y, t=t):
                refs.extend(weakref.ref(n) for n in walk.nodes(y) if n.op.rules)
                return error(y, t)

            running.step(lambda h, t=t: cell(tg.Tensor(XS[t]), h), t + 1, loss)
            alive.append(sum(r() is not None for r in refs))
    finally:
        gc.enable()
    assert len(refs) > 10 * T
    assert alive == [0] * T


# --- how it looks, and what is refused ------------------------------------------------------------


def test_the_table():
    found = tg.three_ways(nn.RNNCell(I, H, seed=0), XS, error, steps=[3], measure=False)
    assert len(found) == 6
    lines = str(found).splitlines()
    assert lines[1].split() == ["T", "way", "difference", "multiplications", "numbers", "kept"]
    assert "10 weights" in lines[-2]
    assert "at any T" in lines[-1]
    again = tg.three_ways(nn.RNNCell(I, H, seed=0), XS, error, steps=[3], measure=False)
    assert str(again) == str(found)
    for line in found.to_csv().splitlines()[1:]:  # plain numbers, with all their digits
        _, way, off, multiplications, kept = line.split(",")
        row = found.way(way, int(line[0]))
        assert (int(multiplications), int(kept)) == (row.multiplications, row.kept)
        assert way == "BPTT" or float(off) == found.difference(row)
    with pytest.raises(InputError, match="expected one of BPTT"):
        found.way("backwards")


def test_what_is_refused():
    cell = nn.RNNCell(I, H, seed=0)
    with pytest.raises(InputError, match="there is no loss"):
        tg.three_ways(cell, XS, lambda y, t: None)
    with pytest.raises(InputError, match="single number"):
        tg.three_ways(cell, XS, lambda y, t: y)
    with pytest.raises(InputError, match="steps from 1 to 5"):
        tg.three_ways(cell, XS, error, steps=[0])
    with pytest.raises(InputError, match="params="):
        tg.three_ways(lambda x, h: (h, h), XS, error)
    for wrong in ("ab", [2.5], [True], [6], -1):
        with pytest.raises(InputError, match=r"steps from 1 to 5.*steps=\(1, 2\)"):
            tg.three_ways(cell, XS, error, steps=wrong)
    for wrong in (None, [1.0], 3):
        with pytest.raises(InputError, match="loss_at to be a function"):
            tg.three_ways(cell, XS, wrong)
    W = [cell.W_hh]
    with pytest.raises(InputError, match=r"return \(output, state\), got Tensor"):
        tg.three_ways(lambda x, h: h, XS, error, W, initial_state=tg.Tensor(np.zeros((B, H))))
    with pytest.raises(InputError, match="a state to start from"):
        tg.three_ways(lambda x, h: (h, h), XS, error, W)
    with pytest.raises(ShapeError, match=r"lengths of shape \(2,\)"):
        tg.three_ways(cell, XS, error, lengths=[1, 2, 3])
    with pytest.raises(InputError, match="a mask or lengths, got both"):
        tg.three_ways(cell, XS, error, lengths=[1, 2], mask=MASK)
    with tg.no_grad(), pytest.raises(InputError, match="no_grad"):
        tg.three_ways(cell, XS, error)
    with pytest.raises(InputError, match="at least one step"):
        tg.three_ways(cell, np.zeros((0, B, I)), error)


def test_the_users_data_is_as_it_was():
    cell = nn.RNNCell(I, H, seed=0)
    mine, before = cell.W_hh.data, cell.W_hh.numpy()
    loss = error(cell(XS[0], None)[0], 0)
    calls = iter(range(20))
    with pytest.raises(ZeroDivisionError):
        tg.three_ways(cell, XS, lambda y, t: error(y, t) * (1 / (12 - next(calls))),
                      measure=False)
    np.testing.assert_array_equal(cell.W_hh.numpy(), before)
    loss.backward()  # nothing was assigned: an older graph is as good as before
    del mine


def test_a_loss_that_takes_no_position_is_refused():
    with pytest.raises(tg.errors.InputError, match="an output and its position"):
        tg.three_ways(nn.RNN(2, 3, seed=0), np.ones((3, 1, 2)), lambda y: y.sum())


def test_a_batch_of_none_and_losses_of_something_else():
    layer, xs = nn.RNN(2, 3, seed=0), np.ones((3, 1, 2))
    with pytest.raises(InputError, match="at least one sample"):
        tg.three_ways(layer, xs[:, :0], lambda y, t: (y ** 2).sum())
    with pytest.raises(InputError, match=r"none of the parameters: cell\.W_xh.*detached\?"):
        tg.three_ways(layer, xs, lambda y, t: (y ** 2).sum().detach())
    with pytest.raises(InputError, match="none of the parameters"):
        tg.three_ways(layer, xs, lambda y, t: (y ** 2).sum(), params=[tg.Value(1.0)])


@pytest.mark.parametrize("call", [
    lambda model, xs: tg.three_ways(model, xs, lambda y, t: (y ** 2).sum()),
    lambda model, xs: list(tg.truncated_bptt(model, xs, 2))])
@pytest.mark.parametrize("model", [
    nn.EncoderDecoder(nn.GRU(2, 3), nn.GRU(2, 3)), nn.VectorToSequence(nn.GRUCell(2, 3), 2),
    nn.OutputFeedback(nn.RNN(2, 3), nn.Linear(3, 2))], ids=lambda model: type(model).__name__)
def test_what_makes_a_whole_sequence_is_no_step(model, call):
    with pytest.raises(InputError, match=f"got {type(model).__name__}, which makes a whole"):
        call(model, np.ones((4, 1, 2)))
