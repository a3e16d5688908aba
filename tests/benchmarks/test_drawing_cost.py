"""What a drawing costs: per box and line, whatever T is; and long sequences, elided.

    python -m pytest tests/benchmarks/test_drawing_cost.py -s
"""

import subprocess
import sys
import time
from functools import partial

from tests.draw import graphs
from tinygrad_rnn import draw
from tinygrad_rnn.bptt.flow import gradient_flow

EACH, MOST_MEMORY = 40e-6, 500.0  # seconds for a box or a line; MB


def seconds(work):
    """The processor time of the fastest of three runs, and the result."""
    best = []
    for _ in range(3):
        start = time.process_time()
        found = work()
        best.append(time.process_time() - start)
    return min(best), found


def test_every_step_drawn_in_linear_time():
    each = {}
    for T in (250, 500, 1_000, 2_000):
        root = graphs.vanilla(T)
        spent, picture = seconds(partial(drawn, root, T))
        count = len(picture.drawing.boxes) + len(picture.drawing.lines)
        each[T] = spent / count
        print(f"T = {T:5}: {count:6} boxes and lines, {spent:.2f} s, {each[T] * 1e6:.1f} µs each")
    assert each[2_000] <= 1.5 * each[250]
    assert each[2_000] <= EACH


def test_every_step_drawn_in_little_memory():
    """In a process of its own: the most that it ever had. What getrusage calls the most begins
    with that of the process which started this one, and that has drawn a lot by now."""
    code = ("from tests.draw import graphs; from tinygrad_rnn import draw; "
            "draw.unrolled(graphs.vanilla(2_000), first=2_000, last=0).svg(); "
            "status = open('/proc/self/status').read(); "
            "print(status.split('VmHWM:')[1].split()[0])")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    memory = int(told.stdout) / 1024
    print(f"{memory:.0f} MB at most")
    assert memory < MOST_MEMORY


def drawn(root, T):
    picture = draw.unrolled(root, first=T, last=0)
    picture.svg()
    return picture


def test_a_hundred_thousand_steps_elided():
    root = graphs.vanilla(100_000)
    start = time.process_time()
    draw.unrolled(root).svg()
    spent = time.process_time() - start
    flow = gradient_flow(root)
    start = time.process_time()
    draw.gradient_flow(flow).svg()
    flowing = time.process_time() - start
    print(f"unrolled {spent:.2f} s, gradient flow {flowing:.2f} s")
    assert spent < 5.0
    assert flowing < 1.0
