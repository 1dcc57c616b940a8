"""Choosing the nearest without sorting everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashbench.search.scan import nearest


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(distances=st.lists(st.integers(0, 9), min_size=1, max_size=60), k=st.integers(1, 80))
def test_it_is_the_head_of_a_stable_sort(dtype, distances, k):
    wanted = sorted(range(len(distances)), key=lambda i: (distances[i], i))[:k]
    assert nearest(np.array(distances, dtype=dtype), k).tolist() == wanted


def test_the_widest_distances_are_told_apart():
    assert nearest(np.array([1024, 255, 256, 0], dtype=np.uint16), 3).tolist() == [3, 1, 2]
    assert nearest(np.array([255, 254, 0], dtype=np.uint8), 2).tolist() == [2, 1]
