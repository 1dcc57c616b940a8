"""``hashbench doctor``: the machine, its libraries, and warnings of known traps."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from hashbench.cli.options import address_option, check_address, counted, store_option

_GIB = 2**30
_ROOM_WANTED = 1


@click.command("doctor")
@store_option
@click.option(
    "--backend",
    type=click.Choice(["slurm", "ray"]),
    help="Check this cluster too, as seen from this machine.",
)
@address_option
def command(store: Path, *, backend: str | None, address: str | None) -> None:
    """Show this machine and its libraries, and warn of known traps."""
    check_address(backend, address)
    import torch

    from hashbench.core.environment import capture, cpu_computes_bf16

    cuda = torch.cuda.is_available()
    found = capture(device="cuda" if cuda else "cpu", threads=torch.get_num_threads())
    click.echo(f"hashbench {found.hashbench} at {found.commit or 'no commit known'}")
    click.echo(f"python {found.python} on {found.platform}")
    click.echo(f"cpu: {found.cpu}, {found.cpu_count} cores, load {found.load_average}")
    memory = found.device.memory_bytes / _GIB
    click.echo(f"device: {found.device.kind}: {found.device.name}, {memory:.1f} GiB")
    for name, version in found.libraries.items():
        click.echo(f"  {name} {version}")
    click.echo(_counting())
    warnings = _warnings(store, dirty=found.dirty_sha256 is not None)
    if cpu_computes_bf16() is False:
        warnings.append(
            "the processor has no bfloat16 instructions (AVX512-BF16 or AMX): `precision: bf16` is "
            "useless on it, many times as slow as fp32; use it on a CUDA device only"
        )
    warnings += _check_backend(backend, store, address=address) if backend else []
    for warning in warnings:
        click.echo(f"warning: {warning}")
    click.echo(counted(len(warnings), "warning"))


def _counting() -> str:
    """Return how a large evaluation counts its pairs."""
    from hashbench.evaluation.tool import VARIABLE, WORTH_COMPILED, Tool, choose

    tool = choose(WORTH_COMPILED)
    fixed = f", as {VARIABLE} says" if os.environ.get(VARIABLE) else ""
    how = "compiled loops of numba" if tool is Tool.NUMBA else "numpy, about ten times as slow"
    return f"evaluation: {how}{fixed}"


def _warnings(store: Path, *, dirty: bool) -> list[str]:
    warnings = []
    place = store if store.exists() else Path.cwd()
    room = shutil.disk_usage(place).free / _GIB
    if room < _ROOM_WANTED:
        warnings.append(f"{place} has {room:.2f} GiB left; checkpoints and codes need more")
    if dirty:
        warnings.append("the checkout has uncommitted changes; records will say so")
    try:
        import torchvision  # noqa: F401 - only to see whether it loads beside this torch
    except Exception as error:
        warnings.append(f"torchvision does not load beside this torch ({error}); reinstall both")
    from hashbench.evaluation.tool import numba_problem

    problem = numba_problem()
    if problem:
        warnings.append(f"numba does not load ({problem}): evaluation is about ten times as slow")
    try:
        import faiss  # noqa: F401 - only to see whether it is there
    except ImportError:
        warnings.append("faiss is not installed: engine faiss_flat needs hashbench[faiss]")
    return warnings


def _check_backend(name: str, store: Path, *, address: str | None) -> list[str]:
    """Print the facts of a cluster, and return a warning with a remedy for each fault."""
    from hashbench.run.backends import BACKENDS

    found = BACKENDS[name].examine(store, address=address)
    for line in found.facts:
        click.echo(f"{name}: {line}")
    return list(found.warnings)
