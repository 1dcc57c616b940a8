"""Applying a function to all blocks of a database in several processes, results in order."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, TypeVar, cast

from hashbench.core.errors import DataError, ExitCode
from hashbench.evaluation.sharded.folder import Block

Answer = TypeVar("Answer")

_AHEAD = 2  # blocks queued for each process, so that none is idle
_work: list[
    Callable[[Block], Any]
] = []  # in a process of the pool: the function it was started for


def over_blocks(
    work: Callable[[Block], Answer], blocks: Iterable[Block], *, processes: int
) -> Iterator[Answer]:
    """Yield the result of a function for every block, in the order of the blocks.

    Args:
        work: The function; with several processes it is pickled.
        blocks: The blocks.
        processes: Processes that work at the same time; with 1 no process is started.

    Raises:
        DataError: If a process was killed.
    """
    todo = list(blocks)
    processes = min(processes, len(todo))
    if processes <= 1:
        yield from map(work, todo)
        return
    # Not forked: a library may have threads by now, and a copy of its locks could stay locked.
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(work,)
    )
    try:
        yield from _in_order(pool, iter(todo), ahead=_AHEAD * processes)
    except BrokenProcessPool:
        raise DataError(
            "shards: a counting process was killed, perhaps for lack of memory; use fewer "
            "--processes"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, blocks: Iterator[Block], *, ahead: int) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque(pool.submit(_answer, b) for b in islice(blocks, ahead))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(_answer, block) for block in islice(blocks, 1))


def _begin(work: Callable[[Block], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    _work[:] = [work]
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(ExitCode.INTERRUPTED)


def _answer(block: Block) -> Any:
    (work,) = _work
    return cast(Any, work(block))
