"""What is asked for: an option, one of a few words, a colour, dashes, a text.

The question this file answers: *which words are there?*

What goes into a picture as it stands, a colour or dashes, is taken in one form only: nothing in it
can be markup.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..core.graph import Node, released
from ..core.words import describe
from ..errors import InputError, UnsupportedError
from ..nn.options import REAL

COLOUR = re.compile("#[0-9a-fA-F]{6}")
DASHES = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?([ ,][0-9]{1,3}(\.[0-9]{1,2})?){0,7}|")
FACE = r" *(?:[\w .&+-]+|'[\w .&+-]+'|\"[\w .&+-]+\")"
FONT = re.compile(rf"{FACE}(?:,{FACE})*")

P = ParamSpec("P")
R = TypeVar("R")


def options_of(view: Callable[P, R]) -> Callable[P, R]:
    """A view which says of an option that it does not have, which ones it has: not every option of
    one view means something in another. Raises `UnsupportedError`, which is a `TypeError`."""
    known = inspect.signature(view).parameters
    own = ", ".join(name for name, one in known.items() if one.default is not one.empty)

    @wraps(view)
    def asked(*args: P.args, **options: P.kwargs) -> R:
        for name in options:
            if name not in known:
                raise UnsupportedError(f"this view has no option {name!r}",
                                       where=f"draw.{view.__name__}()",
                                       fix=f"Its options are {own}")
        said = [name for name in ("first", "last") if name in options] or list(known)[1:len(args)]
        if options.get("steps") is not None and "first" in known and said:
            raise InputError(f"steps= says which steps are drawn, and so does {said[0]}=",
                             where=f"draw.{view.__name__}()", fix="Give one of them")
        outside = {**np.geterr(), "call": np.geterrcall()}
        for name in ("node", "edge"):
            if callable(options.get(name)):
                options[name] = under(options[name], outside)
        with np.errstate(all="ignore"):  # Inf and NaN are drawn as what they are
            return view(*args, **options)

    return asked


def under(callback: Any, settings: dict[str, Any]) -> Callable[..., Any]:
    """A user's callback, with NumPy's floating-point warnings as the user has set them."""
    @wraps(callback)
    def called(*args: Any) -> Any:
        with np.errstate(**settings):
            return callback(*args)

    return called


def not_released(root: Node, where: str) -> None:
    """Raise `InputError` for a node whose graph was released: there is nothing left to draw."""
    if root.op is released:
        raise InputError(f"the graph of {describe(root)} was released: there is nothing to draw",
                         where=where, fix="Draw it first, and release it then")


def one_of(value: Any, known: tuple[str, ...], name: str, where: str) -> str:
    """An option that is one of a few words. Raises `InputError` for anything else."""
    if not isinstance(value, str) or value not in known:
        raise InputError(f"expected {name} to be one of {', '.join(known)}, got {value!r}",
                         where=where)
    return value


def words_of(value: Any, name: str, where: str, letters: bool = False) -> list[Any]:
    """Some words; one alone is a list of one, or with `letters` one of its letters. Raises
    `InputError` for what is no list."""
    try:
        return [value] if isinstance(value, str) and not letters else list(value)
    except TypeError:
        raise InputError(f"expected {name} to be a list of words, got {value!r}",
                         where=where) from None


def text_of(value: Any, name: str, where: str) -> str:
    """A text; a number is one too. Raises `InputError` for anything else: `None` would be a word,
    and what has no text of its own has its address in memory."""
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if not isinstance(value, (str, *REAL)):
        raise InputError(f"expected {name} to be a text or a number, got {value!r}", where=where)
    return str(value)


def colour_of(value: Any, name: str, where: str) -> str:
    """A colour as six digits. Raises `InputError` for anything else."""
    if not isinstance(value, str) or not COLOUR.fullmatch(value):
        raise InputError(f"expected {name} to be a colour like '#D55E00', got {value!r}",
                         where=where)
    return value


def dashes_of(value: Any, name: str, where: str) -> str:
    """The lengths of a line's dashes and gaps, in turn; "" for a whole line. Raises `InputError`
    for anything else."""
    if not isinstance(value, str) or not DASHES.fullmatch(value):
        raise InputError(f"expected {name} to be up to 8 lengths of dashes and gaps like '4 3', or "
                         f"'' for a whole line, got {value!r}", where=where)
    return value


def font_of(value: Any, where: str) -> str:
    """The name of a font, or several. Raises `InputError` for anything else."""
    if not isinstance(value, str) or not value.strip() or len(value) > 100 \
            or not FONT.fullmatch(value):
        raise InputError(f"expected font to be the name of a font like 'Fira Sans', got {value!r}",
                         where=where)
    return value
