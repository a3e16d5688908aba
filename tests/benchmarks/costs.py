"""What a process of its own costs: its peak memory, or the time to its first gradient.

    python tests/benchmarks/costs.py memory NAME KIND B T H V      prints the peak, in bytes
    python tests/benchmarks/costs.py first NAME               prints a gradient

A process of its own, since what a framework allocates is seen by nobody else than the system.
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

FIRST = {  # name -> a program: a tanh RNN of three steps, the gradient of its weight
    "ours": """
import numpy as np, tinygrad_rnn as tg
from tinygrad_rnn import nn
layer = nn.RNN(4, 3, return_sequences=True, seed=0)
loss = (layer(np.ones((3, 1, 4))) ** 2).sum()
loss.backward()
print(layer.cell.W_hh.grad[0, 0])
""",
    "torch": """
import torch
cell = torch.nn.RNNCell(4, 3)
h, loss = torch.zeros(1, 3), 0.0
for x in torch.ones(3, 1, 4):
    h = cell(x, h)
    loss = loss + (h ** 2).sum()
loss.backward()
print(cell.weight_hh.grad[0, 0].item())
""",
    "jax": """
import jax, jax.numpy as jnp
def loss(W):
    def step(h, x):
        h = jnp.tanh(x @ W[:4] + h @ W[4:])
        return h, h
    return (jax.lax.scan(step, jnp.zeros((1, 3)), jnp.ones((3, 1, 4)))[1] ** 2).sum()
print(jax.jit(jax.grad(loss))(jnp.full((7, 3), 0.1))[0, 0])
""",
}


def memory(name, kind, B, T, H, V):
    """The peak of a process that does a training step, after a small one."""
    from comparison import rivals
    from handwritten import Problem

    make = rivals(kind)[name]
    make(Problem(B, 10, H, V, kind, "float32")).step()
    make(Problem(B, T, H, V, kind, "float32")).step()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def child(*arguments, compiled=None):
    """Run this file with these arguments on one thread: (what it printed, seconds). With the
    folder `compiled`, compiled modules are kept there and taken from there, whoever's they are
    and whatever PYTHONDONTWRITEBYTECODE says: the start of an installed package."""
    from alone import environment

    variables = environment(1)
    if compiled is not None:
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        variables["PYTHONPYCACHEPREFIX"] = str(compiled)
    start = time.perf_counter()
    run = subprocess.run([sys.executable, __file__, *map(str, arguments)], env=variables,
                         capture_output=True, text=True, check=True)
    return run.stdout.split()[-1], time.perf_counter() - start


def bytes_a_step(name, B, H, V, few, many, kind="rnn"):
    """Peak memory per time step: the slope between two lengths."""
    low, high = (int(child("memory", name, kind, B, T, H, V)[0]) for T in (few, many))
    return (high - low) / (many - few)


if __name__ == "__main__":
    if sys.argv[1] == "first":
        exec(FIRST[sys.argv[2]])
    else:
        print(memory(*sys.argv[2:4], *map(int, sys.argv[4:])))
