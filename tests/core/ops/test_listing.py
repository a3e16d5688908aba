"""The printed table says what the source says."""

import importlib

import pytest

from tinygrad_rnn.core import ops
from tinygrad_rnn.core.guards import needs
from tinygrad_rnn.core.listing import listing, op_table

TABLE = op_table()


def op_of(row):
    return getattr(importlib.import_module(row.module), row.variable)


def test_it_holds_every_row_of_every_module():
    found = {(row.module, row.variable) for row in TABLE}
    for module in {row.module for row in TABLE}:
        rows = ops.table(vars(importlib.import_module(module)))
        # a module sees the rows it imports, too: they are listed where they are written
        homes = {op_of(row) for row in TABLE}
        assert all(op in homes for op in rows.values()), module
    assert len(found) == len(TABLE) > 80


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.variable)
def test_a_row_is_the_ops_own(row):
    op = op_of(row)
    assert row.name == op.name
    assert len(row.rules) == len(op.rules)
    assert (row.scalar != "") == (op.scalar is not None)
    assert row.arity == ("any" if op.variadic or op.joint else str(len(row.operands)))
    if row.arity != "any" and row.variable != "class_cross_entropy":  # classes have no slope
        assert len(row.operands) == len(op.rules)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.variable)
def test_what_a_rule_reads_is_what_the_engine_believes(row):
    op = op_of(row)
    for i, rule in enumerate(row.rules):
        for place, operand in enumerate(row.operands):
            if row.arity != "any":
                assert (operand in rule.reads) <= needs(op, i, place)


@pytest.mark.parametrize("row", [row for row in TABLE if op_of(row).looks != "yab"],
                         ids=lambda row: row.variable)
def test_an_op_that_looks_at_some_numbers_only_reads_no_other(row):
    names = dict(zip("ab", row.operands), y="y")
    told = {names[letter] for letter in op_of(row).looks}
    assert {name for rule in row.rules for name in rule.reads} <= told


def test_known_rules_are_there_in_words():
    rules = {row.variable: [(r.operand, r.text, r.reads) for r in row.rules] for row in TABLE}
    assert rules["mul"] == [("a", "g * b", ("b",)), ("b", "g * a", ("a",))]
    assert rules["tanh"] == [("x", "g * (1.0 - y * y)", ("y",))]
    assert rules["matmul"][0] == ("a", "_matmul_a(...)", ("b",))


def test_the_text():
    text = listing()
    assert text == listing()
    assert all(len(line) <= 110 for line in text.split("Rules longer")[0].splitlines())
    assert "def _matmul_a(g: Array" in text
    assert "g * (1.0 - y * y)" in text
