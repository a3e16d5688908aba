"""Formulas from rules: what the table says about an operation, written as on paper.

The question this file answers: *how does the rule `g * (1.0 - y * y)` become ∂L/∂h₃ ⊙ (1 − h₃²)?*

Nothing is written by hand for an op: its rule is read from the source, the branch that these
operands take is followed, and the names `g`, `y`, `a`, `b` are replaced by what they stand for. A
rule whose source cannot be read is called "rule of 'op'".
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

from ..core.graph import Node, Op
from ..core.listing import MODULES, Function, names, primitives

ATOM, POWER, TIMES, PLUS = 4, 3, 2, 1  # how tightly a formula holds together


class Formula(NamedTuple):
    """A formula twice, as Unicode text and as LaTeX; how tightly it holds together; the number that
    it is, if it is one."""

    text: str
    latex: str
    hold: int = ATOM
    number: float | None = None

    def inside(self, hold: int) -> Formula:
        """The same in brackets, if it stands where something tighter is needed."""
        if self.hold >= hold:
            return self
        return Formula(f"({self.text})", rf"\left({self.latex}\right)")


def number(x: float) -> Formula:
    """A plain number, with four digits."""
    text = f"{x:.4g}"
    mantissa, e, exponent = text.partition("e")
    latex = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa
    latex = {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\mathrm{NaN}"}.get(latex, latex)
    return Formula(text.replace("-", "−"), latex, TIMES if e else PLUS if x < 0 else ATOM, float(x))


# --- reading a rule -----------------------------------------------------------------------------


@functools.cache
def library() -> dict[int, tuple[list[Function], dict[str, Any]]]:
    """For every op of the library: the functions of its rules, and the names that they use."""
    found = {}
    for module in MODULES:
        tree = ast.parse(inspect.getsource(module))
        named = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
        for variable, call in primitives(tree):
            rules = [named.get(ast.unparse(r), r) for r in call.args[2:]]
            whole = [r for r in rules if isinstance(r, (ast.Lambda, ast.FunctionDef))]
            if len(whole) == len(rules):
                found[id(getattr(module, variable))] = whole, vars(module)
    return found


def rule_of(op: Op, position: int) -> tuple[Function | None, dict[str, Any]]:
    """The source of a rule, and the names that it can use; None where there is no source."""
    place = 0 if op.variadic or op.joint else position
    if id(op) in library():
        rules, space = library()[id(op)]
        return (rules[place] if place < len(rules) else None), space
    rule = inspect.unwrap(op.rules[place])
    space = getattr(rule, "__globals__", vars(sys.modules[__name__]))
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(rule)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None, space
    if rule.__name__ != "<lambda>":
        defined = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)]
        return (defined[0] if defined else None), space
    lambdas = [f for f in ast.walk(tree) if isinstance(f, ast.Lambda)]
    mine = [f for f in lambdas if len(f.args.args) == rule.__code__.co_argcount]
    return (mine[place] if len(mine) == len(op.rules) else mine[0] if len(mine) == 1 else None,
            space)


def taken(function: Function, space: dict[str, Any], values: dict[str, Any]) -> ast.expr | None:
    """The expression that a rule returns for these operands: branches are followed, local names
    put in. None for what is more than that."""
    if isinstance(function, ast.Lambda):
        return choose(function.body, space, values)
    put_in: dict[str, ast.expr] = {}
    statements = list(function.body)
    while statements:
        statement = statements.pop(0)
        if isinstance(statement, ast.Return) and statement.value is not None:
            return choose(Put(put_in).visit(statement.value), space, values)
        if isinstance(statement, ast.If):
            statements[:0] = statement.body if truth(statement.test, space, values) else \
                statement.orelse
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            put_in[statement.targets[0].id] = Put(put_in).visit(statement.value)
        elif not isinstance(statement, ast.Expr):
            return None
    return None


class Put(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, put_in: dict[str, ast.expr]) -> None:
        self.put_in = put_in

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.put_in.get(node.id, node)


def choose(expression: ast.expr, space: dict[str, Any], values: dict[str, Any]) -> ast.expr:
    """The side of `x if test else y` that counts."""
    while isinstance(expression, ast.IfExp):
        expression = expression.body if truth(expression.test, space, values) else expression.orelse
    return expression


def truth(test: ast.expr, space: dict[str, Any], values: dict[str, Any]) -> bool:
    """What a test in a rule says for these operands; the rule itself would ask the same."""
    return bool(eval(compile(ast.Expression(test), "rule", "eval"), dict(space), dict(values)))


# --- writing it ---------------------------------------------------------------------------------


SAME = {"broadcast_to", "repeated", "reshape", "spread", "cast"}  # only the shape changes
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Writer:
    """Writes an expression with what its names stand for. `dot` is how a product of unknowns is
    written: entry by entry for arrays."""

    def __init__(self, symbols: dict[str, Formula], scalar: bool, columns: bool) -> None:
        self.symbols, self.columns = symbols, columns
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
            sign = {ast.Gt: ">", ast.Lt: "<", ast.Eq: "=", ast.GtE: "≥", ast.LtE: "≤"}
            a, b = self.write(e.left), self.write(e.comparators[0])
            s = sign.get(type(e.ops[0]), "?")
            tex = {"≥": r"\ge", "≤": r"\le"}.get(s, s)
            return Formula(f"[{a.text} {s} {b.text}]", f"[{a.latex} {tex} {b.latex}]")
        return code(ast.unparse(e))

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
        name = ast.unparse(e.func).rpartition(".")[2].removesuffix("_")
        args = [self.write(a) for a in e.args]
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
        if name == "scatter" and args:
            return at_index(args[0], e, self.symbols)
        if name == "float" and args:
            return args[0]
        return function(name, args)


def power(a: Formula, b: Formula) -> Formula:
    """a to the b."""
    if b.number == 1:
        return a
    a = a.inside(ATOM)
    whole = b.number is not None and b.number == int(b.number)
    text = f"{a.text}{b.text.replace('−', '-').translate(SUPERSCRIPT)}" if whole else \
        f"{a.text}^{b.inside(ATOM).text}"
    return Formula(text, f"{{{a.latex}}}^{{{b.latex}}}", POWER)


def transpose(a: Formula) -> Formula:
    """aᵀ."""
    a = a.inside(ATOM)
    return Formula(f"{a.text}ᵀ", rf"{{{a.latex}}}^\top", POWER)


def function(name: str, args: list[Formula]) -> Formula:
    """f(a, b)."""
    known = rf"\{name}" if name in ("exp", "log", "sin", "cos", "tanh", "max", "min") else \
        rf"\mathrm{{{escaped(name)}}}"
    return Formula(f"{name}({', '.join(a.text for a in args)})",
                   rf"{known}\left({', '.join(a.latex for a in args)}\right)")


def at_index(a: Formula, e: ast.Call, symbols: dict[str, Formula]) -> Formula:
    """What goes to some entries, the others get 0."""
    index = next((symbols[k.value.id] for k in e.keywords if k.arg == "index"
                  and isinstance(k.value, ast.Name) and k.value.id in symbols), code("..."))
    a = a.inside(TIMES)
    return Formula(f"{a.text} → {index.text}", rf"{a.latex} \to {index.latex}", TIMES)


def code(text: str) -> Formula:
    """A piece of source, as it stands."""
    return Formula(text, rf"\mathtt{{{escaped(text)}}}", PLUS)


SPECIAL = {"\\": r"\backslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
           "%": r"\%", "_": r"\_", "^": r"\hat{}", "~": r"\sim{}", "'": r"{}^\prime"}


def escaped(text: str) -> str:
    """A name in LaTeX's mathematics: nothing in it is taken for a command."""
    return "".join(SPECIAL.get(c, c if c.isprintable() else "?") for c in text)


def shown_index(index: Any) -> str:
    """An index as it is written: `[..., 0:3]`."""
    def part(i: Any) -> str:
        if isinstance(i, slice):
            return ":".join("" if x is None else str(x) for x in (i.start, i.stop))
        return "..." if i is Ellipsis else str(i) if isinstance(i, int) else "·"
    parts = index if isinstance(index, tuple) else (index,)
    return f"[{', '.join(map(part, parts))}]"


def leaving(node: Node, position: int, g: Any, arriving: Formula,
            symbol: Callable[[int], Formula]) -> Formula:
    """What leaves `node` through one operand when `arriving` comes, written as on paper.

    `symbol(i)` is the formula of operand i, and `symbol(-1)` that of the value.
    """
    op, params = node.op, dict(node.params or {})
    rule, space = rule_of(op, position)
    unknown = Formula(f"(rule of '{op.name}')({arriving.text})",
                      rf"\mathrm{{rule\ of\ {escaped(op.name)}}}\left({arriving.latex}\right)")
    if rule is None or op.variadic:
        return unknown
    if op.joint:  # each gets its own part
        return Formula(f"{arriving.text}[part {position + 1}]",
                       rf"{arriving.inside(ATOM).latex}_{{({position + 1})}}")
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
    symbols = {first: arriving, second: symbol(-1),
               **{name: symbol(i) for i, name in enumerate(operands)}}
    if "index" in params:
        text = shown_index(params["index"])
        symbols["index"] = Formula(text, escaped(text))
    return Writer(symbols, node.is_scalar, op.name == "linear").write(body)


INFIX = {"+": ("+", "+"), "-": ("−", "-")}


def computed(node: Node, symbol: Callable[[int], Formula]) -> Formula:
    """How a node was computed from its operands."""
    args = [symbol(i) for i in range(node.arity)]
    name = node.op.name
    if name in INFIX and len(args) == 2:
        a, b = args[0].inside(PLUS), args[1].inside(PLUS if name == "+" else TIMES)
        s, t = INFIX[name]
        return Formula(f"{a.text} {s} {b.text}", f"{a.latex} {t} {b.latex}", PLUS)
    writer = Writer({}, node.is_scalar, name == "linear")
    if name == "*":
        a, b = (x.inside(TIMES if x.hold > PLUS else POWER) for x in args)
        s, t = writer.dot if all(x.number is None for x in args) else (" · ", r" \cdot ")
        return Formula(f"{a.text}{s}{b.text}", f"{a.latex}{t}{b.latex}", TIMES)
    if name == "**":
        return power(*args)
    if name == "/":
        a, b = args[0].inside(TIMES), args[1].inside(POWER)
        return Formula(f"{a.text} / {b.text}", rf"\frac{{{args[0].latex}}}{{{args[1].latex}}}",
                       TIMES)
    if name == "neg":
        a = args[0].inside(TIMES)
        return Formula(f"−{a.text}", f"-{a.latex}", PLUS)
    if name == "linear":
        a, b = args[1].inside(POWER), args[0].inside(POWER)
        return Formula(f"{a.text} {b.text}", rf"{a.latex} \, {b.latex}", TIMES)
    if name == "@":
        return writer.matrix(*args)
    if name == "T":
        return transpose(args[0])
    if name == "[]":
        text = shown_index((node.params or {}).get("index"))
        a = args[0].inside(ATOM)
        return Formula(a.text + text, a.latex + escaped(text))
    return function(name, args)
