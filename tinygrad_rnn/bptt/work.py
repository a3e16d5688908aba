"""Counting: how many multiplications a graph takes, forward and backward.

The question this file answers: *what does it cost, on any machine?*

A product of matrices counts one for every multiply-add, any other op one for each entry of its
result, and what only moves entries around nothing. It is counted on the graph that was really
built.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..core import ops
from ..core.backprop import uses
from ..core.graph import Node
from ..core.walk import is_alias

MOVING = {ops.concatenate, ops.stack, ops.broadcast_to, ops.cast}


class Counter:
    """A sum of multiplications; called as a meter of `rows`."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, node: Node, position: int, rows: int) -> None:
        self.total += rows * multiplications(node)

    def forward(self, nodes: Iterable[Node]) -> None:
        """Count the values of these nodes."""
        self.total += sum(multiplications(node) for node in nodes if node.op.rules)

    def backward(self, nodes: Iterable[Node]) -> None:
        """Count one gradient through every use that these nodes make of others."""
        self.total += sum(multiplications(n) * len(uses(n)) for n in nodes if n.op.rules)


def multiplications(node: Node) -> int:
    """What the value of a node takes, and what the gradient through one of its operands does."""
    if is_alias(node) or node.op in MOVING:
        return 0
    entries = int(np.size(node.value))
    if node.op is ops.linear:
        return entries * int(node.u.shape[-1])
    if node.op is ops.matmul:
        return entries * int(node.u.shape[-1])
    if node.op is ops.sum_:
        return int(np.size(node.u))
    return entries


def numbers(nodes: Iterable[Node]) -> int:
    """How many numbers the values of computed nodes hold."""
    return sum(math.prod(np.shape(node.value)) for node in nodes if node.op.rules)
