"""Optimisers: a rule, its options, and the parameters it moves.

The question this file answers: *who remembers what, from one update to the next?*

An `Optimizer` holds no formula: it looks its rule up in `RULES`. The functions below it have the
argument names and defaults of PyTorch's classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from typing import Any

from ..core.graph import Node, tick
from ..core.inplace import assign_all
from ..errors import InputError
from ..nn.options import yes_or_no
from .given import checked, copied, fitting, like_parameter, named, same_keys, within, without
from .rules import DECOUPLED, RULES, Memory
from .schedules import Schedule


class Optimizer:
    """A rule of `RULES`, its options, and the parameters it moves.

    `params` is a Module, a dict of leaves by name, or an iterable of leaves. `lr` is a number, or a
    schedule: a function of the number of updates made before (see `schedules`). `weight_decay` λ
    adds λ p to each gradient; with AdamW it takes lr λ p off the parameter itself. `steps` counts
    the updates. Raises `InputError` for what is no parameter, and for options that cannot be.
    """

    def __init__(self, params: Any, rule: str, lr: float | Schedule, weight_decay: float = 0.0,
                 **options: Any) -> None:
        self.params = named(params, rule)
        self.rule, self.steps = rule, 0
        self.schedule = lr if callable(lr) else None
        first = lr(0) if callable(lr) else lr
        self.options = checked({"lr": first, **options, "weight_decay": weight_decay}, rule)
        self.memory: dict[str, Memory] = {name: {} for name in self.params}

    @property
    def lr(self) -> float:
        """The learning rate of the next update. Assigning one ends a schedule."""
        if self.schedule is None:
            return float(self.options["lr"])
        return within(self.schedule(self.steps), "lr", self.rule)

    @lr.setter
    def lr(self, lr: float) -> None:
        self.options["lr"], self.schedule = within(lr, "lr", self.rule), None

    def step(self) -> None:
        """Move every parameter that has a gradient: p.data = p.data - step.

        All of them move at the end, together with what is remembered of them: after an error or an
        interrupt the step was made as a whole or not at all.
        """
        options = {**self.options, "lr": self.lr}
        decay, rule = options.pop("weight_decay"), RULES[self.rule]
        moved, new, memory = list[Node](), list[Any](), dict(self.memory)
        for name, p in self.params.items():
            if p.grad is None:
                continue
            apart = self.rule in DECOUPLED
            g = p.grad + decay * p.value if decay and not apart else p.grad
            step, memory[name] = rule(g, self.memory[name], **options)
            if decay and apart:
                step = step + options["lr"] * decay * p.value
            moved.append(p)
            new.append(p.value - step)
        own = {"memory": memory, "steps": self.steps + 1,
               "options": {**self.options, "lr": options["lr"]}}
        assign_all(moved, new, tick(), map(setattr, repeat(self), own, own.values()))

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.params.values():
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on later: {"rule", "steps", "options", "memory": {name: {...}}}.

        A schedule is a function, and stays in the program: `steps` says where it stands.
        """
        return {"rule": self.rule, "steps": self.steps,
                "options": {**self.options, "lr": self.lr},
                "memory": copied(self.memory, self.params)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`. Rule, names and shapes must fit, or nothing is
        changed: `InputError`, `ShapeError`."""
        where = f"{self.rule}.load_state_dict"
        same_keys(state, self.state_dict(), "a state_dict of", where)
        if state["rule"] != self.rule:
            raise InputError(f"expected the state of {self.rule}, got that of {state['rule']}",
                             where=where)
        options, memory = state["options"], state["memory"]
        same_keys(options, self.options, "the options", where)
        options = checked(options, where)
        same_keys(memory, self.params, "the parameters", where)
        for name, p in self.params.items():
            fitting(memory[name], name, p, where)
            if memory[name]:  # else it has not moved yet
                _, like = RULES[self.rule](0.0, {}, **without(options, "weight_decay"))
                same_keys(memory[name], like, f"the memory of {name} to be", where)
        steps = int(within(state["steps"], "steps", where))
        kept = copied(memory, self.params)
        for name, p in self.params.items():
            kept[name] = {key: like_parameter(x, p) for key, x in kept[name].items()}
        self.memory, self.steps, self.options = kept, steps, options

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value}"
                            for name, value in {**self.options, "lr": self.lr}.items())
        return f"{self.rule}({len(self.params)} parameters, {options})"


# --- one function per rule ----------------------------------------------------------------------


def SGD(params: Any, lr: float | Schedule = 1e-3, momentum: float = 0.0, nesterov: bool = False, *,
        dampening: float = 0.0, weight_decay: float = 0.0) -> Optimizer:
    """Stochastic gradient descent: see `rules.sgd`. Raises `InputError` for nesterov without
    momentum, or with dampening."""
    nesterov = yes_or_no(nesterov, "nesterov", "SGD")
    if nesterov and (not within(momentum, "momentum", "SGD") or dampening):
        raise InputError("nesterov needs a momentum above 0 and no dampening", where="SGD")
    return Optimizer(params, "SGD", lr, weight_decay, momentum=momentum, dampening=dampening,
                     nesterov=nesterov)


def Adagrad(params: Any, lr: float | Schedule = 1e-2, lr_decay: float = 0.0,
            weight_decay: float = 0.0, initial_accumulator_value: float = 0.0, eps: float = 1e-10,
            *, eps_inside_root: bool = False) -> Optimizer:
    """Steps that shrink with the squares seen so far: see `rules.adagrad`. `eps_inside_root=True`
    is the form of min-char-rnn."""
    return Optimizer(params, "Adagrad", lr, weight_decay, lr_decay=lr_decay, eps=eps,
                     initial_accumulator_value=initial_accumulator_value,
                     eps_inside_root=eps_inside_root)


def RMSprop(params: Any, lr: float | Schedule = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
            weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False, *,
            eps_inside_root: bool = False) -> Optimizer:
    """Steps divided by a running size of the gradient: see `rules.rmsprop`. `eps_inside_root=True`
    is the form of TensorFlow."""
    return Optimizer(params, "RMSprop", lr, weight_decay, alpha=alpha, eps=eps, momentum=momentum,
                     centered=centered, eps_inside_root=eps_inside_root)


def Adam(params: Any, lr: float | Schedule = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
         eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, *,
         eps_inside_root: bool = False) -> Optimizer:
    """Running averages of the gradient and of its square: see `rules.adam`."""
    return Optimizer(params, "Adam", lr, weight_decay, betas=betas, eps=eps, amsgrad=amsgrad,
                     eps_inside_root=eps_inside_root)


def AdamW(params: Any, lr: float | Schedule = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
          eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *,
          eps_inside_root: bool = False) -> Optimizer:
    """Adam, with a weight decay that its averages do not see: see `rules.DECOUPLED`."""
    return Optimizer(params, "AdamW", lr, weight_decay, betas=betas, eps=eps, amsgrad=amsgrad,
                     eps_inside_root=eps_inside_root)
