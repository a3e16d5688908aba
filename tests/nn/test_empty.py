"""No steps, no samples, no length: every layer, in every resolution, has an answer of the right
shape, or one line that names the shapes."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

B, T, I, H = 2, 4, 3, 5
LAYERS = {
    "rnn": lambda **o: nn.RNN(I, H, seed=0, **o),
    "lstm": lambda **o: nn.LSTM(I, H, seed=0, **o),
    "peepholes": lambda **o: nn.LSTM(I, H, seed=0, peepholes=True, **o),
    "gru": lambda **o: nn.GRU(I, H, seed=0, **o),
    "gru of 2014": lambda **o: nn.GRU(I, H, seed=0, reset_after=False, **o),
    "stacked": lambda fused, **o: nn.Stacked(
        [nn.RNN(I, H, seed=0, return_sequences=True, fused=fused),
         nn.LSTM(H, H, seed=1, fused=fused, **o)]),
    "bidirectional": lambda **o: nn.Bidirectional(nn.GRU(I, H, seed=0, **o)),
}


def masks(shape):
    """No mask, lengths of 0, and no reset; where there is something, lengths of 0."""
    lengths = {"lengths": np.zeros(shape[1:-1], int)}
    return [{}, lengths, {"reset_mask": np.zeros(shape[:-1], bool)}] if 0 in shape else [lengths]


@pytest.mark.parametrize("shape", [(0, B, I), (T, 0, I), (0, 0, I), (0, I), (T, B, I)], ids=str)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name, fused, sequences, shape):
    """Of the right shape, and a gradient of zeros; so too with steps, but samples of length 0."""
    layer = LAYERS[name](fused=fused, return_sequences=sequences)
    for options in masks(shape):
        xs = tg.Tensor(np.zeros(shape), requires_grad=True)
        y = layer(xs, **options)
        width = 2 * H if name == "bidirectional" else H
        assert np.shape(y) == (*(shape[:-1] if sequences else shape[1:-1]), width)
        assert not np.any(y.numpy() if isinstance(y, tg.Tensor) else y)
        if not isinstance(y, tg.Tensor) or not y.requires_grad:
            continue
        seed = np.ones(y.shape)
        y.backward(seed)
        flow = tg.gradient_flow(y, seed)
        for _, p in layer.named_parameters():
            assert p.grad is None or (p.grad.shape == p.shape and not np.any(p.grad))
        assert xs.grad is None or (xs.grad.shape == shape and not np.any(xs.grad))
        assert repr(flow)


@pytest.mark.parametrize("fused", [False, True])
def test_a_sequence_of_no_steps_is_one(fused):
    y = nn.GRU(I, H, seed=0, return_sequences=True, fused=fused)(np.zeros((T, B, I)))
    none = y[:0]
    assert none.shape == (0, B, H)
    assert [*none] == []
    assert (none * 2.0).detach().shape == (0, B, H)
    assert nn.cross_entropy(none, np.zeros((0, B), int)).item() == 0.0


@pytest.mark.parametrize("cost", [nn.squared_error, nn.huber, nn.binary_cross_entropy])
def test_costs_of_nothing(cost):
    assert cost(np.zeros((0, B, H)), np.zeros((0, B, H)), reduction="sum").item() == 0.0
    assert cost(np.zeros((T, 0, H)), np.zeros((T, 0, H)), reduction="sum").item() == 0.0
    with pytest.raises(tg.InputError, match=r"shape \(0, 5\)"):
        cost(np.zeros((0, H)), np.zeros((0, H)))


@pytest.mark.parametrize("rule", [
    lambda p: optim.SGD(p, 0.1, momentum=0.9), optim.Adagrad, optim.Adam, optim.AdamW,
    lambda p: optim.RMSprop(p, momentum=0.9, centered=True)])
def test_a_parameter_without_entries(rule):
    """Beside one that has some; and one that no gradient reached."""
    empty, W, untouched = (tg.Tensor(np.ones(shape), requires_grad=True)
                           for shape in ((0, 3), (2,), (2,)))
    (empty.sum() + (W * W).sum()).backward()
    optimiser = rule([empty, W, untouched])
    for _ in range(2):
        assert np.isfinite(optim.clip_grad_norm([empty, W, untouched], 1.0))
        optimiser.step()
    assert (empty.shape, empty.grad.shape) == ((0, 3), (0, 3))
    assert np.all(W.numpy() < 1.0)
    assert np.array_equal(untouched.numpy(), np.ones(2))
    assert optim.clip_grad_norm([empty], 1.0) == 0.0
    with pytest.raises(tg.InputError, match="at least one parameter"):
        rule([])


def test_nothing_to_generate_and_no_windows():
    layer, head = nn.LSTM(I, H, seed=0), nn.Linear(H, I, seed=1)
    assert nn.generate(layer, head, 0, 0, rng=0).shape == (0,)
    for shape in ((0, B, I), (0, I)):
        assert list(tg.truncated_bptt(layer, np.zeros(shape), 2, 3)) == []
    windows = [w.outputs.shape for w in tg.truncated_bptt(layer, np.zeros((T, 0, I)), 3)]
    assert windows == [(3, 0, H), (1, 0, H)]


@pytest.mark.parametrize("keep", ["arrays", "norms"])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_a_flow_of_no_samples(name, fused, keep):
    """A row for every step, and zeros in it."""
    layer = LAYERS[name](fused=fused, return_sequences=True)
    loss = (layer(np.zeros((T, 0, I))) ** 2).sum()
    flow = tg.gradient_flow(loss, keep=keep)
    for W in layer.parameters():
        assert {row.step: row.norm for row in flow.ledger(W)} == dict.fromkeys(range(1, T + 1), 0.0)
        assert np.array_equal(W.grad, np.zeros_like(W.data))
