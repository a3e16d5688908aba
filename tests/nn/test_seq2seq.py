"""Encoder and decoder, vector to sequence, and outputs that are fed back: against numbers computed
elsewhere (PyTorch), by hand, and by differences."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import walk
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.errors import InputError, ShapeError
from tinygrad_rnn.testing import check_gradients

from .reference import check_weights, close, family, head, single
from .small import CELLS, CLASSES, TARGETS, XS, B, H, I, O, T, parts, rng


def under(arrays, prefix):
    """The arrays of one part of a model, and their gradients, without its prefix."""
    found = {}
    for name, array in arrays.items():
        grad, _, rest = name.rpartition(prefix)
        if rest and grad in ("", "grad_"):
            found[grad + rest] = array
    return found


def check_head(top, arrays):
    close(top.W.grad, arrays["grad_W_hy"])
    close(top.b.grad, arrays["grad_b_hy"])


# --- numbers computed elsewhere -----------------------------------------------------------------

CONTEXTS = {"init": "state", "step": "input", "both": "both"}


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(("facts", "arrays"),
                         family("seq2seq", lambda case, f: case.startswith("encdec")))
def test_encoder_and_decoder(facts, arrays, inside):
    enc, dec, top = under(arrays, "enc_"), under(arrays, "dec_"), head(arrays)
    encoder, decoder = single(facts, enc), single(facts, dec)
    model = nn.EncoderDecoder(encoder, decoder, CONTEXTS[facts["mode"]], bridge=facts["proj"],
                              head=top if inside else None)
    for bridge, weight, bias in [("bridge", "P", "p"), ("bridge_c", "Pc", "pc")]:
        assert hasattr(model, bridge) == (weight in arrays)
        if weight in arrays:
            assert isinstance(getattr(model, bridge), nn.Linear)
            getattr(model, bridge).load_state_dict({"W": arrays[weight], "b": arrays[bias]})
    x = Tensor(arrays["enc_x"], requires_grad=True)
    y = model(x, arrays["dec_x"])
    y = y if inside else top(y)
    close(y, arrays["y"])
    loss = nn.cross_entropy(y, arrays["target"])
    close([L.item() for L in loss.operands], arrays["loss_steps"])
    close(loss.item(), arrays["loss"])
    loss.backward()
    check_weights(facts, enc, {"_l0": encoder})
    check_weights(facts, dec, {"_l0": decoder})
    check_head(top, arrays)
    close(x.grad, arrays["grad_enc_x"])
    for bridge, weight, bias in [("bridge", "P", "p"), ("bridge_c", "Pc", "pc")]:
        if weight in arrays:
            close(getattr(model, bridge).W.grad, arrays[f"grad_{weight}"])
            close(getattr(model, bridge).b.grad, arrays[f"grad_{bias}"])


@pytest.mark.parametrize(("facts", "arrays"),
                         family("seq2seq", lambda case, f: case.startswith("vec2seq")))
def test_vector_to_sequence(facts, arrays):
    layer, top = single(facts, arrays), head(arrays)
    model = nn.VectorToSequence(layer, facts["K"])
    model.R.data = arrays["R"]
    x, c, h0 = (Tensor(arrays[name], requires_grad=True) for name in ("x", "context", "h0"))
    states = model(c, x, initial_state=h0)
    close(states, arrays["output"])
    y = top(states)
    close(y, arrays["y"])
    loss = nn.cross_entropy(y, arrays["target"])
    close([L.item() for L in loss.operands], arrays["loss_steps"])
    close(loss.item(), arrays["loss"])
    loss.backward()
    check_weights(facts, arrays, {"_l0": layer})
    check_head(top, arrays)
    close(model.R.grad, arrays["grad_R"])
    close(x.grad, arrays["grad_x"])
    close(c.grad, arrays["grad_context"])
    close(h0.grad, arrays["grad_h0"])


@pytest.mark.parametrize(("facts", "arrays"),
                         family("seq2seq", lambda case, f: case.startswith("many_to_one")))
def test_many_to_one_with_a_classifier_on_top(facts, arrays):
    layer, top = single(facts, arrays, return_state=True), head(arrays)
    x = Tensor(arrays["x"], requires_grad=True)
    last, state = layer(x)
    close(last, arrays["h_n"])
    if "c_n" in arrays:
        close(state.c, arrays["c_n"])
    y = top(last)
    close(y, arrays["y"])
    loss = nn.cross_entropy(y, arrays["target"])
    close(loss.item(), arrays["loss"])
    loss.backward()
    check_weights(facts, arrays, {"_l0": layer})
    check_head(top, arrays)
    close(x.grad, arrays["grad_x"])


FEEDS = {"linear": None, "softmax": tg.softmax, "tanh": tg.tanh}


@pytest.mark.parametrize(("facts", "arrays"),
                         family("seq2seq", lambda case, f: case.startswith("one_to_many")))
def test_one_to_many(facts, arrays):
    layer, top = single(facts, arrays), head(arrays)
    model = nn.OutputFeedback(layer, top, feed=FEEDS[facts["feedback"]])
    x0, h0 = (Tensor(arrays[name], requires_grad=True) for name in ("x0", "h0"))
    y = model(x0, steps=facts["T"],
              initial_state=nn.LSTMState(h0, None) if facts["kind"] == "lstm" else h0)
    close(y, arrays["y"])
    loss = nn.squared_error(y, arrays["target"])
    close([L.item() for L in loss.operands], arrays["loss_steps"])
    close(loss.item(), arrays["loss"])
    loss.backward()
    check_weights(facts, arrays, {"_l0": layer})
    check_head(top, arrays)
    close(x0.grad, arrays["grad_x0"])
    close(h0.grad, arrays["grad_h0"])


@pytest.mark.parametrize(("facts", "arrays"),
                         family("seq2seq", lambda case, f: case.startswith("append_y")))
def test_the_output_before_is_appended_to_the_input(facts, arrays):
    layer, top = single(facts, arrays), head(arrays)
    model = nn.OutputFeedback(layer, top, facts["feeding"], append=True)
    x = Tensor(arrays["x"], requires_grad=True)
    y = model(x, arrays["target"])
    close(y, arrays["y"])
    loss = nn.squared_error(y, arrays["target"])
    close([L.item() for L in loss.operands], arrays["loss_steps"])
    close(loss.item(), arrays["loss"])
    loss.backward()
    check_weights(facts, arrays, {"_l0": layer})
    check_head(top, arrays)
    close(x.grad, arrays["grad_x"])


# --- encoder and decoder ------------------------------------------------------------------------

SOURCE, LATER = rng.normal(size=(6, B, I)), rng.normal(size=(T, B, O))


@pytest.mark.parametrize("context", ["state", "input", "both"])
@pytest.mark.parametrize(("one", "other"), [
    (nn.RNN, nn.RNN), (nn.LSTM, nn.LSTM), (nn.GRU, nn.LSTM), (nn.LSTM, nn.GRU)])
@pytest.mark.parametrize("run", ["teacher", "free", "context only"])
def test_gradients_of_encoder_and_decoder(context, one, other, run):
    width = {"state": O, "input": H + O, "both": H + O}[context]
    if run == "context only":
        if context == "state":
            return
        width = H
    model = nn.EncoderDecoder(one(I, H, seed=0), other(width, H + 1, seed=1), context,
                              head=nn.Linear(H + 1, O, name="hy", seed=2), seed=3)
    given = {"target_inputs": LATER} if run == "teacher" else {"steps": T}

    def loss():
        return nn.squared_error(model(SOURCE, **given), TARGETS)

    report = check_gradients(loss, model)
    assert report, report
    assert model(SOURCE, **given).shape == (T, B, O)


@pytest.mark.parametrize("steps", [1, 3, 9])
def test_lengths_are_independent(steps):
    model = nn.EncoderDecoder(nn.RNN(I, H, seed=0), nn.RNN(O, H + 2, seed=1),
                              head=nn.Linear(H + 2, O, seed=17))  # no entry nearly cancels
    for Te in (1, 4):
        assert model(SOURCE[:Te], steps=steps).shape == (steps, B, O)
        assert model(SOURCE[:Te, 0], steps=steps).shape == (steps, O)
    both = model(SOURCE, steps=steps).numpy()
    assert np.abs(both).min() > 1e-3  # products of other shapes round the terms differently
    np.testing.assert_allclose(both[:, 1], model(SOURCE[:, 1], steps=steps).numpy(), rtol=1e-12)


def test_scopes_steps_and_the_bridge():
    model = nn.EncoderDecoder(nn.LSTM(I, H, seed=0), nn.LSTM(O, H, seed=1), seed=2)
    loss = nn.squared_error(nn.Linear(H, O, name="hy", seed=3)(model(SOURCE, LATER)), TARGETS)
    flow = gradient_flow(loss)
    assert list(flow.norms("encoder/h")) == [1, 2, 3, 4, 5, 6]
    assert list(flow.norms("decoder/h")) == [0, 1, 2, 3, 4, 5]
    assert list(flow.norms("decoder/c")) == [0, 1, 2, 3, 4, 5]
    assert [name for name, _ in model.named_parameters()][-4:] == [
        "bridge.W", "bridge.b", "bridge_c.W", "bridge_c.b"]
    assert {"P", "p", "P_c", "p_c"} <= {n.name for n in walk.nodes(loss)}
    assert not hasattr(nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(H, H), "input"), "bridge")
    same = nn.EncoderDecoder(nn.RNN(I, H, seed=0), nn.RNN(O, H, seed=1), bridge=False)
    first = nn.RNN(O, H, seed=1, return_sequences=True)(LATER, nn.RNN(I, H, seed=0)(SOURCE))
    np.testing.assert_array_equal(same(SOURCE, LATER).numpy(), first.numpy())


def test_the_seed_is_that_of_the_bridge():
    def bridge(seed):
        return nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H), seed=seed).bridge.W.numpy()

    np.testing.assert_array_equal(bridge(1), bridge(1))
    assert (bridge(1) != bridge(2)).any()


def test_stacks_are_bridged_layer_by_layer():
    def stack(size, seed):
        return nn.Stacked([nn.LSTM(size, H, seed=seed, return_sequences=True),
                           nn.GRU(H, H + 1, seed=seed + 1)])

    model = nn.EncoderDecoder(stack(I, 0), stack(O, 2), head=nn.Linear(H + 1, O, seed=4), seed=5)
    assert [b.settings() for b in model.bridge] == ["4, 4", "5, 5"]
    assert [b.settings() for b in model.bridge_c] == ["4, 4"]
    assert check_gradients(lambda: nn.squared_error(model(SOURCE, steps=T), TARGETS), model)
    top = nn.EncoderDecoder(nn.RNN(I, H, seed=0), stack(O, 2), seed=5)
    assert [b.settings() for b in top.bridge] == ["4, 4", "4, 5"]
    assert check_gradients(lambda: nn.squared_error(
        nn.Linear(H + 1, O, seed=4)(top(SOURCE, LATER)), TARGETS), top)


def test_a_deep_encoder_hands_on_its_top():
    deep = nn.Stacked([nn.RNN(I, H, seed=0, return_sequences=True), nn.RNN(H, H + 1, seed=1)])
    model = nn.EncoderDecoder(deep, nn.RNN(O + H + 1, H, seed=2), "both", seed=3)
    assert model.bridge.settings() == "5, 4"
    c = deep(SOURCE)
    out = nn.Recurrent(model.decoder.cell)(
        [np.concatenate([x, c.numpy()], -1) for x in LATER], model.bridge(c))
    np.testing.assert_allclose(model(SOURCE, LATER).numpy()[-1], out.numpy(), rtol=1e-12)


def test_a_bidirectional_encoder():
    encoder = nn.Bidirectional(nn.GRU(I, H, seed=0))
    model = nn.EncoderDecoder(encoder, nn.GRU(O + 2 * H, H, seed=1), "both",
                              head=nn.Linear(H, O, seed=2), seed=3)
    assert model.bridge.settings() == "8, 4"
    assert check_gradients(lambda: nn.squared_error(model(SOURCE, LATER), TARGETS), model)
    f, b = encoder.forward_layer, encoder.backward_layer
    c = np.concatenate([f(SOURCE).numpy(), b(SOURCE[::-1]).numpy()], -1)
    out = nn.Recurrent(model.decoder.cell)(
        np.concatenate([LATER, np.broadcast_to(c, (T, B, 2 * H))], -1), model.bridge(c))
    np.testing.assert_allclose(model(SOURCE, LATER).numpy()[-1], model.head(out).numpy(),
                               rtol=1e-12)


@pytest.mark.parametrize("context", ["state", "input", "both"])
def test_padding_of_the_source(context):
    width = O if context == "state" else O + H
    model = nn.EncoderDecoder(nn.LSTM(I, H, seed=0), nn.LSTM(width, H, seed=1), context)
    padded = np.concatenate([SOURCE, np.full((3, B, I), np.nan)])
    found = model(padded, LATER, lengths=[6, 6]).numpy()
    np.testing.assert_array_equal(found, model(SOURCE, LATER).numpy())
    uneven = model(padded, LATER, lengths=[6, 2]).numpy()
    np.testing.assert_allclose(uneven[:, 1], model(SOURCE[:2, 1], LATER[:, 1]).numpy(), rtol=1e-12)


def test_start_and_feedback_of_a_free_decoder():
    model = nn.EncoderDecoder(nn.RNN(I, H, seed=0), nn.RNN(O, H, seed=1),
                              head=nn.Linear(H, O, seed=2), feed=tg.softmax)
    first = np.eye(O)[[0, 2]]
    free = model(SOURCE, steps=3, start=first)
    again = model(SOURCE, [first, tg.softmax(free.operands[0]), tg.softmax(free.operands[1])])
    np.testing.assert_allclose(free.numpy(), again.numpy(), rtol=1e-12)

    def grad(feedback):
        model.zero_grad()
        nn.squared_error(model(SOURCE, steps=3, start=first, feedback=feedback),
                         TARGETS[:3]).backward()
        return model.decoder.cell.W_hh.grad

    assert np.abs(grad("free") - grad("free_detached")).max() > 1e-6


def test_a_plain_function_may_read_another_width_than_it_was_given_first():
    model = nn.OutputFeedback(lambda x, state: (np.concatenate([x, x], -1), state))
    assert [y.shape for y in model(tg.Tensor(np.ones((B, 1))), steps=1)] == [(B, 2)]
    grows = nn.OutputFeedback(lambda x, state: ((x * np.ones((B, 4))), state))
    assert grows(tg.Tensor(np.ones((B, 1))), steps=3).shape == (3, B, 4)


@pytest.mark.parametrize(("make", "call", "error", "words"), [
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H), "hidden"), None, InputError, "'both'"),
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H + 1), bridge=False), None, ShapeError,
     "size 4, the decoder's 5.*bridge=True"),
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H), "input"), None, ShapeError,
     r"at least 4.*RNN\(3, 4"),
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H)), lambda m: m(SOURCE), InputError,
     "how many steps"),
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H)), lambda m: m(SOURCE, LATER, 9),
     InputError, "target_inputs for 9 steps, got 5"),
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H)), lambda m: m(SOURCE, SOURCE[..., :2]),
     ShapeError, r"\(2, 2\)"),
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H)), lambda m: m(SOURCE, CLASSES),
     ShapeError, r"got \(5, 2\). For class indices: nn.one_hot\(targets, 3\)"),
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H)), lambda m: m(SOURCE, steps=2),
     ShapeError, r"an output y of shape \(2, 3\).*got \(2, 4\). head= .* or feed="),
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(O, H), feed=lambda y: y[..., :1]),
     lambda m: m(SOURCE, steps=2), ShapeError, r"feed\(y\) of shape \(2, 3\).*got \(2, 1\)"),
    (lambda: nn.EncoderDecoder(nn.RNN(I, H), nn.Bidirectional(nn.RNN(O, H))), None, InputError,
     "reverse"),
    (lambda: nn.EncoderDecoder(lambda x, s: (x, s), nn.RNN(O, H)), None, InputError, "bridge"),
])
def test_encoders_and_decoders_that_do_not_fit(make, call, error, words):
    with pytest.raises(error, match=words):
        call(make())


def test_second_order():
    """A penalty on the gradient, through encoder, bridge, decoder, head and feedback."""
    model = nn.EncoderDecoder(nn.LSTM(I, 2, seed=0), nn.GRU(O + 2, 2, seed=1), "both",
                              head=nn.Linear(2, O, seed=2), seed=3)
    vector = nn.VectorToSequence(nn.RNN(I + O, 2, seed=4), 2, nn.Linear(2, O, seed=5), "free")
    writer = nn.OutputFeedback(nn.LSTM(O, 2, seed=6), nn.Linear(2, O, seed=7), feed=tg.softmax)
    for module, call in [(model, lambda: model(SOURCE, steps=3)),
                         (vector, lambda: vector(C, XS[:3])),
                         (writer, lambda: writer(XS[0], steps=3))]:
        def penalty(module=module, call=call):
            loss = nn.squared_error(call(), TARGETS[:3])
            grads = tg.grad(loss, module.parameters(), create_graph=True)
            return loss + sum((g ** 2).sum() for g in grads)

        report = check_gradients(penalty, module)
        assert report, report


# --- vector to sequence -------------------------------------------------------------------------

C = rng.normal(size=(B, 2))


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("reads", ["nothing", "inputs", "outputs", "both"])
def test_gradients_of_vector_to_sequence(kind, reads):
    width = {"nothing": I, "inputs": I, "outputs": O, "both": I + O}[reads]
    cell, top = parts(kind, width)
    feedback = "free" if reads in ("outputs", "both") else None
    model = nn.VectorToSequence(cell, 2, top, feedback, seed=3)
    xs = XS if reads in ("inputs", "both") else None
    c = Tensor(C, requires_grad=True, name="c")
    steps = None if xs is not None else T
    params = {**dict(model.named_parameters()), "c": c}
    assert model(c, xs, steps).shape == (T, B, O)
    report = check_gradients(lambda: nn.squared_error(model(c, xs, steps), TARGETS), params)
    assert report, report
    assert model.R.shape == ({"rnn": 1, "gru": 3, "lstm": 4}[kind] * H, 2)
    if feedback:
        teacher = model(c, xs, targets=TARGETS, feedback="teacher")
        assert (teacher.numpy()[0] == model(c, xs, steps).numpy()[0]).all()
        assert (teacher.numpy()[1] != model(c, xs, steps).numpy()[1]).any()


def test_the_context_is_used_at_every_step():
    cell, top = parts()
    model = nn.VectorToSequence(cell, 2, top, seed=3)
    flow = gradient_flow(nn.squared_error(model(C, XS), TARGETS))
    assert [row.step for row in flow.ledger(model.R)] == [5, 4, 3, 2, 1]
    assert [row.step for row in flow.ledger(cell.b_h)] == [5, 4, 3, 2, 1]
    assert list(flow.norms("h")) == [1, 2, 3, 4, 5]


def test_no_bias_and_no_batch():
    cell = nn.RNNCell(I, H, bias=False, seed=0)
    model = nn.VectorToSequence(cell, 2, seed=1)
    one = model(C[0], XS[:, 0]).numpy()
    np.testing.assert_allclose(one, model(C, XS).numpy()[:, 0], rtol=1e-12)
    h = np.zeros(H)
    for x in XS[:, 0]:
        h = np.tanh(cell.W_xh.value @ x + cell.W_hh.value @ h + model.R.value @ C[0])
    np.testing.assert_allclose(one[-1], h, rtol=1e-12)


@pytest.mark.parametrize(("make", "call", "error", "words"), [
    (lambda: nn.VectorToSequence(lambda x, s: (x, s), 2), None, InputError, "RNNCell"),
    (lambda: nn.VectorToSequence(nn.RNNCell(I, H), 0), None, InputError, "context_size"),
    (lambda: nn.VectorToSequence(nn.RNNCell(I, H), 3), lambda m: m(C, XS), ShapeError,
     r"\(B, 3\).*got \(2, 2\)"),
    (lambda: nn.VectorToSequence(nn.RNNCell(I, H), 2), lambda m: m(C[0], XS), ShapeError,
     r"context for x of shape \(2, 3\)"),
    (lambda: nn.VectorToSequence(nn.RNNCell(I, H), 2), lambda m: m(C), InputError, "how many"),
    (lambda: nn.VectorToSequence(nn.RNNCell(I, H), 2), lambda m: m(C, XS, 9), InputError, "9"),
])
def test_vectors_that_do_not_fit(make, call, error, words):
    with pytest.raises(error, match=words):
        call(make())


@pytest.mark.parametrize("make", [
    lambda d: nn.OutputFeedback(nn.LSTM(I + O, H, dtype=d), nn.Linear(H, O, dtype=d), append=True),
    lambda d: lambda xs: nn.EncoderDecoder(nn.GRU(I, H, dtype=d), nn.LSTM(O, H, dtype=d),
                                           head=nn.Linear(H, O, dtype=d))(xs, steps=3),
    lambda d: lambda xs: nn.VectorToSequence(nn.GRU(O, H, dtype=d), 2, nn.Linear(H, O, dtype=d),
                                             "free")(C, steps=3)])
def test_float32_stays_float32(make):
    assert make("float32")(XS).dtype == np.float32


# --- stacks in stacks ---------------------------------------------------------------------------


def nested(**options):
    """A stack in a stack, with the options at its innermost layer."""
    inner = nn.RNN(4, 4, return_sequences=True, seed=0, **options)
    return nn.Stacked([nn.Stacked([inner]), nn.RNN(4, 4, return_sequences=True, seed=1)])


@pytest.mark.parametrize("use", [
    lambda layer: tg.truncated_bptt(layer, np.ones((4, 2, 4)), 2),
    lambda layer: nn.generate(layer, None, 0, 2),
    nn.OutputFeedback,
    lambda layer: nn.EncoderDecoder(nn.RNN(4, 4), layer),
], ids=["truncated_bptt", "generate", "OutputFeedback", "EncoderDecoder"])
def test_a_reverse_layer_deep_inside_is_refused(use):
    with pytest.raises(InputError, match="runs in reverse"):
        use(nested(reverse=True))


def test_a_decoder_of_nested_stacks_is_the_flat_one():
    def model(*layers):
        return nn.EncoderDecoder(nn.RNN(4, 3, seed=0), nn.Stacked(layers), seed=1)

    below, above = nn.LSTM(4, 3, return_sequences=True, seed=2), nn.GRU(3, 2, seed=3)
    xs = np.random.default_rng(0).normal(size=(5, 2, 4))
    flat, deep = model(below, above), model(nn.Stacked([below]), above)
    np.testing.assert_array_equal(deep(xs, xs).numpy(), flat(xs, xs).numpy())


# --- what would silently do nothing -------------------------------------------------------------


@pytest.mark.parametrize("options", [{"recurrent_dropout": 0.5}, {"initial_state": "random"}])
def test_what_is_drawn_is_refused_where_nothing_can_be_drawn(options):
    for layer in nn.RNN(4, 4, **options), nested(**options):
        with pytest.raises(InputError, match="does not act"):
            nn.OutputFeedback(layer)
        with pytest.raises(InputError, match="does not act"):
            nn.EncoderDecoder(nn.RNN(4, 4), layer)
    with pytest.raises(InputError, match="has dropout"):
        nn.OutputFeedback(nn.Stacked([nn.RNN(4, 4)], dropout=0.5))


def test_dropout_acts_in_the_encoder_with_a_generator():
    model = nn.EncoderDecoder(nn.RNN(4, 3, recurrent_dropout=0.5, seed=0), nn.RNN(4, 3, seed=1))
    xs = np.random.default_rng(0).normal(size=(5, 2, 4))
    one, again, off = (model(xs, xs, rng=rng).numpy() for rng in (0, 0, None))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, off)


def test_a_learned_first_state_of_a_decoder():
    decoder = nested(initial_state="learned")
    for context in "state", "both":
        with pytest.raises(InputError, match="learned"):
            nn.EncoderDecoder(nn.RNN(4, 1), decoder, context)
    nn.EncoderDecoder(nn.RNN(4, 1), decoder, "input")


@pytest.mark.parametrize("options", [{"reverse": True}, {"initial_state": "learned"},
                                     {"recurrent_dropout": 0.5}, {"flatten": True}])
def test_options_that_a_cell_would_lose(options):
    with pytest.raises(InputError, match=next(iter(options))):
        nn.VectorToSequence(nn.RNN(4, 4, **options), 3)


# --- targets that do not fit --------------------------------------------------------------------

TEACHER = {
    "OutputFeedback": lambda targets: nn.OutputFeedback(nn.RNN(4, 4), feedback="teacher")(
        np.zeros((2, 4)), targets=targets, steps=6),
    "append": lambda targets: nn.OutputFeedback(nn.RNN(7, 4), feedback="teacher", append=True)(
        np.zeros((6, 2, 3)), targets=targets),
    "VectorToSequence": lambda targets: nn.VectorToSequence(
        nn.RNNCell(4, 4), 3, feedback="teacher")(np.zeros((2, 3)), targets=targets, steps=6),
}


@pytest.mark.parametrize("model", TEACHER)
@pytest.mark.parametrize("shape", [(3, 2, 4), (6, 3, 4), (6, 2, 5), (6, 4), ()])
def test_targets_of_a_teacher_fit(model, shape):
    with pytest.raises(ShapeError, match="target"):
        TEACHER[model](np.zeros(shape))
    assert TEACHER[model](np.zeros((5, 2, 4))).shape == (6, 2, 4)


@pytest.mark.parametrize("options", [{"target_inputs": np.zeros((5, 3, 4))},
                                     {"steps": 3, "start": np.zeros((3, 4))}])
def test_the_decoder_has_the_batch_of_the_source(options):
    model = nn.EncoderDecoder(nn.RNN(4, 3), nn.RNN(4, 4))
    with pytest.raises(ShapeError, match=f"{list(options)[-1]} with the batch of the source"):
        model(np.zeros((5, 2, 4)), **options)


@pytest.mark.parametrize("use", [
    lambda module: tg.truncated_bptt(module, np.ones((4, 2, 4)), 2),
    lambda module: nn.generate(module, None, 0, 2), nn.OutputFeedback,
], ids=["truncated_bptt", "generate", "OutputFeedback"])
@pytest.mark.parametrize("module", [nn.MLP([4, 4]), nn.Linear(4, 4), nn.Embedding(4, 4)])
def test_a_module_without_a_state_is_no_recurrence(use, module):
    with pytest.raises(InputError, match="expected a recurrent layer or a cell, got"):
        use(module)


@pytest.mark.parametrize("bridge", [True, False])
def test_a_cell_with_skips_hands_over_all_its_states_the_last_one_first(bridge):
    skip = [nn.Recurrent(nn.SkipRNNCell(3, 3, skips=(2, 3), seed=k), return_sequences=k == 1)
            for k in range(2)]
    model = nn.EncoderDecoder(*skip, bridge=bridge, seed=2)
    source, target = (np.random.default_rng(k).normal(size=(5, 2, 3)) for k in range(2))
    x = tg.Tensor(source, requires_grad=True)
    (model(x, target) ** 2).sum().backward()
    assert np.abs(x.grad).sum(axis=(1, 2)).min() > 0  # the last steps too
    states = nn.Recurrent(skip[0].cell, return_state=True)(source)[1]
    if bridge:
        states = tuple(model.bridge(h) for h in states)
    alone = nn.Recurrent(skip[1].cell, return_sequences=True)(target, states)
    np.testing.assert_allclose(model(source, target).numpy(), alone.numpy(), rtol=1e-12)
