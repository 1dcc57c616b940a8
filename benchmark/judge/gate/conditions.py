"""Where two measurements may be expected to agree, and how closely."""

from __future__ import annotations

from hashbench.core.environment import Environment

_LIBRARIES = ("torch", "torchvision", "timm", "numpy", "scikit-learn")


def platform_difference(one: Environment, other: Environment) -> str | None:
    """Why codes need not be equal bit for bit; None where strict mode promises that they are.

    Strict mode promises it for the same device class, thread count and versions.

    Example:
        ``torch 2.11.0, now 2.12.0``
    """
    facts = {
        "device": (_device(one), _device(other)),
        "threads": (str(one.threads), str(other.threads)),
        "Python": tuple(env.python.rpartition(".")[0] for env in (one, other)),
        **{
            name: tuple(env.libraries.get(name, "none") for env in (one, other))
            for name in _LIBRARIES
        },
    }
    return _first_difference(facts)


def host_difference(one: Environment, other: Environment) -> str | None:
    """Why times cannot be set against each other; None for what looks like the same host.

    Records name no host. The same processor, number of cores, device, memory, operating system and
    thread count are taken for the same one.
    """
    facts = {
        "processor": (one.cpu, other.cpu),
        "cores": (str(one.cpu_count), str(other.cpu_count)),
        "device": (_device(one), _device(other)),
        "memory": tuple(str(env.device.memory_bytes) for env in (one, other)),
        "system": (one.platform, other.platform),
        "threads": (str(one.threads), str(other.threads)),
    }
    return _first_difference(facts)


def _device(environment: Environment) -> str:
    return f"{environment.device.kind} {environment.device.name}"


def _first_difference(facts: dict[str, tuple[str, ...]]) -> str | None:
    differing = (f"{k} {was}, now {now}" for k, (was, now) in facts.items() if was != now)
    return next(differing, None)
