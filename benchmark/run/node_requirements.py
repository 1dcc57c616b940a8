"""Source code, plugins and variables that a node must share with the machine of the run."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from hashbench.core.canonical import digest_file
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.files import write_atomically
from hashbench.run.plan import Planned
from hashbench.version import VERSION

# The parts that compute codes and numbers; others may differ.
_TREES = tuple(
    f"hashbench.{part}"
    for part in ("datasets", "evaluation", "methods", "search", "training", "worker")
)
_OURS = "HASHBENCH_"
# Where libraries keep weights and what they compile, and what makes sums come in one order.
_OTHERS = (
    "CUBLAS_WORKSPACE_CONFIG",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "PYTHONPATH",
    "PYTHONSAFEPATH",
    "TORCH_HOME",
    "XDG_CACHE_HOME",
)
_NAME_DIGITS = 16


@dataclass(frozen=True, slots=True)
class NodeRequirements:
    """Source code, plugins and variables that every node of a run must have.

    Attributes:
        source: Digest of hashbench's own code; empty: not compared.
        plugins: The plugin files, each with its digest and a copy in the store.
        environment: Variables to set.
    """

    source: str = ""
    plugins: Mapping[Path, tuple[str, Path]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def collect(
        cls, plugins: Iterable[Path], *, copies: Path, variables: Iterable[str] = ()
    ) -> NodeRequirements:
        """Collect those of this process.

        Args:
            plugins: Plugin files.
            copies: A folder of the store for copies of them.
            variables: Names of variables beside those that are always sent.

        Raises:
            StoreError: If the copies cannot be written.
        """
        copied = {}
        for plugin in dict.fromkeys(path.resolve() for path in plugins):
            digest = digest_file(plugin)
            # A plugin's name goes into that of its module: the copy keeps it.
            copy = copies.resolve() / digest[:_NAME_DIGITS] / plugin.name
            write_atomically(copy, plugin.read_bytes())
            copied[plugin] = (digest, copy)
        return cls(own_source_sha256(), copied, _variables(variables))

    def compare(self) -> None:
        """Check that this node has the same source code.

        Raises:
            ConfigError: If it has not.
        """
        if self.source and self.source != own_source_sha256():
            raise ConfigError(
                f"{_node()}: other source code of hashbench (version {VERSION} there) than where "
                f"the run was started; install the same on every node"
            )

    def apply(self, item: Planned) -> Planned:
        """Return a planned cell with the paths of this node, and set the variables.

        Raises:
            ConfigError: If this node has other source code of hashbench.
            DataError: If a file that the cell needs is not here.
        """
        self.compare()
        os.environ.update(self.environment)
        job = item.job
        for what, path in (("execute.data_root", job.data_root), ("weights", job.weights)):
            if path is not None and not path.exists():
                raise DataError(
                    f"{_node()}: {what}: {path} is not there; put it on a disk that all nodes share"
                )
        plugins = tuple(self._found(path) for path in job.plugins)
        return replace(item, job=replace(job, plugins=plugins))

    def _found(self, plugin: Path) -> Path:
        """Return the plugin's own path if it is the same here, or else its copy in the store."""
        digest, copy = self.plugins[plugin]
        if plugin.is_file() and digest_file(plugin) == digest:
            return plugin
        if not copy.is_file():
            raise DataError(f"{_node()}: plugin {plugin}: neither there nor in the store as {copy}")
        return copy


def _node() -> str:
    return f"node {socket.gethostname()}"


@lru_cache(maxsize=1)
def own_source_sha256() -> str:
    """SHA-256 over every Python file of hashbench that makes codes and numbers.

    Raises:
        ConfigError: If a part of it is not installed.
    """
    sha = hashlib.sha256()
    for package in _TREES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ConfigError(f"package {package} is not installed; install hashbench again")
        folder = spec.submodule_search_locations[0]
        for path in sorted(Path(folder).rglob("*.py")):
            name = f"{package}/{path.relative_to(folder)}"
            sha.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def _variables(more: Iterable[str]) -> dict[str, str]:
    wanted = {*_OTHERS, *more}
    return {
        name: value
        for name, value in os.environ.items()
        if name in wanted or name.startswith(_OURS)
    }
