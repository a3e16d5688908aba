"""The pytest plugin: a fixture that checks gradients, its options, and reports that can be read.

The question this file answers: *how do I test gradients with pytest?*

    def test_my_rnn(gradcheck):
        gradcheck(loss_fn, params)                              # a graph of ours
        gradcheck.backward(forward, backward, inputs)           # anybody's NumPy

    def test_the_same_by_hand():
        assert check_gradients(loss_fn, params)                 # prints the report when it fails

pytest finds it by itself where the package is installed; `-p no:tinygrad_rnn` blocks it. Until a
test asks for it, it loads nothing of the package, so that a coverage tool that starts after the
plugins still sees every line.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the command line; `gradcheck` uses them where a test says nothing else."""
    group = parser.getgroup("tinygrad_rnn", "gradient checks")
    group.addoption("--grad-seed", type=int, default=0, metavar="N",
                    help="the directions that gradients are checked along (default: 0)")
    group.addoption("--grad-order", type=int, default=1, choices=(1, 2),
                    help="2 checks the gradients of gradients as well (default: 1)")


class GradCheck:
    """What the fixture `gradcheck` is: each call asserts that a check passes, with the seed and the
    order of the command line unless the call has its own. It returns the report."""

    def __init__(self, seed: int, order: int) -> None:
        self.seed, self.order = seed, order

    def __call__(self, loss_fn: Callable[[], Any], params: Any, **options: Any) -> Any:
        """Check the gradients of `loss_fn()` with respect to `params`: see `check_gradients`."""
        from .check import check_gradients

        __tracebackhide__ = True
        report = check_gradients(loss_fn, params,
                                 **{"seed": self.seed, "order": self.order, **options})
        assert report, str(report)
        return report

    def backward(self, forward: Callable[..., Any], backward: Callable[..., Any], inputs: Any,
                 **options: Any) -> Any:
        """Check a backward pass that was written by hand: see `check_backward`."""
        from .check import check_backward

        __tracebackhide__ = True
        report = check_backward(forward, backward, inputs, **{"seed": self.seed, **options})
        assert report, str(report)
        return report


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> GradCheck:
    """Check gradients, and fail with a report: `gradcheck(loss_fn, params)`, or
    `gradcheck.backward(forward, backward, inputs)` for a backward written by hand."""
    config = request.config
    return GradCheck(config.getoption("--grad-seed"), config.getoption("--grad-order"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]
                              ) -> Generator[None, Any, Any]:
    """Beside a failed `assert report`, print the report: pytest alone shows a line of it."""
    result = yield
    if call.excinfo is not None and call.excinfo.errisinstance(AssertionError):
        said = str(call.excinfo.value)
        for report in failed_reports(call.excinfo):
            if hasattr(result.longrepr, "addsection") and str(report) not in said:
                result.longrepr.addsection("gradient check", str(report))
    return result


def failed_reports(info: Any) -> list[Any]:
    """The false reports where an assertion failed. (pytest keeps the values of an assertion among
    the frame's variables.)"""
    import sys

    known = sys.modules.get(f"{__package__}.report")
    if known is None:  # nobody has made a report
        return []
    found: dict[int, Any] = {}
    for value in info.traceback[-1].frame.f_locals.values():
        if isinstance(value, known.Report) and not value:
            found[id(value)] = value
    return list(found.values())
