"""The pytest plugin: a fixture that checks gradients, its options, and reports that can be read.

The question this file answers: *how do I test gradients with pytest?*

    def test_my_rnn(gradcheck):
        gradcheck(loss_fn, params)                              # a graph of ours
        gradcheck.backward(forward, backward, inputs)           # anybody's NumPy

    def test_the_same_by_hand():
        assert check_gradients(loss_fn, params)                 # prints the report when it fails

`pytest --grad-mutate` asks what such tests are worth: every test that passes is run again with each
mistake of `tg.MISTAKES` in the backward pass, and a table says which of them no test has noticed.
`gradcheck.mutations(forward, backward, inputs, test)` asks it of a backward written by hand.

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
    group.addoption("--grad-mutate", action="store_true",
                    help="run every test again with each of the deliberate mistakes in backward(), "
                         "and print which of them the tests notice")


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

    def mutations(self, forward: Callable[..., Any], backward: Callable[..., Any], inputs: Any,
                  test: Callable[[Callable[..., Any]], Any], **options: Any) -> Any:
        """Assert that `test(backward)` catches every mistake planted in a backward written by hand:
        see `mutation_score`."""
        from .mutation import mutation_score

        __tracebackhide__ = True
        score = mutation_score(forward, backward, inputs, test, **{"seed": self.seed, **options})
        assert score, str(score)
        return score


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
    if planted_in(item) and call.when == "call":
        return judged(item, call, result)
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


# --- mutation: --grad-mutate ----------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test once as it is, and once for each mistake."""
    if metafunc.config.getoption("--grad-mutate"):
        from ..bptt.mistakes import MISTAKES

        metafunc.fixturenames.append("grad_mistake")
        metafunc.parametrize("grad_mistake", ["", *MISTAKES], indirect=True,
                             ids=["right", *(f"what if: {name}" for name in MISTAKES)])


@pytest.fixture
def grad_mistake(request: pytest.FixtureRequest) -> Any:
    """The mistake that backward() makes in this test; '' for none."""
    return getattr(request, "param", "")


def planted_in(item: pytest.Item) -> str:
    """The name of the mistake that is planted in this test; '' if none is."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("grad_mistake", "")) if callspec else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Run the test itself, and not its fixtures, with the mistake."""
    name = planted_in(item)
    if not name:
        return (yield)
    from ..bptt.whatif import what_if

    block = what_if(name)
    item.stash[PLANT] = block
    block.__enter__()
    try:
        return (yield)
    finally:
        block.__exit__()


PLANT = pytest.StashKey[Any]()


def judged(item: pytest.Item, call: pytest.CallInfo[None], result: Any) -> Any:
    """The report on a test with a mistake in it: passed, whatever it says; what that means is kept
    with it (it may be written by one process and read by another)."""
    block = item.stash[PLANT]
    outcome = "skipped" if result.outcome == "skipped" else \
        "caught" if call.excinfo is not None else "survived" if block.seen else "absent"
    test = item.nodeid.partition("[")[0]
    result.user_properties.append((PROPERTY, (block.name, outcome, test)))
    if outcome == "caught":
        result.outcome, result.longrepr = "passed", None
    return result


PROPERTY = "grad_mistake"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table: for every mistake, whether a test has noticed it, and which. Tests that fail
    anyway notice nothing."""
    every = [r for reports in terminalreporter.stats.values() for r in reports
             if isinstance(r, pytest.TestReport)]
    failing = {r.nodeid.partition("[")[0] for r in every if r.failed}
    planted: list[Any] = [value for r in every for key, value in r.user_properties
                          if key == PROPERTY]
    if not planted:
        return
    from ..bptt.mistakes import MISTAKES
    from .mutation import MutationScore

    rows, absent = list[tuple[str, bool]](), list[str]()
    for name in MISTAKES:
        tests = {test: outcome for mistake, outcome, test in planted
                 if mistake == name and test not in failing}
        caught = sorted(test for test, outcome in tests.items() if outcome == "caught")
        if caught or "survived" in tests.values():
            rows.append((with_tests(name, caught), bool(caught)))
        else:
            absent.append(name)
    terminalreporter.section("mistakes planted in backward()")
    terminalreporter.write_line(str(MutationScore(rows, absent)))


def with_tests(name: str, tests: list[str]) -> str:
    """A mistake and the test that has noticed it."""
    more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
    return f"{name}, by {tests[0]}{more}" if tests else name
