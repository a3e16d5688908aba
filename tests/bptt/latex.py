"""Whether LaTeX holds together, without a LaTeX: for the tests of what `explain` writes."""

import re


def balanced(latex):
    """Braces, \\left and \\right, and environments close in order."""
    bare = re.sub(r"\\[\\{}$&#%_]", "", latex)
    depth = 0
    for c in bare:
        depth += (c == "{") - (c == "}")
        assert depth >= 0, latex
    assert depth == 0, latex
    assert len(re.findall(r"\\left\b", latex)) == len(re.findall(r"\\right\b", latex))
    opened = re.findall(r"\\begin\{(\w+)\}", latex)
    assert sorted(opened) == sorted(re.findall(r"\\end\{(\w+)\}", latex))
    return True


def compiles(latex):
    """Every command is one that there is, and mathematics has plain characters only, or text."""
    assert balanced(latex)
    assert set(re.findall(r"\\([A-Za-z]+)", latex)) <= COMMANDS, latex
    for block in re.findall(r"\\\[(.*?)\\\]", latex, re.DOTALL):
        outside = re.sub(r"\\text\{(?:[^{}]|\{[^{}]*\})*\}", "", block)
        assert outside.isascii(), outside
    assert not re.search(r"\{\}_\{[^{}]*\}_\{", latex), "two subscripts in a row"
    assert not set("₀₁₂₃₄₅₆₇₈₉²ᵀ−") & set(latex)
    return True


# all that may follow a backslash: an undefined command (\\primeb) is none of these
COMMANDS = {"Vert", "alpha", "backslash", "begin", "beta", "bmatrix", "cdot", "cdots",
            "cos", "delta", "dots", "end", "exp", "frac", "ge", "hat", "infty", "land",
            "langle", "le", "left", "log", "lor", "lVert", "mathbf", "mathrm", "mathtt", "max",
            "min", "ne", "odot",
            "paragraph", "partial", "pi", "prime", "quad", "rangle", "right", "rVert", "sim", "sin",
            "subparagraph", "sum", "tanh", "text", "textbackslash", "to", "top"}
