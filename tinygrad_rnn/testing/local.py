"""One node at a time: is the rule of this op right, at these operands?

The question this file answers: *which op is to blame, at which step and in which line?*

A gradient through a whole recurrence is a product of local derivatives. When it is wrong, each
factor can be asked alone: y = op(a, b) is a function of its operands, and its rule claims to be
what leaves through them when u arrives at y. So u · y is differenced like any loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import walk
from ..core.backprop import local, uses
from ..core.graph import Node, Rest, make, released
from ..core.place import record_sites
from ..core.words import describe
from ..errors import InputError
from .comparing import Comparison
from .differences import EPS
from .problem import Arrays
from .report import WRONG, Block, Report
from .screening import screen

WHERE = "local_check"


def local_check(loss: Any, *, seed: int = 0, each: int | None = None) -> Report:
    """Compare the rule of every op in the graph of `loss` with differences of that op alone.

        print(local_check(lambda: loss_fn()))      # names op, node, step and source line

    `loss` is a node, or a function without arguments that makes one (then the lines of the program
    are known). The report has a block for every operand of every row that was used, and its cause
    names the first node where the rule is wrong. `each` limits how many nodes of one row are looked
    at. What is not computed by a rule cannot be wrong in one: a weight that is used through
    `.detach()` passes here, and fails in `check_gradients`.
    """
    root = recorded(loss)
    blocks, places, spent = dict[str, Block](), dict[str, list[str]](), 0
    looked, seen = dict[str, int](), dict[str, int]()
    for node in walk.nodes(root):
        if not node.op.rules or each is not None and looked.get(node.op.name, 0) >= each:
            continue
        looked[node.op.name] = looked.get(node.op.name, 0) + 1
        found, evaluations = rule_check(node, seed)
        spent += evaluations
        for name, block in found.items():
            seen[name] = seen.get(name, 0) + 1
            if block.verdict in WRONG:
                places.setdefault(name, []).append(where(node))
            if name not in blocks or graver(block, blocks[name]):
                blocks[name] = block
    for name, nodes in places.items():
        line = f"at {len(nodes)} of {seen[name]} nodes; the first is {nodes[0]}"
        blocks[name].cause = f"{blocks[name].cause}; {line}".lstrip("; ")
    return Report(blocks, seed, spent, spent, [], title="local check")


def recorded(loss: Any) -> Node:
    """The graph that is looked at."""
    if callable(loss) and not isinstance(loss, Node):
        with record_sites():
            loss = loss()
    if not isinstance(loss, Node):
        raise InputError(f"needs a node or a function that makes one, got {type(loss).__name__}",
                         where=WHERE)
    if loss.op is released:
        raise InputError(f"{describe(loss)} was released: its graph is gone", where=WHERE,
                         fix="Compute it again, or give the function that does")
    return loss


def where(node: Node) -> str:
    """The node, its step and its line, in words."""
    line = f", made in {node.site}" if node.site else ""
    return describe(node) + line


def graver(a: Block, b: Block) -> bool:
    """Whether a says something worse than b."""
    order = [*WRONG, "invisible", "kink", "structural zero", "pass"]
    return order.index(a.verdict) < order.index(b.verdict)


def rule_check(node: Node, seed: int) -> tuple[dict[str, Block], int]:
    """A block for every operand of one node, and how often its op was evaluated."""
    rule = Rule(node, np.random.default_rng([seed, 2]))
    names = list(rule.start)
    if not names:
        return {}, 0
    if not np.array_equal(rule.computed(rule.start, wide=False), node.value, equal_nan=True):
        cause = "its value is not what the op gives for its operands: was an array written to?"
        return {n: Block(n, x.shape, x.size, "inconclusive", cause=cause)
                for n, x in rule.start.items()}, 1
    try:
        check = Comparison(rule, seed)
        usable = [n for n in names if n not in check.broken]
        if np.isfinite(check.loss) and usable:
            screen(check, usable)
        for name in check.broken if np.isfinite(check.loss) else names:
            check.blocks[name].verdict = "non-finite"
    except Exception as problem:  # whatever a rule of somebody's own may raise
        cause = f"its rule raises {type(problem).__name__}: {problem}"
        return {n: Block(n, x.shape, x.size, "FAIL", cause=cause)
                for n, x in rule.start.items()}, rule.evaluations
    for name, block in check.blocks.items():
        if block.verdict in ("invisible", "structural zero"):
            block.verdict = "pass"  # a slope of zero, and the rule says so
        block.name = name
    return check.blocks, rule.evaluations


class Rule:
    """u · op(operands) as a function of the operands, with the gradient that the rule claims."""

    who, unreached = "the op", ""

    def __enter__(self) -> Rule:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was changed."""

    def __init__(self, node: Node, rng: np.random.Generator) -> None:
        self.node, self.evaluations, self.gradients = node, 0, 0
        self.places = {f"operand {i} of '{node.op.name}'": i for i, _ in uses(node)
                       if np.asarray(node.values[i]).dtype.kind == "f"}
        self.start = {n: np.array(node.values[i], float) for n, i in self.places.items()}
        self.dtypes = {n: np.asarray(node.values[i]).dtype for n, i in self.places.items()}
        y = np.asarray(node.value)
        kinds = [y.dtype, *self.dtypes.values()]
        self.eps = max(float(np.finfo(d).eps) for d in kinds if d.kind == "f")
        self.u = rng.choice([-1.0, 1.0], y.shape) * rng.uniform(0.5, 1.5, y.shape)
        self.noise, self.notes, self.spoilt = 0.0, list[str](), ""
        self.broken, self.raised = dict[str, tuple[str, str]](), set[str]()

    def operands(self, arrays: Arrays, wide: bool) -> list[Any]:
        """The operands' values, those in `arrays` moved."""
        values = list(self.node.values)
        for name, i in self.places.items():
            if isinstance(values[i], float):
                values[i] = float(arrays[name])
            else:
                values[i] = np.array(arrays[name], float if wide else self.dtypes[name])
        return values

    def computed(self, arrays: Arrays, wide: bool) -> Any:
        """What the op gives there."""
        with np.errstate(all="ignore"):
            return self.node.op.compute(self.operands(arrays, wide), self.node.params or {})

    def value(self, arrays: Arrays) -> float:
        """u · y there."""
        self.evaluations += 1
        terms = self.u * np.asarray(self.computed(arrays, wide=True))
        eps = EPS if terms.dtype == float and self.node.op.name != "cast" else self.eps
        self.noise = max(self.noise, eps * float(np.sum(np.abs(terms))))
        return float(np.sum(terms))

    def gradient(self, arrays: Arrays) -> tuple[Arrays, set[str]]:
        """What the rules say leaves through the operands when u arrives."""
        self.gradients += 1
        node, values = self.node, self.operands(arrays, wide=False)
        u, v = (*values, None)[:2]
        twin = make(type(node), node.op, self.computed(arrays, wide=False), node.a, node.b, u, v,
                    node.at)
        twin.params = node.params
        if node.rest is not None:
            twin.rest = Rest(node.rest.nodes, values[2:])
        g = float(self.u) if node.is_scalar else np.asarray(self.u, np.asarray(node.value).dtype)
        with np.errstate(all="ignore"):
            found = {n: local(twin, i, g) for n, i in self.places.items()} \
                if not node.op.joint else {n: local(twin, 0, g)[i] for n, i in self.places.items()}
        return {n: np.array(c, float) for n, c in found.items()}, set(found)

    def complex_slope(self, v: Arrays, start: float) -> float | None:
        """Differences are sharp enough for one op."""
        return None

    def subnormal(self) -> bool:
        """Whether there are numbers too small to keep their digits."""
        return True


# --- ops of one's own -----------------------------------------------------------------------------


def operand_names(op: Any, count: int) -> list[str]:
    """The names of the operands, as the function of the op has them."""
    function: Callable[..., Any] | None = getattr(op, "__wrapped__", None)
    code = getattr(function, "__code__", None)
    known = code.co_varnames[: code.co_argcount] if code else ()
    return [known[i] if i < len(known) else f"operand {i}" for i in range(count)]
