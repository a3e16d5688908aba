"""Speed beside the peers: ratios of medians, the rivals taking turns in one run.

    python -m pytest tests/benchmarks

prints the table and holds the bars. It is not part of the ordinary suite: a busy machine is not a
wrong program.
"""

import sys

import numpy as np
import pytest

pytest.importorskip("autograd", reason="needs autograd (HIPS) to compare with")
pytest.importorskip("micrograd", reason="needs micrograd to compare with")

import rivals
from micrograd.engine import Value as MicrogradValue

from tinygrad_rnn.core.values import Value


@pytest.fixture
def deep():
    """micrograd's backward recurses over the depth of the graph."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(limit)


def compare(rows, what, times, bar):
    """Note the ratio of the first of two times to the second, and hold it to the bar."""
    (_, ours), (rival, theirs) = times.items()
    shown = f"{ours * 1e3:.2f} ms", f"{rival} {theirs * 1e3:.2f} ms"
    rows.append((what, *shown, ours / theirs, bar))
    assert ours / theirs <= bar


def scalar_works(program):
    return {"ours": program(Value), "micrograd": program(MicrogradValue)}


def gradients(result):
    """The gradients of all weights, in one list."""
    _, weights = result
    flat = weights
    while isinstance(flat[0], list):
        flat = [x for part in flat for x in part]
    return [w.grad for w in flat]


@pytest.mark.usefixtures("deep")
@pytest.mark.parametrize("program", [rivals.scalar_rnn, rivals.mlp])
def test_the_scalar_rivals_do_the_same(program):
    ours, theirs = (gradients(work()) for work in scalar_works(program).values())
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 1e-5)])
def test_the_tensor_rivals_do_the_same(dtype, tolerance):
    ours, theirs = rivals.ours(dtype)(), rivals.hips(dtype)()
    for name, g in ours.items():
        assert g.dtype == dtype
        np.testing.assert_allclose(g, theirs[name], rtol=0, atol=tolerance)


@pytest.mark.usefixtures("deep")
def test_scalars_on_a_recurrence(rows):
    times = rivals.interleaved(scalar_works(rivals.scalar_rnn), 15, in_a_row=10)
    compare(rows, "scalar RNN, 1,171 nodes", times, 0.8)


@pytest.mark.usefixtures("deep")
def test_scalars_on_an_mlp(rows):
    times = rivals.interleaved(scalar_works(rivals.mlp), 5)
    compare(rows, "scalar MLP x 100 samples, 64,738 nodes", times, 0.3)


def test_bytes_of_a_scalar_node(rows):
    size = rivals.bytes_a_node()
    rows.append(("bytes a scalar node", f"{size:.0f} B", "", size, 230))
    assert size <= 230


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensors(dtype, rows):
    works = {"ours": rivals.ours(dtype), "HIPS autograd": rivals.hips(dtype)}
    times = rivals.interleaved(works, 25)
    compare(rows, f"tensors, B=1 T=25 H=100 V=65, {dtype}", times, 0.2)


def test_import(rows):
    times = rivals.import_times(["import tinygrad_rnn", "import numpy"], 9)
    compare(rows, "import", times, 1.3)
