"""Every number in the repository is what its codes give."""

from __future__ import annotations

from pathlib import Path

from hashbench.audit.verify import verify_store


def test_every_committed_store_verifies_as_it_lies_there(root: Path) -> None:
    stores = sorted(path.parent for path in (root / "results").glob("*/store.json"))
    assert len(stores) > 5
    problems = [p for store in stores for p in verify_store(store).problems]
    assert problems == []


def test_only_large_arrays_are_left_out_of_the_repository(root: Path) -> None:
    left_out = {path.parent.name for path in (root / "results").glob("*/left-out.txt")}
    assert left_out == {
        "cifar10-1-vit-tiny",
        "cifar10-2-vit-tiny",
        "cifar10-2-vit-tiny-5000",
        "cifar10-vit-tiny",
        "cifar10-vit-tiny-tuned",
        "miml2000-vit-tiny",
        "quickstart",
    }
    (note,) = verify_store(root / "results" / "quickstart").notes
    assert note.what.startswith("left out (left-out.txt says so)")
