"""Plugin files: a component in any Python file the user names."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from hashbench.core.canonical import digest_file
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Entry, Kind, Registry


def _import_file(path: Path) -> ModuleType:
    name = f"hashbench_plugin_{path.stem}_{digest_file(path)[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"plugin {path}: not a Python file; a plugin ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(
            f"plugin {path}: cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return module


def _component_name(cls: type) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
    return str(vars(cls).get("name", snake))


def load_plugin(path: Path, into: Registry) -> list[Entry]:
    """Import a plugin file and register the components that it defines.

    A component is a public class whose base says what it is (``HashLoss``, ``Backbone``, ...). Its
    name is the class attribute ``name``, or else the class name in snake case.

    Args:
        path: The Python file.
        into: The registry that receives the entries.

    Returns:
        The new entries.

    Raises:
        ConfigError: If the file is missing, cannot be imported, or defines no component.
    """
    if not path.is_file():
        raise ConfigError(f"plugin {path}: no such file")
    module = _import_file(path.resolve())
    entries = [
        Entry(
            Kind(cls.KIND),
            _component_name(cls),
            f"{module.__name__}:{attribute}",
            str(path),
        )
        for attribute, cls in vars(module).items()
        if isinstance(cls, type)
        and cls.__module__ == module.__name__
        and not attribute.startswith("_")
        and hasattr(cls, "KIND")
    ]
    if not entries:
        raise ConfigError(
            f"plugin {path}: defines no component; derive a public class from HashLoss, "
            f"Backbone, Method, Dataset or IndexEngine"
        )
    for entry in entries:
        into.add(entry)
    return entries


def load_plugins(paths: Iterable[Path], into: Registry) -> None:
    """Load several plugin files; see `load_plugin`."""
    for path in paths:
        load_plugin(path, into)
