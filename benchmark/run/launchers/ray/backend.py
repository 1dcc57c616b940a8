"""``--backend ray``: each cell in a process group of its own on a node of a Ray cluster."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from platform import python_version

from hashbench.core.errors import ConfigError, HashbenchError
from hashbench.run.backends import Examined
from hashbench.run.launchers.ray.session import session
from hashbench.run.launchers.ray.share import Node
from hashbench.run.launchers.ray.survey import living_nodes, mark, survey
from hashbench.run.node_requirements import Luggage
from hashbench.run.options import Means, Observer
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store


def check() -> None:
    """Nothing can be said before Ray is started or joined, which a dry run does not do."""


def run_cells(
    planned: Sequence[Planned], store: Store, *, observer: Observer, means: Means
) -> list[CellResults]:
    """Run cells on a Ray cluster; see `hashbench.run.local.run_cells`.

    Raises:
        ConfigError: If there is no such cluster, if a cell asks for what no node has, or if a node
            does not see the store or has other source code.
        StoreError: If the store cannot be written any more.
        KeyboardInterrupt: On Ctrl-C, after the running workers were ended and recorded.
    """
    if not planned:
        return []
    with _folder_of_a_run(store) as folder, session(means.address or _address(planned, means)):
        from hashbench.run.launchers.ray.pool import RayPool

        plugins = dict.fromkeys(path for item in planned for path in item.job.plugins)
        luggage = Luggage.pack(plugins, copies=folder / "plugins")
        pool = RayPool(
            planned, store, observer=observer, means=means, folder=folder, luggage=luggage
        )
        _refuse_bad_nodes(pool.nodes, store, folder=folder, luggage=luggage)
        return pool.run()


def examine(store: Path, *, address: str | None = None) -> Examined:
    """What `hashbench doctor --backend ray` says.

    Args:
        store: The store, perhaps not made yet.
        address: The cluster's; None for Ray on this machine.
    """
    import ray

    facts = [f"ray {ray.__version__}, python {python_version()}"]
    try:
        with session(address), mark(store.resolve()) as seen_by:
            nodes = living_nodes()
            found = survey(
                nodes, store=store, seen_by=seen_by, luggage=Luggage.pack((), copies=store)
            )
    except HashbenchError as error:
        return Examined(tuple(facts), (str(error),))
    where = f"cluster at {address}" if address else "Ray on this machine, for lack of --address"
    facts.append(f"{where}: {len(nodes)} node{'' if len(nodes) == 1 else 's'}")
    for node, each in zip(nodes, found, strict=True):
        sees = "" if each.problem else "; sees the store and has the same hashbench"
        facts.append(f"  {each.host}: {node}{sees}")
    return Examined(tuple(facts), tuple(each.problem for each in found if each.problem))


def _address(planned: Sequence[Planned], means: Means) -> str | None:
    """The cluster that the cells name.

    Raises:
        ConfigError: If they name several.
    """
    asked = means.request.ray if means.request else {}
    named = [asked[item.cell.fit_id].address for item in planned if item.cell.fit_id in asked]
    found = list(dict.fromkeys(named)) or [None]
    if len(found) > 1:
        words = ", ".join(str(address) for address in found)
        raise ConfigError(
            f"execute.ray.address: a run has one cluster, and its cells name {words}; give the "
            f"address in execute, not in overrides"
        )
    return found[0]


def _refuse_bad_nodes(
    nodes: Sequence[Node], store: Store, *, folder: Path, luggage: Luggage
) -> None:
    found = survey(nodes, store=store.root.resolve(), seen_by=folder, luggage=luggage)
    problems = dict.fromkeys(each.problem for each in found if each.problem)
    if problems:
        raise ConfigError(*problems)


@contextmanager
def _folder_of_a_run(store: Store) -> Iterator[Path]:
    """A folder of the store with a name that no other run has; gone afterwards."""
    folder = store.root.resolve() / ".work" / "runs" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()
