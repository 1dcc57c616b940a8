"""``hashbench check-method``: test a component against the rules of its interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hashbench.cli.options import counted, plugin_option
from hashbench.core.errors import ConfigError, ExitCode, did_you_mean

if TYPE_CHECKING:
    from hashbench.conformance.findings import Finding
    from hashbench.core.registry import Entry


@click.command("check-method")
@click.argument("name")
@click.option("--preset", help="Use one of its presets.")
@click.option(
    "--param",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a parameter of it, e.g. variant=tiny; may be given several times.",
)
@plugin_option
def command(
    name: str, preset: str | None, words: tuple[str, ...], plugins: tuple[Path, ...]
) -> None:
    """Check the loss, backbone, method or dataset NAME on tiny data, on the CPU.

    If there is a CUDA device, a loss or backbone is trained on it too. The exit code is 3 if a
    check fails.
    """
    entry = _find(name, plugins)

    from hashbench.core.cell import Determinism
    from hashbench.training.determinism import configure

    configure(Determinism.STRICT, threads=1)
    findings = _findings(entry, preset=preset, words=words)
    _print_table(findings)
    failed = [finding for finding in findings if not finding.passed]
    for finding in failed:
        click.echo(f"to fix '{finding.title}': {finding.fix}")
    verdict = f"{len(failed)} failed" if failed else "all passed"
    click.echo(f"{name} ({entry.kind}): {counted(len(findings), 'check')}, {verdict}")
    if failed:
        click.get_current_context().exit(ExitCode.CELLS_FAILED)


def _find(name: str, plugins: tuple[Path, ...]) -> Entry:
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import Kind, registry

    load_plugins(plugins, registry())
    kinds = (Kind.LOSS, Kind.BACKBONE, Kind.METHOD, Kind.DATASET)
    for kind in kinds:
        try:
            return registry().get(kind, name)
        except ConfigError:
            continue
    known = did_you_mean(name, [each for kind in kinds for each in registry().names(kind)])
    raise ConfigError(
        f"check-method: there is no loss, backbone, method or dataset '{name}'. {known}"
    )


def _findings(entry: Entry, *, preset: str | None, words: tuple[str, ...]) -> Sequence[Finding]:
    from hashbench.conformance.backbone import check_backbone
    from hashbench.conformance.dataset import check_dataset
    from hashbench.conformance.loss import check_loss
    from hashbench.conformance.shallow import check_method
    from hashbench.core.registry import Kind

    if entry.kind is Kind.DATASET:
        if preset or words:
            raise ConfigError("check-method: a dataset has no parameters; omit --param, --preset")
        return check_dataset(entry.name)
    cls = entry.load()
    params = _params(cls, preset=preset, words=words)
    if entry.kind is Kind.LOSS:
        return check_loss(cls, params)
    if entry.kind is Kind.BACKBONE:
        return check_backbone(cls, params)
    return check_method(cls, params)


def _params(cls: Any, *, preset: str | None, words: tuple[str, ...]) -> Any:
    from hashbench.core.params import resolve_params
    from hashbench.matrix.positions import read_value

    given = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"--param {word}: write KEY=VALUE, e.g. --param variant=tiny")
        given[key] = read_value(value, option=f"--param {key}")
    return cls.Params(**resolve_params(cls.Params, preset=preset, params=given))


def _print_table(findings: Sequence[Finding]) -> None:
    width = max(len(finding.title) for finding in findings)
    click.echo(f"{'check':<{width}}  verdict  what was seen")
    for finding in findings:
        verdict = "ok" if finding.passed else "FAILED"
        click.echo(f"{finding.title:<{width}}  {verdict:<7}  {finding.seen}")
