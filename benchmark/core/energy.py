"""What a fit drew, where the device tells."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Energy(BaseModel):
    """Energy that the device drew while a fit ran, what it draws idle included.

    Attributes:
        source: ``nvml`` counts a whole CUDA device, ``rapl`` all processor packages of the machine;
            either counts other work on them too.
        joules: By ``training`` (building, pre-pass, features, epochs, validation, checkpoints) and
            ``encoding`` (queries and database).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    joules: dict[str, float]
