"""Load plugin files: Python files that define components."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

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
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"plugin {path}: cannot be imported: {why}") from error
    return module


def _component_name(cls: type) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
    return str(vars(cls).get("name", snake))


def _components(module: ModuleType) -> list[Any]:
    return [
        value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and (value.__module__, value.__name__) == (module.__name__, name)
        and not name.startswith("_")
        and not inspect.isabstract(value)
        and isinstance(getattr(value, "KIND", None), Kind)
    ]


def load_plugin(path: Path, into: Registry) -> list[Entry]:
    """Import a plugin file and register the components that it defines.

    A component is a public, concrete class whose base determines its kind (``HashLoss``,
    ``Backbone``, ...). Its name is the class attribute ``name``, or the class name in snake case.

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
    # Resolved, so that one file named by two paths is one origin.
    path = path.resolve()
    module = _import_file(path)
    entries = [
        Entry(cls.KIND, _component_name(cls), f"{module.__name__}:{cls.__name__}", str(path))
        for cls in _components(module)
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
