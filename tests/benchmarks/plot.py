"""The plot of the comparison: a row for each rival, a mark for each size, on a logarithmic scale of
times relative to NumPy by hand. SVG, written by hand."""

import math
from html import escape

from comparison import HAND, SIZES

COLOURS = dict(zip(SIZES, ("#0072B2", "#009E73", "#D55E00", "#CC79A7", "#E69F00")))
LEFT, ROW, WIDTH, TOP = 130, 26, 560, 62


def plot(results, names, title):
    """`results` are (median, least) seconds by size and rival."""
    ratios = {name: {size: r[name][0] / r[HAND][0] for size, r in results.items() if name in r}
              for name in names}
    values = [v for row in ratios.values() for v in row.values()]
    low, high = math.floor(math.log10(min(values)) * 2) / 2, math.ceil(math.log10(max(values)))

    def x(ratio):
        return LEFT + (math.log10(ratio) - low) / (high - low) * WIDTH

    bottom = TOP + ROW * len(names)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 30} '
             f'{bottom + 34}" font-family="Helvetica, Arial, sans-serif" font-size="12">',
             f'<rect width="100%" height="100%" fill="#fff"/><text x="12" y="20"><tspan '
             f'font-weight="bold">Time of a training step</tspan> as a multiple of NumPy by hand: '
             f'{escape(title)}</text>']
    for k, size in enumerate(results):
        B, T, H, _ = SIZES[size]
        left = 20 + k * 138
        lines.append(f'<circle cx="{left}" cy="40" r="5" fill="{COLOURS[size]}"/><text '
                     f'x="{left + 10}" y="44">{size}: B={B} T={T} H={H}</text>')
    ticks = [m * 10.0 ** e for e in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
    for tick in ticks:
        if low <= math.log10(tick) <= high:
            strong = "#888" if tick == 1 else "#ddd"
            lines.append(f'<path d="M{x(tick):.1f} {TOP - 6}V{bottom}" stroke="{strong}"/><text '
                         f'x="{x(tick):.1f}" y="{bottom + 18}" text-anchor="middle" fill="#555">'
                         f'{tick:g}</text>')
    for k, (name, row) in enumerate(ratios.items()):
        y = TOP + ROW * (k + 0.5)
        weight = ' font-weight="bold"' if name.startswith("ours") else ""
        lines.append(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end"{weight}>{escape(name)}'
                     f'</text>')
        for size, ratio in row.items():
            lines.append(f'<circle cx="{x(ratio):.1f}" cy="{y}" r="5" fill="{COLOURS[size]}" '
                         f'fill-opacity="0.85"><title>{escape(name)}, {size}: {ratio:.2f}</title>'
                         f'</circle>')
    return "\n".join([*lines, "</svg>", ""])
