"""The wheel and the source distribution carry the whole tree, and the tree is what is installed."""

from __future__ import annotations

import ast
import configparser
import email
import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import hashbench
from hashbench.core.registry import Kind

BUILT_BY_SETUPTOOLS = {"PKG-INFO", "setup.cfg"}


@pytest.fixture(scope="session")
def built(
    root: Path, tree_files: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Return a wheel built from the tree, an sdist, and a wheel built from that sdist.

    They are built once for all workers of a test run: the first takes the lock, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "distributions"
    folder.mkdir(exist_ok=True)
    both, direct, done = folder / "both", folder / "direct", folder / "done"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            for name in tree_files:
                (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / name, folder / "tree" / name)
            tree = str(folder / "tree")
            _run("build", "--no-isolation", "--outdir", str(both), tree)
            _run("build", "--no-isolation", "--wheel", "--outdir", str(direct), tree)
            done.touch()
    return {
        "sdist": next(both.glob("*.tar.gz")),
        "wheel from sdist": next(both.glob("*.whl")),
        "wheel from tree": next(direct.glob("*.whl")),
    }


def _run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(params=["wheel from tree", "wheel from sdist"])
def wheel(request: pytest.FixtureRequest, built: dict[str, Path]) -> Iterator[zipfile.ZipFile]:
    """Open each of the two wheels in turn."""
    with zipfile.ZipFile(built[request.param]) as archive:
        yield archive


def _dist_info(wheel: zipfile.ZipFile, name: str) -> str:
    inside = f"hashbench-{hashbench.__version__}.dist-info/{name}"
    return wheel.read(inside).decode()


def test_the_wheel_holds_every_file_of_every_package_folder_and_nothing_else(
    wheel: zipfile.ZipFile, tree_files: list[str], folder_map: dict[str, str]
) -> None:
    expected = {
        f"{package.replace('.', '/')}/{name.removeprefix(folder + '/')}"
        for package, folder in folder_map.items()
        for name in tree_files
        if name.startswith(f"{folder}/")
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert expected - found == set(), "missing from the wheel; see package-data in pyproject.toml"
    assert found - expected == set()


def test_files_in_the_wheel_have_the_bytes_of_the_tree(
    wheel: zipfile.ZipFile, root: Path, folder_map: dict[str, str]
) -> None:
    # Longest package first: hashbench/methods/x lies in methods/, not in benchmark/methods/.
    prefixes = sorted(folder_map, key=len, reverse=True)
    for name in (name for name in wheel.namelist() if ".dist-info/" not in name):
        package = next(p for p in prefixes if name.startswith(p.replace(".", "/") + "/"))
        source = root / folder_map[package] / name[len(package) + 1 :]
        assert wheel.read(name) == source.read_bytes(), name


def test_the_sdist_holds_every_file_of_the_tree_and_nothing_else(
    built: dict[str, Path], tree_files: list[str]
) -> None:
    with tarfile.open(built["sdist"]) as archive:
        members = [member.name.split("/", 1)[1] for member in archive if member.isfile()]
    found = {name for name in members if not name.startswith("hashbench.egg-info/")}
    assert set(tree_files) - found == set(), "missing from the sdist; see MANIFEST.in"
    assert found - set(tree_files) == BUILT_BY_SETUPTOOLS


def test_the_wheel_states_version_licence_and_typing(wheel: zipfile.ZipFile) -> None:
    stated = email.message_from_string(_dist_info(wheel, "METADATA"))
    assert stated["Version"] == hashbench.__version__
    assert stated["License-Expression"] == "Apache-2.0"
    assert stated.get_all("License-File") == ["LICENSE", "datasets/embedded/LICENSE-fashion-mnist"]
    assert "Apache License" in _dist_info(wheel, "licenses/LICENSE")
    assert "hashbench/py.typed" in wheel.namelist()


def _entry_points(wheel: zipfile.ZipFile) -> Iterator[tuple[str, str, str]]:
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read_string(_dist_info(wheel, "entry_points.txt"))
    for group in parser.sections():
        for name, target in parser[group].items():
            yield group, name, target


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def test_every_entry_point_names_something_that_a_module_of_the_wheel_defines(
    wheel: zipfile.ZipFile,
) -> None:
    # Read, not imported: a component's module may need torch, its listing must not.
    names = set(wheel.namelist())
    broken = []
    for group, name, target in _entry_points(wheel):
        module, _, attribute = target.partition(":")
        path = module.replace(".", "/")
        files = [file for file in (f"{path}.py", f"{path}/__init__.py") if file in names]
        if not files or attribute not in _defined(ast.parse(wheel.read(files[0]))):
            broken.append(f"{group}: {name} = {target}")
    assert broken == []


def test_the_wheel_registers_the_command_and_every_kind_of_component(
    wheel: zipfile.ZipFile,
) -> None:
    points = list(_entry_points(wheel))
    assert ("console_scripts", "hashbench", "hashbench.cli:program") in points
    kinds = {group.removeprefix("hashbench.") for group, _, _ in points}
    assert {kind.value for kind in Kind} | {"console_scripts"} == kinds


def test_the_wheel_installs_without_an_index_and_runs_from_where_it_was_put(
    built: dict[str, Path], tmp_path: Path
) -> None:
    site = str(tmp_path / "site")
    _run("pip", "install", "--quiet", "--no-index", "--no-deps", "--target", site,
         str(built["wheel from tree"]))  # fmt: skip
    program = f"import sys; sys.path.insert(0, {site!r}); import hashbench, hashbench.methods\n"
    program += "print(hashbench.__version__, hashbench.__file__, hashbench.methods.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == [
        hashbench.__version__,
        f"{site}/hashbench/__init__.py",
        f"{site}/hashbench/methods/__init__.py",
    ]


def test_the_tests_run_against_this_tree_and_no_stale_copy(
    root: Path, folder_map: dict[str, str]
) -> None:
    for package, folder in folder_map.items():
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin == str(root / folder / "__init__.py")


def test_the_command_is_installed_beside_the_interpreter() -> None:
    command = Path(sys.executable).parent / "hashbench"
    assert command.stat().st_mode & 0o111


def test_every_top_level_folder_with_code_is_in_the_folder_map(
    tree_files: list[str], folder_map: dict[str, str]
) -> None:
    packages = {name.split("/")[0] for name in tree_files if name.endswith("/__init__.py")}
    assert packages - {"tests"} == set(folder_map.values())


def test_the_link_tree_shows_every_package_and_module_to_type_checkers(
    root: Path, tree_files: list[str], folder_map: dict[str, str], tmp_path: Path
) -> None:
    for folder in folder_map.values():
        shutil.copytree(root / folder, tmp_path / folder)
    shutil.copy(root / "Makefile", tmp_path / "Makefile")
    subprocess.run(["make", "--silent", "links"], cwd=tmp_path, check=True)
    for package, folder in folder_map.items():
        shown = tmp_path / ".links" / package.replace(".", "/")
        for name in (name for name in tree_files if name.startswith(f"{folder}/")):
            assert (shown / name.removeprefix(f"{folder}/")).is_file(), name
