"""Models that nobody has drawn before, each invented from its own seed: layers in odd company, and
loops written by hand with skips, several states, shared weights in odd places, and long names."""

import random
from contextlib import nullcontext

import numpy as np

from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core import ops
from tinygrad_rnn.core.place import scope, timestep
from tinygrad_rnn.core.values import Tensor, Value
from tinygrad_rnn.errors import InputError

from .crossed import CANNOT

CELLS = [nn.RNN, nn.LSTM, nn.GRU]
LONG = ["", "", "", "a name", "W_of_the_recurrence", "a really rather long name of a thing", "ℓ",
        "x"]


def sequence(rng, T, size):
    return np.random.default_rng(rng.randrange(10 ** 6)).normal(size=(T, 2, size))


def column(rng, size, many, deep=3):
    """A layer, or layers on each other, some of them in both directions."""
    layers, own = [], size
    count = rng.randint(1, deep)
    for i in range(count):
        every = True if i < count - 1 else many
        kind = rng.choice(CELLS)
        made = kind(own, 3, seed=i, return_sequences=every, reverse=rng.random() < 0.15)
        own = 3
        if rng.random() < 0.3:
            made, own = nn.Bidirectional(kind(size if i == 0 else layers[-1][1], 3, seed=i,
                                              return_sequences=every)), 6
        layers.append((made, own))
    if count == 1:
        return layers[0]
    return nn.Stacked([made for made, _ in layers]), own


def lengths_of(rng, T):
    """Options of a call: a mask, lengths, or nothing."""
    kind = rng.random()
    if kind < 0.2 and T > 1:
        return {"lengths": [T, rng.randint(1, T)]}
    if kind < 0.35:
        mask = np.array([[True, rng.random() < 0.6] for _ in range(T)])
        return {"mask": mask}
    return {}


def priced(rng, y, many):
    """A loss of outputs: over all steps or the last; or no loss, a sum."""
    if rng.random() < 0.3:
        return (y * y).sum().named(rng.choice(["L", "cost", "E"]))
    size = y.shape[-1]
    classes = np.random.default_rng(0).integers(0, size, size=(len(y), 2) if many else (2,))
    return nn.cross_entropy(y, classes)


def of_layers(rng, T):
    many = rng.random() < 0.7
    model, own = column(rng, 4, many)
    y = model(sequence(rng, T, 4), **lengths_of(rng, T))
    if rng.random() < 0.7:
        y = nn.Linear(own, 5, name="hy", seed=9)(y)
    return priced(rng, y, many)


def translating(rng, T):
    kinds = rng.choice(CELLS), rng.choice(CELLS)
    context = rng.choice(["state", "input", "both"])
    if (kinds[0] is nn.LSTM) != (kinds[1] is nn.LSTM):
        kinds = kinds[0], kinds[0]
    width = 5 + (0 if context == "state" else 3)
    deep = rng.random() < 0.25

    def part(kind, size, seed):
        if not deep:
            return kind(size, 3, seed=seed)
        return nn.Stacked([kind(size, 3, seed=seed, return_sequences=True),
                           kind(3, 3, seed=seed + 5)])

    model = nn.EncoderDecoder(part(kinds[0], 4, 0), part(kinds[1], width, 1), context=context,
                              head=nn.Linear(3, 5, name="hy", seed=9), seed=2)
    S = rng.randint(1, 6)
    given = {"steps": S} if rng.random() < 0.4 else {"target_inputs": sequence(rng, S, 5)}
    return priced(rng, model(sequence(rng, T, 4), **given), True)


def feeding(rng, T):
    kind = rng.choice(CELLS)
    if rng.random() < 0.5:
        model = nn.OutputFeedback(kind(5, 3, seed=0, return_sequences=True),
                                  nn.Linear(3, 5, name="hy", seed=9))
        return priced(rng, model(np.ones((2, 5)), steps=T), True)
    cell = {nn.RNN: nn.RNNCell, nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}[kind]
    model = nn.VectorToSequence(cell(5, 3, seed=0), 4, seed=0)
    y = nn.Linear(3, 5, name="hy", seed=9)(model(np.ones((2, 4)), steps=T))
    return priced(rng, y, True)


def by_hand(rng, T):
    """A loop of scalars or vectors. `plan` says what each state is made of, the same every step."""
    scalar = rng.random() < 0.5
    make = (lambda name, _=0: Value(rng.uniform(-1, 1), name=name)) if scalar else \
        (lambda name, seed=0: Tensor(np.random.default_rng(seed).normal(size=(1, 3)) / 2, name=name,
                                     requires_grad=True))
    named = rng.choice(LONG)
    weights = [make(rng.choice([*"wuvWUV", "W_hh", "b_h", "theta", named or "w"]), k)
               for k in range(rng.randint(1, 5))]
    states = ["h" if k == 0 else rng.choice(["c", "s", "m", "r"]) + str(k)
              for k in range(rng.randint(1, 3))]
    if named:
        states[rng.randrange(len(states))] = named
    plan = [[(rng.choice("hhhiwo"), rng.randrange(9), rng.choice([1, 1, 1, 2, 3]),
              rng.choice("*+*-f")) for _ in range(rng.randint(1, 4))] for _ in states]
    odd = rng.randrange(1, T + 1) if rng.random() < 0.25 else 0  # a step that does something else
    scoped = rng.random() < 0.4 and len(states) > 1
    backwards = rng.random() < 0.2
    history = {name: [make(f"{name}0") if rng.random() < 0.8 else weights[0]] for name in states}
    emits, terms = rng.choice(["each", "last", "none", "some"]), []
    for t in range(T, 0, -1) if backwards else range(1, T + 1):
        with timestep(t):
            x = make(rng.choice(["x", "x", named or "x"]), t)
            new = {}
            for k, name in enumerate(states):
                with scope(f"part {k}") if scoped else nullcontext():
                    new[name] = step_of(plan[k], states, history, new, weights, x,
                                        odd == t).named(name)
            for name in states:
                history[name].append(new[name])
            if emits == "each" or emits == "some" and t % 2:
                y = (history[states[0]][-1] * weights[-1]).named("y")
                terms.append((y * y if scalar else (y * y).sum()).named("L"))
    last = history[states[-1]][-1]
    if terms and rng.random() < 0.8:
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total if scalar or total.shape == () else total.sum()
    return last if scalar else (last * last).sum().named("L")


def step_of(plan, states, history, new, weights, x, odd):
    """One state of one step, as its plan says."""
    value = history[states[0]][-1] * weights[0]
    for what, which, back, how in plan:
        name = states[which % len(states)]
        if what == "h":
            past = history[name]
            other = past[-back] if back <= len(past) else past[-1]
        elif what == "i":
            other = x
        elif what == "w":
            other = weights[which % len(weights)]
        else:
            other = new.get(name, history[name][-1])
        if how == "f":
            value = ops.tanh(value)
        value = value * other if how == "*" else value - other if how == "-" else value + other
    return ops.tanh(value) if not odd else ops.exp(value * 0.1)


KINDS = [of_layers, of_layers, translating, feeding, by_hand, by_hand, by_hand]


def model(seed):
    """The model of a seed: its kind, and a graph."""
    rng = random.Random(seed)
    kind = rng.choice(KINDS)
    T = rng.choice([1, 2, 2, 3, 3, 4, 5, 6, 7, 9, 12])
    return kind(rng, T), rng, T


def renaming(rng):
    """A callback that gives some things a longer name, or None."""
    if rng.random() < 0.7:
        return None
    roles, longer = rng.sample(["state", "input", "loss", "output", "initial"], 2), rng.choice(LONG)
    return lambda _, box: {"text": longer} if longer and box["role"] in roles else None


def looks(rng):
    """Options that change how things look, and not where they are unless words get longer."""
    found = {"theme": rng.choice(["light", "dark", "print", "auto"])}
    if rng.random() < 0.2:
        found["font"] = rng.choice(["Fira Sans", "Georgia", "monospace"])
    if rng.random() < 0.3:
        found["size"] = rng.choice([0.5, 0.8, 1.5, 3.0])
    if rng.random() < 0.2:
        found["palette"] = {rng.choice(["state", "line", "input"]): "#884422"}
    return found


def window(rng, T):
    a, b = sorted(rng.sample(range(1, T + 2), 2)) if T > 1 else (1, 2)
    return rng.choice([{}, {}, {}, {"first": T, "last": 0}, {"first": rng.randint(0, 3),
                       "last": rng.randint(0, 3)}, {"steps": slice(a, b)},
                       {"steps": slice(a, None, rng.randint(1, 3))}])


def invented(seed):
    """The picture of a seed, or None where a view says why the model has no place in it."""
    root, rng, T = model(seed)
    direction = rng.choice(["right", "right", "down"])
    options = {**looks(rng), "direction": direction, "node": renaming(rng)}
    show = rng.choice([("names",), ("names",), ("names", "shapes"), ("names", "values"), (),
                       ("names", "shapes", "values", "parameters", "gradients")])
    level = rng.choice(["op", "op", "cell", "cell", "layer"])
    view = rng.choice(["unrolled", "unrolled", "flow", "flow", "rolled"])
    try:
        if view == "rolled":
            known = [what for what in show if what not in ("values", "gradients")]
            return draw.rolled(root, level=level if level != "layer" else "op", show=known,
                               unrolled=rng.random() < 0.2, **options)
        if view == "flow":
            return draw.gradient_flow(gradient_flow(root), **window(rng, T), **options)
        return draw.unrolled(root, level=level, show=show, **window(rng, T), **options)
    except InputError as problem:
        if any(word in str(problem) for word in CANNOT):
            return None
        raise
