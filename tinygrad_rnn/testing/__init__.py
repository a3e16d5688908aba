"""Unit tests for gradients: of a graph, and (later) of anybody's hand-written backward."""

from .assertions import (
    assert_depends,
    assert_graph_size,
    assert_no_leak,
    assert_no_path,
    assert_shared,
)
from .check import check_gradients
from .report import Block, Entry, Report
from .zeros import Zero, assert_gets_gradient, why_zero

__all__ = ["Block", "Entry", "Report", "Zero", "assert_depends", "assert_gets_gradient",
           "assert_graph_size", "assert_no_leak", "assert_no_path", "assert_shared",
           "check_gradients", "why_zero"]
