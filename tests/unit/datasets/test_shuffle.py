"""The order that protocols draw in, and single draws."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hashbench.core.seeds import derive_seed
from hashbench.datasets.protocols.shuffle import shuffled, uniform

MASK = (1 << 64) - 1


def split_mix(state: int) -> int:
    """SplitMix64's mixer in whole numbers, from its published constants."""
    z = state & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@given(
    st.lists(st.integers(0, 2**40), unique=True, max_size=50),
    st.integers(0, 2**31),
)
def test_positions_are_sorted_by_their_split_mix_key(positions: list[int], seed: int) -> None:
    offset = derive_seed(seed, "subset")
    expected = sorted(positions, key=lambda p: split_mix(p * 0x9E3779B97F4A7C15 + offset))
    found = shuffled(np.array(positions, dtype=np.int64), seed, purpose="subset")
    assert found.tolist() == expected


def test_the_order_is_written_down_for_good() -> None:
    order = shuffled(np.arange(20), 7, purpose="test")
    assert order.tolist() == [
        *(13, 19, 8, 3, 4, 1, 17, 14, 7, 5),
        *(12, 16, 18, 6, 11, 0, 15, 2, 9, 10),
    ]


def test_another_seed_or_purpose_gives_another_order() -> None:
    orders = {
        tuple(shuffled(np.arange(100), seed, purpose=purpose))
        for seed in (0, 1)
        for purpose in ("protocol", "subset")
    }
    assert len(orders) == 4


def test_shared_positions_keep_their_relative_order_in_another_list() -> None:
    few, many = np.arange(0, 300, 3), np.arange(300)
    order = shuffled(many, 5, purpose="x")
    assert order[order % 3 == 0].tolist() == shuffled(few, 5, purpose="x").tolist()


def test_front_halves_are_not_biased_to_low_positions() -> None:
    means = [shuffled(np.arange(1000), seed, purpose="x")[:500].mean() for seed in range(200)]
    # Mean of 500 of 0..999 without replacement: 499.5 with deviation 9.13; over 200 seeds 0.65.
    assert abs(float(np.mean(means)) - 499.5) < 4 * 0.65


@given(
    st.lists(st.integers(0, 2**40), min_size=1, max_size=50),
    st.integers(0, 2**31),
)
def test_a_draw_is_the_upper_bits_of_its_split_mix_key(positions: list[int], seed: int) -> None:
    offset = derive_seed(seed, "draw")
    expected = [(split_mix(p * 0x9E3779B97F4A7C15 + offset) >> 11) / 2**53 for p in positions]
    found = uniform(np.array(positions, dtype=np.int64), seed, purpose="draw")
    assert found.tolist() == expected
    assert 0 <= found.min() <= found.max() < 1


def test_draws_fill_the_unit_interval_evenly() -> None:
    counts = np.histogram(uniform(np.arange(10_000), 3, purpose="x"), bins=10, range=(0, 1))[0]
    # Binomial with mean 1,000 and deviation 30.
    assert np.abs(counts - 1000).max() < 4 * 30
