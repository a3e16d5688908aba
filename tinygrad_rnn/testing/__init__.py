"""Unit tests for gradients: of a graph, and (later) of anybody's hand-written backward."""

from .check import check_gradients
from .report import Block, Entry, Report

__all__ = ["Block", "Entry", "Report", "check_gradients"]
