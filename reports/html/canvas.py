"""Figures as inline SVG in the page's colours, with the same bytes for the same data."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

# Placeholder colours; the finished SVG has the page's own colours in their place.
INK: Final = "#0a0b00"
GRID: Final = "#0a0bff"
SERIES: Final = tuple(f"#0a0b{number:02x}" for number in range(1, 9))
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: Final = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)))
WIDTH: Final = 6.4  # inches; the page scales it
HEIGHT: Final = 3.9

_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
}
# matplotlib's settings hold for the whole process, so only one thread draws at a time.
_DRAWING: Final = threading.Lock()
_ID = re.compile(r'(\bid="|xlink:href="#(?!record)|url\(#)')
_SIZE = re.compile(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>')


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure of the page, or the reason why it is missing.

    Attributes:
        key: Short name, the same in every arena.
        title: The heading.
        svg: Inline SVG; empty if there is nothing to draw.
        alt: The text alternative.
        caption: The text under the figure, or the reason why the figure is missing.
    """

    key: str
    title: str
    svg: str
    alt: str
    caption: str


def draw(
    key: str, plot: Callable[[Canvas], None], *, width: float = WIDTH, height: float = HEIGHT
) -> str:
    """Let ``plot`` draw on an empty figure of some inches, and return it as an ``<svg>`` element.

    The element has no size and is hidden from assistive technology: the page labels it. Ids inside
    it start with ``key``, which is unique within the page.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with _DRAWING, mpl.rc_context({**_STYLE, "svg.hashsalt": key}):
        canvas = Figure(figsize=(width, height), layout="constrained")
        plot(canvas)
        buffer = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas.savefig(buffer, format="svg", metadata=metadata)
    return _inline(buffer.getvalue(), key)


def legend(canvas: Canvas, *, above: bool = False) -> None:
    """Put the names of the first axes' series below a figure, or above it."""
    handles, labels = canvas.axes[0].get_legend_handles_labels()
    if handles:
        place = "outside upper left" if above else "outside lower left"
        canvas.legend(handles, labels, loc=place, ncols=2)  # type: ignore[call-overload] # labels are text; the stubs of the line above say Any


def _inline(document: str, key: str) -> str:
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style type.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    svg = _SIZE.sub(
        r'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        r'viewBox="\1">',
        svg,
        count=1,
    )
    svg = _ID.sub(rf"\g<1>{key}-", svg)
    svg = svg.replace(INK, "currentColor").replace(GRID, "var(--grid)")
    for number, colour in enumerate(SERIES, start=1):
        svg = svg.replace(colour, f"var(--series-{number})")
    return re.sub(r"\s*\n\s*", "\n", svg)
