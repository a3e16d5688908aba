"""Operands for every row of the op table: what to call it with, whatever the shape.

A sample is a function of a `Draw` (a shape, and random numbers) that gives the operands and options
of one call. Operands stay away from kinks and poles. A row without a sample fails the suite.
"""

import numpy as np

from tinygrad_rnn.core import algebra, ops


class Draw:
    """A shape to use, and seeded random numbers."""

    def __init__(self, shape, seed):
        self.shape, self.rng = shape, np.random.default_rng(seed)

    def uniform(self, low=-1.0, high=1.0, shape=None):
        return self.rng.uniform(low, high, self.shape if shape is None else shape)

    def away(self, low=0.3, high=1.5, shape=None):
        """Either sign, at least `low` from 0."""
        size = self.uniform(low, high, shape)
        return size * self.rng.choice([-1.0, 1.0], np.shape(size))

    def partner(self):
        """A shape that broadcasts with ours: fewer axes in front, some of size 1."""
        tail = self.shape[self.rng.integers(0, len(self.shape) + 1):]
        return tuple(1 if self.rng.random() < 0.4 else n for n in tail)

    def at_least(self, ndim):
        """Our shape, with axes of size 2 in front if it has too few."""
        return (2,) * (ndim - len(self.shape)) + self.shape

    def axis(self, shape=None, several=True, filled=False):
        """One axis (from either end), several, or None; `filled`: none of size 0."""
        shape = self.shape if shape is None else shape
        axes = [i for i, n in enumerate(shape) if n or not filled]
        if not axes or several and self.rng.random() < 0.25 and not (filled and 0 in shape):
            return None
        if several and self.rng.random() < 0.3:
            return tuple(self.rng.permutation(axes)[: self.rng.integers(1, len(axes) + 1)].tolist())
        axis = int(self.rng.choice(axes))
        return axis - len(shape) if self.rng.random() < 0.5 else axis

    def sizes(self, count, low=0):
        return tuple(int(n) for n in self.rng.integers(low, 4, count))

    def flag(self):
        return bool(self.rng.random() < 0.5)


def one(low=-1.0, high=1.0):
    """One operand, any shape, entries between two bounds."""
    return lambda d: ((d.uniform(low, high),), {})


def kinked(low=0.3, high=1.5, **options):
    """One operand that stays away from 0."""
    return lambda d: ((d.away(low, high),), options)


def two(low=-1.0, high=1.0, *second):
    """Two operands whose shapes broadcast, in either order."""
    bounds = second or (low, high)

    def sample(d):
        big, small = d.shape, d.partner()
        shapes = (big, small) if d.flag() else (small, big)
        return (d.uniform(low, high, shapes[0]), d.uniform(*bounds, shapes[1])), {}

    return sample


def apart(d):
    """Two operands, no entry of one equal to that of the other."""
    return (d.uniform(), d.uniform() + d.away(2.5, 3.0)), {}


def steps(d):
    """Entries well between two whole numbers."""
    return (d.rng.integers(-3, 3, d.shape) + d.uniform(0.2, 0.4),), {}


def divided(d):
    """a / b well between two whole numbers."""
    b = d.away(0.5, 1.5)
    return (b * (d.rng.integers(-3, 3, d.shape) + d.uniform(0.2, 0.4)), b), {}


def distinct(d, shape):
    """No two entries nearer than 0.5."""
    n = int(np.prod(shape))
    return (d.rng.permutation(n) * 0.5 + d.uniform(0, 0.1, (n,))).reshape(shape)


def choice(d):
    (a, b), _ = two()(d)
    return (a, b), {"condition": d.rng.random(np.broadcast_shapes(a.shape, b.shape)) < 0.5}


def factors(d):
    """Operands of `@`: vectors, matrices, stacks of matrices that broadcast."""
    n, k, m = d.sizes(3)
    batch = d.shape[:2]
    left = [(k,), (n, k), (*batch, n, k)][d.rng.integers(3)]
    right = [(k,), (k, m), (*batch, k, m), (*(1,) * len(batch), k, m)][d.rng.integers(4)]
    return (d.uniform(shape=left), d.uniform(shape=right)), {}


def affine(d):
    i, o = d.sizes(2)
    return (d.uniform(shape=(*d.shape, i)), d.uniform(shape=(o, i))), {}


def outer(d):
    i, o = d.sizes(2)
    batch = d.at_least(1)
    return (d.uniform(shape=(*batch, o)), d.uniform(shape=(*batch, i))), {}


def reduced(d):
    return (d.uniform(),), {"axis": d.axis(), "keepdims": d.flag()}


def extreme(d):
    shape = tuple(max(n, 1) for n in d.shape)
    return (distinct(d, shape),), {"axis": d.axis(shape), "keepdims": d.flag()}


def length(d):
    return (d.away(),), {"axis": d.axis(), "keepdims": d.flag()}


def classes(d):
    """An operand with an axis of classes, none of size 0."""
    shape = tuple(max(n, 1) for n in d.at_least(1))
    return d.uniform(-3, 3, shape), d.axis(shape, several=False)


def classified(d):
    x, axis = classes(d)
    samples = tuple(np.delete(x.shape, axis).tolist())
    return (x, d.rng.integers(0, x.shape[axis], samples)), {"axis": axis}


def distributed(d):
    x, axis = classes(d)
    return (x, d.uniform(0.1, 1.0, x.shape)), {"axis": axis}


def along(d):
    x, axis = classes(d)
    return (x,), {"axis": axis}


def summed(d):
    x, _ = classes(d)
    return (x,), {"axis": d.axis(x.shape), "keepdims": d.flag()}


def repeated(d):
    return (d.uniform(shape=d.partner()),), {"shape": d.sizes(1) + d.shape}


def reshaped(d):
    shape = d.shape[::-1] if d.flag() else (1, int(np.prod(d.shape)))
    return (d.uniform(),), {"shape": shape}


def permuted(d):
    axes = tuple(int(i) for i in d.rng.permutation(len(d.shape)))
    return (d.uniform(),), {} if d.flag() else {"axes": axes}


def indices(d, shape):
    """Every kind of index: slices, new axes, numbers, repeated places, masks."""
    n = shape[0]
    kinds = [(slice(None, None, -1),), (..., None), (slice(1, None),), (slice(-2, None, 2), ...),
             (d.rng.random(shape) < 0.5,), (d.rng.random(n) < 0.5,)]
    if n:
        places = d.rng.integers(-n, n, (2, 3))
        kinds += [(int(places[0, 0]),), (places,), (places[0],), (..., None)]
        kinds += [(..., None, 0)] if shape[-1] else []
        if len(shape) > 1 and shape[1]:
            kinds += [(places[0], d.rng.integers(0, shape[1], 3)), (slice(None), [0, 0, -1])]
    index = kinds[d.rng.integers(len(kinds))]
    return index[0] if isinstance(index, tuple) and len(index) == 1 else index


def picked(d):
    shape = d.at_least(1)
    return (d.uniform(shape=shape),), {"index": indices(d, shape)}


def placed(d):
    shape = d.at_least(1)
    index = indices(d, shape)
    return (d.uniform(shape=np.empty(shape)[index].shape),), {"index": index, "shape": shape}


def joined(d):
    shape = d.at_least(1)
    axis = d.axis(shape, several=False)
    parts = []
    for n in d.sizes(3):
        part = list(shape)
        part[axis] = n
        parts.append(d.uniform(shape=part))
    return tuple(parts), {"axis": axis}


def stacked(d):
    axis = int(d.rng.integers(-len(d.shape) - 1, len(d.shape) + 1))
    return tuple(d.uniform() for _ in range(3)), {"axis": axis}


def lined(d):
    """Along the last axis, with a zero now and then."""
    x = d.away(shape=d.at_least(1))
    return (x * (d.rng.random(x.shape) > 0.2),), {}


def recurrent(d):
    shape = d.at_least(1)
    return (d.uniform(shape=shape), d.uniform(shape=shape)), {}


def cumulated(d):
    shape = d.at_least(1)
    return (d.uniform(shape=shape),), {"axis": int(d.axis(shape, several=False)) % len(shape)}


EINSUMS = ["ij,jk->ik", "bij,bjk->bik", "ij->ji", "ii->", "ii->i", "iji->j", "i,j->ij", "ij,ij->",
           "bi,ij,bj->b", "ij->", "i->", "tbi,hi->tbh", "ij,j->", "iij,jk->ki", ",i->i"]


def contracted(d):
    subscripts = str(d.rng.choice(EINSUMS))
    size = dict(zip("bhijkt", d.sizes(6)))
    terms = subscripts.split("->")[0].split(",")
    operands = tuple(d.uniform(shape=tuple(size[c] for c in term)) for term in terms)
    return operands, {"subscripts": subscripts}


def square(d):
    n = int(d.rng.integers(1, 4))
    return (d.uniform(shape=(*d.shape[:1], n, n)) + 3 * np.eye(n),), {}


def system(d):
    (a,), _ = square(d)
    return (a, d.uniform(shape=(*a.shape[:-2], a.shape[-1], d.sizes(1)[0]))), {}


def clipped(d):
    """Below, between and above the bounds."""
    band = d.rng.integers(0, 3, d.shape)
    x = np.choose(band, [d.uniform(-3, -1.5), d.uniform(-0.5, 0.5), d.uniform(1.5, 3)])
    return (x, d.uniform(-1.2, -0.8, d.partner()), d.uniform(0.8, 1.2, d.partner())), {}


def banded(scale):
    """Left of, on and right of the slope between -scale and scale."""
    return lambda d: ((clipped(d)[0][0] * scale,), {})


SAMPLES = {
    # ops
    "add": two(), "sub": two(), "mul": two(), "div": two(-1, 1, 0.5, 2), "neg": one(),
    "power": two(0.5, 2, -2, 2), "exp": one(), "log": one(0.5, 2), "sqrt": one(0.5, 2),
    "sin": one(), "cos": one(), "tanh": one(), "sigmoid": one(), "relu": kinked(),
    "sign": kinked(), "absolute": kinked(), "maximum": apart, "minimum": apart, "where": choice,
    "matmul": factors, "linear": affine, "outer_sum": outer, "sum_": reduced,
    "broadcast_to": repeated, "cast": lambda d: ((d.uniform(),), {"dtype": np.dtype("f8")}),
    "reshape": reshaped, "transpose": permuted, "getitem": picked, "scatter": placed,
    "concatenate": joined, "stack": stacked,
    # numpy_ops
    "log1p": one(-0.5, 1), "expm1": one(), "log2": one(0.5, 2), "log10": one(0.5, 2),
    "exp2": one(), "square": one(), "reciprocal": kinked(0.5), "cbrt": kinked(), "tan": one(),
    "arcsin": one(-0.8, 0.8), "arccos": one(-0.8, 0.8), "arctan": one(), "sinh": one(),
    "cosh": one(), "arcsinh": one(), "arccosh": one(1.5, 3), "arctanh": one(-0.8, 0.8),
    "floor": steps, "ceil": steps, "trunc": steps, "rint": steps,
    "rounded": lambda d: (steps(d)[0], {"decimals": int(d.flag()) * -2}),
    "arctan2": two(0.5, 2), "hypot": two(0.5, 2), "logaddexp": two(), "remainder": divided,
    "fmod": divided, "floor_divide": divided, "clip_": clipped,
    # reductions
    "sum_of": lambda d: (tuple(d.uniform() for _ in range(3)), {}),
    "cumsum": cumulated, "largest": extreme, "smallest": extreme, "recurrence": recurrent,
    "cumprod": lined, "product": lined,
    # algebra
    "einsum_": contracted, "inv": square, "solve_": system, "det": square, "log_det": square,
    "cholesky_": square, "length": length,
    # functions
    "softplus": one(-3, 3), "log_sigmoid": one(-3, 3), "silu": one(-3, 3), "elu": kinked(),
    "leaky_relu": kinked(negative_slope=0.2), "hard_sigmoid": banded(2.5),
    "hard_tanh": banded(1.0), "erf": one(-2, 2), "normal_cdf": one(-2, 2),
    "gelu_erf": one(-2, 2), "gelu_tanh": one(-2, 2), "softmax_": along, "log_softmax_": along,
    "logsumexp_": summed, "class_cross_entropy": classified, "cross_entropy_": distributed,
    "binary_cross_entropy_with_logits": two(-2, 2, 0, 1), "squared_error": two(),
}

# how to call a row whose operand must be more than the right shape
CALLS = {
    # only the lower triangle is read, so the operand is made symmetric first
    "cholesky_": lambda a: algebra.cholesky_(ops.matmul(a, ops.swap(a))),
}
