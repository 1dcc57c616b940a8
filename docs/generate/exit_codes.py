"""The table of exit codes."""

from __future__ import annotations

from typing import Final

from markdown_table import table

from hashbench.core.errors import ExitCode

MEANINGS: Final = {
    ExitCode.OK: "fine",
    ExitCode.INTERNAL: "an error of hashbench itself, with a traceback; please report it",
    ExitCode.USAGE: "a mistake in the command, a file or a setting; each has one line",
    ExitCode.CELLS_FAILED: "some cells failed, the others are kept; or a check of `check-method`",
    ExitCode.GATE_FAILED: "`gate`: something is worse, missing or failed",
    ExitCode.NOT_REPRODUCED: "`reproduce`: a metric is outside, or the second run failed",
    ExitCode.NOTHING_SELECTED: "a selection or a pattern matched nothing",
    ExitCode.STORE_DAMAGED: "a file of the store is not what its record says",
    ExitCode.INTERRUPTED: "stopped with Ctrl-C; finished work is kept",
}


def table_rows() -> list[tuple[str, str, str]]:
    """Code, name and meaning of each."""
    return [(str(int(c)), c.name.lower().replace("_", " "), MEANINGS[c]) for c in ExitCode]


def page() -> str:
    """All of them as a table."""
    return table(("code", "name", "meaning"), table_rows())
