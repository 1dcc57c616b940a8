"""Look components up by name, from entry points and plugin files; imported only when used."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatch
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from hashbench.core.canonical import digest_file
from hashbench.core.errors import ConfigError, did_you_mean


class Kind(StrEnum):
    """The kinds of component; each is also the entry-point group ``hashbench.<kind>``."""

    LOSS = "losses"
    LOSS_GROUP = "loss_groups"
    BACKBONE = "backbones"
    METHOD = "methods"
    DATASET = "datasets"
    ENGINE = "engines"
    REPORTER = "reporters"


@dataclass(frozen=True, slots=True)
class Entry:
    """A component that has been found but not imported.

    Attributes:
        kind: Its kind.
        name: Its name in a matrix.
        target: ``module:attribute``.
        origin: The distribution or the file that offers it.
        member: Its name within a family; empty for a component of its own.
    """

    kind: Kind
    name: str
    target: str
    origin: str
    member: str = ""

    @property
    def module(self) -> str:
        """The module's dotted name."""
        return self.target.partition(":")[0]

    def load(self) -> Any:
        """Import the component's module and return the component, or the named member of a family.

        Raises:
            ConfigError: If that fails, e.g. because a library is missing, or if there is no such
                member.
        """
        module, _, attribute = self.target.partition(":")
        try:
            component = getattr(importlib.import_module(module), attribute)
        except Exception as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(
                f"{self.kind}: '{self.name}' ({self.target}, from {self.origin}) cannot be "
                f"imported: {why}"
            ) from error
        return component.member(self.member) if self.member else component

    def source(self) -> Path:
        """Find the component's source file without importing it.

        Raises:
            ConfigError: If there is none.
        """
        loaded = sys.modules.get(self.module)
        try:
            spec = loaded.__spec__ if loaded else importlib.util.find_spec(self.module)
        except ModuleNotFoundError:
            spec = None
        if spec is None or spec.origin is None:
            raise ConfigError(
                f"{self.kind}: '{self.name}' ({self.target}, from {self.origin}): no such module; "
                f"install it again"
            )
        return Path(spec.origin)

    def summary(self) -> str:
        """The first line of the component's docstring, read without importing it."""
        tree = ast.parse(self.source().read_text(encoding="utf-8"))
        attribute = self.target.partition(":")[2]
        documented = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
        found = [ast.get_docstring(node) for node in documented if node.name == attribute]
        return (found[0] if found and found[0] else "").partition("\n")[0]

    def source_sha256(self) -> str:
        """SHA-256 of the component's source file."""
        return digest_file(self.source())


# An entry ``timm/*`` is a family: it stands for every name that starts with ``timm/``, and its
# component's ``member`` gives the component of one.
_FAMILY = "/*"

# A matrix names both under the same key.
_ONE_NAMESPACE = frozenset({Kind.LOSS, Kind.LOSS_GROUP})


class Registry:
    """Entries by kind and name; a name can be taken only once.

    A loss and a group of losses cannot share one either.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[Kind, str], Entry] = {}

    def add(self, entry: Entry) -> None:
        """Add an entry.

        Raises:
            ConfigError: If another origin already has the name.
        """
        known = self._known(entry)
        if known and known != entry:
            raise ConfigError(
                f"{entry.kind}: the name '{entry.name}' is taken twice: "
                f"{known.target} ({known.origin}) and {entry.target} ({entry.origin}). "
                f"Rename one of them."
            )
        self._entries[entry.kind, entry.name] = entry

    def _known(self, entry: Entry) -> Entry | None:
        kinds = _ONE_NAMESPACE if entry.kind in _ONE_NAMESPACE else {entry.kind}
        found = (self._entries.get((kind, entry.name)) for kind in kinds)
        return next((known for known in found if known), None)

    def names(self, kind: Kind, pattern: str = "*") -> list[str]:
        """The sorted names of a kind that match a shell pattern."""
        return sorted(n for k, n in self._entries if k is kind and fnmatch(n, pattern))

    def find(self, kind: Kind, name: str) -> Entry | None:
        """Look a component up, by its own name or as ``FAMILY/MEMBER``; None if there is none."""
        family, _, member = name.partition("/")
        if found := self._entries.get((kind, name)):
            return found
        if member and (whole := self._entries.get((kind, f"{family}{_FAMILY}"))):
            return replace(whole, name=name, member=member)
        return None

    def get(self, kind: Kind, name: str) -> Entry:
        """Look a component up; see `find`.

        Raises:
            ConfigError: If there is none; the message names the nearest.
        """
        if found := self.find(kind, name):
            return found
        known = did_you_mean(name, self.names(kind))
        raise ConfigError(f"unknown name '{name}' in {kind}. {known}")

    def load(self, kind: Kind, name: str) -> Any:
        """Look a component up and import it."""
        return self.get(kind, name).load()


def _installed() -> Iterator[Entry]:
    for kind in Kind:
        for point in metadata.entry_points(group=f"hashbench.{kind}"):
            dist = point.dist
            origin = f"{dist.name} {dist.version}" if dist else "unknown distribution"
            yield Entry(kind, point.name, point.value, origin)


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry of this process, with all components that installed packages offer."""
    found = Registry()
    for entry in _installed():
        found.add(entry)
    return found
