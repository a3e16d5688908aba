"""The door: whatever is given to a layer, loss or optimiser, an error is in the words of this
package, and what only looks like an option is none."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import InputError, TinygradRNNError, UnsupportedError
from tinygrad_rnn.nn.layer import LayerOptions

I, H = 3, 2
XS = np.zeros((4, 2, I))
BAD = ["a", 5, -1, 0, 2.5, None, [], [1, 2], ("a",), {}, float("nan"), float("inf"), object(),
       np.zeros((2, 2, 2, 2)), np.array([np.nan]), np.array(["x"]), True, b"b", 1j, np.float32]
LAYER = dict.fromkeys(LayerOptions.__annotations__)
SEEDED = ("init", "seed", "dtype")
AFFINE = ("input_size", "hidden_size", "bias", "stacked", "init_hh", *SEEDED)
PHI = "activation", "gate_activation"


def two():
    return [nn.RNN(I, H, return_sequences=True), nn.RNN(H, H)]


def network():
    return nn.RNNCell(I, H)


# what is called, with what it needs; and which of its arguments are tried
DOORS = {
    "RNN": (nn.RNN, {"input_size": I, "hidden_size": H}, (*AFFINE, "nonlinearity", *LAYER)),
    "LSTM": (nn.LSTM, {"input_size": I, "hidden_size": H},
             (*AFFINE, *PHI, "output_activation", "forget_bias", "peepholes", *LAYER)),
    "GRU": (nn.GRU, {"input_size": I, "hidden_size": H}, (*AFFINE, *PHI, "reset_after", *LAYER)),
    "DeepRNNCell": (nn.DeepRNNCell, {"input_size": I, "hidden_size": H},
                    ("nonlinearity", "deep_input", "deep_transition", "deep_output", "shortcut",
                     *SEEDED)),
    "SkipRNNCell": (nn.SkipRNNCell, {"input_size": I, "hidden_size": H}, (*AFFINE, "skips")),
    "ReadoutCell": (lambda **o: nn.ReadoutCell(**{"cell": network(), "output_size": H, **o}), {},
                    ("cell", "output_size", "skip", "bias", "init", "seed")),
    "Linear": (nn.Linear, {"in_size": I, "out_size": H},
               ("in_size", "out_size", "name", "bias", *SEEDED)),
    "Embedding": (nn.Embedding, {"classes": I, "size_": H}, ("classes", "size_", *SEEDED)),
    "LayerNorm": (nn.LayerNorm, {"size_": I}, ("size_", "eps", "dtype")),
    "Dropout": (nn.Dropout, {"p": 0.5}, ("p",)),
    "MLP": (nn.MLP, {"sizes": [I, H]}, ("sizes", "nonlinearity", "bias", "flatten", *SEEDED)),
    "Sequential": (lambda layer: nn.Sequential(layer), {"layer": abs}, ("layer",)),
    "Recurrent": (nn.Recurrent, {"cell": divmod}, ("cell", *LAYER)),
    "Stacked": (lambda **o: nn.Stacked(**{"layers": two(), **o}), {},
                ("layers", "residual", "dropout", "return_state", "return_all_states")),
    "Bidirectional": (lambda **o: nn.Bidirectional(**{"layer": nn.RNN(I, H), **o}), {},
                      ("layer", "backward_layer", "merge", "return_state", "return_all_states")),
    "OutputFeedback": (lambda **o: nn.OutputFeedback(**{"layer": nn.RNN(I, I), **o}), {},
                       ("layer", "head", "feedback", "feed", "append")),
    "EncoderDecoder": (lambda **o: nn.EncoderDecoder(**{
        "encoder": nn.RNN(I, H), "decoder": nn.RNN(H + I, H), **o}), {},
        ("encoder", "decoder", "context", "bridge", "head", "feed", "feedback", "seed")),
    "VectorToSequence": (lambda **o: nn.VectorToSequence(**{
        "cell": network(), "context_size": H, **o}), {},
        ("cell", "context_size", "head", "feedback", "feed", "init", "seed")),
    "spectral": (nn.init.spectral, {"radius": 0.9}, ("radius", "init")),
    "one_hot": (nn.one_hot, {"indices": [1], "depth": I}, ("indices", "depth", "dtype")),
    "sampled": (nn.sampled, {}, ("temperature", "rng")),
    "generate": (lambda **o: nn.generate(**{"cell_or_layer": nn.RNN(I, I), "head": None,
                                            "start": 1, "steps": 2, **o}), {},
                 ("cell_or_layer", "head", "start", "steps", "feedback", "temperature", "rng",
                  "state")),
    "a call of LSTM": (lambda **o: nn.LSTM(I, H)(**{"xs": XS, **o}), {},
                       ("xs", "initial_state", "mask", "lengths", "reset_mask", "rng")),
    "a call of Bidirectional": (lambda **o: nn.Bidirectional(nn.GRU(I, H))(**{"xs": XS, **o}), {},
                                ("xs", "initial_state", "mask", "lengths", "reset_mask", "rng")),
    "a call of Stacked": (lambda **o: nn.Stacked(two(), dropout=0.5)(**{"xs": XS, **o}), {},
                          ("xs", "initial_state", "mask", "lengths", "reset_mask", "rng")),
    "a call of a cell": (lambda **o: nn.LSTMCell(I, H)(**{"x": XS[0], **o}), {},
                         ("x", "state", "recurrent_mask")),
    "a call of OutputFeedback": (
        lambda **o: nn.OutputFeedback(nn.RNN(I, I))(**{"x": XS[0], "steps": 3, **o}), {},
        ("x", "targets", "steps", "initial_state", "feedback")),
    "a call of EncoderDecoder": (
        lambda **o: nn.EncoderDecoder(nn.RNN(I, H), nn.RNN(H, H))(**{
            "source": XS, "steps": 3, **o}), {},
        ("source", "target_inputs", "steps", "start", "mask", "lengths", "feedback", "rng")),
    "a call of VectorToSequence": (
        lambda **o: nn.VectorToSequence(network(), H)(**{
            "context": XS[0, :, :H], "steps": 3, **o}), {},
        ("context", "xs", "steps", "targets", "initial_state", "feedback")),
    "a call of Linear": (lambda x: nn.Linear(I, H)(x), {"x": XS}, ("x",)),
    "a call of MLP": (lambda x: nn.MLP([I, H])(x), {"x": XS}, ("x",)),
    "a call of LayerNorm": (lambda x: nn.LayerNorm(I)(x), {"x": XS}, ("x",)),
    "a call of Embedding": (lambda x: nn.Embedding(I, H)(x), {"x": [1]}, ("x",)),
    **{loss.__name__: (loss, {"outputs": XS, "targets": np.full((4, 2, I), 1 / 3)},
                       ("outputs", "targets", "reduction", "mask", *extra))
       for loss, extra in ((nn.cross_entropy, ()), (nn.binary_cross_entropy, ()),
                           (nn.squared_error, ()), (nn.huber, ("delta",)))},
    "truncated_bptt": (lambda **o: list(tg.truncated_bptt(**{
        "layer": nn.RNN(I, H), "xs": XS, "k1": 2, **o})), {},
        ("layer", "xs", "k1", "k2", "initial_state", "mask", "lengths", "reset_mask", "rng")),
    "SGD": (lambda **o: optim.SGD(**{"params": network(), **o}), {},
            ("params", "lr", "momentum", "nesterov", "dampening", "weight_decay")),
    "Adagrad": (lambda **o: optim.Adagrad(**{"params": network(), **o}), {},
                ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps",
                 "eps_inside_root")),
    "RMSprop": (lambda **o: optim.RMSprop(**{"params": network(), **o}), {},
                ("lr", "alpha", "eps", "weight_decay", "momentum", "centered")),
    "AdamW": (lambda **o: optim.AdamW(**{"params": network(), **o}), {},
              ("lr", "betas", "eps", "weight_decay", "amsgrad", "eps_inside_root")),
    "clip_grad_norm": (lambda **o: optim.clip_grad_norm(**{
        "params": network(), "max_norm": 1.0, **o}), {},
        ("params", "max_norm", "norm_type", "error_if_nonfinite")),
    "clip_grad_value": (lambda **o: optim.clip_grad_value(**{
        "params": network(), "clip_value": 1.0, **o}), {}, ("params", "clip_value")),
    "step_decay": (lambda **o: optim.step_decay(**o)(1), {"lr": 0.1, "step_size": 2},
                   ("lr", "step_size", "gamma")),
    "cosine_decay": (lambda **o: optim.cosine_decay(**o)(1), {"lr": 0.1, "steps": 2},
                     ("lr", "steps", "lr_min")),
    "warm_up": (lambda **o: optim.warm_up(**o)(1), {"then": 0.1, "steps": 2}, ("then", "steps")),
}


@pytest.mark.filterwarnings("ignore")  # overflow, and cells that cannot be fused
@pytest.mark.parametrize("door", DOORS)
def test_no_error_is_in_the_words_of_others(door):
    call, needed, arguments = DOORS[door]
    call(**needed)
    refused = 0
    for name in arguments:
        for bad in BAD:
            try:
                call(**{**needed, name: bad})
            except TinygradRNNError as error:
                refused += bool(str(error))
            except Exception as error:
                pytest.fail(f"{door}({name}={bad!r}): {type(error).__name__}: {error}")
    assert refused >= 8 * len(arguments)


FLAGS = {
    "RNN": ("bias", "stacked", "return_sequences", "return_state", "return_all_states", "reverse",
            "flatten", "fused"),
    "LSTM": ("peepholes",), "GRU": ("reset_after",), "DeepRNNCell": ("shortcut",),
    "ReadoutCell": ("skip", "bias"), "Linear": ("bias",), "MLP": ("bias", "flatten"),
    "Stacked": ("residual", "return_state", "return_all_states"),
    "Bidirectional": ("return_state", "return_all_states"),
    "OutputFeedback": ("append",), "EncoderDecoder": ("bridge",),
    "SGD": ("nesterov",), "RMSprop": ("centered",), "AdamW": ("amsgrad", "eps_inside_root"),
    "clip_grad_norm": ("error_if_nonfinite",),
}


@pytest.mark.parametrize(("door", "flag"), [(d, f) for d, flags in FLAGS.items() for f in flags])
@pytest.mark.parametrize("bad", ["no", 1, 0, np.zeros(2)], ids=["text", "1", "0", "array"])
def test_what_looks_like_yes_is_refused(door, flag, bad):
    call, needed, _ = DOORS[door]
    with pytest.raises(InputError, match=f"{flag} to be True or False, got"):
        call(**{**needed, flag: bad})


@pytest.mark.parametrize(("init", "words"), [
    (lambda rng, shape, hidden: "text", "to return an array of numbers, got str for W_xh"),
    (lambda rng, shape, hidden: [[1.0], [1.0, 2.0]], "got list for W_xh"),
    (lambda rng, shape, hidden: np.full(shape, np.nan), "not finite for W_xh"),
    (lambda: 0.0, "does not take these three"),
    (np.float32, "does not take these three")])
def test_an_init_that_gives_no_numbers(init, words):
    with pytest.raises(InputError, match=words):
        nn.RNNCell(I, H, init=init)


def test_a_pair_is_no_context():
    encoder = nn.Bidirectional(nn.RNN(I, H), merge="none")
    for context in ("input", "both"):
        with pytest.raises(InputError, match=r"output is a pair.*merge='concat'"):
            nn.EncoderDecoder(encoder, nn.RNN(I, H), context=context)
    assert nn.EncoderDecoder(encoder, nn.RNN(I, H))(XS, XS).shape == (4, 2, H)


def test_the_words_of_a_list_of_sizes():
    with pytest.raises(InputError, match=r"expected deep_input to be a list .* got 5"):
        nn.DeepRNNCell(I, H, deep_input=5)
    with pytest.raises(InputError, match="a spectral radius to be a finite number of at least 0"):
        nn.init.spectral("a")


@pytest.mark.parametrize(("make", "option", "words"), [
    (nn.LSTM, "batch_first", "swapaxes"), (nn.GRU, "num_layers", "nn.Stacked"),
    (nn.RNN, "bidirectional", "nn.Bidirectional"), (nn.LSTM, "dropout", "nn.Stacked.*recurrent_dr"),
    (nn.LSTM, "go_backwards", "reverse=True"), (nn.GRU, "stateful", r"layer\(xs, state\)"),
    (nn.RNN, "activation", "nonlinearity="), (nn.GRU, "nonlinearity", "activation="),
    (nn.LSTM, "recurrent_activation", "gate_activation="),
    (nn.RNN, "colour", "There are input_size, hidden_size, nonlinearity, .*return_"),
    (nn.RNN, "return_sequence", r"Did you mean return_sequences\?"),
    (nn.RNN, "return_seq", r"Did you mean return_sequences\?"),
    (nn.RNN, "retrun_state", r"Did you mean return_state\?"),
    (nn.LSTM, "units", "hidden_size")])
def test_the_names_of_others_are_answered_with_ours(make, option, words):
    with pytest.raises(UnsupportedError,
                       match=f"^{make.__name__}: there is no option {option}. .*{words}"):
        make(I, H, **{option: True})
    with pytest.raises(TypeError):  # as Python has it
        make(I, H, **{option: True})


@pytest.mark.parametrize(("make", "option", "words"), [
    (lambda **o: nn.Recurrent(nn.RNNCell(I, H), **o), "batch_first", "swapaxes"),
    (lambda **o: nn.Recurrent(nn.RNNCell(I, H), **o), "return_sequence", "mean return_sequences"),
    (lambda **o: nn.Stacked([nn.RNN(I, H)], **o), "bidirectional", r"nn\.Bidirectional"),
    (lambda **o: nn.Stacked([nn.RNN(I, H)], **o), "colour", "There are layers, residual, dropout"),
    (lambda **o: nn.Bidirectional(nn.RNN(I, H), **o), "merge_mode", "Here it is merge="),
    (lambda **o: nn.Bidirectional(nn.RNN(I, H), **o), "num_layers", r"nn\.Stacked")])
def test_layers_around_layers_answer_the_names_of_others(make, option, words):
    with pytest.raises(UnsupportedError, match=f": there is no option {option}. .*{words}"):
        make(**{option: True})


def test_a_layer_of_ones_own_names_itself():
    class Mine(nn.Recurrent):
        pass

    with pytest.raises(UnsupportedError, match=r"^Mine: there is no option units"):
        Mine(nn.RNNCell(I, H), units=3)


def test_a_function_that_is_no_cell():
    xs, h = np.ones((3, 2, I)), np.zeros((2, I))
    with pytest.raises(InputError, match="function that does not take these two: too many"):
        nn.Recurrent(lambda x: x)
    with pytest.raises(InputError, match=r"step 1, unroll.*None for the output.*initial_state\)"):
        nn.Recurrent(lambda x, h: (h, h))(xs)
    with pytest.raises(InputError, match="None for the output"):
        list(tg.truncated_bptt(lambda x, h: (h, h), xs, 2))
    with pytest.raises(InputError, match=r"None for the output$"):
        nn.Recurrent(lambda x, h: (None, h))(xs, h)
    assert nn.Recurrent(lambda x, h=None: (x, x))(xs).shape == (2, I)
