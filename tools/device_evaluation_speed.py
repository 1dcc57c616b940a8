"""Speed of counting on a CUDA device, compared with its rates of copying and multiplying.

``python tools/device_evaluation_speed.py [SCALE]`` prints, for the shapes of
``tools/evaluation_speed.py`` and for 10^7 and 10^8 codes, the pairs counted in a second
and the whole evaluation's time. The limit of a shape is the slower of two rates measured in the
same run: the pairs that half-precision products of such codes could cover, and the passes over the
packed codes that device copies could make. SCALE multiplies the database sizes (for a trial on a
CPU).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from evaluation_speed import BITS, CASES, Sides, made

from hashbench.core.codes import Codes
from hashbench.core.errors import ExitCode
from hashbench.evaluation.device_counting import DeviceCounting
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.relevance import Relevance

_REPEATS = 5
_LARGE = (10**7, 10**8)
_LARGE_QUERIES = 16
_SIDE, _COPIED = 8192, 1 << 30


def main(arguments: list[str]) -> int:
    """Print the table; see the module."""
    scale = float(arguments[0]) if arguments else 1.0
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    multiplied, copied = matrix_rate(device, scale), copy_rate(device, scale)
    print(f"{device.type}: {multiplied / 1e12:.2f} TFLOP/s, copies {copied / 1e9:.1f} GB/s\n")
    print("| shape | ms | G pairs/s | of the limit | evaluation ms |")
    print("| --- | --- | --- | --- | --- |")
    for case in CASES:
        sides = made(replace(case, items=max(1, round(case.items * scale))))
        seconds = _shortest(partial(count, sides, device), device)
        evaluated = partial(evaluate, *sides, case.tie_aware, order_seed=0, device=device.type)
        whole = _shortest(evaluated, device)
        _row(sides, seconds, (multiplied, copied), whole)
    first = made(replace(CASES[0], queries=_LARGE_QUERIES))
    for size in _LARGE:
        sides = enlarged(first, max(1, round(size * scale)))
        seconds = _shortest(partial(count, sides, device), device)
        _row(sides, seconds, (multiplied, copied), None)
    return ExitCode.OK


def count(sides: Sides, device: torch.device) -> None:
    """Make the histograms of all queries."""
    query, database, query_labels, labels = sides
    counting = DeviceCounting(query, database, Relevance(query_labels, labels), device=device)
    counting.histograms(0, len(query), 2)


def enlarged(sides: Sides, size: int) -> Sides:
    """Enlarge the database by drawing its codes with replacement; the queries stay."""
    query, database, query_labels, labels = sides
    rows = np.random.default_rng(1).integers(0, len(database), size)
    return query, Codes(database.packed[rows], BITS), query_labels, labels[rows]


def matrix_rate(device: torch.device, scale: float) -> float:
    """Measure half-precision operations a second of square matrices (float32 on a CPU)."""
    kind = torch.float16 if device.type == "cuda" else torch.float32
    side = max(64, round(_SIDE * min(scale, 1)))
    left = torch.ones(side, side, dtype=kind, device=device)
    return 2 * side**3 / _shortest(lambda: left @ left, device)


def copy_rate(device: torch.device, scale: float) -> float:
    """Measure the bytes a second that a copy reads and writes."""
    source = torch.ones(max(1024, round(_COPIED * min(scale, 1))), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / _shortest(lambda: target.copy_(source), device)


def _row(sides: Sides, seconds: float, rates: tuple[float, float], whole: float | None) -> None:
    queries, items = len(sides[0]), len(sides[1])
    pairs, (multiplied, copied) = queries * items, rates
    limit = min(multiplied / (2 * BITS), copied / (BITS / 8) * queries)
    text = "" if whole is None else f"{whole * 1e3:.1f}"
    cells = f"{seconds * 1e3:.1f} | {pairs / seconds / 1e9:.2f} | {pairs / seconds / limit:.2f}"
    print(f"| {queries} x {items} | {cells} | {text} |")


def _shortest(work: Callable[[], object], device: torch.device) -> float:
    return min(_seconds(work, device) for _ in range(_REPEATS))


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    began = time.perf_counter()
    result = work()
    _wait(device)
    del result
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
