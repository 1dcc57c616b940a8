"""``hashbench check``: the mistakes of a matrix, or its cells."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hashbench.cli.options import counted, data_root_option, plugin_option, select_option


@click.command("check")
@click.argument("matrix", type=click.Path(path_type=Path), required=False)
@select_option
@data_root_option
@plugin_option
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a matrix, for editors.")
def command(
    matrix: Path | None,
    selections: tuple[str, ...],
    plugins: tuple[Path, ...],
    *,
    data_root: Path | None,
    schema: bool,
) -> None:
    """Check the file MATRIX, and list its cells if it has no mistakes.

    All mistakes are reported at once, each with its line. Images are not checked; `hashbench run
    --dry-run` checks them too.
    """
    if schema:
        from hashbench.matrix.schema import MatrixSpec

        click.echo(json.dumps(MatrixSpec.model_json_schema(), indent=2))
        return
    if matrix is None:
        raise click.UsageError("name a matrix file, or give --schema")
    from hashbench.cli.loading import load
    from hashbench.core.cell import Precision
    from hashbench.core.environment import cpu_computes_bf16

    wanted = load(matrix, selections=selections, plugins=plugins, data_root=data_root)
    for cell in wanted.cells:
        click.echo(f"{cell.fit_id}  {cell}")
    for because, count in wanted.expansion.excluded:
        click.echo(f"excluded: {counted(count, 'cell')}, because {because}")
    for name in wanted.request.metrics:
        click.echo(f"metric: {name}")
    in_bf16 = sum(cell.precision is Precision.BF16 for cell in wanted.cells)
    if in_bf16 and cpu_computes_bf16() is False:
        click.echo(
            f"warning: {counted(in_bf16, 'cell')} with `precision: bf16`: this processor has no "
            "bfloat16 instructions (AVX512-BF16 or AMX); run them on a CUDA device, or set fp32"
        )
    click.echo(f"{matrix}: no mistakes, {counted(len(wanted.cells), 'cell')}")
