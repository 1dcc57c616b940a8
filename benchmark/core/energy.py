"""Energy used by a fit, if the device reports it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Energy(BaseModel):
    """Energy that the device used while a fit ran, its idle consumption included.

    Attributes:
        source: ``nvml`` measures a whole CUDA device, ``rapl`` all processor packages of the
            machine; both include other work on them.
        joules: Energy by phase: ``training`` (building, pre-pass, features, epochs, validation,
            checkpoints) and ``encoding`` (queries and database).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    joules: dict[str, float]
