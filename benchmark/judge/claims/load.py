"""Files of claims, read and validated: every mistake at once, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from hashbench.core.errors import ConfigError
from hashbench.judge.claims.schema import ClaimFile, ClaimSpec
from hashbench.matrix.load import explain
from hashbench.matrix.positions import read_yaml


def load_claims(place: Path) -> list[ClaimSpec]:
    """Read a file of claims, or every ``.yaml`` file of a folder.

    Raises:
        ConfigError: With one line for each mistake.
    """
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    if not files:
        raise ConfigError(
            f"{place}: holds no .yaml file; name a file of claims or a folder of them"
        )
    found: dict[str, Path] = {}
    claims: list[ClaimSpec] = []
    problems: list[str] = []
    for file in files:
        try:
            own = _load(file)
        except ConfigError as error:
            problems += error.problems
            continue
        for claim in own:
            if claim.name in found:
                problems.append(
                    f"{file}: claim '{claim.name}' is in {found[claim.name]} already; rename one"
                )
            found[claim.name] = file
            claims.append(claim)
    if problems:
        raise ConfigError(*problems)
    return claims


def _load(file: Path) -> list[ClaimSpec]:
    document = read_yaml(file)
    if not isinstance(document.data, Mapping):
        raise ConfigError(f"{file}: a file of claims is a mapping that starts with version: 1")
    problems = list(document.problems)
    try:
        claims = list(ClaimFile.model_validate(document.data).claims)
    except ValidationError as error:
        found = (explain(problem, ClaimFile) for problem in error.errors())
        problems += document.positions.problems(found)
    if problems:
        raise ConfigError(*problems)
    return claims
