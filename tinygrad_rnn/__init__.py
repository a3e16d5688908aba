"""tinygrad_rnn: a glass-box autograd engine for recurrent networks.

    import tinygrad_rnn as tg                     values, tensors, gradients, the graph, the flow
    from tinygrad_rnn import draw, nn, optim      drawings, networks, update rules
    from tinygrad_rnn.testing import check_gradients

The public names in reading order. To read the source, start at `core/graph.py`, `core/ops.py`,
`core/backprop.py` and `core/values.py`, in this order.
"""

from .bptt.flow import Contribution, GradientFlow, Ledger, gradient_flow
from .core import numpy_ops as _numpy_ops  # fills the table of NumPy's functions
from .core.checkpoint import checkpoint
from .core.custom import op
from .core.functions import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    elu,
    erf,
    gelu,
    hard_sigmoid,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    logsumexp,
    one_hot,
    selu,
    silu,
    softmax,
    softplus,
    squared_error,
)
from .core.gradients import grad
from .core.graph import Node, Op
from .core.ops import cos, exp, linear, log, maximum, minimum, relu, sigmoid, sin, sqrt, tanh, where
from .core.place import no_grad, record_sites, scope, timestep
from .core.transforms import hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .core.values import Tensor, Value
from .core.walk import edges, nodes, path, release, uses
from .core.watch import detect_anomaly, strict
from .errors import (
    AnomalyError,
    DTypeError,
    GradientError,
    InputError,
    ShapeError,
    TinygradRNNError,
    UnsupportedError,
)

__version__ = "0.1.0"
__all__ = [  # noqa: RUF022  (in reading order)
    "Value", "Tensor", "Node", "Op",
    "timestep", "scope", "no_grad", "record_sites", "detect_anomaly", "strict",
    "grad", "jacobian", "hessian", "hvp", "vjp", "jvp", "value_and_grad", "checkpoint", "op",
    "gradient_flow", "GradientFlow", "Ledger", "Contribution",
    "nodes", "edges", "uses", "path", "release",
    "exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "maximum", "minimum", "where",
    "linear", "softmax", "log_softmax", "logsumexp", "softplus", "log_sigmoid", "gelu", "silu",
    "elu", "selu", "leaky_relu", "hard_sigmoid", "hard_tanh", "erf", "one_hot", "cross_entropy",
    "binary_cross_entropy_with_logits", "squared_error",
    "TinygradRNNError", "ShapeError", "DTypeError", "UnsupportedError", "GradientError",
    "AnomalyError", "InputError",
]
del _numpy_ops
