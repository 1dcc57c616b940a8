"""``hashbench compare``: paired statistics of the differences between methods or stores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import DEFAULT_STORE, counted, parse_selections
from hashbench.core.errors import ConfigError, NothingSelectedError

if TYPE_CHECKING:
    from hashbench.judge.compare.samples import Sample
    from hashbench.store.store import Store

_BOTH = 2


@click.command("compare")
@click.argument("words", nargs=-1, metavar="[METHOD...] | [STORE_A STORE_B]")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    help=f"Folder of the records, for METHODs.  [default: {DEFAULT_STORE}]",
)
@click.option(
    "--metric", default="map@all", show_default=True, help="Metric, by short or full name."
)
@click.option(
    "--where",
    "--select",
    "selections",
    multiple=True,
    metavar="KEY=VALUE[,VALUE]",
    help="Only cells with one of these values; the keys are those of hashbench run --select.",
)
@click.option(
    "--across",
    "across_words",
    multiple=True,
    type=click.Choice(["protocols", "metrics", "devices", "bits"]),
    help="Also compare results that differ in this; may be given several times.",
)
@click.option("--trace", is_flag=True, help="Add the ids of the records behind every row.")
def command(
    words: tuple[str, ...],
    store: Path | None,
    metric: str,
    selections: tuple[str, ...],
    across_words: tuple[str, ...],
    *,
    trace: bool,
) -> None:
    """Compare METHODs of a store, or the same methods of two stores.

    Name methods as in the report, or by one word of that name, e.g. hsc. Without names, all methods
    of the store are compared. A paired bootstrap gives the interval of the mean difference for new
    seeds and new queries; p-values are corrected by Holm over all comparisons printed.
    """
    from hashbench.evaluation.names import parse_metric
    from hashbench.judge.compare import text
    from hashbench.judge.compare.comparison import Across, compare_samples, compare_stores
    from hashbench.store.store import Store

    across = tuple(Across(word) for word in across_words)
    name = parse_metric(metric).name
    if _are_stores(words, store):
        first, second = (
            _samples(Store.open(Path(word)), name, selections, or_like=True) for word in words
        )
        rows, skipped = compare_stores(first, second, across=across)
        click.echo(text.stores_text(words[0], words[1], rows, skipped=skipped, trace=trace))
        return
    opened = Store.open(store or DEFAULT_STORE)
    or_like = bool(words) or Across.METRICS in across
    samples = _samples(opened, name, selections, or_like=or_like)
    named = [_method(word, samples) for word in dict.fromkeys(words)]
    wanted = [sample for sample in samples if not named or sample.method in named]
    groups = compare_samples(wanted, named=named, across=across)
    if not groups:
        raise NothingSelectedError(
            f"compare: {opened.root} has no two methods to compare by {name} "
            f"({counted(len(wanted), 'method')} found)"
        )
    click.echo(text.groups_text(groups, trace=trace))


def _are_stores(words: Sequence[str], store: Path | None) -> bool:
    """Whether the arguments are two stores; a mixture with methods is refused."""
    folders = [word for word in words if "/" in word or (Path(word) / "store.json").exists()]
    if not folders:
        return False
    if store is not None:
        raise ConfigError(f"compare: {folders[0]} is a store, and --store names one too; drop one")
    if len(folders) < len(words) or len(words) != _BOTH:
        raise ConfigError(
            "compare: name two stores, or methods of one: hashbench compare STORE_A STORE_B, or "
            "hashbench compare METHOD METHOD --store STORE"
        )
    return True


def _samples(
    store: Store, metric: str, selections: tuple[str, ...], *, or_like: bool
) -> list[Sample]:
    from hashbench.judge.compare.samples import read_samples
    from hashbench.matrix.naming import cell_names, matches
    from hashbench.store.catalogue import read_all

    wanted = parse_selections(selections)
    prefixes = tuple(wanted.pop("id", ("",)))
    cells = [
        results
        for results in read_all(store)
        if results.fit
        and matches(wanted, cell_names(results.fit.cell))
        and results.fit_id.startswith(prefixes)
    ]
    samples = read_samples(store, cells, metric, or_like=or_like)
    if not samples:
        why = f" among --where {' '.join(selections)}" if selections else ""
        raise NothingSelectedError(f"compare: {store.root} has no value of {metric}{why}")
    return samples


def _method(word: str, samples: Sequence[Sample]) -> str:
    """Return the method label that equals a word, or the only label that contains it as a word."""
    from hashbench.core.errors import did_you_mean

    labels = sorted({sample.method for sample in samples})
    if word in labels:
        return word
    found = [label for label in labels if word in label.replace("(", " ").split()]
    if len(found) == 1:
        return found[0]
    if found:
        quoted = ", ".join(f"'{label}'" for label in found)
        raise ConfigError(f"compare: '{word}' fits {quoted}; name one of them")
    parts = {part for label in labels for part in label.split()} - {"+", "on"}
    hint = did_you_mean(word, [*labels, *sorted(parts)])
    raise ConfigError(f"compare: no method '{word}' with values of this metric. {hint}")
