"""The blocks of a matrix for the resources of cells on a cluster."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from hashbench.matrix.shorthand import OR_SINGLE, OR_WITH_UNIT
from hashbench.matrix.training_schema import Count, Strict


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_SHORTEST_STAY = 300  # Slurm gives its notice up to a minute early
_LONGEST_NOTICE = 600  # submitit takes a job that leaves earlier for one that is pre-empted

Word = Annotated[str, Field(min_length=1)]
Memory = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^\d+[KMGT]?$", examples=["16G"])]
Gpus = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(pattern=r"^([A-Za-z][\w.-]*:)?\d+$"),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}),
]
Text = Annotated[str, BeforeValidator(_as_text)]


class SlurmSpec(Strict):
    """Resources of a cell's Slurm job; the cluster's defaults apply where none is stated here.

    Attributes:
        partition: One, or several with commas between them.
        account: Who is charged.
        qos: Quality of service.
        constraint: Features that a node must have.
        gpus: A number, or a kind with a number, such as ``a100:1``. By default one, and none with
            ``device: cpu``.
        cpus: Cores. By default as many as `threads` says, and 1 where that is ``auto``.
        mem: Memory, such as ``16G``.
        time: Seconds of one stay, at least 5 min, 4 h by default; a cell that is not done then is
            queued again and goes on from its last epoch. `timeout` is what ends a cell.
        notice: Seconds before the end of that time at which a cell leaves; 2 min by default, and
            never more than a quarter of it.
        requeues: How often a cell whose time is over is queued again; 10 by default.
        chunk: Cells in one job array, 500 by default; a cluster's MaxArraySize bounds it.
        parallel: Cells of one array at the same time, 256 by default.
        setup: Shell commands before the cell, such as ``module load cuda``.
        options: Further options of sbatch by their long names, such as ``{reservation: night}``;
            ``""`` for one without a value.
    """

    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    constraint: Word | None = None
    gpus: Gpus | None = None
    cpus: Count | None = None
    mem: Memory | None = None
    time: Annotated[float, Field(ge=_SHORTEST_STAY, allow_inf_nan=False), OR_WITH_UNIT] | None = (
        None
    )
    notice: Annotated[float, Field(gt=0, le=_LONGEST_NOTICE), OR_WITH_UNIT] | None = None
    requeues: Annotated[int, Field(ge=0)] | None = None
    chunk: Count | None = None
    parallel: Count | None = None
    setup: Annotated[list[Word], OR_SINGLE] | None = None
    options: dict[str, Text] | None = None


class RaySpec(Strict):
    """Resources of a cell on Ray.

    Attributes:
        address: The cluster's, ``auto`` or ``HOST:PORT``; without one Ray starts on this machine.
        gpus: GPUs, or the share of one, such as 0.5. By default one where the cluster has any, and
            none with ``device: cpu``.
        cpus: Cores. By default as many as `threads` says, and 1 where that is ``auto``.
        mem: Memory, such as ``16G``.
    """

    address: Word | None = None
    gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    mem: Memory | None = None


class ExecuteOverrideSpec(Strict):
    """Resources of some cells, where they differ from the others.

    Attributes:
        slurm: Resources of their Slurm jobs.
        ray: Resources on Ray.
    """

    slurm: SlurmSpec = SlurmSpec()
    ray: RaySpec = RaySpec()

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("says nothing; give slurm, ray, or both")
        return self
