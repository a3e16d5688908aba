"""Unit tests for gradients: of a graph, of one op, and of anybody's hand-written backward."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ..later import later as _later

if _TYPE_CHECKING:  # at run time these come when they are first asked for: see `later`
    from . import strategies
    from .assertions import (
        assert_depends,
        assert_gradients,
        assert_graph_size,
        assert_no_leak,
        assert_no_path,
        assert_shared,
    )
    from .check import check_backward, check_gradients
    from .grading import better_point, grade
    from .local import local_check
    from .mutation import MutationScore, mutation_score, planted_score
    from .oneop import check_op
    from .report import Block, Entry, Report
    from .sweep import Sweep
    from .zeros import Zero, assert_gets_gradient, why_zero

__all__ = ["Block", "Entry", "MutationScore", "Report", "Sweep", "Zero", "assert_depends",
           "assert_gets_gradient", "assert_gradients", "assert_graph_size", "assert_no_leak",
           "assert_no_path", "assert_shared", "better_point", "check_backward", "check_gradients",
           "check_op", "grade", "local_check", "mutation_score", "planted_score", "strategies",
           "why_zero"]

__getattr__, __dir__ = _later(__name__, {
    "assertions": "assert_depends assert_gradients assert_graph_size assert_no_leak assert_no_path "
                  "assert_shared",
    "check": "check_backward check_gradients",
    "grading": "better_point grade",
    "local": "local_check",
    "mutation": "MutationScore mutation_score planted_score",
    "oneop": "check_op",
    "report": "Block Entry Report",
    "sweep": "Sweep",
    "zeros": "Zero assert_gets_gradient why_zero",
}, ("strategies",))
