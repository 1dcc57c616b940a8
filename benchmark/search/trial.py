"""One index measured in a process of its own: ``python -m hashbench.search.trial TRIAL.json``.

It reports its progress as lines of JSON: the events ``building`` and ``built``, then ``measured``
for each workload.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from hashbench.core.codes import Codes
from hashbench.core.errors import HashbenchError
from hashbench.core.plugins import load_plugins
from hashbench.core.registry import Kind, registry
from hashbench.search.latency import Workload, measure_engine
from hashbench.search.recall import ExactAnswers


@dataclass(frozen=True)
class Trial:
    """One index to build, and the searches to time in it.

    ``query`` and ``database`` are .npy files of packed codes, ``exact`` one of the exact distances,
    int32 (queries answered, largest k).
    """

    engine: str
    params: dict[str, Any]
    threads: int
    bits: int
    query: Path
    database: Path
    exact: Path
    workloads: tuple[Workload, ...]
    plugins: tuple[Path, ...] = ()


TRIAL = TypeAdapter(Trial)
"""Reads and writes a trial as JSON."""


def run(trial: Trial) -> None:
    """Measure, and report on standard output."""
    load_plugins(trial.plugins, registry())
    cls = registry().load(Kind.ENGINE, trial.engine)
    engine = cls(cls.Params(**trial.params))
    query, database = (
        Codes(np.load(file, allow_pickle=False), trial.bits)
        for file in (trial.query, trial.database)
    )
    distances = np.load(trial.exact, allow_pickle=False)
    exact = ExactAnswers.known(query, database, distances)
    _report(event="building")
    results = measure_engine(
        engine,
        query,
        database,
        trial.workloads,
        threads=trial.threads,
        exact=exact,
        on_built=lambda: _report(event="built"),
    )
    for result in results:
        _report(event="measured", result=asdict(result))


def _report(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        run(TRIAL.validate_json(Path(sys.argv[1]).read_bytes()))
    except (HashbenchError, MemoryError, RuntimeError) as error:
        _report(event="failed", why=" ".join(f"{type(error).__name__}: {error}".split()))
