"""Progress of long phases: a bar on a terminal, otherwise ten lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Progress = Callable[[int, int], None]
_STEPS = 10  # lines of progress without a terminal


@contextmanager
def phases() -> Iterator[Callable[[str], Progress]]:
    """Yield a function that starts a phase by name and returns its progress function.

    The progress function takes the number of items done and the number of all items.
    """
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
    shown = -1

    def progress(done: int, total: int) -> None:
        nonlocal shown
        step = done * _STEPS // total
        if step > shown:
            shown = step
            click.echo(f"{name}: {done:,} of {total:,}", err=True)

    return progress
