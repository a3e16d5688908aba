"""The op table as text: every row with its value and its rules, as they stand in the source.

The question this file answers: *what is in the table, and what does each rule say?*

The source files are the table; this file reads them (with `ast`) and lays them out in columns.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from textwrap import wrap
from types import ModuleType
from typing import NamedTuple

from . import algebra, einsum, functions, numpy_ops, ops, per_sample, reductions

MODULES = (ops, numpy_ops, reductions, einsum, algebra, functions, per_sample)
Function = ast.Lambda | ast.FunctionDef


class Rule(NamedTuple):
    """What leaves through one operand: its text, and which values it reads besides `g`."""

    operand: str
    text: str
    reads: tuple[str, ...]
    source: str = ""  # the whole function, where it is longer than a line


class Row(NamedTuple):
    """One op: its name, the names of operands and options, the value for floats and for arrays."""

    name: str
    variable: str
    module: str
    operands: tuple[str, ...]
    options: tuple[str, ...]
    scalar: str
    array: str
    rules: tuple[Rule, ...]

    @property
    def arity(self) -> str:
        """How many operands: a number, or `any`."""
        return "any" if self.operands[-1].startswith("*") else str(len(self.operands))

    @property
    def signature(self) -> str:
        """Operands, then options after a semicolon: `x; axis=None, keepdims=False`."""
        options = f"; {', '.join(self.options)}" if self.options else ""
        return f"{', '.join(self.operands)}{options}"


# --- reading --------------------------------------------------------------------------------------


def op_table() -> list[Row]:
    """All rows of the library, in the order of the source files."""
    return [row for module in MODULES for row in rows(module)]


def rows(module: ModuleType) -> Iterator[Row]:
    """The rows of one file: every `name = primitive("...", value, rule, ...)` in it."""
    source = inspect.getsource(module)
    tree = ast.parse(source)
    named = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
    for variable, call in primitives(tree):
        name, value, *given = call.args
        rules = [rule for rule in (named.get(ast.unparse(r), r) for r in given)
                 if isinstance(rule, Function)]
        operands, options = names(rules[0])
        scalar, array = columns(value, named)
        yield Row(ast.literal_eval(name), variable, module.__name__, operands, options, scalar,
                  array, tuple(rule_of(r, i, operands, source) for i, r in enumerate(rules)))


def primitives(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every `variable = primitive(...)` of a file."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            continue
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "primitive":
            yield ast.unparse(target), value


def names(rule: Function) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The operands and the options of a rule `(g, y, a, b, option=...)`."""
    args = rule.args
    _, _, *plain = [a.arg for a in (*args.args, *args.kwonlyargs)]
    defaults = dict(zip(plain[::-1], [*args.defaults, *filter(None, args.kw_defaults)][::-1]))
    operands = [a for a in plain if a not in defaults and a not in OPTIONS]
    star = ["*" + args.vararg.arg] if args.vararg else []
    options = [f"{a}={ast.unparse(defaults[a])}" if a in defaults else a
               for a in plain if a not in (*operands, "position")]
    return (*operands, *star), tuple(options)


# options without a default; every other name without one is an operand
OPTIONS = ("axis", "axes", "shape", "index", "dtype", "condition", "subscripts", "position")


def columns(value: ast.expr, named: dict[str, ast.FunctionDef]) -> tuple[str, str]:
    """The text of the two columns of a value; no column for floats is an empty text."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "either":
        scalar, array = value.args
        return text_of(scalar, named), text_of(array, named)
    return "", text_of(value, named)


def text_of(value: ast.expr, named: dict[str, ast.FunctionDef]) -> str:
    """What a value computes: the expression of a function that is no more than one."""
    function = named.get(ast.unparse(value), value)
    return expression(function) or ast.unparse(value)


def expression(function: ast.AST) -> str:
    """The expression that a lambda or a one-line function returns; else ''."""
    if isinstance(function, ast.Lambda):
        return ast.unparse(function.body)
    if isinstance(function, ast.FunctionDef) and isinstance(function.body[0], ast.Return):
        result = function.body[0].value
        return "" if result is None else ast.unparse(result)
    return ""


def rule_of(rule: Function, place: int, operands: tuple[str, ...], source: str) -> Rule:
    """The rule in one place: as an expression, or as a function to be printed below the table."""
    short = expression(rule)
    known = ("y", *(name.lstrip("*") for name in operands))
    text = short or f"{getattr(rule, 'name', '')}(...)"
    whole = "" if short else ast.get_source_segment(source, rule) or ""
    return Rule(operands[min(place, len(operands) - 1)], text, reads(rule, known), whole)


def reads(rule: Function, known: tuple[str, ...]) -> tuple[str, ...]:
    """Which of these names a rule reads for their value, and not for their shape only."""
    body = rule.body if isinstance(rule.body, list) else [rule.body]
    parts = [part for statement in body for part in ast.walk(statement)]
    shapes = {id(part.value) for part in parts
              if isinstance(part, ast.Attribute) and part.attr in ("shape", "ndim", "dtype")}
    used = {part.id for part in parts if isinstance(part, ast.Name) and id(part) not in shapes}
    return tuple(name for name in known if name in used)


# --- printing -------------------------------------------------------------------------------------

LEGEND = """\
A rule is called with g, the gradient that arrives, y, the op's value, and its operands; what it
gives leaves through the operand named at its left. It is written once, for floats, arrays and
graph nodes. `reads` says which values it needs kept (shapes are always known). Where a value has
two forms, `floats | arrays`, the first is for a Value; options stand after a semicolon.
"""


def listing(width: int = 110) -> str:
    """The table as plain text, `width` columns wide, with the longer rules below it."""
    table = op_table()
    sizes = (20, 33, width - 20 - 33 - 12 - 3, 12)
    titles = ("op", "value", "gradient leaving through each operand", "reads")
    lines = [LEGEND, layout(titles, sizes)]
    module = ""
    for row in table:
        if row.module != module:
            module = row.module
            lines.append(f"\n{module.rpartition('.')[2]}.py ".ljust(width + 1, "-"))
        lines += printed(row, sizes)
    lines.append("\nRules longer than a line " + "-" * (width - 25))
    sources = dict.fromkeys(rule.source for row in table for rule in row.rules if rule.source)
    return "\n".join([*lines, *(f"\n{source}" for source in sources), ""])


def printed(row: Row, sizes: tuple[int, ...]) -> Iterator[str]:
    """The lines of one row: its value beside its rules."""
    value = row.array if row.scalar in ("", row.array) else f"{row.scalar} | {row.array}"
    left = wrap(row.name, sizes[0]) + wrap(f"({row.signature})", sizes[0], subsequent_indent=" ")
    rules = [(line, ", ".join(rule.reads) if i == 0 else "") for rule in row.rules
             for i, line in enumerate(wrap(f"{rule.operand}: {rule.text}", sizes[2],
                                           subsequent_indent="   "))]
    middle = wrap(value, sizes[1])
    for i in range(max(len(left), len(middle), len(rules))):
        right = rules[i] if i < len(rules) else ("", "")
        yield layout((cell(left, i), cell(middle, i), *right), sizes)


def cell(lines: list[str], i: int) -> str:
    """The i-th line of a cell, or nothing."""
    return lines[i] if i < len(lines) else ""


def layout(cells: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    """One line: cells at their columns."""
    return " ".join(text.ljust(n) for text, n in zip(cells, sizes)).rstrip()
