"""The rolled graph of every cell of the library, in every kind of layer: it is the same for any
number of steps above the largest lag, and what one step does otherwise shows."""

from graphlib import TopologicalSorter

import numpy as np
import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import timestep
from tinygrad_rnn.core.values import Tensor
from tinygrad_rnn.draw import options
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.draw.quotient import Quotient
from tinygrad_rnn.draw.unrolled import look, scene_of

from . import graphs

CELLS = {
    "RNN": lambda n, s: nn.RNNCell(n, 3, seed=s),
    "RNN, no bias": lambda n, s: nn.RNNCell(n, 3, "relu", bias=False, seed=s),
    "RNN, one weight": lambda n, s: nn.RNNCell(n, 3, stacked=True, seed=s),
    "LSTM": lambda n, s: nn.LSTMCell(n, 3, seed=s),
    "LSTM, peepholes": lambda n, s: nn.LSTMCell(n, 3, peepholes=True, stacked=True, seed=s),
    "GRU": lambda n, s: nn.GRUCell(n, 3, seed=s),
    "GRU, reset before": lambda n, s: nn.GRUCell(n, 3, reset_after=False, seed=s),
    "deep": lambda n, s: nn.DeepRNNCell(n, 3, deep_input=[4], deep_transition=[4], deep_output=[5],
                                        shortcut=True, seed=s),
    "skips": lambda n, s: nn.SkipRNNCell(n, 3, skips=(2, 3), seed=s),
    "readout": lambda n, s: nn.ReadoutCell(nn.LSTMCell(n, 3, seed=s), 4, skip=True, seed=s),
}
# How many steps: few, but two more than the largest lag (one more, and t > 3 is only t = T); of two
# directions, more than the sum of theirs. Of samples of two lengths the last outputs are those of
# two steps, so that 3 are too few to tell.
FEW = {("skips", "both ways"): 7, ("skips", "both ways, last"): 7, ("skips", "both, stacked"): 7,
       **{(cell, "masked, last"): 5 for cell in CELLS}}


def layer(cell, n=4, seed=0, many=True):
    return nn.Recurrent(CELLS[cell](n, seed), return_sequences=many)


def pair(cell, n=4, seed=0, many=True):
    return nn.Bidirectional(layer(cell, n, seed, many), layer(cell, n, seed + 1, many))


def mask(T):
    """One sample of two is a step shorter."""
    found = np.ones((T, 2), bool)
    found[-1, 0] = False
    return found


def stacked(make, cell):
    below = make(cell)
    return nn.Stacked([below, make(cell, below.output_size, 2)])


def handed(cell, xs):
    """An encoder and a decoder of the same cell."""
    decoder = layer(cell, 2, 1)
    head = nn.Linear(decoder.output_size, 5, name="hy", seed=1)
    return nn.EncoderDecoder(layer(cell, many=False), decoder, head=head, seed=2)(
        xs, graphs.sequence(len(xs), 2, 1))


def loss(y, last=False, **more):
    head = graphs.head(y.shape[-1])
    return graphs.priced(head(y), last, **more)


KINDS = {
    "many to many": lambda cell, xs: loss(layer(cell)(xs)),
    "many to one": lambda cell, xs: loss(layer(cell, many=False)(xs), last=True),
    "stacked": lambda cell, xs: loss(stacked(layer, cell)(xs)),
    "both ways": lambda cell, xs: loss(pair(cell)(xs)),
    "both ways, last": lambda cell, xs: loss(pair(cell, many=False)(xs), last=True),
    "both, stacked": lambda cell, xs: loss(stacked(pair, cell)(xs)),
    "masked": lambda cell, xs: loss(layer(cell)(xs, mask=mask(len(xs))), mask=mask(len(xs))),
    "masked, last": lambda cell, xs: loss(layer(cell, many=False)(xs, mask=mask(len(xs))),
                                          last=True),
    "encoder, decoder": lambda cell, xs: graphs.priced(handed(cell, xs)),
}


def inputs(T, odd=None):
    """A sequence, step by step; one of its steps goes through something else first."""
    xs = [Tensor(x, name="x") for x in graphs.sequence(T, 4)]
    if odd is not None:
        with timestep(odd):
            xs[odd - 1] = ops.exp(Tensor(xs[odd - 1].value, name="u", requires_grad=True))
    return xs


def rolled(root):
    """All that the rolled graph shows, in its order: what is laid out, and nothing else is."""
    window = options.window("", every=True)
    scene = Quotient(scene_of(look(root, window, ""), "", "")).scene()
    return ([(g.id, plain(g.text), g.role, g.shape, plain(g.note), g.dashed, g.title, g.when,
              g.scope, g.key) for g in [*scene.glyphs(), *scene.totals]],
            [(w.tail.id, w.head.id, w.kind, w.position, w.delay, plain(w.note), w.role, w.width)
             for w in scene.uses()])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_in_every_layer(cell, kind):
    few, many = FEW.get((cell, kind), 5 if cell == "skips" else 3), 9 if cell == "skips" else 7
    plainly = rolled(KINDS[kind](cell, inputs(few)))
    assert plainly == rolled(KINDS[kind](cell, inputs(many)))
    oddly = rolled(KINDS[kind](cell, inputs(few, odd=1)))
    assert oddly == rolled(KINDS[kind](cell, inputs(many, odd=1)))
    notes = [[note for _, text, _, _, note, *_ in glyphs if text == "u_t"]  # where it begins
             for glyphs, _ in (plainly, oddly)]
    assert notes == [[], ["only t = 1"]]


def by_hand(cell, T, odd):
    """A loop over a cell, which does something else at one step."""
    cell = CELLS[cell](4, 0)
    state = cell.joined([Tensor(np.zeros((2, 3)), name=name) for name in cell.state_names])
    for t, x in enumerate(inputs(T), 1):
        with timestep(t):
            y, state = cell(x, state)
            if t == odd:
                first, *others = cell.split(state)
                state = cell.joined([(ops.exp(first) * 0.5).named(first.name), *others])
    with timestep(T):
        return (y * y).sum().named("L")


@pytest.mark.parametrize(("of_T", "words"), [
    (lambda T: 1, "only t = 1"), (lambda T: 2, "only t = 2"), (lambda T: T - 1, "only t = 5")])
@pytest.mark.parametrize("cell", CELLS)
def test_a_step_of_a_cell_that_does_something_else_shows_it(cell, of_T, words):
    glyphs, _ = rolled(by_hand(cell, 6, of_T(6)))
    assert [note for _, text, _, _, note, *_ in glyphs if text == "exp"] == [words]
    if words != "only t = 5":
        assert glyphs == rolled(by_hand(cell, 9, of_T(9)))[0]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_cell_says_at_which_steps_a_sample_starts_anew(kind):
    """What is said of one wire and not of another was said of neither of those that a box has."""
    loss = graphs.masked(kind, False, "zeros", "both", 2, "repeat")
    words = [plain(n.text) for n in draw.rolled(loss, level="cell").drawing.labels]
    assert {*words} == {"t = 1 … T", "t−1", "t = 1, 2, 4"}
    loss = graphs.masked(kind, False, "learned", "reset", 1, "repeat")
    words = [plain(n.text) for n in draw.rolled(loss, level="cell").drawing.labels]
    assert "before t = 1" in words
    assert {"t−2, only t = 2", "t−4, only t = 4"} <= {*words}


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_mask_changes_nothing_in_the_picture_of_cells(kind):
    """What went on came out of the box, past h_t, which led nowhere."""
    def picture(**call):
        y = kind(3, 4, return_sequences=True, seed=0)(np.ones((5, 2, 3)), **call)
        drawing = draw.rolled((y * y).sum(), level="cell").drawing
        return [(b.id, b.x, b.y) for b in drawing.boxes], [(x.id, x.points) for x in drawing.lines]

    assert picture(lengths=[5, 3]) == picture()
    assert picture(mask=np.arange(10).reshape(5, 2) % 3 < 2) == picture()
    assert picture(mask=np.arange(10).reshape(5, 2) % 2 > 0) == picture()  # at every step


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("T", [1, 2, 5])
def test_what_makes_a_first_state_is_no_cell(kind, T):
    """A learned one is broadcast; the box at step 0 was called a cell too."""
    y = kind(3, 4, return_sequences=True, seed=0, initial_state="learned")(np.ones((T, 2, 3)))
    drawing = draw.unrolled((y * y).sum(), level="cell").drawing
    cells = [box for box in drawing.boxes if plain(box.text) == kind.__name__]
    assert [box.id[:2] for box in cells] == [f"t{t}" for t in range(1, T + 1)]
    assert any(plain(box.text) == "broadcast" for box in drawing.boxes if box.id[:2] == "t0")
    drawing = draw.rolled((y * y).sum(), level="cell").drawing
    assert "before t = 1" in [plain(label.text) for label in drawing.labels]


@pytest.mark.parametrize("level", ["cell", "layer"])
@pytest.mark.parametrize("which", ["sum of directions", "mask"])
def test_no_box_needs_what_is_made_of_it(which, level):
    """The + of both directions and that of the residual were one box, below a layer and above."""
    parts = [nn.RNN(3, 3, return_sequences=True, seed=i) for i in range(2)]
    if which != "mask":
        parts[0] = nn.Bidirectional(parts[0], merge="sum")
    lengths = [3, 2] if which == "mask" else None
    y = nn.Stacked(parts, residual=True)(np.ones((3, 2, 3)), lengths=lengths)
    lines = draw.unrolled((y * y).sum(), level=level).drawing.lines
    needs = {}
    for line in lines:
        needs.setdefault(line.head, set()).add(line.tail)
    assert len([*TopologicalSorter(needs).static_order()]) > 10 * (level == "cell")


@pytest.mark.parametrize(("at", "reverse", "said"), [
    (4, False, "t−5, only t = T"), (3, False, "t−4, only t = 4"), (1, True, "t+5, only t = 1")])
def test_a_wire_from_a_first_state_that_is_made_says_at_which_steps_it_is(at, reverse, said):
    """Where no other step could have one of this lag it said nothing, beside one of all steps."""
    reset = np.zeros((5, 2), bool)
    reset[at, 0] = True
    layer = nn.RNN(3, 2, initial_state="learned", return_sequences=True, reverse=reverse, seed=0)
    y = layer(np.ones((5, 2, 3)), reset_mask=reset)
    words = [plain(x.text) for x in draw.rolled((y * y).sum(), level="cell").drawing.labels]
    assert said in words


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_a_cell_that_reads_from_the_end_begins_at_the_last_step(kind):
    """That was taken for one that only makes a first state, and all words were off by one."""
    y = kind(2, 3, return_sequences=True, seed=0, reverse=True)(
        np.ones((6, 2)), reset_mask=np.array([0, 0, 1, 0, 0, 0]))
    for level, said in ("op", "only t = T−4"), ("cell", "t = T−4, T"):
        words = [plain(x.text) for x in draw.rolled((y * y).sum(), level=level).drawing.labels]
        assert said in words, words
