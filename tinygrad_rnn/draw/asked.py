"""What is asked for by name: one of a few words, or a colour.

The question this file answers: *which words are there?*
"""

from __future__ import annotations

from typing import Any

from ..errors import InputError


def one_of(value: Any, known: tuple[str, ...], name: str, where: str) -> None:
    """Raise `InputError` unless an option is one of a few words."""
    if value not in known:
        raise InputError(f"expected {name} to be one of {', '.join(known)}, got {value!r}",
                         where=where)


def colour_of(value: Any, name: str, where: str) -> str:
    """A colour as six digits. Raises `InputError` for anything else."""
    digits = value[1:] if isinstance(value, str) else ""
    if isinstance(value, str) and value[:1] == "#" and len(digits) == 6:
        try:
            int(digits, 16)
        except ValueError:
            pass
        else:
            return value
    raise InputError(f"expected {name} to be a colour like '#D55E00', got {value!r}", where=where)
