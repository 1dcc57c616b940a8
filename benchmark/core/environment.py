"""The machine and the software as measured in the process that did the work."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from hashbench.core.arithmetic import Arithmetic, Processor, arithmetic, processor
from hashbench.core.canonical import digest, digest_bytes, digest_file
from hashbench.core.pinning import first_processor
from hashbench.version import VERSION

_LIBRARIES = (
    *("torch", "torchvision", "timm", "numpy", "numba", "scikit-learn"),
    *("faiss-cpu", "safetensors"),
)
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # the last is Arm's; Linux's names
_PACKAGES = ("benchmark", "methods", "datasets", "reports")  # folders of the checkout


class Device(BaseModel):
    """The computing device that was used, not the one that was asked for.

    Attributes:
        kind: ``cpu`` or ``cuda``.
        name: The processor's or the card's name.
        driver: Driver and CUDA versions; empty on a CPU.
        memory_bytes: Memory of the card or of the machine.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    name: str
    driver: str = ""
    memory_bytes: int = 0


class Environment(BaseModel):
    """Everything about the machine and the software that may change a measurement's numbers.

    Attributes:
        hashbench: Version of hashbench.
        commit: The commit, or None outside a checkout.
        dirty_sha256: Digest of changes that no commit holds; None without any.
        python: Version of Python.
        platform: Operating system and its version.
        cpu: The processor's name.
        cpu_count: Processors of the machine.
        threads: Threads that computed.
        load_average: Load of the machine over the last minute.
        device: The device that computed.
        libraries: Versions by library.
        processor: The processor's exact kind; None where it was not recorded.
        arithmetic: The instruction sets in use; None where they were not recorded.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hashbench: str
    commit: str | None
    dirty_sha256: str | None
    python: str
    platform: str
    cpu: str
    cpu_count: int
    threads: int
    load_average: float
    device: Device
    libraries: dict[str, str]
    processor: Processor | None = None
    arithmetic: Arithmetic | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_not_known(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = plain(self)
        unknown = [key for key in ("processor", "arithmetic") if document.get(key) is None]
        return {key: value for key, value in document.items() if key not in unknown}

    @property
    def computed_on(self) -> str:
        """The device's name and, of a processor, the pinned level of arithmetic if there is one.

        Tables never average values that differ in it.
        """
        level = self.arithmetic.level if self.arithmetic and self.device.kind == "cpu" else None
        return f"{self.device.name} ({level})" if level else self.device.name

    @property
    def machine(self) -> str:
        """The processor, its threads and its load, in words."""
        load = f"load {self.load_average:.2f}"
        return f"{self.cpu}, {self.cpu_count} processors, {self.threads} threads, {load}"

    @property
    def software(self) -> str:
        """The state of the code and the libraries, in words."""
        changed = " with uncommitted changes" if self.dirty_sha256 else ""
        code = f"hashbench {self.hashbench}, commit {self.commit or 'unknown'}{changed}"
        versions = ", ".join(f"{name} {version}" for name, version in self.libraries.items())
        return f"{code}; python {self.python}; {versions}"


def _git(folder: Path, *arguments: str) -> bytes | None:
    try:
        result = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout


@lru_cache(maxsize=1)
def commit() -> tuple[str | None, str | None]:
    """The commit that is running and the digest of its uncommitted changes.

    Returns:
        ``(commit, dirty)``: both None outside a checkout of hashbench, where HASHBENCH_COMMIT may
        name the commit; ``dirty`` is None for a clean tree.
    """
    found = _git(Path(__file__).resolve().parent, "rev-parse", "--show-toplevel")
    top = Path(found.decode().strip()) if found else None
    if top is None or not (top / "benchmark" / "version.py").is_file():
        return os.environ.get("HASHBENCH_COMMIT"), None
    head = _git(top, "rev-parse", "HEAD")
    return (head.decode().strip() if head else None), _dirty_sha256(top)


def _dirty_sha256(top: Path) -> str | None:
    """Digest of what the package folders hold beside the commit; files never added count too."""
    changes = _git(top, "diff", "HEAD", "--", *_PACKAGES) or b""
    listed = _git(top, "ls-files", "--others", "--exclude-standard", "-z", "--", *_PACKAGES) or b""
    names = sorted(name for name in listed.decode().split("\0") if name)
    added = {name: digest_file(top / name) for name in names if (top / name).is_file()}
    return digest([digest_bytes(changes), added]) if changes or added else None


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def cpu_computes_bf16() -> bool | None:
    """Whether the processor has instructions for bfloat16; None where the system does not say."""
    facts = first_processor()
    flags = facts.get("flags") or facts.get("Features")
    return None if flags is None else not _BF16_FLAGS.isdisjoint(flags.split())


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def describe_device(kind: str) -> Device:
    """Describe the device in use.

    Args:
        kind: ``cpu`` or ``cuda``; for ``cuda`` torch must be imported already.
    """
    if kind == "cuda":
        import torch

        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        driver = Path("/proc/driver/nvidia/version")
        version = driver.read_text(encoding="utf-8").partition("\n")[0] if driver.exists() else ""
        return Device(
            kind="cuda",
            name=properties.name,
            driver=f"CUDA {torch.version.cuda}; {version}".strip("; "),
            memory_bytes=properties.total_memory,
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Device(kind="cpu", name=cpu_name(), memory_bytes=memory)


def capture(*, device: str, threads: int) -> Environment:
    """Measure the environment of this process.

    Args:
        device: The kind of device in use, ``cpu`` or ``cuda``.
        threads: Threads that computing uses in this process.
    """
    head, dirty = commit()
    versions = {name: version for name in _LIBRARIES if (version := _version(name))}
    return Environment(
        hashbench=VERSION,
        commit=head,
        dirty_sha256=dirty,
        python=sys.version.partition(" ")[0],
        platform=platform.platform(),
        cpu=cpu_name(),
        cpu_count=os.cpu_count() or 1,
        threads=threads,
        load_average=round(os.getloadavg()[0], 2),
        device=describe_device(device),
        libraries=versions,
        processor=processor(),
        arithmetic=arithmetic(),
    )
