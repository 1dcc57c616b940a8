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
from hashbench.run.campaign import Campaign
from hashbench.run.launchers.ray.session import session
from hashbench.run.launchers.ray.share import Node
from hashbench.run.launchers.ray.survey import living_nodes, mark, survey
from hashbench.run.node_requirements import NodeRequirements
from hashbench.run.options import Observer, RunOptions
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store


def check() -> None:
    """Do nothing: a dry run neither starts nor joins Ray, so there is nothing to check."""


def run_cells(
    planned: Sequence[Planned], store: Store, *, observer: Observer, options: RunOptions
) -> list[CellResults]:
    """Run cells on a Ray cluster; see `hashbench.run.launchers.local.run_cells`.

    Raises:
        ConfigError: If there is no such cluster, if a cell asks for what no node has, or if a node
            does not see the store or has other source code.
        StoreError: If the store cannot be written any more.
        KeyboardInterrupt: On Ctrl-C, after the running workers were ended and recorded.
    """
    if not planned:
        return []
    with _folder_of_a_run(store) as folder, session(options.address or _address(planned, options)):
        from hashbench.run.launchers.ray.launcher import RayLauncher

        plugins = dict.fromkeys(path for item in planned for path in item.job.plugins)
        requirements = NodeRequirements.collect(plugins, copies=folder / "plugins")
        launcher = RayLauncher(
            planned, store, options=options, folder=folder, requirements=requirements
        )
        _refuse_bad_nodes(launcher.nodes, store, folder=folder, requirements=requirements)
        return Campaign(planned, store, launcher, observer=observer, options=options).run()


def examine(store: Path, *, address: str | None = None) -> Examined:
    """Describe the nodes of a Ray cluster, for `hashbench doctor --backend ray`."""
    import ray

    facts = [f"ray {ray.__version__}, python {python_version()}"]
    try:
        with session(address), mark(store.resolve()) as seen_by:
            nodes = living_nodes()
            found = survey(
                nodes,
                store=store,
                seen_by=seen_by,
                requirements=NodeRequirements.collect((), copies=store),
            )
    except HashbenchError as error:
        return Examined(tuple(facts), (str(error),))
    where = f"cluster at {address}" if address else "Ray on this machine, for lack of --address"
    facts.append(f"{where}: {len(nodes)} node{'' if len(nodes) == 1 else 's'}")
    for node, each in zip(nodes, found, strict=True):
        sees = "" if each.problem else "; sees the store and has the same hashbench"
        facts.append(f"  {each.host}: {node}{sees}")
    return Examined(tuple(facts), tuple(each.problem for each in found if each.problem))


def _address(planned: Sequence[Planned], options: RunOptions) -> str | None:
    """Return the address of the cluster that the cells name.

    Raises:
        ConfigError: If they name several.
    """
    asked = options.request.ray if options.request else {}
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
    nodes: Sequence[Node], store: Store, *, folder: Path, requirements: NodeRequirements
) -> None:
    found = survey(nodes, store=store.root.resolve(), seen_by=folder, requirements=requirements)
    problems = dict.fromkeys(each.problem for each in found if each.problem)
    if problems:
        raise ConfigError(*problems)


@contextmanager
def _folder_of_a_run(store: Store) -> Iterator[Path]:
    """Make a folder of the store with a name that no other run has; remove it afterwards."""
    folder = store.root.resolve() / ".work" / "runs" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()
