"""Files of claims: those that come with hashbench, and mistakes in others."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.judge.claims.schema import load_claims

GOOD = """\
version: 1
claims:
  - name: one
    says: One is better.
    source: nobody
    better: {loss: one}
    than: {loss: two}
    quantities: map@all
    direction: higher
    controls: {same: [pretraining], seeds: 3}
"""


def mistakes(folder: Path, text: str) -> list[str]:
    file = folder / "claims.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_claims(file)
    return [problem.replace(str(file), "FILE") for problem in caught.value.problems]


def test_the_claims_that_come_with_hashbench_cover_what_was_claimed(root: Path) -> None:
    claims = {claim.name: claim for claim in load_claims(root / "claims")}
    assert set(claims) >= {
        "ae-vit-above-cnns",
        "aem-speeds-convergence",
        "hsc-above-classics-on-ae-vit",
        "ud2h-above-unsupervised",
        "ud2h-asymmetry-saves-time",
        "ud2h-parts-help",
        "dfadh-above-supervised",
        "dfadh-parts-help",
        "longer-codes-do-not-hurt",
    }
    assert all(claim.controls.seeds >= 3 for claim in claims.values())
    assert all("pretraining" in claim.controls.same for claim in claims.values())
    graded = [name.partition("@")[0] for name in claims["dfadh-above-supervised"].quantities]
    assert graded == ["map", "ndcg", "acg"]


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "claims.yaml").write_text(GOOD)
    (claim,) = load_claims(tmp_path)
    assert claim.quantities == ["map@all/div=hits/ties=expected/empty=zero"]
    assert claim.margin == 0.0


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "than:",
            "then:",
            ["FILE:7:5: claims.0.then: unknown key. Did you mean 'than'?"],
        ),
        (
            "[pretraining]",
            "[neckk]",
            ["FILE:10:23: claims.0.controls.same.0: should be 'pretraining', 'neck'"],
        ),
        ("seeds: 3", "seeds: 1", ["FILE:10:37: claims.0.controls.seeds: should be greater"]),
        ("map@all", "mapp@all", ["FILE:8:5: claims.0.quantities: metric 'mapp@all': unknown"]),
        ("map@all", "epochs_to@9", ["FILE:8:5: claims.0.quantities: quantity 'epochs_to@9'"]),
        ("higher", "lower", ["FILE:3:5: claims.0: direction: lower does not fit map@all"]),
        ("    than: {loss: two}\n", "", ["FILE:3:5: claims.0: than names the arms to comp"]),
        ("name: one", "name: One!", ["FILE:3:5: claims.0.name: string should match pattern"]),
        ("version: 1", "version: 2", ["FILE:1:1: version: should be 1"]),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    found = mistakes(tmp_path, GOOD.replace(old, new))
    assert [line[: len(start)] for line, start in zip(found, expected, strict=False)] == expected


def test_a_name_given_twice_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"contains no \.yaml file"):
        load_claims(tmp_path)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    with pytest.raises(ConfigError, match=r"claim 'one' is in .*a\.yaml already"):
        load_claims(tmp_path)
