"""The schema of files of claims, and their reading: every mistake at once, with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from hashbench.core.errors import ConfigError
from hashbench.judge.claims.controls import ControlName
from hashbench.judge.claims.quantities import parse_quantity
from hashbench.matrix.load import explain
from hashbench.matrix.positions import read_yaml
from hashbench.matrix.rules_schema import NamedSpec
from hashbench.matrix.shorthand import OR_SINGLE
from hashbench.matrix.training_schema import Strict


class ArmSpec(NamedSpec):
    """A selection of cells; each given key must have one of the listed values.

    ``settings`` are dotted keys as the report prints them, such as ``loss.preset: null`` or
    ``loss.asymmetric: true``; all must be equal.
    """

    settings: dict[str, Any] = Field(default_factory=dict)

    def names(self) -> dict[str, list[Any]]:
        """The selected names by key."""
        given = {key: getattr(self, key) for key in NamedSpec.model_fields}
        return {key: values for key, values in given.items() if values is not None}


class ControlSpec(Strict):
    """The controls of a claim: settings that must be equal, and the least number of seeds."""

    same: list[ControlName]
    seeds: Annotated[int, Field(ge=2)] = 3


class ClaimSpec(Strict):
    """One claim: the arm ``better`` is better than every arm of ``than``, wherever both exist.

    Protocol, device class and code length are always equal; ``matching`` adds components. With
    ``longer_codes`` each method is compared with itself at the next shorter length instead.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    says: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    where: ArmSpec = ArmSpec()
    better: ArmSpec = ArmSpec()
    than: Annotated[list[ArmSpec], OR_SINGLE] = Field(default_factory=list)
    longer_codes: bool = False
    matching: Annotated[list[Literal["backbone", "loss"]], OR_SINGLE] = Field(default_factory=list)
    quantities: Annotated[list[str], Field(min_length=1), OR_SINGLE]
    direction: Literal["higher", "lower"]
    margin: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    controls: ControlSpec

    @field_validator("quantities")
    @classmethod
    def _known(cls, words: list[str]) -> list[str]:
        try:
            return [parse_quantity(word).name for word in words]
        except ConfigError as error:
            raise ValueError("; ".join(error.problems)) from None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.longer_codes == bool(self.than):
            raise ValueError("than names the arms to compare with, unless longer_codes: true does")
        wrong = [q for q in self.quantities if parse_quantity(q).direction != self.direction]
        if wrong:
            usual = parse_quantity(wrong[0]).direction
            raise ValueError(f"direction: {self.direction} does not fit {wrong[0]}; write {usual}")
        return self


class ClaimFile(Strict):
    """A file of claims."""

    version: Literal[1]
    claims: Annotated[list[ClaimSpec], Field(min_length=1)]


def load_claims(place: Path) -> list[ClaimSpec]:
    """Read a file of claims, or every ``.yaml`` file of a folder.

    Raises:
        ConfigError: With one line for each mistake.
    """
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    if not files:
        raise ConfigError(
            f"{place}: contains no .yaml file; name a file of claims or a folder of them"
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
