"""Compiling a function with numba."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile at the first call, and keep the machine code on disk where that can be written.

    The function holds no lock of the interpreter, and divides as numpy does: a check for zero
    would keep divisions from being done several at a time.

    numba notices a change of the function's own file, but machine code also contains the functions
    and constants of other files that it uses. So it is kept under a name with a digest of this
    folder and of every file of the package that the folder imports, directly or indirectly. An edit
    of any other file leaves it valid.
    """
    function.__qualname__ += f"-{_SOURCES}"
    try:
        return cast(_Function, njit(nogil=True, cache=True, error_model="numpy")(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast(_Function, njit(nogil=True, error_model="numpy")(function))


def _digest() -> str:
    found: set[Path] = set()
    left = list(Path(__file__).resolve().parent.glob("*.py"))
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left.extend(_imported(file))
    return sha256(b"\0".join(file.read_bytes() for file in sorted(found))).hexdigest()[:12]


def _imported(file: Path) -> Iterator[Path]:
    """Yield the files of this package that a file's import statements name; none is imported."""
    package = __name__.partition(".")[0] + "."
    for node in ast.walk(ast.parse(file.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module.startswith(package) and _is_package(node.module):
                names += [f"{node.module}.{alias.name}" for alias in node.names]
        specs = [find_spec(name) for name in names if name.startswith(package)]
        yield from (Path(spec.origin).resolve() for spec in specs if spec and spec.origin)


def _is_package(module: str) -> bool:
    spec = find_spec(module)
    return spec is not None and spec.submodule_search_locations is not None


_SOURCES = _digest()
