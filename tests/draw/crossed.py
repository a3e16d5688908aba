"""Every model in every view, in every direction, window and length of names: many thousand
drawings, each made when it is asked for. Some are tested in every run, all of them on demand."""

import itertools

from tinygrad_rnn import draw
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.walk import nodes
from tinygrad_rnn.errors import InputError

from .graphs import GRAPHS
from .models import MODELS

WINDOWS = [{}, {"first": 1, "last": 1}, {"first": 2, "last": 0}, {"first": 0, "last": 2},
           {"steps": slice(2, 4)}, {"steps": slice(1, None, 3)}]
NAMES = ["", "a rather long name"]
SHOWN = [("names",), ("names", "shapes"), ("names", "shapes", "values", "parameters"), ()]
DIRECTIONS = ["right", "down"]


def renamed(longer):
    """A callback that gives states, inputs and losses a longer name."""
    def change(_, box):
        return {"text": longer} if longer and box["role"] in ("state", "input", "loss") else None

    return change


def unrolled(root, level, direction, window, longer, show):
    return draw.unrolled(root, level=level, direction=direction, show=show, node=renamed(longer),
                         **window)


def flow(root, direction, window, longer):
    return draw.gradient_flow(gradient_flow(root), direction=direction, node=renamed(longer),
                              **window)


def rolled(root, level, direction, longer, beside):
    return draw.rolled(root, level=level, direction=direction, node=renamed(longer),
                       unrolled=beside)


def backward_graph(root):
    leaf = next(x for x in nodes(root) if x.is_leaf and x.requires_grad)
    return draw.backward_graph(grad(root, leaf, create_graph=True))


OF_A_GRAPH = [
    *((unrolled, chosen) for chosen in itertools.product(
        ("op", "cell", "layer"), DIRECTIONS, WINDOWS, NAMES, SHOWN[:1])),
    *((unrolled, (level, direction, {}, "", show)) for level, direction, show in
      itertools.product(("op", "cell"), DIRECTIONS, SHOWN[1:])),
    *((flow, chosen) for chosen in itertools.product(DIRECTIONS, WINDOWS, NAMES)),
    *((rolled, chosen) for chosen in itertools.product(
        ("op", "cell"), DIRECTIONS, NAMES, (False, True))),
    (backward_graph, ()), (draw.scalar, ()),
]
CANNOT = ("no time steps", "no step is in view", "leave no step", "at most", "one of its operands")


def cases():
    """All of them: a name, and a function that draws it, or raises what it must."""
    for model, (view, chosen) in itertools.product(GRAPHS, OF_A_GRAPH):
        yield (f"{model}: {view.__name__}{chosen}",
               lambda model=model, view=view, chosen=chosen: view(GRAPHS[model](), *chosen))
    for model in MODELS:
        for steps in (None, 1, 2, 7, 100):
            yield (f"{model}: api, {steps} steps",
                   lambda model=model, steps=steps: draw.api(MODELS[model]()[0], steps))
    for T, k1, k2 in itertools.product((1, 5, 16, 17, 200), (1, 3, 50), (1, 4, 60)):
        yield f"truncated({T}, {k1}, {k2})", lambda T=T, k1=k1, k2=k2: draw.truncated(T, k1, k2)


def drawn(make):
    """The picture, or None for a view that says why this model has no place in it."""
    try:
        return make()
    except InputError as problem:
        if any(word in str(problem) for word in CANNOT):
            return None
        raise
