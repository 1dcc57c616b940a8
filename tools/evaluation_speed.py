"""Speed of an evaluation, compared with the field's loop and with the limit of the machine.

``python tools/evaluation_speed.py [THREADS]`` prints the load of the machine and a table. The
competitors take turns in one run, and the shortest of several times counts, so that a busy machine
is busy for all. Codes of 64 bits lie around one centre a class.

*The field's loop*, as in published code, handles one query at a time: Hamming distances by a
product of +1 and -1, a sort, a product of labels, sums. Published code has integer labels and lets
the linear algebra use all threads; *at its best* is the fastest of integer and float labels on one
thread and on all. It is timed on some of the queries. *The limit* is the rate at which all threads
together add given keys to histograms, in nanoseconds a pair.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hashbench.core.codes import Codes
from hashbench.core.environment import capture
from hashbench.core.errors import ExitCode
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import Metric, parse_metric
from hashbench.evaluation.tool import Tool

BITS = 64
REPEATS = 6
_LOOPED = 10  # queries that the field's loop is timed on at once
_KEYS, _ROUNDS = 1 << 14, 2_000
_IN_A_ROW = 4
_REST = 0.1  # seconds after which idle threads of linear algebra go to sleep
_FIRST_CALL = """
import time
began = time.perf_counter()
from evaluation_speed import first_call
first_call()
print(time.perf_counter() - began)
"""


@dataclass(frozen=True, slots=True)
class Case:
    """The shape of a protocol; ``cutoff`` is K as written in metric names."""

    queries: int
    items: int
    classes: int
    multilabel: bool
    cutoff: str

    @property
    def tie_aware(self) -> list[Metric]:
        """Metrics that need a histogram over distance and relevance."""
        names = [f"map@{self.cutoff}/div={div}" for div in ("hits", "min")]
        names = [f"{name}/ties={ties}" for name in names for ties in ("expected", "best", "worst")]
        names += ["precision@100", "recall@100", "precision@r2", "recall@r2"]
        return [parse_metric(name) for name in [*names, "pr@radii", "pr11@radii"]]

    @property
    def stable(self) -> Metric:
        """A metric that needs the order of the database, too."""
        return parse_metric(f"map@{self.cutoff}/ties=stable")

    @property
    def graded(self) -> list[Metric]:
        """Metrics that need a histogram over distance and gain."""
        return [parse_metric(f"{family}@{self.cutoff}") for family in ("ndcg", "acg", "wap")]


CASES = (
    Case(1_000, 54_000, 10, False, "all"),
    Case(2_100, 193_734, 21, True, "5000"),
    Case(5_000, 117_218, 80, True, "5000"),
)

Sides = tuple[Codes, Codes, NDArray[np.uint8], NDArray[np.uint8]]


def made(case: Case) -> Sides:
    """Draw codes around one centre a class and their labels, for queries and database."""
    rng = np.random.default_rng(0)
    total = case.queries + case.items
    classes = rng.integers(0, case.classes, total)
    outputs = rng.standard_normal((case.classes, BITS), dtype=np.float32)[classes]
    outputs += 1.2 * rng.standard_normal((total, BITS), dtype=np.float32)
    labels = np.eye(case.classes, dtype=np.uint8)[classes]
    if case.multilabel:
        labels |= rng.random((total, case.classes), dtype=np.float32) < 2 / case.classes
    packed = Codes.from_outputs(outputs).packed
    parts = slice(case.queries), slice(case.queries, None)
    query, database = (Codes(packed[part].copy(), BITS) for part in parts)
    return query, database, labels[parts[0]].copy(), labels[parts[1]].copy()


def field_loop(sides: Sequence[NDArray[Any]], cutoff: int) -> float:
    """Compute mean average precision as published code does.

    Args:
        sides: Codes of -1 and +1 of the queries and of the database, then their labels.
        cutoff: K.
    """
    queries, database, query_labels, labels = sides
    total = 0.0
    for code, label in zip(queries, query_labels, strict=True):
        relevant = (label @ labels.T > 0).astype(np.float32)
        distances = 0.5 * (len(code) - code @ database.T)
        found = relevant[np.argsort(distances)][:cutoff]
        hits = int(found.sum())
        if hits:
            ranks = np.flatnonzero(found == 1) + 1.0
            total += float(np.mean(np.linspace(1, hits, hits) / ranks))
    return total / len(queries)


def _loops(case: Case, sides: Sides, threads: int) -> list[Callable[[], object]]:
    """List the variants of the field's loop on some queries, the published one first."""
    cutoff = case.items if case.cutoff == "all" else int(case.cutoff)
    signs = sides[0].signs()[:_LOOPED].astype(np.float32), sides[1].signs().astype(np.float32)

    def variant(dtype: type[Any], limit: int) -> Callable[[], object]:
        arrays = *signs, sides[2][:_LOOPED].astype(dtype), sides[3].astype(dtype)

        def run() -> float:
            with threadpool_limits(limit):
                return field_loop(arrays, cutoff)

        return run

    return [variant(dtype, limit) for dtype in (np.int64, np.float32) for limit in (threads, 1)]


def _limit(threads: int) -> Callable[[], object]:
    """Make a function in which all threads count keys at once."""
    from numba import njit

    @njit(nogil=True)
    def count_keys(keys: NDArray[np.uint8], counts: NDArray[np.int64], rounds: int) -> None:
        for _ in range(rounds):
            for j in range(keys.shape[0]):
                counts[keys[j]] += 1

    keys = np.random.default_rng(0).binomial(BITS, 0.4, _KEYS).astype(np.uint8)
    counts = [np.zeros(256, dtype=np.int64) for _ in range(threads)]
    count_keys(keys, counts[0], 1)  # compiles

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: count_keys(keys, part, _ROUNDS), counts))

    return run


def _shortest(runs: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Measure the shortest time of each, in seconds; they take turns of some calls in a row.

    The first call of a turn is slower: caches, threads and processors are idle after the pause.
    """
    found = [float("inf")] * len(runs)
    for _ in range(repeats):
        for i, run in enumerate(runs):
            time.sleep(_REST)
            for _ in range(_IN_A_ROW):
                began = time.perf_counter()
                run()
                found[i] = min(found[i], time.perf_counter() - began)
    return found


def _extra_memory(run: Callable[[], object]) -> float:
    """Measure the peak of the resident memory above its value before the call, in MB; Linux."""

    def status(key: str) -> int:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key))

    ctypes.CDLL(None).malloc_trim(0)  # freed memory that is still resident would hide new memory
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forget the old peak
    before = status("VmRSS:")
    run()
    return (status("VmHWM:") - before) / 1e3


def measure(case: Case, threads: int, repeats: int = REPEATS) -> Iterator[str]:
    """Yield the table rows of one case; the shortest of ``repeats`` times counts."""
    sides = made(case)

    def ours(metrics: Sequence[Metric], tool: Tool = Tool.NUMBA) -> Callable[[], object]:
        return lambda: evaluate(*sides, metrics, order_seed=0, threads=threads, tool=tool)

    rows = {
        "tie-aware": ours(case.tie_aware),
        "with stable": ours([*case.tie_aware, case.stable]),
        "with graded": ours([*case.tie_aware, *case.graded]),
        "tie-aware, numpy": ours(case.tie_aware, Tool.NUMPY),
    }
    memory = {name: _extra_memory(run) for name, run in rows.items()}
    loops = _loops(case, sides, threads)
    times = _shortest([_limit(threads), *loops, *rows.values()], repeats)
    pairs = case.queries * case.items
    limit = times[0] / (threads * _KEYS * _ROUNDS) * 1e9
    each_query = [seconds / min(_LOOPED, case.queries) for seconds in times[1 : 1 + len(loops)]]
    published, best = each_query[0] * case.queries, min(each_query) * case.queries
    shape = f"{case.queries} x {case.items} @{case.cutoff}"
    for name, seconds in (("field's loop", published), ("field's loop at its best", best)):
        yield f"| {shape} | {name} | {seconds:.2f} | | | {seconds / pairs * 1e9:.2f} | | |"
    for name, seconds in zip(rows, times[1 + len(loops) :], strict=True):
        each = seconds / pairs * 1e9
        yield (
            f"| {shape} | {name} | {seconds:.3f} | {published / seconds:.0f}x | "
            f"{best / seconds:.0f}x | {each:.3f} | {each / limit:.2f} | {memory[name]:.0f} |"
        )


def first_call() -> None:
    """Evaluate a few of all metrics, so that all loops are compiled or loaded."""
    case = Case(4, 300, 10, True, "all")
    metrics = [*case.tie_aware, case.stable, *case.graded, parse_metric("ndcg@9/ties=stable")]
    evaluate(*made(case), metrics, order_seed=0, tool=Tool.NUMBA)


def first_calls() -> tuple[float, float]:
    """Measure the seconds of the first call with an empty cache, and in the next process."""
    with tempfile.TemporaryDirectory() as cache:
        seconds = [
            subprocess.run(  # noqa: S603 - this interpreter and the text above
                [sys.executable, "-c", _FIRST_CALL],
                capture_output=True,
                check=True,
                text=True,
                env={**os.environ, "NUMBA_CACHE_DIR": cache},
            ).stdout
            for _ in range(2)
        ]
    return float(seconds[0]), float(seconds[1])


def main(arguments: Sequence[str]) -> ExitCode:
    """Measure and print the table."""
    try:
        threads = int(arguments[0]) if arguments else os.cpu_count() or 1
    except ValueError:
        print("usage: python tools/evaluation_speed.py [THREADS]", file=sys.stderr)
        return ExitCode.USAGE
    here = capture(device="cpu", threads=threads)
    print(f"{here.machine}; {here.software}\n", flush=True)
    compiled, loaded = first_calls()
    print(f"first call: {compiled:.1f} s with an empty cache, {loaded:.1f} s in the next process")
    first_call()
    print(f"codes of {BITS} bits, load {os.getloadavg()[0]:.2f}\n", flush=True)
    print("| shape | what | seconds | field | its best | ns a pair | of the limit | extra MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for case in CASES:
        for line in measure(case, threads):
            print(line, flush=True)
    print(f"\nload {os.getloadavg()[0]:.2f} at the end")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
