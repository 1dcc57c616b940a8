"""``hashbench new``: write a plugin file that works, and its test, to start from."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path
from string import Template

import click

from hashbench.core.errors import ConfigError

_TEMPLATES = Path(__file__).with_name("templates")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST = 40  # the lines of the templates then stay within 100 columns
# The files of each kind, by template; a dataset needs a protocol.
_FILES = {
    "loss": {"loss.py.txt": "{}.py", "test_loss.py.txt": "test_{}.py"},
    "backbone": {"backbone.py.txt": "{}.py", "test_backbone.py.txt": "test_{}.py"},
    "dataset": {
        "dataset.py.txt": "{}.py",
        "test_dataset.py.txt": "test_{}.py",
        "protocol.toml.txt": "protocols/{}@1.toml",
    },
}


@click.command("new")
@click.argument("kind", type=click.Choice(list(_FILES)))
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder to write to, created if it does not exist. Default: the current folder.",
)
def command(kind: str, name: str, folder: Path) -> None:
    """Write a plugin file for a new loss, backbone or dataset NAME, and its test.

    Both run unchanged. Existing files are never overwritten.
    """
    from hashbench.core.files import write_atomically

    _check_name(kind, name)
    texts = {folder / path.format(name): text for path, text in _rendered(kind, name).items()}
    there = [str(path) for path in texts if path.exists()]
    if there:
        raise ConfigError(f"new: {there[0]} already exists; choose another name or --dir")
    for path, text in texts.items():
        write_atomically(path, text.encode())
        click.echo(f"wrote {path}")
    plugin = next(iter(texts))
    click.echo(f"next: edit {plugin}, then: hashbench check-method {name} --plugin {plugin}")


def _rendered(kind: str, name: str) -> dict[str, str]:
    words = {
        "name": name,
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "title": name.replace("_", " ").capitalize(),
    }
    return {
        path: Template((_TEMPLATES / template).read_text(encoding="utf-8")).substitute(words)
        for template, path in _FILES[kind].items()
    }


def _check_name(kind: str, name: str) -> None:
    """Refuse a name that no module can have, or that another module or component has."""
    from hashbench.core.registry import Kind, registry

    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ConfigError(
            f"new: '{name}' is not a valid name; use at most {_LONGEST} small letters, digits and "
            f"single underscores, starting with a letter, e.g. my_{kind}"
        )
    if keyword.iskeyword(name) or name in sys.stdlib_module_names:
        raise ConfigError(f"new: '{name}' is a keyword or module of Python; try my_{name}")
    kinds = {"loss": Kind.LOSS, "backbone": Kind.BACKBONE, "dataset": Kind.DATASET}
    if name in registry().names(kinds[kind]):
        origin = registry().get(kinds[kind], name).origin
        raise ConfigError(f"new: a {kind} '{name}' already exists ({origin}); try my_{name}")
