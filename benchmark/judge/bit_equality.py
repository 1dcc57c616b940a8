"""Where two runs of one cell must give the same codes, and why elsewhere they need not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hashbench.core.cell import Cell, Determinism
from hashbench.core.environment import Environment


def broken_promises(
    cell: Cell,
    first: Environment,
    again: Environment,
    *,
    first_sources: Mapping[str, str],
    again_sources: Mapping[str, str],
) -> Iterator[str]:
    """Say why bit equality is not promised; nothing where it is.

    It is for equal device class, thread count, versions and source code, in strict mode.

    Args:
        cell: The cell.
        first: Where the first run was made.
        again: Where the second was.
        first_sources: Digests of the code of the first.
        again_sources: Digests of the code of the second.
    """
    if cell.determinism is not Determinism.STRICT:
        yield "the cell's determinism is fast, not strict"
    if first.device.kind != again.device.kind:
        yield f"device class: {first.device.kind}, now {again.device.kind}"
    elif first.device.name != again.device.name:
        yield f"device: {first.device.name}, now {again.device.name}"
    if first.threads != again.threads:
        yield f"threads: {first.threads}, now {again.threads}"
    if first.python != again.python:
        yield f"python: {first.python}, now {again.python}"
    for name in sorted(first.libraries.keys() | again.libraries.keys()):
        versions = first.libraries.get(name), again.libraries.get(name)
        if versions[0] != versions[1]:
            yield f"{name}: {versions[0] or 'not recorded'}, now {versions[1] or 'none'}"
    for name in sorted(first_sources.keys() | again_sources.keys()):
        old, new = first_sources.get(name), again_sources.get(name)
        if old != new:
            seen = (
                "was not recorded then" if old is None else "is gone" if new is None else "changed"
            )
            yield f"source code of {name} {seen}"
