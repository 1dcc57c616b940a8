"""Decide whether two runs must give equal codes, and whether their times can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hashbench.core.cell import Determinism
from hashbench.core.environment import Environment
from hashbench.core.record import FitRecord


def reasons_for_unequal_codes(
    first: FitRecord, again: FitRecord, *, compare_sources: bool = True
) -> list[str]:
    """List why two fits of one cell need not have codes that are equal to the last bit.

    Equal codes are demanded in strict mode only, and only for the same device, a processor that is
    known to be alike, the same instruction sets, the same number of threads, the same versions and
    the same source code.

    Args:
        first: A fit.
        again: Another fit of the same cell.
        compare_sources: Whether changed source code is a reason. It is none for a check that looks
            for the effect of such a change.

    Returns:
        A clause for each reason, such as ``threads: 1, now 2``; none where codes must be equal.
    """
    reasons = []
    if first.cell.determinism is not Determinism.STRICT:
        reasons.append("the cell's determinism is fast, not strict")
    reasons += _environment_reasons(first.environment, again.environment)
    if compare_sources:
        reasons += _source_reasons(first.sources, again.sources)
    return reasons


def processor_difference(first: Environment, again: Environment) -> str | None:
    """Say why two processors may round differently; None if they are known to be alike.

    Equal names do not suffice: libraries choose their kernels by the processor's instruction sets,
    and processors of one name may differ in these.
    """
    one, other = first.processor, again.processor
    if one is None or other is None:
        return "the processor is not recorded exactly"
    if one != other:
        return f"processor: {_different_fields(one, other)}"
    if first.arithmetic != again.arithmetic:
        return f"instruction sets: {_different_fields(first.arithmetic, again.arithmetic)}"
    return None


def host_difference(first: Environment, again: Environment) -> str | None:
    """Say why the times of two runs cannot be compared; None if their hosts are alike.

    Records name no host. Two hosts are taken to be alike if their processors are known to be, and
    cores, device, memory, operating system and thread count are the same.
    """
    facts = {
        "processor": (first.cpu, again.cpu),
        "cores": (first.cpu_count, again.cpu_count),
        "device": (_device(first), _device(again)),
        "memory": (first.device.memory_bytes, again.device.memory_bytes),
        "system": (first.platform, again.platform),
        "threads": (first.threads, again.threads),
    }
    differing = (f"{name} {was}, now {now}" for name, (was, now) in facts.items() if was != now)
    return next(differing, None) or processor_difference(first, again)


def _environment_reasons(first: Environment, again: Environment) -> Iterator[str]:
    if first.device.kind != again.device.kind:
        yield f"device class: {first.device.kind}, now {again.device.kind}"
    elif first.device.name != again.device.name:
        yield f"device: {first.device.name}, now {again.device.name}"
    if processor := processor_difference(first, again):
        yield processor
    if first.threads != again.threads:
        yield f"threads: {first.threads}, now {again.threads}"
    if _minor(first.python) != _minor(again.python):
        yield f"python: {first.python}, now {again.python}"
    for name in sorted(first.libraries.keys() | again.libraries.keys()):
        was, now = first.libraries.get(name), again.libraries.get(name)
        if was != now:
            yield f"{name}: {was or 'not recorded'}, now {now or 'none'}"


def _source_reasons(first: Mapping[str, str], again: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(first.keys() | again.keys()):
        was, now = first.get(name), again.get(name)
        if was is None:
            yield f"source code of {name} was not recorded then"
        elif was != now:
            yield f"source code of {name} {'is gone' if now is None else 'changed'}"


def _different_fields(first: Any, again: Any) -> str:
    was, now = ({} if each is None else dict(each) for each in (first, again))
    names = [name for name in was | now if was.get(name) != now.get(name)]
    return "; ".join(f"{name} {was.get(name)}, now {now.get(name)}" for name in names)


def _device(environment: Environment) -> str:
    return f"{environment.device.kind} {environment.device.name}"


def _minor(python: str) -> str:
    """The version without its patch number, which changes no arithmetic."""
    return python.rpartition(".")[0]
