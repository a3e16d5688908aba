"""The character model and its training loop."""

import weakref

import numpy as np
import pytest

from tinygrad_rnn import optim
from tinygrad_rnn.core import walk
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train import CharacterModel, Text, train


def trained(text, hidden, steps, window=25, seed=0, lr=0.1, **options):
    model = CharacterModel(Text(text), hidden, seed, **options)
    losses = list(train(model, optim.Adagrad(model, lr=lr), steps=steps, window=window))
    return model, losses


@pytest.mark.parametrize("text", ["hello", "abracadabra", "Où êtes-vous ?"])
def test_a_short_text_is_learned_by_heart(text):
    model, losses = trained(text, 16, 100)
    assert losses[0] > 1.0 > 0.2 > losses[-1]
    assert model.generate(text[0], len(text) - 1, "greedy") == text


def test_windows_learn_what_a_window_holds():
    _, losses = trained("abcdefgh" * 30, 16, 150, window=10)
    assert np.mean(losses[-20:]) < 0.2


@pytest.mark.parametrize("options", [
    {"kind": "lstm"}, {"kind": "gru"}, {"kind": "gru", "layers": 2}, {"layers": 2}])
def test_other_recurrences(options):
    model, losses = trained("hello", 8, 80, **options)
    assert losses[0] > 1.0 > 0.2 > losses[-1]
    assert model.generate("h", 4, "greedy") == "hello"
    _, losses = trained("abcd" * 20, 8, 60, window=6, **options)  # states are carried
    assert np.mean(losses[-10:]) < 0.5


def test_a_recurrence_that_is_not_there():
    with pytest.raises(InputError, match="rnn, lstm, gru, got 'RNN'"):
        CharacterModel(Text("ab"), 2, kind="RNN")


def test_the_same_seed_is_the_same_training():
    assert trained("hello", 4, 10)[1] == trained("hello", 4, 10)[1]
    assert trained("hello", 4, 10)[1] != trained("hello", 4, 10, seed=1)[1]


def test_a_long_text_carries_its_state_without_its_history():
    model = CharacterModel(Text("abcdefgh" * 4), 4, 0)
    seen = []
    loss = model.loss

    def watched(read, following, state=None):
        seen.append((read, state))
        return loss(read, following, state)

    model.loss = watched
    steps = 5
    assert len(list(train(model, optim.SGD(model, lr=0.1), steps=steps, window=10))) == steps
    assert [len(read) for read, _ in seen] == [10, 10, 10, 1, 10]
    assert [state is None for _, state in seen] == [True, False, False, False, True]
    assert not any(state.requires_grad for _, state in seen if state is not None)


def test_a_window_is_freed_before_the_next():
    model = CharacterModel(Text("ab" * 40), 4, 0)
    roots = []
    loss = model.loss

    def watched(*arguments):
        assert all(root() is None for root in roots[:-1])
        L, state = loss(*arguments)
        roots.append(weakref.ref(L))
        return L, state

    model.loss = watched
    list(train(model, optim.SGD(model, lr=0.1), steps=6, window=5))
    assert len(roots) == 6


def test_clipping_is_in_force():
    model = CharacterModel(Text("hello"), 4, 0)
    before = model.state_dict()
    list(train(model, optim.SGD(model, lr=1.0), steps=1, clip=1e-3))
    moves = [np.abs(p - before[name]).max() for name, p in model.state_dict().items()]
    assert 0 < max(moves) <= 1e-3 + 1e-15


def test_every_update_uses_its_own_gradient_only():
    model, twin = (CharacterModel(Text("hello"), 4, 0) for _ in range(2))
    losses = list(train(model, optim.SGD(model, lr=0.1), steps=3))
    for expected in losses:
        twin.zero_grad()
        loss, _ = twin.loss("hell", "ello")
        assert loss.item() / 4 == expected
        loss.backward()
        for p in twin.parameters():
            p.data = p.numpy() - 0.1 * p.grad


def test_the_loss_of_the_model():
    model = CharacterModel(Text("hello"), 4, 0)
    loss, state = model.loss("hell", "ello")
    assert [n.label for n in loss.operands] == ["L_1", "L_2", "L_3", "L_4"]
    assert state.label == "h_4"
    assert {"W_xh", "W_hh", "b_h", "W_hy", "b_y"} <= {n.name for n in walk.nodes(loss)}
    assert repr(model).startswith("CharacterModel(V=4, H=4): 56 parameters")
