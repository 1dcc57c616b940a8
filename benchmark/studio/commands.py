"""The command lines that the page starts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hashbench.core.errors import ConfigError
from hashbench.studio.context import StudioContext
from hashbench.studio.forms.matrix_check import FILE, Checked, check
from hashbench.studio.jobs import jobs
from hashbench.studio.jobs.run_log import duration, events, words

_ESTIMATE_SECONDS: Final = 300
_MIB: Final = 2**20


def run_words(matrix: Path, context: StudioContext) -> tuple[str, ...]:
    """The command that runs a matrix.

    Args:
        matrix: The file.
        context: What the page was started with.
    """
    return (
        *("hashbench", "run", str(matrix), "--store", str(context.store), "--json-events"),
        "--retry-failed",  # whoever starts it on a page wants it to run
        *root_words(context),
        *plugin_words(context),
    )


def root_words(context: StudioContext) -> tuple[str, ...]:
    """Where datasets are, as an option."""
    return ("--data-root", str(context.data_root))


def plugin_words(context: StudioContext) -> tuple[str, ...]:
    """The plugin files, as options."""
    return tuple(word for file in context.plugins for word in ("--plugin", str(file)))


def start_run(text: str, context: StudioContext) -> jobs.Job:
    """Check a matrix, and start or queue its run.

    Args:
        text: The matrix.
        context: What the page was started with.

    Raises:
        ConfigError: With one line for each mistake.
        StoreError: If the store cannot be written.
    """
    checked = check(text, context)
    number = len(checked.cells)

    def prepare(folder: Path) -> tuple[str, ...]:
        (folder / FILE).write_text(checked.text, encoding="utf-8")
        return run_words(folder / FILE, context)

    title = f"{checked.name} ({number} cell{'' if number == 1 else 's'})"
    return jobs.start(context.jobs, "run", title, argv=prepare, queue=True)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run is thought to take.

    Attributes:
        lines: For people.
    """

    lines: tuple[str, ...]


def estimate(checked: Checked, folder: Path, context: StudioContext) -> Costs:
    """Ask ``hashbench run --dry-run`` what a matrix would take; nothing is trained or kept.

    Args:
        checked: The matrix.
        folder: Where its file may be written.
        context: What the page was started with.

    Raises:
        ConfigError: If the command refuses, with its lines.
    """
    file = folder / FILE
    file.write_text(checked.text, encoding="utf-8")
    command = [sys.executable, "-c", jobs.MAIN, *run_words(file, context)[1:], "--dry-run"]
    try:
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_ESTIMATE_SECONDS,
            stdin=subprocess.DEVNULL,
            env=jobs.environment(),
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"estimate: the data take longer than {_ESTIMATE_SECONDS} s to check; the run can be "
            f"started all the same"
        ) from None
    if done.returncode:
        lines = [line.removeprefix("error: ") for line in words(done.stderr)[-5:]]
        told = (line.replace(str(file), FILE) for line in lines)
        raise ConfigError(*(told if lines else (f"estimate: ended with code {done.returncode}",)))
    return Costs(tuple(_lines(done.stdout)))


def _lines(output: str) -> list[str]:
    found = [event for event in events(output.splitlines()) if event["event"] == "cell"]
    to_do = [event for event in found if event.get("state") in ("missing", "to be measured")]
    there = len(found) - len(to_do)
    lines = [f"{len(found)} cells: {there} in the store already, {len(to_do)} to run"]
    if not to_do:
        return lines
    seconds = [event["seconds"] for event in to_do if event.get("seconds") is not None]
    memory = [m for event in to_do if (m := event.get("peak_memory_bytes"))]
    stored = sum(event.get("stored_bytes") or 0 for event in to_do)
    if seconds:
        unknown = len(to_do) - len(seconds)
        rest = f", and {unknown} of {len(to_do)} cells unknown" if unknown else ""
        lines.append(f"time: about {duration(sum(seconds))}, one cell after another{rest}")
        lines.append(f"disk: about {stored / _MIB:.1f} MiB in the store")
    if memory:
        lines.append(f"memory: about {max(memory) / _MIB:,.0f} MiB while a cell is trained")
    if not seconds:
        return [
            *lines,
            "time and memory: not known yet, since no like cell is in the store; "
            "the first epoch will tell the time",
        ]
    known = [event["source"] for event in to_do if event.get("seconds") is not None]
    return [*lines, *(f"judged {why}" for why in dict.fromkeys(known))]
