"""Unit tests for gradients: of a graph, of one op, and of anybody's hand-written backward."""

from .assertions import (
    assert_depends,
    assert_graph_size,
    assert_no_leak,
    assert_no_path,
    assert_shared,
)
from .check import check_backward, check_gradients, check_op
from .local import local_check
from .report import Block, Entry, Report
from .sweep import Sweep
from .zeros import Zero, assert_gets_gradient, why_zero

__all__ = ["Block", "Entry", "Report", "Sweep", "Zero", "assert_depends", "assert_gets_gradient",
           "assert_graph_size", "assert_no_leak", "assert_no_path", "assert_shared",
           "check_backward", "check_gradients", "check_op", "local_check", "why_zero"]
