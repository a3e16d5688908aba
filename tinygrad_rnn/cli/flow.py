"""`flow`: the ledger of a weight, the size of the gradient at every step, and a verdict.

The question this file answers: *what did the gradient do on its way back, in this model?*
"""

from __future__ import annotations

from typing import Any

from ..bptt.carried import Graph
from ..bptt.flow import GradientFlow, gradient_flow
from ..bptt.jacobians import step_jacobians
from ..bptt.table import wrapped
from ..core.graph import Node
from ..errors import TinygradRNNError
from ..nn.fused_open import open_fused
from .models import model

SHOWN = 12  # longer lists of steps are shown in part


def print_flow(name: str, *, steps: int = 4, cell: str = "rnn", seed: int = 0,
               weight: str | None = None, form: str = "text") -> None:
    """Print the ledger of a weight (W_hh, if none is named) and, as text or Markdown, the norms of
    the states and the verdict. As CSV, the ledger alone: one table for a spreadsheet.

    Raises `InputError` for a model, or a weight, that is not there.
    """
    made = model(name, steps, cell, seed)
    leaf = made.weight(weight)
    flow = gradient_flow(open_fused(made.loss))  # the states of a fused layer are inside of it
    ledger = flow.ledger(leaf)
    if form == "csv":
        print(ledger.to_csv(), end="")
        return
    print(ledger.to_markdown() if form == "markdown" else ledger)
    chains = state_chains(flow)
    for states in chains:
        print()
        print(told(flow, states))
    if not chains:
        print()
        print(told_in_lines("No norms per step, and no verdict: " + (
            "nothing is carried from one time step to the next." if any(
                x.step is not None for x in flow.arrived if x.op.rules) else
            "the graph has no time steps. Run the loop under tg.timestep(t).")))


def state_chains(flow: GradientFlow) -> list[list[Node]]:
    """The states that got a gradient, in the order of their steps: of every scope the one called
    h, or else the first that is carried from step to step."""
    carried = {(x.scope, x.name) for x in Graph([flow.root]).carried_states()}
    found: dict[str, dict[str | None, list[Node]]] = {}
    for x in flow.arrived:
        if x.op.rules and x.step is not None and ((x.scope, x.name) in carried or x.name == "h"):
            found.setdefault(x.scope, {}).setdefault(x.name, []).append(x)
    chains = [named.get("h") or next(iter(named.values())) for named in found.values()]
    chains = [sorted(chain, key=lambda x: x.order) for chain in chains]
    return sorted(chains, key=lambda chain: chain[0].order)


def told(flow: GradientFlow, states: list[Node]) -> str:
    """‖dL/dh_t‖ of each step, and what the Jacobians say about all of them."""
    scope = f" in {states[0].scope}" if states[0].scope else ""
    lines = [f"‖∂{flow.root_name}/∂{states[0].name or 'state'}_t‖{scope}"]
    sizes = [(x.step, flow.norm(x)) for x in states]
    hidden = len(sizes) - SHOWN if len(sizes) > SHOWN + 1 else 0
    half = SHOWN // 2
    for i, (step, size) in enumerate(sizes):
        if not hidden or i < half or i >= half + hidden:
            lines.append(f"{step:>6}  {size:.4g}")
        elif i == half:
            lines.append(f"     ⋮  {hidden} more steps")
    return "\n".join([*lines, verdict(states)])


def verdict(states: Any) -> str:
    """Whether the gradient vanishes or explodes from step to step, in a sentence.

    The norms above are sums: every step's loss adds its part. This is of the way back alone.
    """
    if len(states) < 2:
        return "A single step: nothing is carried, and nothing vanishes."
    try:
        return "From one state back to the one before, without what each step's loss adds:\n" \
               f"{told_in_lines(step_jacobians(states).verdict)}"
    except TinygradRNNError as problem:
        return told_in_lines(f"No verdict: {problem}")


def told_in_lines(sentence: str) -> str:
    """A sentence for a terminal."""
    return "\n".join(wrapped([sentence]))
