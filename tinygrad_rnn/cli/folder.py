"""A folder of results: all of it or nothing.

The question this file answers: *what is left behind when something goes wrong?* Nothing.

Files are written into a hidden folder at their place and moved up when all are complete. Each
ends in a comment that says who wrote it; a file without that comment is somebody's own, and is
never replaced.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import uuid
from pathlib import Path
from types import TracebackType

from ..errors import InputError

try:
    import fcntl
except ImportError:  # Windows: what a kill leaves there stays
    fcntl = None  # type: ignore[assignment]

MARK = "written by tinygrad_rnn demo"
COMMENTS = {".html": f"<!-- {MARK} -->\n", ".svg": f"<!-- {MARK} -->\n", ".dot": f"// {MARK}\n"}
HIDDEN = ".tinygrad_rnn-"


class Folder:
    """`with Folder(out) as folder: folder.write("page.html", text)`; the files appear at the end.

    Entering it makes sure that something can be written there. A failure, or an interrupt, takes
    away whatever was made. Raises `InputError`, in one line, for a place that is a file or cannot
    be written to, or where one of `names` is anything but a result of an earlier time. Other files
    in the folder are left alone.
    """

    def __init__(self, out: str | Path, names: tuple[str, ...] = ()) -> None:
        self.out, self.names, self.given = Path(out), names, str(out)
        self.made: list[Path] = []
        self.staging = self.out
        self.lock = -1

    def __enter__(self) -> Folder:
        try:
            self.prepare()
        except (OSError, ValueError) as problem:
            self.take_away()
            raise self.refusal(problem) from None
        except BaseException:  # an interrupt: there is no `__exit__` before this has returned
            self.take_away()
            raise
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
        self.check()
        for orphan in self.out.glob(f"{HIDDEN}*"):
            self.sweep(orphan)
        self.staging = self.out / f"{HIDDEN}{uuid.uuid4().hex[:8]}"  # named before it is made
        self.staging.mkdir(mode=0o700)
        with contextlib.suppress(OSError):  # some network drives know no locks
            self.lock = hold(self.staging)

    def check(self) -> None:
        """Refuse to replace what was not written here."""
        for name in self.names:
            file = self.out / name
            if file.is_dir():
                raise ValueError(f"{name} is a folder there")
            if os.path.lexists(file) and not is_result(file):
                raise ValueError(f"{name} is there and is not from an earlier demo")
            if file.exists() and not file.stat().st_mode & stat.S_IWUSR:
                raise ValueError(f"{name} is read-only there")

    def sweep(self, orphan: Path) -> None:
        """Remove the hidden folder of a run that was killed; one that is in use is locked."""
        with contextlib.suppress(OSError):
            lock = hold(orphan)
            try:
                for name in self.names:
                    (orphan / name).unlink(missing_ok=True)
                orphan.rmdir()  # not if it holds anything else
            finally:
                os.close(lock)

    def write(self, name: str, text: str) -> None:
        """Write a text file, as UTF-8, not yet in its place."""
        file = self.staging / name
        marked = text.rstrip("\n") + "\n" + COMMENTS[file.suffix]
        try:
            file.write_text(marked, encoding="utf-8", newline="\n")
        except OSError as problem:
            raise self.refusal(problem) from None

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is not None:
            return self.take_away()
        try:
            self.check()  # again: a run takes seconds
            for file in sorted(self.staging.iterdir()):
                os.replace(file, self.out / file.name)
        except (OSError, ValueError) as error:
            raise self.refusal(error) from None
        finally:
            self.take_away()

    def take_away(self) -> None:
        """Remove what was made; the folders only if nothing else has come into them."""
        if self.staging != self.out:
            shutil.rmtree(self.staging, ignore_errors=True)
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1
        for folder in self.made:
            with contextlib.suppress(OSError, ValueError):
                folder.rmdir()

    def refusal(self, problem: Exception) -> InputError:
        """Why nothing can be written, in one line."""
        reason = getattr(problem, "strerror", None) or str(problem)
        return InputError(f"cannot write there: {reason[:1].lower()}{reason[1:]}",
                          where=f"--out {self.given}",
                          fix="Choose another folder with --out")


def is_result(file: Path) -> bool:
    """Whether a file is an ordinary one that ends in the comment of its kind."""
    if file.is_symlink() or not file.is_file():
        return False
    comment = COMMENTS[file.suffix].encode()
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - len(comment)))
        return stream.read() == comment


def hold(folder: Path) -> int:
    """Lock a folder for as long as this process lives; `OSError` if another one holds it."""
    if fcntl is None:
        raise OSError("no locks here")
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(handle)
        raise
    return handle
