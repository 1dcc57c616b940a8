"""Call the command line in this process: as the installed command, without a start of Python.

``tests/e2e/test_real_runs.py`` starts every command as a process of its own; a test that is not
about the process calls it here, which saves the imports. What a command changes for its whole
process is put back: folder, environment, registered plugins, torch's determinism and threads.
"""

from __future__ import annotations

import contextlib
import subprocess
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from click.testing import CliRunner

from hashbench.cli import main
from hashbench.core.registry import registry


def hashbench(
    *words: str, folder: Path | None = None, env: Mapping[str, str | None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call ``hashbench WORDS`` in a folder.

    Args:
        words: The command's words.
        folder: The working folder; this process's own if not given.
        env: Environment variables to set or, with None, to unset during the call.

    Returns:
        The exit code and what was written, as of a process; the traceback of an error that the
        command does not catch is in the standard error.
    """
    runner = CliRunner(env={"COLUMNS": "100", **(env or {})})
    with contextlib.chdir(folder or Path.cwd()), _state_kept():
        result = runner.invoke(main, [str(word) for word in words], prog_name="hashbench")
    errors = result.stderr
    if result.exception and not isinstance(result.exception, SystemExit):
        errors += "".join(traceback.format_exception(result.exception))
    return subprocess.CompletedProcess(
        ["hashbench", *words], int(result.exit_code), result.stdout, errors
    )


@contextlib.contextmanager
def _state_kept() -> Iterator[None]:
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    registry.cache_clear()
    try:
        yield
    finally:
        registry.cache_clear()
        torch.set_deterministic_debug_mode(mode)
        torch.set_num_threads(threads)
