"""A search on disk finds what a sort of all distances finds, and processes keep their order."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError, DataError
from hashbench.evaluation.sharded.folder import Block, ShardFolder
from hashbench.evaluation.sharded.processes import over_blocks
from hashbench.evaluation.sharded.search import search_shards
from hashbench.evaluation.sharded.writer import ShardWriter


@pytest.mark.parametrize("k", [1, 7, 499, 500, 501])
def test_the_nearest_come_by_distance_then_by_position_in_the_whole_database(
    tmp_path, small_blocks, k, retrieval
):
    data = retrieval()
    with ShardWriter(tmp_path / "shards", bits=12, items_per_shard=130) as writer:
        writer.add(data.database)
    found = search_shards(data.query, ShardFolder.open(tmp_path / "shards"), k)

    far = (data.query.signs()[:, None] != data.database.signs()[None]).sum(axis=2)
    order = np.argsort(far, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(found.ids, order)
    np.testing.assert_array_equal(found.distances, np.take_along_axis(far, order, axis=1))


def test_several_processes_find_the_same(tmp_path, small_blocks, retrieval):
    data = retrieval(items=200, queries=3)
    folder, steps = data.write(tmp_path / "shards"), []
    alone = search_shards(data.query, folder, 20)
    found = search_shards(
        data.query, folder, 20, processes=2, progress=lambda *step: steps.append(step)
    )
    np.testing.assert_array_equal(found.ids, alone.ids)
    np.testing.assert_array_equal(found.distances, alone.distances)
    assert steps == [(done, 5) for done in range(1, 6)]


def test_searches_without_sense_are_refused(tmp_path, retrieval):
    data = retrieval()
    folder = data.write(tmp_path / "shards")
    with pytest.raises(ConfigError, match="k: must be at least 1"):
        search_shards(data.query, folder, 0)
    with pytest.raises(DataError, match="zero queries"):
        search_shards(Codes(data.query.packed[:0], 12), folder, 1)
    with pytest.raises(DataError, match="queries have 8 bits, the database 12"):
        search_shards(Codes(data.query.packed[:, :1], 8), folder, 1)


@dataclass
class Killed:
    """Work whose process is killed at one block."""

    at: int

    def __call__(self, block):
        if block.shard == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return block.shard


def test_a_process_that_is_killed_ends_the_work_with_one_line():
    blocks = [Block(number, 0, 1, number) for number in range(6)]
    with pytest.raises(DataError, match="was killed, perhaps for lack of memory"):
        list(over_blocks(Killed(3), blocks, processes=2))


def test_no_more_processes_are_started_than_there_are_blocks():
    assert list(over_blocks(os.getpid, [], processes=4)) == []
    (pid,) = over_blocks(lambda block: os.getpid(), [Block(0, 0, 1, 0)], processes=4)
    assert pid == os.getpid()
