"""The source of a rule: which expression it returns for these operands.

The question this file answers: *which branch of the rule was taken?*
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import textwrap
from typing import Any

from ..core.graph import Op
from ..core.listing import MODULES, Function, primitives


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
