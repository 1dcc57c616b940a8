"""Many comparisons at once: corrected p-values, and letters that say the same as the pairs."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashbench.judge.compare.comparison import compact_letters
from hashbench.judge.compare.holm import holm


def test_holm_on_a_case_worked_by_hand() -> None:
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1, each at least the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_one_test_alone_and_never_exceeds_one() -> None:
    assert holm([0.2]) == [0.2]
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def pairs(*words: str) -> set[frozenset[str]]:
    return {frozenset(word) for word in words}


def test_no_difference_shown_is_one_letter() -> None:
    assert compact_letters("xyz", set()) == {"x": "a", "y": "a", "z": "a"}


def test_all_different_are_letters_of_their_own_best_first() -> None:
    assert compact_letters("xyz", pairs("xy", "xz", "yz")) == {"x": "a", "y": "b", "z": "c"}


def test_the_middle_one_shares_with_both_ends_that_differ() -> None:
    assert compact_letters("xyz", pairs("xz")) == {"x": "a", "y": "ab", "z": "b"}


def test_a_case_worked_by_hand_with_four() -> None:
    # w-y, w-z and x-z differ: w and x, x and y, y and z stay together.
    found = compact_letters("wxyz", pairs("wy", "wz", "xz"))
    assert found == {"w": "a", "x": "ab", "y": "bc", "z": "c"}


@given(st.sets(st.sampled_from([frozenset(p) for p in combinations("abcdef", 2)])))
def test_two_share_a_letter_exactly_where_no_difference_was_shown(
    different: set[frozenset[str]],
) -> None:
    letters = compact_letters("abcdef", different)
    apart = {frozenset(p) for p in combinations("abcdef", 2) if not _share(letters, *p)}
    assert apart == different


def _share(letters: dict[str, str], one: str, other: str) -> bool:
    return bool(set(letters[one]) & set(letters[other]))
