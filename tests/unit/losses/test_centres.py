"""Class centres: signs, distances, seeds, refusals, and the centre of several labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import hadamard

from hashbench.core.errors import ConfigError
from hashbench.methods.building_blocks.centres import (
    CentreMethod,
    hamming_distances,
    least_distance,
    make_centres,
    merged_centres,
    tie_vector,
)

ANY_LENGTH = [CentreMethod.MAXHD, CentreMethod.BERNOULLI, CentreMethod.BERNOULLI_HALF]
HADAMARD = [CentreMethod.HADAMARD, CentreMethod.HADAMARD_RANDOM]


def centres_of(method: str, *, classes: int, bits: int, seed: int = 0) -> NDArray[np.float32]:
    generator = torch.Generator().manual_seed(seed)
    found = make_centres(CentreMethod(method), classes=classes, bits=bits, generator=generator)
    return np.asarray(found)


def distances(centres: NDArray[np.float32]) -> list[int]:
    """Count of differing bits of every pair."""
    return [
        int((centres[i] != centres[j]).sum())
        for i in range(len(centres))
        for j in range(i + 1, len(centres))
    ]


def check_signs_and_distinctness(centres: NDArray[np.float32], *, classes: int, bits: int) -> None:
    assert centres.shape == (classes, bits)
    assert centres.dtype == np.float32
    assert set(np.unique(centres)) <= {-1.0, 1.0}
    assert min(distances(centres), default=1) > 0


@pytest.mark.parametrize("classes", [1, 2, 10, 21, 80, 100])
@pytest.mark.parametrize("bits", [12, 16, 24, 48, 64])
@pytest.mark.parametrize("method", ANY_LENGTH)
def test_every_class_has_a_centre_of_its_own(method: str, bits: int, classes: int) -> None:
    centres = centres_of(method, classes=classes, bits=bits)
    check_signs_and_distinctness(centres, classes=classes, bits=bits)


@pytest.mark.parametrize("classes", [1, 2, 10, 21, 80, 100])
@pytest.mark.parametrize("bits", [16, 64])
@pytest.mark.parametrize("method", HADAMARD)
def test_hadamard_gives_every_class_a_centre_of_its_own(
    method: str, bits: int, classes: int
) -> None:
    centres = centres_of(method, classes=classes, bits=bits)
    check_signs_and_distinctness(centres, classes=classes, bits=bits)


@pytest.mark.parametrize("bits", [12, 16, 24, 48, 64])
@pytest.mark.parametrize("classes", [10, 100])
def test_maxhd_keeps_at_least_a_fifth_of_the_bits_between_centres(classes: int, bits: int) -> None:
    assert min(distances(centres_of("maxhd", classes=classes, bits=bits))) >= 0.2 * bits


@pytest.mark.parametrize("bits", [32, 48, 64])
def test_maxhd_comes_near_half_the_bits_for_ten_classes(bits: int) -> None:
    assert min(distances(centres_of("maxhd", classes=10, bits=bits))) >= 0.44 * bits


@pytest.mark.parametrize("bits", [16, 48, 64])
def test_maxhd_starts_at_61_hundredths(bits: int) -> None:
    assert min(distances(centres_of("maxhd", classes=2, bits=bits))) >= 0.61 * bits


@pytest.mark.parametrize(("classes", "bits"), [(10, 16), (32, 16), (21, 64), (100, 64)])
def test_hadamard_takes_the_first_rows_of_h_and_its_negative(classes: int, bits: int) -> None:
    h = hadamard(bits)
    expected = np.concatenate([h, -h])[:classes]
    np.testing.assert_array_equal(centres_of("hadamard", classes=classes, bits=bits), expected)


@pytest.mark.parametrize(("classes", "allowed"), [(16, {8}), (32, {8, 16})])
def test_hadamard_distances_are_half_the_bits_or_all_of_them(
    classes: int, allowed: set[int]
) -> None:
    assert set(distances(centres_of("hadamard", classes=classes, bits=16))) == allowed


@pytest.mark.parametrize(("classes", "allowed"), [(15, {8}), (30, {8, 16})])
def test_random_hadamard_rows_are_never_constant(classes: int, allowed: set[int]) -> None:
    centres = centres_of("hadamard_random", classes=classes, bits=16)
    assert set(distances(centres)) == allowed
    assert set(centres.sum(1)) == {0.0}


def test_random_hadamard_rows_come_from_h_while_those_suffice() -> None:
    rows = {tuple(row) for row in hadamard(16)[1:].tolist()}
    centres = centres_of("hadamard_random", classes=10, bits=16)
    assert {tuple(row) for row in centres.tolist()} <= rows


@pytest.mark.parametrize("method", HADAMARD)
def test_hadamard_fills_up_with_balanced_rows(method: str) -> None:
    centres = centres_of(method, classes=40, bits=16)
    assert set((centres[32:] < 0).sum(1)) == {8}


@pytest.mark.parametrize("bits", [12, 16, 25, 48])
def test_bernoulli_half_has_half_its_bits_negative_rounded_down(bits: int) -> None:
    centres = centres_of("bernoulli_half", classes=10, bits=bits)
    assert set((centres < 0).sum(1)) == {bits // 2}


@pytest.mark.parametrize(("classes", "bits"), [(10, 32), (10, 48), (21, 64), (100, 64)])
def test_bernoulli_half_keeps_more_than_a_quarter_of_the_bits_between_centres(
    classes: int, bits: int
) -> None:
    centres = centres_of("bernoulli_half", classes=classes, bits=bits)
    assert min(distances(centres)) > bits / 4


def test_bernoulli_half_keeps_the_best_of_many_draws() -> None:
    rng = np.random.default_rng(0)
    row = np.repeat([-1.0, 1.0], 16)
    single_draws = [
        min(distances(np.stack([rng.permutation(row) for _ in range(10)]))) for _ in range(50)
    ]
    best = min(distances(centres_of("bernoulli_half", classes=10, bits=32)))
    assert best > np.median(single_draws)


@pytest.mark.parametrize("method", [*ANY_LENGTH, CentreMethod.HADAMARD_RANDOM])
def test_a_seed_fixes_the_centres_and_another_changes_them(method: str) -> None:
    one, same, other = (
        centres_of(method, classes=10, bits=32, seed=seed).tolist() for seed in (3, 3, 4)
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize("method", list(CentreMethod))
def test_the_global_generator_is_left_alone(method: str) -> None:
    before = torch.get_rng_state()
    centres_of(method, classes=5, bits=16)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("bits", [12, 24, 48])
@pytest.mark.parametrize("method", HADAMARD)
def test_hadamard_refuses_a_length_that_is_no_power_of_two(method: str, bits: int) -> None:
    with pytest.raises(ConfigError) as error:
        centres_of(method, classes=10, bits=bits)
    (line,) = str(error.value).splitlines()
    for part in ("centres:", f"'{method}'", "power of two", f"{bits} bits", "maxhd"):
        assert part in line


@pytest.mark.parametrize("method", list(CentreMethod))
def test_more_classes_than_codes_are_refused(method: str) -> None:
    with pytest.raises(ConfigError, match=r"no 20 centres .* in 4 bits; use more bits$"):
        centres_of(method, classes=20, bits=4)


@pytest.mark.parametrize(
    ("method", "classes"),
    [("maxhd", 200), ("bernoulli_half", 71), ("hadamard", 80), ("hadamard_random", 80)],
)
def test_too_many_classes_for_a_method_are_refused_with_a_remedy(method: str, classes: int) -> None:
    with pytest.raises(ConfigError, match=rf"'{method}' finds no {classes} .* 'bernoulli'$"):
        centres_of(method, classes=classes, bits=8)
    check_signs_and_distinctness(
        centres_of("bernoulli", classes=classes, bits=8), classes=classes, bits=8
    )


def test_hamming_distances_count_differing_bits() -> None:
    left = torch.tensor([[1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    assert hamming_distances(left, left[:1]).tolist() == [[0], [3]]
    assert least_distance(left) == 3
    assert least_distance(left[:1]) == float("inf")


def test_the_tie_vector_is_of_signs_and_seeded() -> None:
    one, same, other = (tie_vector(64, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert set(one.tolist()) == {-1.0, 1.0}
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


CENTRES = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, -1.0, 1.0], [1.0, -1.0, 1.0, -1.0]])
TIE = torch.tensor([-1.0, -1.0, 1.0, 1.0])


def test_the_centre_of_one_label_is_the_classs() -> None:
    assert torch.equal(merged_centres(torch.eye(3), centres=CENTRES, tie=TIE), CENTRES)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ([1, 1, 1], [1, -1, 1, 1]),  # majority of three
        ([1, 1, 0], [1, -1, 1, 1]),  # bits 1 and 2 tie and follow the tie vector
        ([0, 0, 0], [-1, -1, 1, 1]),  # no vote at all
    ],
)
def test_several_labels_vote_and_ties_follow_the_tie_vector(
    label: list[int], expected: list[int]
) -> None:
    y = torch.tensor([label], dtype=torch.float32)
    assert merged_centres(y, centres=CENTRES, tie=TIE).tolist() == [expected]
