"""Names that are loaded when they are first asked for, so that importing a package costs nothing.

The question this file answers: *why is `import tinygrad_rnn` so fast?*
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module


def later(package: str, homes: dict[str, str], modules: Iterable[str] = ()
          ) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package (PEP 562).

    `homes` maps a module of the package to the names that live there, in one string; `name=other`
    stands for what is called `other` there. `modules` are those that can be asked for by name.
    """
    home: dict[str, tuple[str, str]] = {}
    for module, names in homes.items():
        for word in names.split():
            name, _, other = word.partition("=")
            home[name] = (module, other or name)

    def __getattr__(name: str) -> object:
        if name in home:
            module, there = home[name]
            found: object = getattr(import_module(f"{package}.{module}"), there)
        elif name in modules:
            found = import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, found)
        return found

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home, *modules})

    return __getattr__, __dir__
