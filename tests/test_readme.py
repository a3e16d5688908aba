"""The README and the pages of docs/: their code runs and prints what they say, their links lead
somewhere.

In a page, the ```python blocks are one program, run in order; a ```text block right below one of
them is what it prints.
"""

import ast
import contextlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")),
         ROOT / "examples" / "README.md", ROOT / "CHANGELOG.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETUP = ("python3 -m venv .venv && .venv/bin/python -m pip install -e '.[test]'"
         " && .venv/bin/python -m tinygrad_rnn demo")


def blocks(text):
    """(language, code, the line it starts at, what stands between it and the block before)."""
    end = 0
    for match in FENCE.finditer(text):
        yield match[1], match[2], text.count("\n", 0, match.start(2)), text[end:match.start()]
        end = match.end()


def programs(page):
    """[(code, line, what it should print or None)] of a page."""
    found = []
    for language, code, line, between in blocks(page.read_text(encoding="utf-8")):
        if language == "python":
            found.append([code, line, None])
        elif language == "text" and found and not between.strip():
            found[-1][2] = code
    return found


def name(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [p for p in PAGES if programs(p)], ids=name)
def test_the_code_of_a_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "__main__"}
    for code, line, expected in programs(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + code, str(page), "exec"), space)
        if expected is not None:
            assert printed.getvalue() == expected, f"{name(page)}, line {line}"


def test_the_demo_prints_what_the_readme_shows(tmp_path):
    (command, shown), = re.findall(r"<!-- from: (.*?) -->\n```text\n(.*?)^```$",
                                   PAGES[0].read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    words = shlex.split(command)
    assert words[0] == "python"
    run = subprocess.run([sys.executable, "-W", "error", *words[1:]], cwd=tmp_path, check=True,
                         capture_output=True, encoding="utf-8",
                         env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"})
    printed = iter([re.sub(r"\s+", " ", line).strip() for line in run.stdout.splitlines()])
    for line in filter(None, (re.sub(r"\s+", " ", x).strip() for x in shown.splitlines())):
        assert line in printed, f"not printed, or not in this order: {line}"  # reads on to it


def test_the_two_commands_stand_on_lines_of_their_own():
    lines = PAGES[0].read_text(encoding="utf-8").splitlines()
    commands = re.compile(r"python3 -m venv|\.venv/bin/python -m pytest")
    found = [line for line in lines if commands.match(line)]
    assert found == [SETUP, ".venv/bin/python -m pytest -n auto"]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_within_the_repository_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    for target in targets:
        assert not target.startswith("/"), target
        if "://" not in target:
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target


def anchors(page):
    """The names that a page's headings can be linked by."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_pictures_are_what_the_library_draws(tmp_path):
    script = importlib.util.spec_from_file_location("make_images", ROOT / "docs" / "make_images.py")
    module = importlib.util.module_from_spec(script)
    script.loader.exec_module(module)
    drawn = {path.name: path.read_bytes() for path in module.write_images(tmp_path)}
    kept = {path.name: path.read_bytes() for path in (ROOT / "docs" / "images").iterdir()}
    assert drawn.keys() == kept.keys()
    changed = [n for n in drawn if drawn[n] != kept[n]]
    assert not changed, f"run `python docs/make_images.py` and look at {', '.join(changed)}"


# --- docs/reading.md and the source ---------------------------------------------------------------


def test_the_quoted_lines_stand_in_the_source():
    text = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
    quotes = [code.splitlines() for language, code, _, _ in blocks(text) if language == "py"]
    assert quotes
    for first, *lines in quotes:
        source = iter((ROOT / first.removeprefix("# ")).read_text(encoding="utf-8").splitlines())
        for line in lines:
            assert line == "..." or line in source, f"not in {first}, or not in this order: {line}"


def test_every_source_file_is_in_the_reading_order_with_its_own_question():
    text = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"\]\(\.\./(tinygrad_rnn/[\w/]+\.py)\) \| (.*) \|$", text, re.MULTILINE))
    files = {name(path): path for path in (ROOT / "tinygrad_rnn").rglob("*.py")
             if not path.stem.startswith("__")}
    assert sorted(rows) == sorted(files)
    for path, question in rows.items():
        title = ast.get_docstring(ast.parse(files[path].read_text(encoding="utf-8"))) or ""
        asked = re.search(r"question this file answers:\s+\*((?:`[^`]*`|[^*])*)\*", title)
        assert asked is None or " ".join(asked[1].split()) == question, path


def test_the_tests_that_hold_a_promise_exist():
    rows = [line for line in (ROOT / "docs" / "reliability.md").read_text("utf-8").splitlines()
            if line.startswith("| ")][2:]
    assert len(rows) > 15
    for row in rows:
        (path, function), = re.findall(r"\(\.\./(tests/[\w/]+\.py)\)::(\w+) \|$", row)
        assert f"\ndef {function}(" in (ROOT / path).read_text("utf-8"), row
