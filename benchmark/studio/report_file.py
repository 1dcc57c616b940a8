"""The self-contained HTML report, made by the same command as in a shell."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from hashbench.core.errors import ConfigError
from hashbench.studio.context import StudioContext
from hashbench.studio.downloads import offer_file
from hashbench.studio.jobs import jobs

NAME: Final = "hashbench-report.html"
_SECONDS: Final = 900
_SHOWN: Final = 500


def report_words(context: StudioContext, output: str = NAME) -> tuple[str, ...]:
    """The command line.

    Args:
        context: Whose store is reported.
        output: The file.
    """
    store = str(context.store)
    return ("hashbench", "report", "--store", store, "--format", "html", "-o", output)


def report_line(context: StudioContext) -> str:
    """What to type in a shell for the same."""
    return shlex.join(report_words(context))


def make_report(context: StudioContext) -> str:
    """Make the report, and offer it for download.

    Args:
        context: Whose store is reported.

    Returns:
        Where a download button takes it from.

    Raises:
        ConfigError: If the command refuses, or takes too long.
        StoreError: If it cannot be offered.
    """
    with tempfile.TemporaryDirectory(prefix="hashbench-report-") as folder:
        file = Path(folder) / NAME
        words = report_words(context, str(file))
        try:
            done = subprocess.run(  # noqa: S603 - our own command, no shell
                [sys.executable, "-c", jobs.MAIN, *words[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
                env=jobs.environment(),
            )
        except subprocess.TimeoutExpired:
            raise ConfigError(
                f"report: takes longer than {_SECONDS} s; make it in a shell, with "
                f"{report_line(context)}"
            ) from None
        if done.returncode or not file.is_file():
            said = done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"]
            raise ConfigError(f"report: {said[-1].removeprefix('error: ')[:_SHOWN]}")
        return offer_file(file, context)
