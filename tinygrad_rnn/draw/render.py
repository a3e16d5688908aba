"""Files: text written whole or not at all, and the programs that turn DOT into PNG and PDF.

The question this file answers: *who makes the pixels?*

The only file here that runs a program: without a shell, and with a time limit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, TinygradRNNError

LIMIT = 60.0  # seconds
NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}  # on the disk, of one file, of one user


class RenderError(TinygradRNNError, RuntimeError):
    """A picture could not be made: no renderer, or it failed."""


def named(path: Any, suffixes: Sequence[str], fix: str = "") -> Path:
    """The path that something is to be saved as. Raises `InputError` for what is no path, and for
    another suffix than these."""
    try:
        name = os.fsdecode(path)
    except TypeError:
        raise InputError(f"expected the name of a file, got {type(path).__name__} {path!r}",
                         where="save()", fix=fix or f"save('picture{suffixes[0]}')") from None
    if Path(name).suffix.lower() not in suffixes:
        one = "in" if len(suffixes) == 1 else "in one of"
        raise InputError(f"expected a file name that ends {one} {', '.join(suffixes)}, got "
                         f"{name!r}", where="save()", fix=fix)
    return Path(name)


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: into a temporary file beside it, which then takes its
    name."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part"
        )
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, path)
    except (OSError, ValueError) as problem:  # ValueError: a name that no file can have
        reason = getattr(problem, "strerror", None) or str(problem)
        full = getattr(problem, "errno", None) in NO_ROOM
        raise InputError(
            f"cannot write {os.fspath(path)!r}: {reason}",
            where="save()",
            fix=f"The file has {len(data):,} bytes: make room, or draw fewer steps (first=, last=)"
            if full else "Give a path in a folder that exists and may be written to",
        ) from problem
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def current_umask() -> int:
    """The permissions that new files do without."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def find_renderer(kind: str) -> list[str] | None:
    """The command that draws pinned DOT as a PNG or PDF, or None if there is none."""
    for name in ("neato", "dot"):
        found = shutil.which(name)
        if found is not None:
            return [found, *(["-n2"] if name == "neato" else [])]
    beside = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    found = shutil.which("graphviz-pure", path=beside)
    return [found, "-Kneato", "-n2"] if found is not None and kind == "png" else None


def render(text: str, kind: str, resolution: int = 144) -> bytes:
    """DOT text as a PNG or PDF. Raises `RenderError` if no renderer is there, or it fails or
    hangs."""
    command = find_renderer(kind)
    if command is None:
        raise RenderError(f"no renderer for .{kind} was found", where="save()", fix=ways_out(kind))
    more = [f"-Gdpi={resolution}"] if kind == "png" else []
    return run([*command, f"-T{kind}", *more], text, "save()", ways_out(kind),
               "Draw fewer steps (first=, last=), or save as .svg")


def run(command: list[str], text: str, where: str, fix: str, smaller: str) -> bytes:
    """What a program makes of a text. Raises `RenderError` if it cannot be started or fails (`fix`
    says what to do then), or takes too long (`smaller` says it)."""
    name = Path(command[0]).name
    try:
        status, made, errors = finished(command, text.encode())
    except subprocess.TimeoutExpired:
        raise RenderError(f"{name} took more than {LIMIT:.0f} seconds and was stopped",
                          where=where, fix=smaller) from None
    except OSError as problem:
        raise RenderError(f"{command[0]} could not be started: {problem.strerror}", where=where,
                          fix=fix) from problem
    if status != 0 or not made:
        message = errors.decode(errors="replace").strip().splitlines()
        said = f": {message[0][:200]}" if message else ""
        raise RenderError(f"{name} failed{said}", where=where, fix=fix)
    return made


def finished(command: list[str], text: bytes) -> tuple[int, bytes, bytes]:
    """The status, output and errors of a program. What is stopped is stopped with all that it has
    started: `dot` may be a script around the real one."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            made, errors = process.communicate(text, timeout=LIMIT)
        except BaseException:
            if hasattr(os, "killpg"):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            raise
    return process.returncode, made, errors


def ways_out(kind: str) -> str:
    """What to do without a renderer."""
    pure = "pip install 'tinygrad-rnn[png]'"
    if kind != "png":
        pure += " and save as .png"
    return (
        f"Three ways out: install Graphviz, so that `dot` is on the PATH; {pure}; or save as .svg "
        "or .html, which need no program. The .dot file has been written"
    )
