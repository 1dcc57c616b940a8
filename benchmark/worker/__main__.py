"""Entry point of a worker: ``python -m hashbench.worker JOB.json [EVENTS [LIFE]]``.

EVENTS and LIFE are file descriptors of pipes: the worker writes events to the one, and ends when
its parent closes the other.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hashbench.core.arithmetic import is_pinned
from hashbench.core.errors import ExitCode, StoreError
from hashbench.core.job import JOB
from hashbench.core.pinning import restart_pinned
from hashbench.core.plugins import load_plugins
from hashbench.core.registry import registry
from hashbench.worker.termination import TerminationWatch


def main(job_file: Path, descriptor: int | None = None, life: int | None = None) -> ExitCode:
    """Make the missing records of a job.

    Returns:
        OK, CELLS_FAILED if a record has failed, or the code of an unusable store.
    """
    job = JOB.validate_json(job_file.read_bytes())
    if is_pinned(job.cell):
        restart_pinned()
    watch = TerminationWatch(life, job)
    watch.start()
    # Imported after the watch has started, because torch takes seconds to import.
    from hashbench.worker.cell import CellRun
    from hashbench.worker.events import Events

    events = Events(descriptor, watch.stop)
    load_plugins(job.plugins, registry())
    try:
        return ExitCode.OK if CellRun(job, registry(), events).run() else ExitCode.CELLS_FAILED
    except StoreError as error:
        events.store_error(error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:4])))
