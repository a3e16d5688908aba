"""Backpropagation: the engine that sends a gradient back through the graph, one contribution at a time.

The question this file answers: *how does a gradient get from the loss to every weight?*

`contributions` walks the graph from the newest node to the oldest and hands out, for every use of every
operand, what arrived and what leaves through it. `.grad` is one consumer: it adds them up. The ledger,
the drawings, truncation and the anomaly detector are others.

Why newest first? Because a node may pass its gradient on only when all of it has arrived:

    b = a + a          # b reaches d twice: directly, and through c
    c = b + b
    d = c + b

Going back from d, one might serve b at once with the 1 that comes directly. But c will bring 2 more, and
whoever served b first has sent 2 * 1 to a: with the 2 * 2 still missing, a.grad would be 2 where 6 is
right. The order of creation settles it, since whatever was made from b is younger than b.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

import numpy as np

from ..errors import GradientError
from . import ops
from .graph import Node, constant, given
from .guards import check_ends, seeded
from .place import HERE, here

Edge = tuple[Node, int, Node, Any, Any]
set_grad: Callable[[Node, Any], None] = Node.__dict__["grad"].__set__


def history(roots: Iterable[Node], until: Collection[Node] = ()) -> list[Node]:
    """Every computed node that `roots` depend on, newest first: each stands before its operands."""
    found, ends = [n for n in dict.fromkeys(roots) if n.op.rules and n not in until], list[Node]()
    seen = {*found, *until}
    for node in found:  # the list grows while we read it: no recursion, however deep the graph
        a, b = node.a, node.b
        if a is not None and a not in seen:
            seen.add(a)
            (found if a.op.rules else ends).append(a)
        if b is not None and b not in seen:
            seen.add(b)
            (found if b.op.rules else ends).append(b)
        for other, _ in node.rest or ():
            if other is not None and other not in seen:
                seen.add(other)
                (found if other.op.rules else ends).append(other)
    found.sort(key=attrgetter("order"), reverse=True)
    check_ends(ends, found)
    return found


class Totals(dict[Node, Any]):
    """Gradients by node, while they are being added up.

    The first contribution is borrowed, the second allocates, later ones are added in place: arrays that
    this dict made itself are in `owned`, and nothing else is ever written to.
    """

    def __init__(self, start: Iterable[tuple[Node, Any]] = ()) -> None:
        super().__init__(start)
        self.owned = set[Node]()

    def add(self, x: Node, c: Any) -> None:
        """Add a contribution to what has arrived at `x`."""
        if x not in self:
            self[x] = c
        elif x in self.owned:
            self[x] += c
        else:
            total = self[x] = self[x] + c
            if type(total) is np.ndarray:
                self.owned.add(x)

    def add_use(self, node: Node, position: int, x: Node, g: Any, graph: bool = False) -> None:
        """Add what leaves `node` through operand `x` when `g` arrives, without building it if possible."""
        into = None if graph or node.op.into is None else node.op.into.get(position)
        if into is None:
            return self.add(x, local(node, position, g, graph))
        if x not in self.owned:
            self[x] = np.array(self[x]) if x in self else np.zeros_like(x.value)
            self.owned.add(x)
        into(self[x], g, *node.values, **node.params or {})


def contributions(arriving: Totals, *, graph: bool = False, wanted: set[Node] | None = None,
                  keep: Collection[Node] = (), until: Collection[Node] = ()) -> Iterator[Edge]:
    """Send the gradients in `arriving` back; yield `(node, position, operand, g, c)` for every use.

    `g` is the whole gradient of `node`, and `c` what leaves it through that operand, or None where the
    engine had no need to build it (the use of a weight, a slice of a sequence: see `Op.into`). What
    arrives at a computed node is added up in `arriving` until its turn comes, and stays there for nodes
    in `keep`; leaves are the consumer's to add. With `graph=True` all of it happens on nodes. `wanted`
    limits the walk to these nodes, and the walk does not go beyond the nodes in `until`.
    """
    for node in history(arriving, until):
        if node not in arriving:  # nothing that is wanted lies this way
            continue
        g = arriving[node] if node in keep else arriving.pop(node)
        if node.hooks is not None:
            g = run_hooks(node, g, arriving)
        op, a, b, u, v = node.op, node.a, node.b, node.u, node.v
        if graph or wanted is not None or not op.simple or node.params is not None:
            yield from general(arriving, node, g, graph, wanted)
            continue
        use_a = a is not None and a.op is not constant
        use_b = b is not None and b.op is not constant
        try:
            if use_a:
                c = op.rules[0](g, node.value, u) if v is None else op.rules[0](g, node.value, u, v)
            if use_b:
                d = op.rules[1](g, node.value, u, v)
        except ArithmeticError:  # plain floats raise where IEEE has an answer: 1 / 0 is inf
            c, d = (local(node, i, g) if x else None for i, x in enumerate((use_a, use_b)))
        if use_a:
            if type(c) is not float:
                c = fit(c, u)
            if a.op.rules:
                arriving[a] = arriving[a] + c if a in arriving else c
            yield node, 0, a, g, c
        if use_b:
            if type(d) is not float:
                d = fit(d, v)
            if b.op.rules:
                arriving[b] = arriving[b] + d if b in arriving else d
            yield node, 1, b, g, d


def general(arriving: Totals, node: Node, g: Any, graph: bool, wanted: set[Node] | None) -> Iterator[Edge]:
    """The uses of one node in the general case: any operands, parameters, nodes as gradients."""
    op = node.op
    shares = local(node, 0, g, graph) if op.joint else None
    for position, x in uses(node):
        if wanted is not None and x not in wanted:
            continue
        lazy = op.into is not None and position in op.into and not graph
        c = shares[position] if shares is not None else None if lazy else local(node, position, g, graph)
        if x.op.rules and c is None:
            arriving.add_use(node, position, x, g)
        elif x.op.rules:
            arriving.add(x, c)
        yield node, position, x, g, c


def uses(node: Node) -> list[tuple[int, Node]]:
    """The operands of a node that want a gradient, with their positions."""
    operands = (node.a, node.b, *(x for x, _ in node.rest or ()))
    return [(i, x) for i, x in enumerate(operands) if x is not None and x.op is not constant]


def local(node: Node, position: int, g: Any, graph: bool = False) -> Any:
    """What leaves through one operand when `g` arrives: the row's rule, fitted to the operand's shape.

    For a `joint` op: the list of what leaves through each. With `graph=True` the rule gets nodes.
    """
    op, params = node.op, dict(node.params or {})
    rule = op.rules[0 if op.variadic or op.joint else position]
    if op.variadic:
        params["position"] = position
    token = None
    try:
        if graph:
            token = HERE.set(replace(node.at, phase="backward", recording=True, watchers=here().watchers))
            c = rule(g, node, *node.operands, **params)
        else:
            c = rule(g, node.value, *node.values, **params)
    except ArithmeticError:
        with np.errstate(all="ignore"):
            c = rule(*(np.float64(x) for x in (g, node.value, *node.values)), **params)
    finally:
        if token is not None:
            HERE.reset(token)
    return c if op.joint else fit(c, node.values[position])


def fit(c: Any, x: Any) -> Any:
    """Sum a contribution back to the shape of its operand `x`, over every axis that was broadcast."""
    if not hasattr(x, "shape"):
        return c if isinstance(c, Node) and c.is_scalar else ops.sum_(c) if isinstance(c, Node) \
            else float(np.sum(c))
    if c.shape != x.shape:
        extra = len(c.shape) - x.ndim
        axes = tuple(i for i, n in enumerate(c.shape) if i < extra or n != x.shape[i - extra])
        c = ops.reshape(ops.sum_(c, axis=axes, keepdims=True), shape=x.shape)
    return c if c.dtype == x.dtype else ops.cast(c, dtype=x.dtype)


def run_hooks(node: Node, g: Any, totals: Totals) -> Any:
    """Show the whole gradient of a node to its hooks; what one returns takes its place."""
    for hook in node.hooks or ():
        if hook is RETAIN:
            totals[node] = g
        else:
            changed = hook(g)
            g = g if changed is None else changed
    return g


def RETAIN(g: Any) -> None:
    """The hook of `retain_grad()`: this computed node's gradient is committed like a leaf's."""


def watched(edges: Iterator[Edge]) -> Iterator[Edge]:
    """Let the watchers in force (an anomaly detector, say) see every contribution as it passes."""
    for watcher in here().watchers:
        edges = watcher.edges(edges)
    return edges


# --- what users call ----------------------------------------------------------------------------


def backward(root: Node, seed: Any = None) -> None:
    """Add d(root)/d(leaf) to the `.grad` of every leaf that `root` depends on (and of `retain_grad` nodes).

    A result that is not a single number needs a `seed` of its shape. All gradients are committed at the
    end, at once: an interrupt leaves all old ones or all new ones.
    """
    seed = seeded(root, seed, "backward()")
    arriving = Totals([(root, seed.value if isinstance(seed, Node) else seed)])
    for node, position, x, g, c in watched(contributions(arriving)):
        if x.op.rules:
            continue
        if c is None:
            arriving.add_use(node, position, x, g)
        else:
            arriving[x] = arriving[x] + c if x in arriving else c
    commit(arriving)


def commit(totals: Totals) -> None:
    """Add the totals to `.grad`, each leaf's own contiguous array; all of them in one uninterruptible call."""
    grads = []
    for node, g in totals.items():
        if node.hooks is not None and node.is_leaf:
            g = run_hooks(node, g, totals)
        if not node.is_scalar:
            own = node in totals.owned and node.grad is None
            g = g if own else np.array(g, order="C") if node.grad is None else np.asarray(node.grad + g)
        elif node.grad is not None:
            g = node.grad + g
        grads.append(g)
    deque(map(set_grad, totals, grads), maxlen=0)


def grad(y: Node, xs: Any, seed: Any = None, *, create_graph: bool = False) -> Any:
    """dy/dx as nodes, for one `x` or a list of them; `.grad` is not touched, an unused input gives zeros.

    With `create_graph=True` the result can be differentiated again, to any order.
    """
    single = isinstance(xs, Node)
    targets = [xs] if single else list(xs)
    for x in targets:
        if not isinstance(x, Node) or x.op is constant:
            what = describe(x) if isinstance(x, Node) else f"{x!r}"
            raise GradientError(f"{what} needs no gradient", where="grad()",
                                fix="Make it a leaf with requires_grad=True")
    totals = pull(y, targets, seeded(y, seed, "grad()"), graph=create_graph)
    found = [totals[x] if x in totals else zeros(x) for x in targets]
    if not create_graph:
        found = [given(type(x), np.asarray(g) if not x.is_scalar else g, here(), constant)
                 for x, g in zip(targets, found)]
    return found[0] if single else found


def pull(y: Node, targets: Sequence[Node], seed: Any, *, graph: bool, until: Collection[Node] = ()) -> Totals:
    """The gradients of `targets`: only the part of the graph that leads to them is walked."""
    wanted = set(targets)
    for node in reversed(history([y], until)):
        if any(x in wanted for _, x in uses(node)):
            wanted.add(node)
    if graph and not isinstance(seed, Node):
        seed = given(type(y), seed, here(), constant)
    elif not graph and isinstance(seed, Node):
        seed = seed.value
    arriving = Totals([(y, seed)] if y in wanted else [])
    for node, position, x, g, c in watched(
            contributions(arriving, graph=graph, wanted=wanted, keep=set(targets), until=until)):
        if not x.op.rules and c is None:
            arriving.add_use(node, position, x, g, graph)
        elif not x.op.rules:
            arriving.add(x, c)
    return arriving


def zeros(x: Node) -> Any:
    """The gradient of an unused input, as a constant node's value."""
    return given(type(x), 0.0 if x.is_scalar else np.zeros_like(x.value), here(), constant)
