"""Figures of retrieval quality: by code length, along the ranking, and by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hashbench.reports.html.canvas import DASHES, MARKERS, SERIES, Drawing, draw, legend
from hashbench.reports.html.pair_counts import PairCounts
from hashbench.reports.html.points import Arena, Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHOWN = len(SERIES)


def style(arena: Arena, method: str) -> dict[str, Any]:
    """Return the colour, marker and dashes of a method, the same in all figures of an arena."""
    number = arena.methods.index(method)
    colour, turn = (
        number % SHOWN,
        number // SHOWN,
    )  # colours repeat, with other markers
    return {
        "color": SERIES[colour],
        "marker": MARKERS[(colour + turn) % SHOWN],
        "linestyle": DASHES[(colour + turn) % SHOWN],
    }


def short(metric: str) -> str:
    """Return a metric's name without its denominator and tie rule."""
    return metric.partition("/")[0]


def of_how_many(shown: int, known: int) -> str:
    """Return the sentence saying that a figure leaves methods out; empty if it does not."""
    return f"The {shown} best of {known} methods. " if shown < known else ""


def quality_by_bits(arena: Arena, key: str) -> Drawing:
    """Draw the main metric against code length, with intervals."""
    title = f"{short(arena.metric)} against code length"
    methods = [m for m in arena.methods if _with_quality(arena, m)][:SHOWN]
    if not methods:
        return Drawing("bits", title, "", "", "no binary codes were evaluated")

    def plot(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        lengths = sorted({p.bits for m in methods for p in _with_quality(arena, m) if p.bits})
        for number, method in enumerate(methods):
            points = sorted(_with_quality(arena, method), key=lambda point: point.bits or 0)
            values = [point.metrics[arena.metric] for point in points]
            shift = (number - (len(methods) - 1) / 2) * 0.05
            places = [lengths.index(point.bits or 0) + shift for point in points]
            reach = [_reach(point, arena.metric) for point in points]
            axes.errorbar(
                places,
                [value.mean for value in values],
                yerr=np.array(reach).T,
                capsize=2.5,
                elinewidth=1,
                label=method,
                **style(arena, method),
            )
        axes.set_xticks(range(len(lengths)), [str(length) for length in lengths])
        axes.set_xlabel("bits")
        axes.set_ylabel(short(arena.metric))
        axes.set_xlim(-0.5, len(lengths) - 0.5)
        legend(canvas)

    known = sum(bool(_with_quality(arena, method)) for method in arena.methods)
    intervals = any(
        p.metrics[arena.metric].interval for m in methods for p in _with_quality(arena, m)
    )
    bars = (
        "95 % intervals of the mean over new seeds and queries (with one seed, over queries)"
        if intervals
        else "standard deviations over seeds"
    )
    best = _with_quality(arena, methods[0])[-1].metrics[arena.metric]
    alt = f"Lines of {len(methods)} methods; the highest is {methods[0]} with {best.mean:.4f}."
    caption = f"{of_how_many(len(methods), known)}Bars: {bars}. Metric {arena.metric}."
    return Drawing("bits", title, draw(f"{key}-bits", plot), alt, caption)


def _with_quality(arena: Arena, method: str) -> list[Point]:
    return [
        point
        for point in arena.points
        if point.method == method and point.bits and arena.metric in point.metrics
    ]


def _reach(point: Point, metric: str) -> tuple[float, float]:
    """Return the lengths of the bar below and above the mean."""
    value = point.metrics[metric]
    if value.interval is not None:
        return max(0.0, value.mean - value.interval[0]), max(0.0, value.interval[1] - value.mean)
    spread = value.deviation or 0.0
    return spread, spread


def precision_recall(arena: Arena, key: str, curves: Mapping[str, Any], *, bits: int) -> Drawing:
    """Draw precision against recall over Hamming radii; ``curves`` holds both, (2, radii)."""

    def plot(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for method, (recall, precision) in curves.items():
            every = max(1, len(recall) // 8)
            axes.plot(recall, precision, markevery=every, label=method, **style(arena, method))
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
        legend(canvas)

    alt = f"Precision falling with recall, for {', '.join(curves)}."
    caption = (
        f"{of_how_many(len(curves), len(arena.methods))}{bits} bits, one point a Hamming radius, "
        "means over queries; an empty radius has precision 0. Of the first seed."
    )
    title = "Precision and recall"
    return Drawing("pr", title, draw(f"{key}-pr", plot), alt, caption)


def precision_at(arena: Arena, key: str, counts: Mapping[str, PairCounts], *, bits: int) -> Drawing:
    """Draw the precision among the first N."""

    def plot(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for method, found in counts.items():
            line = style(arena, method)
            axes.plot(found.cutoffs, found.precision, markevery=4, label=method, **line)
        axes.set(xlabel="N, the nearest neighbours looked at", ylabel="precision@N", xscale="log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_ylim(0, 1.02)
        legend(canvas)

    alt = f"Precision among the nearest N, for {', '.join(counts)}."
    caption = (
        f"{of_how_many(len(counts), len(arena.methods))}{bits} bits; {counted_queries(counts)}; "
        "equal distances by expectation. Of the first seed."
    )
    return Drawing("at-n", "Precision at N", draw(f"{key}-at-n", plot), alt, caption)


def counted_queries(counts: Mapping[str, PairCounts]) -> str:
    """Return the words for the number of queries behind a figure."""
    first = next(iter(counts.values()))
    if first.queries == first.all_queries:
        return f"from the stored codes of all {first.queries:,} queries"
    return f"from the stored codes of {first.queries:,} of the {first.all_queries:,} queries"


def convergence(arena: Arena, key: str) -> Drawing:
    """Draw the validation metric by epoch, or the training loss if nothing was validated."""
    title = "Convergence"
    found: dict[str, tuple[Sequence[int], Sequence[float]]] = {}
    name = _validated(arena)
    for method in arena.methods:
        if line := _history(arena, method, name or "total"):
            found[method] = line
    shown = dict(list(found.items())[:SHOWN])
    if not shown:
        return Drawing("epochs", title, "", "", "no method was trained over epochs")

    def plot(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for method, (epochs, values) in shown.items():
            every = max(1, len(epochs) // 8)
            axes.plot(epochs, values, markevery=every, label=method, **style(arena, method))
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"{short(name).removeprefix('validation/')}" if name else "relative loss")
        legend(canvas)

    what = (
        f"Metric {name.removeprefix('validation/')} on the held-out part of the training set"
        if name
        else "Training loss, relative to its first epoch (nothing was validated); losses of "
        "different methods do not compare"
    )
    caption = f"{of_how_many(len(shown), len(found))}{what}. Longest code, first seed."
    alt = f"Lines over epochs for {', '.join(shown)}."
    return Drawing("epochs", title, draw(f"{key}-epochs", plot), alt, caption)


def _validated(arena: Arena) -> str:
    """Return the first validation metric of a history; empty if there is none."""
    for point in arena.points:
        fit = point.cells[0].fit
        for entry in fit.history if fit else []:
            for name in sorted(entry):
                if name.startswith("validation/map@"):
                    return str(name)
    return ""


def _history(arena: Arena, method: str, name: str) -> tuple[Sequence[int], Sequence[float]] | None:
    points = [point for point in arena.points if point.method == method and point.bits]
    fit = points[-1].cells[0].fit if points else None
    entries = [entry for entry in (fit.history if fit else []) if name in entry]
    values = [float(entry[name]) for entry in entries]
    if not values:
        return None
    if name == "total":
        if values[0] == 0:
            return None
        values = [value / values[0] for value in values]
    return [int(entry["epoch"]) for entry in entries], values
