"""The story as one self-contained HTML page: no script, no network, light and dark."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape

from ..draw.picture import Picture
from ..draw.svg import svg
from .story import (
    Story,
    counted,
    first_use,
    guessing,
    ledger_sum,
    ledger_table,
    printable,
    quoted,
    steps_table,
)

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1c1c1c; --quiet: #5f6368;
        --line: #d8dadd; --card: #f7f8f9; --accent: #0072B2; --good: #00795a; --bad: #b2182b; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181b; --ink: #e8e8e8; --quiet: #a3a8ae; --line: #3a3e43; --card: #1e2125;
          --accent: #56B4E9; --good: #35c79b; --bad: #f0837a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 84rem; background: var(--paper);
       color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
       }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
h2 span { color: var(--accent); margin-right: .4em; }
p { margin: .5rem 0; max-width: 46rem; } .quiet { color: var(--quiet); }
.wide { overflow-x: auto; margin: .75rem 0; border: 1px solid var(--line); border-radius: 8px;
        padding: .75rem; background: var(--paper); }
.wide > svg { display: block; margin: 0 auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .75rem 0; }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid var(--line);
         white-space: nowrap; }
th { color: var(--quiet); font-weight: 600; }
tfoot td { font-weight: 600; border-bottom: 0; border-top: 2px solid var(--ink); }
td.bar { text-align: left; min-width: 9rem; } td.bar i { display: block; height: .7rem;
         background: var(--accent); border-radius: 2px; }
pre { margin: .75rem 0; padding: .75rem 1rem; overflow-x: auto; background: var(--card);
      border: 1px solid var(--line); border-radius: 8px;
      font: 14px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
pre.text { white-space: pre-wrap; overflow-wrap: anywhere; } pre .quiet { font-weight: 400; }
pre.text b { font-weight: 600; }
.verdict { font-weight: 600; color: var(--good); } .verdict.bad { color: var(--bad); }
.curve { width: 100%; max-width: 40rem; height: auto; display: block; }
.curve text { fill: var(--quiet); font-size: 12px; } .curve .axis { stroke: var(--line); }
.curve .loss { fill: none; stroke: var(--accent); stroke-width: 2; }
.curve .each { fill: none; stroke: var(--accent); stroke-width: 1; opacity: .3; }
"""


def page(story: Story) -> str:
    """The whole page."""
    T, source = len(story.read), printable(os.path.basename(story.text.source))
    what = quoted(story.text.text) if story.short else source
    parts = [
        f"<h1>Backpropagation through time, over {counted(T, 'step')} of {escape(what)}</h1>",
        '<p class="quiet">A vanilla recurrent network, unrolled. Every use of a shared weight '
        "leaves its own contribution to that weight's gradient, and all of them are on this page."
        "</p>",
        *sequence(story), *model(story), *unrolled(story), *backwards(story), *ledger(story),
        *check(story), *training(story),
    ]
    title = escape(f"{what}: backpropagation through time")
    return (f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}'
            '</title>\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<style>{STYLE}</style>\n</head>\n<body>\n{chr(10).join(parts)}\n</body>\n</html>\n")


def heading(number: int, title: str) -> str:
    """The start of a part."""
    return f"<h2><span>{number}</span>{escape(title)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{escape(text)}</p>"


def sequence(story: Story) -> list[str]:
    """The text."""
    text = story.text
    about = (f"{quoted(text.text)} has {len(text)} characters, {text.size} different ones. The "
             f"model reads {quoted(story.read)} and is to predict {quoted(story.following)}, one "
             "step later.") if story.short else (
        f"{printable(os.path.basename(text.source))}: {len(text):,} characters, {text.size} "
        "different ones, read in "
        f"windows of {len(story.read)} steps. What follows shows the first window.")
    return [heading(1, "The sequence"), paragraph(about)]


def model(story: Story) -> list[str]:
    """The equations and the shapes."""
    return [heading(2, "The model: one cell, the same weights at every step"),
            "<pre>h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)\ny_t = W_hy h_t + b_y\n"
            "L   = Σ L_t,   L_t = -log softmax(y_t)[the next character]\n\n"
            f"{escape(repr(story.model))}</pre>"]


def unrolled(story: Story) -> list[str]:
    """The first drawing, and what was read and predicted at each step."""
    T = len(story.read)
    loss = story.loss.item()
    return [heading(3, f"Unrolled: {story.nodes} nodes over {counted(T, 'step')}"),
            paragraph("Time runs right. x is read at the bottom, the state h passes along the "
                      "middle, the outputs y and losses L stand above. Each shared weight is one "
                      "rail with a tap into every step."),
            wide(story.drawings["unrolled"]),
            paragraph(f"Before any training L = {loss:.6g}, which is {loss / T:.4f} nats per "
                      f"character. Guessing among {story.text.size} costs {guessing(story):.4f}.")]


def backwards(story: Story) -> list[str]:
    """The second drawing, and the gradient at each state."""
    head, rows, bars = steps_table(story)
    return [heading(4, "And back: where the gradient went"),
            paragraph("The same graph, read from the loss to the weights. The wider and redder an "
                      "arrow, the more gradient passes through it."),
            wide(story.drawings["gradient_flow"]),
            paragraph("h_t gets its gradient from two sides: from L_t through y_t, and from "
                      "h_{t+1}. ‖∂L/∂h_t‖ is the size of their sum."),
            table([*head, ""], rows, bars=bars)]


def ledger(story: Story) -> list[str]:
    """Every contribution to W_hh."""
    head, rows, foot = ledger_table(story)
    return [heading(5, "The ledger of W_hh: what each use gave to its gradient"),
            paragraph("One row for every step at which the weight was used, in the order in which "
                      "they were added: last use first. The share says how much of the sum points "
                      "the row's way; a negative one pulls against the others."),
            table(head, rows, foot),
            paragraph(f"{sentence(ledger_sum(story))}.",
                      "verdict" if story.exact else "verdict bad"),
            *map(paragraph, first_use(story))]


def sentence(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]


def check(story: Story) -> list[str]:
    """The report of the numerical check."""
    good = bool(story.report)
    return [heading(6, "Is the gradient right?"),
            paragraph("The loss is computed again with slightly moved weights, and its slope "
                      "compared with the gradient from the graph."),
            paragraph("It is." if good else "Not confirmed.", "verdict" if good else "verdict bad"),
            f"<pre>{escape(str(story.report))}</pre>"]


def training(story: Story) -> list[str]:
    """The curve, and the text the model wrote."""
    per = ("each reads the whole text (full backpropagation through time)" if story.short else
           "each reads the next window; the state is carried on, the gradient stops at the border")
    return [heading(7, f"Trained for a moment: {len(story.curve)} updates"),
            paragraph(f"Adagrad; {per}."), curve(story.curve),
            heading(8, f"What it writes after {quoted(story.start)}"),
            f'<pre class="text"><span class="quiet">{escape(printable(story.start))}</span>'
            f"<b>{escape(printable(story.written))}</b></pre>"]


def wide(picture: Picture) -> str:
    """A drawing in a frame that scrolls sideways."""
    return f'<div class="wide">{svg(picture.drawing, "auto")}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], foot: Sequence[str] = (),
          bars: Sequence[float] = ()) -> str:
    """A table; `bars` (0..1) fill the last column."""
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    for i, share in enumerate(bars):
        lines[i] += f'<td class="bar"><i style="width:{100 * share:.1f}%"></i></td>'
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    end = "".join(f"<td>{escape(cell)}</td>" for cell in foot)
    return ('<div class="scroll"><table><thead><tr>' +
            "".join(f"<th>{escape(name)}</th>" for name in head) +
            f"</tr></thead><tbody>{body}</tbody>" +
            (f"<tfoot><tr>{end}</tr></tfoot>" if foot else "") + "</table></div>")


def curve(losses: Sequence[float], width: int = 640, height: int = 240) -> str:
    """The loss before each update as a small SVG; for a long one, its running mean as well."""
    top, n = max(losses), len(losses)
    left, right, up, down = 48, 12, 12, 34

    def points(values: Sequence[float]) -> str:
        span = max(n - 1, 1)
        return " ".join(f"{left + (width - left - right) * i / span:.1f},"
                        f"{up + (height - up - down) * (1 - v / top):.1f}"
                        for i, v in enumerate(values))

    smooth = running_mean(losses, n // 25) if n > 250 else []
    lines = [f'<polyline class="each" points="{points(losses)}"/>'] if smooth else []
    lines.append(f'<polyline class="loss" points="{points(smooth or losses)}"/>')
    base = height - down
    labels = [(left - 8, up + 5, "end", f"{top:.2f}"), (left - 8, base + 4, "end", "0"),
              (left, base + 20, "start", "update 1"), (width - right, base + 20, "end", f"{n}"),
              ((left + width) / 2, base + 20, "middle", "loss per character, in nats")]
    words = "".join(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{word}</text>'
                    for x, y, anchor, word in labels)
    axes = (f'<line class="axis" x1="{left}" y1="{up}" x2="{left}" y2="{base}"/>'
            f'<line class="axis" x1="{left}" y1="{base}" x2="{width - right}" y2="{base}"/>')
    return (f'<svg class="curve" viewBox="0 0 {width} {height}" role="img" aria-label="The loss '
            f'falls from {losses[0]:.3f} to {losses[-1]:.3f}">{axes}{"".join(lines)}{words}</svg>')


def running_mean(values: Sequence[float], k: int) -> list[float]:
    """The mean of each value and up to k before it."""
    means, total = [], 0.0
    for i, v in enumerate(values):
        total += v - (values[i - k - 1] if i > k else 0.0)
        means.append(total / min(i + 1, k + 1))
    return means
