"""``hashbench protocols``: list the protocols, and verify them against their data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import counted, data_root_option, plugin_option
from hashbench.core.errors import DataError, ExitCode, HashbenchError

if TYPE_CHECKING:
    from hashbench.datasets.interface import Dataset, ImageData
    from hashbench.datasets.protocols.protocol import ProtocolSpec
    from hashbench.datasets.protocols.protocol_verification import Line

_HEADERS = (
    "protocol",
    "dataset",
    "train / query / database",
    "classes",
    "relevance",
    "mAP@",
    "data here",
)
_HERE = {True: "yes", False: "no", None: "not looked"}


@click.group("protocols", invoke_without_command=True)
@data_root_option
@plugin_option
@click.pass_context
def command(ctx: click.Context, data_root: Path | None, plugins: tuple[Path, ...]) -> None:
    """List all protocols, or verify some.

    In the list, "data here" is judged by the names of files only; "not looked" means that only
    loading the dataset can tell.
    """
    if ctx.invoked_subcommand is not None:
        if data_root is not None or plugins:
            raise click.UsageError("write --data-root and --plugin after the word verify")
        return
    _load_plugins(plugins)
    from tabulate import tabulate

    from hashbench.datasets.protocols.protocol import load_protocol, protocol_names

    rows = [_row(load_protocol(name), data_root) for name in protocol_names()]
    click.echo(tabulate(rows, _HEADERS, tablefmt="simple", disable_numparse=True))
    click.echo(f"{counted(len(rows), 'protocol')}; each in full: hashbench describe NAME")


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@data_root_option
@plugin_option
def verify(names: tuple[str, ...], data_root: Path | None, plugins: tuple[Path, ...]) -> None:
    """Recompute protocols from their rules and data, and report what their lists share.

    NAME is as in `hashbench protocols`; without one, all protocols whose data exist are verified.
    The report compares checksums of pixels, labels and lists with those stated, and counts images
    that two lists share, by id and by equal pixels, queries that look like other images, images by
    class, and images without a label. The exit code is 2 if anything is not as stated.
    """
    _load_plugins(plugins)
    specs, absent = _chosen(names, data_root)
    wrong: list[str] = []
    for dataset, group in groupby(sorted(specs, key=lambda s: s.dataset), lambda s: s.dataset):
        for name, lines in _verified(dataset, list(group), data_root):
            if not _print_results(name, dataset, lines):
                wrong.append(name)
    if absent:
        click.echo(f"not verified, data not here: {', '.join(absent)}")
    verdict = f"not as stated: {', '.join(wrong)}" if wrong else "all as stated"
    click.echo(f"{counted(len(specs), 'protocol')} verified, {verdict}")
    if wrong:
        click.get_current_context().exit(ExitCode.USAGE)


def _load_plugins(plugins: Sequence[Path]) -> None:
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import registry

    load_plugins(plugins, registry())


def _dataset(name: str) -> Dataset:
    from hashbench.core.registry import Kind, registry

    component: Dataset = registry().load(Kind.DATASET, name)()
    return component


def _load(name: str, root: Path | None) -> ImageData:
    from hashbench.datasets.roots import data_root

    return _dataset(name).load(data_root(root))


def _here(dataset: str, root: Path | None) -> bool | None:
    from hashbench.datasets.roots import data_root

    return _dataset(dataset).is_here(data_root(root))


def _row(spec: ProtocolSpec, root: Path | None) -> tuple[str, ...]:
    sizes = " / ".join(_size(spec, role) for role in ("train", "query", "database"))
    inside = " (has train)" if spec.train_in_database else ""
    return (
        spec.name,
        spec.dataset,
        sizes + inside,
        str(spec.classes),
        spec.relevance,
        str(spec.map_at or "all"),
        _HERE[_here(spec.dataset, root)],
    )


def _size(spec: ProtocolSpec, role: str) -> str:
    size = spec.sizes.get(role)
    return "the rest" if size is None else f"{size:,}"


def _chosen(names: Sequence[str], root: Path | None) -> tuple[list[ProtocolSpec], list[str]]:
    """Return the protocols to verify, and the names of those whose data do not exist."""
    from hashbench.datasets.protocols.protocol import load_protocol, protocol_names

    if names:
        named = [load_protocol(name) for name in dict.fromkeys(names)]
        for spec in named:
            if _here(spec.dataset, root) is False:
                _load(spec.dataset, root)  # raises, naming the missing files
        return named, []
    every = [load_protocol(name) for name in protocol_names()]
    here = {dataset: _present(dataset, root) for dataset in {spec.dataset for spec in every}}
    return (
        [spec for spec in every if here[spec.dataset]],
        [spec.name for spec in every if not here[spec.dataset]],
    )


def _present(dataset: str, root: Path | None) -> bool:
    """Whether a dataset exists, found out by loading it if only that can tell."""
    here = _here(dataset, root)
    if here is not None:
        return here
    try:
        _load(dataset, root)
    except HashbenchError:
        return False
    return True


def _verified(
    dataset: str, specs: Sequence[ProtocolSpec], root: Path | None
) -> Iterator[tuple[str, Iterator[Line]]]:
    """Verify each protocol of one dataset, whose images are read and hashed once."""
    from hashbench.datasets.protocols.protocol_verification import (
        Line,
        Verdict,
        mark_images,
        verify_protocol,
    )

    try:
        data = _load(dataset, root)
    except DataError as error:  # the other datasets are still verified
        lines = [Line("data", Verdict.MISMATCH, " ".join(str(error).split()))]
        yield from ((spec.name, iter(lines)) for spec in specs)
        return
    marks = mark_images(data)
    for spec in specs:
        yield spec.name, verify_protocol(data, spec, marks=marks)


def _print_results(name: str, dataset: str, lines: Iterator[Line]) -> bool:
    """Print each result of a protocol as it comes; return whether none is a mismatch."""
    from hashbench.datasets.protocols.protocol_verification import Verdict

    click.echo(f"{name} ({dataset})")
    right = True
    for line in lines:
        click.echo(f"  {line.title:<15}  {line.verdict:<8}  {line.seen}")
        right &= line.verdict is not Verdict.MISMATCH
    return right
