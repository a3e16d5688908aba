"""`draw`: a picture of a built-in pattern, or of a program or model of the user's own.

The question this file answers: *how do I get a picture without writing a program?*
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import draw as views
from .. import nn
from ..bptt.flow import gradient_flow
from ..bptt.truncated import truncated_bptt
from ..core.gradients import grad
from ..errors import InputError
from .models import model
from .outside import attribute, blamed
from .patterns import CELLS, PATTERNS, B, H, I, O

TIMED = ("unrolled", "cell-level", "layer-level", "rolled", "gradient-flow")
LEVELLED = ("unrolled", "rolled", "gradient-flow")  # those that can have fewer, larger boxes
WIDTH = 8  # steps that are all drawn, if nothing is said


def draw(name: str, view: str = "unrolled", out: str | None = None, *, steps: int = 4,
         cell: str = "rnn", seed: int = 0, first: int | None = None, last: int | None = None,
         theme: str = "auto", direction: str = "right", level: str | None = None,
         collapse: Sequence[str] = (), width: int | None = None) -> str:
    """Draw `name` and write the picture to `out`; returns what to print: where it is, or without
    `out` the sketch, of which a terminal shows `width` columns.

    Raises `InputError` for a name, view or file that cannot be.
    """
    if view not in VIEWS:
        raise InputError(f"there is no view {view!r}; there are {', '.join(VIEWS)}",
                         where="--view")
    if direction != "right" and view not in TIMED:
        raise InputError(f"the view {view!r} has one direction; those of {', '.join(TIMED)} can "
                         "be chosen", where="--direction")
    boxes = {**({"level": level} if level else {}), **({"collapse": collapse} if collapse else {})}
    if boxes and view not in LEVELLED:
        raise InputError(f"the view {view!r} has one level; those of {', '.join(LEVELLED)} can be "
                         "chosen", where=f"--{next(iter(boxes))}")
    if view == "api":
        picture = views.api(outside(name, cell, seed), None if ":" in name else steps, theme=theme)
    elif view == "truncated":
        picture = truncated(name, steps, cell, seed, theme)
    elif view == "player" and out is None:
        raise InputError("the player is a page, and cannot be printed", where="--view player",
                         fix="-o player.html")
    else:
        window = {**shown(steps, first, last), "direction": direction, **boxes}
        picture = VIEWS[view](model(name, steps, cell, seed), window, theme)
    if out is None:
        return picture.text(width)
    return f"wrote {picture.save(out)}\n"


def shown(steps: int, first: int | None, last: int | None) -> dict[str, Any]:
    """How many steps at the start and at the end are drawn: what was asked for, else all of a
    few."""
    if first is None and last is None:
        return {"first": steps, "last": 0} if steps <= WIDTH else {"first": 3, "last": 3}
    return {"first": first or 0, "last": last or 0}


def backward_graph(found: Any, window: dict[str, Any], theme: str) -> Any:
    """The graph of the gradient of one weight."""
    steps = {end: window[end] for end in ("first", "last") if window["last"]}
    return views.backward_graph(grad(found.loss, found.weight(), create_graph=True), **steps,
                                theme=theme)


def heatmap(found: Any, window: dict[str, Any], theme: str) -> Any:
    """What every step contributed to every weight: called as in the other pictures, and where
    several are called alike, with the part that uses it."""
    flow = gradient_flow(found.loss)
    known = {name: flow.ledger(w) for name, w in found.weights.items() if w in flow.incoming}
    labels = Counter(ledger.node.label for ledger in known.values())
    scopes = {name: next((row.scope for row in ledger if row.scope), "")
              for name, ledger in known.items()}
    known = {ledger.node.label if labels[ledger.node.label] == 1 else
             f"{scopes[name]}/{ledger.node.label}" if scopes[name] else name: ledger
             for name, ledger in known.items()}
    return views.heatmap(known, title=f"What each step gave, {found.title}", theme=theme)


def truncated(name: str, steps: int, cell: str, seed: int, theme: str) -> Any:
    """A layer's sequence in windows of two steps, with what is cut between them."""
    kinds = {"many-to-many": cell, **{key: key for key in CELLS}}
    if name not in kinds:
        raise InputError(f"there is no model {name!r} to be cut into windows; there are "
                         f"{', '.join(kinds)}", where="--view truncated",
                         fix="draw.truncated(windows) draws those of a program of your own")
    layer = CELLS[kinds[name]](I, H, return_sequences=True, seed=seed)
    xs = np.random.default_rng(seed).normal(size=(steps, B, I))
    windows, losses = [], []
    for window in truncated_bptt(layer, xs, min(2, steps)):
        loss = nn.squared_error(window.outputs, np.zeros(window.outputs.shape))
        window.backward(loss)
        windows.append(window)
        losses.append(loss.item())
    return views.truncated(windows, losses=losses, theme=theme)


VIEWS: dict[str, Callable[[Any, dict[str, Any], str], Any]] = {
    "unrolled": lambda found, window, theme: views.unrolled(found.loss, **window, theme=theme),
    "cell-level": lambda found, window, theme: views.unrolled(
        found.loss, **window, level="cell", theme=theme),
    "layer-level": lambda found, window, theme: views.unrolled(
        found.loss, **window, level="layer", theme=theme),
    "rolled": lambda found, window, theme: views.rolled(
        found.loss, theme=theme, **{k: v for k, v in window.items() if k not in ("first", "last")}),
    "gradient-flow": lambda found, window, theme: views.gradient_flow(
        gradient_flow(found.loss), **window, theme=theme),
    "scalar": lambda found, window, theme: views.scalar(found.loss, theme=theme),
    "backward-graph": backward_graph,
    "heatmap": heatmap,
    "player": lambda found, window, theme: views.player(gradient_flow(found.loss), theme=theme),
    "api": lambda found, window, theme: None,  # takes the model, not the loss
    "truncated": lambda found, window, theme: None,  # takes a layer
}


def outside(name: str, cell: str, seed: int) -> Any:
    """The model to be drawn from outside: of a pattern, or what a function of the user's own
    returns."""
    if ":" in name:
        function = attribute(name)
        with blamed(name):
            return function() if not isinstance(function, nn.Module) else function
    if name in CELLS:
        name, cell = "many-to-many", name
    layer = CELLS[cell]
    head = nn.Linear(H, O, name="hy", seed=seed)
    models: dict[str, Callable[[], Any]] = {
        "many-to-one": lambda: [layer(I, H, seed=seed), head],
        "many-to-many": lambda: [layer(I, H, return_sequences=True, seed=seed), head],
        "one-to-many": lambda: nn.OutputFeedback(layer(I, H, seed=seed), head),
        "encoder-decoder": lambda: nn.EncoderDecoder(layer(I, H, seed=seed), layer(O, H, seed=seed),
                                                     head=head, seed=seed),
        "stacked": lambda: [nn.Stacked([layer(I, H, return_sequences=True, seed=seed),
                                        layer(H, H, return_sequences=True, seed=seed)]), head],
        "bidirectional": lambda: [
            nn.Bidirectional(layer(I, H, return_sequences=True, seed=seed)),
            nn.Linear(2 * H, O, name="hy", seed=seed)],
    }
    if name not in models:
        known = [row for row in PATTERNS if row in models or row in CELLS]
        raise InputError(f"there is no model {name!r} to be drawn from outside; there are "
                         f"{', '.join(known)}",
                         fix="Or name a function of your own that returns one: module:function")
    return models[name]()
