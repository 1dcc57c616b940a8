"""The report's figures, its choice of a method and a paired test, as parts of the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Final

from hashbench.judge.compare.comparison import Row
from hashbench.judge.compare.text import FIGURES, row_figures
from hashbench.reports.html.canvas import Drawing
from hashbench.reports.html.decision_data import page_data
from hashbench.reports.html.page import asset
from hashbench.studio.tabs.analysis_data import Analysis

_LINK: Final = re.compile(r'<a xlink:href="#record-[^"]*"')
_PROGRAMS: Final = ("start.js", "tables.js", "decision.js")

PROGRAM: Final = (
    "const decideHere = () => {{\nif (!element.querySelector('#data')) return;\n{}\n}};\n"
)


def style() -> str:
    """The report's style, for everything in ``class="hb-report"`` and nothing else."""
    light, dark, *rest = asset("page.css").split("\n}\n")
    palettes = f".hb-report {_block(light)}\n.dark .hb-report {_block(dark)}"
    return f"<style>{palettes}\n.hb-report {{\n{_plain(rest)}\n{_OWN}\n}}</style>"


_OWN: Final = """
a { color: inherit; text-decoration: none; pointer-events: none; }
color: var(--ink); overflow-wrap: anywhere; min-width: 0;
"""


def _block(rule: str) -> str:
    return rule[rule.index("{") :] + "\n}"


def _plain(rules: Sequence[str]) -> str:
    """The rules that are about parts of the page: not those of the system's colours."""
    text = "\n}\n".join(rules)
    return text[text.index("* { box-sizing") :]


def decision_program() -> str:
    """The report's own programs, run again whenever the data change."""
    return PROGRAM.format("\n".join(map(asset, _PROGRAMS))) + (
        "watch('value', decideHere);\ndecideHere();"
    )


def decision_html(analysis: Analysis) -> str:
    """What the programs of `decision_program` read and fill."""
    data = page_data([analysis.arena], [], analysis.evidence)
    return (
        f'<div class="hb-report"><div id="data" hidden>{escape(data)}</div>'
        '<button id="theme" style="display: none" aria-hidden="true" tabindex="-1"></button>'
        '<form id="decision-form" class="choices" hidden></form>'
        '<div id="decision-answer" aria-live="polite"></div>'
        f'<p class="note">{escape(analysis.evidence.note)}</p></div>'
    )


def figures_html(title: str, drawings: Sequence[Drawing]) -> str:
    """Figures of an arena, and why others are not there.

    Args:
        title: The arena's.
        drawings: As `hashbench.reports.html.gallery.drawings` makes them.
    """
    drawn = "".join(_figure(title, drawing) for drawing in drawings if drawing.svg)
    missing = "; ".join(f"{d.title} ({d.caption})" for d in drawings if not d.svg)
    note = f'<p class="note">Not drawn: {escape(missing)}.</p>' if missing else ""
    return f'<div class="hb-report"><div class="figures">{drawn}</div>{note}</div>'


def comparison_html(row: Row, metric: str, titles: tuple[str, str]) -> str:
    """Two runs against each other.

    Args:
        row: The comparison.
        metric: By which it was made.
        titles: What the two are called where they are chosen.
    """
    if not row.shown:
        verdict = "No difference was shown: new seeds and queries may well rank them otherwise."
    else:
        better = titles[0] if row.effect.mean > 0 else titles[1]
        verdict = f"Better: {better}."
    effect = row.effect
    names = [name.removesuffix(" (Holm)") for name in FIGURES]  # of one comparison there is none
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(f"<td>{escape(text)}</td>" for text in row_figures(row))
    paired = "a paired bootstrap" if row.paired else "a bootstrap of both, not paired,"
    note = (
        f"First minus second by {metric}; {paired} over new {effect.over} "
        f"({effect.seeds} x {effect.queries}), interval at 95 %; "
        f"win/tie/loss counts queries by their mean over seeds."
    )
    return (
        f'<div class="hb"><p><strong>{escape(verdict)}</strong></p><p>First: {escape(titles[0])}'
        f"<br>Second: {escape(titles[1])}</p>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody><tr>{body}</tr></tbody>'
        f'</table></div><p class="hb-faint">{escape(note)}</p></div>'
    )


def _figure(title: str, drawing: Drawing) -> str:
    label = escape(f"{drawing.title}, {title}. {drawing.alt}")
    svg = _LINK.sub("<a", drawing.svg)  # records are in the tab of runs
    return (
        f'<figure id="figure-{drawing.key}"><h3>{escape(drawing.title)}</h3>'
        f'<div class="drawing" role="img" aria-label="{label}">{svg}</div>'
        f"<figcaption>{escape(drawing.caption)}</figcaption></figure>"
    )
