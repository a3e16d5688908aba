"""Every view costs the same for each further step: counted in lines that run, and not timed.

A quadratic loop hides behind a small constant until T is large. Between T, 2 T and 3 T steps the
count tells: a view is linear if the last T steps cost what the T before them did.
"""

import gc
import importlib
import itertools
import sys
import time
from functools import partial

import numpy as np
import pytest

from tinygrad_rnn import draw, nn
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.draw.laid import crosses, shared
from tinygrad_rnn.draw.routing import MEET, Field

from . import graphs

KNOWN = [f for name in ("glyphs", "labels", "names", "style", "svg", "wording")
         for f in vars(importlib.import_module(f"tinygrad_rnn.draw.{name}")).values()
         if hasattr(f, "cache_clear")]


def lines_run(work):
    """How many lines of Python `work` runs; every turn of a loop is one, on a single line too."""
    count = 0
    for known in KNOWN:  # what was worded before costs nothing
        known.cache_clear()
    gc.collect()
    gc.disable()  # or it counts, now and then, what frees the graphs of others

    def tell(frame, event, argument):
        nonlocal count
        count += event == "line"
        return tell

    before = sys.gettrace()
    sys.settrace(tell)
    try:
        work()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def all_steps(T, **options):
    return partial(svg, draw.unrolled, graphs.vanilla(T), first=T, last=0, **options)


def elided(T, **options):
    return partial(svg, draw.unrolled, graphs.vanilla(T), **options)


def many_gaps(T):
    return partial(svg, draw.unrolled, graphs.vanilla(T), steps=slice(None, None, 4))


def flowing(T, make=graphs.vanilla, **options):
    return partial(svg, draw.gradient_flow, gradient_flow(make(T)), **options)


def flow_of_all(T, **options):
    """Of steps that have the same numbers: where one has room depends on how many digits it has."""
    steady = partial(graphs.vanilla, steady=True, gain=0.3)
    return flowing(T, make=steady, first=T, last=0, **options)


def rolled(T, kind=nn.LSTM):
    return partial(svg, draw.rolled, graphs.layer(T, kind=kind))


def heatmap(T):
    return partial(svg, draw.heatmap, np.sin(np.arange(8.0 * T)).reshape(T, 1, 8))


def ledgers(T):
    flow = gradient_flow(graphs.vanilla(T))
    return partial(svg, draw.heatmap, [flow.ledger(x) for x in flow.totals])


def played(T):
    """With one loss: each of several has a walk back of its own, so that it can be switched off."""
    flow = gradient_flow(graphs.vanilla(T, losses="last"))
    return lambda: draw.player(flow).html()


def svg(view, *arguments, **options):
    return view(*arguments, **options).svg()


VIEWS = {
    "unrolled, all steps": (all_steps, 16),
    "unrolled, all steps, down": (partial(all_steps, direction="down"), 12),
    "unrolled, all steps, with values": (partial(all_steps, show=["names", "values"]), 12),
    "unrolled, all cells": (partial(all_steps, level="cell"), 16),
    "unrolled, elided": (elided, 200),
    "unrolled, layers": (partial(elided, level="layer"), 100),
    "unrolled, many gaps": (many_gaps, 60),
    "flow, all steps": (flow_of_all, 24),
    "flow, elided": (flowing, 100),
    "flow, cells": (partial(flow_of_all, level="cell"), 24),
    "flow, layers": (partial(flowing, level="layer"), 30),
    "flow, elided, LSTM": (partial(flowing, make=graphs.lstm), 100),
    "flow, elided, two directions": (partial(flowing, make=graphs.bidirectional), 80),
    "flow, elided, decoder": (partial(flowing, make=graphs.seq2seq), 80),
    "rolled": (rolled, 10),
    "heat map": (heatmap, 60),
    "heat map of ledgers": (ledgers, 60),
    "player": (played, 10),
}


@pytest.mark.parametrize("name", VIEWS)
def test_further_steps_cost_what_the_steps_before_them_did(name):
    make, T = VIEWS[name]
    make(T)()  # what is read or made only once, also of what only a gap needs
    few, more, most = (lines_run(make(k * T)) for k in (1, 2, 3))
    assert most - more <= 1.005 * (more - few) + 400


def test_nothing_is_searched_for_in_a_long_list():
    """What no line of Python counts: `x in` a list, or a removal from one. At T = 1,000 it would
    take longer than all the rest."""
    short, long = graphs.vanilla(250), graphs.vanilla(1_000)
    times = [[seconds(short, 250), seconds(long, 1_000)] for _ in range(2)]
    few, many = map(min, zip(*times))
    assert many < 7 * few


def seconds(root, T):
    """The processor time that it takes to draw every step."""
    start = time.process_time()
    draw.unrolled(root, first=T, last=0).svg()
    return time.process_time() - start


def test_a_rolled_view_reads_a_few_of_many_steps():
    """Each further step costs a few lines for each of its nodes, and not a glyph with its words."""
    few, many = (lines_run(rolled(T, nn.RNN)) for T in (400, 800))
    nodes = 400 * 7
    assert many - few < 200 * nodes


@pytest.mark.parametrize("ask", [
    lambda field, p, q: field.beside(p, q, (), 6.0),
    lambda field, p, q: field.crossings(p, q),
    lambda field, p, q: field.coming(q) + field.leaving(p),
    lambda field, p, q: field.passes(p, q, ()),
])
def test_a_stretch_is_asked_about_what_is_near_it_however_much_is_on_the_paper(ask):
    """Thousands of stretches are, for a picture of a few dozen wires: what lay far away made a step
    of an LSTM's backward graph take seconds."""
    counts, answers = [], []
    for many in (50, 1_000):
        levels = [20.0 * k for k in range(many)]
        field = Field([(0.0, y + 8.0, 30.0, y + 12.0) for y in levels],
                      [((40.0, y), (90.0, y), (90.0, y + 10.0)) for y in levels])
        p, q = (50.0, 63.0), (88.0, 63.0)
        ask(field, p, q)  # sorted when somebody first asks
        counts.append(lines_run(lambda field=field, p=p, q=q: answers.append(ask(field, p, q))))
    assert counts[1] <= counts[0] + 8
    assert answers[0] == answers[1]


def test_what_is_near_is_what_a_look_at_everything_finds():
    """In the same order, for sums: of level, upright and slanting wires, with and without ends of
    their own."""
    rng = np.random.default_rng(0)
    corners = (rng.integers(0, 30, size=(120, 3, 2)) * 7.3).tolist()
    ways = [((x, y), (x2, y), (x2, y2)) if k % 7 else ((x, y), (x2, y2))
            for k, ((x, y), (x2, y2), _) in enumerate(corners)]
    field = Field(wires=ways[:60])
    for way in ways[60:]:
        field.wires.lay(way)
    for way in ways:
        for p, q in itertools.pairwise(way):
            rect = min(p[0], q[0]), min(p[1], q[1]), max(p[0], q[0]), max(p[1], q[1])
            others = [(r, s, other) for other in ways for r, s in itertools.pairwise(other)]
            assert sorted((part.p, part.q) for part in field.wires.touching(rect, 0.5)) == sorted(
                (r, s) for r, s, _ in others if crosses(r, s, rect, 0.5))
            axis = int(p[1] == q[1])
            alike = [(r, s) for r, s, other in others
                     if (r[1] == s[1]) == (axis == 1) and other[0] != way[0]]
            assert field.beside(p, q, way[:1], 6.0) == sum(
                shared(p, q, r, s, axis, 6.0) for r, s in alike)
        ends = [at for other in ways for at in (other[0], other[-1])]
        assert field.coming(way[0]) == sum(
            abs(x - way[0][0]) + abs(y - way[0][1]) < MEET for x, y in ends)
