"""The table of exit codes."""

from __future__ import annotations

from typing import Final

from markdown_table import table

from hashbench.core.errors import ExitCode

MEANINGS: Final = {
    ExitCode.OK: "success",
    ExitCode.INTERNAL: "an error of hashbench itself, with a traceback; please report it",
    ExitCode.USAGE: "a mistake in the command, a file or a setting; each is reported in one line",
    ExitCode.CELLS_FAILED: "some cells failed, others are kept; or `check-method` found a fault",
    ExitCode.GATE_FAILED: "`gate`: something is worse, missing or failed",
    ExitCode.NOT_REPRODUCED: "`reproduce`: a metric has the verdict `outside`, or the run failed",
    ExitCode.NOTHING_SELECTED: "a selection or a pattern matched nothing",
    ExitCode.STORE_DAMAGED: "a file of the store does not match its record",
    ExitCode.INTERRUPTED: "the command was stopped with Ctrl-C; finished work is kept",
}


def table_rows() -> list[tuple[str, str, str]]:
    """Return the code, name and meaning of each exit code."""
    return [(str(int(c)), c.name.lower().replace("_", " "), MEANINGS[c]) for c in ExitCode]


def page() -> str:
    """Return the table of exit codes."""
    return table(("code", "name", "meaning"), table_rows())
