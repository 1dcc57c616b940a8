"""The curves of a running training, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hashbench.studio.jobs.run_log import CellLog, RunLog

_MOST = 6  # curves of cells in one picture


def training_figure(run: RunLog) -> Figure | None:
    """Loss terms of the newest cell, and validation metrics of the newest cells.

    Args:
        run: What the log says.

    Returns:
        A picture; None while there is nothing to show.
    """
    cells = [cell for cell in run.cells.values() if cell.terms]
    if not cells:
        return None
    validated = [cell for cell in cells if cell.validation][-_MOST:]
    figure = Figure(figsize=(6, 5.6 if validated else 2.9), layout="constrained")
    axes = figure.subplots(2 if validated else 1, squeeze=False)[:, 0]
    newest = run.current if run.current and run.current.terms else cells[-1]
    _draw(axes[0], newest.terms, _short(newest.label), "mean loss of the epoch")
    if validated:
        curves = {_short(cell.label): _first_metric(cell) for cell in validated}
        _draw_each(axes[1], curves, "validation mAP")
    return figure


def _draw(axes: Axes, by_epoch: Mapping[int, Mapping[str, float]], title: str, y: str) -> None:
    names = dict.fromkeys(name for terms in by_epoch.values() for name in terms)
    curves = {
        name: [(epoch, terms[name]) for epoch, terms in sorted(by_epoch.items()) if name in terms]
        for name in names
    }
    _draw_each(axes, curves, y)
    axes.set_title(title, fontsize=8)


def _draw_each(axes: Axes, curves: Mapping[str, Sequence[tuple[int, float]]], y: str) -> None:
    for name, points in curves.items():
        xs, ys = zip(*points, strict=True)
        # A label that starts with an underscore would be left out; a $ would start a formula.
        label = name.replace("$", r"\$").lstrip("_") or "-"
        axes.plot(xs, ys, marker=".", linewidth=1.2, label=label)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(y)
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)


def _first_metric(cell: CellLog) -> list[tuple[int, float]]:
    name = next(iter(next(iter(cell.validation.values()))))
    return [(epoch, values[name]) for epoch, values in cell.validation.items() if name in values]


def _short(label: str) -> str:
    parts = [part.strip() for part in label.split("|")]
    return " | ".join(parts[1:]).replace("$", r"\$") or label
