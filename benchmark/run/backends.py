"""The backends of a run: this machine, or a cluster whose library is loaded on first use."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from hashbench.core.errors import ConfigError
from hashbench.run.options import Observer, RunOptions
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store


class RunCells(Protocol):
    """A function that runs cells and returns the results of each, in the order given."""

    def __call__(
        self, planned: Sequence[Planned], store: Store, *, observer: Observer, options: RunOptions
    ) -> list[CellResults]:
        """Run cells; see `hashbench.run.launchers.local.run_cells`."""
        ...


@dataclass(frozen=True, slots=True)
class Examined:
    """The findings of `hashbench doctor` on a backend.

    Attributes:
        facts: What was found, a line each.
        warnings: What is wrong, with the remedy, a line each.
    """

    facts: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Backend:
    """A way of running cells.

    Attributes:
        name: Its name on the command line, and the extra of this package with its library.
        module: Its module. It defines `run_cells`, and for a cluster also `check()`, which raises
            a ConfigError where it cannot be used from here, and `examine(store)`, an `Examined`.
        library: The library it needs; None for none.
    """

    name: str
    module: str
    library: str | None = None

    @property
    def problem(self) -> str | None:
        """Why it cannot be loaded, with the remedy; None if it can."""
        if self.library is None or importlib.util.find_spec(self.library) is not None:
            return None
        return (
            f"--backend {self.name} needs the library {self.library}, which is not installed; "
            f"pip install 'hashbench[{self.name}]'"
        )

    def run_cells(self) -> RunCells:
        """Return the function that runs cells on it.

        Raises:
            ConfigError: If it cannot be loaded, or not be used from here.
        """
        if self.problem:
            raise ConfigError(self.problem)
        module = importlib.import_module(self.module)
        if self.library is not None:
            module.check()
        return cast(RunCells, module.run_cells)

    def cancel_cells(self) -> RunCells:
        """Return the function that cancels cells that were submitted to it.

        Raises:
            ConfigError: If it cannot be loaded, or has no queue.
        """
        self.run_cells()
        module: Any = importlib.import_module(self.module)
        if not hasattr(module, "cancel_cells"):
            raise ConfigError(
                f"--cancel goes with --backend slurm; end a {self.name} run by Ctrl-C"
            )
        return cast(RunCells, module.cancel_cells)

    def examine(self, store: Path, *, address: str | None = None) -> Examined:
        """Describe its state, at an address if it has one, and what is wrong."""
        if self.problem:
            return Examined((), (self.problem,))
        module = importlib.import_module(self.module)
        given = {} if address is None else {"address": address}
        return cast(Examined, module.examine(store, **given))


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("local", "hashbench.run.launchers.local"),
        Backend("slurm", "hashbench.run.launchers.slurm.backend", "submitit"),
        Backend("ray", "hashbench.run.launchers.ray.backend", "ray"),
    )
}
