"""Room used again is never seen elsewhere; a layer remembers options, and no number."""

import copy
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import fused_way
from tinygrad_rnn.nn.fused import SEQUENCE
from tinygrad_rnn.nn.fused_desks import RNNDesk
from tinygrad_rnn.nn.fused_room import Room
from tinygrad_rnn.nn.states import parts_of
from tinygrad_rnn.nn.steps_joined import span_of

from .fused_cases import (
    EXACT,
    B,
    H,
    I,
    Model,
    T,
    numbers,
    weighted,
)

# --- room ---------------------------------------------------------------------------------------


def test_a_desk_is_used_again_only_when_nobody_else_can_see_it():
    room, size = Room(), (3, 2, 4, np.dtype(float), False)
    desk = room.desk(RNNDesk, *size)
    assert room.desk(RNNDesk, *size) is not desk  # two at once
    first, view = id(desk), desk.value[1:]
    del desk
    assert id(room.desk(RNNDesk, *size)) != first  # the view still sees it
    inner = view[0]
    del view
    found = [room.desk(RNNDesk, *size) for _ in range(6)]
    assert first not in map(id, found)
    del inner
    assert first in [id(room.desk(RNNDesk, *size)) for _ in range(4)]
    assert len(set(map(id, found))) == len(found)
    assert room.desk(RNNDesk, *size[:3], np.dtype(np.float32), False).value.dtype == np.float32


def test_what_a_pass_backwards_writes_to_is_lent_once():
    desk = RNNDesk(3, 2, 4, np.dtype(float), False)
    one, other = desk.lend(), desk.lend()
    assert one is not other
    assert not np.shares_memory(one.delta.whole, other.delta.whole)
    desk.back(one)
    assert desk.lend() is one


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_what_somebody_holds_does_not_change_with_the_next_pass(kind):
    layer = kind(I, H, seed=1, fused=True, return_sequences=True)
    values = []
    for k in range(6):
        x = tg.Tensor(numbers((T, B, I), k), requires_grad=True)
        out = layer(x)
        flow = tg.gradient_flow(weighted(out))
        held = [out.value[2:], flow.arrived[out], x.grad, layer.cell.W_hh.grad,
                *[row.contribution for row in flow.ledger(layer.cell.W_hh)]]
        values.append((held, [h.copy() for h in held], out if k % 2 else None))
        layer.zero_grad()
    for held, copies, _ in values:
        for a, b in zip(held, copies):
            np.testing.assert_array_equal(a, b)


def test_a_training_loop_makes_no_new_arrays_for_the_states():
    layer = nn.RNN(I, H, seed=1, fused=True, return_sequences=True)
    seen = set()
    for k in range(8):
        out = layer(numbers((T, B, I), k))
        weighted(out).backward()
        seen.add(out.value.ctypes.data)
        del out
    assert len(seen) <= 2
    assert copy.deepcopy(layer).room is not layer.room
    assert layer.twin().room is not layer.room


def test_gradients_and_values_that_are_held_stay_as_they_are():
    model = Model(nn.RNN(I, H, seed=3, fused=True, return_sequences=True))
    held, copies = [], []
    for k in range(5):
        loss = model(numbers((T, B, I), k))
        loss.backward()
        L, y = loss.operands[0], loss.operands[0].operands[0]
        held.append([loss.value, L.value, y.value, y.operands[0].value,
                     *[p.grad for p in model.parameters()]])
        copies.append([a.copy() for a in held[-1]])
        for p in model.parameters():
            p.data = p.data - 0.1 * p.grad
            p.zero_grad()
        del loss, L, y
    arrays = [a for found in held for a in found]
    for a, b in zip(arrays, [b for found in copies for b in found]):
        np.testing.assert_array_equal(a, b)
    assert not any(np.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_first_state_of_the_call_before_is_gone(kind):
    layer, xs = kind(I, H, seed=1, return_sequences=True), tg.Tensor(numbers((T, B, I)))
    first = numbers((B, H)) if kind is not nn.LSTM else (numbers((B, H)), numbers((B, H), 1))
    for start in (None, first, None, None, first):
        found = []
        for fused in (False, True):
            layer.fused = fused
            layer.zero_grad()
            weighted(layer(xs, start)).backward()
            found.append([p.grad for p in layer.parameters()])
        for a, b in zip(*found):
            np.testing.assert_allclose(b, a, **EXACT)


@pytest.mark.parametrize("name", ["W_xh", "W_hh", "b_h"])
def test_op_by_op_a_weight_that_does_not_fit_is_named_by_its_step(name):
    layer = nn.RNN(I, H, seed=1)
    shape = [size + 1 for size in getattr(layer.cell, name).shape]
    setattr(layer.cell, name, tg.Tensor(np.ones(shape), requires_grad=True))
    with pytest.raises(tg.ShapeError, match="step 1, op"):
        layer(numbers((T, B, I)))


# --- the usual call -----------------------------------------------------------------------------


def called(layer, xs, **how):
    """The numbers of what a layer returns, op by op and fused."""
    found = []
    for fused in (False, True):
        layer.fused = fused
        given = layer(tg.Tensor(xs), **how)
        found.append([part.numpy() for part in parts_of(given)])
        found[-1].append(np.array([part.step or 0 for part in parts_of(given)]))
    layer.fused = True
    return found


def changes(layer):
    """What a user may change between two calls: each is to count from the next call on."""
    cell, other = layer.cell, type(layer)(I, H, seed=9)
    yield lambda: None
    yield lambda: setattr(layer, "reverse", True)
    yield lambda: setattr(cell, "W_hh", other.cell.W_hh)
    yield lambda: setattr(cell, "W_hh", numbers(cell.W_hh.shape, 5))  # a constant
    yield lambda: setattr(cell, "b_h", None)
    yield lambda: setattr(cell, "activation", nn.ACTIVATIONS["softsign"])
    yield lambda: setattr(layer, "return_sequences", False)
    yield lambda: setattr(layer, "return_state", True)
    yield lambda: setattr(layer, "cell", other.cell)
    yield lambda: layer.cell.W_xh.data.fill(0.25)
    yield lambda: setattr(layer.cell.W_xh, "data", numbers(layer.cell.W_xh.shape, 4))
    yield lambda: setattr(layer, "reverse", False)


@pytest.mark.parametrize("given", [{}, {"lengths": [T, 2]}], ids=["usual", "masked"])
@pytest.mark.parametrize("wrong", [None, np.eye(H + 1), tg.Tensor(np.ones(H))],
                         ids=["None", "array", "tensor"])
@pytest.mark.parametrize("name", ["W_xh", "W_hh"])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_weight_that_was_replaced_by_what_does_not_fit_is_refused(kind, name, wrong, given):
    layer, xs = kind(I, H, seed=1, fused=True), tg.Tensor(numbers((T, 2, I)))
    layer(xs, **given)
    shape = getattr(layer.cell, name).shape
    setattr(layer.cell, name, wrong)
    got = "None" if wrong is None else f"{wrong.shape}"
    with pytest.raises(tg.ShapeError, match=re.escape(f"{name} of shape {shape}, got {got}")):
        layer(xs, **given)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_what_is_changed_between_two_calls_counts(kind):
    layer = kind(I, H, seed=1, return_sequences=True)
    for change in changes(layer):
        change()
        for k in range(2):
            one, other = called(layer, numbers((T, B, I), k))
            for a, b in zip(one, other, strict=True):
                np.testing.assert_allclose(b, a, **EXACT)


def test_a_weight_that_is_replaced_by_an_equal_one_is_another_one():
    layer = nn.RNN(1, 1, seed=1, return_sequences=True, fused=True)
    xs = tg.Tensor(numbers((T, B, 1)))
    layer(xs)
    old, layer.cell.W_hh = layer.cell.W_hh, tg.Tensor(layer.cell.W_hh.numpy(), requires_grad=True)
    layer(xs).sum().backward()
    assert old.grad is None
    assert layer.cell.W_hh.grad is not None


def test_what_somebody_keeps_on_a_layer_is_in_nobodys_way():
    layer = nn.RNN(I, H, seed=1, return_sequences=True, fused=True)
    xs = tg.Tensor(numbers((T, B, I)))
    first = layer(xs).numpy()
    for k in range(3):
        layer.last, layer.seen = layer(xs), numbers((k + 2, 3))
        np.testing.assert_array_equal(layer.last.value, first)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("shape", [(T, B, I), (T, I)])
def test_where_nobody_asks_for_the_cells_the_node_has_h_alone(shape, sequences):
    layer = nn.LSTM(I, H, seed=1, fused=True, return_sequences=sequences)
    x = tg.Tensor(numbers(shape), requires_grad=True)
    loss = (layer(x) ** 2).sum()
    assert [n.value.shape for n in tg.nodes(loss) if n.op is SEQUENCE] == [(*shape[:-1], H)]
    layer.fused = False
    plain = (layer(x) ** 2).sum()
    layer.fused = True
    opened = tg.open_fused(loss)
    assert [n.op.name for n in tg.nodes(opened)] == [n.op.name for n in tg.nodes(plain)]
    firsts = [tg.grad(one, layer.cell.W_hh, create_graph=True) for one in (loss, plain)]
    for one, other in (firsts, [tg.grad((g ** 2).sum(), x) for g in firsts]):
        np.testing.assert_allclose(one.numpy(), other.numpy(), **EXACT)
    layer.return_state = True
    _, state = layer(x)
    assert state.c.shape == state.h.shape == (*shape[1:-1], H)
    again = tg.grad((state.c ** 2).sum(), x)
    layer.fused = False
    np.testing.assert_allclose(again.numpy(), tg.grad((layer(x)[1].c ** 2).sum(), x).numpy(),
                               **EXACT)


def test_another_shape_type_step_or_scope_is_another_call():
    layer = nn.RNN(I, H, seed=1, return_sequences=True)
    for shape in ((T, B, I), (T, B, I), (T + 1, B, I), (T, I), (T, B, I)):
        one, other = called(layer, numbers(shape))
        np.testing.assert_allclose(other[0], one[0], **EXACT)
    for step in (1, 5, None):
        with tg.timestep(step) if step else tg.scope("a"):
            out = layer(tg.Tensor(numbers((T, B, I))))
        assert span_of(out) == range(step or 1, (step or 1) + T)
        assert out.scope == ("" if step else "a")
        assert out[0].step == (step or 1)
    assert layer(tg.Tensor(numbers((T, B, I)).astype("f4"))).dtype == np.float64
    with pytest.raises(tg.ShapeError, match=r"expected xs of shape \(T, B, 4\)"):
        layer(tg.Tensor(numbers((T, B, I + 1))))


def test_a_class_of_a_users_is_asked_each_time():
    class Halved(nn.RNN):
        def run(self, steps, *rest):
            return super().run(nn.sequence.Steps(steps.parts * 0.5, dtype=self.dtype), *rest)

    layer, plain = (kind(I, H, seed=1, fused=True, return_sequences=True)
                    for kind in (Halved, nn.RNN))
    x = numbers((T, B, I))
    for _ in range(2):
        np.testing.assert_allclose(layer(tg.Tensor(x)).numpy(), plain(tg.Tensor(x * 0.5)).numpy())


# --- the short ways of few numbers ----------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_way_back_in_blocks_of_steps(steps, reverse, monkeypatch):
    monkeypatch.setattr(fused_way, "BLOCK", steps * B * H)
    layer = nn.RNN(I, H, seed=1, return_sequences=True, reverse=reverse)
    found = []
    for fused in (False, True):
        layer.fused = fused
        layer.zero_grad()
        x = tg.Tensor(numbers((11, B, I)), requires_grad=True)
        (layer(x) * numbers((11, B, H), 5)).sum().backward()
        found.append([x.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, **EXACT)


def a_step():
    """A fused layer, its head and the loss, all nodes in a line."""
    layer = nn.RNN(I, H, seed=1, return_sequences=True, fused=True)
    head = nn.Linear(H, 4, name="hy", seed=2)
    h = layer(tg.Tensor(numbers((T, B, I))))
    y = head(h)
    return layer, head, h, y, nn.cross_entropy(y, np.zeros((T, B), int))


def test_hooks_on_every_node_of_a_line_run():
    for k in range(3):
        layer, _, *nodes = a_step()
        seen = []
        nodes[k].register_hook(seen.append)
        nodes[2].backward()
        assert [g.shape for g in seen] == [nodes[k].shape]
        doubled = a_step()
        doubled[2 + k].register_hook(lambda g: 2 * g)
        doubled[4].backward()
        np.testing.assert_allclose(doubled[0].cell.W_hh.grad, 2 * layer.cell.W_hh.grad, **EXACT)


@pytest.mark.parametrize("which", ["W_xh", "W_hh", "b_h", "W_hy", "b_y"])
def test_data_assigned_behind_a_line_is_refused(which):
    layer, head, *_, L = a_step()
    leaf = getattr(layer.cell if hasattr(layer.cell, which) else head, which)
    leaf.data = 2 * leaf.numpy()
    with pytest.raises(tg.GradientError, match=f"{which}.*was assigned after"):
        L.backward()


@pytest.mark.parametrize("which", ["W_xh", "W_hh", "b_h"])
def test_an_array_that_the_user_holds_is_locked_when_a_fused_layer_uses_it(which):
    layer = nn.RNN(I, H, seed=1, return_sequences=True, fused=True)
    xs = tg.Tensor(numbers((T, B, I)))
    layer(xs)
    held = getattr(layer.cell, which).data
    held *= 1.5
    L = layer(xs).sum()
    with pytest.raises(ValueError, match="read-only"):
        held *= 2
    L.backward()


def test_what_a_call_leaves_for_the_next_is_complete_when_a_thread_may_find_it():
    found = []

    class Watched(nn.RNN):
        def __setattr__(self, name, value):
            if name == "usual" and value is not None:
                found.append(value.fits(self, xs.value))
            super().__setattr__(name, value)

    xs = tg.Tensor(np.ones((3, 1, 2)))
    layer = Watched(2, 2, return_sequences=True, fused=True, seed=0)
    layer(xs)
    assert found == [False]  # the layer does not hold it yet; nothing is missing in it
    assert layer.usual.fits(layer, xs.value)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("called", [False, True])
def test_a_deep_copy_of_a_fused_layer_is_a_layer_of_its_own(kind, called):
    layer = kind(2, 3, seed=0, fused=True, return_sequences=True)
    xs = tg.Tensor(np.random.default_rng(0).normal(size=(4, 2, 2)))
    if called:
        layer(xs)
    other = copy.deepcopy(layer)
    assert np.array_equal(other(xs).value, layer(xs).value)
    (other(xs) ** 2).sum().backward()
    assert other.cell.W_hh is not layer.cell.W_hh
    assert other.cell.W_hh.grad is not None
    assert layer.cell.W_hh.grad is None
