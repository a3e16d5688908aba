"""The layers: who may import whom. Read from the source with `ast`; nothing is run for it."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tinygrad_rnn

PACKAGE = Path(tinygrad_rnn.__file__).parent
NAME = PACKAGE.name

# errors <- core <- nn <- bptt <- train, core <- testing, {core, nn, bptt} <- draw
MAY_IMPORT = {
    "errors": set(),
    "later": set(),
    "core": {"errors"},
    "nn": {"errors", "core"},
    "optim": {"errors", "core", "nn"},  # an optimiser takes a module as well as its parameters
    "bptt": {"errors", "core", "nn"},
    "testing": {"errors", "core", "later"},
    "draw": {"errors", "core", "nn", "bptt"},
    "train": {"errors", "core", "nn", "bptt", "optim"},
}
SEES_EVERYTHING = {"interop", "cli", "__main__", "__init__", "testing.plugin"}

# within core, from the bottom up: a file imports only from lines above its own
CORE = [
    {"place", "words", "freeing"},
    {"inplace", "nodes"},
    {"graph"},
    {"totals"},
    {"hooks", "guards", "ops"},
    {"together", "in_line"},
    {"rules"},
    {"taken"},
    {"backprop"},
    {"gradients"},
    {"protocol"},
    {"conversions"},
    {"values"},
]


def modules():
    """Every module of the package: dotted name without the package -> its source file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"] = path
    return found


MODULES = modules()


def is_type_checking(test):
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"


def import_nodes(tree, deferred):
    """The import statements of a module: those that run on import, and on request the ones inside
    functions. What stands under `if TYPE_CHECKING` never runs."""
    waiting = list(tree.body)
    for node in waiting:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            waiting += node.orelse
        elif deferred or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


@cache
def statements(path, deferred):
    """The import statements of a file, which several tests ask for."""
    return list(import_nodes(ast.parse(path.read_text(encoding="utf-8")), deferred))


def target(module, node, alias):
    """The module of this package that an import statement brings in, or None."""
    if isinstance(node, ast.Import):
        return resolve(alias.name.split(".")[1:]) if alias.name.split(".")[0] == NAME else None
    base = (node.module or "").split(".") if node.module else []
    if node.level:
        home = [] if module == "__init__" else module.split(".")
        is_package = MODULES[module].name == "__init__.py"
        up = node.level - 1 if is_package else node.level
        base = home[: len(home) - up] + base
    elif base[:1] == [NAME]:
        base = base[1:]
    else:
        return None
    return resolve([*base, alias.name])


def resolve(parts):
    """The longest prefix that is a module; the names imported from it do not matter."""
    while parts and ".".join(parts) not in MODULES:
        parts = parts[:-1]
    return ".".join(parts) or "__init__"


def imports(module, deferred=False):
    """The modules of this package that a module imports."""
    found = {target(module, node, alias)
             for node in statements(MODULES[module], deferred) for alias in node.names}
    return found - {None, module}


def layer(module):
    return module.split(".")[0]


def sees_everything(module):
    return layer(module) in SEES_EVERYTHING or module in SEES_EVERYTHING


@pytest.mark.parametrize("module", [m for m in MODULES if not sees_everything(m)])
def test_the_arrows(module):
    """Imports inside functions count as well: a wall with a door at the back is none."""
    allowed = {layer(module)} | MAY_IMPORT.get(layer(module), set())
    wrong = {m for m in imports(module, deferred=True) if layer(m) not in allowed}
    assert not wrong, f"{module} must not import {sorted(wrong)}"


def test_every_layer_is_known():
    assert {layer(m) for m in MODULES if not sees_everything(m)} <= set(MAY_IMPORT)


def test_no_cycles():
    """Between modules, as they are when they are imported. A package that only gathers the public
    names of its own modules is left out: its modules do not go through it."""
    graph = {m: {i for i in imports(m) if i != "__init__"} for m in MODULES if m != "__init__"}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail("import cycle: " + " <- ".join(error.args[1]))
    assert set(order) == set(graph)


def test_nothing_imports_the_package_itself():
    assert [m for m in MODULES if not sees_everything(m) and "__init__" in imports(m, True)] == []


@pytest.mark.parametrize("name", sorted(set().union(*CORE)))
def test_the_order_within_core(name):
    rank = {f"core.{n}": i for i, names in enumerate(CORE) for n in names}
    mine = rank[f"core.{name}"]
    core = {m for m in imports(f"core.{name}") if m.startswith("core.")}
    wrong = {m for m in core if rank.get(m, 99) >= mine}
    assert not wrong, f"core.{name} stands below {sorted(wrong)}"


def test_only_the_renderer_knows_a_renderer():
    """Nothing else in the package starts a program or draws with somebody else's code."""
    renderers = {"graphviz_pure", "subprocess", "matplotlib", "webbrowser"}
    found = set()
    for module, path in MODULES.items():
        for node in statements(path, deferred=True):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            absolute = isinstance(node, ast.Import) or not node.level
            if absolute and renderers & {name.split(".")[0] for name in names}:
                found.add(module)
    assert found <= {"draw.render"}


def test_the_layers_themselves_have_no_cycle():
    TopologicalSorter(MAY_IMPORT).prepare()


def test_the_reader_of_imports_sees_them(tmp_path, monkeypatch):
    """The test above can fail: what a forbidden import looks like, in each of its forms."""
    source = """
import os
import tinygrad_rnn.cli
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from ..draw import api
else:
    from .. import optim
try:
    from ..bptt.flow import gradient_flow
except ImportError:
    pass
def f():
    from tinygrad_rnn.train import loop
class C:
    from .. import errors
"""
    path = tmp_path / "planted.py"
    path.write_text(source)
    monkeypatch.setitem(MODULES, "core.planted", path)
    for module in ("cli", "draw.api", "optim", "bptt.flow", "train.loop", "errors"):
        monkeypatch.setitem(MODULES, module, path)
    assert imports("core.planted") == {"cli", "optim", "bptt.flow", "errors"}
    assert imports("core.planted", deferred=True) - imports("core.planted") == {"train.loop"}


def test_importing_loads_numpy_and_nothing_else_that_is_heavy():
    program = ("import sys, tinygrad_rnn as tg; bare = 'numpy' not in sys.modules; tg.Value(2.0); "
               "print(bare, *{m.partition('.')[0] for m in sys.modules})")
    run = subprocess.run([sys.executable, "-W", "error", "-c", program],
                         capture_output=True, text=True, check=True)
    bare, *loaded = run.stdout.split()
    assert bare == "True"  # nothing at all before the first name is asked for
    assert "numpy" in loaded
    loaded = set(loaded)
    heavy = {"rich", "graphviz", "graphviz_pure", "safetensors", "matplotlib", "torch", "jax",
             "onnx", "autograd", "micrograd", "scipy", "pandas", "IPython", "pytest", "hypothesis",
             "argparse", "asyncio", "unittest", "xml", "html", "http"}
    assert loaded & heavy == set()


def test_importing_draw_nn_and_testing_needs_numpy_only():
    program = ("import sys; from tinygrad_rnn import draw, nn, optim, testing; "
               "print(*{m.partition('.')[0] for m in sys.modules})")
    run = subprocess.run([sys.executable, "-W", "error", "-c", program],
                         capture_output=True, text=True, check=True)
    heavy = {"graphviz_pure", "safetensors", "matplotlib", "torch", "jax", "onnx", "autograd",
             "pytest", "hypothesis"}
    assert set(run.stdout.split()) & heavy == set()
