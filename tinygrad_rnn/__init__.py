"""tinygrad_rnn: a glass-box autograd engine for recurrent networks.

    import tinygrad_rnn as tg                     values, tensors, gradients, the graph, the flow
    from tinygrad_rnn import draw, nn, optim      drawings, networks, update rules
    from tinygrad_rnn.testing import check_gradients

The public names in reading order. To read the source, start at `core/nodes.py`, `core/graph.py`,
`core/ops.py`, `core/backprop.py` and `core/values.py`, in this order.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from .later import later as _later

if _TYPE_CHECKING:  # at run time these come when they are first asked for: see `later`
    from .bptt.attribution import Attribution
    from .bptt.contribution import Contribution
    from .bptt.costs import ThreeWays
    from .bptt.diff import Diff, diff
    from .bptt.directions import Directions
    from .bptt.flow import GradientFlow, gradient_flow
    from .bptt.jacobians import StepJacobians, step_jacobians
    from .bptt.ledger import Ledger, Row
    from .bptt.mistakes import MISTAKES
    from .bptt.truncated import truncated_bptt
    from .bptt.truncation import Truncation, truncation
    from .bptt.ways import three_ways
    from .bptt.whatif import WrongFlow, what_if
    from .core.checkpoint import checkpoint
    from .core.custom import op
    from .core.functions import (
        elu,
        erf,
        gelu,
        hard_sigmoid,
        hard_tanh,
        leaky_relu,
        log_sigmoid,
        log_softmax,
        logsumexp,
        selu,
        silu,
        softmax,
        softplus,
    )
    from .core.gradients import grad
    from .core.graph import Node, Op
    from .core.numpy_ops import choose as where
    from .core.ops import cos, exp, linear, log, maximum, minimum, relu, sigmoid, sin, sqrt, tanh
    from .core.per_sample import (
        binary_cross_entropy_with_logits,
        cross_entropy,
        one_hot,
        squared_error,
    )
    from .core.place import fused, no_grad, record_sites, scope, timestep
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
    from .nn.fused_open import open_fused

__version__ = "0.1.0"
__all__ = [  # noqa: RUF022  (in reading order)
    "Value", "Tensor", "Node", "Op",
    "timestep", "scope", "fused", "open_fused", "no_grad", "record_sites",
    "detect_anomaly", "strict",
    "grad", "jacobian", "hessian", "hvp", "vjp", "jvp", "value_and_grad", "checkpoint", "op",
    "gradient_flow", "GradientFlow", "Ledger", "Row", "Contribution", "Attribution",
    "truncated_bptt", "step_jacobians", "StepJacobians", "truncation", "Truncation",
    "Directions", "three_ways", "ThreeWays", "what_if", "WrongFlow", "MISTAKES", "diff", "Diff",
    "nodes", "edges", "uses", "path", "release",
    "exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "maximum", "minimum", "where",
    "linear", "softmax", "log_softmax", "logsumexp", "softplus", "log_sigmoid", "gelu", "silu",
    "elu", "selu", "leaky_relu", "hard_sigmoid", "hard_tanh", "erf", "one_hot", "cross_entropy",
    "binary_cross_entropy_with_logits", "squared_error",
    "TinygradRNNError", "ShapeError", "DTypeError", "UnsupportedError", "GradientError",
    "AnomalyError", "InputError",
]

__getattr__, __dir__ = _later(__name__, {
    "bptt.attribution": "Attribution",
    "bptt.contribution": "Contribution",
    "bptt.costs": "ThreeWays",
    "bptt.diff": "Diff diff",
    "bptt.directions": "Directions",
    "bptt.flow": "GradientFlow gradient_flow",
    "bptt.jacobians": "StepJacobians step_jacobians",
    "bptt.ledger": "Ledger Row",
    "bptt.mistakes": "MISTAKES",
    "bptt.truncated": "truncated_bptt",
    "bptt.truncation": "Truncation truncation",
    "bptt.ways": "three_ways",
    "bptt.whatif": "WrongFlow what_if",
    "core.checkpoint": "checkpoint",
    "core.custom": "op",
    "core.functions": "elu erf gelu hard_sigmoid hard_tanh leaky_relu log_sigmoid log_softmax "
                      "logsumexp selu silu softmax softplus",
    "core.gradients": "grad",
    "core.graph": "Node Op",
    "core.numpy_ops": "where=choose",
    "core.ops": "cos exp linear log maximum minimum relu sigmoid sin sqrt tanh",
    "core.per_sample": "binary_cross_entropy_with_logits cross_entropy one_hot squared_error",
    "core.place": "fused no_grad record_sites scope timestep",
    "core.transforms": "hessian hvp jacobian jvp value_and_grad vjp",
    "core.values": "Tensor Value",
    "core.walk": "edges nodes path release uses",
    "core.watch": "detect_anomaly strict",
    "errors": "AnomalyError DTypeError GradientError InputError ShapeError TinygradRNNError "
              "UnsupportedError",
    "nn.fused_open": "open_fused",
}, ("bptt", "draw", "nn", "optim", "testing", "train"))
