"""Optimisers: what a gradient does to its parameter.

The question this file answers: *what happens between `backward()` and the next forward?*

An update rule is a plain function: from the gradient, what it remembers of earlier ones (`memory`,
a dict, empty at first) and its options, it makes the step that is taken off the parameter and the
new memory. `RULES` is the table of them; an optimiser is a rule, its options and its parameters.
Argument names and defaults are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .core.graph import Node, leaf
from .core.words import describe
from .errors import GradientError, InputError, ShapeError
from .nn.module import Module

Memory = dict[str, Any]
Rule = Callable[..., tuple[Any, Memory]]


def sgd(g: Any, memory: Memory, *, lr: float, momentum: float = 0.0,
        nesterov: bool = False) -> tuple[Any, Memory]:
    """lr g;  with momentum μ:  v = μ v + g,  step = lr v;  Nesterov looks ahead: lr (g + μ v)."""
    if momentum == 0:
        return lr * g, memory
    v = momentum * memory.get("velocity", 0.0) + g
    return lr * (g + momentum * v if nesterov else v), {"velocity": v}


def adagrad(g: Any, memory: Memory, *, lr: float, lr_decay: float = 0.0,
            initial_accumulator_value: float = 0.0, eps: float = 1e-10,
            eps_inside_root: bool = False) -> tuple[Any, Memory]:
    """s = s + g²,  step = lr g / (sqrt(s) + eps)   (Duchi et al. 2011); or lr g / sqrt(s + eps)."""
    n = memory.get("steps", 0)
    s = memory.get("squares", initial_accumulator_value) + g * g
    root = np.sqrt(s + eps) if eps_inside_root else np.sqrt(s) + eps
    return lr / (1.0 + n * lr_decay) * g / root, {"steps": n + 1, "squares": s}


RULES: dict[str, Rule] = {"SGD": sgd, "Adagrad": adagrad}


class Optimizer:
    """A rule, its options, and the parameters it moves.

    `params` is a Module, a dict of leaves by name, or an iterable of leaves. `weight_decay` adds
    weight_decay * p to each gradient. Raises `InputError` for what is no parameter.
    """

    def __init__(self, params: Any, rule: str, weight_decay: float = 0.0, **options: Any) -> None:
        self.params = named(params, rule)
        self.rule, self.options = rule, {**options, "weight_decay": weight_decay}
        self.memory: dict[str, Memory] = {name: {} for name in self.params}
        for name in ("lr", "weight_decay", "momentum", "eps"):
            if not self.options.get(name, 0) >= 0:
                raise InputError(f"expected {name} of at least 0, got {self.options[name]!r}",
                                 where=rule)

    def step(self) -> None:
        """Move every parameter that has a gradient: p.data = p.data - step, all of them at the
        end."""
        options = dict(self.options)
        decay, rule = options.pop("weight_decay"), RULES[self.rule]
        moves = []
        for name, p in self.params.items():
            if p.grad is not None:
                g = p.grad + decay * p.value if decay else p.grad
                step, memory = rule(g, self.memory[name], **options)
                moves.append((name, p, p.value - step, memory))
        for name, p, new, memory in moves:
            p.data, self.memory[name] = new, memory

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.params.values():
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Options and memory, to go on later: {"rule", "options", "memory": {name: {...}}}."""
        return {"rule": self.rule, "options": dict(self.options),
                "memory": copied(self.memory, self.params)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`. Rule, names and shapes must fit, or nothing is changed."""
        where = f"{self.rule}.load_state_dict"
        if state.get("rule") != self.rule:
            raise InputError(f"expected the state of {self.rule}, got that of {state.get('rule')}",
                             where=where)
        memory = state["memory"]
        if set(memory) != set(self.params):
            raise InputError(f"expected the parameters {', '.join(self.params)}, got "
                             f"{', '.join(memory) or 'none'}", where=where)
        for name, p in self.params.items():
            for key, x in memory[name].items():
                if np.ndim(x) and np.shape(x) != np.shape(p.value):
                    raise ShapeError(f"expected {key} of {name} in shape {np.shape(p.value)}, got "
                                     f"{np.shape(x)}", where=where)
        self.options = {**self.options, **state["options"]}
        self.memory = copied(memory, self.params)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.rule}({len(self.params)} parameters, {options})"


def SGD(params: Any, lr: float = 1e-3, momentum: float = 0.0, nesterov: bool = False, *,
        weight_decay: float = 0.0) -> Optimizer:
    """Stochastic gradient descent: see `sgd`. Raises `InputError` for nesterov without momentum."""
    if nesterov and not momentum > 0:
        raise InputError("nesterov needs a momentum above 0", where="SGD")
    return Optimizer(params, "SGD", weight_decay, lr=lr, momentum=momentum, nesterov=nesterov)


def Adagrad(params: Any, lr: float = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
            initial_accumulator_value: float = 0.0, eps: float = 1e-10, *,
            eps_inside_root: bool = False) -> Optimizer:
    """Steps that shrink with the squares seen so far: see `adagrad`. `eps_inside_root=True` is the
    form of min-char-rnn."""
    return Optimizer(params, "Adagrad", weight_decay, lr=lr, lr_decay=lr_decay, eps=eps,
                     initial_accumulator_value=initial_accumulator_value,
                     eps_inside_root=eps_inside_root)


def copied(memory: Mapping[str, Memory], names: Iterable[str]) -> dict[str, Memory]:
    """The memory of these parameters, with arrays of its own."""
    return {name: {key: np.copy(x) if isinstance(x, np.ndarray) else x
                   for key, x in memory[name].items()} for name in names}


def named(params: Any, where: str) -> dict[str, Any]:
    """The parameters by name: those of a Module, a dict as it is, others numbered."""
    if isinstance(params, Module):
        found = dict(params.named_parameters())
    elif isinstance(params, Mapping):
        found = {str(name): p for name, p in params.items()}
    elif isinstance(params, Iterable) and not isinstance(params, Node):
        found = {str(i): p for i, p in enumerate(params)}
    else:
        raise InputError(f"expected a Module, a dict or an iterable of parameters, got "
                         f"{type(params).__name__}", where=where)
    for p in found.values():
        if not isinstance(p, Node) or p.op is not leaf:
            raise InputError(f"expected parameters (leaves with requires_grad=True), got "
                             f"{describe(p) if isinstance(p, Node) else type(p).__name__}",
                             where=where)
    if not found or len(set(found.values())) < len(found):
        raise InputError("expected at least one parameter, and each once", where=where)
    return found


# --- clipping -----------------------------------------------------------------------------------


def clip_grad_norm(params: Any, max_norm: float, norm_type: float = 2,
                   error_if_nonfinite: bool = False) -> float:
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)) and return the norm before it.

    The norm is that of all gradients as one vector (Pascanu et al. 2013); `norm_type` may be inf.
    With `error_if_nonfinite` a norm that is NaN or Inf raises `GradientError` and nothing is
    scaled.
    """
    leaves = [p for p in named(params, "clip_grad_norm").values() if p.grad is not None]
    entries = [np.ravel(p.grad) for p in leaves]
    norm = float(np.linalg.norm(np.concatenate(entries), norm_type)) if entries else 0.0
    if error_if_nonfinite and not np.isfinite(norm):
        bad = [describe(p) for p in leaves if not np.all(np.isfinite(p.grad))]
        raise GradientError(f"the norm of the gradients is {norm}: see "
                            f"{', '.join(bad) or 'their size'}", where="clip_grad_norm")
    scale = max_norm / (norm + 1e-6)
    if not scale >= 1.0:
        for p in leaves:
            p.grad = p.grad * scale
    return norm


def clip_grad_value(params: Any, clip_value: float) -> None:
    """Cut every entry of every gradient to [-clip_value, clip_value]."""
    for p in named(params, "clip_grad_value").values():
        if p.grad is not None:
            clipped = np.clip(p.grad, -clip_value, clip_value)
            p.grad = float(clipped) if p.is_scalar else clipped
