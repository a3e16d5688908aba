"""The commands: what each is called, what it does, its options, and what runs.

The question this file answers: *what can be asked on the command line?*
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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
    return at_least(0, text)


def count(text: str) -> int:
    """A whole number, 1 or more."""
    return at_least(1, text)


def at_least(least: int, text: str) -> int:
    """A whole number from `least` on; in words if it is none."""
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(
            f"expected a whole number of at least {least}, got {text!r}")
    return number


# --- options that several commands have -----------------------------------------------------------


def model_option(returns: str) -> Option:
    """What a command works on."""
    return Option("model", {"help": "scalar, many-to-one, many-to-many, one-to-many, "
                                    "encoder-decoder, stacked, bidirectional, lstm, gru; or "
                                    f"module:function (file.py:function), {returns}"})


def pattern_options(drawn: str = "the random numbers to start from") -> tuple[Option, ...]:
    """How a pattern is built: its cell, its steps, its numbers. `drawn` is what the seed is for."""
    return (
        Option("--cell", {"choices": ("rnn", "lstm", "gru"), "default": "rnn",
                          "help": "the cell of a pattern (default: %(default)s)"}),
        Option("--steps", {"metavar": "T", "type": count, "default": 4,
                           "help": "the steps of a pattern (default: %(default)s)"}),
        seed_option(drawn),
    )


def seed_option(drawn: str = "the random numbers to start from") -> Option:
    """Where the random numbers begin."""
    return Option("--seed", {"metavar": "N", "type": seed, "default": 0,
                             "help": f"{drawn} (default: %(default)s)"})


# --- what runs ------------------------------------------------------------------------------------


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

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(draw(options.model, options.view, options.output, steps=options.steps, cell=options.cell,
               seed=options.seed, first=options.first, last=options.last, theme=options.theme,
               direction=options.direction, level=options.level, collapse=options.collapse,
               width=width), end="")


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


# --- the table ------------------------------------------------------------------------------------

COMMANDS = (
    Command(
        "demo",
        "the whole journey: unroll a text, send the gradient back, check it, train, draw",
        run_demo,
        options=(
            Option("--out", {"metavar": "DIR", "default": "tinygrad_rnn_demo",
                             "help": "where the drawings and the page go (default: %(default)s)"}),
            seed_option(),
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
            model_option("which returns a loss, or for --view api a model"),
            Option("--view", {"default": "unrolled",
                              "help": "unrolled, cell-level, layer-level, rolled, gradient-flow, "
                                      "player (a page: -o x.html), truncated, heatmap, api, "
                                      "scalar, backward-graph (default: %(default)s)"}),
            Option("--output", {"metavar": "PATH",
                                "help": "where it goes; the suffix says how: .svg .dot .html .png "
                                        ".pdf .json .txt"}),
            *pattern_options(),
            Option("--first", {"metavar": "K", "type": seed,
                               "help": "draw the first K steps (default: all of a few, else 3)"}),
            Option("--last", {"metavar": "K", "type": seed, "help": "and the last K"}),
            Option("--level", {"choices": ("op", "cell", "layer"),
                               "help": "of unrolled, rolled and gradient-flow: every operation, a "
                                       "box for each cell, or one for each layer (default: op)"}),
            Option("--collapse", {"metavar": "SCOPE", "action": "append", "default": [],
                                  "help": "of the same views: a scope as one box a step; may be "
                                          "given several times"}),
            Option("--direction", {"choices": ("right", "down"), "default": "right",
                                   "help": "which way time runs (default: %(default)s)"}),
            Option("--theme", {"choices": ("auto", "light", "dark", "print"), "default": "auto",
                               "help": "the paper (default: %(default)s)"}),
        ),
    ),
    Command(
        "check",
        "is this gradient right? prints a report; the exit code is 0 if it is, else 1",
        run_check,
        options=(
            model_option("which returns (loss_fn, params), a loss, (loss, weights), "
                         "(forward, backward, inputs) or (op, sample, ...)"),
            Option("--order", {"type": int, "choices": (1, 2), "default": 1,
                               "help": "2 checks gradients of gradients too (default: 1)"}),
            Option("--junit", {"metavar": "PATH", "help": "write the report as JUnit XML as well"}),
            *pattern_options("the directions to check along"),
        ),
    ),
    Command(
        "flow",
        "prints the ledger of a weight, the gradient's size at every step, and a verdict",
        run_flow,
        options=(
            model_option("which returns a loss or (loss, weights)"),
            Option("--weight", {"metavar": "NAME", "help": "whose ledger (default: W_hh, or the "
                                                           "weight with the most uses)"}),
            Option("--format", {"choices": ("text", "csv", "markdown"), "default": "text",
                                "help": "csv writes the ledger alone (default: %(default)s)"}),
            *pattern_options(),
        ),
    ),
    Command("ops", "the table of operations: each value, and the gradient through each operand",
            run_ops),
)
