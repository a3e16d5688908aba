"""A report in other forms: a dict for JSON, JUnit XML for a build server, HTML for a notebook.

The question this file answers: *how does another program, or a notebook, read a report?*
"""

from __future__ import annotations

import math
from html import escape
from typing import Any

from .report import RIGHT, Block, Entry, Report

COLOURS = {"FAIL": "#D55E00", "non-finite": "#D55E00", "inconclusive": "#B07800",
           "invisible": "#888888"}


def plain(x: float) -> float | None:
    """JSON has no NaN and no Inf."""
    return x if math.isfinite(x) else None


def as_dict(report: Report) -> dict[str, Any]:
    """Everything in plain numbers, words, lists and dicts."""
    return {"title": report.title, "verdict": report.verdict, "cause": report.cause,
            "seed": report.seed, "evaluations": report.evaluations,
            "gradients": report.gradients, "screened": report.screened,
            "notes": list(report.notes), "spoilt": report.spoilt,
            "blocks": {name: of_block(block) for name, block in report.blocks.items()}}


def of_block(block: Block) -> dict[str, Any]:
    """One parameter."""
    return {"shape": list(block.shape), "size": block.size, "verdict": block.verdict,
            "analytic": plain(block.analytic), "numeric": plain(block.numeric),
            "error": plain(block.error), "bar": plain(block.bar), "wrong": block.wrong,
            "tested": block.tested, "cause": block.cause,
            "worst": of_entry(block.worst) if block.worst else None}


def of_entry(entry: Entry) -> dict[str, Any]:
    """One entry."""
    return {"index": list(entry.index), "analytic": plain(entry.analytic),
            "numeric": plain(entry.numeric), "error": plain(entry.error)}


def as_junit(report: Report) -> str:
    """One test case for every block: FAIL and non-finite are failures, the rest that is not right
    is skipped with its cause."""
    cases, failures, skipped = list[str](), 0, 0
    for block in report.blocks.values():
        inside = ""
        if block.verdict in ("FAIL", "non-finite"):
            failures += 1
            inside = (f'<failure message="{attribute(block.lines()[0].strip())}">'
                      f"{text(str(report))}</failure>")
        elif block.verdict not in RIGHT or report.spoilt:
            skipped += 1
            why = block.cause or report.spoilt or block.verdict
            inside = f'<skipped message="{attribute(why)}"/>'
        cases.append(f'  <testcase classname="gradients" name="{attribute(block.name)}">{inside}'
                     "</testcase>")
    return "\n".join([
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<testsuite name="{attribute(report.title)}" tests="{len(cases)}" failures="{failures}" '
        f'errors="0" skipped="{skipped}">', *cases, "</testsuite>", ""])


def text(words: str) -> str:
    """As XML takes it: escaped, and without the control characters that it has no way to write."""
    return escape("".join(c if c in "\n\t" or ord(c) >= 32 and not 0xD800 <= ord(c) < 0xE000
                          and ord(c) not in (0xFFFE, 0xFFFF) else "?" for c in words))


def attribute(words: str) -> str:
    """The same, on one line."""
    return " ".join(text(words).split())


HEAD = ("parameter", "shape", "verdict", "wrong", "entry", "analytic", "numeric", "±", "cause")
CELL = 'style="text-align:left;padding:1px 12px 1px 0"'


def as_html(report: Report) -> str:
    """The text over a table of the blocks; columns in which nothing stands are left out."""
    rows = [cells(b) for b in report.blocks.values()]
    kept = [i for i in range(len(HEAD)) if i < 3 or any(row[i] for row in rows)]
    head = "".join(f"<th {CELL}>{HEAD[i]}</th>" for i in kept)
    body = "".join("<tr>" + "".join(f"<td {CELL}>{row[i]}</td>" for i in kept) + "</tr>"
                   for row in rows)
    lines = str(report).splitlines()
    notes = [report.spoilt, report.diagnosis, *report.notes, lines[-1].strip()]
    tail = "".join(f"<div>{text(note)}</div>" for note in notes if note)
    return (f"<div><div><b>{text(lines[0])}</b></div><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{tail}</div>")


def cells(b: Block) -> list[str]:
    """One parameter, in the order of the head."""
    entry = b.worst
    numbers = (entry.analytic, entry.numeric, entry.error) if entry else \
        (b.analytic, b.numeric, b.error)
    known = [f"{x:.{digits}g}" if x == x else "" for x, digits in zip(numbers, (8, 8, 1))]
    return [f"<b>{text(b.name)}</b>", text(str(b.shape)) if b.shape else "",
            f'<b style="color:{COLOURS.get(b.verdict, "#009E73")}">{text(b.verdict)}</b>',
            f"{b.wrong} of {b.tested}" if b.wrong else "",
            text(str(list(entry.index))) if entry and entry.index else "", *known, text(b.cause)]
