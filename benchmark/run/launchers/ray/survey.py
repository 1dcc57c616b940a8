"""The nodes of a Ray cluster, and whether each sees the store and has the same source code."""

from __future__ import annotations

import platform
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashbench.core.errors import HashbenchError
from hashbench.core.files import write_atomically
from hashbench.run.launchers.ray.share import Node
from hashbench.run.node import check_store
from hashbench.run.node_requirements import NodeRequirements
from hashbench.version import VERSION

_SECONDS = 60.0  # a node starts a process first, which reads its libraries from a network


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of one node."""

    host: str
    python: str
    hashbench: str
    problem: str | None = None


def living_nodes() -> list[Node]:
    """Return the living nodes, the largest first."""
    import ray

    nodes: Any = ray.nodes  # untyped
    found = [
        Node(
            key=str(each["NodeID"]),
            host=str(each["NodeManagerHostname"]),
            cpus=float(each["Resources"].get("CPU", 0)),
            gpus=float(each["Resources"].get("GPU", 0)),
            memory=float(each["Resources"].get("memory", 0)),
        )
        for each in nodes()
        if each["Alive"]
    ]
    return sorted(found, key=lambda node: (-node.gpus, -node.cpus, node.key))


def survey(
    nodes: Sequence[Node], *, store: Path, seen_by: Path, requirements: NodeRequirements
) -> list[Found]:
    """Have each node look for the store and compare its source code, all at the same time."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look = ray.remote(num_cpus=0, max_retries=0)(_look)
    asked = [
        look.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.key, soft=False)
        ).remote(store, seen_by, requirements)
        for node in nodes
    ]
    ray.wait(asked, num_returns=len(asked), timeout=_SECONDS)
    return [_answer(node, ref) for node, ref in zip(nodes, asked, strict=True)]


def _answer(node: Node, ref: Any) -> Found:
    import ray
    from ray.exceptions import GetTimeoutError, RayError

    try:
        found: Found = ray.get(ref, timeout=0)
    except GetTimeoutError:
        why = f"does not answer within {_SECONDS:g} s; 'ray status' says how it is"
    except RayError as error:
        why = f"cannot run hashbench ({_last_line(error)}); install the same on every node"
    else:
        return found
    return Found(node.host, "?", "?", f"node {node.host}: {why}")


def _last_line(error: Exception) -> str:
    return [*str(error).strip().splitlines(), ""][-1].strip() or type(error).__name__


def _look(store: Path, seen_by: Path, requirements: NodeRequirements) -> Found:
    """Check the store and the source code on a node; runs there."""
    problem = None
    try:
        check_store(store, seen_by=seen_by)
        requirements.compare()
    except HashbenchError as error:
        problem = str(error)
    return Found(socket.gethostname(), platform.python_version(), VERSION, problem)


@contextmanager
def mark(folder: Path) -> Iterator[Path]:
    """Make a folder with a unique name for nodes to look for; remove it afterwards.

    Args:
        folder: Where; the nearest folder above it that exists, while it does not.

    Raises:
        StoreError: If nothing can be written there.
    """
    above = next(each for each in (folder, *folder.parents) if each.is_dir())
    made = above / f".hashbench-{uuid.uuid4().hex}"
    write_atomically(made / "mark", b"")
    try:
        yield made
    finally:
        with suppress(OSError):
            (made / "mark").unlink()
            made.rmdir()
