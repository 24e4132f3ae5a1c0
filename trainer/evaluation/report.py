"""A comparison as a table in Markdown and as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer.evaluation.comparison import Figures, Interval
from trainer.evaluation.measures import MACHINE, MEANINGS, MEASURES, PERPLEXITY_OF

_COLOURS = ("#4c6a92", "#c2743b", "#4f8a5b", "#8a4f7d", "#7a7a7a")


def table(found: Sequence[Figures], *, tickets: int) -> str:
    """Means with their intervals, then differences to the first subject, in Markdown."""
    first = found[0].subject
    lines = [f"{tickets} tickets. In brackets: 95 % intervals by bootstrap over tickets.", ""]
    lines += _rows("", found, lambda figures, name: _mean(figures.means.get(name), name))
    lines.append(
        _line(["perplexity", *(_perplexity(figures.means.get(PERPLEXITY_OF)) for figures in found)])
    )
    if len(found) > 1:
        lines += [
            "",
            f"Differences to {first}, on the same tickets; * where they exclude zero.",
            "",
        ]
        others = found[1:]
        lines += _rows("", others, lambda figures, name: _difference(figures.differences.get(name)))
    meanings = [f"- **{name}**: {meaning}" for name, meaning in MEANINGS.items()]
    return "\n".join([*lines, "", *meanings]) + "\n"


def picture(found: Sequence[Figures], path: Path) -> None:
    """Saves one panel for each measure that has intervals: a dot and its interval a subject."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    names = [
        name
        for name in MEASURES
        if name not in MACHINE and any(name in figures.means for figures in found)
    ]
    figure, panels = pyplot.subplots(
        math.ceil(len(names) / 2), 2, figsize=(9, 1.2 + 0.45 * len(found) * len(names) / 2)
    )
    for panel, name in zip(panels.flat, names, strict=False):
        _panel(panel, name, found)
    for panel in list(panels.flat)[len(names) :]:
        panel.set_axis_off()
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _panel(panel: Any, name: str, found: Sequence[Figures]) -> None:
    for place, figures in enumerate(found):
        mean = figures.means.get(name)
        if mean:
            bounds = [[mean.value - mean.low], [mean.high - mean.value]]
            colour = _COLOURS[place % len(_COLOURS)]
            panel.errorbar(mean.value, place, xerr=bounds, fmt="o", capsize=3, color=colour)
    panel.set_yticks(range(len(found)), [figures.subject for figures in found])
    panel.set_ylim(len(found) - 0.5, -0.5)
    panel.set_title(name, fontsize=10, loc="left")
    panel.grid(axis="x", alpha=0.3)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _rows(corner: str, found: Sequence[Figures], cell: Any) -> list[str]:
    lines = [_line([corner, *(figures.subject for figures in found)])]
    lines.append(_line(["---"] * (len(found) + 1)))
    for name in MEASURES:
        cells = [cell(figures, name) for figures in found]
        if any(cells):
            lines.append(_line([name, *cells]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _mean(found: Interval | None, name: str) -> str:
    if found is None:
        return ""
    if name in MACHINE:
        return f"{found.value:.3g}"
    return f"{found.value:.3g} [{found.low:.3g}, {found.high:.3g}]"


def _difference(found: Interval | None) -> str:
    if found is None:
        return ""
    star = "*" if found.excludes_zero else ""
    return f"{found.value:+.3g} [{found.low:+.3g}, {found.high:+.3g}]{star}"


def _perplexity(loss: Interval | None) -> str:
    if loss is None:
        return ""
    return f"{math.exp(loss.value):.3g} [{math.exp(loss.low):.3g}, {math.exp(loss.high):.3g}]"
