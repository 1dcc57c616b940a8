"""``hashbench cite``: print the BibTeX entries of components, or of those that made a record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import plugin_option
from hashbench.core.errors import ConfigError, DataError, did_you_mean

if TYPE_CHECKING:
    from hashbench.core.record import Record
    from hashbench.core.registry import Entry


@click.command("cite")
@click.argument("names", nargs=-1)
@click.option(
    "--record",
    "records",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Cite the components that made this record of a store; may be given several times.",
)
@plugin_option
def command(names: tuple[str, ...], records: tuple[Path, ...], plugins: tuple[Path, ...]) -> None:
    """Print the BibTeX entries of the losses, backbones, methods, datasets or engines NAMES.

    `hashbench describe NAME` shows the key of an entry. Each entry is printed once.
    """
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import registry
    from hashbench.reports.bibliography import bibtex

    if not names and not records:
        raise click.UsageError("name components, or --record FILE")
    load_plugins(plugins, registry())
    wanted = [entry for name in names for entry in _named(name)]
    wanted += [entry for file in records for entry in _made(file)]
    texts = {}
    for entry in dict.fromkeys(wanted):
        info = entry.load().info
        text = bibtex(info)
        if text is None:
            click.echo(f"{entry.name} ({entry.kind}): nothing to cite", err=True)
        else:
            texts[info.citation] = text
    if texts:
        click.echo("\n\n".join(texts[key] for key in sorted(texts)))


def _named(name: str) -> list[Entry]:
    """Return the components of a name, of every kind."""
    from hashbench.core.registry import Kind, registry

    found: list[Entry] = []
    kinds = [kind for kind in Kind if kind is not Kind.REPORTER]
    for kind in kinds:
        try:
            found.append(registry().get(kind, name))
        except ConfigError:
            continue
    if not found:
        known = sorted({each for kind in kinds for each in registry().names(kind)})
        raise ConfigError(f"cite: unknown name '{name}'. {did_you_mean(name, known)}")
    return found


def _made(file: Path) -> list[Entry]:
    """Return the components that made a record: those of its fit, and the engines it measured."""
    from hashbench.audit.citations import entries_of
    from hashbench.core.record import FitRecord
    from hashbench.core.registry import registry

    record = _read(file)
    found = entries_of(record, registry())
    if not isinstance(record, FitRecord):
        found += entries_of(_read(file.with_name(f"fit-{record.fit_record}.json")), registry())
    return found


def _read(file: Path) -> Record:
    from pydantic import ValidationError

    from hashbench.core.record import RECORD

    try:
        return RECORD.validate_json(file.read_bytes())
    except OSError as error:
        raise DataError(f"cite: {file} cannot be read: {error.strerror}") from None
    except ValidationError:
        raise DataError(f"cite: {file} is not a record; give a FILE.json of a store") from None
