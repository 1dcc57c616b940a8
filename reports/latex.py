"""A report in LaTeX: booktabs, the best value bold, the second underlined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hashbench.reports.table import Mark, Table
from hashbench.reports.tables import build_tables, nothing_text, provenance
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

_HEAD: Final = "% Needs \\usepackage[T1]{fontenc} and \\usepackage{booktabs}."
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
    "[": "{[}",  # at the start of a row it would be read as an argument of the line break
}
_TO_ESCAPE: Final = re.compile("|".join(map(re.escape, _SPECIAL)))
_CODE: Final = re.compile(r"`([^`]*)`")
_MINUS: Final = re.compile(r"-(?=\d)")
_NUMERIC: Final = re.compile(r"[-+<\d.,±%\[\] ]*(\(n = \d+\))?(\[.*\])?")


def render(cells: Sequence[CellResults], *, trace: bool = False, view: View | None = None) -> str:
    """Write tables of a store.

    Within a table the best value of each protocol, device, metric and code length is bold and the
    second best underlined, as they look when rounded; letters of significance are raised.

    Args:
        cells: The results of every cell.
        trace: Whether to add the id of the record behind every value.
        view: Which tables, and how; all if not given.

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
    r"""Text as LaTeX prints it, with ``code`` in backticks upright and of one width.

    Example:
        >>> print(escape("50 % of `a_b` ± 1"))
        50 \% of \texttt{a\_b} $\pm$ 1
    """
    parts = _CODE.split(text)
    plain = [_TO_ESCAPE.sub(lambda found: _SPECIAL[found[0]], part) for part in parts]
    return "".join(f"\\texttt{{{part}}}" if n % 2 else part for n, part in enumerate(plain))


def _table(table: Table, number: int) -> str:
    rows = table.frame.values.tolist()
    lines = [
        " & ".join(
            _marked(_cell(word), table.marks.get((row, column)))
            for column, word in enumerate(words)
        )
        for row, words in enumerate(rows)
    ]
    columns = "".join("r" if _is_numeric(column) else "l" for column in zip(*rows, strict=True))
    notes = escape("; ".join(table.notes))
    label = f"tab:{re.sub('[^a-z0-9]+', '-', table.title.lower()).strip('-')}-{number}"
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            f"\\caption{{{escape(table.title)}}}",
            f"\\label{{{label}}}",
            f"\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(escape, table.frame.columns)) + r" \\",
            r"\midrule",
            *(f"{line} \\\\" for line in lines),
            r"\bottomrule",
            r"\end{tabular}",
            *([rf"\par\smallskip{{\footnotesize {notes}.\par}}"] if notes else []),
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
