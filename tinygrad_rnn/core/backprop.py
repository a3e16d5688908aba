"""Backpropagation: the engine that sends a gradient back through the graph, one contribution at a
time.

The question this file answers: *how does a gradient get from the loss to every weight?*

`contributions` walks the graph from the newest node to the oldest. For every use of every operand
it applies the operand's rule, adds what leaves to what has already arrived there, and yields it, so
that others may look on: the ledger, the drawings, an anomaly detector. `backward` needs only the
sums.

Why newest first? Because a node may pass its gradient on only when all of it has arrived:

    b = a + a          # b reaches d twice: directly, and through c
    c = b + b
    d = c + b

Going back from d, one might serve b at once with the 1 that comes directly. But c will bring 2
more, and whoever served b first has sent 2 * 1 to a: with the 2 * 2 still missing, a.grad would be
2 where 6 is right. The order of creation settles it, since whatever was made from b is younger than
b.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from . import hooks, together
from .graph import Node, constant, leaf, operands_of
from .guards import check_ends, plain_seed
from .in_line import in_line, line_of_sums, straight
from .inplace import at_once, change
from .place import at, here
from .rules import fit, gradient_place, local, uses
from .taken import Taken, apart
from .totals import Totals

__all__ = ["backward", "commit", "contributions", "fit", "history", "local", "operands_of", "uses"]

Edge = tuple[Node, int, Node, Any, Any]
BY_ORDER = attrgetter("order")


def history(roots: Iterable[Node], until: Collection[Node] = (),
            past: set[Any] | None = None) -> list[Node]:
    """Every computed node that `roots` depend on, newest first: each stands before its operands.

    Where there is a way past many of them (see together.py) it is taken, and added to `past`, if
    that is given.
    """
    found = [n for n in dict.fromkeys(roots) if n.op.rules and n not in until]
    ends: list[Node] = []
    seen: set[Node] = {*found, *until}
    see = seen.add
    for node in found:  # the list grows while we read it: no recursion, however deep the graph
        # an operand with rules was computed; leaves, constants and released nodes are ends
        if node.rest is not None:
            further = [] if past is None or together.way_past(node) is None else \
                together.ends(node, past)
            for x in further or node.rest.nodes:
                if x is not None and x not in seen:
                    see(x)
                    (found if x.op.rules else ends).append(x)
            if further:
                continue
        x = node.a
        if x is not None and x not in seen:
            see(x)
            (found if x.op.rules else ends).append(x)
        x = node.b
        if x is not None and x not in seen:
            see(x)
            (found if x.op.rules else ends).append(x)
    found.sort(key=BY_ORDER, reverse=True)
    check_ends(ends, found)
    return found


def contributions(arriving: Totals, *, graph: bool = False, wanted: set[Node] | None = None,
                  keep: Collection[Node] = (), until: Collection[Node] = (),
                  tell: bool = True, way: Sequence[Node] | None = None,
                  taken: Taken | None = None) -> Iterator[Edge]:
    """Send the gradients in `arriving` back; yield `(node, position, operand, g, c)` for every use.

    `g` is the whole gradient of `node`, and `c` what leaves it through that operand, or None where
    it was added up without being built (see `Op.into` and `Op.late`). A node's gradient stands in
    `arriving` until its turn comes. What remains at the end are the gradients of the leaves and of
    the nodes in `keep`. With `graph=True` all of it happens on nodes. `wanted` limits the walk to
    these nodes, and it does not go beyond the nodes in `until`. With `tell=False` nobody looks on:
    only the sums are wanted, and the common case yields nothing. `way` is the history, if it is
    known, and `taken` are sequences whose steps were used in their place, if any are looked at.
    """
    common = not graph and wanted is None
    plain = common and not tell and not keep
    rows = None if tell or graph else arriving.rows
    if way is None:
        plain = rows is not None and common and not keep and not until
        way = history(arriving, until, arriving.past if plain else None)
        if taken is None and (hooked := hooks.ways(way)):
            way, taken = apart(arriving, history(arriving, until), hooked, until)
    for node in way:
        g = arriving.pop(node, None)
        if taken is not None and node in taken.rows:
            g = taken.whole(node, g, graph)
        if g is None:  # nothing that is wanted lies this way
            continue
        if keep and node in keep:
            arriving[node] = g
        if node.hooks is not None:
            g = hooks.run(node, g, arriving)
        op = node.op
        if taken is not None and node.at.taking:
            yield from taken.leaving(node, g, arriving, graph, wanted)
            continue
        if plain and op.sums is not None:
            op.sums(node, g, arriving)
            continue
        if op.joint and common:  # all operands at once
            past = together.way_past(node) if arriving.past else None
            if past is not None and past in arriving.past:
                past.back(g, arriving)
                continue
            for position, (x, c) in enumerate(zip(operands_of(node), local(node, 0, g))):
                if c is not None and x is not None and x.op is not constant:
                    arriving.add(x, c)
                    if tell:
                        yield node, position, x, g, c
            continue
        if not common or not op.simple or node.params is not None:
            shares = local(node, 0, g, graph) if op.joint else None
            for position, x in uses(node):
                if wanted is not None and x not in wanted:
                    continue
                c = None
                if op.into is not None and not graph:
                    arriving.add_into(node, x, g)
                else:
                    c = shares[position] if shares else local(node, position, g, graph)
                    if c is None:  # nothing goes this way
                        continue
                    if graph:
                        with at(gradient_place(node)):
                            arriving.add(x, c)
                    else:
                        arriving.add(x, c)
                yield node, position, x, g, c
            continue
        # the same for the common case, one or two operands and no parameters, with no call per use
        a, b = node.a, node.b
        y, u, v = (node.value, node.u, node.v) if type(node) is not node.lean_kind else \
            together.kept(node, g)
        a = None if a is None or a.op is constant else a
        b = None if b is None or b.op is constant else b
        c = d = None
        try:
            if a is not None:
                c = op.rules[0](g, y, u) if v is None else op.rules[0](g, y, u, v)
            if b is not None and op.late is None:
                d = op.rules[1](g, y, u, v)
        except ArithmeticError:  # plain floats raise where IEEE has an answer: 1 / 0 is inf
            c, d = (None if x is None else local(node, position, g)
                    for position, x in enumerate((a, b)))
        if a is not None:
            c = c if type(c) is float else fit(c, u)
            there = arriving.get(a)
            arriving[a] = c if there is None else there + c
            if tell:
                yield node, 0, a, g, c
        if b is None:
            continue
        if op.late is not None:  # a weight
            if not arriving.collect(node, b, g):
                d = local(node, 1, g)
                arriving.add(b, d)
            if tell:
                yield node, 1, b, g, d
        elif rows is not None and b.op is leaf and type(d) is type(v) is np.ndarray \
                and v.ndim == 1 and d.size and d.shape[-1:] == v.shape:  # a bias
            if b in rows:
                rows[b].append(d)
            else:
                rows[b] = [d]
        else:
            d = d if type(d) is float else fit(d, v)
            there = arriving.get(b)
            arriving[b] = d if there is None else there + d
            if tell:
                yield node, 1, b, g, d
    if taken is not None:
        for node in [*taken.rows]:  # where the walk was to end
            arriving[node] = taken.whole(node, arriving.pop(node, None), graph)
    arriving.settle()


# --- what users call ----------------------------------------------------------------------------


def backward(root: Node, seed: Any = None) -> None:
    """Add d(root)/d(leaf) to `.grad` of every leaf that `root` depends on (and of `retain_grad`
    nodes).

    A result that is not a single number needs a `seed` of its shape. All gradients are committed at
    the end, at once: an interrupt leaves all old ones or all new ones.
    """
    start, watched = plain_seed(root, seed, "backward()"), here().watchers
    way = None if watched else line_of_sums(root)
    if way is not None:
        commit(straight(way, start))
        return
    arriving = Totals([(root, start)], late=True)
    way = None if watched else in_line(root)
    way = None if way is None or hooks.ways(way) else way
    edges = contributions(arriving, tell=bool(watched), way=way)
    deque(hooks.watched(edges, arriving), maxlen=0)  # let them all pass
    commit(arriving)


def commit(totals: Totals) -> None:
    """Add the totals to `.grad`, each leaf's own contiguous array, all in one uninterruptible
    call."""
    owned = totals.owned
    if owned.issuperset(totals):
        for node in totals:
            if node.grad is not None or node.hooks is not None or node.calls != 1:
                break
        else:  # nothing to do but set them
            at_once(change(totals, "grad", totals.values()))
            return
    grads, counted, counts = [], [], []
    for node, g in totals.items():
        n = 1
        if node.grad is not None or node.hooks is not None or node not in owned:
            if node.hooks is not None and node.is_leaf:
                g = hooks.run(node, g, totals)
            if node.grad is not None:
                n, g = (node.calls or 0) + 1, node.grad + g
            if node not in owned or node.hooks is not None:
                g = g if node.is_scalar else np.array(g, order="C")  # somebody else may have it
        grads.append(g)
        if node.calls != n:
            counted.append(node)
            counts.append(n)
    grown = change(totals, "grad", grads)
    at_once(change(counted, "calls", counts), grown) if counted else at_once(grown)
