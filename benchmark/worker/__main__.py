"""Entry point of a worker: ``python -m hashbench.worker JOB.json [EVENT_DESCRIPTOR]``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from hashbench.core.errors import ExitCode, StoreError
from hashbench.core.job import JOB
from hashbench.core.plugins import load_plugins
from hashbench.core.registry import registry
from hashbench.worker.cell import CellRun
from hashbench.worker.events import Events


def main(job_file: Path, descriptor: int | None) -> ExitCode:
    """Do a job.

    Args:
        job_file: The job as JSON.
        descriptor: The pipe for events, if anybody listens.

    Returns:
        OK, CELLS_FAILED if a record says so, or the code of an unusable store.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.INTERRUPTED))
    job = JOB.validate_json(job_file.read_bytes())
    events = Events(descriptor)
    load_plugins(job.plugins, registry())
    try:
        return ExitCode.OK if CellRun(job, registry(), events).run() else ExitCode.CELLS_FAILED
    except StoreError as error:
        events.store_error(error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))  # noqa: PLR2004
