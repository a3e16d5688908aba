"""Text as data: characters, their numbers, and windows of k steps.

The question this file answers: *how does a text become a sequence for a recurrence?*
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..nn import one_hot

LIMIT = 1_000_000  # characters read from a file: enough for minutes of training


class Text:
    """A text and its vocabulary: its different characters in sorted order, numbered 0..V-1.

    Raises `InputError` for a text without anything to predict: fewer than two characters, or the
    same character throughout.
    """

    def __init__(self, text: str, source: str = "text") -> None:
        if not text:
            raise InputError("is empty: at least two different characters are needed", where=source)
        self.vocabulary = sorted(set(text))
        if len(self.vocabulary) < 2:
            what = "only one character" if len(text) == 1 else \
                f"only the character {self.vocabulary[0]!r}"
            raise InputError(f"has {what}: at least two different ones are needed", where=source)
        if any("\ud800" <= c <= "\udfff" for c in self.vocabulary):
            raise InputError("is not valid Unicode text", where=source)
        self.text, self.source = text, source
        self.numbers = {c: i for i, c in enumerate(self.vocabulary)}

    def __len__(self) -> int:
        return len(self.text)

    @property
    def size(self) -> int:
        """V, the size of the vocabulary."""
        return len(self.vocabulary)

    def encode(self, text: str) -> Any:
        """The numbers of characters. Raises `InputError` for one that the vocabulary lacks."""
        unknown = next((c for c in text if c not in self.numbers), None)
        if unknown is not None:
            raise InputError(f"the character {unknown!r} is not in the vocabulary",
                             where=self.source)
        return np.array([self.numbers[c] for c in text], np.intp)

    def decode(self, numbers: Any) -> str:
        """The characters of numbers."""
        return "".join(self.vocabulary[int(i)] for i in np.ravel(numbers))

    def one_hot(self, text: str) -> Any:
        """The inputs x_t of a text: (T, V)."""
        return one_hot(self.encode(text), self.size)

    def windows(self, k: int) -> Iterator[tuple[str, str]]:
        """The text in windows of k steps: what is read, and what comes next at each step."""
        for start in range(0, len(self.text) - 1, k):
            end = min(start + k, len(self.text) - 1)
            yield self.text[start:end], self.text[start + 1:end + 1]


def read_text(path: str | Path, limit: int = LIMIT) -> Text:
    """The first `limit` characters of a UTF-8 file. Line ends become a single newline.

    Raises `InputError`, in one line, for a file that is missing, cannot be read, is empty, or is no
    UTF-8 text.
    """
    name = str(path)
    if not name or not name.isprintable():
        name = repr(name)
    try:
        with open(path, "rb") as file:  # not Path(path): the empty name would be this folder
            raw = file.read(4 * limit)  # a character takes at most four bytes
    except FileNotFoundError:
        raise InputError("there is no such file", where=name) from None
    except IsADirectoryError:
        raise InputError("is a folder: a text file is needed", where=name) from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise InputError(f"cannot be read: {reason}", where=name) from None
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(raw, final=len(raw) < 4 * limit)
    except UnicodeDecodeError as problem:
        raise InputError(f"is not a UTF-8 text (byte {problem.start})", where=name,
                         fix="Convert it to UTF-8 first") from None
    if "\0" in text:
        raise InputError("is not a text: it holds NUL bytes", where=name)
    return Text(text.replace("\r\n", "\n").replace("\r", "\n")[:limit], name)
