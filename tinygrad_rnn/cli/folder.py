"""A folder of results: all of it or nothing.

The question this file answers: *what is left behind when something goes wrong?* Nothing.

Files are written into a hidden folder at their place and moved up when all are complete.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from ..errors import InputError


class Folder:
    """`with Folder(out) as folder: folder.write("page.html", text)`; the files appear at the end.

    Entering it makes sure that something can be written there. A failure, or an interrupt, takes
    away whatever was made. Raises `InputError`, in one line, for a place that is a file or cannot
    be written to, or where one of `names` is a folder. Other files in the folder are left alone.
    """

    def __init__(self, out: str | Path, names: tuple[str, ...] = ()) -> None:
        self.out, self.names, self.given = Path(out), names, str(out)
        self.made: list[Path] = []
        self.staging = self.out

    def __enter__(self) -> Folder:
        try:
            self.prepare()
        except (OSError, ValueError) as problem:
            self.take_away()
            raise self.refusal(problem) from None
        return self

    def prepare(self) -> None:
        """Make the folder, and the hidden one in it."""
        if not self.given:
            raise ValueError("the name is empty")
        self.made = [p for p in (self.out, *self.out.parents) if not p.exists()]
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise ValueError("it is a file, not a folder") from None
        for name in self.names:
            if (self.out / name).is_dir():
                raise ValueError(f"{name} is a folder there")
        self.staging = Path(tempfile.mkdtemp(prefix=".tinygrad_rnn-", dir=self.out))

    def write(self, name: str, text: str) -> None:
        """Write a text file, as UTF-8, not yet in its place."""
        try:
            (self.staging / name).write_text(text, encoding="utf-8", newline="\n")
        except OSError as problem:
            raise self.refusal(problem) from None

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is not None:
            return self.take_away()
        try:
            for file in sorted(self.staging.iterdir()):
                os.replace(file, self.out / file.name)
            self.staging.rmdir()
        except OSError as error:
            self.take_away()
            raise self.refusal(error) from None

    def take_away(self) -> None:
        """Remove what was made; the folders only if nothing else has come into them."""
        if self.staging != self.out:
            shutil.rmtree(self.staging, ignore_errors=True)
        for folder in self.made:
            with contextlib.suppress(OSError, ValueError):
                folder.rmdir()

    def refusal(self, problem: Exception) -> InputError:
        """Why nothing can be written, in one line."""
        reason = getattr(problem, "strerror", None) or str(problem)
        return InputError(f"cannot write there: {reason[:1].lower()}{reason[1:]}",
                          where=f"--out {self.given}",
                          fix="Choose another folder with --out")
