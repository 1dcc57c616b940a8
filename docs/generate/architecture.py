"""Draw the two figures of ``docs/explanation/architecture.md`` as SVG.

``python docs/generate/architecture.py [FOLDER]`` writes them to FOLDER, as a rule beside the page.
They are committed files, because the theme would load a drawing library from another host.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "explanation" / "architecture.md"
WIDTH: Final = 880
_GAP: Final = 14
_ROW: Final = re.compile(r"^\| `(\w+)` \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
_STEPS: Final = (
    ("matrices/*.yaml", "the matrix file: methods, datasets, code lengths, seeds"),
    ("matrix", "checks the file and expands it into cells, each with its fit_id"),
    ("run", "plans what the store lacks and starts a worker process for each cell"),
    ("worker", "datasets + methods + training: fit the method, encode the images"),
    ("worker", "evaluation + search: metrics and query latency from the codes"),
    ("store", "fit, evaluation and latency records, and the arrays of codes"),
    ("reports", "groups the records and prints a row of a table"),
)


def packages(page: str) -> dict[str, tuple[str, set[str]]]:
    """Return what each package of the page's table does and may import.

    ``cli``, which may import all packages, has all others.
    """
    rows = {
        name: (text, set(re.findall(r"`(\w+)`", may))) for name, text, may in _ROW.findall(page)
    }
    rows["cli"] = (rows["cli"][0], {*rows} - {"cli"})
    return rows


def layers(allowed: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the packages by layer: one layer above the highest that a package may import."""
    found: list[list[str]] = []
    left = dict(allowed)
    while left:
        layer = [name for name, may in left.items() if not may & left.keys()]
        found.append(layer)
        left = {name: may for name, may in left.items() if name not in layer}
    return found


def packages_drawing(page: str) -> str:
    """Return the packages as an SVG, the topmost layer first."""
    rows = packages(page)
    found = layers({name: may for name, (_, may) in rows.items()})
    width = (WIDTH - 2 * _GAP) // max(map(len, found)) - _GAP
    height, parts = 66, []
    for number, layer in enumerate(reversed(found)):
        top = _GAP + number * (height + _GAP)
        left = (WIDTH - len(layer) * (width + _GAP) + _GAP) // 2
        for column, name in enumerate(layer):
            place = (left + column * (width + _GAP), top, width, height)
            parts += _box(place, name, _wrapped(rows[name][0], width // 7))
    return _svg(parts, _GAP + len(found) * (height + _GAP))


def cell_drawing() -> str:
    """Return the way of a cell as an SVG, from the matrix file down to the row."""
    width, height, step = 620, 54, 82
    left = (WIDTH - width) // 2
    tops = [_GAP + number * step for number in range(len(_STEPS))]
    parts = []
    for top, (name, text) in zip(tops, _STEPS, strict=True):
        parts += _box((left, top, width, height), name, [text])
    for top, below in pairwise(tops):
        parts.append(
            f'<line x1="{WIDTH // 2}" y1="{top + height}" x2="{WIDTH // 2}" y2="{below - 9}" '
            'stroke="#3f51b5" stroke-width="2" marker-end="url(#head)"/>'
        )
    return _svg(parts, tops[-1] + height + _GAP)


def _box(place: tuple[int, int, int, int], name: str, lines: Iterable[str]) -> list[str]:
    left, top, width, height = place
    middle = left + width // 2
    frame = f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>'
    title = f'<text x="{middle}" y="{top + 22}" class="name">{escape(name)}</text>'
    texts = [
        f'<text x="{middle}" y="{top + 41 + 15 * number}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]
    return [frame, title, *texts]


def _wrapped(text: str, columns: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _svg(parts: Iterable[str], height: int) -> str:
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
        "<style>rect{fill:#e8eaf6;stroke:#3f51b5}text{text-anchor:middle;fill:#222}"
        ".name{font-size:15px;font-weight:bold}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="5" '
        'markerHeight="5" orient="auto"><path d="M0 0L8 4L0 8z" fill="#3f51b5"/></marker></defs>',
        f'<path d="M0 0H{WIDTH}V{height}H0z" fill="#fff"/>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def main(folder: Path) -> None:
    """Write both drawings to a folder."""
    page = PAGE.read_text(encoding="utf-8")
    (folder / "architecture-packages.svg").write_text(packages_drawing(page), encoding="utf-8")
    (folder / "architecture-cell.svg").write_text(cell_drawing(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE.parent)
