"""What the tests share: optional programs, which a machine may have or not."""

import os
import re
import shutil
import tempfile

import pytest


def pytest_configure(config):
    """Where Python is told to write no bytecode, it goes to a folder of this run: else every
    program that a test starts compiles the whole package once more, which is most of its time."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        folder = os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="bytecode-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def required_here() -> set[str]:
    """The programs that may not be missing: TINYGRAD_RNN_REQUIRE names them, "dot chromium"."""
    return set(re.split(r"[,\s]+", os.environ.get("TINYGRAD_RNN_REQUIRE", "").strip())) - {""}


@pytest.fixture(scope="session")
def require():
    """`dot = require("dot")` is the program's path; without the program the test is skipped.

    Where TINYGRAD_RNN_REQUIRE names it (CI does, once it has installed it) the test fails instead:
    nobody reads the list of skipped tests.
    """

    def find(program: str) -> str:
        path = shutil.which(program)
        if path is None and program in required_here():
            pytest.fail(f"{program} is not on PATH, and TINYGRAD_RNN_REQUIRE asks for it")
        if path is None:
            pytest.skip(f"{program} is not installed here")
        return path

    return find
