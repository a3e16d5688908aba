"""What a gradient check found: a verdict for every parameter, and a text that says where and why.

The question this file answers: *is my gradient right, and if not, where is it wrong?*

    pass             the slopes agree as closely as can be seen
    FAIL             they differ by more than rounding and extrapolation can explain
    inconclusive     no sharp answer: the text says how sharp, and why
    invisible        the gradient of this block is too small to be seen at all
    non-finite       NaN or Inf in the loss or in the gradient
    kink             the loss has a kink here, and the gradient lies between its two slopes
    structural zero  the loss does not depend on this parameter
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from .sweep import Sweep

RIGHT = ("pass", "kink", "structural zero")
WRONG = ("FAIL", "non-finite", "inconclusive")  # the gravest first
LINES = 15


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient: by backward, and by differences with an error."""

    index: tuple[int, ...]
    analytic: float
    numeric: float
    error: float

    def __str__(self) -> str:
        where = f"{list(self.index)}: " if self.index else ": "
        return (f"{where}analytic {self.analytic:.10g}, "
                f"numeric {self.numeric:.10g} ± {self.error:.1g}")


@dataclass
class Block:
    """One parameter. `analytic` and `numeric` are slopes along a random direction in it; `bar` is
    by how much they may differ. After a failure `wrong` of the `tested` entries of `size` are
    known to be wrong, and `worst` is the one that is furthest off."""

    name: str
    shape: tuple[int, ...]
    size: int
    verdict: str = "pass"
    analytic: float = float("nan")
    numeric: float = float("nan")
    error: float = float("nan")
    bar: float = float("nan")
    wrong: int = 0
    tested: int = 0
    worst: Entry | None = None
    entries: list[Entry] = field(default_factory=list)  # the wrong ones among the tested
    cause: str = ""
    level: int = field(default=0, repr=False)  # steps down to 2^-level have served its slope

    def lines(self) -> list[str]:
        """The block in words."""
        title = f"  {self.name} {self.shape}: {self.verdict}" if self.shape else \
            f"  {self.name}: {self.verdict}"
        if self.tested and self.wrong:
            of = f"the {self.size} entries" if self.tested == self.size else \
                f"{self.tested} entries tested, of {self.size}"
            title += f"; {self.wrong} of {of} are wrong"
        lines = [title]
        if self.worst is not None:
            lines.append(f"    {self.name}{self.worst}")
        elif self.numeric == self.numeric:
            lines.append(f"    along a random direction: analytic {self.analytic:.10g}, "
                         f"numeric {self.numeric:.10g} ± {self.error:.1g}")
        return lines + ([f"    {self.cause}"] if self.cause else [])


@dataclass
class Report:
    """The result of a check: true when every block is right and not all are invisible.

    `.verdict` is the gravest of the blocks' verdicts, `.failed` is true for FAIL only, `.blocks`
    holds a `Block` by name, `.cause` says why if that is known. `.spoilt` says what makes the
    check worthless, although no slope is wrong: inputs that are written to, for instance. `.notes`
    are the other findings, `.screened` is the number of evaluations of the screening, and `.engine`
    the engine's gradients where a hand-written forward runs on tensors. `.diagnosis` names the one
    mistake that gives exactly these gradients, if there is one.
    """

    blocks: dict[str, Block]
    seed: int
    evaluations: int = 0
    gradients: int = 0
    notes: list[str] = field(default_factory=list)
    spoilt: str = ""
    screened: int = 0
    title: str = "gradient check"
    engine: dict[str, Any] = field(default_factory=dict, repr=False)
    diagnosis: str = ""
    retry: Callable[[], Sweep] | None = field(default=None, repr=False, compare=False)

    @property
    def verdict(self) -> str:
        """One word for all blocks."""
        verdicts = [block.verdict for block in self.blocks.values()]
        verdicts += ["inconclusive"] if self.spoilt else []
        for grave in WRONG:
            if grave in verdicts:
                return grave
        return "pass" if any(v in RIGHT for v in verdicts) else "invisible"

    @property
    def failed(self) -> bool:
        """Whether a gradient is known to be wrong."""
        return self.verdict == "FAIL"

    @property
    def cause(self) -> str:
        """Why, if that is known: what spoils the check, the mistake that explains all of it, or
        what the first block says that is not right."""
        causes = [b.cause for v in WRONG for b in self.blocks.values() if b.verdict == v]
        return self.spoilt or self.diagnosis or next((c for c in causes if c), "")

    def __bool__(self) -> bool:
        return self.verdict == "pass"

    def __str__(self) -> str:
        entries = sum(block.size for block in self.blocks.values())
        count, few = len(self.blocks), "y" if entries == 1 else "ies"
        lines = [f"{self.title}: {self.verdict}; {count} parameter{'s' * (count != 1)}, "
                 f"{entries} entr{few}"]
        notes = [f"  {note}" for note in [*filter(None, [self.spoilt, self.diagnosis]),
                                           *self.notes]][:3]
        screen = f" ({self.screened} to screen)" if 0 < self.screened < self.evaluations and \
            self.verdict in WRONG else ""
        last = (f"  {self.evaluations} evaluations of the loss{screen}, {self.gradients} of the "
                f"gradient; the same again with seed={self.seed}")
        grave = sorted([b for b in self.blocks.values() if b.verdict in WRONG],
                       key=lambda b: WRONG.index(b.verdict))
        shown = list[Block]()
        for block in grave[:3]:
            more = block.lines()
            rest = self.others([*shown, block])
            if len(lines) + len(more) + len(rest) + len(notes) + 1 <= LINES or not shown:
                lines += more
                shown.append(block)
        return "\n".join([*lines, *self.others(shown), *notes, last])

    __repr__ = __str__

    def others(self, shown: list[Block]) -> list[str]:
        """The blocks that need no words of their own, by verdict."""
        groups: dict[str, list[str]] = {}
        for block in self.blocks.values():
            if not any(block is b for b in shown):
                groups.setdefault(block.verdict, []).append(block.name)
        lines = []
        for verdict, names in groups.items():
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            lines.append(f"  {verdict}: {', '.join(names[:6])}{more}")
        return lines

    def sweep(self) -> Sweep:
        """The V curve: the distance between gradient and difference for steps of every size.

        It runs the program again; printed it is a table, in a notebook a drawing (`.svg()`).
        """
        if self.retry is None:
            raise InputError("there is no single line to sweep along: this report is made of "
                             "several", where="sweep")
        return self.retry()

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain numbers, words, lists and dicts (ready for JSON)."""
        from .formats import as_dict

        return as_dict(self)

    def to_junit(self) -> str:
        """The report as JUnit XML: one test case for every block."""
        from .formats import as_junit

        return as_junit(self)

    def _repr_html_(self) -> str:
        from .formats import as_html

        return as_html(self)


def merged(reports: dict[str, Report]) -> Report:
    """Several reports as one; the keys are put behind the names of their blocks."""
    if not reports:
        raise InputError("there is nothing to check: no samples")
    first = next(iter(reports.values()))
    if len(reports) == 1:
        return first
    blocks = dict[str, Block]()
    for end, report in reports.items():
        for block in report.blocks.values():
            block.name += end
            blocks[block.name] = block
    every = list(reports.values())
    return Report(blocks, first.seed, sum(r.evaluations for r in every),
                  sum(r.gradients for r in every),
                  list(dict.fromkeys(note for r in every for note in r.notes)),
                  next((r.spoilt for r in every if r.spoilt), ""),
                  max(r.screened for r in every), retry=first.retry,
                  diagnosis=next((r.diagnosis for r in every if r.diagnosis), ""))
