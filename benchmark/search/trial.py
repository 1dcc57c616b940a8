"""One index measured in a process of its own: ``python -m hashbench.search.trial TRIAL.json``.

It says what it does in lines of JSON: ``building``, ``built``, and then a measurement each.
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
from hashbench.search.latency import Ask, measure_engine
from hashbench.search.recall import ExactAnswers


@dataclass(frozen=True)
class Trial:
    """What is measured.

    Attributes:
        engine: Name of the engine.
        params: Its parameters.
        threads: Its threads.
        bits: Code length.
        query: File of the queries' packed codes.
        database: File of the database's.
        exact: File of the exact scan's distances, int32 (queries looked at, largest k).
        asked: How it is asked.
        plugins: Plugin files to load first.
    """

    engine: str
    params: dict[str, Any]
    threads: int
    bits: int
    query: Path
    database: Path
    exact: Path
    asked: tuple[Ask, ...]
    plugins: tuple[Path, ...] = ()


TRIAL = TypeAdapter(Trial)
"""Reads and writes a trial as JSON."""


def run(trial: Trial) -> None:
    """Measure, and tell it on standard output."""
    load_plugins(trial.plugins, registry())
    cls = registry().load(Kind.ENGINE, trial.engine)
    engine = cls(cls.Params(**trial.params))
    query, database = (
        Codes(np.load(file, allow_pickle=False), trial.bits)
        for file in (trial.query, trial.database)
    )
    distances = np.load(trial.exact, allow_pickle=False)
    exact = ExactAnswers.known(query, database, distances)
    _say(event="building")
    results = measure_engine(
        engine,
        query,
        database,
        trial.asked,
        threads=trial.threads,
        exact=exact,
        on_built=lambda: _say(event="built"),
    )
    for result in results:
        _say(event="measured", result=asdict(result))


def _say(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        run(TRIAL.validate_json(Path(sys.argv[1]).read_bytes()))
    except (HashbenchError, MemoryError, RuntimeError) as error:
        _say(event="failed", why=" ".join(f"{type(error).__name__}: {error}".split()))
