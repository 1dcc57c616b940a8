"""Progress of long phases: a bar on a terminal, a line a tenth elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Progress = Callable[[int, int], None]
_STEPS = 10  # lines of progress where there is no terminal


@contextmanager
def phases() -> Iterator[Callable[[str], Progress]]:
    """Yield what starts a phase by name, and gives what is called with items done and in all."""
    if not sys.stderr.isatty():
        yield _plain
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:

        def phase(name: str) -> Progress:
            task = bars.add_task(name, total=None, visible=False)
            return lambda done, total: bars.update(task, completed=done, total=total, visible=True)

        yield phase


def _plain(name: str) -> Progress:
    told = -1

    def progress(done: int, total: int) -> None:
        nonlocal told
        step = done * _STEPS // total
        if step > told:
            told = step
            click.echo(f"{name}: {done:,} of {total:,}", err=True)

    return progress
