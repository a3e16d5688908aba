"""Formulas from rules: what the table says about an operation, written as on paper.

The question this file answers: *how does the rule `g * (1.0 - y * y)` become ∂L/∂h₃ ⊙ (1 − h₃²)?*

Nothing is written by hand for an op: its rule is read from the source, the branch that these
operands take is followed, and the names `g`, `y`, `a`, `b` are replaced by what they stand for. A
rule whose source cannot be read is called "rule of 'op'".
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from ..core.einsum import einsum_
from ..core.graph import Node
from ..core.listing import Function, names
from .formula import (
    ATOM,
    PLUS,
    POWER,
    TIMES,
    Formula,
    code,
    escaped,
    function,
    number,
    option,
    power,
    shown_index,
    transpose,
)
from .indexed import sent
from .rule_source import rule_of, taken

SAME = {"broadcast_to", "repeated", "reshape", "spread", "cast"}  # only the shape changes


SIGNS = {ast.Gt: (">", ">"), ast.Lt: ("<", "<"), ast.Eq: ("=", "="), ast.NotEq: ("≠", r"\ne"),
         ast.GtE: ("≥", r"\ge"), ast.LtE: ("≤", r"\le"), ast.BitOr: ("or", r"\lor"),
         ast.BitAnd: ("and", r"\land")}


class Writer:
    """Writes an expression with what its names stand for. `dot` is how a product of unknowns is
    written: entry by entry for arrays. `values` are those of the names: a shape is a number."""

    def __init__(self, symbols: dict[str, Formula], scalar: bool, columns: bool,
                 values: dict[str, Any] | None = None) -> None:
        self.symbols, self.columns, self.values = symbols, columns, values or {}
        self.dot = (" · ", r" \cdot ") if scalar else (" ⊙ ", r" \odot ")

    def write(self, e: ast.expr) -> Formula:
        """The formula of an expression."""
        if isinstance(e, ast.Name) and e.id in self.symbols:
            return self.symbols[e.id]
        if isinstance(e, ast.Constant) and isinstance(e.value, (int, float)):
            return number(e.value)
        if isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub):
            x = self.write(e.operand)
            if x.number is not None:
                return number(-x.number)
            x = x.inside(TIMES)
            return Formula(f"−{x.text}", f"-{x.latex}", PLUS)
        if isinstance(e, ast.BinOp):
            return self.binary(e)
        if isinstance(e, ast.Call):
            return self.call(e)
        if isinstance(e, ast.Compare) and len(e.ops) == 1:
            a, b = self.write(e.left), self.write(e.comparators[0])
            sign, tex = SIGNS.get(type(e.ops[0]), ("?", "?"))
            return Formula(f"[{a.text} {sign} {b.text}]", f"[{a.latex} {tex} {b.latex}]")
        if isinstance(e, (ast.Attribute, ast.Subscript)):
            return self.known(e)
        return code(ast.unparse(e))

    def known(self, e: ast.expr) -> Formula:
        """What is known of an operand before any gradient comes: its shape, or a part of it."""
        text = ast.unparse(e)
        if text == "math.pi":
            return Formula("π", r"\pi")
        if ".shape" not in text and ".ndim" not in text and ".size" not in text:
            return code(text)
        try:
            value = eval(compile(ast.Expression(e), "rule", "eval"), dict(self.values))
        except Exception:  # it needs more than the operands
            return code(text)
        return option(value)

    def binary(self, e: ast.BinOp) -> Formula:
        """An operator between two formulas; plain numbers are worked out."""
        a, b = self.write(e.left), self.write(e.right)
        if isinstance(e.op, ast.Mult):
            return self.times(a, b)
        if isinstance(e.op, (ast.Add, ast.Sub)):
            plus = isinstance(e.op, ast.Add)
            if a.number is not None and b.number is not None and self.plain(e):
                return number(a.number + b.number if plus else a.number - b.number)
            a, b = a.inside(PLUS), b.inside(PLUS if plus else TIMES)
            b = b if b.hold > PLUS or plus and not b.text.startswith("−") else b.inside(TIMES)
            s, t = ("+", "+") if plus else ("−", "-")
            return Formula(f"{a.text} {s} {b.text}", f"{a.latex} {t} {b.latex}", PLUS)
        if isinstance(e.op, ast.Div):
            c, d = a.inside(TIMES), b.inside(POWER)
            return Formula(f"{c.text} / {d.text}", rf"\frac{{{a.latex}}}{{{b.latex}}}", TIMES)
        if isinstance(e.op, ast.Pow):
            return power(a, b)
        if isinstance(e.op, ast.MatMult):
            return self.matrix(a, b)
        if isinstance(e.op, (ast.BitOr, ast.BitAnd)):
            word, tex = SIGNS[type(e.op)]
            return Formula(f"{a.text} {word} {b.text}", rf"{a.latex} {tex} {b.latex}", PLUS)
        return code(ast.unparse(e))

    def plain(self, e: ast.BinOp) -> bool:
        """Whether both sides are numbers of the rule, or exponents, and no operands' values."""
        return not any(isinstance(n, ast.Name) and n.id in ("g", "y") for n in ast.walk(e))

    def times(self, a: Formula, b: Formula) -> Formula:
        """A product; a square if both sides are the same; 1 is not written."""
        if b.text == "1" and b.number == 1.0:
            return a
        if a.text == b.text and any(c.isalpha() for c in a.text):
            return power(a, number(2))
        s, t = (" · ", r" \cdot ") if a.number is not None or b.number is not None else self.dot
        a, b = a.inside(TIMES), b.inside(TIMES if b.hold > PLUS else POWER)
        return Formula(f"{a.text}{s}{b.text}", f"{a.latex}{t}{b.latex}", TIMES)

    def matrix(self, a: Formula, b: Formula) -> Formula:
        """A matrix product. `linear` is written with columns, as on paper: g W becomes Wᵀ g."""
        a, b = (transpose(b), a) if self.columns else (a, b)
        a, b = a.inside(POWER), b.inside(POWER)
        return Formula(f"{a.text} {b.text}", rf"{a.latex} \, {b.latex}", TIMES)

    def call(self, e: ast.Call) -> Formula:
        """A function of the table, as it is written on paper."""
        name = ast.unparse(e.func).rpartition(".")[2].strip("_")
        args = [self.write(a) for a in e.args]
        args = [a for a in args if a.text not in ("None", "True", "False")]  # options not taken
        if name in SAME and args:
            return args[0]
        if name in ("swap", "transpose") and args:
            return transpose(args[0])
        if name in ("power", "pow") and len(args) == 2:
            return power(*args)
        if name == "outer_sum" and len(args) == 2:
            columns, self.columns = self.columns, False
            made = self.matrix(args[0], transpose(args[1])) if columns else \
                self.matrix(transpose(args[0]), args[1])
            self.columns = columns
            return made
        if name in ("linear", "matmul") and len(args) == 2:
            return self.matrix(args[1], args[0])
        if name == "times" and len(args) == 2:
            return self.matrix(*args)
        if name == "outer" and len(args) == 2:
            return self.matrix(args[0], transpose(args[1]))
        if name == "scatter" and args:
            return at_index(args[0], e, self.symbols)
        if name == "float" and args:
            return args[0]
        return function(name, args)


def at_index(a: Formula, e: ast.Call, symbols: dict[str, Formula]) -> Formula:
    """What goes to some entries, the others get 0."""
    index = next((symbols[k.value.id] for k in e.keywords if k.arg == "index"
                  and isinstance(k.value, ast.Name) and k.value.id in symbols), code("..."))
    a = a.inside(TIMES)
    return Formula(f"{a.text} → {index.text}", rf"{a.latex} \to {index.latex}", TIMES)


def leaving(node: Node, position: int, g: Any, arriving: Formula,
            symbol: Callable[[int], Formula], index: Formula | None = None) -> Formula:
    """What leaves `node` through one operand when `arriving` comes, written as on paper.

    `symbol(i)` is the formula of operand i, and `symbol(-1)` that of the value; `index` is that of
    the index, if it is not to be that of this node.
    """
    op, params = node.op, dict(node.params or {})
    rule, space = rule_of(op, position)
    unknown = Formula(f"(rule of '{op.name}')({arriving.text})",
                      rf"\mathrm{{rule\ of\ {escaped(op.name)}}}\left({arriving.latex}\right)")
    if op is einsum_:
        return sent(node, position, arriving, symbol)
    if rule is None or op.variadic:
        return unknown
    if op.joint:  # each gets its own part
        return Formula(f"{arriving.text}[part {position + 1}]",
                       rf"{{{arriving.inside(ATOM).latex}}}_{{({position + 1})}}")
    operands = names(rule)[0]
    if len(operands) != node.arity:
        return unknown
    first, second, *_ = (a.arg for a in rule.args.args)
    values = {first: g, second: node.value, **dict(zip(operands, node.values)), **params}
    try:
        body = taken(rule, space, values)
        if body is None:  # written out for speed: what it does with nodes is the formula
            body = taken(rule, space, {**values, first: node})
    except Exception:  # a test that only the real call can make
        body = None
    if body is None:
        return unknown
    values = {**options(rule), **values}
    there = {n.id for n in ast.walk(body) if isinstance(n, ast.Name)}
    places = {second: -1, **{name: i for i, name in enumerate(operands)}}
    symbols = {**{name: option(values[name]) for name in {**options(rule), **params}},
               first: arriving, **{name: symbol(i) for name, i in places.items() if name in there}}
    if "index" in params:
        text = shown_index(params["index"])
        symbols["index"] = index or Formula(text, escaped(text))
    return Writer(symbols, node.is_scalar, op.name == "linear", values).write(body)


def options(rule: Function) -> dict[str, Any]:
    """The options of a rule that have a plain default: `axis=None`."""
    args = rule.args
    named = [*zip(args.args[::-1], args.defaults[::-1]), *zip(args.kwonlyargs, args.kw_defaults)]
    return {a.arg: x.value for a, x in named if isinstance(x, ast.Constant)}
