"""The commands, their options, and how they end: a result, or one line on stderr.

The question this file answers: *what can be asked on the command line?*

Exit codes: 0 done, 1 checked and not right, 2 bad input, 74 the output cannot be written, 129 hung
up, 130 interrupted, 141 nobody reads the output any more, 143 terminated.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

from ..errors import TinygradRNNError


@dataclass(frozen=True)
class Option:
    """One option of a command, as argparse takes it."""

    flag: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Command:
    """One row of the table: what it is called, what it does, its options, what runs."""

    name: str
    summary: str
    run: Callable[[argparse.Namespace], int | None]
    options: tuple[Option, ...] = ()
    alternatives: tuple[Option, ...] = ()  # at most one of these


def seed(text: str) -> int:
    """A whole number, 0 or more."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def count(text: str) -> int:
    """A whole number, 1 or more."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def run_demo(options: argparse.Namespace) -> None:
    """Imported when asked for: the demo needs everything there is, and rich besides."""
    from .demo import demo

    demo(text=options.text, file=options.file, out=options.out, seed=options.seed)


def run_ops(options: argparse.Namespace) -> None:
    """The op table, row by row."""
    from ..core.listing import listing

    columns = shutil.get_terminal_size((110, 24)).columns
    print(listing(min(max(columns, 80), 120)))


def run_draw(options: argparse.Namespace) -> None:
    """A picture, or its sketch."""
    from .draw import draw

    print(draw(options.model, options.view, options.output, steps=options.steps, cell=options.cell,
               seed=options.seed, first=options.first, last=options.last, theme=options.theme),
          end="")


def run_check(options: argparse.Namespace) -> int:
    """The report; 1 if the gradient is not known to be right."""
    from .check import check

    report = check(options.model, order=options.order, seed=options.seed, steps=options.steps,
                   cell=options.cell, junit=options.junit)
    print(report)
    return 0 if report else 1


def run_flow(options: argparse.Namespace) -> None:
    """A ledger, norms and a verdict."""
    from .flow import print_flow

    print_flow(options.model, steps=options.steps, cell=options.cell, seed=options.seed,
               weight=options.weight, form=options.format)


COMMANDS = (
    Command(
        "demo",
        "the whole journey: unroll a text, send the gradient back, check it, train, draw",
        run_demo,
        options=(
            Option("--out", {"metavar": "DIR", "default": "tinygrad_rnn_demo",
                             "help": "where the drawings and the page go (default: %(default)s)"}),
            Option("--seed", {"metavar": "N", "type": seed, "default": 0,
                              "help": "the random numbers to start from (default: %(default)s)"}),
        ),
        alternatives=(
            Option("--text", {"metavar": "TEXT", "help": "a text to learn (default: hello)"}),
            Option("--file", {"metavar": "PATH", "help": "a UTF-8 text file to learn"}),
        ),
    ),
    Command(
        "draw",
        "a picture of a pattern, or of a program of your own; without -o a sketch is printed",
        run_draw,
        options=(
            Option("model", {"help": "scalar, many-to-one, many-to-many, one-to-many, "
                                     "encoder-decoder, stacked, bidirectional, lstm, gru; or "
                                     "module:function (file.py:function), which returns a loss, "
                                     "or for --view api a model"}),
            Option("--view", {"default": "unrolled",
                              "help": "unrolled, cell-level, layer-level, rolled, gradient-flow, "
                                      "player (a page: -o x.html), truncated, heatmap, api, "
                                      "scalar, backward-graph (default: %(default)s)"}),
            Option("--output", {"metavar": "PATH",
                                "help": "where it goes; the suffix says how: .svg .dot .html .png "
                                        ".pdf .json .txt"}),
            Option("--cell", {"choices": ("rnn", "lstm", "gru"), "default": "rnn",
                              "help": "the cell of a pattern (default: %(default)s)"}),
            Option("--steps", {"metavar": "T", "type": count, "default": 4,
                               "help": "the steps of a pattern (default: %(default)s)"}),
            Option("--first", {"metavar": "K", "type": seed,
                               "help": "draw the first K steps (default: all of a few, else 3)"}),
            Option("--last", {"metavar": "K", "type": seed, "help": "and the last K"}),
            Option("--theme", {"choices": ("auto", "light", "dark"), "default": "auto",
                               "help": "the paper (default: %(default)s)"}),
            Option("--seed", {"metavar": "N", "type": seed, "default": 0,
                              "help": "the random numbers to start from (default: %(default)s)"}),
        ),
    ),
    Command(
        "check",
        "is this gradient right? prints a report; the exit code is 0 if it is, else 1",
        run_check,
        options=(
            Option("model", {"help": "a pattern (see draw), or module:function (file.py:function), "
                                     "which returns (loss_fn, params), a loss, (loss, weights), "
                                     "(forward, backward, inputs) or (op, sample, ...)"}),
            Option("--order", {"type": int, "choices": (1, 2), "default": 1,
                               "help": "2 checks gradients of gradients too (default: 1)"}),
            Option("--junit", {"metavar": "PATH", "help": "write the report as JUnit XML as well"}),
            Option("--cell", {"choices": ("rnn", "lstm", "gru"), "default": "rnn",
                              "help": "the cell of a pattern (default: %(default)s)"}),
            Option("--steps", {"metavar": "T", "type": count, "default": 4,
                               "help": "the steps of a pattern (default: %(default)s)"}),
            Option("--seed", {"metavar": "N", "type": seed, "default": 0,
                              "help": "the directions to check along (default: %(default)s)"}),
        ),
    ),
    Command(
        "flow",
        "prints the ledger of a weight, the gradient's size at every step, and a verdict",
        run_flow,
        options=(
            Option("model", {"help": "scalar, many-to-one, many-to-many, one-to-many, "
                                     "encoder-decoder, stacked, bidirectional, lstm, gru; or "
                                     "module:function (file.py:function), which returns a loss or "
                                     "(loss, weights)"}),
            Option("--weight", {"metavar": "NAME", "help": "whose ledger (default: W_hh, or the "
                                                           "weight with the most uses)"}),
            Option("--format", {"choices": ("text", "csv", "markdown"), "default": "text",
                                "help": "csv writes the ledger alone (default: %(default)s)"}),
            Option("--cell", {"choices": ("rnn", "lstm", "gru"), "default": "rnn",
                              "help": "the cell of a pattern (default: %(default)s)"}),
            Option("--steps", {"metavar": "T", "type": count, "default": 4,
                               "help": "the steps of a pattern (default: %(default)s)"}),
            Option("--seed", {"metavar": "N", "type": seed, "default": 0,
                              "help": "the random numbers to start from (default: %(default)s)"}),
        ),
    ),
    Command("ops", "the table of operations: each value, and the gradient through each operand",
            run_ops),
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """The parser that the table describes."""
    from .. import __version__

    top = Parser(prog="tinygrad-rnn",
                 description="A glass-box autograd engine for recurrent networks.")
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for row in COMMANDS:
        command = commands.add_parser(row.name, help=row.summary, description=row.summary + ".")
        command.set_defaults(run=row.run)
        if row.alternatives:
            group = command.add_mutually_exclusive_group()
            for option in row.alternatives:
                group.add_argument(option.flag, **option.settings)
        for option in row.options:
            short = ("-o",) if option.flag == "--output" else ()
            command.add_argument(*short, option.flag, **option.settings)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show ∂ shows ?
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        with stoppable():
            code = run(arguments)
            if sys.stdout is not None:
                sys.stdout.flush()  # here, not at exit, where nobody could catch what goes wrong
        return code
    except TinygradRNNError as problem:
        return failed(str(problem), 2)
    except KeyboardInterrupt:
        return failed("interrupted", 130)
    except Stopped as stop:
        return failed("terminated", 128 + stop.number)
    except BrokenPipeError:
        hush()
        return 141
    except OSError as problem:
        hush()
        return failed(f"the output cannot be written: {problem.strerror or problem}", 74)


def run(arguments: Sequence[str] | None) -> int:
    """Parse the arguments and run the command they name; without one, print the help."""
    top = parser()
    try:
        options = top.parse_args(arguments)
    except SystemExit as end:  # --help, or one line already printed
        return end.code if isinstance(end.code, int) else 2
    if not hasattr(options, "run"):
        top.print_help()
        return 0
    code: int | None = options.run(options)
    return code or 0


def failed(problem: str, code: int) -> int:
    """One line on stderr, whatever the problem holds; the exit code."""
    shown = "".join(c if c.isprintable() else "?" for c in " ".join(problem.split()))
    with contextlib.suppress(OSError):  # a terminal that is gone
        print(f"tinygrad-rnn: {shown}", file=sys.stderr)
    return code


class Stopped(BaseException):
    """Another process asked this one to end; like `KeyboardInterrupt`, for other signals."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP run the `finally` parts, as Ctrl-C does, instead of ending at once."""
    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough: some send it twice
        raise Stopped(number)

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            with contextlib.suppress(ValueError):  # not in the main thread
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hush() -> None:
    """Nobody reads stdout: point it at nothing, so that closing it at exit does not fail too."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    except (OSError, ValueError):  # stdout is no file, under a test for instance
        pass
