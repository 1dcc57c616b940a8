"""Figures of the codes: distances, bit balance, and labels that occur together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hashbench.reports.html.canvas import INK, SERIES, WIDTH, Drawing, draw, legend
from hashbench.reports.html.pair_counts import PairCounts
from hashbench.reports.html.points import Arena
from hashbench.reports.html.quality_figures import counted_queries, of_how_many, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PANELS: Final = 4
_TICKS_AT_MOST = 24


def distances(arena: Arena, key: str, counts: Mapping[str, PairCounts], *, bits: int) -> Drawing:
    """Draw the Hamming distances of similar and dissimilar pairs, one panel for each method."""
    shown = dict(list(counts.items())[:PANELS])

    def plot(canvas: Canvas) -> None:
        rows = -(-len(shown) // 2)
        panels = canvas.subplots(rows, min(2, len(shown)), sharex=True, squeeze=False).ravel()
        for axes in panels[len(shown) :]:
            axes.set_visible(False)
        for axes, (method, found) in zip(panels, shown.items(), strict=False):
            _histograms(axes, found)
            axes.set_title(method, fontsize=10, loc="left")
        canvas.supxlabel("Hamming distance", fontsize=10)
        canvas.supylabel("share of the pairs", fontsize=10)
        legend(canvas, above=True)

    ends = [f"{method} {_overlap(found):.0%}" for method, found in shown.items()]
    alt = (
        "Histograms of the Hamming distances of similar and of dissimilar pairs; overlap "
        f"{', '.join(ends)}."
    )
    caption = (
        f"{of_how_many(len(shown), len(arena.methods))}{bits} bits; {counted_queries(counts)} "
        "against the database; similar pairs share a label (hatched). Overlap of the two: "
        f"{', '.join(ends)}. Of the first seed."
    )
    height = 2.0 + 1.5 * -(-len(shown) // 2)
    svg = draw(f"{key}-distances", plot, height=height)
    return Drawing("distances", "Hamming distances", svg, alt, caption)


def _histograms(axes: Axes, found: PairCounts) -> None:
    edges = np.arange(len(found.similar) + 1) - 0.5
    for pairs, colour, label, hatch in (
        (found.dissimilar, SERIES[1], "dissimilar pairs", ""),
        (found.similar, SERIES[0], "similar pairs", "////"),
    ):
        heights = pairs / max(1.0, pairs.sum())
        axes.stairs(heights, edges, fill=True, facecolor=colour, alpha=0.35)
        axes.stairs(heights, edges, fill=False, edgecolor=colour, hatch=hatch, label=label)


def _overlap(found: PairCounts) -> float:
    """Return the area that the two histograms share."""
    similar = found.similar / max(1.0, found.similar.sum())
    dissimilar = found.dissimilar / max(1.0, found.dissimilar.sum())
    return float(np.minimum(similar, dissimilar).sum())


def balance(arena: Arena, key: str, counts: Mapping[str, PairCounts], *, bits: int) -> Drawing:
    """Draw the balance of each bit."""

    def plot(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for method, found in counts.items():
            places = np.arange(1, len(found.balance) + 1)
            every = max(1, len(places) // 8)
            line = style(arena, method)
            axes.plot(places, found.balance, markevery=every, label=method, **line)
        axes.set(xlabel="bit, the least balanced first", ylabel="|mean of the bit|")
        axes.set_ylim(-0.02, 1.02)
        legend(canvas)

    mean = {method: found.balance.mean() for method, found in counts.items()}
    worst = max(mean, key=lambda method: mean[method])
    alt = f"|mean| of every bit; the least balanced is {worst} with {mean[worst]:.2f} on average."
    caption = (
        f"{of_how_many(len(counts), len(arena.methods))}{bits} bits of the database's codes, bits "
        "being -1 or +1: 0 is balanced, 1 constant. Of the first seed."
    )
    return Drawing("balance", "Bit balance", draw(f"{key}-balance", plot), alt, caption)


def cooccurrence(key: str, labels: NDArray[np.uint8]) -> Drawing:
    """Draw how often two labels occur on one image.

    Args:
        key: The start of the figure's ids.
        labels: uint8 (N, classes), multi-hot, of the database.
    """
    title = "Labels that occur together"
    if not (labels.sum(axis=1) > 1).any():
        return Drawing("labels", title, "", "", "every image has one label")
    together = labels.astype(np.float64).T @ labels.astype(np.float64)
    own = np.diag(together)
    share = np.divide(together, own[:, None], out=np.zeros_like(together), where=own[:, None] > 0)

    def plot(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        image = axes.imshow(share, cmap="cividis", vmin=0, vmax=1, interpolation="none")
        step = -(-len(share) // _TICKS_AT_MOST)
        axes.set_xticks(range(0, len(share), step))
        axes.set_yticks(range(0, len(share), step))
        axes.set(xlabel="label B, by its number", ylabel="label A, by its number")
        axes.grid(visible=False)
        bar = canvas.colorbar(image, ax=axes, label="share of A's images that have B")
        bar.outline.set_color(INK)

    apart = share - np.diag(np.diag(share))
    first, second = np.unravel_index(int(apart.argmax()), apart.shape)
    alt = (
        f"Matrix of {len(share)} labels; the highest share off the diagonal is {apart.max():.0%}, "
        f"of label {first}'s images that also have label {second}."
    )
    caption = f"Of the database's {len(labels):,} images. {alt.partition('; ')[2].capitalize()}"
    svg = draw(f"{key}-labels", plot, width=WIDTH, height=WIDTH * 0.8)
    return Drawing("labels", title, svg, alt, caption)
