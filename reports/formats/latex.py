"""A report in LaTeX with booktabs: the best value is bold, the second underlined.

A table wider than the text is scaled down; a table longer than a page is split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from hashbench.reports.table import Mark, Table
from hashbench.reports.tables import build_tables, nothing_text, provenance
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

_HEAD: Final = (
    "% Needs \\usepackage[T1]{fontenc}, \\usepackage{booktabs} and \\usepackage{graphicx}."
)
_FIT: Final = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
_ROWS_A_PAGE: Final = 40
_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "`": r"\textasciigrave{}",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "…": r"\ldots{}",
    # At the start of a row these would be read as belonging to the line break before it.
    "[": "{[}",
    "*": "{*}",
}
# The second of two characters that TeX joins into one, and characters that pdflatex does not have.
_TO_ESCAPE: Final = re.compile(
    "|".join([*map(re.escape, _SPECIAL), "(?<=-)-", "(?<=,),", "(?<=')'", "[^ -~À-ÖØ-öø-ÿ]"])
)
_SPACE: Final = re.compile(r"\s+")
_CODE: Final = re.compile(r"`([^`]*)`")
_MINUS: Final = re.compile(r"-(?=\d)")
_NUMERIC: Final = re.compile(r"[-+<\d.,±%\[\] ]*(\(n = \d+\))?(\[.*\])?")


def render(cells: Sequence[CellResults], *, trace: bool = False, view: View | None = None) -> str:
    """Write the tables in LaTeX.

    Within a table the best rounded value of each protocol, device, metric and code length is bold
    and the second best underlined; letters of significance are superscripts.

    Args:
        cells: The results of every cell.
        trace: Whether to add the id of the record behind every value.
        view: The tables and their layout; all tables if not given.

    Returns:
        Floating ``table`` environments for a document; the same bytes for the same records.
    """
    tables = build_tables(cells, trace=trace, view=view)
    if not tables:
        return f"% {nothing_text(cells, view)}\n"
    made_by = "\n".join(f"% Made by {line}" for line in provenance(cells))
    parts = [_table(table, number) for number, table in enumerate(tables, start=1)]
    return "\n".join([f"{_HEAD}\n{made_by}\n", *parts])


def escape(text: str) -> str:
    r"""Escape text for LaTeX, with text in backticks in typewriter type.

    Example:
        >>> print(escape("50 % of `a_b` ± 1"))
        50 \% of \texttt{a\_b} $\pm$ 1
    """
    parts = _CODE.split(text)
    plain = [_TO_ESCAPE.sub(_escaped, _SPACE.sub(" ", part)) for part in parts]
    return "".join(f"\\texttt{{{part}}}" if n % 2 else part for n, part in enumerate(plain))


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character in _SPECIAL:
        return _SPECIAL[character]
    return f"{{}}{character}" if character in "-,'" else f"U+{ord(character):04X}"


def _table(table: Table, number: int) -> str:
    """Return one ``table`` environment, or several for a long table."""
    rows = table.frame.values.tolist()
    lines = [
        " & ".join(
            _marked(_cell(word), table.marks.get((row, column)))
            for column, word in enumerate(words)
        )
        for row, words in enumerate(rows)
    ]
    columns = "".join("r" if _is_numeric(column) else "l" for column in zip(*rows, strict=True))
    label = f"tab:{re.sub('[^a-z0-9]+', '-', table.title.lower()).strip('-')}-{number}"
    parts = [lines[at : at + _ROWS_A_PAGE] for at in range(0, len(lines), _ROWS_A_PAGE)]
    written = []
    for part, some in enumerate(parts, start=1):
        several = len(parts) > 1
        title = f"{table.title} ({part} of {len(parts)})" if several else table.title
        own = f"{label}-{part}" if several else label
        head = [rf"\caption{{{escape(title)}}}", rf"\label{{{own}}}"]
        last = part == len(parts)
        notes = [f"{'; '.join(table.notes)}."] if last and table.notes else []
        notes += table.warnings if last else ()
        written.append(_environment(head, columns, table.frame.columns, lines=some, notes=notes))
    return "\n".join(written)


def _environment(
    head: Sequence[str],
    columns: str,
    names: Iterable[str],
    *,
    lines: Sequence[str],
    notes: Sequence[str],
) -> str:
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            *head,
            _FIT,
            f"\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(escape, names)) + r" \\",
            r"\midrule",
            *(f"{line} \\\\" for line in lines),
            r"\bottomrule",
            r"\end{tabular}}",
            *(rf"\par\smallskip{{\footnotesize {escape(note)}\par}}" for note in notes),
            r"\end{table}",
            "",
        ]
    )


def _marked(text: str, mark: Mark | None) -> str:
    if mark is None:
        return text
    around = {1: r"\textbf{%s}", 2: r"\underline{%s}"}.get(mark.rank, "%s")
    letters = f"\\textsuperscript{{{mark.letters}}}" if mark.letters else ""
    return around.replace("%s", text) + letters


def _cell(word: str) -> str:
    text = escape(word)
    return _MINUS.sub("$-$", text) if _NUMERIC.fullmatch(word) else text


def _is_numeric(words: Sequence[str]) -> bool:
    return any(words) and all(_NUMERIC.fullmatch(word) for word in words)
