"""The schema of a protocol file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from hashbench.core.errors import DataError
from hashbench.datasets.protocols.multilabel_tables import RandomTable, WalkTable
from hashbench.datasets.protocols.protocol import Origin, ProtocolSpec
from hashbench.datasets.protocols.sampling import ROLES, Draw, IndexLists, PerClass, UnseenClasses

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]*$")]
Triple = tuple[float, float, float]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DrawTable(_Table):
    """``[sampling.ROLE]``: how a role is drawn; see `Draw`."""

    part: str | None = None
    per_class: PositiveInt | None = None
    without: tuple[Literal["query", "train"], ...] = ()


class _DrawsTable(_Table):
    """What the rules that draw from classes have in common: a seed, parts, and three draws."""

    seed: int
    parts: dict[str, tuple[int, int]] = {}
    query: DrawTable
    train: DrawTable
    database: DrawTable

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
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
        """A `Draw` for each role."""
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

    def rule_of(self, _folder: Path) -> PerClass:
        """The rule this table states."""
        return PerClass(self.seed, self.draws())


class UnseenClassesTable(_DrawsTable):
    """``[sampling]`` with ``rule = "unseen-classes"``; see `UnseenClasses`."""

    rule: Literal["unseen-classes"]
    unseen: PositiveInt

    def rule_of(self, _folder: Path) -> UnseenClasses:
        """The rule this table states."""
        return UnseenClasses(self.seed, self.unseen, self.draws())


class ListFiles(_Table):
    """``[sampling.files]``: one file name a role."""

    train: FileName
    query: FileName
    database: FileName


class ListsTable(_Table):
    """``[sampling]`` with ``rule = "lists"``; see `IndexLists`."""

    rule: Literal["lists"]
    files: ListFiles

    def rule_of(self, folder: Path) -> IndexLists:
        """The rule this table states, with its files in ``folder``."""
        return IndexLists(folder, self.files.model_dump())


class ImagesTable(_Table):
    """``[images]``: what the whole dataset must be; no ``shape`` where sizes vary."""

    count: PositiveInt
    shape: tuple[PositiveInt, ...] | None = None
    classes: PositiveInt


class LabelsTable(_Table):
    """``[labels]``: the classes of the dataset that count, if not all; see `keep_columns`."""

    columns: Annotated[tuple[str, ...], Field(min_length=1)]


class InputTable(_Table):
    """``[input]``: what the network is fed."""

    image_size: PositiveInt
    augmentation: Literal["none", "flip", "crop_flip"]
    mean: Triple
    std: tuple[
        Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]
    ]


class SizesTable(_Table):
    """``[sizes]``: images by role; no ``database`` where nobody has published its size."""

    train: PositiveInt
    query: PositiveInt
    database: PositiveInt | None = None


class ChecksumTable(_Table):
    """``[sha256]``: of the pixels, the labels and the three lists.

    What is left out is not checked, only recorded. That of the pixels is left out where they come
    from JPEG files, whose decoders differ in the last bit.
    """

    pixels: Sha256 | None = None
    labels: Sha256 | None = None
    train: Sha256 | None = None
    query: Sha256 | None = None
    database: Sha256 | None = None


class OriginTable(_Table):
    """``[origin]``: what the dataset itself was drawn from, and how."""

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
    sampling: Annotated[
        PerClassTable | UnseenClassesTable | RandomTable | WalkTable | ListsTable,
        Field(discriminator="rule"),
    ]
    sizes: SizesTable
    sha256: ChecksumTable = ChecksumTable()
    labels: LabelsTable | None = None
    origin: OriginTable | None = None
    queries_in_database: bool = False

    @classmethod
    def parse(cls, raw: dict[str, Any], path: Path) -> Self:
        """Check parsed TOML.

        Args:
            raw: The parsed file.
            path: The file, for messages and for its name.

        Raises:
            DataError: One line with everything that is wrong.
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

    def spec(self, *, folder: Path, sha256: str) -> ProtocolSpec:
        """The definition this file states.

        Args:
            folder: Where its index lists are.
            sha256: Digest of the definition.
        """
        origin = self.origin
        return ProtocolSpec(
            name=f"{self.name}@{self.version}",
            dataset=self.dataset,
            images=self.images.count,
            shape=self.images.shape,
            classes=self.images.classes,
            relevance=self.relevance,
            train_in_database=self.train_in_database,
            map_at=None if self.map_at == "all" else self.map_at,
            image_size=self.input.image_size,
            augmentation=self.input.augmentation,
            mean=self.input.mean,
            std=self.input.std,
            sampling=self.sampling.rule_of(folder),
            sizes=self.sizes.model_dump(exclude_none=True),
            checksums=self.sha256.model_dump(exclude_none=True),
            notes=self.notes,
            sha256=sha256,
            columns=self.labels.columns if self.labels else (),
            origin=Origin(origin.dataset, origin.sampling.rule_of(folder)) if origin else None,
            queries_in_database=self.queries_in_database,
        )
