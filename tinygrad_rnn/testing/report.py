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

from dataclasses import dataclass, field

RIGHT = ("pass", "kink", "structural zero")
WRONG = ("FAIL", "non-finite", "inconclusive")  # the gravest first


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient: by the engine, and by differences with an error."""

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
    cause: str = ""

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
    holds a `Block` by name, `.cause` says why if that is known.
    """

    blocks: dict[str, Block]
    seed: int
    evaluations: int = 0
    gradients: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """One word for all blocks."""
        verdicts = [block.verdict for block in self.blocks.values()]
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
        """Why, if that is known; of the first block that says."""
        return next((b.cause for b in self.blocks.values() if b.cause), "")

    def __bool__(self) -> bool:
        return self.verdict == "pass"

    def __str__(self) -> str:
        entries = sum(block.size for block in self.blocks.values())
        count, few = len(self.blocks), "y" if entries == 1 else "ies"
        lines = [f"gradient check: {self.verdict}; {count} parameter{'s' * (count != 1)}, "
                 f"{entries} entr{few}"]
        grave = [b for b in self.blocks.values() if b.verdict in WRONG]
        for block in grave[:3]:
            lines += block.lines()
        lines += self.others(grave[:3])
        lines += [f"  {note}" for note in self.notes[:2]]
        spent = f"  {self.evaluations} evaluations of the loss, {self.gradients} of the gradient"
        return "\n".join([*lines, f"{spent}; the same again with seed={self.seed}"])

    __repr__ = __str__

    def others(self, shown: list[Block]) -> list[str]:
        """The blocks that need no words of their own, by verdict."""
        groups: dict[str, list[str]] = {}
        for block in self.blocks.values():
            if block not in shown:
                groups.setdefault(block.verdict, []).append(block.name)
        lines = []
        for verdict, names in groups.items():
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            lines.append(f"  {verdict}: {', '.join(names[:6])}{more}")
        return lines
