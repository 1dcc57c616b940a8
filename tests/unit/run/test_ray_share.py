"""What a cell takes of a node of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hashbench.core.clusters import RaySettings
from hashbench.core.errors import ConfigError
from hashbench.core.job import Job, Request
from hashbench.run.launchers.ray.share import Node, Share, share_of, threads_of
from hashbench.run.plan import Planned

GIB = 2**30
SMALL = Node("a", "small", cpus=4, gpus=0, memory=8 * GIB)
LARGE = Node("b", "large", cpus=16, gpus=2, memory=64 * GIB)


@pytest.fixture
def job(planned: Callable[[], Planned]) -> Job:
    """Return a job with two threads that takes CUDA where there is one."""
    return replace(planned().job, device="auto", threads=2)


def request_of(job: Job, *, all_cores: bool = False, **asked: Any) -> Request:
    return Request(
        metrics=(),
        float_metrics=(),
        latency=(),
        validate_every=0,
        device=job.device,
        threads=job.threads,
        timeout=None,
        data_root=None,
        weights={},
        plugins=(),
        all_cores=all_cores,
        ray={job.cell.fit_id: RaySettings(**asked)},
    )


@pytest.mark.parametrize(
    ("device", "nodes", "gpus"),
    [
        ("auto", [SMALL, LARGE], 1),
        ("auto", [SMALL], 0),
        ("cpu", [SMALL, LARGE], 0),
        ("cuda", [LARGE], 1),
    ],
)
def test_by_default_a_cell_takes_its_threads_and_a_gpu_where_there_is_one(
    job: Job, device: str, nodes: list[Node], gpus: float
) -> None:
    job = replace(job, device=device)
    assert share_of(job, request_of(job), nodes) == Share(cpus=2, gpus=gpus)


def test_what_the_matrix_says_counts(job: Job) -> None:
    share = share_of(job, request_of(job, gpus=0.5, cpus=3.0, mem="12G"), [SMALL, LARGE])
    assert share.options == {"num_cpus": 3.0, "num_gpus": 0.5, "memory": 12 * GIB}
    assert share_of(job, request_of(job, mem="300"), [LARGE]).memory == 300 * 2**20


def test_with_all_cores_of_a_machine_unknown_yet_a_cell_takes_one_and_as_many_threads(
    job: Job,
) -> None:
    request = request_of(job, all_cores=True)
    share = share_of(job, request, [LARGE])
    assert (share.cpus, threads_of(job, share, request).threads) == (1, 1)
    request = request_of(job, all_cores=True, cpus=4.0)
    assert threads_of(job, share_of(job, request, [LARGE]), request).threads == 4
    assert threads_of(job, share, request_of(job, cpus=4.0)).threads == 2


@pytest.mark.parametrize(
    ("asked", "nodes"),
    [
        ({"gpus": 3.0}, [SMALL, LARGE]),
        ({"cpus": 20.0}, [LARGE]),
        ({"mem": "65G"}, [LARGE]),
        ({"cpus": 8.0, "gpus": 1.0}, [SMALL, replace(LARGE, cpus=4)]),
    ],
)
def test_what_no_single_node_has_is_refused(
    job: Job, asked: dict[str, Any], nodes: list[Node]
) -> None:
    with pytest.raises(ConfigError, match=r"asks for .* no node of the Ray cluster has that"):
        share_of(job, request_of(job, **asked), nodes)


def test_cuda_without_a_gpu_in_the_cluster_is_refused(job: Job) -> None:
    job = replace(job, device="cuda")
    with pytest.raises(ConfigError, match="no node of the Ray cluster has that"):
        share_of(job, request_of(job), [SMALL])


def test_a_share_of_more_than_one_gpu_is_refused(job: Job) -> None:
    with pytest.raises(ConfigError, match=r"execute\.ray\.gpus: 1\.5: .*write 0\.5, 1 or 2"):
        share_of(job, request_of(job, gpus=1.5), [LARGE])


def test_alone_means_all_cores_of_the_largest_node_that_has_the_rest() -> None:
    huge = Node("c", "huge", cpus=64, gpus=0, memory=8 * GIB)
    assert Share(1, 1).alone([SMALL, LARGE, huge]) == Share(16, 1)
    assert Share(1, 0).alone([SMALL, LARGE, huge]) == Share(64, 0)
