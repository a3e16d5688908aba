"""A loop written by hand whose last state looks back at all states: the wires from many steps into
what has no step can be told from one another, and no product is drawn as a sum."""

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import walk
from tinygrad_rnn.draw.labels import plain
from tinygrad_rnn.draw.stages import find_leaps, find_order

from .faults import faults

R = np.random.default_rng


def states(T):
    """h_1, ..., h_T of a loop."""
    W = tg.Tensor(R(0).normal(size=(3, 3)) / 2, name="W", requires_grad=True)
    U = tg.Tensor(R(1).normal(size=(3, 2)) / 2, name="U", requires_grad=True)
    h, found = tg.Tensor(np.zeros(3), name="h0"), []
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(W @ h + U @ R(t).normal(size=2)).named("h")
        found.append(h)
    return found


def weighted(scores, hs):
    """The loss of the context that some scores make of the states."""
    a = tg.softmax(np.stack(scores)).named("a")
    return (sum(a[i] * h for i, h in enumerate(hs)) ** 2).sum().named("L")


def dot_product(T):
    hs = states(T)
    return weighted([(hs[-1] * h).sum() for h in hs], hs)


def additive(T):
    hs = states(T)
    A = tg.Tensor(R(3).normal(size=(3, 6)) / 2, name="A", requires_grad=True)
    return weighted([tg.tanh(A @ np.concatenate([h, hs[-1]])).sum() for h in hs], hs)


def of_a_matrix(T):
    """The states below each other, H, twice in use; and the last one once more."""
    hs = states(T)
    H = np.stack(hs).named("H")
    a = tg.softmax(H @ hs[-1]).named("a")
    return ((a @ H) ** 2).sum().named("L")


def of_scalars(T):
    w, h, hs = tg.Value(0.5, name="w"), tg.Value(0.1, name="h0"), []
    for t in range(1, T + 1):
        with tg.timestep(t):
            h = tg.tanh(w * h + tg.Value(0.1 * t, name="x")).named("h")
        hs.append(h)
    e = [tg.exp(hs[-1] * h).named("e") for h in hs]
    z = sum(e[1:], e[0]).named("Z")
    parts = [a / z * h for a, h in zip(e, hs)]
    return sum(parts[1:], parts[0]).named("c")


KINDS = [dot_product, additive, of_a_matrix, of_scalars]
VIEWS = {"unrolled": draw.unrolled, "rolled": draw.rolled,
         "flow": lambda loss, **options: draw.gradient_flow(gradient_flow(loss), **options)}


@pytest.mark.parametrize(("make", "T"), list(itertools.product(KINDS, (3, 4, 5, 6))))
def test_every_state_has_a_way_of_its_own_to_what_looks_back_at_it(make, T):
    loss = make(T)
    for view, direction in itertools.product(VIEWS, ("right", "down") if T % 2 else ("right",)):
        assert faults(VIEWS[view](loss, direction=direction).drawing) == [], (view, direction)


def test_a_product_of_two_steps_is_no_total():
    second, third = states(3)[1:]
    for loss, count in ((dot_product(4), 0), ((second * third).sum(), 0),
                        ((second + third).sum(), 1)):
        drawing = draw.unrolled(loss).drawing
        assert sum(box.role == "total" for box in drawing.boxes) == count


@pytest.mark.parametrize(("make", "count"), [(additive, 0), (of_a_matrix, 1)])
def test_what_gathers_all_states_is_one(make, count):
    """And each state is a term of it, the last one too, which goes elsewhere besides."""
    drawing = draw.unrolled(make(4)).drawing
    assert sum(box.role == "total" for box in drawing.boxes) == count
    assert sum(".term" in box.id for box in drawing.boxes) == 4 * count


def test_the_rail_of_a_total_comes_down_before_the_notes_of_others():
    E = tg.Tensor(R(0).normal(size=(5, 3)), name="E", requires_grad=True)
    hs = nn.RNN(3, 3, return_sequences=True, seed=0)(E[[1, 2]].reshape(2, 1, 3))
    loss = nn.cross_entropy(hs @ E.T, np.array([[1], [2]]))
    show = ("names", "shapes", "values", "gradients")
    assert faults(draw.unrolled(loss, show=show).drawing) == []


@pytest.mark.parametrize("steps", [slice(3, 5), slice(5, 6)])
def test_a_decoder_may_be_out_of_view(steps):
    model = nn.EncoderDecoder(nn.GRU(4, 3, seed=0), nn.GRU(5, 3, seed=1), context="state",
                              head=nn.Linear(3, 5, seed=9), seed=2)
    loss = (model(R(0).normal(size=(5, 2, 4)), steps=2) ** 2).sum()
    picture = draw.unrolled(loss, steps=steps)
    assert faults(picture.drawing) == []
    assert sum(box.id.endswith("gap.frame") for box in picture.drawing.frames) >= 1


def remembering(T, S, keys=False):
    """A decoder by hand that looks at every step at the states of an encoder, stacked after its
    loop; with `keys` at two products of them."""
    def weight(name, *shape):
        return tg.Tensor(R(len(name)).normal(size=shape) / 2, name=name, requires_grad=True)

    W, W_k, W_v, U = weight("W", 3, 3), weight("W_k", 3, 3), weight("W_v", 3, 3), weight("U", 3, 6)
    h, found, loss = tg.Tensor(np.zeros(3), name="h0"), [], 0
    with tg.scope("encoder"):
        for t in range(1, T + 1):
            with tg.timestep(t):
                h = tg.tanh(W @ h + R(t).normal(size=3)).named("h")
            found.append(h)
    H = np.stack(found)
    K, V = (H @ W_k, H @ W_v) if keys else (H, H)
    with tg.scope("decoder"):
        for t in range(1, S + 1):
            with tg.timestep(t):
                h = tg.tanh(U @ np.concatenate([h, tg.softmax(K @ h) @ V])).named("s")
                loss = loss + (h * h).sum()
    return loss


@pytest.mark.parametrize(("view", "direction", "keys"), list(itertools.product(
    VIEWS, ("right", "down"), (False, True))))
def test_what_one_stage_leaves_to_the_next_stands_between_them(view, direction, keys):
    drawing = VIEWS[view](remembering(4, 3, keys), direction=direction).drawing
    assert faults(drawing) == []
    axis = 0 if direction == "right" else 1
    frames = [frame.sides for frame in drawing.frames if frame.role == "frame"]
    encoder = max(sides[axis + 2] for sides, frame in zip(frames, drawing.frames)
                  if frame.id.startswith("encoder"))
    decoder = min(sides[axis] for sides, frame in zip(frames, drawing.frames)
                  if frame.id.startswith("decoder"))
    beside = [box for box in drawing.boxes if box.text and plain(box.text) in (
        "stack", "@", "W_k", "W_v") and not any(
        left < box.x < right and top < box.y < bottom for left, top, right, bottom in frames)]
    assert len(beside) == (7 if keys else 2)
    assert all(encoder < box.sides[axis] and box.sides[axis + 2] < decoder for box in beside)
    assert [box.role for box in drawing.boxes].count("total") == 1


@pytest.mark.parametrize("view", VIEWS)
def test_a_bridge_with_a_weight_of_its_own_stands_between_two_stages_whatever_its_address(view):
    """What is given to it is given only to it, and so is what that is made of: whichever of them
    is looked at first."""
    def stage(name, s):
        W = tg.Tensor(np.eye(2) / 2, name=f"W{name}", requires_grad=True)
        with tg.scope(name):
            for t in range(1, 4):
                with tg.timestep(t):
                    s = tg.tanh(W @ s).named("s")
        return s

    drawn, kept = set(), []
    for size in range(12):
        P = tg.Tensor(np.eye(2), name="P", requires_grad=True)
        Q = tg.Tensor(np.eye(2), name="Q", requires_grad=True)
        bridge = tg.tanh((Q @ tg.tanh(P)) @ stage("A", tg.Tensor(np.ones(2), name="a0")))
        picture = VIEWS[view](stage("B", bridge.named("bridge")).sum(), level="cell")
        drawn.add(picture.svg())
        kept.append((bridge, bytearray(37 * size)))  # so that the next ones have other addresses
    assert len(drawn) == 1
    assert faults(picture.drawing) == []


def test_what_steps_use_again_is_no_result():
    """Two layers one after the other, and one that goes past the second."""
    first, second = (nn.RNN(3, 3, return_sequences=True, seed=i) for i in range(2))
    states = first(R(0).normal(size=(3, 2, 3)))
    outputs = nn.Linear(3, 2, name="hy", seed=2)(second(states) + states)
    drawing = draw.unrolled(nn.cross_entropy(outputs, np.zeros((3, 2), int))).drawing
    roles = {plain(box.text): box.role for box in drawing.boxes}
    assert (roles["stack"], roles["L = Σ L_t"]) == ("value", "total")
    boxes = {box.id: box for box in drawing.boxes}
    entering = [line for line in drawing.lines if line.tail in boxes
                and boxes[line.tail].role == "initial"]
    assert len(entering) == 2
    assert all(len({y for _, y in line.points}) == 1 for line in entering)  # none crosses another
    assert faults(drawing) == []


# --- a decoder that hears of its encoder through what has no step --------------------------------


def bridged(how):
    """Two loops; the second one hears of the first one's states by a bridge, as one matrix, by a
    bridge from a row of that matrix, or at its own step."""
    def weight(name, *shape):
        return tg.Tensor(R(len(name)).normal(size=shape) / 2, name=name, requires_grad=True)

    U, Q, V = weight("U", 3, 3), weight("bridge", 3, 3), weight("V", 3, 3)
    h, s, hs, L = weight("h_0", 3), tg.Tensor(np.zeros(3), name="s_0"), [], 0.0
    with tg.scope("encoder"):
        for t in range(1, 5):
            with tg.timestep(t):
                h = tg.tanh(U @ h).named("h")
            hs.append(h)
    H = None if how == "bridge" else np.stack(hs)
    if how in ("bridge", "row"):
        s = tg.tanh(Q @ (h if H is None else H[-1])).named("s_0")
    with tg.scope("decoder"):
        for t in range(1, 4):
            with tg.timestep(t):
                z = V @ s
                z = z + (np.ones(4) @ H if how == "matrix" else H[t - 1] if how == "step" else 0.0)
                s = tg.tanh(z).named("s")
                L = L + (s ** 2).sum().named("L")
    return L


@pytest.mark.parametrize(("how", "stages"), [
    ("bridge", {"decoder": 1}), ("matrix", {"decoder": 1}), ("row", {"decoder": 1}), ("step", {})])
def test_a_decoder_comes_after_what_it_hears_of_without_a_step(how, stages):
    loss = bridged(how)
    assert find_order(find_leaps(walk.nodes(loss))) == stages
    for view, direction in itertools.product(VIEWS, ("right", "down")):
        drawing = VIEWS[view](loss, direction=direction).drawing
        assert faults(drawing) == [], (view, direction)
        captions = {plain(label.text) for label in drawing.labels} & {"encoder", "decoder"}
        assert captions == {"encoder", "decoder"}
