"""Examine Slurm and the store, for `hashbench doctor --backend slurm`."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from hashbench.core.clusters import SlurmSettings
from hashbench.core.errors import ConfigError
from hashbench.run.backends import Examined
from hashbench.run.launchers.slurm.programs import SlurmError, ask, cluster_name

# File systems that are a machine's own; what other nodes see is not on them.
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "f2fs"}
_PARTITION = "%R|%a|%D|%l|%G|%m|%c"


def examine(store: Path) -> Examined:
    """Describe Slurm as seen from this machine, and what would keep cells from running."""
    facts = [f"submitit {version('submitit')}"]
    try:
        facts += [ask("sinfo", "--version").strip(), f"cluster {cluster_name()}"]
    except ConfigError as error:
        return Examined(tuple(facts), (str(error),))
    except SlurmError as error:
        remedy = "is this a login node of the cluster, and is its controller up?"
        return Examined(tuple(facts), (f"Slurm does not answer ({error}); {remedy}",))
    found, warnings = _partitions()
    facts += found
    warnings += _limits()
    facts.append(_accounts())
    place, told = _shared(store)
    return Examined((*facts, place), (*warnings, *told))


def _partitions() -> tuple[list[str], list[str]]:
    try:
        lines = ask("sinfo", "--noheader", f"--format={_PARTITION}").splitlines()
    except SlurmError as error:
        return [], [f"sinfo: {error}"]
    facts, gpus = [], False
    for line in lines:
        name, up, nodes, time, gres, memory, cores = (*line.split("|"), *[""] * 7)[:7]
        gpus = gpus or "gpu" in gres
        facts.append(
            f"partition {name}: {up}, nodes {nodes}, longest {time}, cores {cores}, "
            f"memory {memory} MB, {'no GPUs' if gres == '(null)' else gres}"
        )
    warnings = [] if lines else ["no partition: ask the cluster's administrators for access"]
    if lines and not gpus:
        warnings.append("no partition has GPUs; give execute: {device: cpu} or slurm: {gpus: 0}")
    return facts, warnings


def _limits() -> list[str]:
    """Return warnings about settings of the cluster that cells would exceed."""
    try:
        lines = ask("scontrol", "show", "config").splitlines()
    except SlurmError as error:
        return [f"scontrol: {error}"]
    halves = [line.partition("=") for line in lines]
    values = {key.strip(): value.strip() for key, _, value in halves}
    warnings = []
    largest = values.get("MaxArraySize", "")
    usual = SlurmSettings().chunk
    if largest.isdecimal() and int(largest) < usual:
        warnings.append(
            f"MaxArraySize is {largest}: give execute.slurm.chunk at most that, it is {usual} by "
            f"default"
        )
    return warnings


def _accounts() -> str:
    try:
        ask("sacct", "--noheader", "--starttime=now", "--endtime=now")
    except SlurmError as error:
        return (
            f"no accounts ({error}): how a job ended is known while Slurm remembers it, MinJobAge "
            f"seconds"
        )
    return "accounts are kept: how a job ended is known later, too"


def _shared(store: Path) -> tuple[str, list[str]]:
    """Describe the disk of the store, and warn if other nodes cannot see it."""
    place = store.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        return f"store {store}", [f"{place}: no permission to write; name another --store"]
    kind = _file_system(place)
    fact = f"store {store}: on {kind}"
    if kind not in _LOCAL:
        return fact, []
    return fact, [
        f"{place} is on {kind}, a disk of this machine alone unless it is exported: name a --store "
        f"on a disk that all nodes share under the same path"
    ]


def _file_system(place: Path) -> str:
    """Return the file system type of a folder."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mounted, found, *_ = line.split()
        below = place.is_relative_to(mounted.replace("\\040", " "))
        if below and len(mounted) >= len(best):
            best, kind = mounted, found
    return kind
