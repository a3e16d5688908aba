"""Graphs without time, each invented from its own seed: operations on whatever there is, attention
with its fans, and the graphs of their gradients."""

import random

from tinygrad_rnn import draw
from tinygrad_rnn.core import ops, walk
from tinygrad_rnn.core.gradients import grad
from tinygrad_rnn.core.values import Value


def dag(count, seed):
    """About so many operations, of near and of far operands; some of their results have names."""
    rng = random.Random(seed)
    made = [Value(rng.uniform(-1, 1), name=rng.choice(["x", "w", "long_name"]) + str(i))
            for i in range(rng.randint(1, 8))]
    used = set()
    for i in range(count):
        a = rng.choice(made[-rng.choice([1, 3, 10, 1000]):])
        b = rng.choice(made[-rng.choice([3, 40]):])
        kind = rng.random()
        y = a * b if kind < 0.4 else a + b if kind < 0.7 else ops.tanh(a) if kind < 0.9 else a - b
        made.append(y.named(f"s{i}") if rng.random() < 0.2 else y)
        used |= {id(a), id(b)}
    loose = [node for node in made if id(node) not in used]
    total = loose[0]
    for node in loose[1:]:
        total = total + node
    return total.named("L")


def attention(count):
    """Every query asks every key: a score, its share, and a sum of the values."""
    rng = random.Random(count)
    q, k, v = ([Value(rng.uniform(-1, 1), name=f"{name}{i}") for i in range(count)]
               for name in "qkv")
    total = 0.0
    for i in range(count):
        scores = [ops.exp(q[i] * key) for key in k]
        whole = scores[0]
        for score in scores[1:]:
            whole = whole + score
        seen = scores[0] / whole * v[0]
        for score, value in zip(scores[1:], v[1:]):
            seen = seen + score / whole * value
        total = seen.named(f"o{i}") + total
    return total


def gradients(count, seed):
    """The gradients of such a graph in a few of its leaves, as nodes."""
    root, rng = dag(count, seed), random.Random(seed)
    leaves = [node for node in walk.nodes(root) if node.is_leaf]
    found = grad(root, leaves[:rng.randint(1, 3)], create_graph=True)
    return [node for node in found if not node.is_leaf]


def pictures(counts, seeds, back, fans):
    """Names, and pictures."""
    for direction in ("right", "down"):
        for count in counts:
            for seed in range(seeds):
                yield f"{count} operations, {seed}, {direction}", draw.unrolled(
                    dag(count, seed), first=count, last=count, direction=direction, layout="own")
        for count in back:
            for seed in range(seeds):
                made = gradients(count, seed)
                if made:
                    yield f"gradients of {count}, {seed}, {direction}", draw.backward_graph(
                        made, direction=direction, layout="own")
        for count in fans:
            yield f"attention, {count}, {direction}", draw.unrolled(
                attention(count), first=count ** 3, last=count ** 3, direction=direction,
                layout="own")
    for count in counts:
        if count < 100:
            yield f"{count} scalars", draw.scalar(dag(count, 0))
