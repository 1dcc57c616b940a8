"""Examples on the page: right and wrong told apart by more than a colour."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashbench.core.record import seal
from hashbench.reports.html.evidence import Evidence
from hashbench.reports.html.examples import png_address
from hashbench.reports.html.page import render
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store


@pytest.fixture
def page(make_results: Callable[..., CellResults], tmp_path: Path) -> str:
    store = Store.create(tmp_path / "store")
    results = make_results("hsc", value=0.5)
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    arrays = {
        "queries": np.array([0, 19]),
        "distances": np.array([[0.0, 1.0, 1.0], [2.0, 2.0, 5.0]]),
        "right": np.array([[1, 0, 1], [0, 0, 0]], dtype=np.uint8),
        "query_images": images[:, 0],
        "images": images,
    }
    artifact = store.write_arrays(results.fit_id, "examples", arrays, metadata={})
    update = {"artifacts": {"examples": artifact}, "record_id": ""}
    evaluation = seal(results.evaluations[0].model_copy(update=update))
    results = replace(results, evaluations=(evaluation,))
    return render([results], evidence=Evidence(stores={results.fit_id: store}))


def test_every_answer_is_framed_and_worded_as_right_or_wrong(page: str) -> None:
    found = re.findall(r'<span class="(right|wrong)"><img src="[^"]+" alt="([^"]+)"', page)
    assert found == [
        ("right", "right, distance 0"),
        ("wrong", "wrong, distance 1"),
        ("right", "right, distance 1"),
        ("wrong", "wrong, distance 2"),
        ("wrong", "wrong, distance 2"),
        ("wrong", "wrong, distance 5"),
    ]
    assert 'alt="Query 0: 2 of the 3 nearest are right"' in page
    assert 'alt="Query 19: 0 of the 3 nearest are right"' in page


def test_evaluations_without_examples_have_no_such_part(
    make_results: Callable[..., CellResults],
) -> None:
    assert "nearest images" not in render([make_results("hsc", value=0.5)])


def test_an_image_comes_back_from_its_address() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    kind, _, text = png_address(image).partition(",")
    assert kind == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(b64decode(text)))), image)
