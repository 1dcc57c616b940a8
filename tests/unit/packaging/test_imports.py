"""The dependency rule of the house, read off the import statements of every module."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "timm"}

# Which parts of the package a part may import besides itself. The matrix asks other parts for names
# and parameters; `run` launches workers and never imports them; reports read records; the worker
# and the command line may import everything.
CORE = {"core", "version"}
LEARNING = CORE | {"methods", "datasets"}
ALLOWED: dict[str, set[str]] = {
    "hashbench": {"core", "version"},
    "plugin": LEARNING | {"conformance", "search"},
    "version": set(),
    "core": {"version"},
    "matrix": LEARNING | {"evaluation"},
    "methods": CORE,
    "datasets": CORE,
    "search": LEARNING,
    "evaluation": LEARNING | {"search"},
    "training": LEARNING | {"evaluation", "search"},
    "conformance": LEARNING | {"training"},
    "store": CORE,
    "run": CORE | {"store"},
    "reports": CORE | {"store", "evaluation"},
    "judge": LEARNING | {"evaluation", "matrix", "reports", "run", "store"},
    "audit": LEARNING | {"evaluation", "judge", "reports", "search", "store"},
    "serve": LEARNING | {"search", "store", "training", "worker"},
    "studio": LEARNING
    | {"audit", "evaluation", "judge", "matrix", "reports", "run", "serve", "store"},
}
ON_TOP = {"cli", "worker"}
WITHOUT_TORCH = {"core", "matrix", "cli", "plugin"}


def part_of(module: str) -> str:
    """Return the part of the house a module lies in: its second name."""
    return module.split(".")[1] if "." in module else module


def imported(node: ast.Import | ast.ImportFrom, known: frozenset[str]) -> Iterator[str]:
    """Yield the full name of each module an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    for alias in node.names:
        whole = f"{base}.{alias.name}"
        yield whole if whole in known else base


def imports_at_load(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the import statements that run when a module is loaded."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports_at_load(ast.Module(node.orelse, []))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports_at_load(node)


@pytest.fixture(scope="module")
def modules(root: Path, tree_files: list[str], folder_map: dict[str, str]) -> dict[str, ast.Module]:
    """Return the syntax tree of every module of the package, by its full name."""
    found = {}
    for package, folder in folder_map.items():
        for name in tree_files:
            if name.startswith(f"{folder}/") and name.endswith(".py"):
                inside = name.removeprefix(f"{folder}/").removesuffix(".py").split("/")
                path = [part for part in inside if part != "__init__"]
                found[".".join([package, *path])] = ast.parse((root / name).read_text())
    return found


@pytest.fixture(scope="module")
def known(modules: dict[str, ast.Module]) -> frozenset[str]:
    """Return the full names of all modules."""
    return frozenset(modules)


def _ours(tree: ast.Module, known: frozenset[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = imported(node, known)
            yield from (name for name in names if name.split(".")[0] == "hashbench")


def test_imports_are_written_out_in_full(modules: dict[str, ast.Module]) -> None:
    relative = [
        f"{module}:{node.lineno}"
        for module, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert relative == []


def test_every_import_of_ours_names_a_module_that_exists(
    modules: dict[str, ast.Module], known: frozenset[str]
) -> None:
    missing = [
        f"{module} imports {name}"
        for module, tree in modules.items()
        for name in _ours(tree, known)
        if name not in known
    ]
    assert missing == []


def test_every_part_of_the_house_has_its_place_in_the_dependency_rule(
    known: frozenset[str],
) -> None:
    assert {part_of(module) for module in known} - set(ALLOWED) - ON_TOP == set()


def test_parts_import_only_what_the_dependency_rule_allows(
    modules: dict[str, ast.Module], known: frozenset[str]
) -> None:
    broken = [
        f"{module} imports {name}"
        for module, tree in modules.items()
        if part_of(module) in ALLOWED
        for name in _ours(tree, known)
        if part_of(name) not in ALLOWED[part_of(module)] | {part_of(module)}
    ]
    assert broken == []


def test_only_plugins_import_their_public_module(
    modules: dict[str, ast.Module], known: frozenset[str]
) -> None:
    importers = [
        module
        for module, tree in modules.items()
        if any(part_of(name) == "plugin" for name in _ours(tree, known))
    ]
    assert importers == []


def test_nobody_imports_the_command_line(
    modules: dict[str, ast.Module], known: frozenset[str]
) -> None:
    importers = [
        module
        for module, tree in modules.items()
        if part_of(module) != "cli" and any(part_of(name) == "cli" for name in _ours(tree, known))
    ]
    assert importers == []


def test_the_dependency_rule_has_no_cycle() -> None:
    order = list(TopologicalSorter(ALLOWED).static_order())
    assert order.index("core") < order.index("methods") < order.index("training")


def test_no_modules_import_each_other_in_a_circle(
    modules: dict[str, ast.Module], known: frozenset[str]
) -> None:
    graph = {
        module: {
            name
            for node in imports_at_load(tree)
            for name in imported(node, known)
            if name in known
        }
        for module, tree in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_core_matrix_and_the_command_line_import_no_torch_when_loaded(
    modules: dict[str, ast.Module], known: frozenset[str]
) -> None:
    heavy = [
        f"{module}:{node.lineno}"
        for module, tree in modules.items()
        if part_of(module) in WITHOUT_TORCH
        for node in imports_at_load(tree)
        if HEAVY & {name.split(".")[0] for name in imported(node, known)}
    ]
    assert heavy == []


def test_loading_every_module_of_core_matrix_and_cli_loads_no_torch_through_others(
    known: frozenset[str],
) -> None:
    light = sorted(module for module in known if part_of(module) in WITHOUT_TORCH)
    light = [module for module in light if not module.endswith("__main__")]
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    program += f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", program, *light], capture_output=True, text=True, check=False
    )
    assert (loaded.returncode, loaded.stdout, loaded.stderr) == (0, "\n", "")
    assert "hashbench.cli" in light


def test_type_checking_and_function_imports_do_not_count_as_loading() -> None:
    tree = ast.parse(
        "if TYPE_CHECKING:\n    import torch\nelse:\n    import one\n"
        "class A:\n    import two\n    def f(self):\n        import timm\n"
        "try:\n    import three\nexcept ImportError:\n    import four\n"
    )
    names = [alias.name for node in imports_at_load(tree) for alias in node.names]
    assert names == ["one", "two", "three", "four"]


def test_the_architecture_page_states_the_dependency_rule(root: Path) -> None:
    page = (root / "docs" / "explanation" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .+? \| (.*?) ?\|$", page, re.MULTILINE)
    stated = {name: set(re.findall(r"`(\w+)`", may)) for name, may in rows}
    assert stated.keys() == (ALLOWED.keys() | ON_TOP) - {"hashbench", "version"}
    for name in stated.keys() & ALLOWED.keys():
        assert stated[name] == ALLOWED[name] - {"version"}, name


def test_the_architecture_page_states_what_the_worker_imports(
    root: Path, modules: dict[str, ast.Module], known: frozenset[str]
) -> None:
    page = (root / "docs" / "explanation" / "architecture.md").read_text()
    (may,) = re.findall(r"^\| `worker` \| .+? \| (.*?) \|$", page, re.MULTILINE)
    imports = {
        part_of(name)
        for module, tree in modules.items()
        if part_of(module) == "worker"
        for name in _ours(tree, known)
    }
    assert imports - {"worker", "version"} <= set(re.findall(r"`(\w+)`", may))


def test_the_architecture_drawings_are_those_of_the_page(root: Path, tmp_path: Path) -> None:
    script = root / "docs" / "generate" / "architecture.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    for drawing in tmp_path.iterdir():
        committed = root / "docs" / "explanation" / drawing.name
        same = committed.read_text() == drawing.read_text()
        assert same, f"run python docs/generate/architecture.py to draw {drawing.name} again"


def test_every_place_that_the_architecture_page_names_exists(root: Path) -> None:
    page = (root / "docs" / "explanation" / "architecture.md").read_text()
    places = re.findall(r"`([a-z_]+/[\w./]*)`", page)
    assert len(places) > 8
    assert [place for place in places if not (root / place).exists()] == []
