"""The schema of a protocol file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from hashbench.core.errors import DataError
from hashbench.datasets.protocols.multilabel_sampling import RandomDraw, Walk
from hashbench.datasets.protocols.sampling import (
    ROLES,
    Draw,
    IndexLists,
    PerClass,
    SamplingRule,
    UnseenClasses,
)

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]*$")]
Triple = tuple[float, float, float]
_Positive = Annotated[float, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DrawTable(_Table):
    """``[sampling.ROLE]``: how a role is drawn; see `Draw`."""

    part: str | None = None
    per_class: PositiveInt | None = None
    without: tuple[Literal["query", "train"], ...] = ()


class _DrawsTable(_Table):
    """The keys that both rules by class have: a seed, named parts, and a draw for each role."""

    seed: int
    parts: dict[str, tuple[int, int]] = {}
    query: DrawTable
    train: DrawTable
    database: DrawTable

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        for name, (first, end) in self.parts.items():
            if not 0 <= first < end:
                raise ValueError(f"part '{name}' must be [first, one past the last]")
        for number, role in enumerate(ROLES):
            draw: DrawTable = getattr(self, role)
            if draw.part is not None and draw.part not in self.parts:
                raise ValueError(f"{role}: there is no part '{draw.part}'")
            if not set(draw.without) <= set(ROLES[:number]):
                raise ValueError(f"{role}: 'without' names a role that is drawn later")
        return self

    def draws(self) -> dict[str, Draw]:
        """Return a `Draw` for each role."""
        tables: dict[str, DrawTable] = {role: getattr(self, role) for role in ROLES}
        return {
            role: Draw(
                self.parts[table.part] if table.part else None,
                table.per_class,
                without=table.without,
            )
            for role, table in tables.items()
        }


class PerClassTable(_DrawsTable):
    """``[sampling]`` with ``rule = "per-class"``; see `PerClass`."""

    rule: Literal["per-class"]


class UnseenClassesTable(_DrawsTable):
    """``[sampling]`` with ``rule = "unseen-classes"``; see `UnseenClasses`."""

    rule: Literal["unseen-classes"]
    unseen: PositiveInt


class ListFiles(_Table):
    """``[sampling.files]``: one file name for each role."""

    train: FileName
    query: FileName
    database: FileName


class ListsTable(_Table):
    """``[sampling]`` with ``rule = "lists"``; see `IndexLists`."""

    rule: Literal["lists"]
    files: ListFiles


# The tables of the rules `random` and `walk` have the fields of the rules themselves.
SamplingTable = PerClassTable | UnseenClassesTable | ListsTable | RandomDraw | Walk


class ImagesTable(_Table):
    """``[images]``: what the whole dataset must be; no ``shape`` where sizes vary."""

    count: PositiveInt
    shape: tuple[PositiveInt, ...] | None = None
    classes: PositiveInt


class LabelsTable(_Table):
    """``[labels]``: the classes of the dataset that count, if not all; see `keep_columns`."""

    columns: Annotated[tuple[str, ...], Field(min_length=1)]


class InputTable(_Table):
    """``[input]``: size, augmentation and normalisation of the network input."""

    image_size: PositiveInt
    augmentation: Literal["none", "flip", "crop_flip"]
    mean: Triple
    std: tuple[_Positive, _Positive, _Positive]


class SizesTable(_Table):
    """``[sizes]``: images by role; no ``database`` where nobody has published its size."""

    train: PositiveInt
    query: PositiveInt
    database: PositiveInt | None = None


class ChecksumTable(_Table):
    """``[sha256]``: checksums of the pixels, the labels and the three lists.

    One that is left out is only recorded, not checked. That of the pixels is left out where they
    come from JPEG files, because decoders differ in the last bit.
    """

    pixels: Sha256 | None = None
    labels: Sha256 | None = None
    train: Sha256 | None = None
    query: Sha256 | None = None
    database: Sha256 | None = None


class OriginTable(_Table):
    """``[origin]``: the dataset that this one was drawn from, and how."""

    dataset: str
    sampling: PerClassTable


class ProtocolFile(_Table):
    """A whole protocol file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    version: PositiveInt
    dataset: str
    relevance: Literal["shared-label"]
    train_in_database: bool
    map_at: Literal["all"] | PositiveInt
    notes: str = ""
    images: ImagesTable
    input: InputTable
    sampling: Annotated[SamplingTable, Field(discriminator="rule")]
    sizes: SizesTable
    sha256: ChecksumTable = ChecksumTable()
    labels: LabelsTable | None = None
    origin: OriginTable | None = None
    queries_in_database: bool = False

    @classmethod
    def parse(cls, raw: dict[str, Any], path: Path) -> Self:
        """Check the parsed TOML of a file against the schema, and its name against the content.

        Raises:
            DataError: One line with all errors.
        """
        try:
            file = cls.model_validate(raw)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()
            )
            raise DataError(f"protocol {path}: {problems}") from None
        if path.stem != f"{file.name}@{file.version}":
            raise DataError(
                f"protocol {path}: expected the name and version of the file, found "
                f"'{file.name}@{file.version}'"
            )
        return file


def sampling_rule(table: SamplingTable, folder: Path) -> SamplingRule:
    """Return the rule that a ``[sampling]`` table states, with its index lists in a folder."""
    match table:
        case PerClassTable():
            return PerClass(table.seed, table.draws())
        case UnseenClassesTable():
            return UnseenClasses(table.seed, table.unseen, table.draws())
        case ListsTable():
            return IndexLists(folder, table.files.model_dump())
        case _:
            return table
