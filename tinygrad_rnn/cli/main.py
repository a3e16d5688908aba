"""The command line: it is read, one command runs, and it ends with a result, or one line on stderr.

The question this file answers: *how does a command end, whatever happens?*

Exit codes: 0 done, 1 checked and not right, 2 bad input, 74 the output cannot be written, 129 hung
up, 130 interrupted, 141 nobody reads the output any more, 143 terminated.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import NoReturn

from ..errors import TinygradRNNError
from .commands import COMMANDS


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
    except MemoryError:
        return failed("there is not enough memory for so much at once", 2)
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
